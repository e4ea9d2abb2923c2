//! The rules of all Services, shared by all nodes, and one node's view of them.
//!
//! A change touches one Service: its rules are made anew when somebody next asks for them, and everything else
//! stays shared with the picture before. Packets find their Service by address, port and protocol.

use std::sync::{Arc, OnceLock};

use api::Key;
use api::discovery::v1::EndpointSlice;
use base::{BTreeMap, Str};
use network::tables::{Chain, Rule, Table, Tables};
use network::{Family, HttpResponse, IpAddr, Packet, Protocol, Shards};

use crate::block::{Block, endpoint_rules, node_port_jumps, rules_of};
use crate::config::Config;
use crate::endpoints::{Endpoint, choose, endpoints_of, is_everywhere_equal};
use crate::fixed::{CHAINS, Fixed, masquerading};
use crate::health;
use crate::service::PortFacts;

/// EndpointSlices of one Service by name.
pub type Slices = Arc<BTreeMap<Str, Arc<EndpointSlice>>>;

/// The rules of all Services at one moment. A copy is cheap.
#[derive(Clone, Debug)]
pub struct RuleSet {
    config: Arc<Config>,
    fixed: Arc<[Fixed; 2]>,
    masquerading: Arc<[Arc<Rule>]>,
    services: Shards<Key, Arc<ServiceRules>>,
    by_address: Shards<(IpAddr, u16, Protocol), Vec<Slot>>,
    by_node_port: Shards<(Family, u16, Protocol), Vec<Slot>>,
    by_health_port: Shards<u16, Vec<Slot>>,
}

/// A port of a Service: the Service and the position of the port.
type Slot = (Key, usize);

/// The ports of a Service.
#[derive(Debug, Default)]
struct ServiceRules {
    ports: Vec<PortRules>,
}

#[derive(Debug)]
struct PortRules {
    facts: Arc<PortFacts>,
    slices: Slices,
    compiled: OnceLock<Compiled>,
}

/// What is made of a port's slices when it is first asked for.
#[derive(Debug)]
struct Compiled {
    endpoints: Vec<Endpoint>,
    chains: Vec<Arc<Chain>>,
    /// The rules, where all nodes have the same.
    shared: Option<Arc<Block>>,
}

/// What the rules need to know of a node.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NodeInfo {
    /// Its name.
    pub name: Str,
    /// Its zone; empty if it has none.
    pub zone: Str,
    /// Its addresses.
    pub ips: Vec<IpAddr>,
}

impl RuleSet {
    /// The rules of a cluster without Services.
    pub fn new(config: Config) -> RuleSet {
        RuleSet {
            fixed: Arc::new([Fixed::new(&config, Family::V4), Fixed::new(&config, Family::V6)]),
            masquerading: masquerading(&config).into(),
            config: Arc::new(config),
            services: Shards::default(),
            by_address: Shards::default(),
            by_node_port: Shards::default(),
            by_health_port: Shards::default(),
        }
    }

    /// Sets the ports of a Service; with none, the Service has no rules.
    pub fn set_service(&mut self, key: &Key, ports: Vec<PortFacts>, slices: Slices) {
        let old = self.services.get(key).cloned();
        let same = |old: &Arc<ServiceRules>| {
            old.ports.len() == ports.len()
                && old.ports.iter().zip(&ports).all(|(old, new)| *old.facts == *new)
        };
        if old.as_ref().is_some_and(same) {
            return self.set_slices(key, slices);
        }
        self.unindex(key);
        if ports.is_empty() {
            return;
        }
        for (i, facts) in ports.iter().enumerate() {
            let slot = (key.clone(), i);
            for ip in facts.addresses() {
                add(&mut self.by_address, (ip, facts.port, facts.protocol), slot.clone());
            }
            if facts.node_port != 0 {
                let at = (facts.family, facts.node_port, facts.protocol);
                add(&mut self.by_node_port, at, slot.clone());
            }
            if facts.health_check_port != 0 {
                add(&mut self.by_health_port, facts.health_check_port, slot);
            }
        }
        let ports = ports.into_iter().map(|facts| PortRules::new(Arc::new(facts), &slices));
        let rules = ServiceRules { ports: ports.collect() };
        self.services.insert(key.clone(), Arc::new(rules));
    }

    /// Sets the EndpointSlices of a Service that has rules.
    pub fn set_slices(&mut self, key: &Key, slices: Slices) {
        let Some(old) = self.services.get(key).cloned() else { return };
        let ports = old.ports.iter().map(|port| PortRules::new(port.facts.clone(), &slices));
        let rules = ServiceRules { ports: ports.collect() };
        self.services.insert(key.clone(), Arc::new(rules));
    }

    fn unindex(&mut self, key: &Key) {
        let Some(old) = self.services.remove(key) else { return };
        for (i, port) in old.ports.iter().enumerate() {
            let (facts, slot) = (&port.facts, (key.clone(), i));
            for ip in facts.addresses() {
                take(&mut self.by_address, (ip, facts.port, facts.protocol), &slot);
            }
            let at = (facts.family, facts.node_port, facts.protocol);
            take(&mut self.by_node_port, at, &slot);
            take(&mut self.by_health_port, facts.health_check_port, &slot);
        }
    }

    /// Keys of all Services that have rules, in order.
    pub fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.services.iter().map(|(key, _)| key.clone()).collect();
        base::sort::naturally(&mut keys);
        keys
    }

    /// The ports of a Service.
    pub fn facts(&self, key: &Key) -> Vec<Arc<PortFacts>> {
        let service = self.services.get(key);
        service.iter().flat_map(|s| &s.ports).map(|port| port.facts.clone()).collect()
    }

    /// How many Services have rules.
    pub fn services(&self) -> usize {
        self.services.len()
    }

    /// The Service behind an address, with the port's facts.
    pub fn service_at(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Option<&PortFacts> {
        let (key, i) = self.by_address.get(&(ip, port, protocol))?.first()?;
        self.services.get(key).map(|service| &*service.ports[*i].facts)
    }

    /// Whether two pictures have the very same rules of a Service.
    pub fn shares(&self, other: &RuleSet, key: &Key) -> bool {
        match (self.services.get(key), other.services.get(key)) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        }
    }

    /// What a node answers on a health check port; `None` if no Service has it.
    pub fn health_check(&self, node: &str, port: u16) -> Option<HttpResponse> {
        let (key, _) = self.by_health_port.get(&port)?.first()?;
        let service = self.services.get(key)?;
        let mut local = base::BTreeSet::new();
        for port in &service.ports {
            let here =
                port.compiled(&self.config).endpoints.iter().filter(|e| e.ready && e.node == node);
            local.extend(here.map(|endpoint| endpoint.at.ip()));
        }
        Some(health::response(&key.namespace, &key.name, local.len()))
    }

    /// Endpoints of a Service port on the given node's own machine or anywhere; for views.
    pub fn endpoints(&self, key: &Key, port_name: &str) -> Vec<Endpoint> {
        let Some(service) = self.services.get(key) else { return Vec::new() };
        let port = service.ports.iter().find(|port| port.facts.port_name == port_name);
        port.map(|port| port.compiled(&self.config).endpoints.clone()).unwrap_or_default()
    }

    /// One node's view.
    pub fn view<'a>(&'a self, node: &'a NodeInfo) -> NodeView<'a> {
        NodeView { set: self, node }
    }
}

impl PortRules {
    fn new(facts: Arc<PortFacts>, slices: &Slices) -> PortRules {
        PortRules { facts, slices: slices.clone(), compiled: OnceLock::new() }
    }

    fn compiled(&self, config: &Config) -> &Compiled {
        self.compiled.get_or_init(|| self.compile(config))
    }

    fn block(&self, config: &Config, node: &NodeInfo) -> Arc<Block> {
        let compiled = self.compiled(config);
        if let Some(shared) = &compiled.shared {
            return shared.clone();
        }
        let Compiled { endpoints, chains, .. } = compiled;
        let choice = choose(&self.facts, endpoints, &node.name, &node.zone);
        Arc::new(rules_of(&self.facts, chains, endpoints, &choice, config, &node.ips))
    }

    fn compile(&self, config: &Config) -> Compiled {
        let facts = &self.facts;
        let endpoints = endpoints_of(facts, &self.slices);
        let chains: Vec<_> = endpoints.iter().map(|e| endpoint_rules(facts, e)).collect();
        let equal = facts.source_ranges.is_empty() && is_everywhere_equal(facts, &endpoints);
        let shared = equal.then(|| {
            let choice = choose(facts, &endpoints, "", "");
            Arc::new(rules_of(facts, &chains, &endpoints, &choice, config, &[]))
        });
        Compiled { endpoints, chains, shared }
    }
}

fn add<K: std::hash::Hash + Eq + Clone>(index: &mut Shards<K, Vec<Slot>>, at: K, slot: Slot) {
    match index.get_mut(&at) {
        Some(slots) => {
            slots.push(slot);
            base::sort::naturally(slots);
        }
        None => {
            index.insert(at, vec![slot]);
        }
    }
}

fn take<K: std::hash::Hash + Eq + Clone>(index: &mut Shards<K, Vec<Slot>>, at: K, slot: &Slot) {
    let Some(slots) = index.get_mut(&at) else { return };
    slots.retain(|other| other != slot);
    if slots.is_empty() {
        index.remove(&at);
    }
}

/// The tables of one node.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    set: &'a RuleSet,
    node: &'a NodeInfo,
}

impl NodeView<'_> {
    fn by_address(&self, packet: &Packet, visit: &mut dyn FnMut(&Block)) {
        let at = (packet.dst.ip(), packet.dst.port(), packet.protocol);
        self.visit(self.set.by_address.get(&at), visit);
    }

    fn by_node_port(&self, packet: &Packet, visit: &mut dyn FnMut(&Block)) {
        let at = (Family::of(packet.dst.ip()), packet.dst.port(), packet.protocol);
        self.visit(self.set.by_node_port.get(&at), visit);
    }

    fn visit(&self, slots: Option<&Vec<Slot>>, visit: &mut dyn FnMut(&Block)) {
        for (key, i) in slots.into_iter().flatten() {
            if let Some(service) = self.set.services.get(key) {
                visit(&service.ports[*i].block(&self.set.config, self.node));
            }
        }
    }

    /// Rules of a chain that do not depend on Services.
    fn fixed(&self, table: Table, chain: &str, family: Family) -> &[Arc<Rule>] {
        let fixed = &self.set.fixed[usize::from(family == Family::V6)];
        match (table, chain) {
            (Table::Nat, "PREROUTING") => &fixed.nat_in,
            (Table::Nat, "OUTPUT") => &fixed.nat_out,
            (Table::Nat, "POSTROUTING") => &fixed.postrouting,
            (Table::Nat, "KUBE-POSTROUTING") => &self.set.masquerading,
            (Table::Nat, "KUBE-MARK-MASQ") => &fixed.mark,
            (Table::Filter, "INPUT") => &fixed.input,
            (Table::Filter, "FORWARD") => &fixed.forward,
            (Table::Filter, "OUTPUT") => &fixed.output,
            (Table::Filter, "KUBE-FORWARD") => &fixed.kube_forward,
            (Table::Filter, "KUBE-FIREWALL") => &fixed.kube_firewall,
            _ => &[],
        }
    }

    /// All tables of the node in one family, as `iptables-save` prints them.
    pub fn save(&self, family: Family) -> String {
        let mut services: Vec<_> = self.set.services.iter().collect();
        base::sort::by(&mut services, |a, b| a.0.cmp(b.0));
        let ports = services.iter().flat_map(|(_, service)| &service.ports);
        let ports = ports.filter(|port| port.facts.family == family);
        let blocks: Vec<_> = ports.map(|port| port.block(&self.set.config, self.node)).collect();
        let mut text = String::new();
        for table in [Table::Filter, Table::Nat] {
            let names = CHAINS.iter().filter(|(of, _)| *of == table).map(|(_, name)| *name);
            let names: Vec<_> =
                names.chain((table == Table::Nat).then_some("KUBE-SERVICES")).collect();
            let chains = names.iter().map(|name| {
                let mut rules = self.fixed(table, name, family).to_vec();
                for block in &blocks {
                    rules.extend(part_of(block, table, name).iter().cloned());
                }
                if (table, *name) == (Table::Nat, "KUBE-SERVICES") {
                    rules.extend(node_port_jumps(&self.set.config, family, &self.node.ips));
                }
                Chain::new(*name, rules)
            });
            network::save::save(table, &chains.collect::<Vec<_>>(), &mut text);
        }
        text
    }
}

/// The rules of a block that are in a fixed chain.
fn part_of<'a>(block: &'a Block, table: Table, chain: &str) -> &'a [Arc<Rule>] {
    match (table, chain) {
        (Table::Nat, "KUBE-SERVICES") => &block.services,
        (Table::Nat, "KUBE-NODEPORTS") => &block.node_ports,
        (Table::Filter, "KUBE-SERVICES") => &block.refused,
        (Table::Filter, "KUBE-EXTERNAL-SERVICES") => &block.refused_external,
        (Table::Filter, "KUBE-PROXY-FIREWALL") => &block.firewall,
        (Table::Filter, "KUBE-NODEPORTS") => &block.health,
        _ => &[],
    }
}

impl Tables for NodeView<'_> {
    fn rules(&self, table: Table, chain: &str, packet: &Packet, out: &mut Vec<Arc<Rule>>) {
        let family = Family::of(packet.dst.ip());
        let fixed = self.fixed(table, chain, family);
        if !fixed.is_empty() {
            out.extend_from_slice(fixed);
            return;
        }
        let mut collect = |block: &Block| out.extend_from_slice(part_of(block, table, chain));
        match (table, chain) {
            (_, "KUBE-SERVICES") | (Table::Filter, "KUBE-PROXY-FIREWALL") => {
                self.by_address(packet, &mut collect);
            }
            (Table::Filter, "KUBE-EXTERNAL-SERVICES") => {
                self.by_address(packet, &mut collect);
                self.by_node_port(packet, &mut collect);
            }
            (Table::Nat, "KUBE-NODEPORTS") => self.by_node_port(packet, &mut collect),
            (Table::Filter, "KUBE-NODEPORTS") => {
                self.visit(self.set.by_health_port.get(&packet.dst.port()), &mut collect);
            }
            _ => {}
        }
        if (table, chain) == (Table::Nat, "KUBE-SERVICES") && self.is_local(packet.dst.ip()) {
            out.extend(node_port_jumps(&self.set.config, family, &self.node.ips));
        }
    }

    fn is_local(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.node.ips.contains(&ip)
    }
}
