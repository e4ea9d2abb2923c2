//! Tests of requests: a small cluster of two nodes, told as stories.

use super::*;
use crate::fabric::{Balancer, NodeSite, PodSite};
use crate::packet::HttpRequest;
use crate::tables::{Chain, Match, Rule, Ruleset, Sense, Table, Target};
use base::lit;

/// Two nodes; web pods on both; a client on node-1; DNS at 10.96.0.10; the service `web` at 10.96.0.1:80.
struct Lab {
    fabric: Fabric,
    tables: Ruleset,
    state: NodeState,
    dns_up: bool,
    deny: bool,
    seen: Vec<(String, IpAddr)>,
}

struct Names {
    up: bool,
}

impl Resolve for Names {
    fn hosts(&self, _: &Origin, name: &str) -> Option<Vec<IpAddr>> {
        (name == "localhost").then(|| vec!["127.0.0.1".parse().unwrap()])
    }

    fn config(&self, _: &Origin) -> Option<ResolvConf> {
        let search = ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"];
        Some(ResolvConf {
            servers: vec!["10.96.0.10".parse().unwrap()],
            search: search.iter().map(|s| Str::from(*s)).collect(),
            ndots: 5,
        })
    }

    fn query(&mut self, place: &Place, name: &str) -> Option<DnsReply> {
        assert_eq!(place.at.to_string(), "10.244.2.53:53");
        self.up.then(|| match name {
            "web.default.svc.cluster.local." => {
                DnsReply::Addresses(vec!["10.96.0.1".parse().unwrap()])
            }
            _ => DnsReply::NoSuchName,
        })
    }
}

struct Here<'a>(&'a Ruleset, &'a mut NodeState);

impl NodeTables for Here<'_> {
    fn with(&mut self, _: &str, visit: &mut dyn FnMut(&dyn Tables, &mut NodeState)) {
        visit(self.0, self.1);
    }
}

struct Listeners<'a> {
    deny: bool,
    seen: &'a mut Vec<(String, IpAddr)>,
}

impl Answer for Listeners<'_> {
    fn answer(&mut self, place: &Place, client: IpAddr, _: &Payload, _: Instant) -> Reply {
        self.seen.push((place.to_string(), client));
        let after = Duration::millis(1);
        let say = |status, body: &str| {
            let response = Response::Http(HttpResponse::new(status, body));
            Reply::Respond { after, response }
        };
        match (place.node.as_str(), place.at.port()) {
            ("", _) => Reply::Lost,
            (_, 8080) => say(200, place.pod.as_ref().map_or("node", |(_, name)| name.as_str())),
            (_, 8081) => Reply::Hang,
            (_, 8082) => Reply::Reset,
            (_, 8083) => {
                let to = To::Name("web".into());
                Reply::Forward { after, to, port: 80, payload: get() }
            }
            _ => Reply::NotListening,
        }
    }

    fn admits(&mut self, _: &Origin, place: &Place) -> Result<(), Str> {
        let denied = self.deny && place.at.port() == 8080;
        if denied { Err(lit!("policy default/deny-all")) } else { Ok(()) }
    }
}

fn get() -> Payload {
    Payload::Http(HttpRequest::get("web", "/"))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl Lab {
    fn new() -> Lab {
        let mut fabric = Fabric::default();
        for (name, at) in [("node-1", "192.168.0.1"), ("node-2", "192.168.0.2")] {
            fabric.set_node(name.into(), NodeSite { ips: vec![ip(at)], zone: "a".into() });
        }
        let pods = [
            ("node-1", "client", "10.244.1.2"),
            ("node-2", "web-1", "10.244.2.3"),
            ("node-2", "dns", "10.244.2.53"),
        ];
        for (node, name, at) in pods {
            let (node, namespace, name) = (node.into(), lit!("default"), name.into());
            fabric.set_pod(ip(at), PodSite { node, namespace, name });
        }
        let nodes = ["node-1".into()].into();
        fabric.set_balancer(ip("203.0.113.9"), Balancer { nodes, ..Balancer::default() });
        let dnat = |to: &str, port, end: &str| {
            let at = Match::Destination(to.parse().unwrap(), Sense::Is);
            let mark = Rule::new(vec![], Target::Nothing);
            let go = Rule::new(vec![], Target::Dnat(end.parse().unwrap()));
            let chain = Chain::new(format!("KUBE-SVC-{to}"), vec![mark, go]);
            Rule::new(vec![at, Match::DestinationPort(port)], Target::to(&chain))
        };
        let rules = vec![
            dnat("10.96.0.1/32", 80, "10.244.2.3:8080"),
            dnat("10.96.0.10/32", 53, "10.244.2.53:53"),
            dnat("203.0.113.9/32", 80, "10.244.2.3:8080"),
            dnat("192.168.0.1/32", 30080, "10.244.2.3:8080"),
        ];
        let mut tables = Ruleset::default();
        tables.add(Table::Nat, Chain::new("PREROUTING", rules.clone()));
        tables.add(Table::Nat, Chain::new("OUTPUT", rules));
        let at = Match::Destination("10.96.0.3/32".parse().unwrap(), Sense::Is);
        let refuse = Chain::new("FORWARD", vec![Rule::new(vec![at], Target::Reject)]);
        tables.add(Table::Filter, refuse);
        let state = NodeState::default();
        Lab { fabric, tables, state, dns_up: true, deny: false, seen: Vec::new() }
    }

    fn ask(&mut self, from: Origin, to: &str, port: u16) -> Trace {
        let mut call = Call::new(from, To::Name(to.into()), port, get());
        call.timeout = Duration::secs(20);
        let mut world = World {
            fabric: &self.fabric,
            names: &mut Names { up: self.dns_up },
            tables: &mut Here(&self.tables, &mut self.state),
            answers: &mut Listeners { deny: self.deny, seen: &mut self.seen },
            now: Instant::START,
            rng: &mut Rng::new(1),
        };
        request(&mut world, &call)
    }
}

fn client() -> Origin {
    Origin::Pod(ip("10.244.1.2"))
}

fn outside() -> Origin {
    Origin::Outside(ip("198.51.100.7"))
}

fn check(lab: &mut Lab, from: Origin, to: &str, port: u16, want: &str) -> Trace {
    let trace = lab.ask(from, to, port);
    assert_eq!(trace.outcome.to_string(), want, "{to}:{port} {:#?}", trace.hops);
    trace
}

#[test]
fn a_name_becomes_an_address_then_an_endpoint_on_another_node() {
    let mut lab = Lab::new();
    let trace = check(&mut lab, client(), "web", 80, "200 OK");
    let story: Vec<String> = trace.hops.iter().map(|hop| hop.what.to_string()).collect();
    assert_eq!(
        story,
        [
            "node-1 sends 10.96.0.10:53 to 10.244.2.53:53",
            "node-1 → node-2",
            "DNS at 10.96.0.10:53 says web is 10.96.0.1",
            "node-1 sends 10.96.0.1:80 to 10.244.2.3:8080",
            "node-1 → node-2",
            "pod default/web-1 at 10.244.2.3:8080 accepts it from 10.244.1.2",
        ]
    );
    assert!(trace.latency > Duration::millis(2) && trace.latency < Duration::millis(4));
    assert_eq!(&*trace.http().unwrap().body, "web-1");
}

#[test]
fn the_rules_on_the_way_are_listed() {
    let trace = Lab::new().ask(client(), "10.96.0.1", 80);
    let What::Tables { passage, .. } = &trace.hops[0].what else { panic!("{:?}", trace.hops) };
    let rules: Vec<String> =
        passage.steps.iter().map(|s| format!("{}: {}", s.chain, s.rule)).collect();
    assert_eq!(rules[0], "PREROUTING: -d 10.96.0.1/32 -m tcp --dport 80 -j KUBE-SVC-10.96.0.1/32");
    assert!(rules[2].ends_with("-j DNAT --to-destination 10.244.2.3:8080"), "{rules:?}");
}

#[test]
fn a_port_nobody_listens_on_refuses() {
    let want = "dial tcp 10.244.2.3:99: connect: connection refused";
    check(&mut Lab::new(), client(), "10.244.2.3", 99, want);
}

#[test]
fn a_rule_that_rejects_looks_like_a_refusal() {
    let want = "dial tcp 10.96.0.3:80: connect: connection refused";
    let trace = check(&mut Lab::new(), client(), "10.96.0.3", 80, want);
    assert!(trace.place.is_none());
}

#[test]
fn an_address_nobody_has_times_out() {
    let trace =
        check(&mut Lab::new(), client(), "10.96.0.4", 80, "dial tcp 10.96.0.4:80: i/o timeout");
    assert_eq!(trace.latency, Duration::secs(20));
}

#[test]
fn a_process_that_hangs_lets_the_caller_time_out() {
    check(&mut Lab::new(), client(), "10.244.2.3", 8081, "context deadline exceeded");
}

#[test]
fn an_unknown_name_is_tried_with_every_search_domain() {
    let want = "dial tcp: lookup nowhere on 10.96.0.10:53: no such host";
    let trace = check(&mut Lab::new(), client(), "nowhere", 80, want);
    let tried = trace.hops.iter().find_map(|hop| match &hop.what {
        What::Resolve { tried, .. } => Some(tried.len()),
        _ => None,
    });
    assert_eq!(tried, Some(4));
}

#[test]
fn without_a_dns_process_names_do_not_resolve_but_addresses_work() {
    let mut lab = Lab::new();
    lab.dns_up = false;
    let want = "dial tcp: lookup web on 10.96.0.10:53: connection refused";
    check(&mut lab, client(), "web", 80, want);
    check(&mut lab, client(), "10.96.0.1", 80, "200 OK");
}

#[test]
fn a_cut_link_loses_dns_first() {
    let mut lab = Lab::new();
    lab.fabric.links.set_cut("node-2", "node-1", true);
    let want = "dial tcp: lookup web on 10.96.0.10:53: i/o timeout";
    let trace = check(&mut lab, client(), "web", 80, want);
    assert_eq!(trace.latency, DNS_PATIENCE);
    check(&mut lab, client(), "10.96.0.1", 80, "dial tcp 10.96.0.1:80: i/o timeout");
    lab.fabric.links.set_cut("node-1", "node-2", false);
    check(&mut lab, client(), "web", 80, "200 OK");
}

#[test]
fn an_isolated_node_still_talks_to_itself() {
    let mut lab = Lab::new();
    lab.fabric.links.set_isolated("node-2", true);
    check(&mut lab, Origin::Node("node-2".into()), "10.244.2.3", 8080, "200 OK");
    check(&mut lab, client(), "10.244.2.3", 8080, "dial tcp 10.244.2.3:8080: i/o timeout");
}

#[test]
fn the_outside_comes_in_by_load_balancer_and_node_port_only() {
    let mut lab = Lab::new();
    check(&mut lab, outside(), "203.0.113.9", 80, "200 OK");
    check(&mut lab, outside(), "192.168.0.1", 30080, "200 OK");
    check(&mut lab, outside(), "10.96.0.1", 80, "dial tcp 10.96.0.1:80: i/o timeout");
    check(&mut lab, outside(), "10.244.2.3", 8080, "dial tcp 10.244.2.3:8080: i/o timeout");
}

#[test]
fn a_proxying_load_balancer_hides_the_client_and_keeps_strangers_out() {
    let mut lab = Lab::new();
    let nodes = ["node-1".into()].into();
    let ports = [(80, 30080)].into_iter().collect();
    let balancer = Balancer {
        nodes,
        node_ports: Some(std::sync::Arc::new(ports)),
        sends_from: Some(ip("203.0.113.9")),
        ranges: Vec::new(),
    };
    lab.fabric.set_balancer(ip("203.0.113.9"), balancer.clone());
    check(&mut lab, outside(), "203.0.113.9", 80, "200 OK");
    assert_eq!(lab.seen[0].1, ip("203.0.113.9"));
    check(&mut lab, outside(), "203.0.113.9", 81, "dial tcp 203.0.113.9:81: i/o timeout");
    let ranges = vec!["10.0.0.0/8".parse().unwrap()];
    lab.fabric.set_balancer(ip("203.0.113.9"), Balancer { ranges, ..balancer });
    let end = "dial tcp 203.0.113.9:80: i/o timeout";
    let trace = check(&mut lab, outside(), "203.0.113.9", 80, end);
    let last = trace.hops.last().unwrap().what.to_string();
    assert!(last.starts_with("load balancer 203.0.113.9:80 does not let"), "{last}");
}

#[test]
fn a_pod_reaches_a_node_port_of_another_node() {
    let mut lab = Lab::new();
    lab.fabric.set_pod(
        ip("10.244.2.9"),
        PodSite { node: "node-2".into(), namespace: lit!("default"), name: lit!("other") },
    );
    check(&mut lab, Origin::Pod(ip("10.244.2.9")), "192.168.0.1", 30080, "200 OK");
}

#[test]
fn a_policy_keeps_packets_out_silently() {
    let mut lab = Lab::new();
    lab.deny = true;
    let trace = check(&mut lab, client(), "10.96.0.1", 80, "dial tcp 10.96.0.1:80: i/o timeout");
    let last = trace.hops.last().unwrap().what.to_string();
    assert_eq!(last, "policy default/deny-all keeps it from pod default/web-1 at 10.244.2.3:8080");
}

#[test]
fn a_proxy_passes_on_the_answer_or_says_bad_gateway() {
    let mut lab = Lab::new();
    let trace = check(&mut lab, client(), "10.244.2.3", 8083, "200 OK");
    assert_eq!(&*trace.http().unwrap().body, "web-1");
    lab.dns_up = false;
    check(&mut lab, client(), "10.244.2.3", 8083, "502 Bad Gateway");
}

#[test]
fn a_pod_reaches_itself_by_loopback() {
    let mut lab = Lab::new();
    check(&mut lab, Origin::Pod(ip("10.244.2.3")), "localhost", 8080, "200 OK");
    assert_eq!(lab.seen[0].0, "pod default/web-1 at 10.244.2.3:8080");
}

#[test]
fn a_lossy_link_is_slow_before_it_fails() {
    let mut lab = Lab::new();
    lab.fabric.links.loss_per_mille = 400;
    let traces: Vec<Trace> = (0..40).map(|_| lab.ask(client(), "10.244.2.3", 8080)).collect();
    assert!(traces.iter().all(|t| t.latency == traces[0].latency), "equal seeds, equal runs");
    lab.fabric.links.loss_per_mille = 1000;
    check(&mut lab, client(), "10.244.2.3", 8080, "dial tcp 10.244.2.3:8080: i/o timeout");
}
