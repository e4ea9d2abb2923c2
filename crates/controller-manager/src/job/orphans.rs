//! The part of the Job controller that frees pods whose Job is gone or over from the tracking finalizer.

use api::batch::v1::Job;
use api::core::v1::Pod;
use api::object::{Key, Kind, KindInfo};
use client::owner::controller_of;
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use super::{claimed, is_finished, is_tracked};
use crate::claim::is_kind;

/// Frees orphaned pods. Its keys are those of pods.
#[derive(Clone, Default)]
pub struct JobOrphans;

impl Reconcile for JobOrphans {
    fn name(&self) -> &'static str {
        "job-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Job::INFO, Pod::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if let Some(job) = delta.of::<Job>() {
            if delta.deleted() || is_finished(job) {
                let tracked = cx.pods().owned_by(&job.metadata.uid).filter(|pod| is_tracked(pod));
                tracked.for_each(|pod| queue.of(&pod.metadata));
            }
        } else if let Some(pod) = delta.after::<Pod>()
            && is_tracked(pod)
            && !has_running_job(cx, pod)
        {
            queue.of(&pod.metadata);
        }
    }

    fn on_start(&mut self, cx: &Cx<'_>, queue: &mut Enqueue) {
        let stray = cx.pods().all().filter(|pod| is_tracked(pod) && !has_running_job(cx, pod));
        stray.for_each(|pod| queue.of(&pod.metadata));
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        if let Some(pod) = cx.pods().get(key)
            && is_tracked(pod)
            && !has_running_job(cx, pod)
        {
            plan.batch(vec![claimed::untrack(pod)]);
        }
        plan
    }
}

/// Whether a Job that is not over controls the pod, or the Job may not have been seen yet.
fn has_running_job(cx: &Cx<'_>, pod: &Pod) -> bool {
    let Some(owner) = controller_of(&pod.metadata) else { return false };
    if !is_kind::<Job>(&owner.kind, &owner.api_version) || !cx.caches.synced(Job::INFO) {
        return true;
    }
    let job = cx.jobs().named(&pod.metadata.namespace, &owner.name);
    job.is_some_and(|job| job.metadata.uid == owner.uid && !is_finished(job))
}
