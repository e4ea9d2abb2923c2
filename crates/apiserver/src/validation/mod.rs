//! Validation: which objects the API server refuses, and in which words. One file per API group.
//!
//! Models the validation of Kubernetes, kind by kind, in upstream's order: the errors of one object are told
//! together.
//!
//! Known deviations: see the files of the groups.

mod admissionregistration;
mod apiextensions;
mod apps;
mod authorization;
mod autoscaling;
mod batch;
mod cel;
mod certificates;
mod check;
mod core;
mod cron;
mod flowcontrol;
mod immutable;
mod ip;
mod meta;
mod networking;
mod path;
mod policy;
mod rbac;
mod resource;
mod selector;
mod small;
mod storage;
mod warn;

use api::Object;
use api::core::v1::Event;
use api::wire::Subresource;
use base::{Instant, Str};

use check::Errors;
use path::Path;

/// What a validation may know besides the objects.
#[derive(Clone, Copy, Debug)]
pub struct Ctx {
    /// The time of the request.
    pub now: Instant,
    /// The part of the object that is written.
    pub subresource: Subresource,
    /// The object is written through `events.k8s.io`.
    pub new_events: bool,
}

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The machine's word: `FieldValueInvalid`, `FieldValueRequired`, …
    pub reason: &'static str,
    /// The path: `spec.containers[0].name`.
    pub field: Str,
    /// The text after the path: `Invalid value: "x": must be …`, `Required value`.
    pub message: Str,
}

/// What is wrong with a new object, its metadata included, in upstream's order; empty if nothing is.
pub fn create(object: &Object, cx: &Ctx) -> Vec<FieldError> {
    let mut errors = Errors::default();
    meta::create(&mut errors, object);
    match object.get::<Event>() {
        Some(event) => core::events::create(&mut errors, event, cx.new_events),
        None => own(&mut errors, object),
    }
    errors.take()
}

/// What is wrong with replacing `old` by `new` through `cx.subresource`.
pub fn update(new: &Object, old: &Object, cx: &Ctx) -> Vec<FieldError> {
    let mut errors = Errors::default();
    meta::update(&mut errors, new, old);
    if let (Some(new), Some(old)) = (new.get::<Event>(), old.get::<Event>()) {
        core::events::update(&mut errors, new, old, cx.new_events);
        return errors.take();
    }
    match cx.subresource {
        Subresource::Status | Subresource::Approval => immutable::status(&mut errors, new, old),
        _ => {
            immutable::before(&mut errors, new, old);
            if immutable::is_frozen(new) {
                immutable::after(&mut errors, new, old, cx.subresource);
            } else if immutable::rechecks(new, old, cx.subresource) {
                own(&mut errors, new);
                immutable::after(&mut errors, new, old, cx.subresource);
            }
        }
    }
    errors.take()
}

/// What is wrong with the metadata alone, name included, of a new object.
///
/// Asked instead of [`create`] for pods whose spec has passed before (the replicas of one template).
pub fn metadata(object: &Object, _: &Ctx) -> Vec<FieldError> {
    let mut errors = Errors::default();
    meta::create(&mut errors, object);
    errors.take()
}

/// Warnings that a client is told when it writes the object (`Warning` headers), in upstream's order.
pub fn warnings(new: &Object, old: Option<&Object>) -> Vec<String> {
    warn::warnings(new, old)
}

/// A warning for every request about a kind that is going out of use.
pub use warn::deprecation;

/// What is wrong with the addresses that a Service asks for; asked before any are given out.
pub fn service_addresses(service: &api::core::v1::Service) -> Vec<FieldError> {
    let mut errors = Errors::default();
    core::service::addresses(&mut errors, service, &Path::root("spec"));
    errors.take()
}

/// What is wrong with an object besides its metadata.
fn own(errors: &mut Errors, object: &Object) {
    match object.info().group {
        "" => core::validate(errors, object),
        "admissionregistration.k8s.io" => admissionregistration::validate(errors, object),
        "apiextensions.k8s.io" => apiextensions::validate(errors, object),
        "apps" => apps::validate(errors, object),
        "authorization.k8s.io" => authorization::validate(errors, object),
        "autoscaling" => autoscaling::validate(errors, object),
        "batch" => batch::validate(errors, object),
        "certificates.k8s.io" => certificates::validate(errors, object),
        "flowcontrol.apiserver.k8s.io" => flowcontrol::validate(errors, object),
        "networking.k8s.io" => networking::validate(errors, object),
        "policy" => policy::validate(errors, object),
        "rbac.authorization.k8s.io" => rbac::validate(errors, object),
        "resource.k8s.io" => resource::validate(errors, object),
        "storage.k8s.io" => storage::validate(errors, object),
        _ => small::validate(errors, object),
    }
}

#[cfg(test)]
mod tests;
