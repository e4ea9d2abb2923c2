//! The status of a pod, from its spec and from what the runtime shows.
//!
//! Stands for `generateAPIPodStatus` of the kubelet.
//!
//! Known deviations:
//! - Ephemeral containers are not reported.

use std::sync::Arc;

use api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, ContainerUser, HostIP, LinuxContainerUser, PodIP, PodStatus,
    ResourceRequirements, VolumeMountStatus,
};
use api::time::Time;
use api::{Map, Quantity};
use base::{Instant, List, Str};

use crate::conditions;
use crate::kubelet::Kubelet;
use crate::resize;
use crate::resources;
use crate::runtime::container::{Container, Past};
use crate::worker::{Stage, Unit, Worker, container, container_of, is_sidecar, restarts};

impl Kubelet {
    /// Brings what is kept of the containers in step with the runtime.
    pub(crate) fn observe_units(&mut self, uid: &Str) {
        let count = self.agent.workers.get(uid).map_or(0, |worker| worker.units.len());
        for index in 0..count {
            let runs = self.machine.container(uid, index).is_some_and(Container::running);
            let Some(worker) = self.agent.workers.get_mut(uid) else { return };
            let spec = container(&worker.pod, index);
            let (startup, readiness) =
                (spec.startup_probe.is_some(), spec.readiness_probe.is_some());
            let ends = index < worker.pod.spec.init_containers.len() && !is_sidecar(spec);
            let unit = &mut worker.units[index];
            if !runs {
                unit.started = false;
                unit.ready = false;
                continue;
            }
            unit.started |= !startup;
            if unit.started && !readiness && !ends {
                unit.ready = true;
            }
            self.arm_probes(uid, index);
        }
    }

    /// Decides the pod's status, lets it be written where it is new, and returns the phase.
    pub(crate) fn decide_status(&mut self, uid: &Str) -> &'static str {
        let Some(worker) = self.agent.workers.get(uid) else { return "Pending" };
        let (mut status, phase) = self.status_of(uid, worker);
        if matches!(phase, "Succeeded" | "Failed") && worker.stage != Stage::Finished {
            // Nobody may count on a pod's end while its containers could still run.
            status.phase = worker.status.phase.clone();
            status.reason = worker.status.reason.clone();
            status.message = worker.status.message.clone();
        }
        self.set_status(uid, status);
        phase
    }

    fn status_of(&self, uid: &Str, worker: &Worker) -> (PodStatus, &'static str) {
        let pod = &*worker.pod;
        let old = &*worker.status;
        let sandbox = self.machine.pod(uid);
        let inits = worker.inits();
        let done = worker.stage == Stage::Finished;
        let of = |index: usize| self.container_status(uid, worker, index);
        let mut init: List<ContainerStatus> = (0..inits).map(of).collect();
        let mut main: List<ContainerStatus> = (inits..worker.units.len()).map(of).collect();
        let mut phase = match &worker.failed {
            Some(_) => "Failed",
            None => self.phase(worker, &init, &main, done),
        };
        if done {
            conceal_unknown(&mut init, &mut main, worker);
            if !matches!(phase, "Succeeded" | "Failed") {
                phase = "Failed";
            }
        }
        let host: Str = self.config.internal_ip.to_string().into();
        let ip = sandbox.and_then(|pod| pod.ip).map(|ip| Str::from(ip.to_string()));
        let ip = ip.unwrap_or_else(|| {
            if pod.spec.host_network { host.clone() } else { old.pod_ip.clone() }
        });
        let resources = resources::of_pod(&worker.actuated);
        let allocated = resources::of_pod(&worker.allocated).requests;
        let generation = pod.metadata.generation;
        let ready = sandbox.is_some_and(|pod| pod.ready);
        let view = conditions::View {
            pod,
            old,
            init: &init,
            main: &main,
            phase,
            sandbox: ready,
            now: self.now,
        };
        let mut conditions = conditions::all(&view);
        conditions.extend(resize::conditions(worker, self.now));
        let (reason, message) = worker.failed.clone().unwrap_or_default();
        let status = PodStatus {
            observed_generation: generation,
            phase: phase.into(),
            conditions,
            reason,
            message,
            host_ip: host.clone(),
            host_ips: base::list![HostIP { ip: host }],
            pod_ips: if ip.is_empty() {
                List::new()
            } else {
                base::list![PodIP { ip: ip.clone() }]
            },
            pod_ip: ip,
            start_time: Some(Time::from(worker.start_time)),
            init_container_statuses: init,
            container_statuses: main,
            qos_class: old.qos_class.clone(),
            allocated_resources: allocated,
            resources: Some(Box::new(resources)),
            nominated_node_name: pod.status.nominated_node_name.clone(),
            resource_claim_statuses: pod.status.resource_claim_statuses.clone(),
            ..PodStatus::default()
        };
        (status, phase)
    }

    fn phase(
        &self,
        worker: &Worker,
        init: &List<ContainerStatus>,
        main: &List<ContainerStatus>,
        done: bool,
    ) -> &'static str {
        let spec = &worker.pod.spec;
        let begun = main.iter().any(|c| !c.container_id.is_empty());
        let mut pending = false;
        for (index, status) in init.iter().enumerate() {
            let sidecar = is_sidecar(&spec.init_containers[index]);
            let ended = status.state.terminated.as_ref().or(status.last_state.terminated.as_ref());
            if sidecar {
                pending |= status.started != Some(true);
                continue;
            }
            match (&status.state.terminated, ended) {
                (Some(end), _) if end.exit_code == 0 => {}
                (_, Some(end)) if end.exit_code != 0 => {
                    if !restarts(&worker.pod, index, end.exit_code) {
                        return "Failed";
                    }
                    pending = true;
                }
                _ => pending = true,
            }
        }
        let (mut running, mut stopped, mut succeeded, mut waiting, mut again) = (0, 0, 0, 0, false);
        for (place, status) in main.iter().enumerate() {
            let ended = status.state.terminated.as_ref().or(status.last_state.terminated.as_ref());
            match (&status.state.running, ended) {
                (Some(_), _) => running += 1,
                (None, Some(end)) => {
                    stopped += 1;
                    succeeded += usize::from(end.exit_code == 0);
                    again |= restarts(&worker.pod, init.len() + place, end.exit_code);
                }
                (None, None) => waiting += 1,
            }
        }
        if pending && !begun || waiting > 0 && !done {
            return "Pending";
        }
        match (running, stopped) {
            (1.., _) => "Running",
            (0, 0) => "Pending",
            (0, _) if again && !done => "Running",
            (0, _) if waiting > 0 => "Failed",
            (0, _) if stopped == succeeded => "Succeeded",
            _ => "Failed",
        }
    }

    fn container_status(&self, uid: &Str, worker: &Worker, index: usize) -> ContainerStatus {
        let spec = worker.spec(index);
        let unit = &worker.units[index];
        let slot = self.machine.pod(uid).and_then(|pod| pod.slots.get(index));
        let mount = |m: &api::core::v1::VolumeMount| VolumeMountStatus {
            name: m.name.clone(),
            mount_path: m.mount_path.clone(),
            read_only: m.read_only.then_some(true),
            recursive_read_only: m.read_only.then(|| base::lit!("Disabled")),
            ..VolumeMountStatus::default()
        };
        let mut status = ContainerStatus {
            name: spec.name.clone(),
            image: spec.image.clone(),
            started: Some(unit.started),
            ready: unit.ready,
            volume_mounts: spec.volume_mounts.iter().map(mount).collect(),
            ..ContainerStatus::default()
        };
        let Some(container) = slot.and_then(|slot| slot.current.as_deref()) else {
            status.state = waiting(unit, worker.inits() > 0);
            return status;
        };
        status.container_id = container.id.clone();
        status.image = container.image.clone();
        status.image_id = container.image_id.clone();
        status.restart_count = container.attempt;
        status.allocated_resources =
            container_of(&worker.allocated, index).resources.requests.clone();
        let given = &container_of(&worker.actuated, index).resources;
        status.resources = Some(Box::new(ResourceRequirements {
            claims: List::new(),
            limits: given.limits.clone(),
            requests: with_memory(&given.requests),
        }));
        if self.config.container_users {
            status.user = user(worker, index);
        }
        if let Some(past) = slot.and_then(|slot| slot.previous.as_deref()) {
            status.last_state.terminated = Some(Box::new(past_state(past)));
        }
        match &container.exit {
            None => {
                let started_at = Some(Time::from(container.started));
                status.state.running = Some(Box::new(ContainerStateRunning { started_at }));
            }
            Some(exit) => {
                let ended = Box::new(terminated(worker, index, container));
                let init = index < worker.inits();
                status.ready = init && exit.code == 0 && !worker.is_sidecar(index);
                if unit.waiting.is_some()
                    && restarts(&worker.pod, index, exit.code)
                    && worker.stage == Stage::Syncing
                {
                    status.state = waiting(unit, false);
                    status.last_state.terminated = Some(ended);
                } else {
                    status.state.terminated = Some(ended);
                }
            }
        }
        status
    }
}

fn waiting(unit: &Unit, has_inits: bool) -> ContainerState {
    let default = if has_inits { "PodInitializing" } else { "ContainerCreating" };
    let (reason, message) = match unit.waiting.as_deref() {
        Some((reason, message)) => (reason.clone(), message.clone()),
        None => (default.into(), Str::new()),
    };
    let waiting = Some(Box::new(ContainerStateWaiting { reason, message }));
    ContainerState { waiting, ..ContainerState::default() }
}

fn past_state(past: &Past) -> ContainerStateTerminated {
    ContainerStateTerminated {
        container_id: past.id.clone(),
        exit_code: past.exit.code,
        reason: past.exit.reason.clone(),
        message: past.exit.message.clone(),
        started_at: Some(begin(past.started, &past.exit.reason)),
        finished_at: Some(Time::from(past.exit.at)),
        signal: None,
    }
}

/// What could not start has never started.
fn begin(started: Instant, reason: &str) -> Time {
    Time::from(if reason == "StartError" { Instant(0) } else { started })
}

fn terminated(worker: &Worker, index: usize, container: &Container) -> ContainerStateTerminated {
    let Some(exit) = &container.exit else { return ContainerStateTerminated::default() };
    let from_log = worker.spec(index).termination_message_policy == "FallbackToLogsOnError"
        && exit.message.is_empty()
        && exit.code != 0;
    let message =
        if from_log { container.log.last(80, 2_048).into() } else { exit.message.clone() };
    ContainerStateTerminated {
        container_id: container.id.clone(),
        exit_code: exit.code,
        reason: exit.reason.clone(),
        message,
        started_at: Some(begin(container.started, &exit.reason)),
        finished_at: Some(Time::from(exit.at)),
        signal: None,
    }
}

/// Requests as a status tells them: where there are any, memory is among them.
fn with_memory(requests: &Map<Quantity>) -> Map<Quantity> {
    let mut told = requests.clone();
    if !told.is_empty() && !told.contains_key("memory") {
        told.insert("memory", Quantity::bytes(0));
    }
    told
}

fn user(worker: &Worker, index: usize) -> Option<Box<ContainerUser>> {
    let own = worker.spec(index).security_context.as_deref();
    let pod = worker.pod.spec.security_context.as_deref();
    let uid = own.and_then(|c| c.run_as_user).or(pod.and_then(|c| c.run_as_user)).unwrap_or(0);
    let gid = own.and_then(|c| c.run_as_group).or(pod.and_then(|c| c.run_as_group)).unwrap_or(0);
    let mut supplemental_groups: List<i64> = base::list![gid];
    supplemental_groups
        .extend(pod.iter().flat_map(|c| c.fs_group.iter().chain(&c.supplemental_groups)).copied());
    let linux = LinuxContainerUser { uid, gid, supplemental_groups };
    Some(Box::new(ContainerUser { linux: Some(Box::new(linux)) }))
}

/// At the end of a pod every container that could have run is reported as ended.
fn conceal_unknown(
    init: &mut List<ContainerStatus>,
    main: &mut List<ContainerStatus>,
    worker: &Worker,
) {
    let initialized = init.iter().enumerate().all(|(index, status)| {
        let fine = status.state.terminated.as_ref().is_some_and(|end| end.exit_code == 0);
        fine || is_sidecar(&worker.pod.spec.init_containers[index])
            && !status.container_id.is_empty()
    });
    let unknown = || ContainerState {
        terminated: Some(Box::new(ContainerStateTerminated {
            reason: base::lit!("ContainerStatusUnknown"),
            message: base::lit!("The container could not be located when the pod was terminated"),
            exit_code: 137,
            ..ContainerStateTerminated::default()
        })),
        ..ContainerState::default()
    };
    if initialized && worker.failed.is_none() {
        for status in main.iter_mut().filter(|status| status.state.terminated.is_none()) {
            status.state = unknown();
        }
    }
    // Up to the last init container that has begun.
    let begun = init.iter().rposition(|status| !status.container_id.is_empty());
    for status in init.iter_mut().take(begun.map_or(0, |at| at + 1)) {
        if status.state.terminated.is_none() {
            status.state = unknown();
        }
    }
}

/// Shares equal statuses instead of keeping two of them.
pub(crate) fn shared(known: &Arc<PodStatus>, other: &Arc<PodStatus>) -> Arc<PodStatus> {
    if known == other { other.clone() } else { known.clone() }
}
