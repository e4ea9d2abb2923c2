//! What the kubelet keeps in mind of one pod.

use std::collections::VecDeque;
use std::sync::Arc;

use api::core::v1::{Container, Pod, PodSpec, PodStatus};
use base::{Duration, Instant, Str};

use crate::probes::Prober;

/// A pod on this node, from its arrival until nothing is left of it.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    /// The newest state known of the API.
    pub pod: Arc<Pod>,
    /// Where it is in its life.
    pub stage: Stage,
    /// When the kubelet first saw it.
    pub start_time: Instant,
    /// The whole pod has failed: reason and message.
    pub failed: Option<(Str, Str)>,
    /// It was never admitted.
    pub rejected: bool,
    /// What the worker is busy with.
    pub job: Job,
    /// Tells a job's timer from an older one's.
    pub serial: u32,
    /// Containers still to start in this sync.
    pub queue: VecDeque<usize>,
    /// Something went wrong in this sync.
    pub errors: bool,
    /// Another sync was asked for while it was busy.
    pub again: bool,
    /// A sync is planned for this moment.
    pub planned: Option<Instant>,
    /// This sync has changed something in the runtime.
    pub acted: bool,
    /// The end of the last sync, unless the runtime was looked at since.
    pub idle_since: Option<Instant>,
    /// A look at the runtime is planned.
    pub relist: bool,
    /// Its volumes hold what they should.
    pub mounted: Option<Instant>,
    /// What its volumes show is being read again.
    pub refreshing: bool,
    /// Since when it waits for volumes, and how long until the next try.
    pub mounting: Option<(Instant, Duration)>,
    /// The end it has been given: seconds of grace.
    pub grace: i64,
    /// Its containers: first the init containers, then the others.
    pub units: Vec<Unit>,
    /// When probes began to tick.
    pub probes_from: Instant,
    /// The status as last decided.
    pub status: Arc<PodStatus>,
    /// It still has to be written.
    pub dirty: bool,
    /// A write is on its way.
    pub writing: bool,
    /// The deletion is on its way.
    pub deleting: bool,
    /// The API has it no more.
    pub gone: bool,
    /// The spec whose resources the pod has been given …
    pub allocated: Arc<PodSpec>,
    /// … and the one whose resources its containers have.
    pub actuated: Arc<PodSpec>,
    /// Why it cannot be given those of its newest spec: reason and message.
    pub unfit: Option<Box<(Str, Str)>>,
    /// Processor (thousandths) and memory (bytes) that it takes of the node.
    pub takes: (i64, i64),
}

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is kept as its spec says.
    Syncing,
    /// Its containers are being stopped.
    Terminating,
    /// They are stopped.
    Stopped,
    /// The last status is decided.
    Finished,
}

/// What a worker is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Nothing.
    Idle,
    /// It waits for ConfigMaps and the like.
    Fetching,
    /// It waits for volumes.
    Mounting,
    /// A sandbox is being made.
    Sandbox,
    /// The image of a container is being pulled.
    Pulling(usize),
    /// A container is being created and started.
    Starting(usize),
    /// The hook after a container's start runs.
    PostStart(usize),
}

/// What the kubelet keeps in mind of one container.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unit {
    /// Why it does not run: the reason and a message.
    pub waiting: Option<Box<(Str, Str)>>,
    /// Waiting time before its next start.
    pub restart: Option<Backoff>,
    /// Waiting time before its next pull, with what the last one said.
    pub pull: Option<Box<(Backoff, Str)>>,
    /// Its probes.
    pub probes: Vec<Prober>,
    /// Passed its startup probe, or has none and runs.
    pub started: bool,
    /// Passed its readiness probe, or has none.
    pub ready: bool,
    /// It is being stopped; at this moment it is killed.
    pub stopping: Option<Instant>,
    /// It must be restarted: the text for the event.
    pub unhealthy: Option<Str>,
}

/// A growing wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Backoff {
    /// How long.
    pub wait: Duration,
    /// When it last grew.
    pub since: Instant,
}

/// The first wait.
const BACKOFF_FIRST: Duration = Duration::secs(10);
/// The longest wait.
const BACKOFF_MAX: Duration = Duration::secs(300);

impl Backoff {
    /// The wait after one more failure at `event`; it starts again after twice the longest wait.
    pub fn next(old: Option<Backoff>, event: Instant, now: Instant) -> Backoff {
        let wait = match old {
            Some(old) if !old.expired(event) => Duration((old.wait.0 * 2).min(BACKOFF_MAX.0)),
            _ => BACKOFF_FIRST,
        };
        Backoff { wait, since: now }
    }

    /// Whether to wait on, after a failure at `event`.
    pub fn holds(&self, event: Instant, now: Instant) -> bool {
        !self.expired(event) && now.since(event) < self.wait
    }

    fn expired(&self, event: Instant) -> bool {
        event.since(self.since) > BACKOFF_MAX * 2
    }
}

impl Worker {
    /// How many init containers the pod has.
    pub fn inits(&self) -> usize {
        self.pod.spec.init_containers.len()
    }

    /// The spec of a container by its place.
    pub fn spec(&self, index: usize) -> &Container {
        container(&self.pod, index)
    }

    /// Whether a container is an init container that stays.
    pub fn is_sidecar(&self, index: usize) -> bool {
        index < self.inits() && is_sidecar(self.spec(index))
    }

    /// The place of a container by its name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        (0..self.units.len()).find(|index| self.spec(*index).name == name)
    }

    /// `spec.containers{web}`: the part of the pod that an event is about.
    pub fn field_path(&self, index: usize) -> Str {
        let list = if index < self.inits() { "initContainers" } else { "containers" };
        format!("spec.{list}{{{}}}", self.spec(index).name).into()
    }
}

/// A container of a pod: init containers come first.
pub(crate) fn container(pod: &Pod, index: usize) -> &Container {
    container_of(&pod.spec, index)
}

/// A container of a spec: init containers come first.
pub(crate) fn container_of(spec: &PodSpec, index: usize) -> &Container {
    match index.checked_sub(spec.init_containers.len()) {
        None => &spec.init_containers[index],
        Some(index) => &spec.containers[index],
    }
}

/// Whether an init container stays while the pod runs.
pub(crate) fn is_sidecar(spec: &Container) -> bool {
    spec.restart_policy.as_deref() == Some("Always")
}

/// Whether a container is started again after it ended with this code.
pub(crate) fn restarts(pod: &Pod, index: usize, code: i32) -> bool {
    let spec = container(pod, index);
    let init = index < pod.spec.init_containers.len();
    for rule in &spec.restart_policy_rules {
        let Some(codes) = &rule.exit_codes else { continue };
        let hit = codes.values.contains(&code) == (codes.operator == "In");
        if hit && rule.action == "Restart" {
            return true;
        }
    }
    match spec.restart_policy.as_deref().unwrap_or(&pod.spec.restart_policy) {
        "Never" => false,
        "Always" if init && !is_sidecar(spec) => code != 0,
        "Always" | "" => true,
        _ => code != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at these seconds and returns the waits.
    fn check(failures: &[i64], want: &[i64]) {
        let mut backoff = None;
        let waits: Vec<i64> = failures
            .iter()
            .map(|at| {
                let at = Instant::START + Duration::secs(*at);
                let next = Backoff::next(backoff, at, at);
                backoff = Some(next);
                next.wait.as_secs()
            })
            .collect();
        assert_eq!(waits, want);
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        check(&[0, 20, 60, 130, 300, 620, 1000], &[10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn ten_quiet_minutes_start_anew() {
        check(&[0, 20, 700], &[10, 20, 10]);
    }
}
