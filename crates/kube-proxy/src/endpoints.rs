//! Endpoints of a Service port and which of them a node may use.
//!
//! Models the endpoint choice that all kube-proxy modes share: readiness, termination, traffic policies and
//! topology hints.
//! Known deviations: none.

use std::sync::Arc;

use api::discovery::v1::EndpointSlice;
use base::{BTreeMap, Str};
use network::{Family, SocketAddr};

use crate::service::PortFacts;

/// One endpoint of a Service port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Address and port.
    pub at: SocketAddr,
    /// Its node; empty if the slice does not say.
    pub node: Str,
    /// It wants traffic.
    pub ready: bool,
    /// It could take traffic.
    pub serving: bool,
    /// It is going away.
    pub terminating: bool,
    /// Zones that should use it.
    pub zones: Vec<Str>,
    /// Nodes that should use it.
    pub nodes: Vec<Str>,
}

impl Endpoint {
    /// Going away, but still able to take what nobody else takes.
    fn is_last_resort(&self) -> bool {
        self.serving && self.terminating
    }
}

/// Endpoints of one port from all slices of its Service, ordered by their text; the first of equal ones counts.
pub fn endpoints_of(
    facts: &PortFacts,
    slices: &BTreeMap<Str, Arc<EndpointSlice>>,
) -> Vec<Endpoint> {
    let family = match facts.family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    };
    let mut found: BTreeMap<String, Endpoint> = BTreeMap::new();
    for slice in slices.values().filter(|slice| slice.address_type == family) {
        let named = slice.ports.iter().filter(|port| {
            port.name.as_deref().unwrap_or("") == facts.port_name
                && port.protocol.as_deref().unwrap_or("TCP") == facts.protocol.name()
        });
        let numbers = named.filter_map(|port| u16::try_from(port.port?).ok());
        for number in numbers {
            for endpoint in &slice.endpoints {
                let Some(endpoint) = read(endpoint, number, facts.family) else { continue };
                found.entry(endpoint.at.to_string()).or_insert(endpoint);
            }
        }
    }
    found.into_values().collect()
}

fn read(endpoint: &api::discovery::v1::Endpoint, port: u16, family: Family) -> Option<Endpoint> {
    let ip = endpoint.addresses.first()?.parse().ok().filter(|ip| Family::of(*ip) == family)?;
    let conditions = &endpoint.conditions;
    let (mut zones, mut nodes) = (Vec::new(), Vec::new());
    if let Some(hints) = &endpoint.hints {
        zones.extend(hints.for_zones.iter().map(|zone| zone.name.clone()));
        nodes.extend(hints.for_nodes.iter().map(|node| node.name.clone()));
    }
    Some(Endpoint {
        at: SocketAddr::new(ip, port),
        node: endpoint.node_name.clone().unwrap_or_default(),
        ready: conditions.ready.unwrap_or(true),
        serving: conditions.serving.unwrap_or(true),
        terminating: conditions.terminating.unwrap_or(false),
        zones,
        nodes,
    })
}

/// Positions of the endpoints that one node uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// For traffic that may leave the node.
    pub cluster: Vec<usize>,
    /// For traffic that must not.
    pub local: Vec<usize>,
    /// Both, in order.
    pub reachable: Vec<usize>,
    /// There is a usable endpoint somewhere.
    pub any: bool,
}

/// Which endpoints are preferred.
#[derive(Clone, Copy, PartialEq)]
enum Topology<'a> {
    None,
    Node(&'a str),
    Zone(&'a str),
}

/// Chooses the endpoints that a node uses.
pub fn choose(facts: &PortFacts, endpoints: &[Endpoint], node: &str, zone: &str) -> Choice {
    let pick = |keep: &dyn Fn(&Endpoint) -> bool| -> Vec<usize> {
        let kept = endpoints.iter().enumerate().filter(|(_, endpoint)| keep(endpoint));
        kept.map(|(i, _)| i).collect()
    };
    let mut choice = Choice::default();
    let mut topology = Topology::None;
    if facts.uses_cluster() {
        topology = preferred(endpoints, node, zone);
        choice.cluster = pick(&|e| e.ready && fits(e, topology));
        if choice.cluster.is_empty() {
            choice.cluster = pick(&Endpoint::is_last_resort);
        }
        choice.any = !choice.cluster.is_empty();
    }
    if !facts.uses_local() {
        choice.reachable = choice.cluster.clone();
        return choice;
    }
    choice.any |= endpoints.iter().any(|e| e.ready || e.is_last_resort());
    choice.local = pick(&|e| e.ready && e.node == node);
    let mut falls_back = false;
    if choice.local.is_empty() {
        choice.local = pick(&|e| e.is_last_resort() && e.node == node);
        falls_back = !choice.local.is_empty();
    }
    choice.reachable = if !facts.uses_cluster() {
        choice.local.clone()
    } else if topology == Topology::None && !falls_back {
        choice.cluster.clone()
    } else {
        let mut both = [choice.cluster.clone(), choice.local.clone()].concat();
        base::sort::naturally(&mut both);
        both.dedup();
        both
    };
    choice
}

/// Hints count only where every ready endpoint has them and one of them is for here.
fn preferred<'a>(endpoints: &[Endpoint], node: &'a str, zone: &'a str) -> Topology<'a> {
    let mut ready = endpoints.iter().filter(|e| e.ready).peekable();
    if ready.peek().is_none() {
        return Topology::None;
    }
    let (mut all_nodes, mut all_zones, mut this_node, mut this_zone) = (true, true, false, false);
    for endpoint in ready {
        all_nodes &= !endpoint.nodes.is_empty();
        all_zones &= !endpoint.zones.is_empty();
        this_node |= endpoint.nodes.iter().any(|n| *n == node);
        this_zone |= !zone.is_empty() && endpoint.zones.iter().any(|z| *z == zone);
    }
    if all_nodes && this_node {
        Topology::Node(node)
    } else if all_zones && this_zone {
        Topology::Zone(zone)
    } else {
        Topology::None
    }
}

fn fits(endpoint: &Endpoint, topology: Topology<'_>) -> bool {
    match topology {
        Topology::None => true,
        Topology::Node(node) => endpoint.nodes.iter().any(|n| *n == node),
        Topology::Zone(zone) => endpoint.zones.iter().any(|z| *z == zone),
    }
}

/// Whether the choice is the same on every node.
pub fn is_everywhere_equal(facts: &PortFacts, endpoints: &[Endpoint]) -> bool {
    let hinted = endpoints.iter().any(|e| !e.zones.is_empty() || !e.nodes.is_empty());
    !facts.uses_local() && !hinted
}

#[cfg(test)]
#[path = "endpoints_tests.rs"]
mod tests;
