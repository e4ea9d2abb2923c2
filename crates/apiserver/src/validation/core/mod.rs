//! The core group.
//!
//! Models `pkg/apis/core/validation` of Kubernetes, one file for each cluster of kinds.
//!
//! Known deviations: see the files.

mod config;
pub mod container;
mod env;
pub mod events;
mod limits;
mod node;
pub mod pod;
pub mod pod_update;
pub mod probe;
pub mod resources;
pub mod scheduling;
mod security;
pub mod service;
pub mod storage;
pub mod template;
pub mod volume;
mod volume_remote;

use api::Object;
use api::core::v1::*;

use super::check::Errors;

/// What is wrong with the status of a node.
pub use node::status as node_status;

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(pod) = object.get::<Pod>() {
        pod::pod(e, pod);
    } else if let Some(service) = object.get::<Service>() {
        service::service(e, service);
    } else if let Some(controller) = object.get::<ReplicationController>() {
        template::replication_controller(e, controller);
    } else if let Some(template) = object.get::<PodTemplate>() {
        template::pod_template(e, &template.template, &super::Path::root("template"));
    } else if let Some(claim) = object.get::<PersistentVolumeClaim>() {
        storage::claim(e, claim);
    } else if let Some(volume) = object.get::<PersistentVolume>() {
        storage::volume(e, volume);
    } else if let Some(node) = object.get::<Node>() {
        node::node(e, node);
    } else if let Some(range) = object.get::<LimitRange>() {
        limits::limit_range(e, range);
    } else if let Some(quota) = object.get::<ResourceQuota>() {
        limits::quota(e, quota);
    } else if let Some(endpoints) = object.get::<Endpoints>() {
        service::endpoints(e, endpoints);
    } else {
        config::validate(e, object);
    }
}
