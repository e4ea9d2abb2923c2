//! The cluster autoscaler: adds machines for pods that fit nowhere, and removes machines that are hardly used.
//!
//! Known deviations:
//! - Of several groups the one grows that least would be left idle of, as the expander `least-waste` has it; among
//!   equals it is the first by name, where upstream draws. Similar groups are not balanced, and price plays no part.
//! - Where pods fit is judged by names, labels, taints, ports, resources, and by anti-affinity and hard spreading
//!   among the pods of one node; affinity to other pods, volumes and wider topologies are taken to fit.
//! - The ConfigMap `cluster-autoscaler-status` is not written, though events are about it.
//! - A group grows although many of its nodes are not ready, and machines that never became nodes are called by the
//!   names their nodes would have, not by their provider IDs.
//! - Unneeded nodes are not marked with the soft taint `DeletionCandidateOfClusterAutoscaler`.

mod down;
mod drain;
mod missing;
mod room;
#[cfg(test)]
mod tests;
mod up;

use std::collections::VecDeque;

use api::apps::v1::DaemonSet;
use api::core::v1::{Node, ObjectReference, Pod};
use api::object::{Key, Kind, KindInfo};
use api::policy::v1::PodDisruptionBudget;
use base::{BTreeMap, Duration, Instant, Str, lit};
use client::cloud::{CloudAnswer, CloudError, CloudRequest, GroupFacts};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile};

use missing::{Growing, Rest};

/// The cluster autoscaler. Its one key stands for a round.
#[derive(Clone, Default)]
pub struct Autoscaler {
    /// Nodes that could be done without, and since when.
    unneeded: BTreeMap<Str, Instant>,
    /// Nodes that are being removed.
    leaving: BTreeMap<Str, Leaving>,
    /// When a group last grew.
    grown: Option<Instant>,
    /// When a removal last failed.
    failed: Option<Instant>,
    /// What was said of pods that no machine helps, and when.
    said: BTreeMap<Key, (Str, Instant)>,
    /// Machines that are no nodes, and since when.
    missing: BTreeMap<Str, Instant>,
    /// Groups that were told to grow and do not have all their nodes yet.
    growing: BTreeMap<Str, Growing>,
    /// Groups that failed to grow lately.
    rests: BTreeMap<Str, Rest>,
    /// What follows once the provider has done what it was asked, in the order of asking.
    after: VecDeque<After>,
}

/// What follows once the provider has done what it was asked.
#[derive(Clone, Debug)]
struct After {
    /// What to say.
    notes: Vec<Note>,
    /// The group that was to grow, if that was it.
    grown: Option<Str>,
}

/// A node that is being removed.
#[derive(Clone, Debug)]
struct Leaving {
    since: Instant,
    /// It had no pods to move.
    empty: bool,
    /// The provider was asked to take its machine away.
    handed_over: bool,
}

/// Between two rounds.
const PERIOD: Duration = Duration::secs(10);

impl Reconcile for Autoscaler {
    fn name(&self) -> &'static str {
        "cluster-autoscaler"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Node::INFO, Pod::INFO, PodDisruptionBudget::INFO, DaemonSet::INFO]
    }

    fn reset(&mut self) {
        *self = Autoscaler::default();
    }

    fn backoff(&self) -> (Duration, Duration) {
        (PERIOD, PERIOD)
    }

    fn resync(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn on_start(&mut self, _: &Cx<'_>, queue: &mut Enqueue) {
        queue.named("", "round");
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, _: &mut Enqueue) {
        if delta.deleted() {
            match delta.is::<Node>() {
                true => {
                    self.leaving.remove(&delta.meta().name);
                }
                false => {
                    self.said.remove(&delta.key());
                }
            }
        }
    }

    fn reconcile(&mut self, _: &Cx<'_>, _: &Key) -> Plan {
        self.after.clear();
        let mut plan = Plan::settled();
        plan.ask(CloudRequest::Groups);
        plan
    }

    fn answered(&mut self, cx: &Cx<'_>, _: &Key, answer: CloudAnswer) -> Plan {
        match answer {
            CloudAnswer::Groups(groups) => self.round(cx, &groups),
            _ => {
                let mut plan = Plan::settled();
                if let Some(After { notes, grown }) = self.after.pop_front() {
                    notes.into_iter().for_each(|note| plan.note(note));
                    grown.into_iter().for_each(|group| self.growth_begins(cx.now, group));
                }
                plan
            }
        }
    }

    fn refused(&mut self, cx: &Cx<'_>, _: &Key, _: &CloudError) -> Plan {
        let refused = self.after.pop_front();
        if let Some(group) = refused.and_then(|after| after.grown) {
            self.growth_failed(cx.now, group);
        }
        Plan::settled()
    }
}

impl Autoscaler {
    fn round(&mut self, cx: &Cx<'_>, groups: &[GroupFacts]) -> Plan {
        let mut plan = Plan::settled();
        self.give_up(cx, groups, &mut plan);
        self.let_go(cx, groups, &mut plan);
        if !self.grow(cx, groups, &mut plan) {
            self.shrink(cx, groups, &mut plan);
        }
        plan
    }
}

/// Something to say of the autoscaler as a whole.
fn status_note(type_: &'static str, reason: &'static str, message: String) -> Note {
    Note {
        about: ObjectReference {
            api_version: lit!("v1"),
            kind: lit!("ConfigMap"),
            namespace: lit!("kube-system"),
            name: lit!("cluster-autoscaler-status"),
            ..ObjectReference::default()
        },
        type_: type_.into(),
        reason: reason.into(),
        message: message.into(),
    }
}

/// Whether the pod has ended.
fn has_ended(pod: &Pod) -> bool {
    matches!(&*pod.status.phase, "Succeeded" | "Failed")
}
