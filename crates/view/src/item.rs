//! Keys, names and the parts of items that all views share.

use api::core::v1::Pod;
use api::object::{Key as ObjectKey, KindInfo};
use api::{Object, Resource};
use base::Str;
use protocol::{Fact, Item, Key, Kind, Mark, State};

use crate::status::pod_state;

/// The key of an object: `pod/default/web`, `node/node-1`.
pub fn key_of(info: &KindInfo, key: &ObjectKey) -> Key {
    if key.namespace.is_empty() {
        format!("{}/{}", info.singular, key.name)
    } else {
        format!("{}/{}/{}", info.singular, key.namespace, key.name)
    }
}

/// The key of a part: of the control plane without a node, of a node with one.
pub fn key_of_part(name: &str, node: &str) -> Key {
    if node.is_empty() { format!("part/{name}") } else { format!("part/{name}/{node}") }
}

/// The name and the node of the part that a key names.
pub fn part_of_key(key: &str) -> Option<(&str, &str)> {
    let rest = key.strip_prefix("part/")?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

/// The kind and name of the object that a key names.
pub fn reference(key: &str) -> Option<(&'static KindInfo, ObjectKey)> {
    let (singular, rest) = key.split_once('/')?;
    let (namespace, name) = rest.split_once('/').unwrap_or(("", rest));
    let info = api::KINDS
        .iter()
        .copied()
        .find(|info| info.singular == singular && info.namespaced != namespace.is_empty())?;
    Some((info, ObjectKey::new(namespace, name)))
}

/// The silhouette of an API kind.
pub fn kind_of(info: &KindInfo) -> Kind {
    match info.kind {
        "Pod" => Kind::Pod,
        "Node" => Kind::Node,
        "Deployment" => Kind::Deployment,
        "ReplicaSet" => Kind::ReplicaSet,
        "DaemonSet" => Kind::DaemonSet,
        "StatefulSet" => Kind::StatefulSet,
        "Job" => Kind::Job,
        "CronJob" => Kind::CronJob,
        "Service" => Kind::Service,
        "Ingress" => Kind::Ingress,
        "ConfigMap" => Kind::ConfigMap,
        "Secret" => Kind::Secret,
        "PersistentVolume" => Kind::Volume,
        "PersistentVolumeClaim" => Kind::Claim,
        "StorageClass" => Kind::StorageClass,
        "Namespace" => Kind::Namespace,
        _ => Kind::Object,
    }
}

/// What an object is called in a sentence: `Pod default/web`.
pub fn title(info: &KindInfo, key: &ObjectKey) -> String {
    format!("{} {key}", info.kind)
}

/// A fact without a link.
pub fn fact(name: &str, value: impl Into<String>) -> Fact {
    Fact { name: name.into(), value: value.into(), link: None }
}

/// A fact whose value names an object.
pub fn linked(name: &str, value: impl Into<String>, link: Key) -> Fact {
    Fact { name: name.into(), value: value.into(), link: Some(link) }
}

/// A status.
pub fn state(mark: Mark, word: impl Into<String>) -> State {
    State { mark, word: word.into(), note: String::new() }
}

/// An item with a name and nothing else.
pub fn plain(key: &str, kind: Kind, label: &str) -> Item {
    Item {
        key: key.into(),
        kind,
        parent: None,
        namespace: String::new(),
        name: label.into(),
        label: label.into(),
        spoken: label.into(),
        state: state(Mark::Plain, ""),
        rank: 0,
        gauge: None,
        facts: Vec::new(),
        ties: Vec::new(),
    }
}

/// The item of an object.
pub fn of_object(object: &dyn Resource, key: &ObjectKey) -> Item {
    let info = object.info();
    Item {
        namespace: key.namespace.to_string(),
        spoken: format!("{} {key}", info.singular),
        ..plain(&key_of(info, key), kind_of(info), &key.name)
    }
}

/// The item of a pod, without a parent.
pub fn of_pod(pod: &Pod) -> Item {
    let key = ObjectKey::of(&pod.metadata);
    let mut facts = Vec::new();
    if !pod.status.pod_ip.is_empty() {
        facts.push(fact("IP", pod.status.pod_ip.as_str()));
    }
    let restarts: i32 = pod.status.container_statuses.iter().map(|c| c.restart_count).sum();
    if restarts > 0 {
        facts.push(fact("restarts", restarts.to_string()));
    }
    Item { label: short_name(pod), state: pod_state(pod), facts, ..of_object(pod, &key) }
}

/// Workload and the last characters: `web ·x7k2p`. A pod that nothing owns keeps its name.
fn short_name(pod: &Pod) -> String {
    let name = &pod.metadata.name;
    let Some(owner) = pod.metadata.owner_references.iter().find(|o| o.controller == Some(true))
    else {
        return name.to_string();
    };
    let Some(tail) = name.strip_prefix(&format!("{}-", owner.name)) else {
        return name.to_string();
    };
    let hash = pod.metadata.labels.get("pod-template-hash").map_or("", |hash| hash.as_str());
    let workload = owner.name.strip_suffix(&format!("-{hash}")).unwrap_or(&owner.name);
    format!("{workload} ·{tail}")
}

/// The name of a pod's controlling owner, if it is of a kind.
pub fn owner(object: &dyn Resource, kind: &str) -> Option<ObjectKey> {
    let meta = object.meta();
    let owner = meta.owner_references.iter().find(|o| o.controller == Some(true))?;
    (owner.kind == kind).then(|| ObjectKey::new(meta.namespace.clone(), owner.name.clone()))
}

/// An object's labels as `key=value` words.
pub fn labels(object: &Object) -> String {
    pairs(object.meta().labels.iter())
}

/// Pairs as `key=value` words.
pub fn pairs<'a>(pairs: impl Iterator<Item = (&'a Str, &'a Str)>) -> String {
    let words: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, want: Option<(&str, &str)>) {
        let found = reference(key).map(|(info, key)| (info.kind, key.to_string()));
        assert_eq!(found.as_ref().map(|(kind, key)| (*kind, key.as_str())), want);
    }

    #[test]
    fn keys_lead_back_to_their_objects() {
        check("pod/default/web", Some(("Pod", "default/web")));
        check("node/node-1", Some(("Node", "node-1")));
        check("replicaset/shop/web-1", Some(("ReplicaSet", "shop/web-1")));
    }
    #[test]
    fn parts_and_lanes_are_no_objects() {
        check("part/etcd", None);
        check("lane/waiting", None);
        assert_eq!(part_of_key("part/kubelet/node-1"), Some(("kubelet", "node-1")));
        assert_eq!(part_of_key("part/etcd"), Some(("etcd", "")));
    }
}
