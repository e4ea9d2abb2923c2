//! The namespace controller: empties a namespace that is being deleted, pods first, then lets it go.

use std::sync::Arc;

use api::core::v1::{Event, Namespace, NamespaceCondition};
use api::meta::v1::DeleteOptions;
use api::object::{Key, Kind, KindInfo, Object};
use api::wire::{ListOptions, Request, Subresource, Verb, time_of};
use base::{BTreeMap, Duration, Instant, Str, lit};
use client::{Cx, Delta, Enqueue, Plan, Reconcile, Write};

use crate::kinds;

/// The controller waits so long before it begins, for all API servers to see the deletion.
const GRACE: Duration = Duration::secs(5);
/// How long a pod's termination takes where nothing else is known.
const ESTIMATE_S: i64 = 30;

/// The namespace controller.
#[derive(Clone, Default)]
pub struct Namespaces;

impl Reconcile for Namespaces {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        std::iter::once(Namespace::INFO).chain(content_kinds()).collect()
    }

    fn follows_custom_kinds(&self) -> bool {
        true
    }

    fn workers(&self) -> usize {
        10
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if let Some(namespace) = delta.after::<Namespace>() {
            if namespace.metadata.deletion_timestamp.is_some() {
                queue.after(delta.key(), GRACE);
            }
        } else if delta.deleted() && !delta.is::<Namespace>() {
            let key = Key::new("", delta.meta().namespace.clone());
            let owner = cx.namespaces().get(&key);
            if owner.is_some_and(|owner| is_emptying(owner, cx.now)) {
                queue.add(key);
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(namespace) = cx.namespaces().get(key) else { return Plan::settled() };
        let meta = &namespace.metadata;
        if meta.deletion_timestamp.is_none() || namespace.spec.finalizers.is_empty() {
            return Plan::settled();
        }
        let mut content = Content::of(cx, &key.name);
        let mut plan = Plan::settled();
        let pods_first = content.objects.contains_key("pods");
        let mut sweeps = Vec::new();
        for (kind, objects) in content.objects.values() {
            let waits = pods_first && kind.kind != "Pod";
            if !waits && objects.iter().any(|object| object.meta().deletion_timestamp.is_none()) {
                sweeps.push(sweep(kind, &key.name));
            }
        }
        if content.objects.is_empty() {
            sweeps.push(sweep(Event::INFO, &key.name));
        }
        plan.batch(sweeps);
        content.objects.retain(|_, (_, objects)| !objects.is_empty());
        let mut new = namespace.clone();
        let status = Arc::make_mut(&mut new.status);
        status.phase = lit!("Terminating");
        for condition in content.conditions() {
            set_condition(status, condition, cx.now);
        }
        if new.status != namespace.status {
            plan.status(new.clone());
        }
        if content.objects.is_empty() {
            Arc::make_mut(&mut new.spec).finalizers.retain(|finalizer| finalizer != "kubernetes");
            plan.update(new).on(Subresource::Finalize);
        } else {
            plan.again(content.estimate());
        }
        plan
    }
}

fn content_kinds() -> impl Iterator<Item = &'static KindInfo> {
    kinds::followed().into_iter().filter(|kind| kind.namespaced)
}

fn is_emptying(namespace: &Namespace, now: Instant) -> bool {
    namespace.metadata.deletion_timestamp.is_some_and(|at| at.instant() + GRACE <= now)
}

fn sweep(kind: &'static KindInfo, namespace: &Str) -> Write {
    let options =
        DeleteOptions { propagation_policy: Some(lit!("Background")), ..DeleteOptions::default() };
    let verb = Verb::DeleteCollection(Box::new(options), ListOptions::default());
    Write::new(Request::new(kind, &Key::new(namespace.clone(), ""), verb))
}

/// What is left in a namespace, by resource.
struct Content<'a> {
    objects: BTreeMap<String, (&'static KindInfo, Vec<&'a Object>)>,
}

impl<'a> Content<'a> {
    fn of(cx: &Cx<'a>, namespace: &'a str) -> Content<'a> {
        let mut objects = BTreeMap::new();
        let custom = kinds::custom(cx).filter(|kind| kind.namespaced);
        for kind in content_kinds().chain(custom) {
            let found: Vec<&Object> = cx.caches.objects_in(kind, namespace).collect();
            if !found.is_empty() {
                objects.insert(kind.resource(), (kind, found));
            }
        }
        Content { objects }
    }

    fn all(&self) -> impl Iterator<Item = &&'a Object> {
        self.objects.values().flat_map(|(_, objects)| objects)
    }

    /// Half of the longest grace period left, as upstream waits.
    fn estimate(&self) -> Duration {
        let grace = self.all().filter_map(|object| object.meta().deletion_grace_period_seconds);
        Duration::secs(grace.max().unwrap_or(ESTIMATE_S) / 2 + 1)
    }

    fn conditions(&self) -> Vec<NamespaceCondition> {
        let condition =
            |type_: &'static str, (status, reason, message): (bool, &'static str, String)| {
                NamespaceCondition {
                    type_: type_.into(),
                    status: if status { lit!("True") } else { lit!("False") },
                    reason: reason.into(),
                    message: message.into(),
                    last_transition_time: None,
                }
            };
        let fine = |reason, message: &str| (false, reason, message.to_string());
        vec![
            condition(
                "NamespaceDeletionDiscoveryFailure",
                fine("ResourcesDiscovered", "All resources successfully discovered"),
            ),
            condition(
                "NamespaceDeletionGroupVersionParsingFailure",
                fine("ParsedGroupVersions", "All legacy kube types successfully parsed"),
            ),
            condition(
                "NamespaceDeletionContentFailure",
                fine(
                    "ContentDeleted",
                    "All content successfully deleted, may be waiting on finalization",
                ),
            ),
            condition("NamespaceContentRemaining", self.remaining()),
            condition("NamespaceFinalizersRemaining", self.finalizers()),
        ]
    }

    fn remaining(&self) -> (bool, &'static str, String) {
        if self.objects.is_empty() {
            return (false, "ContentRemoved", "All content successfully removed".into());
        }
        let list = self.objects.values().map(|(kind, objects)| {
            let dot = if kind.group.is_empty() { "." } else { "" };
            format!("{}{dot} has {} resource instances", kind.resource(), objects.len())
        });
        let list: Vec<String> = list.collect();
        (true, "SomeResourcesRemain", format!("Some resources are remaining: {}", list.join(", ")))
    }

    fn finalizers(&self) -> (bool, &'static str, String) {
        let mut counts: BTreeMap<&Str, usize> = BTreeMap::new();
        for finalizer in self.all().flat_map(|object| &object.meta().finalizers) {
            *counts.entry(finalizer).or_default() += 1;
        }
        if counts.is_empty() {
            let message = "All content-preserving finalizers finished";
            return (false, "ContentHasNoFinalizers", message.into());
        }
        let list = counts.iter().map(|(name, n)| format!("{name} in {n} resource instances"));
        let list: Vec<String> = list.collect();
        let message =
            format!("Some content in the namespace has finalizers remaining: {}", list.join(", "));
        (true, "SomeFinalizersRemain", message)
    }
}

fn set_condition(
    status: &mut api::core::v1::NamespaceStatus,
    mut new: NamespaceCondition,
    now: Instant,
) {
    new.last_transition_time = Some(time_of(now));
    match status.conditions.iter_mut().find(|known| known.type_ == new.type_) {
        Some(known) => {
            if known.status == new.status {
                new.last_transition_time = known.last_transition_time;
            }
            *known = new;
        }
        None => status.conditions.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::core::v1::{ConfigMap, Pod};
    use client::testing::{caches, object, print};

    /// The plan for a namespace deleted long ago that holds objects such as `Pod:a`, `ConfigMap:b`, `Pod:c,dying`.
    fn check(content: &str, expect: &str) {
        let namespace: Namespace = object(
            r#"{"metadata": {"name": "a", "deletionTimestamp": "2025-01-01T00:00:00Z"},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Terminating"}}"#,
        );
        let objects = content.split_whitespace().map(|text| {
            let (kind, name) = text.split_once(':').expect("Kind:name");
            let (name, dying) = name.split_once(',').unwrap_or((name, ""));
            let dying = if dying.is_empty() {
                ""
            } else {
                r#", "deletionTimestamp": "2025-01-01T00:00:00Z""#
            };
            let json = format!(r#"{{"metadata": {{"name": "{name}", "namespace": "a"{dying}}}}}"#);
            if kind == "Pod" {
                Object::new(object::<Pod>(&json))
            } else {
                Object::new(object::<ConfigMap>(&json))
            }
        });
        let caches = caches(objects.chain([Object::new(namespace)]));
        let cx = Cx { now: Instant::START, caches: &caches, trigger: Default::default() };
        let plan = Namespaces.reconcile(&cx, &Key::new("", "a"));
        let status = plan.requests().find_map(|request| match &request.verb {
            Verb::Update(object) => object.get::<Namespace>().map(|new| new.status.clone()),
            _ => None,
        });
        let remaining =
            status.map(|status| status.conditions[3].message.clone()).unwrap_or_default();
        assert_eq!(format!("{} | {remaining}", print(&plan)), expect);
    }

    #[test]
    fn pods_go_before_everything_else() {
        check(
            "ConfigMap:b Pod:a",
            "-Pod ; ~Namespace/status a | Some resources are remaining: \
             configmaps. has 1 resource instances, pods. has 1 resource instances",
        );
        check(
            "ConfigMap:b",
            "-ConfigMap ; ~Namespace/status a | Some resources are remaining: \
             configmaps. has 1 resource instances",
        );
    }

    #[test]
    fn what_is_going_already_is_waited_for() {
        check(
            "ConfigMap:b Pod:a,dying",
            "~Namespace/status a | Some resources are remaining: \
             configmaps. has 1 resource instances, pods. has 1 resource instances",
        );
    }

    #[test]
    fn an_empty_namespace_loses_its_events_and_is_finalized() {
        check(
            "",
            "-Event ; ~Namespace/status a; ~Namespace/finalize a | All content successfully removed",
        );
    }

    #[test]
    fn conditions_name_what_is_left_and_who_holds_it() {
        let namespace: Namespace = object(
            r#"{"metadata": {"name": "a", "deletionTimestamp": "2025-01-01T00:00:00Z"},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Terminating"}}"#,
        );
        let held: ConfigMap = object(
            r#"{"metadata": {"name": "c", "namespace": "a", "finalizers": ["example.com/hold"],
            "deletionTimestamp": "2025-01-01T00:00:00Z"}}"#,
        );
        let runner = client::Runner::new("kcm", vec![Box::new(Namespaces)]);
        let mut bench = client::testing::Bench::new(runner, [namespace.into(), held.into()]);
        bench.run(Duration::mins(1));
        let known = bench.api.get::<Namespace>("", "a").expect("it stays");
        let text: Vec<String> = known
            .status
            .conditions
            .iter()
            .map(|known| format!("{}={} {}", known.type_, known.status, known.reason))
            .collect();
        assert_eq!(
            text,
            [
                "NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered",
                "NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions",
                "NamespaceDeletionContentFailure=False ContentDeleted",
                "NamespaceContentRemaining=True SomeResourcesRemain",
                "NamespaceFinalizersRemaining=True SomeFinalizersRemain",
            ]
        );
        assert_eq!(
            known.status.conditions[4].message,
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
        );
    }
}
