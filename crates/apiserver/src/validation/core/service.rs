//! Services and Endpoints.
//!
//! Models `ValidateService` and `ValidateEndpoints`.
//!
//! Known deviations: none.

use api::core::v1::{EndpointAddress, EndpointPort, Endpoints, Service, ServicePort, ServiceSpec};
use base::HashSet;

use crate::validation::check::{Errors, Raw, json_list};
use crate::validation::ip;
use crate::validation::path::Path;

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const KUBELET_PORT: i32 = 10_250;

/// Whether the Service has no address of its own.
pub fn is_headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ip == "None" || spec.cluster_ips.first().is_some_and(|first| first == "None")
}

/// A Service besides its metadata.
pub fn service(e: &mut Errors, service: &Service) {
    let (spec, at) = (&service.spec, Path::root("spec"));
    let headless = is_headless(spec);
    if spec.ports.is_empty() && !headless && spec.type_ != "ExternalName" {
        e.required(&at.child("ports"), "");
    }
    by_type(e, spec, headless, &at);
    let ports = at.child("ports");
    let mut seen = HashSet::default();
    for (i, port) in spec.ports.iter().enumerate() {
        let at = ports.index(i);
        if !port.name.is_empty() {
            e.label_name(&at.child("name"), &port.name);
            if !seen.insert(&port.name) {
                e.duplicate(&at.child("name"), &port.name);
            }
        } else if spec.ports.len() > 1 {
            e.required(&at.child("name"), "");
        }
        self::port(e, port, &at);
    }
    e.labels(&at.child("selector"), &spec.selector);
    affinity(e, spec, &at);
    addresses(e, service, &at);
    for (i, address) in spec.external_ips.iter().enumerate() {
        let at = at.child("externalIPs");
        if ip::address(e, &at.index(i), address).is_some() {
            ip::not_special(e, &at.index(i), address);
        }
    }
    e.one_of(&at.child("type"), &spec.type_, TYPES);
    ports_once(e, spec, &ports);
    outside(e, spec, &at);
}

fn by_type(e: &mut Errors, spec: &ServiceSpec, headless: bool, at: &Path) {
    let first = at.child("clusterIPs");
    let first = first.index(0);
    match spec.type_.as_str() {
        "LoadBalancer" => {
            for (i, port) in spec.ports.iter().enumerate().filter(|(_, p)| p.port == KUBELET_PORT) {
                let why = format!(
                    "may not expose port {KUBELET_PORT} externally since it is used by kubelet"
                );
                e.invalid(&at.child("ports").index(i), &port.port, &why);
            }
            if headless {
                let why = "may not be set to 'None' for LoadBalancer services";
                e.invalid(&first, "None", why);
            }
        }
        "NodePort" if headless => {
            e.invalid(&first, "None", "may not be set to 'None' for NodePort services");
        }
        "ExternalName" => {
            let why = "may not be set for ExternalName services";
            if !spec.cluster_ips.is_empty() || !spec.cluster_ip.is_empty() {
                e.forbidden(&at.child("clusterIPs"), why);
            }
            if !spec.ip_families.is_empty() {
                e.forbidden(&at.child("ipFamilies"), why);
            }
            if spec.ip_family_policy.is_some() {
                e.forbidden(&at.child("ipFamilyPolicy"), why);
            }
            let name = spec.external_name.strip_suffix('.').unwrap_or(&spec.external_name);
            if name.is_empty() {
                e.required(&at.child("externalName"), "");
            } else {
                e.subdomain(&at.child("externalName"), name);
            }
        }
        _ => {}
    }
}

fn port(e: &mut Errors, port: &ServicePort, at: &Path) {
    e.port_number(&at.child("port"), port.port);
    e.one_of(&at.child("protocol"), &port.protocol, PROTOCOLS);
    let target = port.target_port.clone().unwrap_or_default();
    e.port(&at.child("targetPort"), &target);
    if let Some(protocol) = &port.app_protocol {
        e.qualified(&at.child("appProtocol"), protocol);
    }
}

fn affinity(e: &mut Errors, spec: &ServiceSpec, at: &Path) {
    e.one_of(&at.child("sessionAffinity"), &spec.session_affinity, &["ClientIP", "None"]);
    let config = at.child("sessionAffinityConfig");
    if spec.session_affinity == "None" && spec.session_affinity_config.is_some() {
        e.forbidden(&config, "must not be set when session affinity is None");
    }
    if spec.session_affinity != "ClientIP" {
        return;
    }
    let why = "when session affinity type is ClientIP";
    let Some(given) = &spec.session_affinity_config else {
        e.required(&config, why);
        return;
    };
    let client = config.child("clientIP");
    let timeout = client.child("timeoutSeconds");
    match given.client_ip.as_ref().map(|client| client.timeout_seconds) {
        None => e.required(&client, why),
        Some(None) => e.required(&timeout, why),
        Some(Some(seconds)) if seconds <= 0 || seconds > 86_400 => {
            e.invalid(&timeout, &seconds, "must be greater than 0 and less than 86400");
        }
        Some(Some(_)) => {}
    }
}

/// Cluster addresses and address families.
pub fn addresses(e: &mut Errors, service: &Service, at: &Path) {
    let spec = &service.spec;
    if spec.type_ == "ExternalName" {
        return;
    }
    let list = at.child("clusterIPs");
    families(e, spec, at);
    let mut ips = spec.cluster_ips.clone();
    if ips.is_empty() && !spec.cluster_ip.is_empty() {
        ips.push(spec.cluster_ip.clone());
    }
    if ips.is_empty() {
        return;
    }
    if !spec.cluster_ip.is_empty() && spec.cluster_ip != ips[0] {
        e.invalid(&list, &json_list(&ips), "first value must match `clusterIP`");
    }
    if ips.len() > 2 {
        let why = "may only hold up to 2 values";
        e.invalid(&list, &json_list(&ips), why);
    }
    for (i, address) in ips.iter().enumerate() {
        if address == "None" {
            if i == 0 && ips.len() > 1 {
                let why = "'None' must be the first and only value";
                e.invalid(&list.index(0), &json_list(&ips), why);
            } else if i > 0 {
                e.invalid(&list.index(i), address, "must be empty, 'None', or a valid IP address");
            }
        } else if address.is_empty() {
            if i > 0 {
                let why = "must specify a valid IP address";
                e.invalid(&list.index(i), address, why);
            }
        } else {
            ip::address(e, &list.index(i), address);
        }
    }
}

fn families(e: &mut Errors, spec: &ServiceSpec, at: &Path) {
    let list = at.child("ipFamilies");
    let mut seen = HashSet::default();
    for (i, family) in spec.ip_families.iter().enumerate() {
        if !matches!(family.as_str(), "IPv4" | "IPv6") {
            e.unsupported(&list.index(i), family, &["IPv4", "IPv6"]);
        }
        if !seen.insert(family) {
            e.duplicate(&list.index(i), family);
        }
    }
    let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    e.one_of_if(&at.child("ipFamilyPolicy"), spec.ip_family_policy.as_ref(), &policies);
}

/// No port of the Service, and no port of the nodes, is there twice.
fn ports_once(e: &mut Errors, spec: &ServiceSpec, list: &Path) {
    if spec.type_ == "ClusterIP" {
        for (i, _) in spec.ports.iter().enumerate().filter(|(_, port)| port.node_port != 0) {
            let why = "may not be used when `type` is 'ClusterIP'";
            e.forbidden(&list.index(i).child("nodePort"), why);
        }
    }
    let mut node_ports = HashSet::default();
    for (i, port) in spec.ports.iter().enumerate().filter(|(_, port)| port.node_port != 0) {
        if !node_ports.insert((&port.protocol, port.node_port)) {
            e.duplicate(&list.index(i).child("nodePort"), &port.node_port);
        }
    }
    let mut ports = HashSet::default();
    for (i, port) in spec.ports.iter().enumerate() {
        if !ports.insert((&port.protocol, port.port)) {
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{},\"AppProtocol\":null,\"Port\":{},\
                 \"TargetPort\":0,\"NodePort\":0}}",
                api::selector::quote(&port.protocol),
                port.port
            );
            e.duplicate(&list.index(i), &Raw(shown));
        }
    }
}

/// What matters for traffic from outside the cluster.
fn outside(e: &mut Errors, spec: &ServiceSpec, at: &Path) {
    let balanced = spec.type_ == "LoadBalancer";
    let ranges = at.child("loadBalancerSourceRanges");
    if !spec.load_balancer_source_ranges.is_empty() {
        if !balanced {
            e.forbidden(&ranges, "may only be used when `type` is 'LoadBalancer'");
        }
        for (i, range) in spec.load_balancer_source_ranges.iter().enumerate() {
            ip::range(e, &ranges.index(i), range.trim());
        }
    }
    if spec.allocate_load_balancer_node_ports.is_some() && !balanced {
        let why = "may only be used when `type` is 'LoadBalancer'";
        e.forbidden(&at.child("allocateLoadBalancerNodePorts"), why);
    }
    if let Some(class) = &spec.load_balancer_class {
        let at = at.child("loadBalancerClass");
        if !balanced {
            e.forbidden(&at, "may only be used when `type` is 'LoadBalancer'");
        } else {
            e.qualified(&at, class);
        }
    }
    external_policy(e, spec, at);
    let inside = matches!(spec.type_.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer");
    if inside {
        let at = at.child("internalTrafficPolicy");
        let policies = ["Cluster", "Local"];
        match &spec.internal_traffic_policy {
            None => e.required(&at, ""),
            given => e.one_of_if(&at, given.as_ref(), &policies),
        }
    }
    let wishes = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    e.one_of_if(&at.child("trafficDistribution"), spec.traffic_distribution.as_ref(), &wishes);
}

fn external_policy(e: &mut Errors, spec: &ServiceSpec, at: &Path) {
    let reachable = matches!(spec.type_.as_str(), "NodePort" | "LoadBalancer")
        || (spec.type_ == "ClusterIP" && !spec.external_ips.is_empty());
    let policy = at.child("externalTrafficPolicy");
    let given = &spec.external_traffic_policy;
    if !reachable {
        if !given.is_empty() {
            let why = "may only be set for externally-accessible services";
            e.invalid(&policy, given, why);
        }
    } else {
        e.one_of(&policy, given, &["Cluster", "Local"]);
    }
    let health = at.child("healthCheckNodePort");
    let needs = spec.type_ == "LoadBalancer" && given == "Local";
    if spec.health_check_node_port < 0 {
        let why = "must be greater than or equal to 0";
        e.invalid(&health, &spec.health_check_node_port, why);
    }
    if spec.health_check_node_port != 0 && !needs {
        let why =
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        e.invalid(&health, &spec.health_check_node_port, why);
    }
}

/// Endpoints besides their metadata.
pub fn endpoints(e: &mut Errors, endpoints: &Endpoints) {
    let list = Path::root("subsets");
    for (i, subset) in endpoints.subsets.iter().enumerate() {
        let at = list.index(i);
        if subset.addresses.is_empty() && subset.not_ready_addresses.is_empty() {
            e.required(&at, "must specify `addresses` or `notReadyAddresses`");
        }
        for (j, address) in subset.addresses.iter().enumerate() {
            endpoint(e, address, &at.child("addresses").index(j));
        }
        for (j, address) in subset.not_ready_addresses.iter().enumerate() {
            endpoint(e, address, &at.child("notReadyAddresses").index(j));
        }
        for (j, port) in subset.ports.iter().enumerate() {
            endpoint_port(e, port, subset.ports.len() > 1, &at.child("ports").index(j));
        }
    }
}

fn endpoint(e: &mut Errors, address: &EndpointAddress, at: &Path) {
    if ip::address(e, &at.child("ip"), &address.ip).is_some() {
        ip::not_special(e, &at.child("ip"), &address.ip);
    }
    if !address.hostname.is_empty() {
        e.label_name(&at.child("hostname"), &address.hostname);
    }
    if let Some(node) = &address.node_name {
        e.subdomain(&at.child("nodeName"), node);
    }
}

fn endpoint_port(e: &mut Errors, port: &EndpointPort, named: bool, at: &Path) {
    if !port.name.is_empty() {
        e.label_name(&at.child("name"), &port.name);
    } else if named {
        e.required(&at.child("name"), "");
    }
    e.port_number(&at.child("port"), port.port);
    e.one_of(&at.child("protocol"), &port.protocol, PROTOCOLS);
    if let Some(protocol) = &port.app_protocol {
        e.qualified(&at.child("appProtocol"), protocol);
    }
}
