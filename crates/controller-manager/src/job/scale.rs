//! How many pods of a Job run at once.

use std::sync::Arc;

use api::batch::v1::Job;
use api::core::v1::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod, PodTemplateSpec};
use base::{BTreeMap, BTreeSet, Duration, HashMap, Str, lit};
use client::{Note, Write};

use super::indexes::{INDEX, index_of};
use super::{BURST_MAX, Sync, TRACKING, backoff, claimed, condition, is_indexed, is_suspended};
use super::{only_replaces_failed, policy};
use crate::replica_set::rank;
use crate::{pods, template};

/// The environment variable with the completion index.
const INDEX_ENV: Str = lit!("JOB_COMPLETION_INDEX");

impl Sync<'_> {
    /// Deletes all active pods, as the Job has come to its end. They count as failed if it has failed.
    pub(super) fn delete_active(&mut self) {
        let pods = std::mem::take(&mut self.active);
        self.gone(&pods);
        self.plan.batch(pods.iter().map(|pod| delete(self.known, pod)).collect());
    }

    fn gone(&mut self, pods: &[Arc<Pod>]) {
        self.active_count -= pods.len() as i32;
        self.terminating += pods.len() as i32;
        self.ready -= pods.iter().filter(|pod| pods::is_ready(pod)).count() as i32;
    }

    /// Creates or deletes pods, and sees whether that was all.
    pub(super) fn scale(&mut self, allowed: bool) {
        let job = self.known;
        let allowed = allowed && job.metadata.deletion_timestamp.is_none();
        if allowed {
            self.resize();
        }
        let is_complete = match job.spec.completions {
            None => self.succeeded > 0 && self.active_count == 0,
            Some(completions) => self.succeeded >= completions && self.active_count == 0,
        };
        if is_complete {
            let message = "Reached expected number of succeeded pods";
            self.finished =
                Some(self.condition("SuccessCriteriaMet", "CompletionsReached", message));
        } else if allowed {
            self.note_suspension();
        }
    }

    /// Shows in the Suspended condition that the Job was suspended or resumed.
    fn note_suspension(&mut self) {
        let suspended = is_suspended(self.known);
        let (status, word, reason, message) = match suspended {
            true => ("True", "Suspended", "JobSuspended", "Job suspended"),
            false => ("False", "Resumed", "JobResumed", "Job resumed"),
        };
        let at = self.status.conditions.iter().position(|known| known.type_ == "Suspended");
        let new = condition(self.cx, "Suspended", status, reason, message);
        match at {
            None if suspended => self.status.conditions.push(new),
            Some(at) if self.status.conditions[at].status != status => {
                self.status.conditions[at] = new;
            }
            _ => return,
        }
        if !suspended {
            self.status.start_time = Some(api::wire::time_of(self.cx.now));
        }
        self.note = Some(Note::new(self.known, "Normal", word, message));
    }

    fn resize(&mut self) {
        let job = self.known;
        let want = match (is_suspended(job), job.spec.completions) {
            (true, _) => 0,
            (_, None) if self.succeeded > 0 => self.active_count,
            (_, None) => parallelism(job),
            (_, Some(completions)) => (completions - self.succeeded).clamp(0, parallelism(job)),
        };
        let surplus = usize::try_from(self.active_count - want).unwrap_or(0);
        let mut going = self.surplus(surplus);
        going.truncate(if is_suspended(job) { going.len() } else { BURST_MAX });
        if !going.is_empty() {
            self.gone(&going);
            self.plan.batch(going.iter().map(|pod| claimed::untrack(pod)).collect());
            self.plan.batch(going.iter().map(|pod| delete(job, pod)).collect());
            return;
        }
        let terminating = if only_replaces_failed(job) { self.terminating } else { 0 };
        let missing = usize::try_from(want - terminating - self.active_count).unwrap_or(0);
        if missing > 0 && !is_suspended(job) {
            self.create(missing.min(BURST_MAX));
        }
    }

    /// Pods to give up: those with a superfluous index and, if `count` is more, the least useful others.
    fn surplus(&self, count: usize) -> Vec<Arc<Pod>> {
        let (mut going, left) = match is_indexed(self.known) {
            true => self.duplicates(),
            false => (Vec::new(), self.active.clone()),
        };
        if going.len() < count {
            let rest = count - going.len();
            going.extend(self.ranked(&left).into_iter().take(rest));
        }
        going
    }

    fn ranked(&self, pods: &[Arc<Pod>]) -> Vec<Arc<Pod>> {
        let plain: Vec<&Pod> = pods.iter().map(|pod| &**pod).collect();
        let by_uid: HashMap<&Str, &Arc<Pod>> =
            pods.iter().map(|pod| (&pod.metadata.uid, pod)).collect();
        let ranked = rank::deletion_order(&plain, &[], self.cx.now);
        ranked.into_iter().map(|pod| by_uid[&pod.metadata.uid].clone()).collect()
    }

    /// Active pods without a valid index or with one that another pod has, and all others.
    fn duplicates(&self) -> (Vec<Arc<Pod>>, Vec<Arc<Pod>>) {
        let end = self.known.spec.completions.unwrap_or(0);
        let mut by_index: BTreeMap<i32, Vec<Arc<Pod>>> = Default::default();
        for pod in &self.active {
            by_index.entry(index_of(pod).unwrap_or(-1)).or_default().push(pod.clone());
        }
        let (mut going, mut left) = (Vec::new(), Vec::new());
        for (index, mut pods) in by_index {
            if index < 0 || index >= end {
                going.append(&mut pods);
            } else if pods.len() == 1 {
                left.append(&mut pods);
            } else {
                let mut ranked = self.ranked(&pods);
                left.extend(ranked.pop());
                going.append(&mut ranked);
            }
        }
        (going, left)
    }

    /// Creates pods unless the Job waits after a failure; while it waits, its status shows no active pods, whatever
    /// runs, as upstream's does.
    fn create(&mut self, count: usize) {
        let job = self.known;
        let per_index = job.spec.backoff_limit_per_index.is_some();
        if !per_index && self.wait > Duration::ZERO {
            self.plan.again(self.wait);
            self.active_count = 0;
            return;
        }
        let template = prepared(job);
        if !is_indexed(job) {
            let pod = template::pod(&template, job);
            self.active_count += count as i32;
            self.plan.slow_start((0..count).map(|_| create(job, pod.clone())).collect());
            return;
        }
        let mut indexes = self.pending(count);
        if per_index {
            let waits = |index: &i32| self.wait_of(*index);
            let least = indexes.iter().map(waits).min().unwrap_or(Duration::ZERO);
            if least > Duration::ZERO {
                self.plan.again(least);
                self.active_count = 0;
                return;
            }
            indexes.retain(|index| waits(index) == Duration::ZERO);
        }
        self.active_count += indexes.len() as i32;
        let pods = indexes.iter().map(|index| create(job, self.indexed(&template, *index)));
        self.plan.slow_start(pods.collect());
    }

    /// The next indexes that need a pod.
    fn pending(&self, count: usize) -> Vec<i32> {
        let job = self.known;
        let waits_for = |pod: &&Arc<Pod>| {
            pods::is_active(pod) || only_replaces_failed(job) && pods::is_terminating(pod)
        };
        let busy: BTreeSet<i32> =
            self.pods.iter().filter(waits_for).filter_map(|pod| index_of(pod)).collect();
        let mut taken = self.succeeded_indexes.with(&busy);
        if let Some(failed) = &self.failed_indexes {
            taken = taken.union(failed);
        }
        taken.first_missing(count, job.spec.completions.unwrap_or(0))
    }

    /// How long an index must wait for its next try.
    fn wait_of(&self, index: i32) -> Duration {
        let Some(pod) = self.kept.get(&index) else { return Duration::ZERO };
        let (counted, ignored) = policy::index_failures(pod);
        let failures = (counted + ignored + 1).max(0) as u32;
        backoff::remaining(failures, backoff::finished_at(pod), self.cx.now)
    }

    fn indexed(&self, template: &PodTemplateSpec, index: i32) -> Pod {
        let job = self.known;
        let mut pod = template::pod(template, job);
        pod.spec.edit().hostname = format!("{}-{index}", job.metadata.name).into();
        let meta = Arc::make_mut(&mut pod.metadata);
        meta.generate_name = generate_name(&job.metadata.name, index);
        meta.labels.insert(INDEX, index.to_string().into());
        meta.annotations.insert(INDEX, index.to_string().into());
        if job.spec.backoff_limit_per_index.is_some() {
            let kept = self.kept.get(&index).map(|pod| &**pod);
            let (counted, ignored) = policy::index_failures_with(job, kept);
            meta.annotations.insert(policy::INDEX_FAILURES, counted.to_string().into());
            if ignored > 0 {
                meta.annotations.insert(policy::INDEX_IGNORED, ignored.to_string().into());
            }
        }
        pod
    }
}

fn parallelism(job: &Job) -> i32 {
    job.spec.parallelism.unwrap_or(1)
}

/// The template with what all pods of the Job get.
fn prepared(job: &Job) -> PodTemplateSpec {
    let mut template = job.spec.template.clone();
    let finalizers = &mut template.metadata.finalizers;
    if finalizers.iter().all(|known| known != TRACKING) {
        finalizers.push(TRACKING.into());
    }
    if is_indexed(job) {
        let spec = &mut template.spec;
        spec.init_containers.iter_mut().chain(&mut spec.containers).for_each(tell_index);
    }
    template
}

fn tell_index(container: &mut Container) {
    if container.env.iter().any(|env| env.name == INDEX_ENV) {
        return;
    }
    let field = ObjectFieldSelector {
        field_path: format!("metadata.labels['{INDEX}']").into(),
        ..Default::default()
    };
    let source = EnvVarSource { field_ref: Some(Box::new(field)), ..Default::default() };
    container.env.push(EnvVar {
        name: INDEX_ENV,
        value_from: Some(Box::new(source)),
        ..EnvVar::default()
    });
}

/// `NAME-INDEX-`, with the name cut so that a suffix of five letters fits.
fn generate_name(job: &str, index: i32) -> Str {
    const PREFIX_MAX: usize = 58;
    let tail = format!("-{index}-");
    let job = &job[..job.len().min(PREFIX_MAX.saturating_sub(tail.len()))];
    format!("{job}{tail}").into()
}

fn create(job: &Job, pod: Pod) -> Write {
    let mut write = Write::create(pod);
    write.said(Note::new(job, "Normal", "SuccessfulCreate", "Created pod: {name}"));
    write.or_said(Note::new(job, "Warning", "FailedCreate", "Error creating: {error}"));
    write
}

fn delete(job: &Job, pod: &Pod) -> Write {
    let mut write = Write::delete(pod, Default::default());
    let message = format!("Deleted pod: {}", pod.metadata.name);
    write.said(Note::new(job, "Normal", "SuccessfulDelete", message));
    write.or_said(Note::new(job, "Warning", "FailedDelete", "Error deleting: {error}"));
    write
}
