//! Subresources that are more than a part of the object: one file each.

mod binding;
mod eviction;
mod scale;
mod token;

use api::object::Object;
use api::wire::{Reply, Subresource, Verb};

use crate::errors::{self, Refusal};
use crate::registry::Row;
use crate::{ApiServer, Write};

/// What is posted to a subresource names the object to which it is posted.
///
/// The parts of the cluster may leave the name out.
fn check_posted(
    write: &Write,
    object: &Object,
    namespace: &str,
    name: &str,
) -> Result<(), Refusal> {
    if !object.namespace().is_empty() && *object.namespace() != *namespace {
        return Err(errors::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if *object.name() == *name || (object.name().is_empty() && !write.is_http) {
        return Ok(());
    }
    let kind = object.info().kind;
    Err(errors::bad_request(format!("name in URL does not match name in {kind} object")))
}

/// Carries out a request to a subresource.
pub(crate) fn answer(
    server: &mut ApiServer,
    write: &mut Write,
    row: &'static Row,
    subresource: Subresource,
    namespace: &str,
    name: &str,
    verb: Verb,
) -> Reply {
    match (subresource, verb) {
        (Subresource::Scale, Verb::Get) => scale::get(server, row, namespace, name),
        (Subresource::Scale, Verb::Update(object)) => {
            scale::update(server, write, row, namespace, name, &object)
        }
        (Subresource::Scale, Verb::Patch(patch)) => {
            scale::patch(server, write, row, namespace, name, patch)
        }
        (Subresource::Binding, Verb::Create(object)) => {
            binding::create(server, write, row, namespace, name, &object)
        }
        (Subresource::Eviction, Verb::Create(object)) => {
            eviction::create(server, write, row, namespace, name, &object)
        }
        (Subresource::Token, Verb::Create(object)) => {
            token::create(server, write, row, namespace, name, object)
        }
        _ => Err(errors::method_not_supported(row.info, "this verb")),
    }
}
