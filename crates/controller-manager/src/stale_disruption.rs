//! The part of the disruption controller that takes back what was announced and did not come: pods that were to be
//! disrupted and are still there.

use std::sync::Arc;

use api::core::v1::Pod;
use api::object::{Key, Kind, KindInfo};
use api::wire::time_of;
use base::{Duration, Str, lit};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use crate::pods;

/// A pod that is not being deleted by then will not be.
const STALE: Duration = Duration::mins(2);

/// The controller of stale disruptions. Its keys are pods.
#[derive(Clone, Default)]
pub struct StaleDisruption;

impl Reconcile for StaleDisruption {
    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn source(&self) -> &'static str {
        "controllermanager"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Pod::INFO]
    }

    fn workers(&self) -> usize {
        1
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if let Some(left) = delta.after::<Pod>().and_then(|pod| left(cx, pod)) {
            queue.after(delta.key(), left.max(Duration::ZERO));
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(pod) = cx.pods().get(key) else { return plan };
        match left(cx, pod) {
            None => {}
            Some(left) if left > Duration::ZERO => plan.again(left),
            Some(_) => {
                let mut new = pod.clone();
                let conditions = &mut Arc::make_mut(&mut new.status).conditions;
                for known in conditions.iter_mut().filter(|c| c.type_ == "DisruptionTarget") {
                    known.status = lit!("False");
                    (known.reason, known.message) = (Str::new(), Str::new());
                    known.observed_generation = pod.metadata.generation;
                    known.last_transition_time = Some(time_of(cx.now));
                }
                plan.status(new);
            }
        }
        plan
    }
}

/// How long a pod that was to be disrupted still has to be deleted.
fn left(cx: &Cx<'_>, pod: &Pod) -> Option<Duration> {
    let target = pods::condition(pod, "DisruptionTarget").filter(|known| known.status == "True")?;
    let since = target.last_transition_time?.instant();
    pods::is_active(pod).then(|| since + STALE - cx.now)
}

#[cfg(test)]
mod tests {
    use client::Runner;
    use client::testing::{Bench, object};

    use super::*;

    /// The status and reason of the condition after so many seconds.
    fn check(pod: &str, seconds: i64, expect: &str) {
        let pod: Pod = object(&format!(
            r#"{{"metadata": {{"name": "p", "namespace": "d"}}, "spec": {{"nodeName": "n", "containers": []}},
            "status": {{{pod} "conditions": [{{"type": "DisruptionTarget", "status": "True", "reason":
            "EvictionByEvictionAPI", "lastTransitionTime": "2026-01-01T00:00:00Z"}}]}}}}"#
        ));
        let runner = Runner::new("kcm", vec![Box::new(StaleDisruption)]);
        let mut bench = Bench::new(runner, [pod.into()]);
        bench.run(Duration::secs(seconds));
        let pod = bench.api.get::<Pod>("d", "p").expect("it is there");
        let known = &pod.status.conditions[0];
        assert_eq!(format!("{} {}", known.status, known.reason).trim_end(), expect);
    }

    #[test]
    fn a_pod_that_was_not_deleted_after_all_is_no_target_any_more() {
        check("", 119, "True EvictionByEvictionAPI");
        check("", 121, "False");
    }

    #[test]
    fn the_end_of_a_pod_keeps_its_reason() {
        check(r#""phase": "Failed","#, 300, "True EvictionByEvictionAPI");
    }
}
