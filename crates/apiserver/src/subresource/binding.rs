//! binding: puts a pod on a node.

use std::sync::Arc;

use api::core::v1::{Binding, Pod, PodCondition};
use api::meta::v1::Status;
use api::object::{Kind, Object};
use api::wire::{Answer, Reply, conflict, failure, not_found};
use base::lit;

use crate::errors::{self, Refusal};
use crate::registry::{self, Row};
use crate::{ApiServer, Write};

/// Sets the node of a pod that has none, and its `PodScheduled` condition.
pub(super) fn create(
    server: &mut ApiServer,
    write: &mut Write,
    _: &'static Row,
    namespace: &str,
    name: &str,
    object: &Object,
) -> Reply {
    let Some(binding) = object.get::<Binding>() else {
        return Err(errors::bad_request("expected input object type to be Binding"));
    };
    super::check_posted(write, object, namespace, name)?;
    check_target(binding)?;
    if name.is_empty() {
        return Err(errors::bad_request("Name parameter required."));
    }
    let row = registry::of(Pod::INFO).expect("registered");
    let Some(old) = server.stored(row, namespace, name).cloned() else {
        return Err(not_found(Pod::INFO, name));
    };
    let mut new = old.clone();
    let Some(pod) = new.edit_as::<Pod>() else { return Err(errors::internal("not a pod")) };
    let refuse = |why: &str| Err(conflict(BINDINGS, name, why));
    let uid = &binding.metadata.uid;
    if !uid.is_empty() && *uid != pod.metadata.uid {
        return refuse(&format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            pod.metadata.uid
        ));
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return refuse(&format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    if !pod.spec.node_name.is_empty() {
        return refuse(&format!(
            "pod {name} is already assigned to node {:?}",
            &*pod.spec.node_name
        ));
    }
    if !pod.spec.scheduling_gates.is_empty() {
        return refuse(&format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    pod.spec.node_name = binding.target.name.clone();
    if !binding.metadata.annotations.is_empty() || !binding.metadata.labels.is_empty() {
        let meta = Arc::make_mut(&mut pod.metadata);
        for (key, value) in binding.metadata.annotations.iter() {
            meta.annotations.insert(key.clone(), value.clone());
        }
        for (key, value) in binding.metadata.labels.iter() {
            meta.labels.insert(key.clone(), value.clone());
        }
    }
    mark_scheduled(pod, write);
    if !write.dry_run {
        server.put(write, row, Some(&old), new)?;
    }
    let status = Status { status: lit!("Success"), code: Some(201), ..Status::default() };
    Ok(Answer::Status(Box::new(status)))
}

/// Upstream tells what is wrong with a binding as a plain error and not as an invalid object.
fn check_target(binding: &Binding) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    if !matches!(binding.target.kind.as_str(), "" | "Node") {
        let kind = crate::go_quoted(&binding.target.kind);
        wrong.push(format!(
            "target.kind: Unsupported value: {kind}: supported values: \"Node\", \"<empty>\""
        ));
    }
    if binding.target.name.is_empty() {
        wrong.push("target.name: Required value".to_owned());
    }
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(failure(500, "", one.as_str())),
        many => Err(failure(500, "", format!("[{}]", many.join(", ")))),
    }
}

/// Errors of this subresource name it so.
const BINDINGS: &api::KindInfo = &api::KindInfo { plural: "pods/binding", ..*<Pod as Kind>::INFO };

/// The condition tells no generation, until the kubelet writes it anew.
fn mark_scheduled(pod: &mut Pod, write: &Write) {
    let status = Arc::make_mut(&mut pod.status);
    let condition = PodCondition {
        type_: lit!("PodScheduled"),
        status: lit!("True"),
        last_transition_time: Some(write.now.into()),
        ..PodCondition::default()
    };
    match status.conditions.iter_mut().find(|c| c.type_ == condition.type_) {
        Some(own) if own.status == condition.status => {}
        Some(own) => *own = condition,
        None => status.conditions.push(condition),
    }
    status.nominated_node_name = base::Str::new();
}
