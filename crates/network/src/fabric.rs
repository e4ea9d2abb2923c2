//! Where everything is: nodes, pods and load balancers by address, and the links between nodes.

use core::net::IpAddr;
use std::sync::Arc;

use base::{BTreeMap, BTreeSet, Duration, Str};

use crate::addr::Cidr;
use crate::shards::Shards;

/// The network of a cluster. A copy is cheap.
#[derive(Clone, Debug, Default)]
pub struct Fabric {
    nodes: Arc<BTreeMap<Str, NodeSite>>,
    node_of: Shards<IpAddr, Str>,
    pods: Shards<IpAddr, PodSite>,
    balancers: Arc<BTreeMap<IpAddr, Balancer>>,
    /// The links between nodes.
    pub links: Links,
}

/// A node in the network.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NodeSite {
    /// Its addresses, the first one of each family being the one it sends from.
    pub ips: Vec<IpAddr>,
    /// Its zone; empty if it has none.
    pub zone: Str,
}

/// A pod in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSite {
    /// Its node.
    pub node: Str,
    /// Its namespace.
    pub namespace: Str,
    /// Its name.
    pub name: Str,
}

/// A cloud load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Balancer {
    /// Nodes that pass its health check.
    pub nodes: Arc<[Str]>,
    /// Node port behind each of its ports, where it rewrites the destination (`ipMode: Proxy`).
    pub node_ports: Option<Arc<BTreeMap<u16, u16>>>,
    /// The address that nodes see as the sender's; `None` where they see the client's own.
    pub sends_from: Option<IpAddr>,
    /// Who may use it; all if empty.
    pub ranges: Vec<Cidr>,
}

impl Fabric {
    /// Adds a node, or changes it.
    pub fn set_node(&mut self, name: Str, site: NodeSite) {
        self.remove_node(&name);
        for ip in &site.ips {
            self.node_of.insert(*ip, name.clone());
        }
        Arc::make_mut(&mut self.nodes).insert(name, site);
    }

    /// Removes a node.
    pub fn remove_node(&mut self, name: &str) {
        if !self.nodes.contains_key(name) {
            return;
        }
        for ip in Arc::make_mut(&mut self.nodes).remove(name).unwrap_or_default().ips {
            self.node_of.remove(&ip);
        }
    }

    /// A node.
    pub fn node(&self, name: &str) -> Option<&NodeSite> {
        self.nodes.get(name)
    }

    /// The node with an address.
    pub fn node_at(&self, ip: IpAddr) -> Option<&Str> {
        self.node_of.get(&ip)
    }

    /// The address from which a node sends to `to`.
    pub fn node_ip(&self, name: &str, to: IpAddr) -> Option<IpAddr> {
        self.nodes.get(name)?.ips.iter().find(|ip| ip.is_ipv4() == to.is_ipv4()).copied()
    }

    /// Adds a pod at an address of its own. Pods in their node's network are not added.
    pub fn set_pod(&mut self, ip: IpAddr, site: PodSite) {
        self.pods.insert(ip, site);
    }

    /// Removes the pod at an address.
    pub fn remove_pod(&mut self, ip: IpAddr) {
        self.pods.remove(&ip);
    }

    /// The pod at an address.
    pub fn pod_at(&self, ip: IpAddr) -> Option<&PodSite> {
        self.pods.get(&ip)
    }

    /// Sets what is behind a load balancer's address.
    pub fn set_balancer(&mut self, ip: IpAddr, balancer: Balancer) {
        Arc::make_mut(&mut self.balancers).insert(ip, balancer);
    }

    /// Removes a load balancer.
    pub fn remove_balancer(&mut self, ip: IpAddr) {
        Arc::make_mut(&mut self.balancers).remove(&ip);
    }

    /// The load balancer at an address.
    pub fn balancer_at(&self, ip: IpAddr) -> Option<&Balancer> {
        self.balancers.get(&ip)
    }

    /// The time a packet takes between two nodes, or between a node and the outside (an empty name).
    pub fn delay(&self, a: &str, b: &str) -> Duration {
        let links = &self.links;
        if a == b {
            return links.same_node;
        }
        if a.is_empty() || b.is_empty() {
            return links.outside;
        }
        let zone = |name: &str| self.nodes.get(name).map(|node| &node.zone);
        let base = if zone(a) == zone(b) { links.same_zone } else { links.other_zone };
        base + links.extra(a, b)
    }
}

/// Delays, losses and cuts between nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Links {
    /// Between pods of one node.
    pub same_node: Duration,
    /// Between nodes of one zone.
    pub same_zone: Duration,
    /// Between zones.
    pub other_zone: Duration,
    /// Between a node and the outside.
    pub outside: Duration,
    /// Packets lost, in a thousand, on every link between nodes.
    pub loss_per_mille: u32,
    slow: BTreeMap<(Str, Str), Duration>,
    cut: BTreeSet<(Str, Str)>,
    isolated: BTreeSet<Str>,
}

impl Default for Links {
    fn default() -> Links {
        Links {
            same_node: Duration::micros(40),
            same_zone: Duration::micros(250),
            other_zone: Duration::micros(900),
            outside: Duration::millis(12),
            loss_per_mille: 0,
            slow: BTreeMap::new(),
            cut: BTreeSet::new(),
            isolated: BTreeSet::new(),
        }
    }
}

impl Links {
    /// Whether packets pass between two nodes, or between a node and the outside (an empty name).
    pub fn open(&self, a: &str, b: &str) -> bool {
        if a == b || self.cut.is_empty() && self.isolated.is_empty() {
            return true;
        }
        let isolated = self.isolated.contains(a) || self.isolated.contains(b);
        !isolated && !self.cut.contains(&pair(a, b))
    }

    /// Cuts the link between two nodes, or mends it.
    pub fn set_cut(&mut self, a: &str, b: &str, cut: bool) {
        if cut {
            self.cut.insert(pair(a, b));
        } else {
            self.cut.remove(&pair(a, b));
        }
    }

    /// Cuts a node off from everything, or joins it again.
    pub fn set_isolated(&mut self, node: &str, isolated: bool) {
        if isolated {
            self.isolated.insert(node.into());
        } else {
            self.isolated.remove(node);
        }
    }

    /// Slows the link between two nodes by `extra`; zero undoes it.
    pub fn set_extra(&mut self, a: &str, b: &str, extra: Duration) {
        if extra == Duration::ZERO {
            self.slow.remove(&pair(a, b));
        } else {
            self.slow.insert(pair(a, b), extra);
        }
    }

    fn extra(&self, a: &str, b: &str) -> Duration {
        if self.slow.is_empty() {
            return Duration::ZERO;
        }
        self.slow.get(&pair(a, b)).copied().unwrap_or_default()
    }
}

fn pair(a: &str, b: &str) -> (Str, Str) {
    if a <= b { (a.into(), b.into()) } else { (b.into(), a.into()) }
}
