//! The ReplicaSet controller: keeps as many pods as asked for.
//!
//! Known deviations:
//! - Adoption does not first read the owner anew from the API server.

use std::sync::Arc;

use api::apps::v1::{Deployment, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use api::core::v1::Pod;
use api::object::{Key, Kind, KindInfo, Resource};
use api::selector::Selector;
use api::wire::{Verb, time_of};
use base::{Duration, Instant, lit};
use client::owner::{controller_of, selects};
use client::{Cx, Delta, Enqueue, Failure, Note, Plan, Reconcile, Write};

use crate::{claim, pods, template};

pub mod rank;

/// At most so many pods are created or deleted in one go.
pub const BURST_MAX: usize = 500;

/// The ReplicaSet controller.
#[derive(Clone, Default)]
pub struct ReplicaSets;

impl Reconcile for ReplicaSets {
    fn name(&self) -> &'static str {
        "replicaset-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![ReplicaSet::INFO, Pod::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<ReplicaSet>() {
            return queue.add(delta.key());
        }
        claim::owners_of::<ReplicaSet>(cx, delta, queue, |set, meta| {
            Selector::of(&set.spec.selector).is_ok_and(|selector| selects(&selector, meta))
        });
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(set) = cx.replica_sets().get(key) else { return Plan::settled() };
        let Ok(selector) = Selector::of(&set.spec.selector) else { return Plan::settled() };
        let claimed = claim::claim::<Pod>(cx, set, &selector);
        let (mut plan, status) = sync(cx, set, set, claimed);
        write_status(set, status, &mut plan);
        plan
    }

    fn failed(&mut self, cx: &Cx<'_>, key: &Key, failure: &Failure) -> Plan {
        let mut plan = Plan::settled();
        let Some(set) = cx.replica_sets().get(key) else { return plan };
        if let Some(status) = after_failure(cx, set, failure) {
            write_status(set, status, &mut plan);
        }
        plan
    }
}

fn write_status(set: &ReplicaSet, status: ReplicaSetStatus, plan: &mut Plan) {
    if *set.status != status {
        let mut new = set.clone();
        new.status = Arc::new(status);
        plan.status(new);
    }
}

/// What to do for a set of replicas, and what its status is. `owner` is the set as it is stored, of whatever kind.
pub(crate) fn sync(
    cx: &Cx<'_>,
    set: &ReplicaSet,
    owner: &dyn Resource,
    claimed: claim::Claim<'_, Pod>,
) -> (Plan, ReplicaSetStatus) {
    let mut plan = Plan::settled();
    plan.batch(claimed.writes);
    let active: Vec<&Pod> =
        claimed.owned.iter().copied().filter(|pod| pods::is_active(pod)).collect();
    if set.metadata.deletion_timestamp.is_none() {
        scale(cx, set, owner, &active, &mut plan);
    }
    if let Some(wait) = next_available(cx.now, set, &active) {
        plan.again(wait);
    }
    let status = observed(cx.now, set, &claimed.owned, &active, None);
    (plan, status)
}

/// The status of a set for which a pod could not be created or deleted.
pub(crate) fn after_failure(
    cx: &Cx<'_>,
    set: &ReplicaSet,
    failure: &Failure,
) -> Option<ReplicaSetStatus> {
    let reason = match failure.request.verb {
        Verb::Create(_) => "FailedCreate",
        Verb::Delete(_) => "FailedDelete",
        _ => return None,
    };
    let owned: Vec<&Pod> = cx.pods().owned_by(&set.metadata.uid).collect();
    let active: Vec<&Pod> = owned.iter().copied().filter(|pod| pods::is_active(pod)).collect();
    let condition = ReplicaSetCondition {
        type_: lit!("ReplicaFailure"),
        status: lit!("True"),
        reason: reason.into(),
        message: failure.message().clone(),
        last_transition_time: Some(time_of(cx.now)),
    };
    Some(observed(cx.now, set, &owned, &active, Some(condition)))
}

/// Creates what is missing or deletes what is too much.
fn scale(cx: &Cx<'_>, set: &ReplicaSet, owner: &dyn Resource, active: &[&Pod], plan: &mut Plan) {
    let want = usize::try_from(set.spec.replicas.unwrap_or(1)).unwrap_or(0);
    if active.len() < want {
        let missing = (want - active.len()).min(BURST_MAX);
        let pod = template::pod(&set.spec.template, owner);
        plan.slow_start((0..missing).map(|_| create(owner, pod.clone())).collect());
    }
    let surplus = active.len().saturating_sub(want).min(BURST_MAX);
    if surplus > 0 {
        let ranked = rank::deletion_order(active, &related(cx, set), cx.now);
        plan.batch(ranked.into_iter().take(surplus).map(|pod| delete(owner, pod)).collect());
    }
}

fn create(set: &dyn Resource, pod: Pod) -> Write {
    let mut write = Write::create(pod);
    write.said(Note::new(set, "Normal", "SuccessfulCreate", "Created pod: {name}"));
    write.or_said(Note::new(set, "Warning", "FailedCreate", "Error creating: {error}"));
    write
}

fn delete(set: &dyn Resource, pod: &Pod) -> Write {
    let mut write = Write::delete(pod, Default::default());
    let message = format!("Deleted pod: {}", pod.metadata.name);
    write.said(Note::new(set, "Normal", "SuccessfulDelete", message));
    write.or_said(Note::new(set, "Warning", "FailedDelete", "Error deleting: {error}"));
    write
}

/// The active pods of all sets of the same Deployment: a node that runs several of them gives one up first.
fn related<'a>(cx: &Cx<'a>, set: &'a ReplicaSet) -> Vec<&'a Pod> {
    let siblings: Vec<&ReplicaSet> = match controller_of(&set.metadata) {
        Some(owner) if claim::is_kind::<Deployment>(&owner.kind, &owner.api_version) => {
            cx.replica_sets().owned_by(&owner.uid).collect()
        }
        _ => vec![set],
    };
    let pods = siblings.into_iter().flat_map(|set| cx.pods().owned_by(&set.metadata.uid));
    pods.filter(|pod| pods::is_active(pod)).collect()
}

fn observed(
    now: Instant,
    set: &ReplicaSet,
    owned: &[&Pod],
    active: &[&Pod],
    failure: Option<ReplicaSetCondition>,
) -> ReplicaSetStatus {
    let labels = &set.spec.template.metadata.labels;
    let count = |test: &dyn Fn(&Pod) -> bool| active.iter().filter(|pod| test(pod)).count() as i32;
    let mut status = ReplicaSetStatus {
        replicas: active.len() as i32,
        fully_labeled_replicas: count(&|pod| {
            labels.iter().all(|(key, value)| pod.metadata.labels.text(key) == Some(value))
        }),
        ready_replicas: count(&pods::is_ready),
        available_replicas: count(&|pod| pods::is_available(pod, set.spec.min_ready_seconds, now)),
        terminating_replicas: Some(
            owned.iter().filter(|pod| pods::is_terminating(pod)).count() as i32
        ),
        observed_generation: set.metadata.generation,
        conditions: set.status.conditions.clone(),
    };
    match failure {
        None => status.conditions.retain(|condition| condition.type_ != "ReplicaFailure"),
        Some(condition) => {
            if status.conditions.iter().all(|known| known.type_ != condition.type_) {
                status.conditions.push(condition);
            }
        }
    }
    status
}

/// When the next ready pod becomes available, if all pods are ready.
fn next_available(now: Instant, set: &ReplicaSet, active: &[&Pod]) -> Option<Duration> {
    let min = set.spec.min_ready_seconds;
    active.iter().filter_map(|pod| pods::available_in(pod, min, now)).min()
}

#[cfg(test)]
mod tests;
