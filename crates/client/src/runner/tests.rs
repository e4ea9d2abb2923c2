//! What `runner` promises, as tests.

use std::sync::Arc;

use api::core::v1::{ConfigMap, Namespace};
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, KindInfo, Object};
use api::wire;
use base::{Duration, lit};

use super::Runner;
use crate::cache::Delta;
use crate::leader::Elector;
use crate::part::Part as _;
use crate::plan::{Failure, Note, Plan, Write};
use crate::reconcile::{Cx, Enqueue, Reconcile};
use crate::testing::Bench;

/// Wants as many ConfigMaps in a namespace as its label `want` says.
#[derive(Clone)]
struct Maps;

impl Reconcile for Maps {
    fn name(&self) -> &'static str {
        "maps-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Namespace::INFO, ConfigMap::INFO]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        let meta = delta.meta();
        queue.named(
            "",
            if delta.is::<Namespace>() { meta.name.clone() } else { meta.namespace.clone() },
        );
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(namespace) = cx.namespaces().get(key) else { return Plan::settled() };
        let want = namespace.metadata.labels.text("want").unwrap_or("0").parse().expect("a number");
        let maps: Vec<_> = cx.config_maps().in_namespace(&key.name).collect();
        let mut plan = Plan::settled();
        let creates = (maps.len()..want).map(|_| {
            let mut write = Write::create(map(&key.name, "", "m-"));
            write.said(Note::new(namespace, "Normal", "Created", "Created {name}"));
            write.or_said(Note::new(
                namespace,
                "Warning",
                "FailedCreate",
                "Error creating: {error}",
            ));
            write
        });
        plan.slow_start(creates.collect());
        for map in maps.iter().skip(want) {
            plan.delete(*map, Default::default());
        }
        plan
    }

    fn failed(&mut self, cx: &Cx<'_>, key: &Key, failure: &Failure) -> Plan {
        let mut plan = Plan::settled();
        if let Some(namespace) = cx.namespaces().get(key)
            && !namespace.metadata.annotations.contains_key("error")
        {
            let mut namespace = namespace.clone();
            let meta = Arc::make_mut(&mut namespace.metadata);
            meta.annotations.insert("error", failure.message().clone());
            plan.update(namespace);
        }
        plan
    }
}

fn map(namespace: &str, name: &str, generate_name: &str) -> ConfigMap {
    ConfigMap { metadata: meta(namespace, name, generate_name), ..ConfigMap::default() }
}

fn meta(namespace: &str, name: &str, generate_name: &str) -> Arc<ObjectMeta> {
    Arc::new(ObjectMeta {
        name: name.into(),
        namespace: namespace.into(),
        generate_name: generate_name.into(),
        ..ObjectMeta::default()
    })
}

fn namespace(want: &str) -> Object {
    let mut namespace = Namespace { metadata: meta("", "a", ""), ..Namespace::default() };
    Arc::make_mut(&mut namespace.metadata).labels.insert("want", want.into());
    Object::new(namespace)
}

fn bench(want: &str) -> Bench<Runner> {
    Bench::new(Runner::new("test-manager", vec![Box::new(Maps)]), [namespace(want)])
}

#[test]
fn a_plan_is_carried_out_once() {
    let mut bench = bench("3");
    assert_eq!(bench.take_log(), "+ConfigMap m-; +ConfigMap m-; +ConfigMap m-");
    assert_eq!(
        bench.take_events(),
        "Normal Created: Created m-2; Normal Created: Created m-3; Normal Created: Created m-4"
    );
    bench.put(namespace("1"));
    assert_eq!(bench.take_log(), "-ConfigMap m-3; -ConfigMap m-4");
    assert!(bench.part.is_idle());
}

#[test]
fn what_goes_missing_is_created_again() {
    let mut bench = bench("1");
    bench.take_log();
    bench.remove::<ConfigMap>("a", "m-2");
    assert_eq!(bench.take_log(), "+ConfigMap m-");
}

#[test]
fn the_first_failure_ends_the_plan_and_is_retried_with_backoff() {
    let mut bench = bench("0");
    bench.api.refuse("+ConfigMap", wire::failure(403, "Forbidden", "no"));
    bench.put(namespace("4"));
    assert_eq!(
        bench.take_log(),
        "+ConfigMap m-; ~Namespace a; +ConfigMap m-",
        "one create is tried, not four"
    );
    assert_eq!(bench.take_events(), "Warning FailedCreate: Error creating: no");
    bench.api.allow();
    bench.run(Duration::millis(20));
    assert_eq!(bench.take_log(), ["+ConfigMap m-"; 4].join("; "));
}

#[test]
fn a_conflict_is_retried_quietly() {
    let mut bench = bench("0");
    bench.api.refuse("+ConfigMap", wire::conflict(ConfigMap::INFO, "m", wire::MODIFIED));
    bench.put(namespace("1"));
    assert_eq!(bench.take_log(), "+ConfigMap m-");
    bench.api.allow();
    bench.run(Duration::millis(5));
    assert_eq!(bench.take_log(), "+ConfigMap m-");
}

#[test]
fn writes_carry_their_cause() {
    use crate::part::{Input, Outbox};
    use api::wire::{Cause, Change, Trigger, WatchEvent};
    let mut runner = Runner::new("test-manager", vec![Box::new(Maps)]);
    let (now, mut out) = (base::Instant::START, Outbox::default());
    runner.handle(now, Input::Start, &mut out);
    for watch in 0..2 {
        runner.handle(now, Input::Listed { watch, objects: vec![], revision: 5 }, &mut out);
    }
    let event = WatchEvent { change: Change::Added, object: namespace("1"), revision: 7 };
    runner.handle(now, Input::Watch { watch: 0, events: vec![event] }, &mut out);
    let request = &out.requests[0].1;
    assert_eq!(request.manager, "test-manager");
    let cause = Cause { actor: lit!("maps-controller"), trigger: Trigger::Revision(7) };
    assert_eq!(request.cause, cause);
}

#[test]
fn a_candidate_works_only_while_it_leads() {
    let runner = |identity: &str| {
        Runner::new("test-manager", vec![Box::new(Maps)])
            .with_election(Elector::new("test", identity))
    };
    let mut bench = Bench::new(runner("one"), [namespace("1")]);
    assert_eq!(bench.take_log(), "?Lease test; +Lease test; +ConfigMap m-");
    assert_eq!(
        bench.take_events(),
        "Normal LeaderElection: one became leader; Normal Created: Created m-3"
    );
    bench.run(Duration::secs(5));
    assert_eq!(bench.take_log(), "~Lease test; ~Lease test");

    bench.api.refuse("~Lease", wire::failure(500, "InternalError", "down"));
    bench.run(Duration::secs(20));
    bench.take_log();
    bench.api.allow();
    bench.put(namespace("2"));
    bench.run(Duration::secs(20));
    assert_eq!(bench.take_log(), "", "a process that has lost the lead has ended");
    assert_eq!(bench.part.next_wake(), None);

    bench.restart();
    bench.run(Duration::secs(20));
    assert!(bench.take_log().contains("+ConfigMap m-"));
}

#[test]
fn a_second_candidate_waits_until_the_lease_runs_out() {
    let mut bench = Bench::new(
        Runner::new("test-manager", vec![Box::new(Maps)])
            .with_election(Elector::new("test", "two")),
        [namespace("1"), Object::new(other_leader())],
    );
    bench.run(Duration::secs(14));
    assert!(!bench.take_log().contains("~Lease"));
    // It looks every two seconds, and by chance up to 2.4 seconds later.
    bench.run(Duration::secs(6));
    assert!(bench.take_log().contains("~Lease test; +ConfigMap m-"));
}

fn other_leader() -> api::coordination::v1::Lease {
    crate::testing::object(
        r#"{"metadata": {"name": "test", "namespace": "kube-system"}, "spec": {"holderIdentity": "one",
        "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z", "leaseTransitions": 3}}"#,
    )
}
