//! The summary: what there is to know of an object, by kind.

use api::Object;
use api::apps::v1::{Deployment, ReplicaSet};
use api::core::v1::{ContainerState, Node, Pod, Service};
use api::object::Key;
use protocol::{Fact, Kind, Section};

use super::Source;
use crate::item::{fact, key_of, labels, linked, pairs};

/// The summary of an object.
pub fn of(object: &Object, source: &dyn Source) -> Vec<Section> {
    let mut out = if let Some(pod) = object.get::<Pod>() {
        of_pod(pod)
    } else if let Some(node) = object.get::<Node>() {
        of_node(node, source)
    } else if let Some(deployment) = object.get::<Deployment>() {
        of_deployment(deployment)
    } else if let Some(set) = object.get::<ReplicaSet>() {
        of_set(set)
    } else if let Some(service) = object.get::<Service>() {
        of_service(service)
    } else {
        Vec::new()
    };
    out.push(of_meta(object));
    out.retain(|section| !section.facts.is_empty());
    out
}

fn section(title: &str, facts: Vec<Fact>) -> Section {
    Section { title: title.into(), facts }
}

fn of_meta(object: &Object) -> Section {
    let meta = object.meta();
    let mut facts = Vec::new();
    for owner in &meta.owner_references {
        let info = api::KINDS.iter().find(|info| info.kind == owner.kind);
        let key = Key::new(meta.namespace.clone(), owner.name.clone());
        let words = format!("{} {}", owner.kind, owner.name);
        facts.push(match info {
            Some(info) => linked("Owner", words, key_of(info, &key)),
            None => fact("Owner", words),
        });
    }
    if !meta.labels.is_empty() {
        facts.push(fact("Labels", labels(object)));
    }
    if !meta.finalizers.is_empty() {
        let words: Vec<&str> = meta.finalizers.iter().map(|f| f.as_str()).collect();
        facts.push(fact("Finalizers", words.join(", ")));
    }
    if let Some(created) = meta.creation_timestamp {
        facts.push(fact("Created", created.to_string()));
    }
    if let Some(deleted) = meta.deletion_timestamp {
        facts.push(fact("Ends by", deleted.to_string()));
    }
    facts.push(fact("Revision", meta.resource_version.as_str()));
    section("Metadata", facts)
}

fn of_pod(pod: &Pod) -> Vec<Section> {
    let (spec, status) = (&pod.spec, &pod.status);
    let mut place = Vec::new();
    if spec.node_name.is_empty() {
        place.push(fact("Node", "none yet"));
    } else {
        place.push(linked("Node", spec.node_name.as_str(), format!("node/{}", spec.node_name)));
    }
    for (name, value) in [("IP", &status.pod_ip), ("Class", &status.qos_class)] {
        if !value.is_empty() {
            place.push(fact(name, value.as_str()));
        }
    }
    let containers = spec.init_containers.iter().chain(spec.containers.iter()).map(|container| {
        let statuses = status.init_container_statuses.iter().chain(&status.container_statuses);
        let state = statuses.into_iter().find(|s| s.name == container.name);
        let words = state.map_or_else(
            || "not started".into(),
            |s| {
                let ready = if s.ready { ", ready" } else { "" };
                let restarts = match s.restart_count {
                    0 => String::new(),
                    1 => ", 1 restart".into(),
                    n => format!(", {n} restarts"),
                };
                format!("{}{ready}{restarts}", container_words(&s.state))
            },
        );
        fact(&container.name, format!("{}: {words}", container.image))
    });
    let conditions =
        status.conditions.iter().map(|c| fact(&c.type_, condition_words(&c.status, &c.reason)));
    vec![
        section("Place", place),
        section("Containers", containers.collect()),
        section("Conditions", conditions.collect()),
    ]
}

fn container_words(state: &ContainerState) -> String {
    if let Some(waiting) = &state.waiting {
        format!("waits, {}", waiting.reason)
    } else if let Some(ended) = &state.terminated {
        format!("ended with {}, {}", ended.exit_code, ended.reason)
    } else if state.running.is_some() {
        "runs".into()
    } else {
        "unknown".into()
    }
}

fn condition_words(status: &str, reason: &str) -> String {
    let word = match status {
        "True" => "yes",
        "False" => "no",
        _ => "unknown",
    };
    if reason.is_empty() { word.into() } else { format!("{word}, {reason}") }
}

fn of_node(node: &Node, source: &dyn Source) -> Vec<Section> {
    let status = &node.status;
    let machine = source.infra().machine(&node.metadata.name);
    let word = |yes: bool, on: &str, off: &str| if yes { on.to_owned() } else { off.to_owned() };
    let mut about = vec![
        fact("Power", word(machine.powered, "on", "off")),
        fact("Link", word(machine.joined, "joined", "cut")),
    ];
    about.extend(status.addresses.iter().map(|a| fact(&a.type_, a.address.as_str())));
    if !node.spec.pod_cidr.is_empty() {
        about.push(fact("Pod range", node.spec.pod_cidr.as_str()));
    }
    let room = status.allocatable.iter().map(|(name, quantity)| fact(name, quantity.to_string()));
    let taints = node.spec.taints.iter().map(|taint| fact(&taint.key, taint.effect.as_str()));
    let conditions =
        status.conditions.iter().map(|c| fact(&c.type_, condition_words(&c.status, &c.reason)));
    vec![
        section("Machine", about),
        section("Room for pods", room.collect()),
        section("Taints", taints.collect()),
        section("Conditions", conditions.collect()),
    ]
}

fn of_deployment(deployment: &Deployment) -> Vec<Section> {
    let (spec, status) = (&deployment.spec, &deployment.status);
    let replicas = vec![
        fact("Wanted", spec.replicas.unwrap_or(1).to_string()),
        fact("Up to date", status.updated_replicas.to_string()),
        fact("Ready", status.ready_replicas.to_string()),
        fact("Available", status.available_replicas.to_string()),
        fact("Strategy", spec.strategy.type_.as_str()),
        fact("Selector", pairs(spec.selector.match_labels.iter())),
    ];
    let conditions =
        status.conditions.iter().map(|c| fact(&c.type_, condition_words(&c.status, &c.reason)));
    vec![section("Replicas", replicas), section("Conditions", conditions.collect())]
}

fn of_set(set: &ReplicaSet) -> Vec<Section> {
    let (spec, status) = (&set.spec, &set.status);
    let replicas = vec![
        fact("Wanted", spec.replicas.unwrap_or(1).to_string()),
        fact("There are", status.replicas.to_string()),
        fact("Ready", status.ready_replicas.to_string()),
        fact("Available", status.available_replicas.to_string()),
        fact("Selector", pairs(spec.selector.match_labels.iter())),
    ];
    vec![section("Replicas", replicas)]
}

fn of_service(service: &Service) -> Vec<Section> {
    let spec = &service.spec;
    let mut facts = vec![fact("Type", spec.type_.as_str())];
    facts.extend(spec.cluster_ips.iter().map(|ip| fact("Address", ip.as_str())));
    for port in &spec.ports {
        let target =
            port.target_port.as_ref().map_or_else(|| port.port.to_string(), |t| t.to_string());
        facts.push(fact("Port", format!("{} {} → {target}", port.port, port.protocol)));
    }
    if !spec.selector.is_empty() {
        facts.push(fact("Selector", pairs(spec.selector.iter())));
    }
    vec![section("Address", facts)]
}

/// The summary of a part: what it does, in a sentence.
pub fn of_part(kind: Kind, node: &str) -> Vec<Section> {
    let does = match kind {
        Kind::ApiServer => {
            "answers every request, checks it, and is the only one that talks to etcd"
        }
        Kind::Etcd => "keeps every object and tells the API server of each change",
        Kind::ControllerManager => "runs the controllers, which bring what is to what should be",
        Kind::Scheduler => "chooses a node for each pod that has none",
        Kind::CloudControllerManager => "asks the provider for machines, load balancers and disks",
        Kind::Provider => "owns the machines, load balancers and disks",
        Kind::Kubelet => "starts and watches the containers of the pods on its node",
        Kind::KubeProxy => "writes the packet rules that make Services reachable on its node",
        _ => "is a part of the cluster",
    };
    let mut facts = vec![fact("Task", does)];
    if !node.is_empty() {
        facts.push(linked("Node", node, format!("node/{node}")));
    }
    vec![Section { title: "Part".into(), facts }]
}
