//! The two ways from old pods to new ones: rolling over, and all at once.

use api::apps::v1::ReplicaSet;
use client::Write;

use super::{Rollout, annotations, oldest_first, replicas, status};
use crate::pods;

impl Rollout<'_> {
    /// A rolling update: up with the new and down with the old, within surge and shortfall.
    pub(super) fn roll(&mut self) {
        self.tell_apart(true);
        if self.given_up {
            return;
        }
        if self.grow_new() || self.shrink_old() {
            return self.write_rollout_status();
        }
        if status::is_complete(&self.deployment, &self.deployment.status) {
            self.clean_up();
        }
        self.write_rollout_status();
    }

    /// Recreate: new pods only when the last old one is gone.
    pub(super) fn recreate(&mut self) {
        self.tell_apart(false);
        let mut shrunk = false;
        for at in 0..self.old.len() {
            if replicas(&self.old[at]) > 0 {
                self.resize_old(at, 0);
                shrunk = true;
            }
        }
        if shrunk || self.old_pods_run() {
            return self.write_rollout_status();
        }
        self.create_missing();
        if self.given_up {
            return;
        }
        let want = self.want();
        self.resize_new(want);
        if status::is_complete(&self.deployment, &self.deployment.status) {
            self.clean_up();
        }
        self.write_rollout_status();
    }

    fn old_pods_run(&self) -> bool {
        self.old.iter().any(|set| set.status.replicas > 0)
            || self.old.iter().any(|set| {
                self.cx.pods().owned_by(&set.metadata.uid).any(|pod| !pods::is_terminal(pod))
            })
    }

    fn grow_new(&mut self) -> bool {
        let Some(have) = self.new.as_ref().map(replicas) else { return false };
        let want = self.want();
        let size = if have >= want { want } else { self.new_count(have) };
        have != want && self.resize_new(size)
    }

    fn shrink_old(&mut self) -> bool {
        let old: i32 = self.old.iter().map(replicas).sum();
        if old == 0 {
            return false;
        }
        let floor = self.want() - self.unavailable_max();
        let new_unavailable =
            self.new.as_ref().map_or(0, |set| replicas(set) - set.status.available_replicas);
        let most = self.total() - floor - new_unavailable;
        if most <= 0 {
            return false;
        }
        oldest_first(&mut self.old);
        let unhealthy = self.shrink_unhealthy(most);
        unhealthy + self.shrink_healthy(floor) > 0
    }

    /// Old pods that are not available go first: they are of no use anyway.
    fn shrink_unhealthy(&mut self, most: i32) -> i32 {
        let mut total = 0;
        for at in 0..self.old.len() {
            let set = &self.old[at];
            let useless = replicas(set) - set.status.available_replicas;
            if total >= most || replicas(set) == 0 || useless <= 0 {
                continue;
            }
            let down = useless.min(most - total);
            let size = replicas(set) - down;
            self.resize_old(at, size);
            total += down;
        }
        total
    }

    fn shrink_healthy(&mut self, floor: i32) -> i32 {
        let available: i32 =
            self.new.iter().chain(&self.old).map(|set| set.status.available_replicas).sum();
        let most = available - floor;
        let mut total = 0;
        for at in 0..self.old.len() {
            let have = replicas(&self.old[at]);
            if total >= most || have == 0 {
                continue;
            }
            let down = have.min(most - total);
            self.resize_old(at, have - down);
            total += down;
        }
        total
    }

    /// Deletes old sets beyond the history limit, lowest revision first.
    pub(super) fn clean_up(&mut self) {
        let Some(limit) = self.deployment.spec.revision_history_limit else { return };
        let alive = |set: &&ReplicaSet| set.metadata.deletion_timestamp.is_none();
        let mut sets: Vec<&ReplicaSet> = self.old.iter().filter(alive).collect();
        let limit = usize::try_from(limit).unwrap_or(0);
        let Some(surplus) = sets.len().checked_sub(limit).filter(|surplus| *surplus > 0) else {
            return;
        };
        base::sort::by_key(&mut sets, |set| {
            (annotations::revision(set), set.metadata.creation_timestamp)
        });
        let unused = sets.into_iter().take(surplus).filter(|set| {
            set.status.replicas == 0
                && replicas(set) == 0
                && set.metadata.generation <= set.status.observed_generation
        });
        let writes = unused.map(|set| Write::delete(set, Default::default())).collect();
        self.plan.batch(writes);
    }
}
