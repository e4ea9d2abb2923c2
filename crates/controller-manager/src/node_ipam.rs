//! The node IPAM controller: gives every node its range of pod addresses.
//!
//! Known deviations:
//! - IPv4 only; one cluster range.

use core::net::Ipv4Addr;
use std::sync::Arc;

use api::core::v1::Node;
use api::object::{Key, Kind, KindInfo};
use base::{BTreeMap, BTreeSet, Duration, Str, list};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

/// The node IPAM controller.
#[derive(Clone)]
pub struct NodeIpam {
    base: u32,
    prefix: u32,
    node_prefix: u32,
    used: BTreeSet<u32>,
    by_node: BTreeMap<Str, u32>,
    next: u32,
}

impl NodeIpam {
    /// Gives out parts of `range` (such as `10.244.0.0/16`) with `node_prefix` bits of network each.
    ///
    /// Panics on a range that is none: it is part of how the process is started.
    pub fn new(range: &str, node_prefix: u32) -> NodeIpam {
        let (ip, prefix) = range.split_once('/').expect("a range has a prefix");
        let ip: Ipv4Addr = ip.parse().expect("a range has an IPv4 address");
        let prefix = prefix.parse().expect("a prefix is a number");
        assert!(prefix <= node_prefix && node_prefix <= 32, "a node's range lies in the cluster's");
        NodeIpam {
            base: u32::from(ip),
            prefix,
            node_prefix,
            used: BTreeSet::new(),
            by_node: BTreeMap::new(),
            next: 0,
        }
    }

    fn capacity(&self) -> u32 {
        1u32.checked_shl(self.node_prefix - self.prefix).unwrap_or(u32::MAX)
    }

    fn range(&self, index: u32) -> Str {
        let size_log = 32 - self.node_prefix;
        let ip = Ipv4Addr::from(self.base + index.checked_shl(size_log).unwrap_or(0));
        format!("{ip}/{}", self.node_prefix).into()
    }

    fn index(&self, range: &str) -> Option<u32> {
        let ip: Ipv4Addr = range.split_once('/')?.0.parse().ok()?;
        let offset = u32::from(ip).checked_sub(self.base)?;
        offset.checked_shr(32 - self.node_prefix).filter(|index| *index < self.capacity())
    }

    fn take(&mut self) -> Option<u32> {
        let capacity = self.capacity();
        let free = |at: &u32| !self.used.contains(at);
        let at = (self.next..capacity).find(free).or_else(|| (0..self.next).find(free))?;
        self.used.insert(at);
        self.next = (at + 1) % capacity;
        Some(at)
    }
}

impl Reconcile for NodeIpam {
    fn name(&self) -> &'static str {
        "node-ipam-controller"
    }

    fn source(&self) -> &'static str {
        "cidrAllocator"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Node::INFO]
    }

    fn workers(&self) -> usize {
        30
    }

    fn reset(&mut self) {
        self.used.clear();
        self.by_node.clear();
        self.next = 0;
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        let name = &delta.meta().name;
        if delta.deleted() {
            if let Some(index) = self.by_node.remove(name) {
                self.used.remove(&index);
            }
        } else if let Some(node) = delta.after::<Node>() {
            match self.index(&node.spec.pod_cidr) {
                Some(index) => {
                    self.used.insert(index);
                    self.by_node.insert(name.clone(), index);
                }
                None => queue.add(delta.key()),
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let node = cx.nodes().get(key).filter(|node| node.spec.pod_cidr.is_empty());
        let Some(node) = node else { return plan };
        let known = self.by_node.get(&key.name).copied();
        let Some(index) = known.or_else(|| self.take()) else {
            let message = format!("Node {} status is now: CIDRNotAvailable", key.name);
            plan.event(node, "Normal", "CIDRNotAvailable", message);
            plan.again(Duration::secs(30));
            return plan;
        };
        self.by_node.insert(key.name.clone(), index);
        let mut new = node.clone();
        let spec = Arc::make_mut(&mut new.spec);
        spec.pod_cidr = self.range(index);
        spec.pod_cidrs = list![spec.pod_cidr.clone()];
        plan.update(new);
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Runner;
    use client::testing::{Bench, object};

    fn node(name: &str) -> Node {
        object(&format!(r#"{{"metadata": {{"name": "{name}"}}}}"#))
    }

    /// Adds (`a`) and removes (`-a`) nodes and compares their ranges.
    fn check(script: &str, range: (&str, u32), expect: &str) {
        let runner = Runner::new("kcm", vec![Box::new(NodeIpam::new(range.0, range.1))]);
        let mut bench = Bench::new(runner, []);
        for word in script.split(' ') {
            match word.strip_prefix('-') {
                Some(name) => bench.remove::<Node>("", name),
                None => bench.put(node(word)),
            }
        }
        let nodes = bench.api.all::<Node>();
        let ranges: Vec<String> = nodes
            .iter()
            .map(|node| format!("{}={}", node.metadata.name, node.spec.pod_cidr))
            .collect();
        assert_eq!(ranges.join(" "), expect);
    }

    #[test]
    fn nodes_get_ranges_in_turn() {
        check("a b c", ("10.244.0.0/16", 24), "a=10.244.0.0/24 b=10.244.1.0/24 c=10.244.2.0/24");
    }

    #[test]
    fn freed_ranges_are_used_again_last() {
        check(
            "a b -a c d",
            ("10.244.0.0/22", 24),
            "b=10.244.1.0/24 c=10.244.2.0/24 d=10.244.3.0/24",
        );
        check(
            "a b -a c d e",
            ("10.244.0.0/22", 24),
            "b=10.244.1.0/24 c=10.244.2.0/24 d=10.244.3.0/24 e=10.244.0.0/24",
        );
    }

    #[test]
    fn a_full_range_leaves_nodes_without() {
        check("a b c", ("10.244.0.0/23", 24), "a=10.244.0.0/24 b=10.244.1.0/24 c=");
    }
}
