//! What the scheduler writes into pods' statuses, and about them into events.

use api::core::v1::{ObjectReference, Pod, PodCondition};
use api::json::Json;
use api::object::{Key, Kind};
use api::time::Time;
use api::wire::{Patch, Request, Subresource, Verb};
use base::{Instant, lit};
use client::plan::Note;

/// The condition of a pod that found no node.
pub fn unschedulable(now: Instant, pod: &Pod, reason: &str, message: &str) -> PodCondition {
    PodCondition {
        type_: lit!("PodScheduled"),
        status: lit!("False"),
        reason: reason.into(),
        message: message.into(),
        last_transition_time: Some(now.into()),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    }
}

/// The condition of a pod that is deleted to make room for another.
pub fn preempted(now: Instant, pod: &Pod, scheduler: &str) -> PodCondition {
    PodCondition {
        type_: lit!("DisruptionTarget"),
        status: lit!("True"),
        reason: lit!("PreemptionByScheduler"),
        message: format!("{scheduler}: preempting to accommodate a higher priority pod").into(),
        last_transition_time: Some(now.into()),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    }
}

/// The request that sets a condition and the nominated node; `None` where the pod has both already.
pub fn status(pod: &Pod, mut condition: PodCondition, nominated: Option<&str>) -> Option<Request> {
    let known = pod.status.conditions.iter().find(|c| c.type_ == condition.type_);
    if let Some(known) = known
        && known.status == condition.status
    {
        condition.last_transition_time = known.last_transition_time;
    }
    let renominated = nominated.is_some_and(|node| pod.status.nominated_node_name != node);
    if known == Some(&condition) && !renominated {
        return None;
    }
    let mut row = Json::object();
    row.set("type", Json::Str(condition.type_));
    row.set("status", Json::Str(condition.status));
    row.set("reason", Json::Str(condition.reason));
    row.set("message", Json::Str(condition.message));
    let time =
        condition.last_transition_time.map_or(Json::Null, |t: Time| Json::str(t.to_string()));
    row.set("lastTransitionTime", time);
    if condition.observed_generation > 0 {
        row.set("observedGeneration", condition.observed_generation);
    }
    let mut status = Json::object();
    status.set("conditions", Json::Array(vec![row]));
    if let Some(node) = nominated.filter(|_| renominated) {
        status.set("nominatedNodeName", nomination(node));
    }
    Some(patch(pod, status))
}

/// The request that sets the nominated node alone.
pub fn nominated(pod: &Pod, node: &str) -> Request {
    let mut status = Json::object();
    status.set("nominatedNodeName", nomination(node));
    patch(pod, status)
}

fn nomination(node: &str) -> Json {
    if node.is_empty() { Json::Null } else { Json::str(node) }
}

fn patch(pod: &Pod, status: Json) -> Request {
    let mut body = Json::object();
    body.set("status", status);
    let verb = Verb::Patch(Patch::Strategic(body));
    let mut request = Request::new(Pod::INFO, &Key::of(&pod.metadata), verb);
    request.subresource = Subresource::Status;
    request
}

/// A reference to a pod at its revision.
pub fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        api_version: lit!("v1"),
        kind: lit!("Pod"),
        name: pod.metadata.name.clone(),
        namespace: pod.metadata.namespace.clone(),
        uid: pod.metadata.uid.clone(),
        resource_version: pod.metadata.resource_version.clone(),
        ..ObjectReference::default()
    }
}

/// A note about a pod.
pub fn note(pod: &Pod, type_: &str, reason: &str, message: &str) -> Note {
    Note {
        about: reference(pod),
        type_: type_.into(),
        reason: reason.into(),
        message: message.into(),
    }
}
