//! Counting ended pods exactly once: their uids go to the status before their finalizer goes.

use std::sync::Arc;

use api::batch::v1::{Job, JobStatus};
use api::core::v1::Pod;
use base::{HashSet, Str};
use client::Note;

use super::indexes::index_of;
use super::policy::{self, Verdict};
use super::{Sync, claimed, condition, find, has_valid_index, is_indexed, is_tracked};

/// At most so many pods are counted in one go.
const UNCOUNTED_MAX: usize = 500;

impl Sync<'_> {
    /// Writes the status with the pods to be counted, frees those pods, and counts them.
    pub(super) fn track(&mut self) {
        let tracked = self.pods.iter().filter(|pod| is_tracked(pod));
        let mut tracked: HashSet<Str> = tracked.map(|pod| pod.metadata.uid.clone()).collect();
        count_freed(&mut self.status, &tracked);
        let (freed, is_full) = self.register();
        self.set_indexes();
        self.set_interim();
        let interim = self.status.clone();
        for pod in &freed {
            tracked.remove(&pod.metadata.uid);
        }
        count_freed(&mut self.status, &tracked);
        if !is_full {
            self.set_finished();
        }
        let is_last = self.status == interim;
        if *self.known.status != interim {
            self.write(interim, is_last);
        }
        self.plan.batch(freed.iter().map(|pod| claimed::untrack(pod)).collect());
        if !is_last {
            self.write(self.status.clone(), true);
        }
    }

    fn write(&mut self, status: JobStatus, is_last: bool) {
        let job = Job { status: Arc::new(status), ..self.known.clone() };
        let write = self.plan.status(job);
        if is_last && let Some(note) = self.note.take() {
            write.said(note);
        }
    }

    /// Notes in the status which pods have ended; gives all pods to free, and whether there may be more.
    fn register(&mut self) -> (Vec<Arc<Pod>>, bool) {
        let job = self.known;
        let mut pods = self.pods.clone();
        if is_indexed(job) {
            base::sort::by_key(&mut pods, |pod| index_of(pod).unwrap_or(-1));
        }
        let has_failed = self.finished.as_ref().is_some_and(|finished| {
            finished.type_ != "SuccessCriteriaMet" && finished.type_ != "Complete"
        });
        let uncounted = self.status.uncounted_terminated_pods.get_or_insert_default();
        let known: HashSet<Str> =
            uncounted.failed.iter().chain(&uncounted.succeeded).cloned().collect();
        let (mut freed, mut fresh) = (Vec::new(), 0);
        for pod in pods.iter().filter(|pod| is_tracked(pod)) {
            let (uid, failed) = (&pod.metadata.uid, policy::has_failed(job, pod));
            let succeeded = pod.status.phase == "Succeeded";
            let is_kept = index_of(pod)
                .and_then(|index| self.kept.get(&index))
                .is_some_and(|kept| kept.metadata.uid == *uid);
            let all = job.metadata.deletion_timestamp.is_some() || self.finished.is_some();
            if !(all || succeeded || failed && !is_kept) {
                continue;
            }
            freed.push(pod.clone());
            if succeeded {
                if is_indexed(job) {
                    fresh += usize::from(has_valid_index(job, pod));
                } else if !known.contains(uid) {
                    uncounted.succeeded.push(uid.clone());
                    fresh += 1;
                }
            } else if (failed || has_failed)
                && !known.contains(uid)
                && has_valid_index(job, pod)
                && policy::verdict(job, pod) != Verdict::Ignore
            {
                uncounted.failed.push(uid.clone());
                fresh += 1;
            }
            if fresh >= UNCOUNTED_MAX {
                return (freed, true);
            }
        }
        (freed, false)
    }

    fn set_indexes(&mut self) {
        if is_indexed(self.known) {
            self.status.succeeded = self.succeeded_indexes.total();
            self.status.completed_indexes = self.succeeded_indexes.text();
            self.status.failed_indexes = self.failed_indexes.as_ref().map(|failed| failed.text());
        }
    }

    /// Shows what the Job is coming to, before it has come to it.
    fn set_interim(&mut self) {
        let Some(finished) = self.finished.take() else { return };
        let last = match &*finished.type_ {
            "FailureTarget" => "Failed",
            "SuccessCriteriaMet" => "Complete",
            _ => return self.finished = Some(finished),
        };
        let end = condition(self.cx, last, "True", &finished.reason, &finished.message);
        if find(&self.status.conditions, &finished.type_).is_none() {
            self.status.conditions.push(finished);
        }
        self.finished = Some(end);
    }

    /// Shows that the Job is over, once all pods are counted and none is terminating.
    fn set_finished(&mut self) {
        let uncounted = self.status.uncounted_terminated_pods.as_deref();
        let is_open =
            uncounted.is_some_and(|pods| !pods.failed.is_empty() || !pods.succeeded.is_empty());
        if is_open || self.terminating > 0 {
            return;
        }
        let Some(finished) = self.finished.take() else { return };
        let job = self.known;
        if finished.type_ == "Complete" {
            self.status.completion_time = finished.last_transition_time;
            if job.spec.completions.is_some_and(|asked| self.status.succeeded > asked) {
                let message = "Too many succeeded pods running after completion count reached";
                self.plan.event(job, "Warning", "TooManySucceededPods", message);
            }
            self.note = Some(Note::new(job, "Normal", "Completed", "Job completed"));
        } else {
            let (reason, message) = (finished.reason.clone(), finished.message.clone());
            self.note = Some(Note::new(job, "Warning", reason, message));
        }
        self.status.conditions.push(finished);
    }
}

/// Counts the noted pods that are free of the finalizer.
fn count_freed(status: &mut JobStatus, tracked: &HashSet<Str>) {
    let Some(uncounted) = &mut status.uncounted_terminated_pods else { return };
    let count = |uids: &mut base::List<Str>| {
        let before = uids.len();
        uids.retain(|uid| tracked.contains(uid));
        (before - uids.len()) as i32
    };
    status.failed += count(&mut uncounted.failed);
    status.succeeded += count(&mut uncounted.succeeded);
}
