//! The TTL-after-finished controller: deletes Jobs some time after they are over.
//!
//! Known deviations:
//! - The Job is not first read anew from the API server; the deletion names its uid.

use api::batch::v1::Job;
use api::meta::v1::DeleteOptions;
use api::object::{Key, Kind, KindInfo};
use base::{Duration, Instant, lit};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use crate::job::finished_condition;

/// The TTL-after-finished controller.
#[derive(Clone, Default)]
pub struct JobTtl;

impl Reconcile for JobTtl {
    fn name(&self) -> &'static str {
        "ttl-after-finished-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Job::INFO]
    }

    fn on_delta(&mut self, _cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.after::<Job>().is_some_and(|job| expires(job).is_some()) {
            queue.add(delta.key());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(job) = cx.jobs().get(key) else { return plan };
        let Some(at) = expires(job) else { return plan };
        if at > cx.now {
            return Plan::after(at - cx.now);
        }
        let foreground = Some(lit!("Foreground"));
        plan.delete(job, DeleteOptions { propagation_policy: foreground, ..Default::default() });
        plan
    }
}

/// When a Job that is over expires; `None` if it never does or is being deleted.
fn expires(job: &Job) -> Option<Instant> {
    let ttl = Duration::secs(job.spec.ttl_seconds_after_finished?.into());
    let end = finished_condition(job)?.last_transition_time?;
    job.metadata.deletion_timestamp.is_none().then(|| end.instant() + ttl)
}

#[cfg(test)]
mod tests {
    use client::Runner;
    use client::testing::{Bench, object};

    use super::*;

    fn check(spec: &str, conditions: &str, expect: [&str; 2]) {
        let job: Job = object(&format!(
            r#"{{"metadata": {{"name": "work", "namespace": "d"}}, "spec": {{{spec} "template": {{"spec":
            {{"containers": []}}}}}}, "status": {{"conditions": [{conditions}]}}}}"#
        ));
        let mut bench = Bench::new(Runner::new("kcm", vec![Box::new(JobTtl)]), [job.into()]);
        bench.run(Duration::secs(59));
        assert_eq!(bench.take_log(), expect[0], "{spec} after 59 s");
        bench.run(Duration::secs(1));
        assert_eq!(bench.take_log(), expect[1], "{spec} after 60 s");
    }

    const OVER: &str =
        r#"{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}"#;

    #[test]
    fn a_job_that_is_over_goes_when_its_time_is_up() {
        check(r#""ttlSecondsAfterFinished": 60,"#, OVER, ["", "-Job work"]);
        check(r#""ttlSecondsAfterFinished": 0,"#, OVER, ["-Job work", ""]);
    }

    #[test]
    fn a_job_that_runs_or_has_no_limit_stays() {
        check(r#""ttlSecondsAfterFinished": 0,"#, "", ["", ""]);
        check("", OVER, ["", ""]);
    }
}
