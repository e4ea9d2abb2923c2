//! Services, endpoints, ingresses and policies.

use api::Json;
use api::core::v1::{Endpoints, LoadBalancerStatus, Service};
use api::discovery::v1::EndpointSlice;
use api::networking::v1::*;
use api::object::Object;
use base::Str;

use super::Cx;
use super::format::*;

/// The cells of a network object.
pub(super) fn cells(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(service) = object.get::<Service>() {
        let spec = &service.spec;
        let own = spec.cluster_ips.first().unwrap_or(&spec.cluster_ip);
        return Some(vec![
            name(object),
            Json::Str(spec.type_.clone()),
            or(own, "<none>"),
            external(service).into(),
            ports(service),
            age(cx, object),
            labels(spec.selector.iter()),
        ]);
    }
    if let Some(endpoints) = object.get::<Endpoints>() {
        let shown = or(&addresses(endpoints), "<none>");
        return Some(vec![name(object), shown, age(cx, object)]);
    }
    if let Some(slice) = object.get::<EndpointSlice>() {
        let ports: Vec<String> = slice
            .ports
            .iter()
            .map(|port| port.port.map_or("*".to_string(), |port| port.to_string()))
            .collect();
        let own: Vec<String> = slice
            .endpoints
            .iter()
            .flat_map(|endpoint| endpoint.addresses.iter().map(Str::to_string))
            .collect();
        return Some(vec![
            name(object),
            Json::Str(slice.address_type.clone()),
            some(&ports, 3, "<unset>"),
            some(&own, 3, "<unset>"),
            age(cx, object),
        ]);
    }
    ingresses(cx, object).or_else(|| policies(cx, object))
}

fn external(service: &Service) -> String {
    let spec = &service.spec;
    let more = join(spec.external_ips.iter());
    match spec.type_.as_str() {
        "ExternalName" => spec.external_name.to_string(),
        "LoadBalancer" => {
            let own = balancers(&service.status.load_balancer);
            match (own.is_empty(), more.is_empty()) {
                (true, true) => "<pending>".into(),
                (true, false) => more,
                (false, true) => own,
                (false, false) => format!("{own},{more}"),
            }
        }
        _ if more.is_empty() => "<none>".into(),
        _ => more,
    }
}

fn balancers(status: &LoadBalancerStatus) -> String {
    let mut seen: Vec<&Str> = Vec::new();
    for ingress in &status.ingress {
        let text = if ingress.ip.is_empty() { &ingress.hostname } else { &ingress.ip };
        if !text.is_empty() && !seen.contains(&text) {
            seen.push(text);
        }
    }
    base::sort::naturally(&mut seen);
    join(seen.into_iter())
}

fn ports(service: &Service) -> Json {
    let ports = service.spec.ports.iter().map(|port| match port.node_port {
        0 => format!("{}/{}", port.port, port.protocol),
        node => format!("{}:{node}/{}", port.port, port.protocol),
    });
    or(&ports.collect::<Vec<_>>().join(","), "<none>")
}

/// The ready addresses with their ports, three at most.
fn addresses(endpoints: &Endpoints) -> String {
    const MAX: usize = 3;
    let mut all = Vec::new();
    for subset in &endpoints.subsets {
        if subset.ports.is_empty() {
            all.extend(subset.addresses.iter().map(|address| address.ip.to_string()));
        }
        for port in &subset.ports {
            let own = subset.addresses.iter();
            all.extend(own.map(|address| match address.ip.contains(':') {
                true => format!("[{}]:{}", address.ip, port.port),
                false => format!("{}:{}", address.ip, port.port),
            }));
        }
    }
    let shown = all[..all.len().min(MAX)].join(",");
    match all.len().saturating_sub(MAX) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

fn ingresses(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(class) = object.get::<IngressClass>() {
        let parameters = class.spec.parameters.as_deref().map(|parameters| {
            let group = Some(&parameters.api_group).filter(|group| !group.is_empty());
            let kind = &parameters.kind;
            match group {
                Some(group) => format!("{kind}.{group}/{}", parameters.name),
                None => format!("{kind}/{}", parameters.name),
            }
        });
        return Some(vec![
            name(object),
            Json::Str(class.spec.controller.clone()),
            or(&parameters.unwrap_or_default(), "<none>"),
            age(cx, object),
        ]);
    }
    let ingress = object.get::<Ingress>()?;
    let spec = &ingress.spec;
    let mut hosts: Vec<String> = Vec::new();
    for rule in spec.rules.iter().filter(|rule| !rule.host.is_empty()) {
        hosts.push(rule.host.to_string());
    }
    let mut own: Vec<Str> = Vec::new();
    for entry in &ingress.status.load_balancer.ingress {
        let text = if entry.ip.is_empty() { &entry.hostname } else { &entry.ip };
        if !text.is_empty() {
            own.push(text.clone());
        }
    }
    base::sort::naturally(&mut own);
    own.dedup();
    let address = join(own.iter());
    let ports = if spec.tls.is_empty() { "80" } else { "80, 443" };
    Some(vec![
        name(object),
        or(spec.ingress_class_name.as_deref().unwrap_or_default(), "<none>"),
        some(&hosts, 3, "*"),
        address.into(),
        ports.into(),
        age(cx, object),
    ])
}

fn policies(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(policy) = object.get::<NetworkPolicy>() {
        let own = selector(&policy.spec.pod_selector);
        return Some(vec![name(object), own, age(cx, object)]);
    }
    if let Some(range) = object.get::<ServiceCIDR>() {
        return Some(vec![name(object), join(range.spec.cidrs.iter()).into(), age(cx, object)]);
    }
    let address = object.get::<IPAddress>()?;
    let parent = &address.spec.parent_ref;
    let parts = [&parent.group, &parent.resource, &parent.namespace, &parent.name];
    let parts: Vec<&str> =
        parts.into_iter().map(Str::as_str).filter(|part| !part.is_empty()).collect();
    Some(vec![name(object), parts.join("/").into()])
}
