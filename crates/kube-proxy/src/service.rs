//! What kube-proxy takes from a Service: one set of facts for each port and address family.

use api::core::v1::{Service, ServicePort};
use base::Str;
use network::{Cidr, Family, IpAddr, Protocol};

/// Services with this label are somebody else's to proxy.
pub const PROXY_NAME_LABEL: &str = "service.kubernetes.io/service-proxy-name";
/// Services and EndpointSlices with this label need no proxy.
pub const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// Seconds that a client sticks to an endpoint if the Service does not say.
const AFFINITY_SECONDS: i32 = 10_800;

/// One port of a Service in one address family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortFacts {
    /// `namespace/name:port`, or without a port name `namespace/name`.
    pub name: Str,
    /// The port's own name, by which EndpointSlices name it.
    pub port_name: Str,
    /// The family.
    pub family: Family,
    /// The protocol.
    pub protocol: Protocol,
    /// The address inside the cluster.
    pub cluster_ip: IpAddr,
    /// The port.
    pub port: u16,
    /// The port on every node; 0 if there is none.
    pub node_port: u16,
    /// Addresses from outside that nodes accept.
    pub external_ips: Vec<IpAddr>,
    /// Addresses of load balancers that leave the destination as it is.
    pub balancer_ips: Vec<IpAddr>,
    /// Who may use the load balancer; all if empty.
    pub source_ranges: Vec<Cidr>,
    /// The port on which nodes tell the load balancer whether they have endpoints; 0 if there is none.
    pub health_check_port: u16,
    /// Traffic from inside stays on its node.
    pub internal_local: bool,
    /// Traffic from outside stays on its node.
    pub external_local: bool,
    /// Seconds that a client sticks to its endpoint.
    pub affinity_seconds: Option<u32>,
}

impl PortFacts {
    /// Whether traffic from outside is accepted at all.
    pub fn externally_accessible(&self) -> bool {
        self.node_port != 0 || !self.balancer_ips.is_empty() || !self.external_ips.is_empty()
    }

    /// Whether some traffic may go to endpoints on any node.
    pub fn uses_cluster(&self) -> bool {
        !self.internal_local || self.externally_accessible()
    }

    /// Whether some traffic must stay on its node.
    pub fn uses_local(&self) -> bool {
        self.internal_local || self.external_local && self.externally_accessible()
    }

    /// Every address at which the port is served, apart from node ports.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let outside = self.external_ips.iter().chain(&self.balancer_ips).copied();
        std::iter::once(self.cluster_ip).chain(outside)
    }
}

/// The ports of a Service that need rules: none for headless and external ones.
pub fn ports_of(service: &Service) -> Vec<PortFacts> {
    let spec = &*service.spec;
    let labels = &service.metadata.labels;
    let skipped = spec.type_ == "ExternalName"
        || matches!(spec.cluster_ip.as_str(), "" | "None")
        || labels.contains_key(PROXY_NAME_LABEL)
        || labels.contains_key(HEADLESS_LABEL);
    if skipped {
        return Vec::new();
    }
    let first = std::iter::once(&spec.cluster_ip);
    let ips = if spec.cluster_ips.is_empty() {
        first.collect::<Vec<_>>()
    } else {
        spec.cluster_ips.iter().collect()
    };
    let ips: Vec<IpAddr> = ips.iter().filter_map(|ip| ip.parse().ok()).collect();
    ips.iter().flat_map(|ip| spec.ports.iter().filter_map(|p| facts(service, p, *ip))).collect()
}

fn facts(service: &Service, port: &ServicePort, cluster_ip: IpAddr) -> Option<PortFacts> {
    let (spec, meta) = (&*service.spec, &service.metadata);
    let family = Family::of(cluster_ip);
    let parse = |ip: &Str| ip.parse().ok().filter(|ip| Family::of(*ip) == family);
    let balancer_ips = service.status.load_balancer.ingress.iter();
    let balancer_ips =
        balancer_ips.filter(|i| i.ip_mode.as_deref() != Some("Proxy")).filter_map(|i| parse(&i.ip));
    let ranges = spec.load_balancer_source_ranges.iter().filter_map(|r| r.trim().parse().ok());
    let colon = if port.name.is_empty() { "" } else { ":" };
    let external = !spec.external_ips.is_empty();
    let outward = matches!(spec.type_.as_str(), "NodePort" | "LoadBalancer") || external;
    let external_local = outward && spec.external_traffic_policy == "Local";
    let needs_health_check = external_local && spec.type_ == "LoadBalancer";
    Some(PortFacts {
        name: format!("{}/{}{colon}{}", meta.namespace, meta.name, port.name).into(),
        port_name: port.name.clone(),
        family,
        protocol: Protocol::of(&port.protocol)?,
        cluster_ip,
        port: number(port.port),
        node_port: number(port.node_port),
        external_ips: spec.external_ips.iter().filter_map(parse).collect(),
        balancer_ips: balancer_ips.collect(),
        source_ranges: ranges.filter(|range: &Cidr| range.family() == family).collect(),
        health_check_port: number(if needs_health_check { spec.health_check_node_port } else { 0 }),
        internal_local: spec.internal_traffic_policy.as_deref() == Some("Local"),
        external_local,
        affinity_seconds: affinity(service),
    })
}

fn affinity(service: &Service) -> Option<u32> {
    let spec = &*service.spec;
    if spec.session_affinity != "ClientIP" {
        return None;
    }
    let config = spec.session_affinity_config.as_ref().and_then(|c| c.client_ip.as_ref());
    let seconds = config.and_then(|c| c.timeout_seconds).unwrap_or(AFFINITY_SECONDS);
    u32::try_from(seconds).ok()
}

fn number(port: i32) -> u16 {
    u16::try_from(port).unwrap_or(0)
}
