//! What `cache` promises, as tests.

use api::core::v1::{ConfigMap, Pod};
use api::object::{Kind, Object};
use api::selector::Selector;
use api::wire::{Change, WatchEvent};

use super::*;
use crate::testing::object;

/// A pod such as `a,node=n1,app=web,owner=u,controller=u,ns=other`.
fn pod(text: &str) -> Object {
    let mut words = text.split(',');
    let name = words.next().expect("a name");
    let (mut node, mut namespace, mut labels, mut owners) = ("", "d", Vec::new(), Vec::new());
    for word in words {
        let (key, value) = word.split_once('=').expect("key=value");
        match key {
            "node" => node = value,
            "ns" => namespace = value,
            "owner" | "controller" => owners.push(format!(
                r#"{{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "{value}", "controller": {}}}"#,
                key == "controller"
            )),
            _ => labels.push(format!(r#""{key}": "{value}""#)),
        }
    }
    Object::new(object::<Pod>(&format!(
        r#"{{"metadata": {{"name": "{name}", "namespace": "{namespace}", "resourceVersion": "1", "labels":
        {{{}}}, "ownerReferences": [{}]}}, "spec": {{"containers": [], "nodeName": "{node}"}}}}"#,
        labels.join(","),
        owners.join(",")
    )))
}

fn event(change: Change, text: &str, revision: i64) -> WatchEvent {
    WatchEvent { change, object: pod(text), revision }
}

fn names<'a>(pods: impl Iterator<Item = &'a Pod>) -> String {
    pods.map(|pod| pod.metadata.name.to_string()).collect::<Vec<_>>().join(" ")
}

/// Lists pods, then changes them (`+`, `~`, `-` and a pod), and asks every index.
fn check(listed: &str, changes: &str, expect: [(&str, &str); 5]) {
    let mut caches = Caches::new();
    caches.listed(Pod::INFO, listed.split_whitespace().map(pod).collect(), 1);
    for (at, text) in changes.split_whitespace().enumerate() {
        let (sign, text) = text.split_at(1);
        let change = match sign {
            "+" => Change::Added,
            "~" => Change::Modified,
            _ => Change::Deleted,
        };
        caches.watched(Pod::INFO, event(change, text, 2 + at as i64));
    }
    let pods = caches.all::<Pod>();
    let selector = Selector::parse("app=web").expect("it is one");
    let got = [
        ("all", names(pods.in_namespace("d"))),
        ("on n1", names(pods.on_node("n1"))),
        ("of u", names(pods.owned_by("u"))),
        ("named u", names(pods.dependents_of("u"))),
        ("web", names(pods.selected("d", &selector))),
    ];
    for ((what, got), (asked, wanted)) in got.iter().zip(expect) {
        assert_eq!((*what, &**got), (asked, wanted), "{listed} then {changes}");
    }
}

#[test]
fn every_index_finds_what_is_listed() {
    check(
        "b,node=n1,app=web a,app=web,controller=u c,owner=u,ns=other",
        "",
        [("all", "a b"), ("on n1", "b"), ("of u", "a"), ("named u", "a c"), ("web", "a b")],
    );
}

#[test]
fn indexes_follow_changes() {
    check(
        "a,app=web",
        "~a,node=n1,app=web +b,controller=u ~a,node=n1,app=db,owner=u",
        [("all", "a b"), ("on n1", "a"), ("of u", "b"), ("named u", "a b"), ("web", "")],
    );
}

#[test]
fn what_is_deleted_is_in_no_index() {
    check(
        "a,app=web,node=n1,controller=u",
        "-a,app=web,node=n1,controller=u",
        [("all", ""), ("on n1", ""), ("of u", ""), ("named u", ""), ("web", "")],
    );
}

#[test]
fn a_second_list_tells_what_came_changed_and_went() {
    let mut caches = Caches::new();
    let list = |names: &str| names.split_whitespace().map(pod).collect::<Vec<_>>();
    assert_eq!(caches.listed(Pod::INFO, list("a b"), 1).len(), 2);
    let deltas = caches.listed(Pod::INFO, list("b c"), 5);
    let told: Vec<String> = deltas
        .iter()
        .map(|delta| format!("{}{}", if delta.deleted() { "-" } else { "+" }, delta.key().name))
        .collect();
    assert_eq!(told, ["-a", "+c"], "b is the same revision");
    assert_eq!(caches.revision(Pod::INFO), 5);
}

#[test]
fn late_events_and_bookmarks_change_nothing() {
    let mut caches = Caches::new();
    caches.listed(Pod::INFO, vec![], 5);
    assert!(caches.watched(Pod::INFO, event(Change::Added, "a", 4)).is_none());
    assert!(caches.watched(Pod::INFO, event(Change::Bookmark, "a", 9)).is_none());
    assert_eq!((caches.count(Pod::INFO), caches.revision(Pod::INFO)), (0, 9));
}

#[test]
fn other_kinds_are_selected_without_an_index() {
    let map = |name: &str, app: &str| {
        Object::new(object::<ConfigMap>(&format!(
            r#"{{"metadata": {{"name": "{name}", "namespace": "d", "labels": {{"app": "{app}"}}}}}}"#
        )))
    };
    let caches = crate::testing::caches([map("a", "web"), map("b", "db")]);
    let check = |selector: &str, expect: usize| {
        let selector = Selector::parse(selector).expect("it is one");
        assert_eq!(caches.all::<ConfigMap>().selected("d", &selector).count(), expect);
    };
    check("app=web", 1);
    check("app", 2);
    check("app!=web", 1);
    assert_eq!(caches.all::<ConfigMap>().selected("d", &Selector::nothing()).count(), 0);
}
