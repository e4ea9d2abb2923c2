//! What `file` promises, as tests.

use super::*;
use base::lit;

const HEAD: &str = "apiVersion: orrery.dev/v1\nkind: Scenario\nmetadata: {name: x}\n";

/// What is wrong with a scenario that has these lines below its head (which is three lines).
fn check(lines: &str, expected: &str) {
    let text = format!("{HEAD}{lines}");
    let got = match Scenario::parse(&text) {
        Ok(_) => "fine".to_owned(),
        Err(invalid) => invalid.to_string(),
    };
    assert_eq!(got, expected, "reading\n{text}");
}

#[test]
fn the_example_of_the_format_is_read() {
    let text = r#"apiVersion: orrery.dev/v1
kind: Lesson            # or Scenario: the same without steps
metadata: {name: self-heal, title: Self-healing, minutes: 6, concepts: [Deployment, ReplicaSet]}
cluster: {nodes: 3, provider: none, addons: [dns]}
seed: 7
images:
- {name: shop/api:v2, listens: [8080], startsIn: 2s, memory: 120Mi, errorRate: 0.3}
manifests: |            # applied at the start, byte for byte as written
  a:   1   # kept

  b: 2
timeline:
- {at: 30s, fail: {node: node-2}}
- {at: 1m, mend: {node: node-2}}
- {at: 90s, run: kubectl get pods}
- {at: 90s, fail: {component: kubelet, node: node-1}}
- {at: 91s, fail: {pod: shop/api, exitCode: 1}}
view: {diagram: deployment, focus: deployment/web}
steps:
- name: kill
  text: |
    Delete one pod and watch.
  checks:
  - expect: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, status: {readyReplicas: 3}}
    hold: 2s
    why: "Ready {readyReplicas} of 3."
  - history: {event: Deleted, kind: Pod, selector: app=web, atLeast: 1}
  - request: {get: "http://web/", times: 10, status: 200, distinctPods: 2}
  hints: [{after: 60s, text: "kubectl delete --help"}]
  solution: ["kubectl delete pod -l app=web --wait=false"]
  quiz: {ask: Who made the new pod?, options: [scheduler, ReplicaSet controller, kubelet], answer: 1}
"#;
    let lesson = Scenario::parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (lesson.kind, &*lesson.name, lesson.minutes, lesson.seed),
        (Kind::Lesson, "self-heal", 6, 7)
    );
    assert_eq!(lesson.manifests, "a:   1   # kept\n\nb: 2\n");
    assert_eq!(
        lesson.images,
        [Image {
            name: lit!("shop/api:v2"),
            listens: vec![8080],
            starts_in: Some(Duration::secs(2)),
            memory: Some(120 << 20),
            error_rate: 0.3,
        }]
    );
    let faults: Vec<_> =
        lesson.timeline.iter().map(|event| (event.at.as_secs(), &event.what)).collect();
    assert_eq!(faults[0], (30, &Happening::Fail(Fault::Node(lit!("node-2")))));
    assert_eq!(faults[1], (60, &Happening::Mend(Fault::Node(lit!("node-2")))));
    assert_eq!(faults[2], (90, &Happening::Run(lit!("kubectl get pods"))));
    assert_eq!(faults[3].1, &Happening::Fail(Fault::Component(lit!("kubelet"), lit!("node-1"))));
    let crash = Fault::Pod {
        namespace: lit!("shop"),
        name: lit!("api"),
        container: Str::new(),
        exit_code: 1,
    };
    assert_eq!(faults[4].1, &Happening::Fail(crash));
    let step = &lesson.steps[0];
    assert_eq!(step.checks.len(), 3);
    assert_eq!(step.checks[0].hold, Duration::secs(2));
    assert_eq!(step.hints[0].after, Duration::secs(60));
    assert_eq!(step.quiz.as_ref().map(|quiz| quiz.answer), Some(1));
}

#[test]
fn almost_everything_may_be_left_out() {
    let scenario = Scenario::parse(HEAD).unwrap();
    assert_eq!(scenario.cluster, ClusterSpec::default());
    assert_eq!((scenario.seed, &*scenario.title), (1, "x"));
    check(
        "cluster: {nodes: 0, addons: [], cpu: 2, memory: 1Gi, pods: 20, zones: [a, b]}\n",
        "fine",
    );
}

#[test]
fn a_cluster_may_have_a_scheduler_of_its_own() {
    check("cluster:\n  scheduler:\n    profiles: [{schedulerName: packer}]\n", "fine");
    check(
        "cluster:\n  scheduler:\n    profiles: [{plugins: {score: {enabled: [{name: Nope}]}}}]\n",
        r#"5:3: unknown plugin "Nope""#,
    );
}

#[test]
fn a_cluster_may_run_on_the_machines_of_a_provider() {
    let text = format!("{HEAD}cluster: {{provider: aws, autoscale: {{min: 1, max: 5}}}}\n");
    let cluster = Scenario::parse(&text).unwrap().cluster;
    assert_eq!((cluster.provider.name(), cluster.autoscale), ("aws", Some((1, 5))));
    check(
        "cluster: {autoscale: {max: 5}}\n",
        "4:11: without a provider there are no machines to add",
    );
    check(
        "cluster: {provider: aws, autoscale: {min: 4, max: 1}}\n",
        "4:46: max is 1, which is less than min, 4",
    );
    check("cluster: {provider: aws, groups: [{name: big, type: m5.8xlarge, max: 2}]}\n", "fine");
    check(
        "cluster: {provider: aws, groups: [{name: big}, {name: big}]}\n",
        "4:26: there are two groups called \"big\"",
    );
    check(
        "cluster: {groups: [{name: big}]}\n",
        "4:11: without a provider there are no machines to add",
    );
    check(
        "timeline: [{at: 1s, fail: {machine: node-1, how: terminate}}, {at: 2s, fail: {cloud: api}}]\n",
        "fine",
    );
}

#[test]
fn unknown_fields_are_named_with_their_place() {
    check("cluster: {node: 3}\n", r#"4:11: unknown field "cluster.node"; did you mean "nodes"?"#);
    check(
        "view:\n  diagram: pod\n  zoom: 2\n",
        r#"6:3: unknown field "view.zoom"; known are diagram, focus"#,
    );
    check("manifest: x\n", r#"4:1: unknown field "manifest"; did you mean "manifests"?"#);
}

#[test]
fn wrong_types_are_named_with_what_was_found() {
    check("seed: seven\n", r#"4:1: "seed" is a whole number from 0, not "seven""#);
    check("cluster: [3]\n", r#"4:1: "cluster" is an object, not a list"#);
    check(
        "cluster: {nodes: 9000}\n",
        r#"4:11: "cluster.nodes" is a whole number from 0 to 5000, not 9000"#,
    );
    check(
        "images:\n- {name: a, listens: [80, x]}\n",
        r#"5:27: "images[0].listens" is a list of port numbers, and "x" is none"#,
    );
    check("images: [1]\n", r#"4:10: "images[0]" is an object, not 1"#);
    check(
        "timeline: [{at: 5, run: x}]\n",
        r#"4:13: "timeline[0].at" is a span of time such as 90s or 1m30s, not 5"#,
    );
}

#[test]
fn everything_wrong_is_told_at_once_in_order() {
    check(
        "seed: -1\ntimeline:\n- {run: x}\ncluster: {provider: gcp, addons: [ingres]}\n",
        concat!(
            "4:1: \"seed\" is a whole number from 0, not -1\n",
            "6:3: \"timeline[0].at\" is missing\n",
            "7:11: \"cluster.provider\" is one of none, aws, digitalocean, not \"gcp\"\n",
            "7:26: \"ingres\" is no addon; known are dns",
        ),
    );
}

#[test]
fn a_timeline_entry_does_one_thing() {
    check("timeline: [{at: 1s}]\n", "4:12: one of apply, run, fail, mend is expected");
    check(
        "timeline: [{at: 1s, fail: {nodes: a}}]\n",
        concat!(
            "4:21: one of node, link, component, machine, cloud or pod is expected\n",
            "4:28: unknown field \"timeline[0].fail.nodes\"; did you mean \"node\"?",
        ),
    );
    check(
        "timeline: [{at: 1s, fail: {component: etcd-1}}]\n",
        "4:28: \"etcd-1\" is none of kube-apiserver, kube-controller-manager, kube-scheduler, cloud-controller-manager, kubelet, kube-proxy, coredns",
    );
}

#[test]
fn steps_belong_to_lessons() {
    check("steps: []\n", "4:1: a Scenario has no steps; make it a Lesson");
    let lesson = "apiVersion: orrery.dev/v1\nkind: Lesson\nmetadata: {name: x}\n";
    assert_eq!(Scenario::parse(lesson).unwrap_err().to_string(), "1:1: a Lesson needs steps");
}

#[test]
fn a_check_looks_at_one_thing_that_is_named() {
    check("checks: [{hold: 2s}]\n", "4:10: one of expect, history, request is expected");
    check("checks: [{expect: {kind: Pod}}]\n", r#"4:11: "checks[0].expect.apiVersion" is missing"#);
    check(
        "checks: [{history: {event: Gone, kind: Pod}}]\n",
        r#"4:21: "checks[0].history.event" is one of Added, Modified, Deleted, not "Gone""#,
    );
}

#[test]
fn yaml_errors_and_repeated_keys_have_a_place() {
    check("a: b: c\n", "4:5: mapping values are not allowed in this context");
    check("seed: 1\nseed: 2\n", "5:1: \"seed\" is given twice");
    assert_eq!(
        Scenario::parse("").unwrap_err().to_string(),
        "a scenario file is one document, not 0"
    );
    assert_eq!(
        Scenario::parse("- 1\n").unwrap_err().to_string(),
        "a scenario file is an object with fields"
    );
}

#[test]
fn manifests_that_cannot_be_read_are_told_at_their_line() {
    check(
        "manifests: |\n  a: 1\n  b: [\n",
        "4:1: manifests cannot be read: line 7: did not find expected node content",
    );
}

#[test]
fn names_are_fit_for_links() {
    let text = HEAD.replace("name: x", "name: Self Heal");
    assert_eq!(
        Scenario::parse(&text).unwrap_err().to_string(),
        "3:12: \"Self Heal\" is no name: use a-z, 0-9 and dashes"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(apiVersion: orrery.dev/v1\n|kind: Lesson\n|metadata:\n|  name: x\n|steps:\n|- name: a\n|  checks: \\[|\\{expect: \\{|\\}|\\]|seed: |[a-z: \n]){0,20}") {
        let _ = Scenario::parse(&text);
    }
}
