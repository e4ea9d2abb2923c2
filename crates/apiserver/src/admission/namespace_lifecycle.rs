//! NamespaceLifecycle: nothing new in namespaces that are missing or going; some namespaces stay.

use api::core::v1::Namespace;
use api::meta::v1::StatusCause;
use api::object::{Kind, Object};
use api::wire::not_found;
use base::lit;

use crate::ApiServer;
use crate::errors::{self, Refusal};
use crate::registry::Row;

/// A new object needs a living namespace.
pub(super) fn create(server: &ApiServer, row: &Row, object: &Object) -> Result<(), Refusal> {
    if !row.info.namespaced || row.virtual_create.is_some() {
        return Ok(());
    }
    let name = object.namespace();
    if server.pods.is_living(name) {
        return Ok(());
    }
    let Some(namespace) = server.namespace(name) else {
        return Err(not_found(Namespace::INFO, name));
    };
    if namespace.metadata.deletion_timestamp.is_none() && namespace.status.phase != "Terminating" {
        return Ok(());
    }
    let why =
        format!("unable to create new content in namespace {name} because it is being terminated");
    let mut status = errors::forbidden(row.info, object.name(), &why);
    if let Some(details) = &mut status.details {
        details.causes.push(StatusCause {
            reason: lit!("NamespaceTerminating"),
            message: format!("namespace {name} is being terminated").into(),
            field: lit!("metadata.namespace"),
        });
    }
    Err(status)
}

/// The namespaces that the cluster itself needs stay.
pub(super) fn delete(row: &Row, old: &Object) -> Result<(), Refusal> {
    let needed = matches!(old.name().as_str(), "default" | "kube-system" | "kube-public");
    if needed && old.get::<Namespace>().is_some() {
        return Err(errors::forbidden(row.info, old.name(), "this namespace may not be deleted"));
    }
    Ok(())
}
