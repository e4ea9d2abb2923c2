//! What a Job makes of the end of its pods: failure policy, success policy, failures per index.

use api::batch::v1::{Job, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule};
use api::core::v1::{ContainerStatus, Pod};

use super::indexes::Indexes;
use super::only_replaces_failed;

/// How often the pods of this index failed before this pod.
pub const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// How often they failed in ways that the failure policy ignores.
pub const INDEX_IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// Whether the pod failed, or will be replaced as if it had.
pub fn has_failed(job: &Job, pod: &Pod) -> bool {
    let phase = &*pod.status.phase;
    phase == "Failed"
        || !only_replaces_failed(job)
            && pod.metadata.deletion_timestamp.is_some()
            && phase != "Succeeded"
}

/// What the pod failure policy says about a failed pod.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It counts towards the backoff limit.
    Count,
    /// It does not count.
    Ignore,
    /// Its index fails without another try.
    FailIndex,
    /// The whole Job fails, for this reason.
    FailJob(String),
}

/// What the first matching rule says.
pub fn verdict(job: &Job, pod: &Pod) -> Verdict {
    let rules = job.spec.pod_failure_policy.iter().flat_map(|policy| &policy.rules).enumerate();
    for (at, rule) in rules {
        let Some(what) = matched(rule, pod) else { continue };
        match &*rule.action {
            "Ignore" => return Verdict::Ignore,
            "Count" => return Verdict::Count,
            "FailIndex" if job.spec.backoff_limit_per_index.is_some() => return Verdict::FailIndex,
            "FailJob" => {
                let action = &rule.action;
                return Verdict::FailJob(format!("{what} matching {action} rule at index {at}"));
            }
            _ => {}
        }
    }
    Verdict::Count
}

/// What of the pod a rule matches, in words.
fn matched(rule: &PodFailurePolicyRule, pod: &Pod) -> Option<String> {
    let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
    if let Some(codes) = &rule.on_exit_codes {
        let all = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
        let (container, code) = all.filter_map(|status| matched_exit(codes, status)).next()?;
        return Some(format!(
            "Container {} for pod {namespace}/{name} failed with exit code {code}",
            container.name
        ));
    }
    let condition = pod.status.conditions.iter().find(|condition| {
        let same = |pattern: &&api::batch::v1::PodFailurePolicyOnPodConditionsPattern| {
            pattern.type_ == condition.type_ && pattern.status == condition.status
        };
        rule.on_pod_conditions.iter().any(|pattern| same(&pattern))
    })?;
    Some(format!("Pod {namespace}/{name} has condition {}", condition.type_))
}

fn matched_exit<'a>(
    codes: &PodFailurePolicyOnExitCodesRequirement,
    status: &'a ContainerStatus,
) -> Option<(&'a ContainerStatus, i32)> {
    let code = status.state.terminated.as_ref()?.exit_code;
    let named = codes.container_name.as_ref().is_none_or(|name| *name == status.name);
    let listed = codes.values.contains(&code);
    let wanted = match &*codes.operator {
        "In" => listed,
        "NotIn" => !listed,
        _ => false,
    };
    (code != 0 && named && wanted).then_some((status, code))
}

/// Why the whole Job must fail, if a failed pod says so.
pub fn job_failure<'a>(job: &Job, pods: impl Iterator<Item = &'a Pod>) -> Option<String> {
    job.spec.pod_failure_policy.as_ref()?;
    pods.filter(|pod| has_failed(job, pod)).find_map(|pod| match verdict(job, pod) {
        Verdict::FailJob(why) => Some(why),
        _ => None,
    })
}

/// Which rule of the success policy is met, in words.
pub fn success(job: &Job, succeeded: &Indexes) -> Option<String> {
    let completions = job.spec.completions.unwrap_or(0);
    let rules = job.spec.success_policy.iter().flat_map(|policy| &policy.rules).enumerate();
    for (at, rule) in rules.filter(|_| succeeded.total() > 0) {
        let met = match (&rule.succeeded_indexes, rule.succeeded_count) {
            (Some(indexes), count) => {
                let asked = Indexes::parse(indexes, completions);
                asked.common(succeeded) >= count.unwrap_or(asked.total())
            }
            (None, Some(count)) => succeeded.total() >= count,
            (None, None) => false,
        };
        if met {
            return Some(format!("Matched rules at index {at}"));
        }
    }
    None
}

/// Failures of the pod's index before it: counted and ignored ones.
pub fn index_failures(pod: &Pod) -> (i32, i32) {
    let number = |key| pod.metadata.annotations.text(key).and_then(|text| text.parse().ok());
    (number(INDEX_FAILURES).unwrap_or(0), number(INDEX_IGNORED).unwrap_or(0))
}

/// Failures of the index after this pod has failed too.
pub fn index_failures_with(job: &Job, pod: Option<&Pod>) -> (i32, i32) {
    let Some(pod) = pod else { return (0, 0) };
    let (counted, ignored) = index_failures(pod);
    match verdict(job, pod) {
        Verdict::Ignore => (counted, ignored + 1),
        _ => (counted + 1, ignored),
    }
}

/// Whether the failure of this pod makes its index fail.
pub fn fails_index(job: &Job, pod: &Pod) -> bool {
    let limit = job.spec.backoff_limit_per_index.unwrap_or(i32::MAX);
    match verdict(job, pod) {
        Verdict::FailIndex => true,
        Verdict::Ignore => false,
        _ => index_failures(pod).0 >= limit,
    }
}
