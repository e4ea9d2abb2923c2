//! How long a Job waits before it replaces failed pods: 10 s, doubling to 10 min, from the last failure on.

use api::core::v1::{ContainerStatus, Pod};
use api::time::Time;
use base::{Duration, HashSet, Instant, Str};

use crate::pods;

/// The wait after the first failure.
const WAIT_FIRST: Duration = Duration::secs(10);
/// No wait is longer.
const WAIT_MAX: Duration = Duration::mins(10);

/// The failures of a Job since its last success.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The uid of the Job.
    pub uid: Str,
    failures: u32,
    last: Option<Instant>,
    /// Finished pods that have been taken into account and still can be seen.
    seen: HashSet<Str>,
}

impl Record {
    /// The record of a Job that has just been met.
    pub fn new(uid: Str) -> Record {
        Record { uid, ..Record::default() }
    }

    /// Takes finished pods into account. `succeeded` and `failed` are those whose end is not yet counted.
    pub fn note(&mut self, succeeded: &[&Pod], failed: &[&Pod]) {
        let fresh = |pods: &[&Pod]| -> Vec<Instant> {
            let fresh = pods.iter().filter(|pod| !self.seen.contains(&pod.metadata.uid));
            let mut times: Vec<Instant> = fresh.map(|pod| finished_at(pod)).collect();
            base::sort::naturally(&mut times);
            times
        };
        let (successes, mut failures) = (fresh(succeeded), fresh(failed));
        if let Some(success) = successes.last() {
            failures.retain(|at| at > success);
            (self.failures, self.last) = (0, None);
        }
        self.failures += failures.len() as u32;
        self.last = failures.last().copied().or(self.last);
        self.seen = succeeded.iter().chain(failed).map(|pod| pod.metadata.uid.clone()).collect();
    }

    /// How long to wait before pods are created.
    pub fn remaining(&self, now: Instant) -> Duration {
        self.last.map_or(Duration::ZERO, |last| remaining(self.failures, last, now))
    }
}

/// How long to wait after `failures` in a row, the last of them at `last`.
pub fn remaining(failures: u32, last: Instant, now: Instant) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let wait = (WAIT_FIRST * (1 << (failures - 1).min(10))).min(WAIT_MAX);
    (last + wait).since(now)
}

/// When the pod ended: by its containers, else by its readiness, its deletion, its creation.
pub fn finished_at(pod: &Pod) -> Instant {
    let not_ready = || {
        let ready = pods::condition(pod, "Ready").filter(|ready| ready.status == "False")?;
        ready.last_transition_time.map(Time::instant)
    };
    let meta = &pod.metadata;
    let deleted = || {
        let grace = Duration::secs(meta.deletion_grace_period_seconds.unwrap_or(0));
        Some(meta.deletion_timestamp?.instant() - grace)
    };
    containers_finished(pod)
        .or_else(not_ready)
        .or_else(deleted)
        .or_else(|| meta.creation_timestamp.map(Time::instant))
        .unwrap_or_default()
}

/// When the last container or sidecar ended; `None` if one still runs.
fn containers_finished(pod: &Pod) -> Option<Instant> {
    let is_sidecar = |status: &&ContainerStatus| {
        let mut all = pod.spec.init_containers.iter();
        let container = all.find(|container| container.name == status.name);
        container.is_some_and(|container| container.restart_policy.as_deref() == Some("Always"))
    };
    let sidecars = pod.status.init_container_statuses.iter().filter(is_sidecar);
    let mut last = None;
    for status in pod.status.container_statuses.iter().chain(sidecars) {
        let at = status.state.terminated.as_ref()?.finished_at?.instant();
        last = last.max(Some(at));
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(failures: u32, expect_secs: i64) {
        let wait = remaining(failures, Instant::START, Instant::START);
        assert_eq!(wait, Duration::secs(expect_secs), "after {failures} failures");
    }

    #[test]
    fn waits_double_up_to_ten_minutes() {
        check(0, 0);
        check(1, 10);
        check(2, 20);
        check(3, 40);
        check(6, 320);
        check(7, 600);
        check(60, 600);
    }

    #[test]
    fn a_wait_that_is_over_is_no_wait() {
        let now = Instant::START + Duration::secs(12);
        assert_eq!(remaining(1, Instant::START, now), Duration::ZERO);
        assert_eq!(remaining(2, Instant::START, now), Duration::secs(8));
    }
}
