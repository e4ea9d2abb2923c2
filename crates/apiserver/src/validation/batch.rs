//! `batch`: Jobs and CronJobs.
//!
//! Models `pkg/apis/batch/validation` of Kubernetes.
//!
//! Known deviations:
//! - The indexes of a success policy are not parsed.

use api::Object;
use api::batch::v1::{CronJob, CronJobSpec, Job, JobSpec, PodFailurePolicy};
use api::codec::Map;
use api::selector::Selector;
use base::Str;

use super::check::{Errors, json, json_map};
use super::core::template::pod_template;
use super::path::Path;
use super::{cron, selector};

const CRON_JOB_NAME_MAX: usize = 52;
const INDEXED_MAX: i32 = 100_000;

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(job) = object.get::<Job>() {
        generated(e, job);
        let at = Path::root("spec");
        job_spec(e, &job.spec, &at);
        selected(e, &job.spec, &at);
    } else if let Some(cron) = object.get::<CronJob>() {
        cron_job(e, &cron.spec, &Path::root("spec"));
        if cron.metadata.name.len() > CRON_JOB_NAME_MAX {
            let why = "must be no more than 52 characters";
            e.invalid(&Path::root("metadata.name"), &cron.metadata.name, why);
        }
    }
}

/// The selector and the labels that the server makes are those of the job.
fn generated(e: &mut Errors, job: &Job) {
    if job.spec.manual_selector == Some(true) {
        return;
    }
    let Some(given) = &job.spec.selector else { return };
    let (name, uid) = (&job.metadata.name, &job.metadata.uid);
    let expected: Map<Str> = [
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
        ("controller-uid", uid),
        ("job-name", name),
    ]
    .into_iter()
    .map(|(key, value)| (key, value.clone()))
    .collect();
    if Selector::of(given).is_ok_and(|selector| !selector.matches(|key| expected.text(key))) {
        let why = "`selector` not auto-generated";
        e.invalid(&Path::root("spec.selector"), &selector::shown(given), why);
    }
    let labels = &job.spec.template.metadata.labels;
    let at = Path::root("spec.template.metadata.labels");
    for (key, value) in expected.iter() {
        let why = format!("must be '{value}'");
        match labels.get(key) {
            None => e.required(&at.key(key), &why),
            Some(found) if found != value => e.invalid(&at.key(key), &json_map(labels), &why),
            Some(_) => {}
        }
    }
}

fn selected(e: &mut Errors, spec: &JobSpec, at: &Path) {
    let Some(given) = &spec.selector else {
        e.required(&at.child("selector"), "");
        return;
    };
    selector::check(e, &at.child("selector"), given);
    let labels = &spec.template.metadata.labels;
    if Selector::of(given).is_ok_and(|selector| !selector.matches(|key| labels.text(key))) {
        let why = "`selector` does not match template `labels`";
        e.invalid(&at.child("template.metadata.labels"), &json_map(labels), why);
    }
}

fn job_spec(e: &mut Errors, spec: &JobSpec, at: &Path) {
    e.not_negative_if(&at.child("parallelism"), spec.parallelism);
    e.not_negative_if(&at.child("completions"), spec.completions);
    e.not_negative_if(&at.child("activeDeadlineSeconds"), spec.active_deadline_seconds);
    e.not_negative_if(&at.child("backoffLimit"), spec.backoff_limit);
    e.not_negative_if(&at.child("ttlSecondsAfterFinished"), spec.ttl_seconds_after_finished);
    per_index(e, spec, at);
    if let Some(mode) = &spec.completion_mode {
        let at_mode = at.child("completionMode");
        e.one_of_if(&at_mode, Some(mode), &["NonIndexed", "Indexed"]);
        if mode == "Indexed" {
            if spec.completions.is_none() {
                let why = "when completion mode is Indexed";
                e.required(&at.child("completions"), why);
            }
            if let Some(parallel) = spec.parallelism.filter(|parallel| *parallel > INDEXED_MAX) {
                let why = format!(
                    "must be less than or equal to {INDEXED_MAX} when completion mode is Indexed"
                );
                e.invalid(&at.child("parallelism"), &parallel, &why);
            }
        }
    }
    if let Some(manager) = &spec.managed_by {
        let at = at.child("managedBy");
        for (value, complaint) in api::names::domain_prefixed_path(manager) {
            e.invalid(&at, value.as_str(), &complaint);
        }
        if manager.len() > 63 {
            e.too_long(&at, 63);
        }
    }
    if let Some(policy) = &spec.pod_failure_policy {
        failure_policy(e, spec, policy, &at.child("podFailurePolicy"));
    }
    if let Some(policy) = &spec.success_policy {
        let at = at.child("successPolicy");
        if spec.completion_mode.as_deref() != Some("Indexed") {
            let why = "requires indexed completion mode";
            e.invalid(&at, &json(&**policy), why);
        }
        if policy.rules.is_empty() {
            e.required(
                &at.child("rules"),
                "at least one rules must be specified when the successPolicy is specified",
            );
        }
    }
    let policies = match spec.pod_failure_policy.is_some() {
        true => &["Failed"][..],
        false => &["Failed", "TerminatingOrFailed"][..],
    };
    let policy = spec.pod_replacement_policy.as_ref();
    e.one_of_if(&at.child("podReplacementPolicy"), policy, policies);
    let template = at.child("template");
    pod_template(e, &spec.template, &template);
    let policy = &spec.template.spec.restart_policy;
    let policy_at = template.child("spec.restartPolicy");
    match policy.as_str() {
        "" | "Always" => e.required(&policy_at, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if spec.pod_failure_policy.is_some() => {
            let why = "only \"Never\" is supported when podFailurePolicy is specified";
            e.invalid(&policy_at, policy, why);
        }
        "OnFailure" | "Never" => {}
        other => e.unsupported(&policy_at, other, &["OnFailure", "Never"]),
    }
}

fn per_index(e: &mut Errors, spec: &JobSpec, at: &Path) {
    let indexed = spec.completion_mode.as_deref() == Some("Indexed");
    if let Some(limit) = spec.backoff_limit_per_index {
        let at = at.child("backoffLimitPerIndex");
        e.not_negative(&at, limit.into());
        if !indexed {
            e.invalid(&at, &limit, "requires indexed completion mode");
        }
    }
    if let Some(limit) = spec.max_failed_indexes {
        let at_limit = at.child("maxFailedIndexes");
        e.not_negative(&at_limit, limit.into());
        if spec.backoff_limit_per_index.is_none() {
            let why = "when maxFailedIndexes is specified";
            e.required(&at.child("backoffLimitPerIndex"), why);
        }
        if spec.completions.is_some_and(|completions| limit > completions) {
            e.invalid(&at_limit, &limit, "must be less than or equal to completions");
        }
    }
}

fn failure_policy(e: &mut Errors, spec: &JobSpec, policy: &PodFailurePolicy, at: &Path) {
    let list = at.child("rules");
    if policy.rules.len() > 20 {
        e.too_many(&list, policy.rules.len(), 20);
    }
    let names = spec.template.spec.containers.iter();
    let names = names.chain(spec.template.spec.init_containers.iter()).map(|c| &c.name);
    for (i, rule) in policy.rules.iter().enumerate() {
        let at = list.index(i);
        let actions = ["Count", "FailIndex", "FailJob", "Ignore"];
        e.one_of(&at.child("action"), &rule.action, &actions);
        if rule.action == "FailIndex" && spec.backoff_limit_per_index.is_none() {
            let why = "requires the backoffLimitPerIndex to be set";
            e.invalid(&at.child("action"), &rule.action, why);
        }
        if let Some(codes) = &rule.on_exit_codes {
            let at = at.child("onExitCodes");
            let operators = ["In", "NotIn"];
            e.one_of(&at.child("operator"), &codes.operator, &operators);
            if let Some(name) = &codes.container_name
                && !names.clone().any(|known| known == name)
            {
                let why = "must be one of the container or initContainer names in the pod template";
                e.invalid(&at.child("containerName"), name, why);
            }
            let values = at.child("values");
            if codes.values.is_empty() {
                e.invalid(
                    &values,
                    &super::check::Raw("[]".into()),
                    "at least one value is required",
                );
            } else if codes.values.len() > 255 {
                e.too_many(&values, codes.values.len(), 255);
            }
            for (j, code) in codes.values.iter().enumerate() {
                if codes.operator == "In" && *code == 0 {
                    e.invalid(&values.index(j), code, "must not be 0 for the In operator");
                }
                if codes.values[..j].contains(code) {
                    e.duplicate(&values.index(j), code);
                }
            }
        }
        for (j, pattern) in rule.on_pod_conditions.iter().enumerate() {
            let at = at.child("onPodConditions");
            let at = at.index(j);
            e.qualified(&at.child("type"), &pattern.type_);
            e.one_of(&at.child("status"), &pattern.status, &["False", "True", "Unknown"]);
        }
        match (&rule.on_exit_codes, rule.on_pod_conditions.is_empty()) {
            (Some(_), false) => {
                let why = "specifying both OnExitCodes and OnPodConditions is not supported";
                e.invalid(&at, &json(rule), why);
            }
            (None, true) => {
                let why = "specifying one of OnExitCodes and OnPodConditions is required";
                e.invalid(&at, &json(rule), why);
            }
            _ => {}
        }
    }
}

fn cron_job(e: &mut Errors, spec: &CronJobSpec, at: &Path) {
    if spec.schedule.is_empty() {
        e.required(&at.child("schedule"), "");
    } else {
        schedule(e, spec, at);
    }
    e.not_negative_if(&at.child("startingDeadlineSeconds"), spec.starting_deadline_seconds);
    if let Some(zone) = &spec.time_zone {
        let at = at.child("timeZone");
        if zone.is_empty() {
            e.invalid(&at, zone, "timeZone must be nil or non-empty string");
        } else if zone.eq_ignore_ascii_case("Local") {
            e.invalid(&at, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
        }
    }
    let policies = ["Allow", "Forbid", "Replace"];
    e.one_of(&at.child("concurrencyPolicy"), &spec.concurrency_policy, &policies);
    let job = at.child("jobTemplate.spec");
    job_spec(e, &spec.job_template.spec, &job);
    if spec.job_template.spec.selector.is_some() {
        let given = spec.job_template.spec.selector.as_deref().cloned().unwrap_or_default();
        let why = "`selector` will be auto-generated";
        e.invalid(&job.child("selector"), &selector::shown(&given), why);
    }
    if spec.job_template.spec.manual_selector == Some(true) {
        e.unsupported(&job.child("manualSelector"), &true, &["nil", "false"]);
    }
    e.not_negative_if(&at.child("successfulJobsHistoryLimit"), spec.successful_jobs_history_limit);
    e.not_negative_if(&at.child("failedJobsHistoryLimit"), spec.failed_jobs_history_limit);
}

fn schedule(e: &mut Errors, spec: &CronJobSpec, at: &Path) {
    let at = at.child("schedule");
    if let Err(problem) = cron::parse(&spec.schedule) {
        e.invalid(&at, &spec.schedule, &problem);
    }
    if spec.schedule.contains("TZ") {
        if spec.time_zone.is_some() {
            let why = "cannot use both timeZone field and TZ or CRON_TZ in schedule";
            e.invalid(&at, &spec.schedule, why);
        } else {
            let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
            e.invalid(&at, &spec.schedule, why);
        }
    }
}
