//! Defaults: what the API server fills in for fields that were left out. One file per API group.
//!
//! Models the versioned defaulting of Kubernetes (`SetDefaults_*`) and what the conversion between versions
//! fills in besides. Runs after decoding and before admission, on creates, updates and patches alike.
//!
//! Known deviations: see the files of the groups.

mod admissionregistration;
mod apiextensions;
mod apps;
mod autoscaling;
mod batch;
mod core;
mod flowcontrol;
mod image;
mod networking;
mod pod;
mod rbac;
mod resource;
mod small;
mod storage;
mod template;
mod volume;

use std::sync::Arc;

use api::codec::Map;
use api::{Object, Quantity};
use base::Str;

/// Fills in the defaults of an object of any kind.
///
/// Parts that need no default are left alone, so that shared specs stay shared.
pub fn apply(object: &mut Object) {
    match object.info().group {
        "" => core::apply(object),
        "admissionregistration.k8s.io" => admissionregistration::apply(object),
        "apiextensions.k8s.io" => apiextensions::apply(object),
        "apps" => apps::apply(object),
        "autoscaling" => autoscaling::apply(object),
        "batch" => batch::apply(object),
        "flowcontrol.apiserver.k8s.io" => flowcontrol::apply(object),
        "networking.k8s.io" => networking::apply(object),
        "rbac.authorization.k8s.io" => rbac::apply(object),
        "resource.k8s.io" => resource::apply(object),
        "storage.k8s.io" => storage::apply(object),
        _ => small::apply(object),
    }
}

/// Calls the function of the object's kind with the typed object.
macro_rules! by_kind {
    ($object:expr, $($kind:ty => $fill:expr),* $(,)?) => {
        $(
            if $object.get::<$kind>().is_some() {
                if let Some(typed) = $object.edit_as::<$kind>() {
                    $fill(typed);
                }
                return;
            }
        )*
    };
}
use by_kind;

/// Runs `fill` on a part of an object. A part that others hold too is copied only if something was missing.
fn part<T: Clone + PartialEq>(part: &mut Arc<T>, fill: impl FnOnce(&mut T)) {
    if let Some(own) = Arc::get_mut(part) {
        return fill(own);
    }
    let mut copy = T::clone(part);
    fill(&mut copy);
    if copy != **part {
        *part = Arc::new(copy);
    }
}

/// Sets a text that is empty.
fn text(field: &mut Str, value: Str) {
    if field.is_empty() {
        *field = value;
    }
}

/// Sets a number that is zero.
fn number(field: &mut i32, value: i32) {
    if *field == 0 {
        *field = value;
    }
}

/// Sets a field that was left out.
fn missing<T>(field: &mut Option<T>, value: T) {
    if field.is_none() {
        *field = Some(value);
    }
}

/// Amounts finer than a thousandth are rounded up to one.
fn amounts(list: &mut Map<Quantity>) {
    let fine = |q: &Quantity| q.as_i64().is_none() && *q != Quantity::millis(q.milli_value());
    if !list.values().any(fine) {
        return;
    }
    let keys: Vec<Str> = list.keys().cloned().collect();
    for key in keys {
        if let Some(amount) = list.get_mut(&key)
            && fine(amount)
            && amount.as_f64().abs() < 9e15
        {
            *amount = Quantity::millis(amount.milli_value());
        }
    }
}

#[cfg(test)]
mod tests;
