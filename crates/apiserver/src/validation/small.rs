//! Groups with few kinds: endpoint slices, priority classes, leases, runtime classes, API services.
//!
//! Models the validation of `discovery`, `scheduling`, `coordination`, `node` and `apiregistration`.

use api::Object;
use api::apiregistration::v1::APIService;
use api::coordination::v1::Lease;
use api::discovery::v1::{Endpoint, EndpointSlice};
use api::names;
use api::node::v1::RuntimeClass;
use api::scheduling::v1::PriorityClass;
use base::{HashSet, Str};

use super::check::Errors;
use super::core::{resources, scheduling};
use super::ip;
use super::path::Path;

const SYSTEM_PRIORITY: i32 = 1_000_000_000;

/// What is wrong with an object of these groups besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(slice) = object.get::<EndpointSlice>() {
        self::slice(e, slice);
    } else if let Some(class) = object.get::<PriorityClass>() {
        priority(e, class);
    } else if let Some(lease) = object.get::<Lease>() {
        self::lease(e, lease);
    } else if let Some(class) = object.get::<RuntimeClass>() {
        runtime(e, class);
    } else if let Some(service) = object.get::<APIService>() {
        api_service(e, service);
    }
}

fn slice(e: &mut Errors, slice: &EndpointSlice) {
    let types = ["FQDN", "IPv4", "IPv6"];
    e.one_of(&Path::root("addressType"), &slice.address_type, &types);
    let list = Path::root("endpoints");
    if slice.endpoints.len() > 1000 {
        e.too_many(&list, slice.endpoints.len(), 1000);
        return;
    }
    for (i, endpoint) in slice.endpoints.iter().enumerate() {
        self::endpoint(e, endpoint, &slice.address_type, &list.index(i));
    }
    let list = Path::root("ports");
    if slice.ports.len() > 100 {
        e.too_many(&list, slice.ports.len(), 100);
        return;
    }
    let mut seen = HashSet::default();
    for (i, port) in slice.ports.iter().enumerate() {
        let at = list.index(i);
        let name = port.name.clone().unwrap_or_default();
        if !name.is_empty() {
            e.label_name(&at.child("name"), &name);
        }
        if !seen.insert(name.clone()) {
            e.duplicate(&at.child("name"), &name);
        }
        match &port.protocol {
            None => e.required(&at.child("protocol"), ""),
            protocol => {
                let supported = ["SCTP", "TCP", "UDP"];
                e.one_of_if(&at.child("protocol"), protocol.as_ref(), &supported);
            }
        }
        if let Some(number) = port.port {
            e.port_number(&at.child("port"), number);
        }
        if let Some(protocol) = &port.app_protocol {
            e.qualified(&at.child("appProtocol"), protocol);
        }
    }
}

fn endpoint(e: &mut Errors, endpoint: &Endpoint, kind: &str, at: &Path) {
    let list = at.child("addresses");
    if endpoint.addresses.is_empty() {
        e.required(&list, "must contain at least 1 address");
    } else if endpoint.addresses.len() > 100 {
        e.too_many(&list, endpoint.addresses.len(), 100);
    }
    for (i, address) in endpoint.addresses.iter().enumerate() {
        let at = list.index(i);
        match kind {
            "IPv4" | "IPv6" => {
                let Some(found) = ip::address(e, &at, address) else { continue };
                if found.is_ipv4() != (kind == "IPv4") {
                    let why = format!("must be an {kind} address");
                    e.invalid(&at, address, &why);
                }
                ip::not_special(e, &at, address);
            }
            "FQDN" => {
                let name = address.strip_suffix('.').unwrap_or(address);
                if name.split('.').count() < 2 {
                    let why = "should be a domain with at least two segments separated by dots";
                    e.invalid(&at, address, why);
                }
                e.complaints(&at, address, names::dns1123_subdomain(name));
            }
            _ => {}
        }
    }
    if let Some(node) = &endpoint.node_name {
        e.subdomain(&at.child("nodeName"), node);
    }
    if let Some(hostname) = &endpoint.hostname {
        e.label_name(&at.child("hostname"), hostname);
    }
    for (key, value) in endpoint.deprecated_topology.iter() {
        let at = at.child("deprecatedTopology");
        e.qualified(&at, key);
        e.complaints(&at.key(key), value, names::label_value(value));
    }
    if let Some(hints) = &endpoint.hints {
        let list = at.child("hints.forZones");
        let mut seen = HashSet::default();
        for (i, zone) in hints.for_zones.iter().enumerate() {
            let at = list.index(i);
            if !seen.insert(&zone.name) {
                e.duplicate(&at.child("name"), &zone.name);
            } else if zone.name.is_empty() {
                e.required(&at.child("name"), "");
            }
        }
    }
}

fn priority(e: &mut Errors, class: &PriorityClass) {
    let value = class.value.unwrap_or_default();
    let known = matches!(
        (class.metadata.name.as_str(), value),
        ("system-node-critical", 2_000_001_000) | ("system-cluster-critical", 2_000_000_000)
    );
    let reserved = class.metadata.name.starts_with("system-");
    if reserved && !known {
        let why = "priority class names with 'system-' prefix are reserved for system use only. \
                   error: "
            .to_owned()
            + &not_system(&class.metadata.name);
        e.forbidden(&Path::root("metadata.name"), &why);
    } else if !reserved && value > SYSTEM_PRIORITY {
        let why = format!("maximum allowed value of a user defined priority is {SYSTEM_PRIORITY}");
        e.forbidden(&Path::root("value"), &why);
    }
    if let Some(policy) = &class.preemption_policy {
        let policies = ["PreemptLowerPriority", "Never"];
        e.one_of(&Path::root("preemptionPolicy"), policy, &policies);
    }
}

fn not_system(name: &str) -> String {
    format!("{name} is not a known system priority class")
}

fn lease(e: &mut Errors, lease: &Lease) {
    let (spec, at) = (&lease.spec, Path::root("spec"));
    if let Some(seconds) = spec.lease_duration_seconds.filter(|seconds| *seconds <= 0) {
        e.invalid(&at.child("leaseDurationSeconds"), &seconds, "must be greater than 0");
    }
    if let Some(count) = spec.lease_transitions.filter(|count| *count < 0) {
        let why = "must be greater than or equal to 0";
        e.invalid(&at.child("leaseTransitions"), &count, why);
    }
    if let Some(strategy) = &spec.strategy {
        let known = ["OldestEmulationVersion"];
        if !strategy.contains('/') {
            e.one_of_if(&at.child("strategy"), Some(strategy), &known);
        } else {
            e.qualified(&at.child("strategy"), strategy);
        }
    }
    if spec.preferred_holder.as_ref().is_some_and(|holder| !holder.is_empty())
        && spec.strategy.as_ref().is_none_or(|strategy: &Str| strategy.is_empty())
    {
        let why = "may only be specified if `strategy` is defined";
        e.forbidden(&at.child("preferredHolder"), why);
    }
}

fn runtime(e: &mut Errors, class: &RuntimeClass) {
    e.complaints(&Path::root("handler"), &class.handler, names::dns1123_label(&class.handler));
    if let Some(overhead) = &class.overhead {
        resources::overhead(e, &overhead.pod_fixed, &Path::root("overhead.podFixed"));
    }
    if let Some(scheduling) = &class.scheduling {
        let at = Path::root("scheduling");
        e.labels(&at.child("nodeSelector"), &scheduling.node_selector);
        scheduling::tolerations(e, &scheduling.tolerations, &at.child("tolerations"));
    }
}

fn api_service(e: &mut Errors, service: &APIService) {
    let (spec, at) = (&service.spec, Path::root("spec"));
    let name = format!("{}.{}", spec.version, spec.group);
    if service.metadata.name != name {
        let why =
            format!("must be `spec.version+\".\"+spec.group`: {}", api::selector::quote(&name));
        e.invalid(&Path::root("metadata.name"), &service.metadata.name, &why);
    }
    if !spec.group.is_empty() {
        e.subdomain(&at.child("group"), &spec.group);
    } else if spec.version != "v1" {
        let why = "only v1 may have an empty group and it better be legacy kube";
        e.required(&at.child("group"), why);
    }
    for complaint in names::dns1035_label(&spec.version) {
        e.invalid(&at.child("version"), &spec.version, &complaint);
    }
    if spec.group_priority_minimum <= 0 || spec.group_priority_minimum > 20_000 {
        let why = "must be positive and less than 20000";
        e.invalid(&at.child("groupPriorityMinimum"), &spec.group_priority_minimum, why);
    }
    if spec.version_priority <= 0 || spec.version_priority > 1000 {
        let why = "must be positive and less than 1000";
        e.invalid(&at.child("versionPriority"), &spec.version_priority, why);
    }
    let Some(backend) = &spec.service else {
        if !spec.ca_bundle.0.is_empty() {
            let why = "local APIServices may not have a caBundle";
            e.invalid(&at.child("caBundle"), &format!("{} bytes", spec.ca_bundle.0.len())[..], why);
        }
        if spec.insecure_skip_tls_verify {
            let why = "local APIServices may not have insecureSkipTLSVerify";
            e.invalid(&at.child("insecureSkipTLSVerify"), &true, why);
        }
        return;
    };
    let at_service = at.child("service");
    if backend.namespace.is_empty() {
        e.required(&at_service.child("namespace"), "");
    }
    if backend.name.is_empty() {
        e.required(&at_service.child("name"), "");
    }
    if let Some(port) = backend.port.filter(|port| !(1..=65535).contains(port)) {
        let why = "port is not valid: must be between 1 and 65535, inclusive";
        e.invalid(&at_service.child("port"), &port, why);
    }
    if spec.insecure_skip_tls_verify && !spec.ca_bundle.0.is_empty() {
        let why = "may not be true if caBundle is present";
        e.invalid(&at.child("insecureSkipTLSVerify"), &true, why);
    }
}
