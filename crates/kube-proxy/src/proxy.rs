//! kube-proxy of all nodes: follows Services, EndpointSlices and Nodes and publishes rules.
//!
//! Models kube-proxy in iptables mode.
//! Known deviations:
//! - All nodes whose kube-proxy runs publish at the same moment; a stopped one keeps its last rules.
//! - An EndpointSlice belongs to one Service for its whole life.
//! - No events are recorded.

use std::sync::Arc;

use api::core::v1::{Node, Service};
use api::discovery::v1::EndpointSlice;
use api::wire::{Change, Interest, WatchEvent};
use api::{Key, Kind, Object};
use base::{BTreeMap, Duration, Instant, Str};
use client::{Input, Outbox, Part};
use network::{Protocol, Shards, SocketAddr};

use crate::config::Config;
use crate::endpoints::endpoints_of;
use crate::ruleset::{NodeInfo, NodeView, RuleSet, Slices};
use crate::service::{HEADLESS_LABEL, PortFacts, ports_of};

/// The label of an EndpointSlice that names its Service.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
/// The label of a node that names its zone.
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// Rules are not published more often than this.
const SYNC_PERIOD_MIN: Duration = Duration::secs(1);

/// The kube-proxies of a cluster. A copy is cheap.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The newest knowledge, not yet published.
    next: RuleSet,
    slices: Shards<Key, Slices>,
    nodes: Shards<Str, Arc<NodeInfo>>,
    published: Arc<RuleSet>,
    /// What nodes still have whose kube-proxy does not run.
    frozen: BTreeMap<Str, Arc<RuleSet>>,
    /// Services and EndpointSlices were listed since the last start; before that nothing is published.
    listed: [bool; 2],
    dirty: bool,
    synced: Option<Instant>,
    stale: Vec<(SocketAddr, Protocol)>,
    publications: u64,
}

/// What publishing did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Datagram endpoints that are gone: nodes forget their flows.
    pub stale: Vec<(SocketAddr, Protocol)>,
}

impl Proxy {
    /// The kube-proxies of a cluster, before they know anything.
    pub fn new(config: Config) -> Proxy {
        let next = RuleSet::new(config);
        Proxy {
            published: Arc::new(next.clone()),
            next,
            slices: Shards::default(),
            nodes: Shards::default(),
            frozen: BTreeMap::new(),
            listed: [false; 2],
            dirty: false,
            synced: None,
            stale: Vec::new(),
            publications: 0,
        }
    }

    /// The rules that a node has now.
    pub fn rules(&self, node: &str) -> &Arc<RuleSet> {
        self.frozen.get(node).unwrap_or(&self.published)
    }

    /// What is known of a node.
    pub fn node(&self, name: &str) -> Option<&Arc<NodeInfo>> {
        self.nodes.get(name)
    }

    /// The tables that a node has now; `None` for unknown nodes.
    pub fn view<'a>(&'a self, node: &str) -> Option<NodeView<'a>> {
        Some(self.rules(node).view(self.nodes.get(node)?))
    }

    /// Stops the kube-proxy of a node: it keeps the rules that it has.
    pub fn stop(&mut self, node: &str) {
        let rules = self.rules(node).clone();
        self.frozen.insert(node.into(), rules);
    }

    /// Starts the kube-proxy of a node again: it has the newest rules at once.
    pub fn resume(&mut self, node: &str) {
        self.frozen.remove(node);
    }

    /// How often rules were published.
    pub fn publications(&self) -> u64 {
        self.publications
    }

    /// Datagram endpoints that went away since the last call: nodes must forget their flows.
    pub fn take_synced(&mut self) -> Synced {
        Synced { stale: std::mem::take(&mut self.stale) }
    }

    /// Adds or changes a Service.
    pub fn set_service(&mut self, service: &Service) {
        let key = Key::of(&service.metadata);
        let slices = self.slices.get(&key).cloned().unwrap_or_default();
        self.next.set_service(&key, ports_of(service), slices);
        self.dirty = true;
    }

    /// Removes a Service.
    pub fn remove_service(&mut self, key: &Key) {
        self.next.set_service(key, Vec::new(), Slices::default());
        self.dirty = true;
    }

    /// Adds or changes an EndpointSlice.
    pub fn set_slice(&mut self, slice: Arc<EndpointSlice>) {
        let Some(key) = service_of(&slice) else { return };
        let name = slice.metadata.name.clone();
        self.change_slices(key, |slices| {
            slices.insert(name, slice);
        });
    }

    /// Removes an EndpointSlice.
    pub fn remove_slice(&mut self, slice: &EndpointSlice) {
        let Some(key) = service_of(slice) else { return };
        self.change_slices(key, |slices| {
            slices.remove(&slice.metadata.name);
        });
    }

    fn change_slices(
        &mut self,
        key: Key,
        change: impl FnOnce(&mut BTreeMap<Str, Arc<EndpointSlice>>),
    ) {
        let old = self.slices.get(&key).cloned().unwrap_or_default();
        let mut new = old.clone();
        change(Arc::make_mut(&mut new));
        for facts in self.next.facts(&key) {
            self.stale.extend(gone(&facts, &old, &new));
        }
        self.next.set_slices(&key, new.clone());
        if new.is_empty() {
            self.slices.remove(&key);
        } else {
            self.slices.insert(key, new);
        }
        self.dirty = true;
    }

    /// Adds or changes a node.
    pub fn set_node(&mut self, node: &Node) {
        let ips = node.status.addresses.iter().filter_map(|a| a.address.parse().ok());
        let zone = node.metadata.labels.get(ZONE_LABEL).cloned().unwrap_or_default();
        let name = node.metadata.name.clone();
        let info = NodeInfo { name: name.clone(), zone, ips: ips.collect() };
        if self.nodes.get(&name).is_none_or(|old| **old != info) {
            self.nodes.insert(name, Arc::new(info));
        }
    }

    /// Removes a node.
    pub fn remove_node(&mut self, name: &str) {
        self.nodes.remove(name);
        self.frozen.remove(name);
    }

    /// Publishes what is new, unless rules were published a moment ago.
    pub fn sync(&mut self, now: Instant) {
        let due = self.synced.is_none_or(|last| now >= last + SYNC_PERIOD_MIN);
        if self.dirty && due {
            self.dirty = false;
            self.synced = Some(now);
            self.published = Arc::new(self.next.clone());
            self.publications += 1;
        }
    }

    fn apply(&mut self, watch: usize, event: WatchEvent) {
        let WatchEvent { change, object, .. } = event;
        if change == Change::Bookmark {
            return;
        }
        let gone = change == Change::Deleted;
        match watch {
            SERVICES if gone => self.remove_service(&Key::of(object.meta())),
            SERVICES => {
                if let Some(service) = object.get::<Service>() {
                    self.set_service(service);
                }
            }
            SLICES => match object.arc::<EndpointSlice>() {
                Some(slice) if gone => self.remove_slice(&slice),
                Some(slice) => self.set_slice(slice),
                None => {}
            },
            _ if gone => self.remove_node(object.name()),
            _ => {
                if let Some(node) = object.get::<Node>() {
                    self.set_node(node);
                }
            }
        }
    }

    /// Replaces all that was known of a watch.
    fn replace(&mut self, watch: usize, objects: Vec<Object>) {
        match watch {
            SERVICES => {
                for key in self.next.keys() {
                    self.remove_service(&key);
                }
            }
            SLICES => {
                let keys: Vec<Key> = self.slices.iter().map(|(key, _)| key.clone()).collect();
                for key in keys {
                    self.change_slices(key, BTreeMap::clear);
                }
            }
            _ => self.nodes = Shards::default(),
        }
        for object in objects {
            self.apply(watch, WatchEvent { change: Change::Added, object, revision: 0 });
        }
    }
}

const SERVICES: usize = 0;
const SLICES: usize = 1;

impl Part for Proxy {
    fn name(&self) -> &str {
        "kube-proxy"
    }

    fn interests(&self) -> Vec<Interest> {
        [Service::INFO, EndpointSlice::INFO, Node::INFO].map(Interest::all).to_vec()
    }

    fn handle(&mut self, now: Instant, input: Input, _: &mut Outbox) {
        match input {
            Input::Start => self.listed = [false; 2],
            Input::Listed { watch, objects, .. } => {
                self.replace(watch, objects);
                if let Some(listed) = self.listed.get_mut(watch) {
                    *listed = true;
                }
            }
            Input::Watch { watch, events } => {
                for event in events {
                    self.apply(watch, event);
                }
            }
            Input::Wake | Input::Reply(..) | Input::Called(..) | Input::Cloud(..) => {}
        }
        if self.listed == [true; 2] {
            self.sync(now);
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let last = self.synced.filter(|_| self.dirty && self.listed == [true; 2])?;
        Some(last + SYNC_PERIOD_MIN)
    }
}

/// The Service of a slice that needs a proxy.
fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let labels = &slice.metadata.labels;
    let name = labels.get(SERVICE_NAME_LABEL)?;
    let wanted = !labels.contains_key(HEADLESS_LABEL) && !name.is_empty();
    wanted.then(|| Key::new(slice.metadata.namespace.clone(), name.clone()))
}

/// Datagram endpoints that were serving and are no more.
fn gone(facts: &PortFacts, old: &Slices, new: &Slices) -> Vec<(SocketAddr, Protocol)> {
    if facts.protocol != Protocol::Udp {
        return Vec::new();
    }
    let serving = |slices: &Slices| {
        let endpoints = endpoints_of(facts, slices).into_iter().filter(|e| e.serving);
        endpoints.map(|e| e.at).collect::<Vec<_>>()
    };
    let now = serving(new);
    let lost = serving(old).into_iter().filter(|at| !now.contains(at));
    lost.map(|at| (at, facts.protocol)).collect()
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
