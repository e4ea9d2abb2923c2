//! Pods and the specs of pods.
//!
//! Models `ValidatePodSpec` and what is checked for pods only.
//!
//! Known deviations:
//! - What concerns Windows (`hostProcess`, options by operating system) is not checked.
//! - Resource claims of pods are checked for their names only.

use api::core::v1::{Container, Pod, PodDNSConfig, PodSpec};
use api::meta::v1::ObjectMeta;
use api::names;
use base::HashSet;

use super::{container, resources, scheduling, security, volume};
use crate::validation::check::Errors;
use crate::validation::ip;
use crate::validation::path::Path;

const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// A pod besides its metadata.
pub fn pod(e: &mut Errors, pod: &Pod) {
    let at = Path::root("metadata");
    let node = &pod.spec.node_name;
    annotations(e, &pod.metadata, &pod.spec, node, &at.child("annotations"));
    let at = Path::root("spec");
    spec(e, &pod.spec, Some(&pod.metadata), &at);
    if !pod.spec.node_name.is_empty() {
        e.subdomain(&at.child("nodeName"), &pod.spec.node_name);
    }
    if pod.spec.service_account_name.is_empty() {
        token_without_account(e, &pod.spec, &at);
    }
    for (name, containers) in
        [("containers", &pod.spec.containers), ("initContainers", &pod.spec.init_containers)]
    {
        for (i, container) in containers.iter().enumerate() {
            if container.image.trim() != container.image {
                let why = "must not have leading or trailing whitespace";
                e.invalid(&at.child(name).index(i).child("image"), &container.image, why);
            }
        }
    }
}

fn token_without_account(e: &mut Errors, spec: &PodSpec, at: &Path) {
    for (i, volume) in spec.volumes.iter().enumerate() {
        let Some(projected) = &volume.projected else { continue };
        let volumes = at.child("volumes");
        let volume = volumes.index(i);
        let sources = volume.child("projected.sources");
        for (j, source) in projected.sources.iter().enumerate() {
            if source.service_account_token.is_some() {
                let why = "must not be specified when serviceAccountName is not set";
                e.forbidden(&sources.index(j).child("serviceAccountToken"), why);
            }
        }
    }
}

/// Annotations that mean something to pods.
pub fn annotations(e: &mut Errors, meta: &ObjectMeta, spec: &PodSpec, node: &str, at: &Path) {
    let annotations = &meta.annotations;
    if let Some(value) = annotations.get("kubernetes.io/config.mirror")
        && node.is_empty()
    {
        let why = "must set spec.nodeName if mirror pod annotation is set";
        e.invalid(&at.key("kubernetes.io/config.mirror"), value, why);
    }
    let cost = "controller.kubernetes.io/pod-deletion-cost";
    if let Some(value) = annotations.get(cost)
        && (value.parse::<i32>().is_err() || value.starts_with('+') || is_padded(value))
    {
        e.invalid(&at.key(cost), value, "must be a 32bit integer");
    }
    for (key, profile) in annotations.iter() {
        let Some(name) = key.strip_prefix(APPARMOR) else { continue };
        let there = spec.containers.iter().chain(spec.init_containers.iter());
        let there = there.map(|c| &c.name).chain(spec.ephemeral_containers.iter().map(|c| &c.name));
        if !there.into_iter().any(|container| container == name) {
            e.invalid(&at.key(key), name, "container not found");
        }
        let known = matches!(profile.as_str(), "" | "runtime/default" | "unconfined");
        if !known && !profile.starts_with("localhost/") {
            let why = format!("invalid AppArmor profile name: {}", api::selector::quote(profile));
            e.invalid(&at.key(key), profile, &why);
        }
    }
}

fn is_padded(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    (digits.len() > 1 && digits.starts_with('0')) || number == "-0"
}

/// The spec of a pod or of a template (which has no metadata of its own).
pub fn spec(e: &mut Errors, spec: &PodSpec, meta: Option<&ObjectMeta>, at: &Path) {
    let volumes = volume::volumes(e, &spec.volumes, meta, &at.child("volumes"));
    claims(e, spec, &at.child("resourceClaims"));
    container::containers(e, spec, &volumes, &at.child("containers"));
    container::init_containers(e, spec, &volumes, &at.child("initContainers"));
    container::ephemeral_containers(e, spec, &volumes, &at.child("ephemeralContainers"));
    if let Some(own) = &spec.resources {
        resources::of_pod(e, spec, own, &at.child("resources"));
    }
    host_ports(e, spec, at);
    let policies = ["Always", "OnFailure", "Never"];
    e.one_of(&at.child("restartPolicy"), &spec.restart_policy, &policies);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    e.one_of(&at.child("dnsPolicy"), &spec.dns_policy, &policies);
    e.labels(&at.child("nodeSelector"), &spec.node_selector);
    security::of_pod(e, spec, at);
    if let Some(affinity) = &spec.affinity {
        scheduling::affinity(e, affinity, &at.child("affinity"));
    }
    dns(e, spec.dns_config.as_deref(), &spec.dns_policy, &at.child("dnsConfig"));
    gates(e, spec, at);
    let constraints = &spec.topology_spread_constraints;
    scheduling::spread(e, constraints, &at.child("topologySpreadConstraints"));
    names_of(e, spec, at);
}

fn claims(e: &mut Errors, spec: &PodSpec, at: &Path) {
    let mut seen = HashSet::default();
    for (i, claim) in spec.resource_claims.iter().enumerate() {
        let at = at.index(i);
        if claim.name.is_empty() {
            e.required(&at.child("name"), "");
        } else if !seen.insert(&claim.name) {
            e.duplicate(&at.child("name"), &claim.name);
        } else {
            e.label_name(&at.child("name"), &claim.name);
        }
        match (&claim.resource_claim_name, &claim.resource_claim_template_name) {
            (Some(_), Some(_)) => {
                let why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
                e.invalid(&at, &crate::validation::check::json(claim), why);
            }
            (None, None) => {
                let why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
                e.invalid(&at, &crate::validation::check::json(claim), why);
            }
            _ => {}
        }
        for (name, value) in [
            ("resourceClaimName", &claim.resource_claim_name),
            ("resourceClaimTemplateName", &claim.resource_claim_template_name),
        ] {
            if let Some(value) = value {
                e.subdomain(&at.child(name), value);
            }
        }
    }
}

/// On the host's network a container's port is the host's port.
fn host_ports(e: &mut Errors, spec: &PodSpec, at: &Path) {
    if !spec.host_network {
        return;
    }
    let mut check = |containers: &[Container], name: &str| {
        for (i, container) in containers.iter().enumerate() {
            for (j, port) in container.ports.iter().enumerate() {
                if port.host_port != port.container_port && port.host_port != 0 {
                    let containers = at.child(name);
                    let container = containers.index(i);
                    let ports = container.child("ports");
                    let why = "must match `containerPort` when `hostNetwork` is true";
                    e.invalid(&ports.index(j).child("hostPort"), &port.host_port, why);
                }
            }
        }
    };
    check(&spec.containers, "containers");
    check(&spec.init_containers, "initContainers");
}

fn dns(e: &mut Errors, config: Option<&PodDNSConfig>, policy: &str, at: &Path) {
    let servers = at.child("nameservers");
    if policy == "None" {
        match config {
            None => {
                e.required(at, "must provide `dnsConfig` when `dnsPolicy` is None");
                return;
            }
            Some(config) if config.nameservers.is_empty() => {
                let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
                e.required(&servers, why);
                return;
            }
            _ => {}
        }
    }
    let Some(config) = config else { return };
    let list = crate::validation::check::json_list;
    if config.nameservers.len() > 3 {
        let why = "must not have more than 3 nameservers";
        e.invalid(&servers, &list(&config.nameservers), why);
    }
    for (i, server) in config.nameservers.iter().enumerate() {
        ip::address(e, &servers.index(i), server);
    }
    let searches = at.child("searches");
    if config.searches.len() > 32 {
        let why = "must not have more than 32 search paths";
        e.invalid(&searches, &list(&config.searches), why);
    }
    let total: usize = config.searches.iter().map(|search| search.len()).sum();
    if total + config.searches.len().saturating_sub(1) > 2048 {
        let why = "must not have more than 2048 characters (including spaces) in the search list";
        e.invalid(&searches, &list(&config.searches), why);
    }
    for (i, search) in config.searches.iter().enumerate().filter(|(_, s)| *s != ".") {
        let name = search.strip_suffix('.').unwrap_or(search);
        e.complaints(&searches.index(i), name, names::dns1123_subdomain_with_underscore(name));
    }
    for (i, _) in config.options.iter().enumerate().filter(|(_, o)| o.name.is_empty()) {
        e.required(&at.child("options").index(i), "must not be empty");
    }
}

fn gates(e: &mut Errors, spec: &PodSpec, at: &Path) {
    for (i, gate) in spec.readiness_gates.iter().enumerate() {
        let at = at.child("readinessGates");
        e.qualified(&at.index(i).child("conditionType"), &gate.condition_type);
    }
    let at = at.child("schedulingGates");
    let mut seen = HashSet::default();
    for (i, gate) in spec.scheduling_gates.iter().enumerate() {
        e.qualified(&at.index(i), &gate.name);
        if !seen.insert(&gate.name) {
            e.duplicate(&at.index(i), &gate.name);
        }
    }
}

/// Fields that name something.
fn names_of(e: &mut Errors, spec: &PodSpec, at: &Path) {
    if !spec.service_account_name.is_empty() {
        e.subdomain(&at.child("serviceAccountName"), &spec.service_account_name);
    }
    if !spec.node_name.is_empty() {
        e.subdomain(&at.child("nodeName"), &spec.node_name);
    }
    if let Some(seconds) = spec.active_deadline_seconds {
        for complaint in names::in_range(seconds, 1, i32::MAX.into()) {
            e.invalid(&at.child("activeDeadlineSeconds"), &seconds, &complaint);
        }
    }
    if !spec.hostname.is_empty() {
        e.label_name(&at.child("hostname"), &spec.hostname);
    }
    if !spec.subdomain.is_empty() {
        e.label_name(&at.child("subdomain"), &spec.subdomain);
    }
    hostname_override(e, spec, at);
    scheduling::tolerations(e, &spec.tolerations, &at.child("tolerations"));
    for (i, alias) in spec.host_aliases.iter().enumerate() {
        let at = at.child("hostAliases");
        let at = at.index(i);
        ip::address(e, &at.child("ip"), &alias.ip);
        for (j, name) in alias.hostnames.iter().enumerate() {
            e.subdomain(&at.child("hostnames").index(j), name);
        }
    }
    if !spec.priority_class_name.is_empty() {
        e.subdomain(&at.child("priorityClassName"), &spec.priority_class_name);
    }
    if let Some(class) = &spec.runtime_class_name {
        e.subdomain(&at.child("runtimeClassName"), class);
    }
    let policies = ["PreemptLowerPriority", "Never"];
    if let Some(policy) = &spec.preemption_policy {
        e.one_of(&at.child("preemptionPolicy"), policy, &policies);
    }
    resources::overhead(e, &spec.overhead, &at.child("overhead"));
    if let Some(os) = &spec.os {
        e.one_of(&at.child("os").child("name"), &os.name, &["linux", "windows"]);
    }
}

fn hostname_override(e: &mut Errors, spec: &PodSpec, at: &Path) {
    let Some(name) = &spec.hostname_override else { return };
    let at = at.child("hostnameOverride");
    e.subdomain(&at, name);
    if name.len() > 64 {
        e.too_long(&at, 64);
    }
    if spec.host_network {
        e.forbidden(&at, "may not be specified when hostNetwork is true");
    }
    if spec.set_hostname_as_fqdn == Some(true) {
        e.forbidden(&at, "may not be specified when setHostnameAsFQDN is true");
    }
}
