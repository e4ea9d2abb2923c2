//! The EndpointSlice controller: shows the pods of a Service as slices of at most a hundred endpoints.
//!
//! Known deviations:
//! - Ports of a slice are ordered by name, not by hash; endpoints by the names of their pods.
//! - Changes that others make to a slice are undone only with the Service's next change.
//! - Services that ask for topology-aware routing are looked at whenever a node's readiness, zone or CPU changes, not
//!   only where a zone has come to have too few endpoints.

use core::net::IpAddr;

use api::core::v1::{Node, ObjectReference, Pod, Service};
use api::discovery::v1::{
    Endpoint, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice, ForNode, ForZone,
};
use api::object::{Key, Kind, KindInfo};
use api::selector::Selector;
use base::{BTreeMap, BTreeSet, List, Str, list, lit};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use crate::{pods, services};

mod fill;
mod topology;

/// A slice has at most so many endpoints.
pub const ENDPOINTS_MAX: usize = 100;
/// The label that names the Service of a slice.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that says who writes a slice.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const US: &str = "endpointslice-controller.k8s.io";
const ZONE: &str = "topology.kubernetes.io/zone";

/// The EndpointSlice controller.
#[derive(Clone, Default)]
pub struct EndpointSlices {
    times: services::TriggerTimes,
    /// Services that ask for topology-aware routing.
    topology: BTreeSet<Key>,
    /// Those of them whose endpoints are given to zones.
    hinted: BTreeSet<Key>,
}

impl Reconcile for EndpointSlices {
    fn name(&self) -> &'static str {
        "endpoint-slice-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Service::INFO, Pod::INFO, EndpointSlice::INFO, Node::INFO]
    }

    fn reset(&mut self) {
        *self = EndpointSlices::default();
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<Node>() {
            let share = |node: Option<&Node>| {
                let known = node.and_then(topology::share);
                known.map(|known| known.map(|(zone, cpu)| (zone.clone(), cpu)))
            };
            if share(delta.before()) != share(delta.after()) {
                self.topology.iter().for_each(|key| queue.add(key.clone()));
            }
            return;
        }
        if !delta.is::<EndpointSlice>() {
            return services::concerned(cx, delta, queue);
        }
        let labels = &delta.meta().labels;
        if delta.deleted()
            && labels.text(MANAGED_BY) == Some(US)
            && let Some(service) = labels.get(SERVICE_NAME)
        {
            queue.named(delta.meta().namespace.clone(), service.clone());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(service) = cx.services().get(key) else {
            self.times.forget(key);
            self.topology.remove(key);
            self.hinted.remove(key);
            return Plan::settled();
        };
        if !services::follows_pods(service) || service.metadata.deletion_timestamp.is_some() {
            return Plan::settled();
        }
        let selector = Selector::from_labels(service.spec.selector.iter());
        let pods: Vec<&Pod> = cx.pods().selected(&key.namespace, &selector).collect();
        let changed_at = self.times.changed(service, &pods);
        let mut plan = Plan::settled();
        let slices: Vec<&EndpointSlice> = cx
            .endpoint_slices()
            .owned_by(&service.metadata.uid)
            .filter(|slice| slice.metadata.labels.text(MANAGED_BY) == Some(US))
            .filter(|slice| slice.metadata.deletion_timestamp.is_none())
            .collect();
        let families = families(service);
        let mut complete = true;
        let mut work = fill::Work::new(service, changed_at);
        for family in &families {
            let mut groups = wanted(cx, service, &pods, *family, &mut complete);
            self.follow_zones(cx, service, *family, &mut groups, &mut plan);
            let known = slices.iter().filter(|slice| slice.address_type == family.name()).copied();
            work.reconcile(*family, known.collect(), groups);
        }
        let known = |slice: &&&EndpointSlice| {
            families.iter().any(|family| slice.address_type == family.name())
        };
        let strays = slices.iter().filter(|slice| !known(slice)).copied().collect();
        work.finish(strays, &mut plan);
        if !complete {
            plan.again_with_backoff();
        }
        plan
    }
}

impl EndpointSlices {
    /// Gives endpoints to zones where the Service asks for it, and tells of it where that begins, fails or ends.
    fn follow_zones(
        &mut self,
        cx: &Cx<'_>,
        service: &Service,
        family: Family,
        groups: &mut Groups,
        plan: &mut Plan,
    ) {
        let key = Key::of(&service.metadata);
        let mut say = |type_: &'static str, reason: &'static str, what: &str| {
            let text = format!("{what}, addressType: {}", family.name());
            plan.event(service, type_, reason, text);
        };
        let off = "TopologyAwareHintsDisabled";
        if !topology::is_asked_for(service) {
            self.topology.remove(&key);
            if self.hinted.remove(&key) {
                say("Warning", off, "Topology Aware Hints has been disabled");
            }
            return;
        }
        self.topology.insert(key.clone());
        match topology::give_hints(cx.nodes().all(), groups) {
            Ok(()) => {
                if self.hinted.insert(key) {
                    let on = "TopologyAwareHintsEnabled";
                    say("Normal", on, "Topology Aware Hints has been enabled");
                }
            }
            Err(why) => {
                self.hinted.remove(&key);
                say("Warning", off, &why);
            }
        }
    }
}

/// The address family of a slice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }

    fn has(self, ip: &str) -> bool {
        match ip.parse::<IpAddr>() {
            Ok(ip) => ip.is_ipv4() == (self == Family::V4),
            Err(_) => false,
        }
    }
}

fn families(service: &Service) -> Vec<Family> {
    let of = |name: &Str| if name == "IPv6" { Family::V6 } else { Family::V4 };
    let families: Vec<Family> = service.spec.ip_families.iter().map(of).collect();
    if families.is_empty() { vec![Family::V4] } else { families }
}

/// Endpoints by the ports that they serve; each list is ordered by the names of the pods.
type Groups = BTreeMap<Ports, Vec<Endpoint>>;
/// Name, protocol, number and application protocol of each port, in that order.
type Ports = Vec<(Str, Str, Option<i32>, Option<Str>)>;

/// What the slices of a family have to show. A pod whose node is unknown makes it incomplete.
fn wanted(
    cx: &Cx<'_>,
    service: &Service,
    pods: &[&Pod],
    family: Family,
    complete: &mut bool,
) -> Groups {
    let mut groups = Groups::new();
    for pod in pods {
        let Some(ip) = address(pod, family).filter(|_| !pods::is_terminal(pod)) else { continue };
        let node = cx.nodes().named("", &pod.spec.node_name);
        if node.is_none() && !pod.spec.node_name.is_empty() {
            *complete = false;
            continue;
        }
        let endpoint = endpoint(service, pod, ip, node);
        groups.entry(ports(service, pod)).or_default().push(endpoint);
    }
    groups
}

fn address(pod: &Pod, family: Family) -> Option<&Str> {
    let ips = pod.status.pod_ips.iter().map(|ip| &ip.ip);
    let first = Some(&pod.status.pod_ip).filter(|ip| !ip.is_empty());
    ips.chain(first).find(|ip| family.has(ip))
}

fn ports(service: &Service, pod: &Pod) -> Ports {
    let of = |port: &api::core::v1::ServicePort| {
        let number = services::target_port(pod, port)?;
        let protocol = services::protocol(&port.protocol).into();
        Some((port.name.clone(), protocol, Some(number), port.app_protocol.clone()))
    };
    let mut ports: Ports = service.spec.ports.iter().filter_map(of).collect();
    base::sort::naturally(&mut ports);
    ports
}

fn ports_of(slice: &EndpointSlice) -> Ports {
    let of = |port: &EndpointPort| {
        let name = port.name.clone().unwrap_or_default();
        let protocol = port.protocol.clone().unwrap_or(lit!("TCP"));
        (name, protocol, port.port, port.app_protocol.clone())
    };
    let mut ports: Ports = slice.ports.iter().map(of).collect();
    base::sort::naturally(&mut ports);
    ports
}

fn endpoint(service: &Service, pod: &Pod, ip: &Str, node: Option<&Node>) -> Endpoint {
    let serving = pods::is_ready(pod);
    let terminating = pod.metadata.deletion_timestamp.is_some();
    let ready = service.spec.publish_not_ready_addresses || serving && !terminating;
    let zone = node.and_then(|node| node.metadata.labels.get(ZONE)).cloned();
    Endpoint {
        addresses: list![ip.clone()],
        conditions: EndpointConditions {
            ready: Some(ready),
            serving: Some(serving),
            terminating: Some(terminating),
        },
        hints: hints(service, ready, zone.as_ref(), &pod.spec.node_name).map(Box::new),
        hostname: services::hostname(service, pod).cloned(),
        node_name: Some(pod.spec.node_name.clone()).filter(|node| !node.is_empty()),
        target_ref: Some(Box::new(target(pod))),
        zone,
        ..Endpoint::default()
    }
}

fn hints(service: &Service, ready: bool, zone: Option<&Str>, node: &Str) -> Option<EndpointHints> {
    let wish = service.spec.traffic_distribution.as_deref()?;
    if !ready || topology::is_asked_for(service) {
        return None;
    }
    let for_zones: List<ForZone> =
        zone.map(|name| ForZone { name: name.clone() }).into_iter().collect();
    match wish {
        "PreferClose" | "PreferSameZone" if !for_zones.is_empty() => {
            Some(EndpointHints { for_zones, ..EndpointHints::default() })
        }
        "PreferSameNode" => {
            Some(EndpointHints { for_zones, for_nodes: list![ForNode { name: node.clone() }] })
        }
        _ => None,
    }
}

/// The reference from an endpoint to its pod.
pub fn target(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: lit!("Pod"),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests;
