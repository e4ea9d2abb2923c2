//! Validation: which objects the API server refuses, and in which words. One file per API group.
//!
//! Known deviations: see the files of the groups.

use api::Object;
use api::wire::Subresource;
use base::{Instant, Str};

/// What a validation may know besides the objects.
#[derive(Clone, Copy, Debug)]
pub struct Ctx {
    /// The time of the request.
    pub now: Instant,
    /// The part of the object that is written.
    pub subresource: Subresource,
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
    let _ = (object, cx);
    Vec::new()
}

/// What is wrong with replacing `old` by `new` through `cx.subresource`.
pub fn update(new: &Object, old: &Object, cx: &Ctx) -> Vec<FieldError> {
    let _ = (new, old, cx);
    Vec::new()
}

/// What is wrong with the metadata alone, name included, of a new object.
///
/// Asked instead of [`create`] for pods whose spec has passed before (the replicas of one template).
pub fn metadata(object: &Object, cx: &Ctx) -> Vec<FieldError> {
    let _ = (object, cx);
    Vec::new()
}

/// Warnings that a client is told when it writes the object (`Warning` headers), in upstream's order.
pub fn warnings(new: &Object, old: Option<&Object>) -> Vec<String> {
    let _ = (new, old);
    Vec::new()
}
