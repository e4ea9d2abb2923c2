//! Pods come, change and go.
//!
//! Stands for the kubelet's sync loop and the front of its pod workers.

use std::collections::VecDeque;
use std::sync::Arc;

use api::core::v1::Pod;
use api::object::Key;
use base::{Duration, Instant, Str};

use crate::admit::takes;
use crate::kubelet::Kubelet;
use crate::node::version;
use crate::timers::Timer;
use crate::worker::{Job, Stage, Unit, Worker, container};

impl Kubelet {
    /// A pod of this node is new or has changed.
    pub(crate) fn pod_seen(&mut self, pod: Arc<Pod>) {
        let uid = pod.metadata.uid.clone();
        let Some(worker) = self.agent.workers.get_mut(&uid) else { return self.pod_added(pod) };
        if version(&pod.metadata.resource_version) < version(&worker.pod.metadata.resource_version)
        {
            return;
        }
        let old = std::mem::replace(&mut worker.pod, pod.clone());
        let ending = pod.metadata.deletion_timestamp.is_some();
        let ended_before = old.metadata.deletion_timestamp.is_some();
        if ending {
            let grace = grace_of(&pod);
            let sooner = ended_before && grace < worker.grace;
            if !ended_before || sooner {
                return self.deletion_seen(&uid, grace, sooner);
            }
        }
        let gates =
            !pod.spec.readiness_gates.is_empty() && pod.status.conditions != old.status.conditions;
        let changed = pod.metadata.generation != old.metadata.generation;
        if changed && pod.spec.active_deadline_seconds != old.spec.active_deadline_seconds {
            self.set_deadline(&uid);
        }
        if changed && !Arc::ptr_eq(pod.spec.shared(), old.spec.shared()) {
            self.definition_seen(&uid, &old);
            self.resize_seen(&uid);
        }
        if changed || gates {
            self.want_sync(&uid);
        }
        if !Arc::ptr_eq(&old.status, &pod.status) {
            self.reconcile_status(&uid);
        }
    }

    /// A container whose image was changed is started anew.
    fn definition_seen(&mut self, uid: &Str, old: &Pod) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        for index in 0..worker.units.len() {
            let (spec, before) = (worker.spec(index), container(old, index));
            if spec.image != before.image {
                let text = format!("Container {} definition changed, will be restarted", spec.name);
                worker.units[index].unhealthy = Some(text.into());
            }
        }
    }

    fn pod_added(&mut self, pod: Arc<Pod>) {
        let uid = pod.metadata.uid.clone();
        let key = Key::of(&pod.metadata);
        let done = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
        let start_time = pod.status.start_time.map_or(self.now, Instant::from);
        let count = pod.spec.init_containers.len() + pod.spec.containers.len();
        let grace = grace_of(&pod);
        let worker = Worker {
            stage: if done { Stage::Finished } else { Stage::Syncing },
            start_time,
            failed: None,
            rejected: false,
            job: Job::Idle,
            serial: 0,
            queue: VecDeque::new(),
            errors: false,
            again: false,
            planned: None,
            acted: false,
            idle_since: None,
            relist: false,
            mounted: None,
            refreshing: false,
            mounting: None,
            grace,
            units: vec![Unit::default(); count],
            probes_from: self.now,
            status: pod.status.clone(),
            dirty: false,
            writing: false,
            deleting: false,
            gone: false,
            takes: takes(&pod.spec),
            allocated: pod.spec.shared().clone(),
            actuated: pod.spec.shared().clone(),
            unfit: None,
            pod: pod.clone(),
        };
        self.agent.uids.insert(key, uid.clone());
        self.agent.workers.insert(uid.clone(), worker);
        if done {
            return self.finished_pod_seen(&uid);
        }
        if pod.metadata.deletion_timestamp.is_none()
            && self.machine.pod(&uid).is_none()
            && let Some((reason, message)) = self.refusal(&pod)
        {
            return self.reject(&uid, reason, message);
        }
        self.take(&uid);
        self.begin_probes(&uid);
        self.set_deadline(&uid);
        if pod.metadata.deletion_timestamp.is_some() {
            self.deletion_seen(&uid, grace, false);
        } else {
            self.sync(&uid);
        }
    }

    /// A pod that had ended before this process started.
    fn finished_pod_seen(&mut self, uid: &Str) {
        self.machine.stop_sandbox(uid, self.now);
        if self.agent.workers[uid].pod.metadata.deletion_timestamp.is_some() {
            self.delete_from_api(uid);
        }
    }

    fn reject(&mut self, uid: &Str, reason: &'static str, message: String) {
        self.pod_event(uid, None, "Warning", reason, message.clone());
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.rejected = true;
        worker.stage = Stage::Finished;
        let message = format!("Pod was rejected: {message}");
        worker.failed = Some((reason.into(), message.into()));
        self.publish_rejection(uid);
    }

    /// Counts what the pod takes of the node.
    fn take(&mut self, uid: &Str) {
        if let Some(worker) = self.agent.workers.get(uid) {
            self.agent.taken.0 += worker.takes.0;
            self.agent.taken.1 += worker.takes.1;
            self.agent.taken.2 += 1;
        }
    }

    /// Gives back what the pod took of the node.
    pub(crate) fn give_back(&mut self, uid: &Str) {
        if let Some(worker) = self.agent.workers.get(uid).filter(|worker| !worker.rejected) {
            self.agent.taken.0 -= worker.takes.0;
            self.agent.taken.1 -= worker.takes.1;
            self.agent.taken.2 -= 1;
            self.retry_resizes();
        }
    }

    fn deletion_seen(&mut self, uid: &Str, grace: i64, sooner: bool) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.grace = grace;
        match worker.stage {
            Stage::Syncing => self.terminate(uid),
            Stage::Terminating if sooner => self.hurry(uid),
            Stage::Terminating | Stage::Stopped => {}
            Stage::Finished => self.delete_when_written(uid),
        }
    }

    /// The API has the pod no more.
    pub(crate) fn pod_gone(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.gone = true;
        let key = Key::of(&worker.pod.metadata);
        let stage = worker.stage;
        if self.agent.uids.get(&key) == Some(uid) {
            self.agent.uids.remove(&key);
        }
        match stage {
            Stage::Finished => self.forget(uid),
            Stage::Syncing => {
                if let Some(worker) = self.agent.workers.get_mut(uid) {
                    worker.grace = worker.pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
                }
                self.terminate(uid);
            }
            Stage::Terminating | Stage::Stopped => {}
        }
    }

    /// Nothing is left to do for a pod.
    pub(crate) fn forget(&mut self, uid: &Str) {
        self.machine.remove_pod(uid, self.now);
        if let Some(worker) = self.agent.workers.remove(uid) {
            let key = Key::of(&worker.pod.metadata);
            if self.agent.uids.get(&key) == Some(uid) {
                self.agent.uids.remove(&key);
            }
        }
    }

    /// Stops what runs for pods that the API does not know: they went while the kubelet was away.
    pub(crate) fn drop_orphans(&mut self, listed: &[Arc<Pod>]) {
        let orphans: Vec<Str> = self
            .machine
            .pods()
            .filter(|(uid, _)| !listed.iter().any(|pod| pod.metadata.uid == **uid))
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in orphans.into_iter().filter(|uid| !self.agent.workers.contains_key(uid)) {
            let count = self.machine.pod(&uid).map_or(0, |pod| pod.slots.len());
            (0..count).for_each(|index| self.machine.kill(&uid, index, self.now, 137, ""));
            self.machine.remove_pod(&uid, self.now);
        }
    }

    /// A container of a pod has ended at a moment.
    pub(crate) fn container_ended(&mut self, uid: &Str, at: Instant) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        if worker.stage == Stage::Terminating {
            self.check_stopped(uid);
        } else {
            self.look_after(uid, at);
        }
    }

    /// Lets the change at a moment be seen with the next look at the runtime.
    pub(crate) fn look_after(&mut self, uid: &Str, at: Instant) {
        let tick = self.tick_after(at).max(self.now);
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if !std::mem::replace(&mut worker.relist, true) {
            self.agent.timers.set(tick, Timer::Relist(uid.clone()));
        }
    }

    /// Looks at one pod alone, after the kubelet itself changed something in the runtime.
    pub(crate) fn look_on_demand(&mut self, uid: &Str) {
        let at = self.now + self.config.times.inspect;
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.relist = true;
        self.agent.timers.set(at, Timer::Relist(uid.clone()));
    }

    /// A look at the runtime showed a change.
    pub(crate) fn relisted(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if worker.job == Job::Idle {
            self.actuate(uid);
            self.sync(uid);
        } else {
            worker.again = true;
        }
    }

    /// Syncs a pod as soon as its worker has seen the outcome of the last sync.
    pub(crate) fn want_sync(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        if worker.job != Job::Idle {
            if let Some(worker) = self.agent.workers.get_mut(uid) {
                worker.again = true;
            }
            return;
        }
        let seen = worker.idle_since.map(|at| self.tick_after(at));
        match seen.filter(|seen| *seen > self.now) {
            Some(seen) => self.plan_sync(uid, seen),
            None => self.sync(uid),
        }
    }

    /// Plans a sync, unless one is planned for earlier.
    pub(crate) fn plan_sync(&mut self, uid: &Str, at: Instant) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if worker.planned.is_none_or(|planned| planned > at) {
            worker.planned = Some(at);
            self.agent.timers.set(at, Timer::Sync(uid.clone()));
        }
    }

    /// Pods that waited for the node's network go on.
    pub(crate) fn network_came(&mut self) {
        let waiting: Vec<Str> = self.agent.workers.keys().cloned().collect();
        for uid in waiting {
            let worker = &self.agent.workers[&uid];
            if worker.stage == Stage::Syncing && self.machine.pod(&uid).is_none() {
                self.want_sync(&uid);
            }
        }
    }

    fn set_deadline(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        if let Some(seconds) = worker.pod.spec.active_deadline_seconds {
            let at = (worker.start_time + Duration::secs(seconds)).max(self.now);
            self.agent.timers.set(at, Timer::Deadline(uid.clone()));
        }
    }

    pub(crate) fn deadline_due(&mut self, uid: &Str) {
        let now = self.now;
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        let over = worker
            .pod
            .spec
            .active_deadline_seconds
            .is_some_and(|seconds| now.since(worker.start_time) >= Duration::secs(seconds));
        if !over || worker.stage != Stage::Syncing {
            return;
        }
        let message = "Pod was active on the node longer than the specified deadline";
        worker.failed = Some((base::lit!("DeadlineExceeded"), message.into()));
        self.pod_event(uid, None, "Normal", "DeadlineExceeded", message);
        self.terminate(uid);
    }
}

/// The seconds that a pod has to end.
pub(crate) fn grace_of(pod: &Pod) -> i64 {
    pod.metadata
        .deletion_grace_period_seconds
        .or(pod.spec.termination_grace_period_seconds)
        .unwrap_or(30)
}
