//! The resource quota controller: counts anew what a namespace uses, above all after something was freed.

use std::sync::Arc;

use api::Quantity;
use api::codec::Map;
use api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, ResourceQuotaStatus, Service};
use api::object::{Key, Kind, KindInfo, Object};
use api::quota;
use base::Duration;
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use crate::{kinds, pods};

/// All quotas are counted anew so often.
const PERIOD: Duration = Duration::mins(5);

/// The resource quota controller.
#[derive(Clone, Default)]
pub struct ResourceQuotas;

impl Reconcile for ResourceQuotas {
    fn name(&self) -> &'static str {
        "resourcequota-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        kinds::followed().into_iter().filter(|kind| kind.namespaced).collect()
    }

    fn follows_custom_kinds(&self) -> bool {
        true
    }

    fn resync(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn on_start(&mut self, cx: &Cx<'_>, queue: &mut Enqueue) {
        for quota in cx.all::<ResourceQuota>().all() {
            queue.of(&quota.metadata);
        }
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if let Some(quota) = delta.after::<ResourceQuota>()
            && delta.before::<ResourceQuota>().is_none_or(|old| old.spec != quota.spec)
        {
            queue.of(&quota.metadata);
        }
        if frees(delta) {
            for quota in cx.all::<ResourceQuota>().in_namespace(&delta.meta().namespace) {
                queue.of(&quota.metadata);
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(quota) = cx.all::<ResourceQuota>().get(key) else { return plan };
        let status = ResourceQuotaStatus { hard: quota.spec.hard.clone(), used: used(cx, quota) };
        if *quota.status != status {
            let mut new = quota.clone();
            new.status = Arc::new(status);
            plan.status(new);
        }
        plan
    }
}

/// Whether the change may have freed something. What is taken is counted on admission.
fn frees(delta: &Delta) -> bool {
    if delta.deleted() {
        return true;
    }
    if let (Some(old), Some(new)) = (delta.before::<Pod>(), delta.after::<Pod>()) {
        return !pods::is_terminal(old) && pods::is_terminal(new);
    }
    if let (Some(old), Some(new)) = (delta.before::<Service>(), delta.after::<Service>()) {
        return old.spec.type_ != new.spec.type_ || old.spec.ports.len() != new.spec.ports.len();
    }
    let claims = (delta.before::<PersistentVolumeClaim>(), delta.after::<PersistentVolumeClaim>());
    matches!(claims, (Some(old), Some(new)) if old.spec.resources != new.spec.resources)
}

/// What the namespace uses, of what the quota limits.
fn used(cx: &Cx<'_>, quota: &ResourceQuota) -> Map<Quantity> {
    let hard = &quota.spec.hard;
    let mut used: Map<Quantity> =
        hard.keys().map(|name| (name.clone(), Quantity::default())).collect();
    let mut add = |object: &Object| {
        if !quota::is_in_scope(quota, object) {
            return;
        }
        for (name, quantity) in quota::usage(object).iter() {
            if let Some(sum) = used.get_mut(name) {
                sum.add(quantity);
            }
        }
    };
    let limited =
        |kind: &&'static KindInfo| kind.namespaced && hard.keys().any(|name| concerns(name, kind));
    let custom = cx.caches.kinds().filter(limited).filter(|kind| kinds::is_custom(kind));
    for kind in kinds::followed().into_iter().filter(limited).chain(custom) {
        cx.caches.objects_in(kind, &quota.metadata.namespace).for_each(&mut add);
    }
    used
}

/// Whether objects of the kind can use something of this name.
fn concerns(name: &str, kind: &KindInfo) -> bool {
    if let Some(resource) = name.strip_prefix("count/") {
        return resource == kind.resource();
    }
    let is = |other: &KindInfo| kind == other;
    if name.ends_with("persistentvolumeclaims") || name.ends_with("requests.storage") {
        return is(PersistentVolumeClaim::INFO);
    }
    if name == "services" || name.starts_with("services.") {
        return is(Service::INFO);
    }
    let compute = matches!(name, "pods" | "cpu" | "memory" | "ephemeral-storage")
        || name.starts_with("requests.")
        || name.starts_with("limits.")
        || name.starts_with("hugepages-");
    if compute { is(Pod::INFO) } else { kind.group.is_empty() && name == kind.plural }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Runner;
    use client::testing::{Bench, object};

    fn pod(name: &str, cpu: &str, phase: &str) -> Pod {
        let resources = match cpu {
            "" => String::new(),
            cpu => format!(
                r#", "resources": {{"requests": {{"cpu": "{cpu}"}}, "limits": {{"cpu": "1"}}}}"#
            ),
        };
        object(&format!(
            r#"{{"metadata": {{"name": "{name}", "namespace": "d"}}, "spec": {{"containers":
            [{{"name": "c"{resources}}}]}}, "status": {{"phase": "{phase}"}}}}"#
        ))
    }

    /// Counts three pods (of 100m and 300m, one without requests), one that has ended, and a NodePort Service.
    fn check(spec: &str, expect: &str) {
        let quota: ResourceQuota = object(&format!(
            r#"{{"metadata": {{"name": "q", "namespace": "d"}}, "spec": {{{spec}}}}}"#
        ));
        let service: Service = object(
            r#"{"metadata": {"name": "s", "namespace": "d"}, "spec": {"type": "NodePort",
            "ports": [{"port": 80}, {"port": 81}]}}"#,
        );
        let objects: [Object; 6] = [
            pod("a", "100m", "Running").into(),
            pod("b", "300m", "Pending").into(),
            pod("c", "", "Running").into(),
            pod("ended", "2", "Succeeded").into(),
            service.into(),
            quota.into(),
        ];
        let bench = Bench::new(Runner::new("kcm", vec![Box::new(ResourceQuotas)]), objects);
        let stored = bench.api.get::<ResourceQuota>("d", "q").expect("it exists");
        let used = stored.status.used.iter().map(|(name, quantity)| format!("{name}={quantity}"));
        assert_eq!(used.collect::<Vec<_>>().join(" "), expect);
        assert_eq!(stored.status.hard, stored.spec.hard);
    }

    #[test]
    fn pods_that_have_not_ended_count() {
        check(
            r#""hard": {"pods": "5", "requests.cpu": "1", "cpu": "1", "limits.cpu": "4"}"#,
            "cpu=400m limits.cpu=2 pods=3 requests.cpu=400m",
        );
    }

    #[test]
    fn objects_of_any_kind_can_be_counted() {
        check(
            r#""hard": {"count/pods": "9", "services": "1", "services.nodeports": "2", "secrets": "3"}"#,
            "count/pods=4 secrets=0 services=1 services.nodeports=2",
        );
        check(r#""hard": {"count/deployments.apps": "1"}"#, "count/deployments.apps=0");
    }

    #[test]
    fn scopes_narrow_what_counts() {
        check(r#""hard": {"pods": "5"}, "scopes": ["BestEffort"]"#, "pods=1");
        check(r#""hard": {"pods": "5"}, "scopes": ["NotBestEffort"]"#, "pods=2");
        check(r#""hard": {"pods": "5"}, "scopes": ["Terminating"]"#, "pods=0");
    }

    /// Whether a quota with a scope counts the object.
    fn check_scope(scope: &str, object: impl Into<Object>, expect: bool) {
        let quota: ResourceQuota = client::testing::object(&format!(
            r#"{{"metadata": {{"name": "q", "namespace": "d"}}, "spec": {{"scopeSelector": {{"matchExpressions":
            [{scope}]}}}}}}"#
        ));
        assert_eq!(quota::is_in_scope(&quota, &object.into()), expect, "{scope}");
    }

    #[test]
    fn affinity_across_namespaces_is_a_scope() {
        let scope = r#"{"scopeName": "CrossNamespacePodAffinity", "operator": "Exists"}"#;
        let near = |more: &str| -> Pod {
            object(&format!(
                r#"{{"metadata": {{"name": "p", "namespace": "d"}}, "spec": {{"containers": [], "affinity":
                {{"podAffinity": {{"requiredDuringSchedulingIgnoredDuringExecution": [{{"topologyKey": "zone"{more}}}]
                }}}}}}}}"#
            ))
        };
        check_scope(scope, near(r#", "namespaces": ["other"]"#), true);
        check_scope(scope, near(r#", "namespaceSelector": {}"#), true);
        check_scope(scope, near(""), false);
        check_scope(scope, pod("p", "1", "Running"), false);
    }

    #[test]
    fn attributes_of_volumes_are_a_scope_of_claims() {
        let gold =
            r#"{"scopeName": "VolumeAttributesClass", "operator": "In", "values": ["gold"]}"#;
        let none = r#"{"scopeName": "VolumeAttributesClass", "operator": "DoesNotExist"}"#;
        let claim = |spec: &str| -> PersistentVolumeClaim {
            object(&format!(
                r#"{{"metadata": {{"name": "c", "namespace": "d"}}, "spec": {{{spec}}}}}"#
            ))
        };
        check_scope(gold, claim(r#""volumeAttributesClassName": "gold""#), true);
        check_scope(gold, claim(r#""volumeAttributesClassName": "silver""#), false);
        check_scope(none, claim(""), true);
        check_scope(gold, pod("p", "1", "Running"), false);
    }

    #[test]
    fn what_is_freed_is_counted_anew() {
        let quota: ResourceQuota = object(
            r#"{"metadata": {"name": "q", "namespace": "d"}, "spec": {"hard": {"pods": "2"}}}"#,
        );
        let runner = Runner::new("kcm", vec![Box::new(ResourceQuotas)]);
        let mut bench = Bench::new(runner, [quota.into(), pod("a", "1", "Running").into()]);
        let used = |bench: &Bench<Runner>| {
            let quota = bench.api.get::<ResourceQuota>("d", "q").expect("it exists");
            quota.status.used.get("pods").expect("it is counted").to_string()
        };
        assert_eq!(used(&bench), "1");
        bench.remove::<Pod>("d", "a");
        bench.run(Duration::secs(1));
        assert_eq!(used(&bench), "0");
    }
}
