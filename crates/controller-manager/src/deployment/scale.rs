//! Sizes: surge and shortfall, proportional scaling, and the write that resizes a set.

use std::sync::Arc;

use api::apps::v1::{Deployment, ReplicaSet};
use base::BTreeMap;
use client::Note;

use super::{Rollout, annotations, replicas};

/// How many pods a rolling update may have above and below the count asked for; at least one of them is not 0.
pub(super) fn fenceposts(deployment: &Deployment) -> (i32, i32) {
    let want = i64::from(deployment.spec.replicas.unwrap_or(1));
    if deployment.spec.strategy.type_ == "Recreate" {
        return (0, 0);
    }
    let rolling = deployment.spec.strategy.rolling_update.as_deref();
    let surge = rolling.and_then(|rolling| rolling.max_surge.as_ref());
    let unavailable = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
    let surge = surge.and_then(|value| value.scaled(want, true).ok()).unwrap_or(0);
    let unavailable = unavailable.and_then(|value| value.scaled(want, false).ok()).unwrap_or(0);
    if surge == 0 && unavailable == 0 {
        return (0, 1);
    }
    (surge as i32, unavailable as i32)
}

impl Rollout<'_> {
    pub(super) fn surge(&self) -> i32 {
        fenceposts(&self.deployment).0
    }

    pub(super) fn unavailable_max(&self) -> i32 {
        let want = self.want();
        if want == 0 { 0 } else { fenceposts(&self.deployment).1.min(want) }
    }

    /// The replicas asked of all sets together.
    pub(super) fn total(&self) -> i32 {
        self.new.iter().chain(&self.old).map(replicas).sum()
    }

    /// How many replicas the new set, which has `have`, may have now.
    pub(super) fn new_count(&self, have: i32) -> i32 {
        let want = self.want();
        if self.deployment.spec.strategy.type_ == "Recreate" {
            return want;
        }
        let room = want + self.surge() - self.total();
        if room <= 0 { have } else { have + room.min(want - have) }
    }

    /// Spreads a changed replica count over the sets.
    pub(super) fn scale(&mut self) {
        let want = self.want();
        let active = self.old.iter().chain(&self.new).filter(|set| replicas(set) > 0).count();
        if active <= 1 {
            return self.scale_the_only(want);
        }
        let saturated = self.new.as_ref().is_some_and(|set| {
            replicas(set) == want
                && annotations::number(set, annotations::DESIRED) == Some(want)
                && set.status.available_replicas == want
        });
        if saturated {
            for at in 0..self.old.len() {
                if replicas(&self.old[at]) > 0 {
                    self.resize_old(at, 0);
                }
            }
        } else if self.deployment.spec.strategy.type_ != "Recreate" {
            self.scale_in_proportion();
        }
    }

    /// Resizes the one active set or, if none is, the newest.
    fn scale_the_only(&mut self, want: i32) {
        let only = self.old.iter().position(|set| replicas(set) > 0);
        if self.new.is_some() && only.is_none() {
            if self.new.as_ref().is_some_and(|set| replicas(set) != want) {
                self.resize_new(want);
            }
        } else if let Some(at) = only.or_else(|| self.old.len().checked_sub(1))
            && replicas(&self.old[at]) != want
        {
            self.resize_old(at, want);
        }
    }

    fn scale_in_proportion(&mut self) {
        let want = self.want();
        let allowed = if want > 0 { want + self.surge() } else { 0 };
        let mut active: Vec<ReplicaSet> =
            self.old.iter().chain(&self.new).filter(|set| replicas(set) > 0).cloned().collect();
        let to_add = allowed - active.iter().map(replicas).sum::<i32>();
        base::sort::by(&mut active, |a, b| {
            let age = (a.metadata.creation_timestamp, &a.metadata.name);
            let age = age.cmp(&(b.metadata.creation_timestamp, &b.metadata.name));
            // Of equals the newer grows first and the older shrinks first.
            replicas(b).cmp(&replicas(a)).then(if to_add > 0 { age.reverse() } else { age })
        });
        let mut added = 0;
        let mut sizes = BTreeMap::new();
        for set in &active {
            let share = proportion(set, &self.deployment, self.surge(), to_add, added);
            added += share;
            sizes.insert(set.metadata.name.clone(), replicas(set) + share);
        }
        if let Some(first) = active.first()
            && let Some(size) = sizes.get_mut(&first.metadata.name)
        {
            *size = (*size + to_add - added).max(0);
        }
        for set in &active {
            let size = sizes[&set.metadata.name];
            match self.old.iter().position(|old| old.metadata.name == set.metadata.name) {
                Some(at) => self.resize_old(at, size),
                None => drop(self.resize_new(size)),
            }
        }
    }

    /// Resizes the new set; true if its size changed.
    pub(super) fn resize_new(&mut self, size: i32) -> bool {
        let Some(mut set) = self.new.take() else { return false };
        let changed = self.resize(&mut set, size);
        self.new = Some(set);
        changed
    }

    /// Resizes an old set.
    pub(super) fn resize_old(&mut self, at: usize, size: i32) {
        let mut set = std::mem::take(&mut self.old[at]);
        self.resize(&mut set, size);
        self.old[at] = set;
    }

    fn resize(&mut self, set: &mut ReplicaSet, size: i32) -> bool {
        let (want, max) = (self.want(), self.want() + self.surge());
        let before = replicas(set);
        let renamed = annotations::set_counts(set, want, max);
        if before == size && !renamed {
            return false;
        }
        Arc::make_mut(&mut set.spec).replicas = Some(size);
        let name = &set.metadata.name;
        let write = self.plan.update(set.clone());
        if before != size {
            let way = if size > before { "up" } else { "down" };
            let message = format!("Scaled {way} replica set {name} from {before} to {size}");
            write.said(Note::new(&self.deployment, "Normal", "ScalingReplicaSet", message));
        }
        before != size
    }
}

/// The set's share of what is left to add or to take away.
fn proportion(
    set: &ReplicaSet,
    deployment: &Deployment,
    surge: i32,
    to_add: i32,
    added: i32,
) -> i32 {
    if replicas(set) == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let (share, left) = (fraction(set, deployment, surge), to_add - added);
    if to_add > 0 { share.min(left) } else { share.max(left) }
}

fn fraction(set: &ReplicaSet, deployment: &Deployment, surge: i32) -> i32 {
    let want = deployment.spec.replicas.unwrap_or(1);
    if want == 0 {
        return -replicas(set);
    }
    let before = annotations::number(set, annotations::MAX)
        .filter(|max| *max != 0)
        .unwrap_or(deployment.status.replicas);
    if before == 0 {
        return 0;
    }
    let scaled = f64::from(replicas(set)) * f64::from(want + surge) / f64::from(before);
    scaled.round() as i32 - replicas(set)
}
