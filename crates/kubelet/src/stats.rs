//! What containers use, for those who measure: the summary that a metrics server reads.
//!
//! Known deviations:
//! - A process uses a thousandth of a processor to be there, and what its requests and loops cost; memory is a
//!   constant of its image. Limits only bound what a program says to keep busy.

use base::{Duration, Instant, Str};

use crate::kubelet::Kubelet;

/// What one running container has used.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerStats {
    /// The pod's namespace.
    pub namespace: Str,
    /// The pod's name.
    pub pod: Str,
    /// The container's name.
    pub container: Str,
    /// When it started.
    pub started: Instant,
    /// Processor time since then.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub memory: i64,
}

/// A process that only waits uses this part of a processor.
const IDLE_PER_MILLE: i64 = 1;

impl Kubelet {
    /// What each running container has used until `now`, ordered by pod uid.
    pub fn stats(&self, now: Instant) -> Vec<ContainerStats> {
        let mut out = Vec::new();
        for (uid, worker) in &self.agent.workers {
            for index in 0..worker.units.len() {
                let Some(container) = self.machine.container(uid, index).filter(|c| c.running())
                else {
                    continue;
                };
                let spec = worker.spec(index);
                let load = container.any_server().map_or(0, |server| server.load);
                let limit = spec.resources.limits.get("cpu").map(|limit| limit.milli_value());
                let rate = limit.map_or(load, |limit| load.min(limit)) + IDLE_PER_MILLE;
                let steady = Duration(now.since(container.started).0 * rate / 1_000);
                out.push(ContainerStats {
                    namespace: worker.pod.metadata.namespace.clone(),
                    pod: worker.pod.metadata.name.clone(),
                    container: spec.name.clone(),
                    started: container.started,
                    cpu: container.used() + steady,
                    memory: container.memory,
                });
            }
        }
        out
    }
}
