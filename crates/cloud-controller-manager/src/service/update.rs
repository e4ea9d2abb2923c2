//! Which changes of a Service concern its load balancer, and what is said of them.

use api::core::v1::{Service, ServicePort};
use base::Str;
use client::Note;

use super::wants_balancer;

/// `None` if the load balancer need not know; else that it must, and perhaps what to say.
pub(super) fn needed(old: &Service, new: &Service) -> Option<Option<Note>> {
    let (was, is) = (wants_balancer(old), wants_balancer(new));
    if !was && !is {
        return None;
    }
    let (before, after) = (&old.spec, &new.spec);
    let note =
        |reason: &'static str, text: String| Some(Some(Note::new(new, "Normal", reason, text)));
    let arrow = |reason, a: &str, b: &str| note(reason, format!("{a} -> {b}"));
    if was != is {
        return arrow("Type", &before.type_, &after.type_);
    }
    if before.load_balancer_source_ranges != after.load_balancer_source_ranges {
        let a = list(before.load_balancer_source_ranges.iter());
        let b = list(after.load_balancer_source_ranges.iter());
        return arrow("LoadBalancerSourceRanges", &a, &b);
    }
    let same_ports = before.ports.len() == after.ports.len()
        && before.ports.iter().zip(&after.ports).all(|(a, b)| same_port(a, b));
    if !same_ports
        || before.session_affinity != after.session_affinity
        || before.session_affinity_config != after.session_affinity_config
    {
        return Some(None);
    }
    if before.load_balancer_ip != after.load_balancer_ip {
        return arrow("LoadbalancerIP", &before.load_balancer_ip, &after.load_balancer_ip);
    }
    let (a, b) = (&before.external_ips, &after.external_ips);
    if a.len() != b.len() {
        return note("ExternalIP", format!("Count: {} -> {}", a.len(), b.len()));
    }
    if let Some((_, added)) = a.iter().zip(b.iter()).find(|(a, b)| a != b) {
        return note("ExternalIP", format!("Added: {added}"));
    }
    if old.metadata.annotations != new.metadata.annotations {
        return Some(None);
    }
    if old.metadata.uid != new.metadata.uid {
        return arrow("UID", &old.metadata.uid, &new.metadata.uid);
    }
    if before.external_traffic_policy != after.external_traffic_policy {
        let (a, b) = (&before.external_traffic_policy, &after.external_traffic_policy);
        return arrow("ExternalTrafficPolicy", a, b);
    }
    let (a, b) = (before.health_check_node_port, after.health_check_node_port);
    if a != b {
        return note("HealthCheckNodePort", format!("{a} -> {b}"));
    }
    // Families are compared last, as upstream does.
    (before.ip_families != after.ip_families).then_some(None)
}

fn same_port(a: &ServicePort, b: &ServicePort) -> bool {
    (&a.name, &a.protocol, a.port, a.node_port, &a.target_port)
        == (&b.name, &b.protocol, b.port, b.node_port, &b.target_port)
}

/// A list as Go prints it.
fn list<'a>(items: impl Iterator<Item = &'a Str>) -> String {
    let items: Vec<&str> = items.map(Str::as_str).collect();
    format!("[{}]", items.join(" "))
}
