//! Rolling updates of StatefulSets: from the highest ordinal down to the partition.

use api::core::v1::Pod;

use super::{Look, Revision, identity};
use crate::pods;

impl Look<'_> {
    /// The first ordinal that is updated.
    fn partition(&self) -> i32 {
        let rolling = self.set.spec.update_strategy.rolling_update.as_ref();
        self.start() + rolling.and_then(|rolling| rolling.partition).unwrap_or(0)
    }

    fn unavailable_max(&self) -> i32 {
        let rolling = self.set.spec.update_strategy.rolling_update.as_ref();
        let max = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
        let replicas = i64::from(self.set.spec.replicas.unwrap_or(1));
        let max = max.and_then(|max| max.scaled(replicas, false).ok()).unwrap_or(1);
        max.max(1) as i32
    }

    /// The revision that a new pod of this ordinal gets.
    pub(super) fn revision_for(&self, ordinal: i32) -> Revision {
        let rolls = self.set.spec.update_strategy.type_ != "OnDelete";
        let strategy = &self.set.spec.update_strategy;
        let keeps = match &strategy.rolling_update {
            None => ordinal < self.start() + self.set.status.current_replicas,
            Some(_) => ordinal < self.partition(),
        };
        if rolls && keeps { self.current.clone() } else { self.update.clone() }
    }

    /// Replaces outdated pods, as many at once as may be missing.
    pub(super) fn roll(&mut self) {
        let partition = self.partition();
        let max = self.unavailable_max();
        let replicas: Vec<(i32, &Pod)> = self.replicas.iter().map(|(n, pod)| (*n, *pod)).collect();
        if max == 1 {
            for (ordinal, pod) in replicas.into_iter().rev() {
                if ordinal < partition {
                    return;
                }
                if self.is_outdated(pod) {
                    return self.delete(pod);
                }
                if !self.is_healthy(pod) {
                    return;
                }
            }
            return;
        }
        let unhealthy: Vec<bool> = replicas.iter().map(|(_, pod)| !self.is_healthy(pod)).collect();
        let mut left = max - unhealthy.iter().filter(|unhealthy| **unhealthy).count() as i32;
        let old: Vec<(&Pod, bool)> = replicas
            .into_iter()
            .zip(unhealthy)
            .rev()
            .filter(|((ordinal, pod), _)| *ordinal >= partition && self.is_outdated(pod))
            .map(|((_, pod), unhealthy)| (pod, unhealthy))
            .collect();
        let parallel = !self.in_order();
        // What does not work cannot get worse: where order does not count it is replaced first and at once.
        for (pod, _) in old.iter().filter(|(_, unhealthy)| parallel && *unhealthy) {
            self.delete(pod);
        }
        for (pod, _) in old.iter().filter(|(_, unhealthy)| !(parallel && *unhealthy)) {
            if left > 0 {
                self.delete(pod);
                left -= 1;
            }
        }
    }

    /// Whether a rollout replaces this pod. One that has ended is made anew in any case.
    fn is_outdated(&self, pod: &Pod) -> bool {
        pod.metadata.deletion_timestamp.is_none()
            && !pods::is_terminal(pod)
            && identity::revision_of(pod) != Some(&*self.update.name)
    }

    /// Once all pods have it and are ready, the new revision is the current one.
    pub(super) fn complete_rollout(&mut self) {
        let status = &mut self.status;
        let done = self.set.spec.update_strategy.type_ != "OnDelete"
            && status.current_revision != status.update_revision
            && status.updated_replicas == status.replicas
            && status.ready_replicas == status.replicas
            && status.replicas == self.set.spec.replicas.unwrap_or(1);
        if done {
            status.current_replicas = status.updated_replicas;
            status.current_revision = status.update_revision.clone();
        }
    }
}
