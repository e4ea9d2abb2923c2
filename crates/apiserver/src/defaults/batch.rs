//! `batch`: Jobs and CronJobs.
//!
//! Models the defaults of `batch/v1`.
//!
//! Known deviations: none.

use std::sync::Arc;

use api::Object;
use api::batch::v1::{CronJob, Job, JobSpec};
use base::lit;

use super::{by_kind, missing, part, template, text};

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object, Job => job, CronJob => cron_job);
}

fn job(job: &mut Job) {
    let labels = &job.spec.template.metadata.labels;
    if job.metadata.labels.is_empty() && !labels.is_empty() {
        Arc::make_mut(&mut job.metadata).labels = labels.clone();
    }
    part(&mut job.spec, |spec| {
        if spec.completions.is_none() && spec.parallelism.is_none() {
            spec.completions = Some(1);
        }
        missing(&mut spec.parallelism, 1);
        let per_index = spec.backoff_limit_per_index.is_some();
        missing(&mut spec.backoff_limit, if per_index { i32::MAX } else { 6 });
        missing(&mut spec.completion_mode, lit!("NonIndexed"));
        missing(&mut spec.suspend, false);
        missing(&mut spec.manual_selector, false);
        let replaced =
            if spec.pod_failure_policy.is_some() { "Failed" } else { "TerminatingOrFailed" };
        missing(&mut spec.pod_replacement_policy, replaced.into());
        job_template(spec);
    });
}

/// What is filled in for the jobs of a CronJob, too.
fn job_template(spec: &mut JobSpec) {
    if let Some(policy) = &mut spec.pod_failure_policy {
        for rule in policy.rules.iter_mut() {
            for pattern in rule.on_pod_conditions.iter_mut() {
                text(&mut pattern.status, lit!("True"));
            }
        }
    }
    template::spec(&mut spec.template.spec);
}

fn cron_job(cron: &mut CronJob) {
    part(&mut cron.spec, |spec| {
        text(&mut spec.concurrency_policy, lit!("Allow"));
        missing(&mut spec.suspend, false);
        missing(&mut spec.successful_jobs_history_limit, 3);
        missing(&mut spec.failed_jobs_history_limit, 1);
        job_template(&mut spec.job_template.spec);
    });
}
