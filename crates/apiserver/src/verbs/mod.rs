//! The verbs, one file each. They work on stored versions; [`crate::ApiServer::answer`] translates.

mod create;
mod delete;
mod go_order;
mod patch;
mod read;
mod update;

use api::meta::v1::OwnerReference;
use api::object::Object;
use api::wire::{Answer, Reply, Request, Subresource, Verb};

pub use go_order::FieldOrder;
pub(crate) use patch::{Shown, decode, patch_as, patched};

use crate::errors;
use crate::registry::Row;
use crate::subresource;
use crate::{ApiServer, Write};

/// The verb's name in the ledger.
pub(crate) fn name(request: &Request) -> &'static str {
    match (&request.verb, request.subresource) {
        (_, Subresource::Binding) => "bind",
        (_, Subresource::Eviction) => "evict",
        (_, Subresource::Scale) => "scale",
        (Verb::Update(_) | Verb::Patch(_), Subresource::Status) => "status",
        (Verb::Get, _) => "get",
        (Verb::List(_), _) => "list",
        (Verb::Create(_), _) => "create",
        (Verb::Update(_), _) => "update",
        (Verb::Patch(_), _) => "patch",
        (Verb::Delete(_) | Verb::DeleteCollection(..), _) => "delete",
    }
}

/// Owners that a client names twice, alike in all fields, are kept once, and the client is told so.
///
/// Patches are looked at after admission, and their warning says it.
pub(crate) fn dedup_owners(write: &mut Write, object: &mut Object) {
    let owners = &object.meta().owner_references;
    if !write.is_http || owners.len() < 2 {
        return;
    }
    let mut twice: Vec<&str> = Vec::new();
    let mut once: Vec<OwnerReference> = Vec::new();
    for owner in owners.iter() {
        if once.contains(owner) {
            twice.push(&owner.uid);
        } else {
            once.push(owner.clone());
        }
    }
    if twice.is_empty() {
        return;
    }
    let when = if write.verb == "patch" { " after mutating admission happens" } else { "" };
    write.warnings.push(format!(
        ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner \
         references in 1.20+, and may reject such requests as early as 1.24; please fix your \
         requests; duplicate UID(s) observed: {}",
        twice.join(", ")
    ));
    object.edit().meta_mut().owner_references = once.into_iter().collect();
}

/// Carries a request out.
pub(crate) fn answer(
    server: &mut ApiServer,
    write: &mut Write,
    row: &'static Row,
    request: Request,
) -> Reply {
    if !row.has(request.subresource) {
        return Err(errors::unknown_resource());
    }
    let Request { namespace, name, subresource, verb, .. } = request;
    match subresource {
        Subresource::None
        | Subresource::Status
        | Subresource::Resize
        | Subresource::Approval
        | Subresource::EphemeralContainers
        | Subresource::Finalize => {}
        other => return subresource::answer(server, write, row, other, &namespace, &name, verb),
    }
    // Bindings have had their own collection before pods had the subresource.
    if let Verb::Create(object) = &verb
        && row.info.kind == "Binding"
        && row.custom.is_none()
    {
        let name = object.name().clone();
        write.subresource = Subresource::Binding;
        return subresource::answer(
            server,
            write,
            row,
            Subresource::Binding,
            &namespace,
            &name,
            verb,
        );
    }
    let mut follow = follow_up(server, write, row, &verb, &name);
    let answer = carry_out(server, write, row, &namespace, &name, verb)?;
    follow.extend(server.going_definition_of(row));
    for definition in follow {
        server.settle_definition(write, &definition)?;
    }
    Ok(answer)
}

/// The definitions of custom kinds that a request may change.
fn follow_up(
    server: &ApiServer,
    write: &Write,
    row: &Row,
    verb: &Verb,
    name: &str,
) -> Vec<base::Str> {
    let writes = !write.dry_run && !matches!(verb, Verb::Get | Verb::List(_));
    if !writes || row.info.kind != "CustomResourceDefinition" {
        return Vec::new();
    }
    match verb {
        Verb::Create(object) => vec![object.name().clone()],
        Verb::DeleteCollection(..) => server.definitions.keys().cloned().collect(),
        _ => vec![name.into()],
    }
}

fn carry_out(
    server: &mut ApiServer,
    write: &mut Write,
    row: &'static Row,
    namespace: &str,
    name: &str,
    verb: Verb,
) -> Reply {
    match verb {
        Verb::Get => server.read(row, namespace, name).map(|o| Answer::Object(o, false)),
        Verb::List(options) => server.page(row, namespace, &options).map(Answer::List),
        Verb::Create(object) => {
            server.create(write, row, namespace, object).map(|o| Answer::Object(o, true))
        }
        Verb::Update(object) => server
            .update(write, row, namespace, name, object)
            .map(|(object, created)| Answer::Object(object, created)),
        Verb::Patch(patch) => server.patch(write, row, row, namespace, name, patch),
        Verb::Delete(options) => server.delete(write, row, namespace, name, &options),
        Verb::DeleteCollection(options, list) => {
            server.delete_collection(write, row, namespace, &options, &list)
        }
    }
}
