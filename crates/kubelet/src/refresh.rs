//! Volumes of running pods follow their ConfigMaps, Secrets and labels.
//!
//! Known deviations:
//! - A file mounted by `subPath` follows too; upstream leaves it as it was.

use base::{Duration, Str};

use crate::kubelet::Kubelet;
use crate::timers::Timer;
use crate::volumes;
use crate::worker::Stage;

/// Between two looks, stretched by up to a half.
const EVERY: Duration = Duration::secs(60);

impl Kubelet {
    /// Plans the next look, if the pod has volumes that could change.
    pub(crate) fn plan_refresh(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        if worker.pod.spec.volumes.iter().any(volumes::follows) {
            let wait = EVERY + Duration(self.rng.between(0, EVERY.0 / 2));
            self.later(wait, Timer::Refresh(uid.clone()));
        }
    }

    pub(crate) fn refresh_due(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if worker.stage != Stage::Syncing || worker.mounted.is_none() {
            return;
        }
        worker.refreshing = true;
        let names = volumes::references(&worker.pod);
        if self.fetch(uid, names) {
            self.refresh(uid);
        }
    }

    /// Everything that the volumes show has been read again.
    pub(crate) fn refresh(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if !std::mem::replace(&mut worker.refreshing, false) || worker.stage != Stage::Syncing {
            return;
        }
        let pod = worker.pod.clone();
        if let Ok((new, _)) = volumes::contents(&self.source(uid))
            && let Some(sandbox) = self.machine.pod_mut(uid)
        {
            let mut changed = false;
            for ((spec, old), new) in pod.spec.volumes.iter().zip(&mut sandbox.volumes).zip(new) {
                if volumes::follows(spec) && *old != new {
                    *old = new;
                    changed = true;
                }
            }
            if changed {
                self.wake_probes(uid);
            }
        }
        self.plan_refresh(uid);
    }
}
