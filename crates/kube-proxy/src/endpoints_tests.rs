//! Tests of the endpoint choice, in a short notation.

use super::*;
use network::Protocol;

fn facts(flags: &str) -> PortFacts {
    PortFacts {
        name: "ns/svc".into(),
        port_name: Str::new(),
        family: Family::V4,
        protocol: Protocol::Tcp,
        cluster_ip: "10.96.0.1".parse().unwrap(),
        port: 80,
        node_port: if flags.contains("nodeport") { 30080 } else { 0 },
        external_ips: Vec::new(),
        balancer_ips: Vec::new(),
        source_ranges: Vec::new(),
        health_check_port: 0,
        internal_local: flags.contains("internal"),
        external_local: flags.contains("external"),
        affinity_seconds: None,
    }
}

/// `a@here`, `b@there:terminating`, `c@there:dead`, `d@there:zone=z1`, `e@here:node=here`
fn endpoint(text: &str) -> Endpoint {
    let (name, rest) = text.split_once('@').unwrap();
    let mut words = rest.split(':');
    let node = words.next().unwrap().into();
    let number = 1 + name.as_bytes()[0] - b'a';
    let mut endpoint = Endpoint {
        at: format!("10.0.0.{number}:80").parse().unwrap(),
        node,
        ready: true,
        serving: true,
        terminating: false,
        zones: Vec::new(),
        nodes: Vec::new(),
    };
    for word in words {
        match word.split_once('=') {
            None if word == "terminating" => (endpoint.ready, endpoint.terminating) = (false, true),
            None if word == "dead" => (endpoint.ready, endpoint.serving) = (false, false),
            Some(("zone", zone)) => endpoint.zones.push(zone.into()),
            Some(("node", node)) => endpoint.nodes.push(node.into()),
            other => panic!("{other:?}"),
        }
    }
    endpoint
}

/// Checks what node `here` of zone `z1` uses: `cluster | local | all`.
fn check(flags: &str, endpoints: &str, want: &str) {
    let endpoints: Vec<Endpoint> = endpoints.split_whitespace().map(endpoint).collect();
    let choice = choose(&facts(flags), &endpoints, "here", "z1");
    let names = |list: &[usize]| -> String {
        list.iter()
            .map(|i| char::from(b'a' + endpoints[*i].at.to_string().as_bytes()[7] - b'1'))
            .collect()
    };
    let got = [&choice.cluster, &choice.local, &choice.reachable].map(|list| names(list)).join("|");
    assert_eq!(got, want, "{flags}");
}

#[test]
fn by_default_all_ready_endpoints_serve() {
    check("", "a@here b@there c@there:dead d@there:terminating", "ab||ab");
}

#[test]
fn terminating_endpoints_serve_when_nobody_else_does() {
    check("", "a@here:dead b@there:terminating", "b||b");
}

#[test]
fn internal_local_traffic_stays_here_and_may_find_nothing() {
    check("internal", "a@here b@there", "|a|a");
    check("internal", "b@there", "||");
}

#[test]
fn external_local_traffic_stays_here_while_cluster_traffic_does_not() {
    check("external nodeport", "a@here b@there", "ab|a|ab");
}

#[test]
fn external_policy_without_an_outside_port_changes_nothing() {
    check("external", "a@here b@there", "ab||ab");
}

#[test]
fn terminating_local_endpoints_serve_local_traffic_only() {
    check("external nodeport", "a@here:terminating b@there", "b|a|ab");
}

#[test]
fn zone_hints_count_when_all_have_them_and_one_is_for_this_zone() {
    check("", "a@here:zone=z1 b@there:zone=z2", "a||a");
    check("", "a@here:zone=z1 b@there", "ab||ab");
    check("", "a@here:zone=z2 b@there:zone=z2", "ab||ab");
}

#[test]
fn node_hints_come_before_zone_hints() {
    check("", "a@here:zone=z1:node=here b@there:zone=z1:node=there", "a||a");
    check("", "a@there:zone=z1:node=there b@there:zone=z2:node=there", "a||a");
}
