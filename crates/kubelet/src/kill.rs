//! The end of containers and pods: hooks, signals, grace, and the last status.

use base::{Duration, Str};

use crate::kubelet::Kubelet;
use crate::timers::Timer;
use crate::worker::{Job, Stage};

/// A container has at least so long after the signal.
const GRACE_MIN: Duration = Duration::secs(2);

impl Kubelet {
    /// Begins to stop a pod.
    pub(crate) fn terminate(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if worker.stage != Stage::Syncing {
            return;
        }
        worker.stage = Stage::Terminating;
        worker.job = Job::Idle;
        worker.serial += 1;
        worker.queue.clear();
        worker.planned = None;
        let grace = worker.grace;
        self.observe_units(uid);
        self.decide_status(uid);
        let worker = &self.agent.workers[uid];
        let (inits, count) = (worker.inits(), worker.units.len());
        let first: Vec<usize> =
            (0..count).filter(|i| *i >= inits || !worker.is_sidecar(*i)).collect();
        for index in first {
            self.stop_for_good(uid, index, grace);
        }
        self.check_stopped(uid);
    }

    fn stop_for_good(&mut self, uid: &Str, index: usize, grace: i64) {
        let runs = self.machine.container(uid, index).is_some_and(|c| c.running());
        if runs && self.agent.workers[uid].units[index].stopping.is_none() {
            let name = self.agent.workers[uid].spec(index).name.clone();
            self.stop_unit(uid, index, grace, format!("Stopping container {name}").into());
        }
    }

    /// Stops a container: hook, signal, and after the grace the kill.
    pub(crate) fn stop_unit(&mut self, uid: &Str, index: usize, grace: i64, text: Str) {
        let now = self.now;
        self.pod_event(uid, Some(index), "Normal", "Killing", text);
        let grace = Duration::secs(grace.max(0));
        let spec = self.agent.workers[uid].spec(index);
        let hook = spec.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.clone());
        let hook_time = match hook.filter(|_| grace > Duration::ZERO) {
            None => Duration::ZERO,
            Some(hook) => match self.run_hook(uid, index, &hook) {
                Ok(time) => time.min(grace),
                Err(why) => {
                    self.hook_failed(uid, index, "FailedPreStopHook", "PreStopHook failed", &why);
                    Duration::ZERO
                }
            },
        };
        let left = Duration((grace - hook_time).0.max(GRACE_MIN.0));
        let end = now + hook_time + left;
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.units[index].stopping = Some(end);
        self.agent.timers.set(end, Timer::Kill(uid.clone(), index));
        if hook_time > Duration::ZERO {
            self.later(hook_time, Timer::Signal(uid.clone(), index));
        } else {
            self.signal(uid, index);
        }
    }

    /// Sends the termination signal.
    pub(crate) fn signal(&mut self, uid: &Str, index: usize) {
        let stops =
            |w: &crate::worker::Worker| w.units.get(index).is_some_and(|u| u.stopping.is_some());
        if self.agent.workers.get(uid).is_some_and(stops) {
            self.machine.terminate(uid, index, self.now);
        }
    }

    /// The grace is over.
    pub(crate) fn kill_due(&mut self, uid: &Str, index: usize) {
        let now = self.now;
        let due = |w: &crate::worker::Worker| {
            w.units.get(index).is_some_and(|unit| unit.stopping.is_some_and(|at| at <= now))
        };
        if self.agent.workers.get(uid).is_some_and(due) {
            self.machine.kill(uid, index, now, 137, "");
        }
    }

    /// A shorter grace was asked for.
    pub(crate) fn hurry(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        let end = self.now + Duration(Duration::secs(worker.grace).0.max(GRACE_MIN.0));
        for (index, unit) in worker.units.iter_mut().enumerate() {
            if unit.stopping.is_some_and(|at| at > end) {
                unit.stopping = Some(end);
                self.agent.timers.set(end, Timer::Kill(uid.clone(), index));
            }
        }
    }

    /// Goes on with the end of a pod once containers have stopped: sidecars, then the sandbox.
    pub(crate) fn check_stopped(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        if worker.stage != Stage::Terminating {
            return;
        }
        let runs = |index: &usize| self.machine.container(uid, *index).is_some_and(|c| c.running());
        let count = worker.units.len();
        if (0..count).any(|index| runs(&index) && !worker.is_sidecar(index)) {
            return;
        }
        // Sidecars go one after the other, the last one first.
        if let Some(index) = (0..worker.inits()).rev().find(runs) {
            let grace = worker.grace;
            return self.stop_for_good(uid, index, grace);
        }
        self.machine.stop_sandbox(uid, self.now);
        let tick = self.tick_after(self.now);
        if let Some(worker) = self.agent.workers.get_mut(uid) {
            worker.stage = Stage::Stopped;
        }
        self.agent.timers.set(tick, Timer::Final(uid.clone()));
    }

    /// Decides the last status of a pod whose containers have all stopped.
    pub(crate) fn finish(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if worker.stage != Stage::Stopped {
            return;
        }
        worker.stage = Stage::Finished;
        self.give_back(uid);
        self.use_changed(uid);
        self.observe_units(uid);
        self.decide_status(uid);
        let worker = &self.agent.workers[uid];
        if worker.gone {
            return self.forget(uid);
        }
        self.delete_when_written(uid);
    }
}
