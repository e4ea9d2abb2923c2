//! The Deployment controller: rolls ReplicaSets over from one pod template to the next.
//!
//! Known deviations:
//! - The rollback annotation of extensions/v1beta1 is ignored.

use std::sync::Arc;

use api::apps::v1::{Deployment, DeploymentCondition, ReplicaSet};
use api::core::v1::Pod;
use api::object::{Key, Kind, KindInfo};
use api::selector::Selector;
use api::wire::{Verb, time_of};
use base::{Duration, Instant, Str, lit};
use client::owner::{controller_of, selects};
use client::{Cx, Delta, Enqueue, Failure, Plan, Reconcile};

use crate::claim;

mod annotations;
mod new_set;
mod rollout;
mod scale;
mod status;

/// The Deployment controller.
#[derive(Clone, Default)]
pub struct Deployments;

impl Reconcile for Deployments {
    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Deployment::INFO, ReplicaSet::INFO, Pod::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<Deployment>() {
            queue.add(delta.key());
        } else if delta.is::<ReplicaSet>() {
            claim::owners_of::<Deployment>(cx, delta, queue, |deployment, meta| {
                Selector::of(&deployment.spec.selector).is_ok_and(|s| selects(&s, meta))
            });
        } else if delta.deleted() {
            pod_went(cx, delta, queue);
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(deployment) = cx.deployments().get(key) else { return Plan::settled() };
        let Ok(selector) = Selector::of(&deployment.spec.selector) else { return Plan::settled() };
        let mut plan = Plan::settled();
        if selector.is_everything() {
            let message =
                "This deployment is selecting all pods. A non-empty selector is required.";
            plan.event(deployment, "Warning", "SelectingAll", message);
            if deployment.status.observed_generation < deployment.metadata.generation {
                let mut new = deployment.clone();
                Arc::make_mut(&mut new.status).observed_generation = deployment.metadata.generation;
                plan.status(new);
            }
            return plan;
        }
        let claimed = claim::claim::<ReplicaSet>(cx, deployment, &selector);
        plan.batch(claimed.writes);
        let sets = claimed.owned.into_iter().cloned().collect();
        let mut rollout = Rollout {
            cx: *cx,
            deployment: deployment.clone(),
            sets,
            new: None,
            old: Vec::new(),
            plan,
            given_up: false,
        };
        rollout.sync();
        rollout.plan
    }

    fn failed(&mut self, cx: &Cx<'_>, key: &Key, failure: &Failure) -> Plan {
        let Some(deployment) = cx.deployments().get(key) else { return Plan::settled() };
        match &failure.request.verb {
            Verb::Create(object) if object.get::<ReplicaSet>().is_some() => {
                new_set::creation_failed(cx, deployment, object.name(), failure)
            }
            _ => Plan::settled(),
        }
    }
}

/// A Recreate rollout waits for the last old pod to go.
fn pod_went(cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
    let meta = delta.meta();
    let Some(set) = controller_of(meta).filter(|owner| owner.kind == "ReplicaSet") else { return };
    let set = cx.replica_sets().named(&meta.namespace, &set.name);
    let Some(owner) = set.and_then(|set| controller_of(&set.metadata)) else { return };
    let deployment = cx.deployments().named(&meta.namespace, &owner.name);
    if deployment.is_some_and(|deployment| deployment.spec.strategy.type_ == "Recreate") {
        queue.named(meta.namespace.clone(), owner.name.clone());
    }
}

/// One look at one Deployment: working copies of it and of its sets, changed along with the plan.
struct Rollout<'a> {
    cx: Cx<'a>,
    deployment: Deployment,
    /// All its sets, until they are told apart.
    sets: Vec<ReplicaSet>,
    /// The set of the present template.
    new: Option<ReplicaSet>,
    /// All other sets.
    old: Vec<ReplicaSet>,
    plan: Plan,
    /// Nothing more can be done before the plan is carried out.
    given_up: bool,
}

impl Rollout<'_> {
    fn now(&self) -> Instant {
        self.cx.now
    }

    fn want(&self) -> i32 {
        self.deployment.spec.replicas.unwrap_or(1)
    }

    fn sync(&mut self) {
        if self.deployment.metadata.deletion_timestamp.is_some() {
            self.tell_apart(false);
            return self.write_status();
        }
        self.note_pause();
        if self.deployment.spec.paused {
            return self.sync_sizes();
        }
        if self.is_resized() {
            return self.sync_sizes();
        }
        match &*self.deployment.spec.strategy.type_ {
            "Recreate" => self.recreate(),
            _ => self.roll(),
        }
    }

    /// Follows a change of the replica count, without rolling out a new template.
    fn sync_sizes(&mut self) {
        self.tell_apart(false);
        self.scale();
        if self.deployment.spec.paused {
            self.clean_up();
        }
        self.write_status();
    }

    /// Whether an active set still follows another replica count.
    fn is_resized(&self) -> bool {
        let want = self.want();
        self.sets.iter().filter(|set| replicas(set) > 0).any(|set| {
            annotations::number(set, annotations::DESIRED).is_some_and(|desired| desired != want)
        })
    }

    /// Shows in the Progressing condition that the rollout was paused or resumed.
    fn note_pause(&mut self) {
        if !status::has_deadline(&self.deployment) {
            return;
        }
        let known = condition(&self.deployment, "Progressing").map(|known| known.reason.clone());
        if known.as_deref() == Some("ProgressDeadlineExceeded") {
            return;
        }
        let was_paused = known.as_deref() == Some("DeploymentPaused");
        let (reason, message) = match (self.deployment.spec.paused, was_paused) {
            (true, false) => ("DeploymentPaused", "Deployment is paused"),
            (false, true) => ("DeploymentResumed", "Deployment is resumed"),
            _ => return,
        };
        self.set_condition("Progressing", "Unknown", reason, message.into());
        self.plan.status(self.deployment.clone());
    }

    fn set_condition(
        &mut self,
        type_: &'static str,
        status: &'static str,
        reason: &'static str,
        message: Str,
    ) {
        let at = self.now();
        let conditions = &mut Arc::make_mut(&mut self.deployment.status).conditions;
        set_condition(conditions, new_condition(at, type_, status, reason, message));
    }
}

/// The replicas asked of a set.
fn replicas(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

fn condition<'a>(deployment: &'a Deployment, type_: &str) -> Option<&'a DeploymentCondition> {
    deployment.status.conditions.iter().find(|condition| condition.type_ == type_)
}

fn new_condition(
    at: Instant,
    type_: &'static str,
    status: &'static str,
    reason: &'static str,
    message: Str,
) -> DeploymentCondition {
    DeploymentCondition {
        type_: type_.into(),
        status: status.into(),
        reason: reason.into(),
        message,
        last_update_time: Some(time_of(at)),
        last_transition_time: Some(time_of(at)),
    }
}

/// Adds or replaces a condition, unless status and reason are what they were.
fn set_condition(conditions: &mut base::List<DeploymentCondition>, mut new: DeploymentCondition) {
    if let Some(known) = conditions.iter().find(|known| known.type_ == new.type_) {
        if known.status == new.status && known.reason == new.reason {
            return;
        }
        if known.status == new.status {
            new.last_transition_time = known.last_transition_time;
        }
    }
    conditions.retain(|known| known.type_ != new.type_);
    conditions.push(new);
}

/// The sets in the order of their creation, oldest first.
fn oldest_first(sets: &mut [ReplicaSet]) {
    base::sort::by(sets, |a, b| {
        let (a, b) = (&a.metadata, &b.metadata);
        (a.creation_timestamp, &a.name).cmp(&(b.creation_timestamp, &b.name))
    });
}

/// The label that tells the pods of one template from those of another.
const HASH_LABEL: Str = lit!("pod-template-hash");

/// Long enough that a rollout's deadline has passed for certain.
const SECOND: Duration = Duration::secs(1);

#[cfg(test)]
mod tests;
