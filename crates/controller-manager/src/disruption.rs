//! The disruption controller: how many pods of a budget may go right now.
//!
//! Known deviations:
//! - Of owners that are custom resources with a scale, the number of pods is what is there.

use std::sync::Arc;

use api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use api::core::v1::{Pod, ReplicationController};
use api::meta::v1::{Condition, OwnerReference};
use api::object::{Key, Kind, KindInfo};
use api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use api::selector::Selector;
use api::wire::time_of;
use base::{BTreeMap, Duration, Str, lit};
use client::owner::{controller_of, selects};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use crate::{claim, pods};

/// An evicted pod that is not gone by then counts as there again.
const DELETION_TIMEOUT: Duration = Duration::mins(2);

/// The disruption controller.
#[derive(Clone, Default)]
pub struct Disruption;

impl Reconcile for Disruption {
    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn source(&self) -> &'static str {
        "controllermanager"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![
            PodDisruptionBudget::INFO,
            Pod::INFO,
            ReplicaSet::INFO,
            Deployment::INFO,
            StatefulSet::INFO,
            ReplicationController::INFO,
        ]
    }

    fn workers(&self) -> usize {
        1
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<PodDisruptionBudget>() {
            return queue.add(delta.key());
        }
        let Some(pod) = delta.of::<Pod>() else { return };
        let view = |pod: &Pod| {
            (pods::is_ready(pod), pods::is_terminal(pod), pod.metadata.deletion_timestamp.is_some())
        };
        let before = delta.before::<Pod>();
        let same = before.is_some_and(|old| {
            view(old) == view(pod) && old.metadata.labels == pod.metadata.labels
        });
        if same && !delta.deleted() {
            return;
        }
        for budget in cx.all::<PodDisruptionBudget>().in_namespace(&pod.metadata.namespace) {
            let Ok(selector) = Selector::of_optional(budget.spec.selector.as_deref()) else {
                continue;
            };
            let old = before.is_some_and(|old| selects(&selector, &old.metadata));
            if old || selects(&selector, &pod.metadata) {
                queue.of(&budget.metadata);
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(budget) = cx.all::<PodDisruptionBudget>().get(key) else { return plan };
        let Ok(selector) = Selector::of_optional(budget.spec.selector.as_deref()) else {
            return plan;
        };
        let pods: Vec<&Pod> = cx.pods().selected(&key.namespace, &selector).collect();
        if pods.is_empty() {
            plan.event(budget, "Normal", "NoPods", "No matching pods found");
        }
        let pods: Vec<&Pod> = pods.into_iter().filter(|pod| !pods::is_terminal(pod)).collect();
        let status = match expected(cx, budget, &pods) {
            Ok((expected, desired)) => observed(cx, budget, &pods, expected, desired, &mut plan),
            Err(message) => {
                let message = format!("Failed to calculate the number of expected pods: {message}");
                plan.event(budget, "Warning", "CalculateExpectedPodCountFailed", message.clone());
                plan.again_with_backoff();
                let mut status = (*budget.status).clone();
                status.disruptions_allowed = Some(0);
                condition(cx, budget, &mut status, "SyncFailed", message.into());
                status
            }
        };
        if *budget.status != status {
            let mut new = budget.clone();
            new.status = Arc::new(status);
            plan.status(new);
        }
        plan
    }
}

/// How many pods there should be, and how many of them must be healthy.
fn expected(
    cx: &Cx<'_>,
    budget: &PodDisruptionBudget,
    pods: &[&Pod],
) -> Result<(i32, i32), String> {
    let spec = &budget.spec;
    if let Some(value) = &spec.max_unavailable {
        let all = scale_of(cx, pods)?;
        let may = value.scaled(all.into(), true).map_err(|error| error.to_string())? as i32;
        return Ok((all, (all - may).max(0)));
    }
    let Some(value) = &spec.min_available else { return Ok((0, 0)) };
    let (_, percent) = value.int_or_percent().map_err(|error| error.to_string())?;
    let all = if percent { scale_of(cx, pods)? } else { pods.len() as i32 };
    let desired = value.scaled(all.into(), true).map_err(|error| error.to_string())?;
    Ok((all, desired as i32))
}

/// The replicas that the pods' controllers ask for.
fn scale_of(cx: &Cx<'_>, pods: &[&Pod]) -> Result<i32, String> {
    let mut scales: BTreeMap<Str, i32> = BTreeMap::new();
    for pod in pods {
        let meta = &pod.metadata;
        let Some(owner) = controller_of(meta) else {
            return Err(format!("found no controller ref for pod {:?}", &*meta.name));
        };
        if !scales.contains_key(&owner.uid) {
            let (uid, replicas) = controller_scale(cx, &meta.namespace, owner)
                .ok_or_else(|| format!("found no controllers for pod {:?}", &*meta.name))?;
            scales.insert(uid, replicas);
        }
    }
    Ok(scales.values().sum())
}

/// The uid and the replicas of a pod's controller: of the Deployment, where a ReplicaSet is in between.
fn controller_scale(cx: &Cx<'_>, namespace: &Str, owner: &OwnerReference) -> Option<(Str, i32)> {
    let (kind, version) = (&owner.kind, &owner.api_version);
    if claim::is_kind::<ReplicaSet>(kind, version) {
        let set = cx.replica_sets().named(namespace, &owner.name)?;
        let above = controller_of(&set.metadata)
            .filter(|above| claim::is_kind::<Deployment>(&above.kind, &above.api_version))
            .and_then(|above| cx.deployments().named(namespace, &above.name));
        return match above {
            Some(above) => Some((above.metadata.uid.clone(), above.spec.replicas.unwrap_or(1))),
            None => Some((owner.uid.clone(), set.spec.replicas.unwrap_or(1))),
        };
    }
    let replicas = if claim::is_kind::<StatefulSet>(kind, version) {
        cx.stateful_sets().named(namespace, &owner.name)?.spec.replicas
    } else if claim::is_kind::<ReplicationController>(kind, version) {
        cx.all::<ReplicationController>().named(namespace, &owner.name)?.spec.replicas
    } else {
        return None;
    };
    Some((owner.uid.clone(), replicas.unwrap_or(1)))
}

fn observed(
    cx: &Cx<'_>,
    budget: &PodDisruptionBudget,
    pods: &[&Pod],
    expected: i32,
    desired: i32,
    plan: &mut Plan,
) -> PodDisruptionBudgetStatus {
    let mut status = (*budget.status).clone();
    status.disrupted_pods.retain(|name, at| {
        let known = pods.iter().find(|pod| pod.metadata.name == *name);
        let waits = known.is_some_and(|pod| pod.metadata.deletion_timestamp.is_none());
        let left = at.instant() + DELETION_TIMEOUT - cx.now;
        if waits && left > Duration::ZERO {
            plan.again(left);
        } else if let Some(pod) = known.filter(|_| waits) {
            plan.event(
                *pod,
                "Warning",
                "NotDeleted",
                "Pod was expected by PDB to be deleted but it wasn't",
            );
        }
        waits && left > Duration::ZERO
    });
    let healthy = |pod: &&&Pod| {
        pod.metadata.deletion_timestamp.is_none()
            && !status.disrupted_pods.contains_key(&pod.metadata.name)
            && pods::is_ready(pod)
    };
    let current = pods.iter().filter(healthy).count() as i32;
    let allowed = if expected <= 0 { 0 } else { (current - desired).max(0) };
    status.current_healthy = Some(current);
    status.desired_healthy = Some(desired);
    status.expected_pods = Some(expected);
    status.disruptions_allowed = Some(allowed);
    status.observed_generation = budget.metadata.generation;
    let reason = if allowed > 0 { "SufficientPods" } else { "InsufficientPods" };
    condition(cx, budget, &mut status, reason, Str::new());
    status
}

/// Sets the one condition: whether a disruption is allowed.
fn condition(
    cx: &Cx<'_>,
    budget: &PodDisruptionBudget,
    status: &mut PodDisruptionBudgetStatus,
    reason: &'static str,
    message: Str,
) {
    let value = if reason == "SufficientPods" { lit!("True") } else { lit!("False") };
    let known = status.conditions.iter_mut().find(|known| known.type_ == "DisruptionAllowed");
    let since = match &known {
        Some(known) if known.status == value => known.last_transition_time,
        _ => Some(time_of(cx.now)),
    };
    let new = Condition {
        type_: lit!("DisruptionAllowed"),
        status: value,
        reason: reason.into(),
        message,
        observed_generation: budget.metadata.generation,
        last_transition_time: since,
    };
    match known {
        Some(known) => *known = new,
        None => status.conditions.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::object::Object;
    use client::Runner;
    use client::testing::{Bench, object};

    /// A budget over a ReplicaSet of four with the pods `r` (ready), `u` (unready), `d` (ready, being deleted), `e`
    /// (ready, evicted just now); compares `healthy/desired of expected, allowed`.
    fn check(spec: &str, pods: &str, expect: &str) -> Bench<Runner> {
        let evicted: Vec<String> = pods
            .char_indices()
            .filter(|(_, kind)| *kind == 'e')
            .map(|(i, _)| format!(r#""p{i}": "2026-01-01T00:00:00Z""#))
            .collect();
        let budget: PodDisruptionBudget = object(&format!(
            r#"{{"metadata": {{"name": "b", "namespace": "d"}}, "spec": {{"selector": {{"matchLabels":
            {{"app": "a"}}}}, {spec}}}, "status": {{"disruptedPods": {{{}}}}}}}"#,
            evicted.join(",")
        ));
        let set: ReplicaSet = object(
            r#"{"metadata": {"name": "s", "namespace": "d", "uid": "s"}, "spec": {"replicas": 4, "selector": {}}}"#,
        );
        let pods = pods.char_indices().map(|(i, kind)| {
            let dying = if kind == 'd' { r#", "deletionTimestamp": "2026-01-01T00:00:00Z""# } else { "" };
            let ready = if kind == 'u' { "False" } else { "True" };
            Object::new(object::<Pod>(&format!(
                r#"{{"metadata": {{"name": "p{i}", "namespace": "d", "labels": {{"app": "a"}}{dying},
                "ownerReferences": [{{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "s", "uid": "s",
                "controller": true}}]}}, "spec": {{"containers": []}}, "status": {{"phase": "Running",
                "conditions": [{{"type": "Ready", "status": "{ready}"}}]}}}}"#
            )))
        });
        let all = pods.chain([budget.into(), set.into()]);
        let bench = Bench::new(Runner::new("kcm", vec![Box::new(Disruption)]), all);
        assert_eq!(describe(&bench), expect);
        bench
    }

    fn describe(bench: &Bench<Runner>) -> String {
        let budget = bench.api.get::<PodDisruptionBudget>("d", "b").expect("it exists");
        let status = &budget.status;
        let number = |value: Option<i32>| value.unwrap_or(-1);
        format!(
            "{}/{} of {}, {} {}",
            number(status.current_healthy),
            number(status.desired_healthy),
            number(status.expected_pods),
            number(status.disruptions_allowed),
            status.conditions[0].reason
        )
    }

    #[test]
    fn a_minimum_leaves_what_is_above_it() {
        check(r#""minAvailable": 3"#, "rrrr", "4/3 of 4, 1 SufficientPods");
        check(r#""minAvailable": 3"#, "rrru", "3/3 of 4, 0 InsufficientPods");
        check(r#""minAvailable": "50%""#, "rrr", "3/2 of 4, 1 SufficientPods");
    }

    #[test]
    fn a_maximum_counts_from_what_there_should_be() {
        check(r#""maxUnavailable": 1"#, "rrrr", "4/3 of 4, 1 SufficientPods");
        check(r#""maxUnavailable": 1"#, "rrr", "3/3 of 4, 0 InsufficientPods");
        check(r#""maxUnavailable": "30%""#, "rrrr", "4/2 of 4, 2 SufficientPods");
    }

    #[test]
    fn pods_that_go_or_were_just_evicted_are_not_healthy() {
        check(r#""minAvailable": 2"#, "rrde", "2/2 of 4, 0 InsufficientPods");
    }

    #[test]
    fn an_evicted_pod_that_stays_counts_again() {
        let mut bench = check(r#""minAvailable": 1"#, "re", "1/1 of 2, 0 InsufficientPods");
        bench.run(Duration::mins(3));
        assert_eq!(describe(&bench), "2/1 of 2, 1 SufficientPods");
    }

    #[test]
    fn a_budget_without_pods_allows_nothing() {
        let mut bench = check(r#""minAvailable": 1"#, "", "0/1 of 0, 0 InsufficientPods");
        assert_eq!(bench.take_events(), "Normal NoPods: No matching pods found");
    }
}
