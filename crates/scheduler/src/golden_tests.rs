//! A recorded run of a real v1.36.2 cluster in which pods fail to be scheduled, step by step: every
//! text must be the same.

use std::sync::Arc;

use api::core::v1::{Node, Pod, Taint};
use api::object::Object;
use base::{BTreeMap, Duration};
use client::testing::Bench;

use crate::Scheduler;
use crate::testing::{node, pod};

const ANTI: &str = r#"app=anti | {"affinity":{"podAntiAffinity":
    {"requiredDuringSchedulingIgnoredDuringExecution":[{"labelSelector":{"matchLabels":{"app":"anti"}},
    "topologyKey":"kubernetes.io/hostname"}]}}}"#;

fn pods() -> Vec<(&'static str, String)> {
    let spec = |json: &str| format!("| {json}");
    vec![
        ("cpu", "cpu=16".into()),
        ("mem", "memory=64Gi".into()),
        ("cpumem", "cpu=16 memory=64Gi".into()),
        ("gpu", "nvidia.com/gpu=1".into()),
        ("sel", spec(r#"{"nodeSelector":{"disk":"nvme"}}"#)),
        (
            "aff",
            spec(
                r#"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms":[{"matchExpressions":[{"key":"zone","operator":"In","values":["x"]}]}]}}}}"#,
            ),
        ),
        (
            "podaff",
            spec(
                r#"{"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
                [{"labelSelector":{"matchLabels":{"app":"none"}},"topologyKey":"kubernetes.io/hostname"}]}}}"#,
            ),
        ),
        ("port1", "port=8080".into()),
        ("port2", "port=8080".into()),
        ("port3", "port=8080".into()),
        ("port4", "port=8080".into()),
        (
            "spread",
            spec(
                r#"{"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone",
                "whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"spread"}}}]}"#,
            ),
        ),
    ]
}

struct Run {
    bench: Bench<Scheduler>,
}

impl Run {
    fn new() -> Run {
        let nodes =
            (1..=3).map(|i| Object::new(node(&format!("node-{i} cpu=4 memory=8Gi pods=110"))));
        Run { bench: Bench::new(Scheduler::new(3), nodes.collect::<Vec<_>>()) }
    }

    fn add(&mut self, text: &str) {
        self.bench.put(Object::new(pod(text)));
        self.bench.run(Duration::millis(5));
    }

    fn edit(&mut self, name: &str, change: impl FnOnce(&mut Node)) {
        self.bench.edit::<Node>("", name, change);
        self.bench.run(Duration::millis(100));
    }

    fn taint(&mut self, name: &str, effect: &str) {
        self.edit(name, |node| {
            let taint = Taint {
                key: "a".into(),
                value: "b".into(),
                effect: effect.into(),
                ..Taint::default()
            };
            Arc::make_mut(&mut node.spec).taints.push(taint);
        });
    }

    /// The message of each pending pod.
    fn messages(&self) -> BTreeMap<String, String> {
        let pods = self.bench.api.all::<Pod>();
        let pending = pods.iter().filter(|pod| pod.spec.node_name.is_empty());
        pending
            .map(|pod| {
                let condition = pod.status.conditions.iter().find(|c| c.type_ == "PodScheduled");
                let message = condition.map(|c| c.message.to_string()).unwrap_or_default();
                (pod.metadata.name.to_string(), message)
            })
            .collect()
    }

    fn check(&self, expect: &[(&str, &str, &str)]) {
        let got = self.messages();
        for (name, first, second) in expect {
            let want = format!(
                "0/3 nodes are available: {first}. no new claims to deallocate, preemption: 0/3 \
                 nodes are available: {second}."
            );
            assert_eq!(got.get(*name), Some(&want), "{name}");
        }
    }
}

const HELPLESS: &str = "3 Preemption is not helpful for scheduling";
const NO_VICTIMS: &str = "3 No preemption victims found for incoming pod";

fn after_start() -> Run {
    let mut run = Run::new();
    for (name, words) in pods() {
        run.add(&format!("{name} {words}"));
    }
    for i in 1..=4 {
        run.add(&format!("anti-{i} {ANTI}"));
    }
    run
}

#[test]
fn pods_that_fit_nowhere_say_why() {
    let affinity = "3 node(s) didn't match Pod's node affinity/selector";
    let ports = "3 node(s) didn't have free ports for the requested pod ports";
    let unlabelled =
        "3 node(s) didn't match pod topology spread constraints (missing required label)";
    after_start().check(&[
        ("cpu", "3 Insufficient cpu", HELPLESS),
        ("mem", "3 Insufficient memory", HELPLESS),
        ("cpumem", "3 Insufficient cpu, 3 Insufficient memory", HELPLESS),
        ("gpu", "3 Insufficient nvidia.com/gpu", HELPLESS),
        ("sel", affinity, HELPLESS),
        ("aff", affinity, HELPLESS),
        ("podaff", "3 node(s) didn't match pod affinity rules", HELPLESS),
        ("port4", ports, NO_VICTIMS),
        ("spread", unlabelled, HELPLESS),
        ("anti-4", "3 node(s) didn't match pod anti-affinity rules", NO_VICTIMS),
    ]);
}

#[test]
fn a_tainted_node_is_counted_apart_at_the_next_try() {
    let mut run = after_start();
    run.taint("node-1", "NoSchedule");
    let one = "1 Preemption is not helpful for scheduling, 2 No preemption victims found for \
               incoming pod";
    let anti = "1 node(s) had untolerated taint(s), 2 node(s) didn't match pod anti-affinity rules";
    run.check(&[
        ("cpu", "1 node(s) had untolerated taint(s), 2 Insufficient cpu", HELPLESS),
        (
            "cpumem",
            "1 node(s) had untolerated taint(s), 2 Insufficient cpu, 2 Insufficient memory",
            HELPLESS,
        ),
        ("anti-4", anti, one),
        (
            "spread",
            "3 node(s) didn't match pod topology spread constraints (missing required label)",
            HELPLESS,
        ),
    ]);
}

#[test]
fn a_cordoned_node_too() {
    let mut run = after_start();
    run.taint("node-1", "NoSchedule");
    run.taint("node-2", "NoExecute");
    run.edit("node-3", |node| Arc::make_mut(&mut node.spec).unschedulable = true);
    let closed = "1 node(s) were unschedulable, 2 node(s) had untolerated taint(s)";
    run.add("tainted");
    run.check(&[
        ("cpu", closed, HELPLESS),
        ("sel", closed, HELPLESS),
        ("port4", closed, HELPLESS),
        ("anti-4", closed, HELPLESS),
        ("tainted", closed, HELPLESS),
    ]);
    run.edit("node-1", |node| Arc::make_mut(&mut node.spec).taints.clear());
    run.bench.run(Duration::secs(1));
    let tainted = run.bench.api.get::<Pod>("default", "tainted").expect("it is there");
    assert_eq!(tainted.spec.node_name, "node-1");
}

#[test]
fn a_pod_that_preempts_says_only_what_was_missing() {
    let mut run = Run::new();
    for i in 1..=3 {
        run.add(&format!("fill-{i} cpu=3"));
    }
    run.add("vip cpu=2 priority=1000");
    let vip = run.bench.api.get::<Pod>("default", "vip").expect("it is there");
    assert_eq!(run.messages()["vip"], "0/3 nodes are available: 3 Insufficient cpu.");
    let node = vip.status.nominated_node_name.clone();
    let events = run.bench.take_events();
    let preempted = format!("Normal Preempted: Preempted by pod uid-vip on node {node}");
    assert!(events.contains(&preempted), "{events}");
    run.add("fill-4 cpu=3");
    run.check(&[("fill-4", "3 Insufficient cpu", NO_VICTIMS)]);
}
