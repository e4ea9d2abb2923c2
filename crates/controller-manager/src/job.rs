//! The Job controller: runs pods until enough of them have succeeded, or too many have failed.
//!
//! Known deviations:
//! - A sync that failed is retried after 5 ms, doubling, not after 1 s.
//! - Adoption does not first read the Job anew from the API server.
//! - Workloads and pod groups (alpha) are not made.

use std::sync::Arc;

use api::batch::v1::{Job, JobCondition, JobStatus};
use api::core::v1::Pod;
use api::object::{Key, Kind, KindInfo};
use api::selector::Selector;
use api::wire::{Verb, time_of};
use base::{BTreeMap, BTreeSet, Duration, HashMap, HashSet, Str};
use client::owner::selects;
use client::{Cx, Delta, Enqueue, Failure, Note, Plan, Reconcile};

use crate::{claim, pods};

pub mod backoff;
mod claimed;
pub mod indexes;
pub mod orphans;
pub mod policy;
mod scale;
mod track;

use indexes::{Indexes, index_of};

/// The finalizer that keeps a pod until its end is counted.
pub const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// At most so many pods are created or deleted in one go.
const BURST_MAX: usize = 500;

/// Changes of pods and of the status are gathered for so long.
const BATCH: Duration = Duration::secs(1);

/// The Job controller.
#[derive(Clone, Default)]
pub struct Jobs {
    /// Recent failures by Job.
    records: HashMap<Key, backoff::Record>,
}

impl Reconcile for Jobs {
    fn name(&self) -> &'static str {
        "job-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Job::INFO, Pod::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<Job>() {
            let same = match (delta.before::<Job>(), delta.after::<Job>()) {
                (Some(old), Some(new)) => old.metadata.generation == new.metadata.generation,
                _ => false,
            };
            return if same { queue.after(delta.key(), BATCH) } else { queue.add(delta.key()) };
        }
        let mut owners = Enqueue::default();
        claim::owners_of::<Job>(cx, delta, &mut owners, |job, meta| {
            selector_of(job).is_some_and(|selector| selects(&selector, meta))
        });
        for key in owners.drain() {
            queue.after(key, BATCH);
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        self.sync(cx, key, true)
    }

    fn failed(&mut self, cx: &Cx<'_>, key: &Key, failure: &Failure) -> Plan {
        match failure.request.verb {
            Verb::Create(_) => self.sync(cx, key, false),
            _ => Plan::settled(),
        }
    }

    fn reset(&mut self) {
        self.records.clear();
    }
}

impl Jobs {
    /// Looks at a Job; without `scale` it only counts.
    fn sync(&mut self, cx: &Cx<'_>, key: &Key, scale: bool) -> Plan {
        let Some(job) = cx.jobs().get(key) else {
            self.records.remove(key);
            return Plan::settled();
        };
        let other = job.spec.managed_by.as_ref();
        if other.is_some_and(|name| name != "kubernetes.io/job-controller") {
            return Plan::settled();
        }
        if is_finished(job) {
            self.records.remove(key);
            return Plan::settled();
        }
        let Some(selector) = selector_of(job) else { return Plan::settled() };
        let record = self.records.entry(key.clone()).or_default();
        if record.uid != job.metadata.uid {
            *record = backoff::Record::new(job.metadata.uid.clone());
        }
        let mut plan = Plan::settled();
        let pods = claimed::pods(cx, job, &selector, &mut plan);
        let mut sync = Sync::new(*cx, job, pods, plan);
        let (succeeded, failed) = sync.count();
        record.note(&succeeded, &failed);
        sync.wait = record.remaining(cx.now);
        sync.run(scale);
        sync.plan
    }
}

/// One look at one Job.
struct Sync<'a> {
    cx: Cx<'a>,
    /// The Job as the cache has it.
    known: &'a Job,
    /// The status to be.
    status: JobStatus,
    pods: Vec<Arc<Pod>>,
    /// Those of `pods` that have neither ended nor are being deleted.
    active: Vec<Arc<Pod>>,
    plan: Plan,
    /// How long to wait before failed pods are replaced.
    wait: Duration,
    succeeded: i32,
    failed: i32,
    /// The figures of the status, as they will be after the plan.
    active_count: i32,
    ready: i32,
    terminating: i32,
    /// The interim condition (or `Complete`, `Failed`) that the Job has come to.
    finished: Option<JobCondition>,
    succeeded_before: Indexes,
    succeeded_indexes: Indexes,
    failed_indexes: Option<Indexes>,
    /// Failed pods that are kept until another of their index runs, for they hold the failure count.
    kept: BTreeMap<i32, Arc<Pod>>,
    /// What to say once the status is written.
    note: Option<Note>,
}

impl<'a> Sync<'a> {
    fn new(cx: Cx<'a>, job: &'a Job, pods: Vec<Arc<Pod>>, plan: Plan) -> Sync<'a> {
        let active: Vec<Arc<Pod>> =
            pods.iter().filter(|pod| pods::is_active(pod)).cloned().collect();
        let count = |pods: &[Arc<Pod>], test: fn(&Pod) -> bool| {
            pods.iter().filter(|pod| test(pod)).count() as i32
        };
        let mut status = (*job.status).clone();
        status.uncounted_terminated_pods.get_or_insert_default();
        if status.start_time.is_none() && !is_suspended(job) {
            status.start_time = Some(time_of(cx.now));
        }
        Sync {
            known: job,
            status,
            ready: count(&active, pods::is_ready),
            terminating: count(&pods, pods::is_terminating),
            active_count: active.len() as i32,
            pods,
            active,
            plan,
            wait: Duration::ZERO,
            succeeded: 0,
            failed: 0,
            finished: None,
            succeeded_before: Indexes::default(),
            succeeded_indexes: Indexes::default(),
            failed_indexes: None,
            kept: BTreeMap::new(),
            note: None,
            cx,
        }
    }

    /// Counts ended pods; gives those whose end is not yet in the status.
    fn count(&mut self) -> (Vec<&Pod>, Vec<&Pod>) {
        let job = self.known;
        let none = Default::default();
        let uncounted = job.status.uncounted_terminated_pods.as_deref().unwrap_or(&none);
        let fresh = |known: &[Str], test: &dyn Fn(&Pod) -> bool| -> Vec<&Pod> {
            let known: HashSet<&Str> = known.iter().collect();
            self.pods
                .iter()
                .map(|pod| &**pod)
                .filter(|pod| {
                    is_tracked(pod)
                        && !known.contains(&pod.metadata.uid)
                        && has_valid_index(job, pod)
                        && test(pod)
                })
                .collect()
        };
        let succeeded = fresh(&uncounted.succeeded, &|pod| pod.status.phase == "Succeeded");
        let failed = fresh(&uncounted.failed, &|pod| policy::has_failed(job, pod));
        let counted =
            failed.iter().filter(|pod| policy::verdict(job, pod) != policy::Verdict::Ignore);
        self.failed = job.status.failed + (counted.count() + uncounted.failed.len()) as i32;
        self.succeeded =
            job.status.succeeded + (succeeded.len() + uncounted.succeeded.len()) as i32;
        (succeeded, failed)
    }

    fn run(&mut self, scale: bool) {
        self.finished = self.interim();
        if is_indexed(self.known) {
            self.count_indexes();
        }
        if self.finished.is_some() {
            self.delete_active();
        } else {
            self.scale(scale);
        }
        self.status.active = self.active_count;
        self.status.ready = Some(self.ready);
        self.status.terminating = Some(self.terminating);
        self.track();
    }

    fn condition(&self, type_: &'static str, reason: &str, message: &str) -> JobCondition {
        condition(self.cx, type_, "True", reason, message)
    }

    /// Whether the Job has come to its end, by what is known without looking at indexes.
    fn interim(&mut self) -> Option<JobCondition> {
        let job = self.known;
        let now = self.cx.now;
        if let Some(met) = find(&job.status.conditions, "SuccessCriteriaMet") {
            return Some(met.clone());
        }
        if let Some(target) = find(&job.status.conditions, "FailureTarget") {
            return Some(self.condition("Failed", &target.reason, &target.message));
        }
        if let Some(why) = policy::job_failure(job, self.pods.iter().map(|pod| &**pod)) {
            return Some(self.condition("FailureTarget", "PodFailurePolicy", &why));
        }
        let limit = job.spec.backoff_limit.unwrap_or(6);
        if self.failed > limit || self.restarted_too_often(limit) {
            let message = "Job has reached the specified backoff limit";
            return Some(self.condition("FailureTarget", "BackoffLimitExceeded", message));
        }
        let deadline = job.spec.active_deadline_seconds.filter(|_| !is_suspended(job))?;
        let end = self.status.start_time?.instant() + Duration::secs(deadline);
        if end <= now {
            let message = "Job was active longer than specified deadline";
            return Some(self.condition("FailureTarget", "DeadlineExceeded", message));
        }
        self.plan.again(end - now);
        None
    }

    fn restarted_too_often(&self, limit: i32) -> bool {
        if self.known.spec.template.spec.restart_policy != "OnFailure" {
            return false;
        }
        let lives = |pod: &&Arc<Pod>| matches!(&*pod.status.phase, "Running" | "Pending");
        let restarts = self.pods.iter().filter(lives).flat_map(|pod| {
            let status = &pod.status;
            let all = status.container_statuses.iter().chain(&status.init_container_statuses);
            all.map(|status| status.restart_count)
        });
        let restarts: i32 = restarts.sum();
        restarts > 0 && restarts >= limit
    }

    /// Works out which indexes have succeeded and failed, and whether that ends the Job.
    fn count_indexes(&mut self) {
        let job = self.known;
        let end = job.spec.completions.unwrap_or(0);
        self.succeeded_before = Indexes::parse(&job.status.completed_indexes, end);
        let tracked =
            || self.pods.iter().filter(|pod| is_tracked(pod) && has_valid_index(job, pod));
        let of = |test: &dyn Fn(&Pod) -> bool| -> BTreeSet<i32> {
            tracked().filter(|pod| test(pod)).filter_map(|pod| index_of(pod)).collect()
        };
        let new = of(&|pod| pod.status.phase == "Succeeded");
        self.succeeded_indexes = self.succeeded_before.with(&new);
        self.succeeded = self.succeeded_indexes.total();
        if job.spec.backoff_limit_per_index.is_some() {
            let before = Indexes::parse(job.status.failed_indexes.as_deref().unwrap_or(""), end);
            let new = of(&|pod| policy::has_failed(job, pod) && policy::fails_index(job, pod));
            self.fail_by_index(before.with(&new));
            self.keep_last_failed();
        }
        if self.finished.is_none()
            && let Some(message) = policy::success(job, &self.succeeded_indexes)
        {
            self.finished = Some(self.condition("SuccessCriteriaMet", "SuccessPolicy", &message));
        }
    }

    fn fail_by_index(&mut self, failed: Indexes) {
        let spec = &self.known.spec;
        let (total, end) = (failed.total(), spec.completions.unwrap_or(0));
        if self.finished.is_none() {
            if spec.max_failed_indexes.is_some_and(|max| total > max) {
                let message = "Job has exceeded the specified maximal number of failed indexes";
                let reason = "MaxFailedIndexesExceeded";
                self.finished = Some(self.condition("FailureTarget", reason, message));
            } else if total > 0 && total + self.succeeded >= end {
                let message = "Job has failed indexes";
                self.finished = Some(self.condition("FailureTarget", "FailedIndexes", message));
            }
        }
        self.failed_indexes = Some(failed);
    }

    /// Of each index that waits for another try, the last failed pod stays.
    fn keep_last_failed(&mut self) {
        let job = self.known;
        let active: HashSet<i32> = self.active.iter().filter_map(|pod| index_of(pod)).collect();
        let is_over = |index: i32| {
            self.succeeded_indexes.has(index)
                || self.failed_indexes.as_ref().is_some_and(|failed| failed.has(index))
                || active.contains(&index)
        };
        let rank = |pod: &Pod| {
            let (counted, ignored) = policy::index_failures(pod);
            (counted + ignored, backoff::finished_at(pod))
        };
        for pod in self.pods.iter().filter(|pod| is_tracked(pod) && has_valid_index(job, pod)) {
            let Some(index) = index_of(pod).filter(|index| !is_over(*index)) else { continue };
            if policy::has_failed(job, pod)
                && self.kept.get(&index).is_none_or(|known| rank(known) <= rank(pod))
            {
                self.kept.insert(index, pod.clone());
            }
        }
    }
}

/// Whether the Job has a condition that says it is over.
pub fn is_finished(job: &Job) -> bool {
    finished_condition(job).is_some()
}

/// The condition `Complete` or `Failed` of a Job that is over.
pub fn finished_condition(job: &Job) -> Option<&JobCondition> {
    job.status.conditions.iter().find(|condition| {
        matches!(&*condition.type_, "Complete" | "Failed") && condition.status == "True"
    })
}

fn find<'a>(conditions: &'a [JobCondition], type_: &str) -> Option<&'a JobCondition> {
    conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")
}

fn condition(cx: Cx<'_>, type_: &str, status: &str, reason: &str, message: &str) -> JobCondition {
    JobCondition {
        type_: type_.into(),
        status: status.into(),
        reason: reason.into(),
        message: message.into(),
        last_probe_time: Some(time_of(cx.now)),
        last_transition_time: Some(time_of(cx.now)),
    }
}

fn selector_of(job: &Job) -> Option<Selector> {
    Selector::of(job.spec.selector.as_ref()?).ok()
}

fn is_suspended(job: &Job) -> bool {
    job.spec.suspend == Some(true)
}

fn is_indexed(job: &Job) -> bool {
    job.spec.completion_mode.as_deref() == Some("Indexed")
}

/// Whether pods are replaced only when they have ended, not already when they are being deleted.
fn only_replaces_failed(job: &Job) -> bool {
    let policy = job.spec.pod_replacement_policy.as_deref();
    policy == Some("Failed") || job.spec.pod_failure_policy.is_some()
}

fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().any(|finalizer| finalizer == TRACKING)
}

/// Whether the pod counts: in an Indexed Job only with an index that is asked for.
fn has_valid_index(job: &Job, pod: &Pod) -> bool {
    let end = job.spec.completions.unwrap_or(0);
    !is_indexed(job) || index_of(pod).is_some_and(|index| index < end)
}

#[cfg(test)]
mod tests;
