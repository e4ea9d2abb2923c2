//! The admission chain: one file for each plugin, called in upstream's order.
//!
//! Known deviations:
//! - Only the plugins below exist; of those on by default the webhooks and the policies are missing.

mod claim_resize;
mod default_ingress_class;
mod default_storage_class;
mod default_toleration_seconds;
mod limit_ranger;
mod memo;
mod namespace_lifecycle;
mod pod_security;
mod priority;
mod resource_quota;
mod runtime_class;
mod service_account;
mod storage_object_in_use;
mod taint_nodes;

use api::Object;
use api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use api::networking::v1::Ingress;
use api::scheduling::v1::PriorityClass;

use crate::errors::Refusal;
use crate::registry::Row;
use crate::{ApiServer, Write};

pub use memo::SpecMemo;

/// What every create must pass, even of an object whose contents were admitted before.
pub(crate) fn gate(
    server: &ApiServer,
    _: &Write,
    row: &Row,
    object: &Object,
) -> Result<(), Refusal> {
    namespace_lifecycle::create(server, row, object)
}

/// Fills in what plugins add to a new object.
pub(crate) fn admit_create(
    server: &mut ApiServer,
    write: &Write,
    row: &'static Row,
    object: &mut Object,
) -> Result<(), Refusal> {
    gate(server, write, row, object)?;
    if object.get::<Pod>().is_some() {
        limit_ranger::admit_pod(server, object)?;
        service_account::admit(server, object)?;
        priority::admit(server, object)?;
        default_toleration_seconds::admit(object);
        runtime_class::admit(server, object)?;
    } else if object.get::<Node>().is_some() {
        taint_nodes::admit(object);
    } else if object.get::<PersistentVolumeClaim>().is_some() {
        default_storage_class::admit(server, object);
        storage_object_in_use::admit(object);
    } else if object.get::<PersistentVolume>().is_some() {
        storage_object_in_use::admit(object);
    } else if object.get::<Ingress>().is_some() {
        default_ingress_class::admit(server, object)?;
    } else if object.get::<PriorityClass>().is_some() {
        priority::check_class(server, object)?;
    }
    Ok(())
}

/// Refuses a valid new object, or counts it.
pub(crate) fn validate_create(
    server: &mut ApiServer,
    write: &mut Write,
    row: &'static Row,
    object: &Object,
    known: bool,
) -> Result<(), Refusal> {
    limit_ranger::validate(server, object)?;
    // A pod with a spec that was admitted before has passed before: see `memo`.
    if row.info.namespaced && !known {
        write.warnings.extend(pod_security::validate(server, object)?);
    }
    resource_quota::charge(server, write, row, None, object)
}

/// Fills in what plugins add to a changed object.
pub(crate) fn admit_update(
    server: &mut ApiServer,
    _: &Write,
    _: &'static Row,
    old: &Object,
    new: &mut Object,
) -> Result<(), Refusal> {
    if new.get::<Pod>().is_some() {
        priority::keep(old, new);
    } else if new.get::<PriorityClass>().is_some() {
        priority::check_class(server, new)?;
    } else if new.get::<PersistentVolumeClaim>().is_some() {
        default_storage_class::admit(server, new);
    }
    Ok(())
}

/// Refuses a valid changed object, or counts it.
pub(crate) fn validate_update(
    server: &mut ApiServer,
    write: &Write,
    row: &'static Row,
    old: &Object,
    new: &Object,
) -> Result<(), Refusal> {
    if new.get::<PersistentVolumeClaim>().is_some() {
        claim_resize::validate(server, old, new)?;
        limit_ranger::validate(server, new)?;
    }
    match write.subresource {
        api::wire::Subresource::None => resource_quota::charge(server, write, row, Some(old), new),
        _ => Ok(()),
    }
}

/// Refuses a deletion.
pub(crate) fn validate_delete(
    _: &ApiServer,
    _: &Write,
    row: &Row,
    old: &Object,
) -> Result<(), Refusal> {
    namespace_lifecycle::delete(row, old)
}
