//! `networking.k8s.io`: Ingresses, their classes, network policies, service ranges.
//!
//! Models `pkg/apis/networking/validation` of Kubernetes.
//!
//! Known deviations: none.

use api::Object;
use api::core::v1::TypedLocalObjectReference;
use api::int_or_string::IntOrString;
use api::names;
use api::networking::v1::*;

use super::check::{Errors, Raw, json_list};
use super::path::Path;
use super::{ip, selector};

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(ingress) = object.get::<Ingress>() {
        self::ingress(e, ingress);
    } else if let Some(class) = object.get::<IngressClass>() {
        self::class(e, &class.spec);
    } else if let Some(policy) = object.get::<NetworkPolicy>() {
        self::policy(e, &policy.spec);
    } else if let Some(cidr) = object.get::<ServiceCIDR>() {
        let list = Path::root("spec.cidrs");
        if cidr.spec.cidrs.is_empty() {
            e.required(&list, "at least one CIDR required");
        }
        if cidr.spec.cidrs.len() > 2 {
            let why = "may only hold up to 2 values";
            e.invalid(&Path::root("spec"), &json_list(&cidr.spec.cidrs), why);
        }
        for (i, range) in cidr.spec.cidrs.iter().enumerate() {
            ip::range(e, &list.index(i), range);
        }
    } else if let Some(address) = object.get::<IPAddress>() {
        let (parent, at) = (&address.spec.parent_ref, Path::root("spec.parentRef"));
        if parent.resource.is_empty() {
            e.required(&at.child("resource"), "");
        }
        if parent.name.is_empty() {
            e.required(&at.child("name"), "");
        }
    }
}

fn ingress(e: &mut Errors, ingress: &Ingress) {
    let (spec, at) = (&ingress.spec, Path::root("spec"));
    if spec.rules.is_empty() && spec.default_backend.is_none() {
        let value = if spec.rules.capacity() > 0 { "[]" } else { "null" };
        let why = "either `defaultBackend` or `rules` must be specified";
        e.invalid(&at, &Raw(value.into()), why);
    }
    if let Some(backend) = &spec.default_backend {
        self::backend(e, backend, &at.child("defaultBackend"));
    }
    for (i, rule) in spec.rules.iter().enumerate() {
        self::rule(e, rule, &at.child("rules").index(i));
    }
    for (i, tls) in spec.tls.iter().enumerate() {
        let at = at.child("tls");
        let at = at.index(i);
        for (j, host) in tls.hosts.iter().enumerate() {
            self::host(e, host, &at.child("hosts").index(j));
        }
        if !tls.secret_name.is_empty() {
            e.subdomain(&at.child("secretName"), &tls.secret_name);
        }
    }
    if let Some(class) = &spec.ingress_class_name {
        e.subdomain(&at.child("ingressClassName"), class);
    }
    let key = "kubernetes.io/ingress.class";
    if let (Some(note), Some(class)) =
        (ingress.metadata.annotations.get(key), &spec.ingress_class_name)
        && note != class
    {
        let why = "must match `ingressClassName` when both are specified";
        e.invalid(&Path::root("annotations").child(key), note, why);
    }
}

fn host(e: &mut Errors, host: &str, at: &Path) {
    let complaints = match host.contains('*') {
        true => names::wildcard_dns1123_subdomain(host),
        false => names::dns1123_subdomain(host),
    };
    e.complaints(at, host, complaints);
}

fn rule(e: &mut Errors, rule: &IngressRule, at: &Path) {
    if !rule.host.is_empty() {
        if ip::parse(&rule.host).is_some() {
            let why = "must be a DNS name, not an IP address";
            e.invalid(&at.child("host"), &rule.host, why);
        }
        host(e, &rule.host, &at.child("host"));
    }
    let Some(http) = &rule.http else { return };
    let at = at.child("http");
    let list = at.child("paths");
    if http.paths.is_empty() {
        e.required(&list, "");
    }
    for (i, path) in http.paths.iter().enumerate() {
        self::path(e, path, &list.index(i));
    }
}

fn path(e: &mut Errors, path: &HTTPIngressPath, at: &Path) {
    let text = path.path.as_str();
    let at_path = at.child("path");
    let Some(path_type) = &path.path_type else {
        return e.required(&at.child("pathType"), "pathType must be specified");
    };
    match path_type.as_str() {
        "Exact" | "Prefix" => {
            if !text.starts_with('/') {
                e.invalid(&at_path, text, "must be an absolute path");
            }
            for bad in ["//", "/./", "/../", "%2f", "%2F"].into_iter().filter(|b| text.contains(b))
            {
                e.invalid(&at_path, text, &format!("must not contain '{bad}'"));
            }
            for bad in ["/..", "/."].into_iter().filter(|bad| text.ends_with(bad)) {
                e.invalid(&at_path, text, &format!("cannot end with '{bad}'"));
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.starts_with('/') {
                e.invalid(&at_path, text, "must be an absolute path");
            }
        }
        other => {
            let supported = ["Exact", "ImplementationSpecific", "Prefix"];
            e.unsupported(&at.child("pathType"), other, &supported);
        }
    }
    backend(e, &path.backend, &at.child("backend"));
}

fn backend(e: &mut Errors, backend: &IngressBackend, at: &Path) {
    match (&backend.resource, &backend.service) {
        (Some(_), Some(_)) => {
            e.invalid(at, "", "cannot set both resource and service backends");
        }
        (Some(resource), None) => reference(e, resource, &at.child("resource")),
        (None, Some(service)) => {
            let name = at.child("service.name");
            if service.name.is_empty() {
                e.required(&name, "");
            } else {
                e.label_name(&name, &service.name);
            }
            let number = service.port.number.unwrap_or_default();
            match (service.port.name.as_str(), number) {
                ("", 0) => e.required(at, "port name or number is required"),
                ("", number) => e.port_number(&at.child("service.port.number"), number),
                (name, 0) => {
                    let complaints = names::port_name(name);
                    e.complaints(&at.child("service.port.name"), name, complaints);
                }
                _ => e.invalid(at, "", "cannot set both port name & port number"),
            }
        }
        (None, None) => e.invalid(at, "", "resource or service backend is required"),
    }
}

fn reference(e: &mut Errors, of: &TypedLocalObjectReference, at: &Path) {
    if let Some(group) = &of.api_group {
        e.subdomain(&at.child("apiGroup"), group);
    }
    for (name, value) in [("kind", &of.kind), ("name", &of.name)] {
        if value.is_empty() {
            e.required(&at.child(name), "");
        } else {
            e.complaints(&at.child(name), value, names::path_segment(value, false));
        }
    }
}

fn class(e: &mut Errors, spec: &IngressClassSpec) {
    let at = Path::root("spec.controller");
    if spec.controller.len() > 250 {
        e.too_long(&at, 250);
    }
    if spec.controller.is_empty() {
        e.required(&at, "");
    } else {
        for (value, complaint) in names::domain_prefixed_path(&spec.controller) {
            e.invalid(&at, value.as_str(), &complaint);
        }
    }
    let Some(parameters) = &spec.parameters else { return };
    let at = Path::root("spec.parameters");
    if !parameters.api_group.is_empty() {
        e.subdomain(&at.child("apiGroup"), &parameters.api_group);
    }
    for (name, value) in [("kind", &parameters.kind), ("name", &parameters.name)] {
        if value.is_empty() {
            e.required(&at.child(name), "");
        } else {
            e.complaints(&at.child(name), value, names::path_segment(value, false));
        }
    }
    let namespace = at.child("namespace");
    match parameters.scope.as_str() {
        "" => e.required(&at.child("scope"), ""),
        "Namespace" if parameters.namespace.is_empty() => {
            e.required(&namespace, "`parameters.scope` is set to 'Namespace'");
        }
        "Namespace" => e.label_name(&namespace, &parameters.namespace),
        "Cluster" if !parameters.namespace.is_empty() => {
            e.forbidden(&namespace, "`parameters.scope` is set to 'Cluster'");
        }
        "Cluster" => {}
        other => e.unsupported(&at.child("scope"), other, &["Cluster", "Namespace"]),
    }
}

fn policy(e: &mut Errors, spec: &NetworkPolicySpec) {
    let at = Path::root("spec");
    selector::check(e, &at.child("podSelector"), &spec.pod_selector);
    for (i, rule) in spec.ingress.iter().enumerate() {
        let at = at.child("ingress");
        let at = at.index(i);
        for (j, port) in rule.ports.iter().enumerate() {
            policy_port(e, port, &at.child("ports").index(j));
        }
        for (j, peer) in rule.from.iter().enumerate() {
            self::peer(e, peer, &at.child("from").index(j));
        }
    }
    for (i, rule) in spec.egress.iter().enumerate() {
        let at = at.child("egress");
        let at = at.index(i);
        for (j, port) in rule.ports.iter().enumerate() {
            policy_port(e, port, &at.child("ports").index(j));
        }
        for (j, peer) in rule.to.iter().enumerate() {
            self::peer(e, peer, &at.child("to").index(j));
        }
    }
    let types = at.child("policyTypes");
    if spec.policy_types.len() > 2 {
        let why = "may not specify more than two policyTypes";
        e.invalid(&types, &json_list(&spec.policy_types), why);
        return;
    }
    for (i, kind) in spec.policy_types.iter().enumerate() {
        e.one_of_if(&types.index(i), Some(kind), &["Ingress", "Egress"]);
    }
}

fn policy_port(e: &mut Errors, port: &NetworkPolicyPort, at: &Path) {
    e.one_of_if(&at.child("protocol"), port.protocol.as_ref(), &["TCP", "UDP", "SCTP"]);
    let end_at = at.child("endPort");
    match &port.port {
        Some(IntOrString::Int(number)) => {
            if let Some(end) = port.end_port {
                if end < *number {
                    e.invalid(&end_at, &end, "must be greater than or equal to `port`");
                }
                e.port_number(&end_at, end);
            }
            e.port_number(&at.child("port"), *number);
        }
        Some(IntOrString::Str(name)) => {
            if let Some(end) = port.end_port {
                e.invalid(&end_at, &end, "may not be specified when `port` is non-numeric");
            }
            e.complaints(&at.child("port"), name, names::port_name(name));
        }
        None => {
            if let Some(end) = port.end_port {
                e.invalid(&end_at, &end, "may not be specified when `port` is not specified");
            }
        }
    }
}

fn peer(e: &mut Errors, peer: &NetworkPolicyPeer, at: &Path) {
    let mut peers = 0;
    if let Some(pods) = &peer.pod_selector {
        peers += 1;
        selector::check(e, &at.child("podSelector"), pods);
    }
    if let Some(namespaces) = &peer.namespace_selector {
        peers += 1;
        selector::check(e, &at.child("namespaceSelector"), namespaces);
    }
    if let Some(block) = &peer.ip_block {
        peers += 1;
        self::block(e, block, &at.child("ipBlock"));
    }
    if peers == 0 {
        e.required(at, "must specify a peer");
    } else if peers > 1 && peer.ip_block.is_some() {
        e.forbidden(at, "may not specify both ipBlock and another peer");
    }
}

fn block(e: &mut Errors, block: &IPBlock, at: &Path) {
    if block.cidr.is_empty() {
        e.required(&at.child("cidr"), "");
        return;
    }
    let Some(whole) = ip::range(e, &at.child("cidr"), &block.cidr) else { return };
    for (i, except) in block.except.iter().enumerate() {
        let at = at.child("except");
        if let Some(part) = ip::range(e, &at.index(i), except)
            && !ip::strictly_inside(part, whole)
        {
            e.invalid(&at.index(i), except, "must be a strict subset of `cidr`");
        }
    }
}
