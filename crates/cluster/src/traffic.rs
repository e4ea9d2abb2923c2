//! Requests over the cluster's network: who asks, through whose tables, and who answers.

use api::Kind as _;
use api::core::v1::Pod;
use base::{BTreeMap, Duration, Instant, Str};
use kube_proxy::Proxy;
use network::{
    Answer, Call, DnsReply, Fabric, IpAddr, NodeState, NodeTables, Origin, Payload, Place, Reply,
    ResolvConf, Resolve, Tables, Trace, World,
};

use crate::Cluster;
use crate::engine::Event;
use crate::faults::Component;
use crate::process::{Body, Pid, Process};

const DOMAIN: &str = "cluster.local";
const DNS_PORT: u16 = 53;
/// Requests that are remembered until somebody takes them.
const HEARD_MAX: usize = 128;

impl Cluster {
    /// Sends one request now and follows it to its end. The cluster's clock does not move.
    pub fn request(&mut self, call: &Call) -> Trace {
        let nobody = Proxy::new(self.proxy_config());
        let (control, kubelets) = split(&mut self.processes);
        let mut proxy = None;
        let mut dns = None;
        for process in control {
            match &mut process.body {
                Body::Proxy(part) => proxy = Some(&**part),
                Body::Dns(part) => dns = Some((&mut **part, process.running)),
                _ => {}
            }
        }
        let proxy = proxy.unwrap_or(&nobody);
        let first = kubelets.first().map_or(0, |_| self.nodes.values().min().copied().unwrap_or(0));
        let cloud = self.cloud.as_deref();
        let mut names =
            Names { fabric: &self.fabric, server: &self.server, dns, off: &self.off, cloud };
        let mut answers = Answers { kubelets, nodes: &self.nodes, first, proxy, off: &self.off };
        let mut tables = Powered { tables: self.memories.with_proxy(proxy), off: &self.off };
        let mut world = World {
            fabric: &self.fabric,
            names: &mut names,
            tables: &mut tables,
            answers: &mut answers,
            now: self.now,
            rng: &mut self.rng,
        };
        network::request(&mut world, call)
    }

    /// Where a request of somebody with this name comes from: `namespace/pod`, a node, or the outside.
    pub fn origin(&self, from: &str) -> Option<Origin> {
        if from.is_empty() {
            return Some(Origin::Outside(IpAddr::V4(network::Ipv4Addr::new(203, 0, 113, 7))));
        }
        if self.nodes.contains_key(from) {
            return Some(Origin::Node(from.into()));
        }
        let (namespace, name) = from.split_once('/').unwrap_or(("default", from));
        let object = self.server.get(Pod::INFO, namespace, name)?;
        let pod = object.get::<Pod>()?;
        if pod.spec.host_network {
            return Some(Origin::Node(pod.spec.node_name.clone()));
        }
        pod.status.pod_ip.parse().ok().map(Origin::Pod)
    }

    pub(crate) fn carry_call(&mut self, from: Pid, epoch: u32, id: u64, call: &Call) {
        let trace = self.request(call);
        let at = self.now + trace.latency;
        self.hear(&call.from, &trace);
        self.queue.schedule(at, Event::Called { to: from, epoch, id, result: Box::new(trace) });
    }

    /// Remembers a pod's request for whoever draws the traffic.
    fn hear(&mut self, from: &Origin, trace: &Trace) {
        let Origin::Pod(ip) = from else { return };
        let Some(site) = self.fabric.pod_at(*ip) else { return };
        let from = (site.namespace.clone(), site.name.clone());
        if self.heard.len() == HEARD_MAX {
            self.heard.pop_front();
        }
        self.heard.push_back(crate::Heard { at: self.now, from, trace: trace.clone() });
    }

    /// Keeps the network in step with what a process has just done.
    pub(crate) fn network_changed(&mut self, pid: Pid) {
        let process = &mut self.processes[pid];
        match &mut process.body {
            Body::Kubelet(kubelet) => {
                for change in kubelet.take_site_changes() {
                    match change.pod {
                        Some((namespace, name)) => {
                            let node = process.node.clone();
                            self.fabric
                                .set_pod(change.ip, network::PodSite { node, namespace, name });
                        }
                        None => self.fabric.remove_pod(change.ip),
                    }
                }
            }
            Body::Proxy(proxy) => self.memories.forget(&proxy.take_synced()),
            _ => {}
        }
    }
}

/// The control plane's processes come first, then the kubelets.
fn split(processes: &mut [Process]) -> (&mut [Process], &mut [Process]) {
    let first =
        processes.iter().position(|p| p.component == Component::Kubelet).unwrap_or(processes.len());
    processes.split_at_mut(first)
}

/// The tables of nodes that have power: the others pass nothing on.
struct Powered<'a, T> {
    tables: T,
    off: &'a BTreeMap<Str, ()>,
}

impl<T: NodeTables> NodeTables for Powered<'_, T> {
    fn with(&mut self, node: &str, visit: &mut dyn FnMut(&dyn Tables, &mut NodeState)) {
        if !self.off.contains_key(node) {
            self.tables.with(node, visit);
        }
    }
}

struct Names<'a> {
    fabric: &'a Fabric,
    server: &'a apiserver::ApiServer,
    dns: Option<(&'a mut addons::Dns, bool)>,
    off: &'a BTreeMap<Str, ()>,
    cloud: Option<&'a crate::Cloud>,
}

impl Names<'_> {
    fn pod(&self, ip: IpAddr) -> Option<api::Object> {
        let site = self.fabric.pod_at(ip)?;
        self.server.get(Pod::INFO, &site.namespace, &site.name)
    }
}

/// What a node's own resolver is set to: a server outside.
fn node_conf(server: IpAddr) -> ResolvConf {
    ResolvConf { servers: vec![server], search: [].into(), ndots: 1 }
}

impl Resolve for Names<'_> {
    fn hosts(&self, from: &Origin, name: &str) -> Option<Vec<IpAddr>> {
        if name == "localhost" {
            return Some(vec![IpAddr::V4(network::Ipv4Addr::LOCALHOST)]);
        }
        let Origin::Pod(ip) = from else {
            // The outside has resolvers of its own, which know what the provider publishes.
            let outside = matches!(from, Origin::Outside(_));
            return self.cloud.filter(|_| outside)?.resolve(name);
        };
        let object = self.pod(*ip)?;
        let pod = object.get::<Pod>()?;
        if pod.metadata.name == name || pod.spec.hostname == name {
            return Some(vec![*ip]);
        }
        let aliases =
            pod.spec.host_aliases.iter().filter(|a| a.hostnames.iter().any(|h| h == name));
        let found: Vec<IpAddr> = aliases.filter_map(|a| a.ip.parse().ok()).collect();
        (!found.is_empty()).then_some(found)
    }

    fn config(&self, from: &Origin) -> Option<ResolvConf> {
        let dns = IpAddr::V4(self.server.options().service_range.dns());
        match from {
            Origin::Pod(ip) => {
                let object = self.pod(*ip)?;
                let pod = object.get::<Pod>()?;
                let cluster = Some((dns, DOMAIN));
                Some(addons::dns::conf::resolv_conf(
                    &pod.spec,
                    &pod.metadata.namespace,
                    cluster,
                    &node_conf(dns),
                ))
            }
            Origin::Node(_) => Some(node_conf(dns)),
            Origin::Outside(_) => None,
        }
    }

    fn query(&mut self, place: &Place, name: &str) -> Option<DnsReply> {
        let (namespace, pod) = place.pod.as_ref()?;
        if place.at.port() != DNS_PORT || self.off.contains_key(&place.node) {
            return None;
        }
        let object = self.server.get(Pod::INFO, namespace, pod)?;
        let serves = object.meta().labels.text("k8s-app") == Some("kube-dns");
        if let Some(found) = self.cloud.and_then(|cloud| cloud.resolve(name)) {
            return self.dns.as_ref().filter(|(_, runs)| *runs).map(|_| DnsReply::Addresses(found));
        }
        match &mut self.dns {
            Some((dns, true)) if serves => Some(dns.addresses(name)),
            _ => None,
        }
    }
}

struct Answers<'a> {
    kubelets: &'a mut [Process],
    nodes: &'a BTreeMap<Str, Pid>,
    first: Pid,
    proxy: &'a Proxy,
    off: &'a BTreeMap<Str, ()>,
}

impl Answer for Answers<'_> {
    fn answer(&mut self, place: &Place, client: IpAddr, payload: &Payload, now: Instant) -> Reply {
        if place.node.is_empty() {
            return Reply::Lost;
        }
        if self.off.contains_key(&place.node) {
            return Reply::Lost;
        }
        let Some(pid) = self.nodes.get(&place.node) else { return Reply::Lost };
        if place.pod.is_none()
            && let Some(response) =
                self.proxy.rules(&place.node).health_check(&place.node, place.at.port())
        {
            let response = network::trace::Response::Http(response);
            return Reply::Respond { after: Duration::millis(1), response };
        }
        match &mut self.kubelets[pid - self.first].body {
            Body::Kubelet(kubelet) => kubelet.answer(now, place, client, payload),
            _ => Reply::NotListening,
        }
    }
}

/// A GET of an `http://host:port/path`, or a bare connection to `tcp://host:port`, from nowhere yet.
pub(crate) fn call_of(url: &str) -> Option<Call> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (authority, path) = match rest.find('/') {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, "/"),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, Some(port.parse().ok()?))
        }
        _ => (authority, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return None;
    }
    let (default, payload) = match scheme {
        "http" => (80, Payload::Http(network::HttpRequest::get(authority, path))),
        "https" => (443, Payload::Http(network::HttpRequest::get(authority, path))),
        "tcp" => (80, Payload::Connect),
        _ => return None,
    };
    let to = host.parse().map_or_else(|_| network::To::Name(host.into()), network::To::Ip);
    let nowhere = Origin::Outside(IpAddr::V4(network::Ipv4Addr::UNSPECIFIED));
    Some(Call::new(nowhere, to, port.unwrap_or(default), payload))
}
