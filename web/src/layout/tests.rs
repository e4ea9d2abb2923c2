//! What every layout promises: nothing overlaps, nothing leaves, nothing moves.

use super::*;
use crate::board::tests::{board, item};
use protocol::{Kind, Op, Tie};

fn up(item: Item) -> Op {
    Op::Upsert(Box::new(item))
}

fn cluster(nodes: usize, pods: usize) -> Vec<Op> {
    let mut ops: Vec<Op> = [
        ("client/kubectl", Kind::Client),
        ("client/visitor", Kind::Client),
        ("part/kube-apiserver", Kind::ApiServer),
        ("part/etcd", Kind::Etcd),
        ("part/kube-controller-manager", Kind::ControllerManager),
        ("part/kube-scheduler", Kind::Scheduler),
        ("lane/waiting", Kind::Waiting),
    ]
    .into_iter()
    .map(|(key, kind)| up(item(key, kind, None)))
    .collect();
    for n in 0..nodes {
        let node = format!("node/node-{n}");
        ops.push(up(item(&node, Kind::Node, None)));
        ops.push(up(item(&format!("part/kubelet/node-{n}"), Kind::Kubelet, Some(&node))));
        ops.push(up(item(&format!("part/kube-proxy/node-{n}"), Kind::KubeProxy, Some(&node))));
    }
    for p in 0..pods {
        let node = format!("node/node-{}", p % nodes);
        ops.push(up(item(&format!("pod/default/p{p}"), Kind::Pod, Some(&node))));
    }
    for p in 0..3 {
        ops.push(up(item(&format!("pod/default/w{p}"), Kind::Pod, Some("lane/waiting"))));
    }
    ops
}

fn deployment(sets: usize, pods: usize) -> Vec<Op> {
    let mut ops = vec![up(item("deployment/web", Kind::Deployment, None))];
    for s in 0..sets {
        let key = format!("replicaset/web-{s}");
        let set = Item { rank: s as i64, ..item(&key, Kind::ReplicaSet, Some("deployment/web")) };
        ops.push(up(set));
        for p in 0..pods {
            ops.push(up(item(&format!("pod/s{s}p{p}"), Kind::Pod, Some(&key))));
        }
    }
    ops
}

fn service(pods: usize) -> Vec<Op> {
    let mut ops = vec![
        up(item("service/web", Kind::Service, None)),
        up(item("client/visitor", Kind::Client, None)),
    ];
    for p in 0..pods {
        let pod = format!("pod/p{p}");
        let tie = Tie { to: pod.clone(), word: String::new(), live: p % 2 == 0 };
        let end = item(&format!("endpoint/e{p}"), Kind::Endpoint, Some("service/web"));
        ops.push(up(Item { ties: vec![tie], ..end }));
        ops.push(up(item(&pod, Kind::Pod, Some("service/web"))));
    }
    for r in 0..4 {
        ops.push(up(item(&format!("rule/{r}"), Kind::Rule, Some("service/web"))));
    }
    ops
}

fn overlap(a: &Place, b: &Place) -> bool {
    a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

/// Nothing overlaps but a frame and what it holds; nothing leaves its frame or the scene.
fn check(view: View, ops: Vec<Op>) {
    let board = board(ops);
    for w in [360.0, 640.0, 766.0, 1400.0] {
        let scene = layout(view, &board, Size { w, h: 430.0 });
        assert!(!scene.places.is_empty());
        for (i, a) in scene.places.iter().enumerate() {
            assert!(a.x >= 0.0 && a.y >= 0.0 && a.x + a.w <= scene.w && a.y + a.h <= scene.h);
            for b in &scene.places[i + 1..] {
                let holds =
                    b.item.parent.as_deref() == Some(&a.item.key) && a.shape == Shape::Frame;
                if holds {
                    assert!(
                        b.x >= a.x
                            && b.y >= a.y
                            && b.x + b.w <= a.x + a.w
                            && b.y + b.h <= a.y + a.h,
                        "{} leaves {} at {w}",
                        b.item.key,
                        a.item.key
                    );
                } else {
                    assert!(!overlap(a, b), "{} overlaps {} at {w}", a.item.key, b.item.key);
                }
            }
        }
    }
}

#[test]
fn a_small_cluster_is_tidy() {
    check(View::Architecture, cluster(3, 12));
}
#[test]
fn a_crowded_cluster_is_tidy() {
    check(View::Architecture, cluster(5, 300));
}
#[test]
fn a_hundred_nodes_are_tidy() {
    check(View::Architecture, cluster(100, 600));
}
#[test]
fn a_rollout_is_tidy() {
    check(View::Deployment, deployment(3, 4));
    check(View::Deployment, deployment(2, 50));
}
#[test]
fn a_service_is_tidy() {
    check(View::Service, service(6));
}

#[test]
fn nothing_moves_when_a_pod_is_replaced() {
    let mut before = board(cluster(3, 12));
    let size = Size { w: 766.0, h: 430.0 };
    let scene = layout(View::Architecture, &before, size);
    before.apply(&protocol::ViewFrame {
        view: View::Architecture,
        reset: None,
        choices: None,
        ops: vec![
            Op::Remove("pod/default/p1".into()),
            up(item("pod/default/new", Kind::Pod, Some("node/node-1"))),
        ],
    });
    let after = layout(View::Architecture, &before, size);
    for place in &scene.places {
        let key =
            if place.item.key == "pod/default/p1" { "pod/default/new" } else { &place.item.key };
        let now = after.place(key).unwrap();
        assert_eq!((place.x, place.y, place.w, place.h), (now.x, now.y, now.w, now.h), "{key}");
    }
}

#[test]
fn the_newest_replica_set_is_on_top() {
    let scene = layout(View::Deployment, &board(deployment(3, 2)), Size { w: 766.0, h: 430.0 });
    let y = |n: usize| scene.place(&format!("replicaset/web-{n}")).unwrap().y;
    assert!(y(2) < y(1) && y(1) < y(0));
}

#[test]
fn an_endpoint_stands_beside_its_pod() {
    let scene = layout(View::Service, &board(service(5)), Size { w: 766.0, h: 430.0 });
    for p in 0..5 {
        let pod = scene.place(&format!("pod/p{p}")).unwrap();
        assert_eq!(scene.place(&format!("endpoint/e{p}")).unwrap().y, pod.y);
    }
}

#[test]
fn a_ticket_follows_the_lines_in_both_directions() {
    let scene = layout(View::Architecture, &board(cluster(3, 3)), Size { w: 766.0, h: 430.0 });
    let there = ["part/kube-apiserver".to_owned(), "part/kubelet/node-2".to_owned()];
    let back = [there[1].clone(), there[0].clone()];
    let way = scene.route(&there);
    assert!(way.len() > 3, "takes the corners of the line");
    let mut reverse = scene.route(&back);
    reverse.reverse();
    assert_eq!(way, reverse);
}

#[test]
fn arrows_find_the_neighbour() {
    let scene = layout(View::Architecture, &board(cluster(3, 3)), Size { w: 766.0, h: 430.0 });
    let right = scene.neighbour(Some("node/node-0"), 1.0, 0.0).unwrap();
    assert_eq!(right.item.key, "node/node-1");
}
