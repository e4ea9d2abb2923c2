//! Writing statuses: one write when something has really changed, one at a time for each pod.
//!
//! Stands for the kubelet's status manager.
//!
//! Known deviations:
//! - Upstream sends a strategic merge patch; here the whole status is replaced at the revision that was
//!   last seen, and merged anew after a conflict.

use std::sync::Arc;

use api::core::v1::{Pod, PodStatus};
use api::meta::v1::{DeleteOptions, Preconditions};
use api::object::{Key, Kind, Object};
use api::time::Time;
use api::wire::{Answer, Reply, Request};
use base::{Duration, Str};

use crate::conditions::{OWN, is_own};
use crate::kubelet::{Ask, Kubelet, get};
use crate::node::version;
use crate::status::shared;
use crate::timers::Timer;
use crate::worker::{Stage, Worker};

/// How often all statuses are compared with what the API shows.
const RECONCILE: Duration = Duration::secs(10);
/// After a failed write.
const RETRY: Duration = Duration::secs(10);

impl Kubelet {
    /// Takes a status for the newest; it is written if it differs from the last.
    pub(crate) fn set_status(&mut self, uid: &Str, status: PodStatus) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if *worker.status == status {
            return;
        }
        worker.status = Arc::new(status);
        worker.dirty = true;
        self.publish(uid);
    }

    /// Says that the sandbox is there, before its containers are.
    pub(crate) fn publish_sandbox(&mut self, uid: &Str) {
        let now = self.now;
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        let mut status = (*worker.status).clone();
        for condition in &mut status.conditions {
            if condition.type_ == OWN[0] && condition.status != "True" {
                condition.status = base::lit!("True");
                condition.last_transition_time = Some(Time::from(now));
            }
        }
        self.set_status(uid, status);
    }

    /// The status of a pod that was never admitted.
    pub(crate) fn publish_rejection(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        let (reason, message) = worker.failed.clone().unwrap_or_default();
        let status = PodStatus {
            phase: base::lit!("Failed"),
            reason,
            message,
            observed_generation: worker.pod.metadata.generation,
            start_time: Some(Time::from(worker.start_time)),
            ..(*worker.pod.status).clone()
        };
        self.set_status(uid, status);
    }

    /// Sends the newest status, unless a write is on its way.
    pub(crate) fn publish(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if worker.writing || !worker.dirty || worker.gone {
            return;
        }
        worker.dirty = false;
        let status = merged(worker);
        if status == *worker.pod.status {
            return self.written(uid);
        }
        worker.writing = true;
        let pod = Pod { status: Arc::new(status), ..(*worker.pod).clone() };
        self.ask(Ask::Status(uid.clone()), Request::update_status(Object::new(pod)));
    }

    /// Somebody else wrote the status, such as the node lifecycle controller while the node was lost. What it says of
    /// our conditions is put right at the next look at all pods.
    pub(crate) fn reconcile_status(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if worker.writing || worker.dirty || worker.gone {
            return;
        }
        let shown = &worker.pod.status.conditions;
        let mut own = worker.status.conditions.iter().filter(|c| is_own(&c.type_));
        if own.any(|condition| !shown.contains(condition)) {
            worker.dirty = true;
            self.later(RECONCILE, Timer::Publish(uid.clone()));
        }
    }

    pub(crate) fn status_answered(&mut self, uid: &Str, reply: Reply) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.writing = false;
        match reply {
            Ok(Answer::Object(object, _)) => {
                if let Some(pod) = object.arc::<Pod>() {
                    worker.status = shared(&worker.status, &pod.status);
                    self.pod_seen(pod);
                }
                self.publish(uid);
                self.written(uid);
            }
            Ok(_) => self.written(uid),
            Err(status) if status.reason == "Conflict" => {
                worker.dirty = true;
                worker.writing = true;
                let key = Key::of(&worker.pod.metadata);
                self.ask(Ask::Pod(uid.clone()), get(Pod::INFO, &key));
            }
            Err(status) if status.reason == "NotFound" => {}
            Err(_) => {
                worker.dirty = true;
                self.later(RETRY, Timer::Publish(uid.clone()));
            }
        }
    }

    /// The newest state of a pod whose status met a conflict.
    pub(crate) fn pod_answered(&mut self, uid: &Str, reply: Reply) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.writing = false;
        let pod = match reply {
            Ok(Answer::Object(object, _)) => object.arc::<Pod>(),
            Err(status) if status.reason == "NotFound" => None,
            _ => return self.later(RETRY, Timer::Publish(uid.clone())),
        };
        // Another pod of the same name is not ours to write to.
        if let Some(pod) = pod.filter(|pod| pod.metadata.uid == *uid) {
            if version(&pod.metadata.resource_version)
                >= version(&worker.pod.metadata.resource_version)
            {
                self.pod_seen(pod);
            }
            self.publish(uid);
        }
    }

    /// Nothing is on its way: a finished pod that is to go can go.
    fn written(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        if worker.stage == Stage::Finished
            && !worker.dirty
            && !worker.writing
            && worker.pod.metadata.deletion_timestamp.is_some()
        {
            self.delete_from_api(uid);
        }
    }

    /// Deletes a finished pod from the API once its status is written.
    pub(crate) fn delete_when_written(&mut self, uid: &Str) {
        self.written(uid);
    }

    pub(crate) fn delete_from_api(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if std::mem::replace(&mut worker.deleting, true) {
            return;
        }
        let key = Key::of(&worker.pod.metadata);
        let options = DeleteOptions {
            grace_period_seconds: Some(0),
            preconditions: Some(Box::new(Preconditions {
                uid: Some(uid.clone()),
                ..Preconditions::default()
            })),
            ..DeleteOptions::default()
        };
        self.ask(Ask::Delete(uid.clone()), Request::delete(Pod::INFO, &key, options));
    }

    pub(crate) fn delete_answered(&mut self, uid: &Str, reply: Reply) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        match reply {
            Ok(_) => {}
            Err(status) if matches!(status.reason.as_str(), "NotFound" | "Conflict") => {}
            Err(_) => {
                worker.deleting = false;
                worker.dirty = true;
                self.later(RETRY, Timer::Publish(uid.clone()));
            }
        }
    }
}

/// The status to write: conditions of others as the API has them now.
fn merged(worker: &Worker) -> PodStatus {
    let mut status = (*worker.status).clone();
    let others = worker.pod.status.conditions.iter().filter(|c| !is_own(&c.type_));
    let own = status.conditions.iter().filter(|c| is_own(&c.type_));
    status.conditions = others.chain(own).cloned().collect();
    if status.qos_class.is_empty() {
        status.qos_class = worker.pod.status.qos_class.clone();
    }
    status
}
