//! What the page is told, driven by changes as a cluster makes them.

use api::object::Key;
use api::wire::{Change, Trigger, WatchEvent};
use api::{Decode, Json, Object};
use base::{Instant, Str};
use protocol::{Kind, Op, Subscription, View, ViewFrame};

use crate::infra::{Infra, Part};
use crate::inspect::Write;
use crate::views::Views;

fn object(text: &str) -> Object {
    let json = Json::parse(text.as_bytes()).unwrap();
    let kind = json.get("kind").and_then(|k| k.as_str()).unwrap().to_owned();
    let info = api::KINDS.iter().copied().find(|info| info.kind == kind).unwrap();
    Object::decode(info, json, &mut Decode::new())
}

fn pod(name: &str, node: &str) -> Object {
    object(&format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","namespace":"default"}},
        "spec":{{"nodeName":"{node}"}},"status":{{"phase":"Pending"}}}}"#
    ))
}

fn owned(name: &str, set: &str) -> Object {
    object(&format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","namespace":"default","labels":{{"pod-template-hash":"abc"}},
        "ownerReferences":[{{"kind":"ReplicaSet","name":"{set}","controller":true}}]}},
        "spec":{{"nodeName":"node-1"}},"status":{{"phase":"Pending"}}}}"#
    ))
}

fn node(name: &str) -> Object {
    object(&format!(r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"{name}"}}}}"#))
}

fn change(views: &mut Views, change: Change, object: Object) {
    views.change(Instant::START, &WatchEvent { change, object, revision: 1 });
}

fn subscribed(view: View) -> Views {
    let mut views = Views::default();
    views.subscribe(&[Subscription { view, focus: None }]);
    views
}

fn ops(frames: &[ViewFrame], view: View) -> Vec<String> {
    let frame = frames.iter().find(|frame| frame.view == view);
    let ops = frame.map(|frame| frame.ops.as_slice()).unwrap_or_default();
    ops.iter()
        .map(|op| match op {
            Op::Upsert(item) => match &item.parent {
                Some(parent) => format!("+{}@{parent}", item.key),
                None => format!("+{}", item.key),
            },
            Op::Remove(key) => format!("-{key}"),
            Op::Move { key, parent } => format!("{key}>{}", parent.as_deref().unwrap_or("")),
            Op::Pulse(pulse) => format!("*{}", pulse.path.join(">")),
        })
        .collect()
}

#[test]
fn a_pod_waits_in_the_lane_and_moves_to_its_node() {
    let mut views = subscribed(View::Architecture);
    change(&mut views, Change::Added, node("node-1"));
    change(&mut views, Change::Added, pod("a", ""));
    let first = ops(&views.frame().0, View::Architecture);
    assert!(first.contains(&"+pod/default/a@lane/waiting".to_owned()), "{first:?}");
    change(&mut views, Change::Modified, pod("a", "node-1"));
    let second = ops(&views.frame().0, View::Architecture);
    assert!(second.iter().any(|op| op == "+pod/default/a@node/node-1"), "{second:?}");
    assert!(
        !second.iter().any(|op| op.contains("node-1/")),
        "nothing else of the node: {second:?}"
    );
}

#[test]
fn a_frame_without_a_change_is_empty() {
    let mut views = subscribed(View::Architecture);
    change(&mut views, Change::Added, node("node-1"));
    views.frame();
    assert_eq!(views.frame().0, vec![]);
    change(&mut views, Change::Modified, node("node-1"));
    assert_eq!(views.frame().0, vec![], "the same again is nothing new");
}

#[test]
fn a_crowded_node_shows_its_share_and_counts_the_rest() {
    let mut views = subscribed(View::Architecture);
    for n in 0..100 {
        change(&mut views, Change::Added, node(&format!("node-{n:03}")));
    }
    for p in 0..20 {
        change(&mut views, Change::Added, pod(&format!("p{p:02}"), "node-001"));
    }
    let frames = views.frame().0;
    let all = ops(&frames, View::Architecture);
    let shown = all.iter().filter(|op| op.starts_with("+pod/")).count();
    assert_eq!(shown, 6);
    let more = frames[0].ops.iter().find_map(|op| match op {
        Op::Upsert(item) if item.kind == Kind::More => Some(item.label.clone()),
        _ => None,
    });
    assert_eq!(more.as_deref(), Some("+14 more"));
    change(&mut views, Change::Deleted, pod("p00", "node-001"));
    let next = ops(&views.frame().0, View::Architecture);
    assert!(next.contains(&"-pod/default/p00".to_owned()));
    assert!(next.contains(&"+pod/default/p06@node/node-001".to_owned()), "{next:?}");
}

#[test]
fn a_deployment_brings_its_sets_and_pods_and_nothing_else() {
    let mut views = subscribed(View::Deployment);
    let deployment = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"default"}}"#;
    let set = r#"{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"web-abc","namespace":"default",
        "ownerReferences":[{"kind":"Deployment","name":"web","controller":true}]}}"#;
    change(&mut views, Change::Added, object(deployment));
    change(&mut views, Change::Added, object(set));
    change(&mut views, Change::Added, owned("web-abc-x7k2p", "web-abc"));
    change(&mut views, Change::Added, pod("other", "node-1"));
    let (frames, _) = views.frame();
    assert_eq!(
        ops(&frames, View::Deployment),
        [
            "+deployment/default/web",
            "+replicaset/default/web-abc@deployment/default/web",
            "+pod/default/web-abc-x7k2p@replicaset/default/web-abc",
        ]
    );
    let label = frames[0].ops.iter().find_map(|op| match op {
        Op::Upsert(item) if item.kind == Kind::Pod => Some(item.label.clone()),
        _ => None,
    });
    assert_eq!(label.as_deref(), Some("web ·x7k2p"));
    change(&mut views, Change::Deleted, owned("web-abc-x7k2p", "web-abc"));
    assert_eq!(ops(&views.frame().0, View::Deployment), ["-pod/default/web-abc-x7k2p"]);
}

#[test]
fn a_write_becomes_a_ticket_and_news_for_those_who_can_hear() {
    let check = |scheduler: bool, want: &[&str]| {
        let mut views = subscribed(View::Architecture);
        let part = |kind, name: &str, running| Part { kind, name: Str::from(name), running };
        views.set_infra(Infra {
            parts: vec![
                part(Kind::ApiServer, "kube-apiserver", true),
                part(Kind::Scheduler, "kube-scheduler", scheduler),
            ],
            ..Infra::default()
        });
        change(&mut views, Change::Added, pod("a", ""));
        views.frame();
        views.write(&Write {
            revision: 5,
            kind: api::KINDS.iter().find(|info| info.kind == "Pod").unwrap(),
            key: Key::new("default", "a"),
            verb: "create",
            actor: "replicaset-controller".into(),
            trigger: Trigger::Start,
            by_hand: false,
            at: Instant::START,
        });
        assert_eq!(ops(&views.frame().0, View::Architecture), want);
    };
    let ticket = "*part/kube-controller-manager>part/kube-apiserver>part/etcd";
    check(true, &[ticket, "*part/kube-apiserver>part/kube-scheduler"]);
    check(false, &[ticket]);
}

#[test]
fn the_news_tell_of_pods_in_sentences() {
    let mut views = Views::default();
    change(&mut views, Change::Added, pod("a", ""));
    change(&mut views, Change::Modified, pod("a", "node-1"));
    change(&mut views, Change::Deleted, pod("a", "node-1"));
    let text: Vec<String> = views.frame().1.into_iter().map(|line| line.text).collect();
    assert_eq!(
        text,
        ["Pod default/a was created.", "Pod default/a goes to node-1.", "Pod default/a is gone."]
    );
}
