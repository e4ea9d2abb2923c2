//! The verbs, one file each. They work on stored versions; [`crate::ApiServer::answer`] translates.

mod create;
mod delete;
mod go_order;
mod patch;
mod read;
mod update;

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
