//! The StatefulSet controller: pods with names and volumes of their own, one after the other.
//!
//! Known deviations:
//! - A claim that lost its labels or owners is corrected only for the retention policy.
//! - `maxUnavailable` is followed where a set has it. The API server drops it, as v1.36 does, whose feature gate is off.

use std::sync::Arc;

use api::apps::v1::{ControllerRevision, StatefulSet, StatefulSetStatus};
use api::core::v1::{PersistentVolumeClaim, Pod, PodTemplateSpec};
use api::object::{Key, Kind, KindInfo};
use api::selector::Selector;
use base::{BTreeMap, Str};
use client::owner::selects;
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile, Write};

use crate::{claim, pods, revisions};

mod identity;
mod rollout;

/// The label of a revision's hash.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// The StatefulSet controller.
#[derive(Clone, Default)]
pub struct StatefulSets;

impl Reconcile for StatefulSets {
    fn name(&self) -> &'static str {
        "statefulset-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![StatefulSet::INFO, Pod::INFO, ControllerRevision::INFO, PersistentVolumeClaim::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<StatefulSet>() {
            queue.add(delta.key());
        } else if delta.is::<Pod>() {
            claim::owners_of::<StatefulSet>(cx, delta, queue, |set, meta| {
                identity::ordinal_in(set, &meta.name).is_some()
                    && Selector::of(&set.spec.selector).is_ok_and(|s| selects(&s, meta))
            });
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(set) = cx.stateful_sets().get(key) else { return Plan::settled() };
        let Ok(selector) = Selector::of(&set.spec.selector) else { return Plan::settled() };
        let claimed = claim::claim::<Pod>(cx, set, &selector);
        let mut plan = Plan::settled();
        let owned: Vec<&Pod> = claimed
            .owned
            .into_iter()
            .filter(|pod| identity::ordinal_in(set, &pod.metadata.name).is_some())
            .collect();
        plan.batch(claimed.writes);
        let history = revisions::history(cx.revisions().owned_by(&set.metadata.uid));
        let mut look = Look::new(cx, set, &history, plan);
        look.sort(&owned);
        if set.metadata.deletion_timestamp.is_none() {
            look.establish();
        }
        look.write_status();
        look.forget_history(&history, &owned);
        look.plan
    }
}

/// A revision as far as a look needs it.
#[derive(Clone)]
struct Revision {
    name: Str,
    template: PodTemplateSpec,
}

/// One look at one set.
struct Look<'a> {
    cx: Cx<'a>,
    set: &'a StatefulSet,
    current: Revision,
    update: Revision,
    /// Pods by ordinal within the wanted range.
    replicas: BTreeMap<i32, &'a Pod>,
    /// Pods beyond the wanted range, highest ordinal first.
    condemned: Vec<&'a Pod>,
    status: StatefulSetStatus,
    plan: Plan,
}

impl<'a> Look<'a> {
    fn new(
        cx: &Cx<'a>,
        set: &'a StatefulSet,
        history: &[&ControllerRevision],
        mut plan: Plan,
    ) -> Look<'a> {
        let collisions = set.status.collision_count.unwrap_or(0);
        let next = history.last().map_or(0, |last| last.revision) + 1;
        let data = revisions::data(&set.spec.template);
        let hash = revisions::hash_of(&data, collisions);
        let name: Str = format!("{}-{hash}", set.metadata.name).into();
        let equal = history.iter().rev().find(|revision| revision.data == data);
        let update = match equal {
            Some(known) => {
                if known.revision + 1 != next {
                    let mut new = (**known).clone();
                    new.revision = next;
                    plan.update(new);
                }
                known.metadata.name.clone()
            }
            None => {
                let revision = revisions::new(set, &set.spec.template, next, HASH_LABEL, &hash);
                plan.create(revision).or_exists();
                name
            }
        };
        let update = Revision { name: update, template: set.spec.template.clone() };
        let known =
            history.iter().find(|revision| revision.metadata.name == set.status.current_revision);
        let current = known.and_then(|known| {
            Some(Revision {
                name: known.metadata.name.clone(),
                template: revisions::template(known)?,
            })
        });
        let current = current.unwrap_or_else(|| update.clone());
        let status = StatefulSetStatus {
            observed_generation: set.metadata.generation,
            current_revision: current.name.clone(),
            update_revision: update.name.clone(),
            collision_count: Some(collisions),
            available_replicas: Some(0),
            conditions: set.status.conditions.clone(),
            ..StatefulSetStatus::default()
        };
        Look {
            cx: *cx,
            set,
            current,
            update,
            replicas: BTreeMap::new(),
            condemned: Vec::new(),
            status,
            plan,
        }
    }

    fn start(&self) -> i32 {
        self.set.spec.ordinals.as_ref().map_or(0, |ordinals| ordinals.start)
    }

    fn ordinals(&self) -> std::ops::Range<i32> {
        self.start()..self.start() + self.set.spec.replicas.unwrap_or(1)
    }

    fn in_order(&self) -> bool {
        self.set.spec.pod_management_policy != "Parallel"
    }

    /// Tells wanted pods from surplus ones and counts them all.
    fn sort(&mut self, owned: &[&'a Pod]) {
        let wanted = self.ordinals();
        let mut condemned = BTreeMap::new();
        for &pod in owned {
            let Some(ordinal) = identity::ordinal_in(self.set, &pod.metadata.name) else {
                continue;
            };
            if wanted.contains(&ordinal) {
                self.replicas.insert(ordinal, pod);
            } else {
                condemned.insert(ordinal, pod);
            }
            self.count(pod);
        }
        self.condemned = condemned.into_values().rev().collect();
    }

    fn count(&mut self, pod: &Pod) {
        self.status.replicas += 1;
        if self.is_ready(pod) {
            self.status.ready_replicas += 1;
            if pods::is_available(pod, self.set.spec.min_ready_seconds, self.cx.now) {
                *self.status.available_replicas.get_or_insert_default() += 1;
            }
        }
        if pod.metadata.deletion_timestamp.is_none() {
            self.count_revision(identity::revision_of(pod).unwrap_or(""), 1);
        }
    }

    fn count_revision(&mut self, revision: &str, by: i32) {
        if revision == self.current.name {
            self.status.current_replicas += by;
        }
        if revision == self.update.name {
            self.status.updated_replicas += by;
        }
    }

    fn is_ready(&self, pod: &Pod) -> bool {
        pod.status.phase == "Running" && pods::is_ready(pod)
    }

    /// Ready for long enough, and staying.
    fn is_healthy(&mut self, pod: &Pod) -> bool {
        let min = self.set.spec.min_ready_seconds;
        if let Some(wait) = pods::available_in(pod, min, self.cx.now) {
            self.plan.again(wait);
        }
        self.is_ready(pod)
            && pods::is_available(pod, min, self.cx.now)
            && pod.metadata.deletion_timestamp.is_none()
    }

    /// Creates missing pods, then removes surplus ones, then replaces outdated ones.
    fn establish(&mut self) {
        for ordinal in self.ordinals() {
            let Some(pod) = self.replicas.get(&ordinal).copied() else {
                self.create(ordinal);
                if self.in_order() {
                    return;
                }
                continue;
            };
            if pods::is_terminal(pod) {
                if pod.metadata.deletion_timestamp.is_none() {
                    self.recreate(pod);
                }
                // It is created anew once it is gone; only where order counts do the others wait for that.
                if self.in_order() {
                    return;
                }
                continue;
            }
            self.keep_identity(pod, ordinal);
            self.keep_claims(pod, ordinal);
            if !self.is_healthy(pod) && self.in_order() {
                return;
            }
        }
        if self.remove_condemned() && self.set.spec.update_strategy.type_ != "OnDelete" {
            self.roll();
        }
    }

    /// Removes surplus pods, highest first; false if the rest has to wait.
    fn remove_condemned(&mut self) -> bool {
        let condemned = std::mem::take(&mut self.condemned);
        let replicas: Vec<&Pod> = self.replicas.values().copied().collect();
        let mut unhealthy = None;
        for pod in replicas.into_iter().chain(condemned.iter().rev().copied()) {
            if unhealthy.is_none() && !self.is_healthy(pod) {
                unhealthy = Some(&pod.metadata.name);
            }
        }
        let mut is_done = true;
        for pod in condemned {
            if pod.metadata.deletion_timestamp.is_some() {
                if self.in_order() {
                    return false;
                }
                continue;
            }
            let blocked = !self.is_healthy(pod) && unhealthy != Some(&pod.metadata.name);
            if blocked && self.in_order() {
                return false;
            }
            self.release_claims(pod);
            self.delete(pod);
            is_done = false;
            if self.in_order() {
                return false;
            }
        }
        is_done
    }

    fn recreate(&mut self, pod: &Pod) {
        let set = Key::of(&self.set.metadata);
        let name = &pod.metadata.name;
        if pod.status.phase == "Failed" {
            let message = format!("StatefulSet {set} is recreating failed Pod {name}");
            self.plan.event(self.set, "Warning", "RecreatingFailedPod", message);
        } else {
            let message = format!("StatefulSet {set} is recreating terminated Pod {name}");
            self.plan.event(self.set, "Normal", "RecreatingTerminatedPod", message);
        }
        self.delete(pod);
    }

    fn create(&mut self, ordinal: i32) {
        let revision = self.revision_for(ordinal);
        let pod = identity::pod(self.set, &revision.template, &revision.name, ordinal);
        for claim in identity::claims(self.set, ordinal) {
            self.create_claim(claim, &pod.metadata.name);
        }
        let (name, set) = (pod.metadata.name.clone(), &self.set.metadata.name);
        let mut write = Write::create(pod);
        let message = format!("Create Pod {name} in StatefulSet {set} successful");
        write.said(Note::new(self.set, "Normal", "SuccessfulCreate", message));
        let message = format!("Create Pod {name} in StatefulSet {set} failed error: {{error}}");
        write.or_said(Note::new(self.set, "Warning", "FailedCreate", message));
        // The status counts it once the cache shows it.
        self.plan.batch(vec![write]);
    }

    fn create_claim(&mut self, claim: PersistentVolumeClaim, pod: &str) {
        if self.cx.claims().get(&Key::of(&claim.metadata)).is_some() {
            return;
        }
        let (name, set) = (claim.metadata.name.clone(), &self.set.metadata.name);
        let mut write = Write::create(claim);
        let message = format!("Create Claim {name} Pod {pod} in StatefulSet {set} success");
        write.said(Note::new(self.set, "Normal", "SuccessfulCreate", message));
        let message = format!(
            "Create Claim {name} for Pod {pod} in StatefulSet {set} failed error: {{error}}"
        );
        write.or_said(Note::new(self.set, "Warning", "FailedCreate", message));
        write.or_exists();
        self.plan.batch(vec![write]);
    }

    fn delete(&mut self, pod: &Pod) {
        let (name, set) = (&pod.metadata.name, &self.set.metadata.name);
        let mut write = Write::delete(pod, Default::default());
        let message = format!("Delete Pod {name} in StatefulSet {set} successful");
        write.said(Note::new(self.set, "Normal", "SuccessfulDelete", message));
        let message = format!("Delete Pod {name} in StatefulSet {set} failed error: {{error}}");
        write.or_said(Note::new(self.set, "Warning", "FailedDelete", message));
        self.plan.batch(vec![write]);
        self.count_revision(identity::revision_of(pod).unwrap_or(""), -1);
    }

    fn write_status(&mut self) {
        self.complete_rollout();
        if *self.set.status != self.status {
            let mut new = self.set.clone();
            new.status = Arc::new(self.status.clone());
            self.plan.status(new);
        }
    }

    fn forget_history(&mut self, history: &[&ControllerRevision], owned: &[&Pod]) {
        let live = |revision: &ControllerRevision| {
            let name = &revision.metadata.name;
            *name == self.current.name
                || *name == self.update.name
                || owned.iter().any(|pod| identity::revision_of(pod) == Some(name))
        };
        let surplus = revisions::surplus(history, self.set.spec.revision_history_limit, live);
        let writes =
            surplus.into_iter().map(|revision| Write::delete(revision, Default::default()));
        self.plan.batch(writes.collect());
    }
}

#[cfg(test)]
mod tests;
