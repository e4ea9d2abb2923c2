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
mod plugins;
mod pod_security;
mod priority;
mod resource_quota;
mod runtime_class;
mod service_account;
mod storage_object_in_use;
mod taint_nodes;

use api::Object;
use api::core::v1::{Node, PersistentVolumeClaim, Pod};
use api::networking::v1::Ingress;
use api::scheduling::v1::PriorityClass;

use crate::errors::Refusal;
use crate::registry::Row;
use crate::{ApiServer, Write};

pub use memo::SpecMemo;
use plugins::Plugin;
pub use plugins::Plugins;

/// What every create must pass, even of an object whose contents were admitted before.
pub(crate) fn gate(
    server: &ApiServer,
    _: &Write,
    row: &Row,
    object: &Object,
) -> Result<(), Refusal> {
    match server.admits(Plugin::NamespaceLifecycle) {
        true => namespace_lifecycle::create(server, row, object),
        false => Ok(()),
    }
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
        return admit_pod(server, object);
    }
    if object.get::<Node>().is_some() {
        if server.admits(Plugin::TaintNodesByCondition) {
            taint_nodes::admit(object);
        }
    } else if object.get::<Ingress>().is_some() {
        if server.admits(Plugin::DefaultIngressClass) {
            default_ingress_class::admit(server, object)?;
        }
    } else if object.get::<PriorityClass>().is_some() {
        if server.admits(Plugin::Priority) {
            priority::check_class(server, object)?;
        }
    } else if object.get::<PersistentVolumeClaim>().is_some()
        && server.admits(Plugin::DefaultStorageClass)
    {
        default_storage_class::admit(server, object);
    }
    if server.admits(Plugin::StorageObjectInUseProtection) {
        storage_object_in_use::admit(object);
    }
    Ok(())
}

fn admit_pod(server: &mut ApiServer, object: &mut Object) -> Result<(), Refusal> {
    if server.admits(Plugin::LimitRanger) {
        limit_ranger::admit_pod(server, object)?;
    }
    if server.admits(Plugin::ServiceAccount) {
        service_account::admit(server, object)?;
    }
    if server.admits(Plugin::Priority) {
        priority::admit(server, object)?;
    }
    if server.admits(Plugin::DefaultTolerationSeconds) {
        default_toleration_seconds::admit(object);
    }
    if server.admits(Plugin::RuntimeClass) {
        runtime_class::admit(server, object)?;
    }
    Ok(())
}

impl ApiServer {
    /// Whether a plugin is switched on.
    fn admits(&self, plugin: Plugin) -> bool {
        !self.options.disabled.has(plugin)
    }
}

/// Refuses a valid new object, or counts it.
pub(crate) fn validate_create(
    server: &mut ApiServer,
    write: &mut Write,
    row: &'static Row,
    object: &Object,
    known: bool,
) -> Result<(), Refusal> {
    if server.admits(Plugin::LimitRanger) {
        limit_ranger::validate(server, object)?;
    }
    // A pod with a spec that was admitted before has passed before: see `memo`.
    if row.info.namespaced && !known && server.admits(Plugin::PodSecurity) {
        write.warnings.extend(pod_security::validate(server, object)?);
    }
    match server.admits(Plugin::ResourceQuota) {
        true => resource_quota::charge(server, write, row, None, object),
        false => Ok(()),
    }
}

/// Fills in what plugins add to a changed object.
pub(crate) fn admit_update(
    server: &mut ApiServer,
    _: &Write,
    _: &'static Row,
    old: &Object,
    new: &mut Object,
) -> Result<(), Refusal> {
    if new.get::<PersistentVolumeClaim>().is_some() {
        if server.admits(Plugin::DefaultStorageClass) {
            default_storage_class::admit(server, new);
        }
    } else if !server.admits(Plugin::Priority) {
    } else if new.get::<Pod>().is_some() {
        priority::keep(old, new);
    } else if new.get::<PriorityClass>().is_some() {
        priority::check_class(server, new)?;
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
        if server.admits(Plugin::PersistentVolumeClaimResize) {
            claim_resize::validate(server, old, new)?;
        }
        if server.admits(Plugin::LimitRanger) {
            limit_ranger::validate(server, new)?;
        }
    }
    match write.subresource {
        api::wire::Subresource::None if server.admits(Plugin::ResourceQuota) => {
            resource_quota::charge(server, write, row, Some(old), new)
        }
        _ => Ok(()),
    }
}

/// Refuses a deletion.
pub(crate) fn validate_delete(
    server: &ApiServer,
    _: &Write,
    row: &Row,
    old: &Object,
) -> Result<(), Refusal> {
    match server.admits(Plugin::NamespaceLifecycle) {
        true => namespace_lifecycle::delete(row, old),
        false => Ok(()),
    }
}
