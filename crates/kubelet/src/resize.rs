//! In-place resize: a running pod is given other resources.
//!
//! Stands for the kubelet's allocation manager.
//!
//! Known deviations:
//! - Limits change at once; a memory limit below what a container uses is not refused.
//! - Waiting resizes are tried in the order of their pods' uids.

use api::core::v1::{PodCondition, ResourceRequirements};
use api::json::Json;
use api::time::Time;
use base::{Instant, List, Str};

use crate::admit::takes;
use crate::kubelet::Kubelet;
use crate::worker::{Stage, Worker, container_of};

impl Kubelet {
    /// The spec of a pod has changed, perhaps its resources.
    pub(crate) fn resize_seen(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        if worker.stage == Stage::Syncing
            && !worker.rejected
            && differs(worker, worker.pod.spec.shared())
        {
            self.allocate(uid);
        }
    }

    /// Gives a pod the resources of its newest spec, if there is room.
    fn allocate(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        let (spec, old) = (worker.pod.spec.shared().clone(), worker.takes);
        let new = takes(&spec);
        let unfit = self.unfit(old, new);
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if let Some(unfit) = unfit {
            worker.unfit = Some(Box::new(unfit));
            return;
        }
        worker.unfit = None;
        worker.takes = new;
        worker.allocated = spec.clone();
        for index in 0..worker.units.len() {
            if needs_restart(&worker.actuated, &spec, index) {
                let name = &container_of(&spec, index).name;
                worker.units[index].unhealthy =
                    Some(format!("Container {name} resize requires restart").into());
            }
        }
        self.agent.taken.0 += new.0 - old.0;
        self.agent.taken.1 += new.1 - old.1;
        let text = format!("Pod resize started: {}", self.resize_text(uid));
        self.pod_event(uid, None, "Normal", "ResizeStarted", text);
        self.look_on_demand(uid);
    }

    fn unfit(&self, old: (i64, i64), new: (i64, i64)) -> Option<(Str, Str)> {
        let allocatable = self.config.allocatable();
        let cpu = allocatable.get("cpu").map_or(0, |q| q.milli_value());
        let memory = allocatable.get("memory").map_or(0, |q| q.value());
        let taken = &self.agent.taken;
        for (what, asked, had, used, all) in
            [("memory", new.1, old.1, taken.1, memory), ("cpu", new.0, old.0, taken.0, cpu)]
        {
            if asked > all {
                let why = format!(
                    "Node didn't have enough capacity: {what}, requested: {asked}, capacity: {all}"
                );
                return Some((base::lit!("Infeasible"), why.into()));
            }
            if asked > had && used - had + asked > all {
                let why = format!(
                    "Node didn't have enough resource: {what}, requested: {asked}, used: {}, capacity: {all}",
                    used - had
                );
                return Some((base::lit!("Deferred"), why.into()));
            }
        }
        None
    }

    /// Room has come: resizes that waited for it are tried again.
    pub(crate) fn retry_resizes(&mut self) {
        let waits = |worker: &Worker| {
            worker.stage == Stage::Syncing
                && worker.unfit.as_ref().is_some_and(|unfit| unfit.0 == "Deferred")
        };
        let waiting: Vec<Str> = self
            .agent
            .workers
            .iter()
            .filter(|(_, worker)| waits(worker))
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in waiting {
            self.allocate(&uid);
            self.want_sync(&uid);
        }
    }

    /// The containers have what the pod was given, once none of them waits for its restart.
    pub(crate) fn actuate(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        let restarting = worker.units.iter().any(|u| u.unhealthy.is_some() || u.stopping.is_some());
        if std::sync::Arc::ptr_eq(&worker.allocated, &worker.actuated) || restarting {
            return;
        }
        let changed = differs_between(&worker.actuated, &worker.allocated);
        worker.actuated = worker.allocated.clone();
        if changed {
            let text = format!("Pod resize completed: {}", self.resize_text(uid));
            self.pod_event(uid, None, "Normal", "ResizeCompleted", text);
        }
    }

    fn resize_text(&self, uid: &Str) -> String {
        let worker = &self.agent.workers[uid];
        let of = |list: &List<api::core::v1::Container>| {
            let one = |c: &api::core::v1::Container| {
                let resources = api::Value::to_json(&c.resources);
                Json::Object(vec![
                    (base::lit!("name"), Json::Str(c.name.clone())),
                    (base::lit!("resources"), resources),
                ])
            };
            Json::Array(list.iter().map(one).collect())
        };
        let mut text = Json::object();
        text.set("containers", of(&worker.allocated.containers));
        if !worker.allocated.init_containers.is_empty() {
            text.set("initContainers", of(&worker.allocated.init_containers));
        }
        text.set("generation", worker.pod.metadata.generation);
        text.to_string()
    }
}

fn differs(worker: &Worker, spec: &api::core::v1::PodSpec) -> bool {
    differs_between(&worker.allocated, spec)
}

fn differs_between(a: &api::core::v1::PodSpec, b: &api::core::v1::PodSpec) -> bool {
    let count = a.init_containers.len() + a.containers.len();
    (0..count).any(|index| container_of(a, index).resources != container_of(b, index).resources)
        || a.resources != b.resources
}

/// Whether a container must start anew to get other resources.
fn needs_restart(old: &api::core::v1::PodSpec, new: &api::core::v1::PodSpec, index: usize) -> bool {
    let (old, new) = (container_of(old, index), container_of(new, index));
    let changed = |name: &str| {
        let of = |resources: &ResourceRequirements| {
            (resources.requests.get(name).cloned(), resources.limits.get(name).cloned())
        };
        of(&old.resources) != of(&new.resources)
    };
    new.resize_policy
        .iter()
        .any(|policy| policy.restart_policy == "RestartContainer" && changed(&policy.resource_name))
}

/// The conditions of a resize that waits or is going on.
pub(crate) fn conditions(worker: &Worker, now: Instant) -> List<PodCondition> {
    let mut out = List::new();
    let mut add = |type_: &'static str, reason: Str, message: Str| {
        let old = worker.status.conditions.iter().find(|c| c.type_ == type_);
        out.push(PodCondition {
            type_: type_.into(),
            status: base::lit!("True"),
            observed_generation: worker.pod.metadata.generation,
            reason,
            message,
            last_transition_time: old
                .and_then(|c| c.last_transition_time)
                .or(Some(Time::from(now))),
            last_probe_time: None,
        });
    };
    if let Some((reason, message)) = worker.unfit.as_deref() {
        add("PodResizePending", reason.clone(), message.clone());
    }
    if worker.stage == Stage::Syncing && differs_between(&worker.actuated, &worker.allocated) {
        add("PodResizeInProgress", Str::new(), Str::new());
    }
    out
}
