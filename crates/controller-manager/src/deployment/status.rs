//! The status of a Deployment: counts, availability and progress.

use std::sync::Arc;

use api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use base::{Duration, Str};

use super::{Rollout, SECOND, condition, new_condition, replicas, set_condition};

/// Whether the Deployment limits how long it may stand still.
pub(super) fn has_deadline(deployment: &Deployment) -> bool {
    deployment.spec.progress_deadline_seconds.is_some_and(|seconds| seconds != i32::MAX)
}

/// Whether all pods are new and available, and no others are left.
pub(super) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let want = deployment.spec.replicas.unwrap_or(1);
    status.updated_replicas == want
        && status.replicas == want
        && status.available_replicas == want
        && status.observed_generation >= deployment.metadata.generation
}

fn has_progressed(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    new.updated_replicas > old.updated_replicas
        || new.replicas - new.updated_replicas < old.replicas - old.updated_replicas
        || new.ready_replicas > old.ready_replicas
        || new.available_replicas > old.available_replicas
}

impl Rollout<'_> {
    /// Writes the counts, if they changed.
    pub(super) fn write_status(&mut self) {
        let status = self.observed();
        self.store(status);
    }

    /// Writes the counts and how the rollout gets on.
    pub(super) fn write_rollout_status(&mut self) {
        let mut status = self.observed();
        if !has_deadline(&self.deployment) {
            status.conditions.retain(|condition| condition.type_ != "Progressing");
        }
        let known = condition(&self.deployment, "Progressing").cloned();
        let finished = status.replicas == status.updated_replicas
            && known.as_ref().is_some_and(|known| known.reason == "NewReplicaSetAvailable");
        if has_deadline(&self.deployment) && !finished {
            self.judge_progress(&mut status, known);
        }
        match self.set_failure() {
            Some(failure) => set_condition(&mut status.conditions, failure),
            None => status.conditions.retain(|known| known.type_ != "ReplicaFailure"),
        }
        self.look_again(&status);
        self.store(status);
    }

    fn judge_progress(&self, status: &mut DeploymentStatus, known: Option<DeploymentCondition>) {
        let set = |status: &mut DeploymentStatus, value, reason, end: &str| {
            let message = self.subject(end);
            let new = new_condition(self.cx.now, "Progressing", value, reason, message);
            set_condition(&mut status.conditions, new);
        };
        if is_complete(&self.deployment, status) {
            set(status, "True", "NewReplicaSetAvailable", "has successfully progressed.");
        } else if has_progressed(&self.deployment.status, status) {
            // Taken out first, so that the time of this progress is noted even if the reason stays.
            status.conditions.retain(|condition| condition.type_ != "Progressing");
            set(status, "True", "ReplicaSetUpdated", "is progressing.");
            if let Some(known) = known.filter(|known| known.status == "True")
                && let Some(new) = status.conditions.last_mut()
            {
                new.last_transition_time = known.last_transition_time;
            }
        } else if self.timed_out(known.as_ref()) {
            set(status, "False", "ProgressDeadlineExceeded", "has timed out progressing.");
        }
    }

    fn subject(&self, end: &str) -> Str {
        match &self.new {
            Some(set) => format!("ReplicaSet {:?} {end}", &*set.metadata.name).into(),
            None => format!("Deployment {:?} {end}", &*self.deployment.metadata.name).into(),
        }
    }

    fn timed_out(&self, known: Option<&DeploymentCondition>) -> bool {
        let Some(known) = known else { return false };
        match &*known.reason {
            "NewReplicaSetAvailable" => false,
            "ProgressDeadlineExceeded" => true,
            _ => self.time_left(known).is_some_and(|left| left < Duration::ZERO),
        }
    }

    fn time_left(&self, known: &DeploymentCondition) -> Option<Duration> {
        let seconds = self.deployment.spec.progress_deadline_seconds?;
        Some(known.last_update_time?.instant() + Duration::secs(seconds.into()) - self.cx.now)
    }

    /// Comes back when the deadline will have passed.
    fn look_again(&mut self, status: &DeploymentStatus) {
        let known = status.conditions.iter().find(|condition| condition.type_ == "Progressing");
        let Some(known) = known.filter(|_| has_deadline(&self.deployment)) else { return };
        if is_complete(&self.deployment, status)
            || matches!(&*known.reason, "ProgressDeadlineExceeded" | "NewReplicaSetAvailable")
        {
            return;
        }
        if let Some(left) = self.time_left(known) {
            self.plan.again(left.max(Duration::ZERO) + SECOND);
        }
    }

    /// The failure that the sets report, the new one first.
    fn set_failure(&self) -> Option<DeploymentCondition> {
        let failures = self.new.iter().chain(&self.old).filter_map(|set| {
            let mut conditions = set.status.conditions.iter();
            conditions.find(|condition| condition.type_ == "ReplicaFailure")
        });
        failures.take(1).next().map(|failure| DeploymentCondition {
            type_: failure.type_.clone(),
            status: failure.status.clone(),
            reason: failure.reason.clone(),
            message: failure.message.clone(),
            last_transition_time: failure.last_transition_time,
            last_update_time: failure.last_transition_time,
        })
    }

    fn observed(&self) -> DeploymentStatus {
        let sets = || self.new.iter().chain(&self.old);
        let sum = |of: &dyn Fn(&ReplicaSet) -> i32| sets().map(of).sum::<i32>();
        let available = sum(&|set| set.status.available_replicas);
        let mut status = DeploymentStatus {
            observed_generation: self.deployment.metadata.generation,
            replicas: sum(&|set| set.status.replicas),
            updated_replicas: self.new.as_ref().map_or(0, |set| set.status.replicas),
            ready_replicas: sum(&|set| set.status.ready_replicas),
            available_replicas: available,
            unavailable_replicas: (sum(&replicas) - available).max(0),
            terminating_replicas: terminating(sets()),
            collision_count: self.deployment.status.collision_count,
            conditions: self.deployment.status.conditions.clone(),
        };
        let enough = available >= self.want() - self.unavailable_max();
        let (value, reason, message) = if enough {
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            (
                "False",
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            )
        };
        let new = new_condition(self.cx.now, "Available", value, reason, message.into());
        set_condition(&mut status.conditions, new);
        status
    }

    fn store(&mut self, status: DeploymentStatus) {
        if *self.deployment.status == status {
            return;
        }
        self.deployment.status = Arc::new(status);
        self.plan.status(self.deployment.clone());
    }
}

/// The pods that are going, unless a set does not know its own.
fn terminating<'a>(sets: impl Iterator<Item = &'a ReplicaSet>) -> Option<i32> {
    let mut sum = 0;
    for set in sets {
        match set.status.terminating_replicas {
            Some(count) => sum += count,
            None if set.status.observed_generation == 0 => {}
            None => return None,
        }
    }
    Some(sum)
}
