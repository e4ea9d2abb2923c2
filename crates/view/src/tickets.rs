//! Tickets: a write on its way from who decided it through the API server to etcd, and the news of
//! it to those
//! who act on it.

use base::Str;
use protocol::{Key, Kind, Pulse, Tone};

use crate::inspect::Write;
use crate::item::{key_of_part, title};
use crate::world::World;

/// The ways of a write in the architecture view; none for heartbeats and records of events.
pub fn of_write(world: &World, write: &Write) -> Vec<Pulse> {
    if matches!(write.kind.kind, "Lease" | "Event") {
        return Vec::new();
    }
    let node = node_of(world, write);
    let api = key_of_part("kube-apiserver", "");
    let caption = format!("{} {} {}", write.actor, write.verb, title(write.kind, &write.key));
    let pulse = |path: Vec<Key>, tone: Tone| Pulse {
        path,
        tone,
        caption: caption.clone(),
        took: 0,
        count: 1,
    };
    let mut out = Vec::new();
    if let Some(from) = sender(write, node.as_deref()) {
        out.push(pulse(vec![from, api.clone(), key_of_part("etcd", "")], Tone::Write));
    }
    for to in readers(world, write, node.as_deref()) {
        out.push(pulse(vec![api.clone(), to], Tone::Watch));
    }
    out
}

/// The node a write is about: of its pod, or itself.
fn node_of(world: &World, write: &Write) -> Option<Str> {
    match write.kind.kind {
        "Pod" => world.pods.get(&write.key).map(|pod| pod.spec.node_name.clone()),
        "Node" => Some(write.key.name.clone()),
        _ => None,
    }
    .filter(|node| !node.is_empty())
}

/// The item of who wrote.
fn sender(write: &Write, node: Option<&str>) -> Option<Key> {
    let actor = write.actor.as_str();
    Some(match actor {
        "kubectl" | "kubectl-client-side-apply" => "client/kubectl".into(),
        "kubelet" => key_of_part("kubelet", node?),
        "kube-scheduler" | "default-scheduler" => key_of_part("kube-scheduler", ""),
        "cloud-controller-manager" => key_of_part("cloud-controller-manager", ""),
        "kube-apiserver" | "apiserver" | "" => return None,
        _ if actor.starts_with("kubectl") => "client/kubectl".into(),
        _ if actor.ends_with("-controller") || actor == "kube-controller-manager" => {
            key_of_part("kube-controller-manager", "")
        }
        _ if write.by_hand => "client/kubectl".into(),
        _ => key_of_part("kube-controller-manager", ""),
    })
}

/// The items of those who act on such a write and can hear of it.
fn readers(world: &World, write: &Write, node: Option<&str>) -> Vec<Key> {
    let mut out = Vec::new();
    let mut plane = |kind: Kind, name: &str| {
        if world.infra.runs(kind) && !acted(write, name) {
            out.push(key_of_part(name, ""));
        }
    };
    match (write.kind.kind, node) {
        ("Pod", None) if write.verb == "create" => plane(Kind::Scheduler, "kube-scheduler"),
        ("Pod", Some(_)) => plane(Kind::ControllerManager, "kube-controller-manager"),
        ("Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob", _) => {
            plane(Kind::ControllerManager, "kube-controller-manager");
        }
        ("Service" | "Node", _) => plane(Kind::ControllerManager, "kube-controller-manager"),
        _ => {}
    }
    if let ("Pod", Some(node)) = (write.kind.kind, node) {
        let machine = world.infra.machine(node);
        let hears = machine.powered && machine.joined && machine.kubelet;
        if hears && write.actor != "kubelet" {
            out.push(key_of_part("kubelet", node));
        }
    }
    if matches!(write.kind.kind, "Service" | "EndpointSlice") {
        for name in world.nodes.keys().take(PROXIES_MAX) {
            let machine = world.infra.machine(name);
            if machine.powered && machine.joined && machine.kube_proxy == Some(true) {
                out.push(key_of_part("kube-proxy", name));
            }
        }
    }
    out
}

/// News of a rule set goes to every node; the page shows so many.
const PROXIES_MAX: usize = 12;

/// A part is not told of its own writes: it hears of them too, but acts on what others wrote.
fn acted(write: &Write, part: &str) -> bool {
    write.actor == part
        || (part == "kube-controller-manager" && write.actor.ends_with("-controller"))
}
