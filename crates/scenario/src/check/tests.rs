//! What `check` promises, as tests.

use super::*;
use crate::world::Answer;
use base::lit;
use std::cell::RefCell;

/// A cluster made of a few objects.
#[derive(Default)]
pub(crate) struct Fake {
    pub now: Instant,
    pub objects: Vec<Json>,
    pub changes: Vec<(Instant, Change)>,
    pub answers: Vec<Answer>,
    pub asked: RefCell<Vec<String>>,
}

impl World for Fake {
    fn now(&self) -> Instant {
        self.now
    }

    fn objects(&self, query: &Query) -> Vec<Json> {
        let fits = |object: &&Json| {
            let namespace = text_at(object, &["metadata", "namespace"]);
            let name = text_at(object, &["metadata", "name"]);
            text_at(object, &["kind"]) == query.kind
                && text_at(object, &["apiVersion"]) == query.api_version
                && (query.name.is_empty() || query.name == name)
                && (namespace.is_empty() || query.namespace == namespace)
        };
        self.objects.iter().filter(fits).cloned().collect()
    }

    fn history(&self, kind: &str, after: Instant) -> Vec<Change> {
        let recent = self.changes.iter().filter(|(at, change)| *at > after && change.kind == kind);
        recent.map(|(_, change)| change.clone()).collect()
    }

    fn requests(&self, from: &str, url: &str, times: u32) -> Vec<Answer> {
        self.asked.borrow_mut().push(format!("{from}>{url}"));
        self.answers.iter().take(times as usize).cloned().collect()
    }
}

pub(crate) fn json(yaml: &str) -> Json {
    manifest::parse(yaml).expect("the test's own YAML")[0].value.clone()
}

fn a_check(yaml: &str) -> Check {
    let indented = yaml.replace('\n', "\n  ");
    let text = format!(
        "apiVersion: orrery.dev/v1\nkind: Scenario\nmetadata: {{name: x}}\nchecks:\n- {indented}\n"
    );
    let scenario = crate::Scenario::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    scenario.checks[0].clone()
}

/// What a check says about a cluster with these objects (YAML documents).
fn check(yaml: &str, objects: &str, expected: &str) {
    let objects = manifest::parse(objects).unwrap().into_iter().map(|d| d.value).collect();
    let world = Fake { objects, ..Fake::default() };
    assert_eq!(say(a_check(yaml).verdict(&world, Instant::START)), expected, "{yaml}");
}

fn say(verdict: Verdict) -> String {
    match verdict {
        Verdict::True => "true".to_owned(),
        Verdict::False(why) => why,
    }
}

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  replicas: 3
  template: {spec: {containers: [{name: a, image: nginx, ports: [{containerPort: 80}]}, {name: b, image: busy}]}}
status: {replicas: 3, readyReplicas: 2, observed: 1.0}
";

fn expect(rest: &str) -> String {
    format!("expect: {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web}}, {rest}}}")
}

#[test]
fn an_object_with_all_fields_is_enough() {
    check(&expect("status: {readyReplicas: 2}"), WEB, "true");
    check(&expect("spec: {replicas: 3.0}"), WEB, "true");
    check(&expect("status: {unavailableReplicas: null}"), WEB, "true");
    check(&expect("metadata: {labels: {}}").replace("metadata: {name: web}, ", ""), WEB, "true");
}

#[test]
fn of_lists_each_wanted_element_must_be_there() {
    let containers =
        |list: &str| expect(&format!("spec: {{template: {{spec: {{containers: {list}}}}}}}"));
    check(&containers("[{image: busy}]"), WEB, "true");
    check(&containers("[{image: busy}, {ports: [{containerPort: 80}]}]"), WEB, "true");
    check(
        &containers("[{image: busy, name: a}]"),
        WEB,
        "spec.template.spec.containers has no such element.",
    );
}

#[test]
fn the_first_field_that_differs_is_told() {
    check(&expect("status: {readyReplicas: 3}"), WEB, "status.readyReplicas is 2, not 3.");
    check(&expect("status: {availableReplicas: 3}"), WEB, "status.availableReplicas is 0, not 3.");
    check(&expect("spec: {paused: true}"), WEB, "spec.paused is not set.");
    check(&expect("status: {readyReplicas: 2}"), "", "There is no Deployment web.");
}

#[test]
fn a_why_is_filled_in() {
    let with = |why: &str| {
        format!("{}\nwhy: {why:?}", expect("status: {readyReplicas: 3, updatedReplicas: 3}"))
    };
    check(&with("Ready {readyReplicas} of {replicas}."), WEB, "Ready 2 of 3.");
    check(
        &with("{updatedReplicas} new, {spec.template.spec.containers[1].image}"),
        WEB,
        "0 new, busy",
    );
    check(&with("{nope} { {} {"), WEB, "nothing { {} {");
    check(&with("Ready {readyReplicas}"), "", "Ready 0");
}

const PODS: &str = "
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: default, labels: {app: web}}
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: default, labels: {app: web}}
status: {phase: Pending}
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: other, labels: {app: web}}
status: {phase: Running}
";

#[test]
fn objects_can_be_counted() {
    let running = "expect: {apiVersion: v1, kind: Pod, metadata: {labels: {app: web}}, status: {phase: Running}}";
    check(running, PODS, "true");
    check(&format!("{running}\natLeast: 2"), PODS, "There are 1 of 2.");
    check(&format!("{running}\natLeast: 0\natMost: 0"), PODS, "There are 1, not 0 or fewer.");
    check(&format!("{running}\natLeast: 2\nwhy: \"{{count}} of {{atLeast}}\""), PODS, "1 of 2");
    let elsewhere = running.replace("metadata: {", "metadata: {namespace: other, ");
    check(&format!("{elsewhere}\natLeast: 2"), PODS, "There are 1 of 2.");
    check("expect: {apiVersion: v1, kind: Pod}\natLeast: 0\natMost: 0", "", "true");
}

fn change(second: i64, event: ChangeKind, name: &str, app: &str) -> (Instant, Change) {
    let change = Change {
        event,
        kind: lit!("Pod"),
        namespace: lit!("default"),
        name: Str::from(name),
        labels: vec![(lit!("app"), Str::from(app))],
    };
    (Instant::START + Duration::secs(second), change)
}

#[test]
fn only_what_happened_since_the_step_was_opened_counts() {
    let world = Fake {
        changes: vec![
            change(1, ChangeKind::Deleted, "a", "web"),
            change(5, ChangeKind::Deleted, "b", "web"),
            change(6, ChangeKind::Deleted, "c", "db"),
            change(7, ChangeKind::Added, "d", "web"),
        ],
        ..Fake::default()
    };
    let see = |yaml: &str, opened: i64| {
        say(a_check(yaml).verdict(&world, Instant::START + Duration::secs(opened)))
    };
    let deleted = "history: {event: Deleted, kind: Pod, selector: app=web, atLeast: 2}";
    assert_eq!(see(deleted, 0), "true");
    assert_eq!(see(deleted, 2), "Seen 1 of 2.");
    assert_eq!(see("history: {event: Deleted, kind: Pod, atLeast: 2}", 2), "true");
    assert_eq!(see("history: {event: Added, kind: Pod, name: d}", 2), "true");
    assert_eq!(see("history: {event: Added, kind: Pod, namespace: other}", 2), "Seen 0 of 1.");
}

#[test]
fn every_request_must_be_answered_and_by_enough_pods() {
    let good =
        |pod: &str| Answer { status: Some(200), pod: Some(Str::from(pod)), problem: Str::new() };
    let see = |answers: Vec<Answer>| {
        let yaml = "request: {get: \"http://web/\", from: client, times: 3, distinctPods: 2}";
        let world = Fake { answers, ..Fake::default() };
        let said = say(a_check(yaml).verdict(&world, Instant::START));
        assert_eq!(world.asked.borrow()[..], ["client>http://web/"]);
        said
    };
    assert_eq!(see(vec![good("a"), good("b"), good("a")]), "true");
    assert_eq!(see(vec![good("a"), good("a"), good("a")]), "1 of 2 pods answered.");
    let refused = Answer { problem: lit!("connection refused"), ..Answer::default() };
    assert_eq!(
        see(vec![good("a"), good("b"), refused]),
        "2 of 3 answered 200; one ended with connection refused."
    );
    let error = Answer { status: Some(503), ..Answer::default() };
    assert_eq!(see(vec![error, good("b"), good("a")]), "2 of 3 answered 200; one ended with 503.");
    assert_eq!(see(vec![good("a"), good("b")]), "2 of 2 pods answered.");
}

#[test]
fn a_check_that_has_to_hold_starts_anew_when_it_breaks() {
    let check = a_check(&format!("{}\nhold: 2s", expect("status: {readyReplicas: 3}")));
    let mut progress = Progress::default();
    let mut at = |second: i64, ready: i64| {
        let mut object = json(WEB);
        object.entry("status").set("readyReplicas", ready);
        let now = Instant::START + Duration::secs(second);
        progress.look(
            &check,
            &Fake { now, objects: vec![object], ..Fake::default() },
            Instant::START,
        );
        (progress.done, progress.why.clone())
    };
    assert_eq!(at(0, 2), (false, "status.readyReplicas is 2, not 3.".to_owned()));
    assert_eq!(at(1, 3), (false, "True for 0s; it has to stay so for 2s.".to_owned()));
    assert!(!at(2, 2).0);
    assert!(!at(3, 3).0);
    assert_eq!(at(4, 3), (false, "True for 1s; it has to stay so for 2s.".to_owned()));
    assert_eq!(at(5, 3), (true, String::new()));
}

#[test]
fn checks_describe_themselves() {
    let describe = |yaml: &str| a_check(yaml).describe();
    assert_eq!(
        describe(&expect("status: {readyReplicas: 3}")),
        "Deployment web: status.readyReplicas is 3"
    );
    assert_eq!(
        describe("expect: {apiVersion: v1, kind: Node, metadata: {name: node-1}}"),
        "Node node-1 exists"
    );
    assert_eq!(
        describe(
            "expect: {apiVersion: v1, kind: Pod, status: {phase: Failed}}\natLeast: 0\natMost: 0"
        ),
        "No Pod: status.phase is Failed"
    );
    assert_eq!(
        describe("history: {event: Deleted, kind: Pod, selector: app=web}"),
        "A Pod with app=web is deleted"
    );
    assert_eq!(describe("history: {event: Added, kind: Pod, atLeast: 2}"), "2 × Pod created");
    assert_eq!(
        describe("request: {get: \"http://web/\", times: 10, distinctPods: 2}"),
        "10 × GET http://web/ answers 200 from 2 pods"
    );
    assert_eq!(
        describe("expect: {apiVersion: v1, kind: Pod}\ntext: A pod is there"),
        "A pod is there"
    );
}
