//! What the cloud controllers ask of nodes.

use api::core::v1::{Node, NodeCondition, Taint};
use api::time::Time;
use base::Str;

/// Nobody at the provider has looked at the node yet.
pub const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";
/// The node's machine is stopped.
pub const SHUTDOWN: &str = "node.cloudprovider.kubernetes.io/shutdown";
/// The autoscaler is about to remove the node.
pub const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";

/// The condition of this type.
pub fn condition<'a>(node: &'a Node, type_: &str) -> Option<&'a NodeCondition> {
    node.status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the node reports that it is ready.
pub fn is_ready(node: &Node) -> bool {
    condition(node, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Whether the node has a taint with this key.
pub fn is_tainted(node: &Node, key: &str) -> bool {
    node.spec.taints.iter().any(|taint| taint.key == key)
}

/// A copy of the node with a NoSchedule taint more.
pub fn tainted(node: &Node, key: &str, value: Str, at: Option<Time>) -> Node {
    let mut new = node.clone();
    let (key, effect) = (key.into(), base::lit!("NoSchedule"));
    let taint = Taint { key, value, effect, time_added: at };
    std::sync::Arc::make_mut(&mut new.spec).taints.push(taint);
    new
}

/// A copy of the node without taints of this key.
pub fn untainted(node: &Node, key: &str) -> Node {
    let mut new = node.clone();
    let spec = std::sync::Arc::make_mut(&mut new.spec);
    spec.taints = spec.taints.iter().filter(|taint| taint.key != key).cloned().collect();
    new
}
