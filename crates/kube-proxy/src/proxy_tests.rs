//! Tests of the rules as packets meet them, and of how little a change recomputes.

use super::*;
use crate::memory::Memories;
use crate::names::{Purpose, service_chain};
use api::core::v1::{LoadBalancerIngress, LoadBalancerStatus, NodeAddress, ServicePort};
use api::core::v1::{NodeStatus, ServiceSpec, ServiceStatus};
use api::discovery::v1::{Endpoint, EndpointPort};
use api::meta::v1::ObjectMeta;
use network::evaluate::{Entry, reachable};
use network::{Family, IpAddr, NodeState, NodeTables, Packet, evaluate};

fn meta(namespace: &str, name: &str, labels: &[(&'static str, &str)]) -> Arc<ObjectMeta> {
    let labels = labels.iter().map(|(k, v)| (Str::from(*k), Str::from(*v))).collect();
    let (namespace, name) = (namespace.into(), name.into());
    Arc::new(ObjectMeta { namespace, name, labels, ..ObjectMeta::default() })
}

fn node(name: &str, ip: &str, zone: &str) -> Node {
    let addresses = [NodeAddress { address: ip.into(), type_: "InternalIP".into() }];
    let status = NodeStatus { addresses: addresses.into_iter().collect(), ..Default::default() };
    Node {
        metadata: meta("", name, &[(ZONE_LABEL, zone)]),
        status: Arc::new(status),
        ..Node::default()
    }
}

/// `ns1/web` at 10.96.0.1:80, node port 30080, load balancer 203.0.113.9, as `change` wants it.
fn service(change: impl FnOnce(&mut ServiceSpec)) -> Service {
    let port = ServicePort { port: 80, node_port: 30080, ..ServicePort::default() };
    let mut spec = ServiceSpec {
        type_: "LoadBalancer".into(),
        cluster_ip: "10.96.0.1".into(),
        ports: [port].into_iter().collect(),
        ..ServiceSpec::default()
    };
    change(&mut spec);
    let ingress = LoadBalancerIngress { ip: "203.0.113.9".into(), ..Default::default() };
    let load_balancer = LoadBalancerStatus { ingress: [ingress].into_iter().collect() };
    let status = ServiceStatus { load_balancer, ..ServiceStatus::default() };
    Service { metadata: meta("ns1", "web", &[]), spec: Arc::new(spec), status: Arc::new(status) }
}

/// A slice of `service` with endpoints written as `10.244.1.2@node-1`.
fn slice(service: &str, name: &str, protocol: &str, endpoints: &str) -> Arc<EndpointSlice> {
    let endpoints = endpoints.split_whitespace().map(|text| {
        let (ip, node) = text.split_once('@').unwrap();
        Endpoint {
            addresses: [Str::from(ip)].into_iter().collect(),
            node_name: Some(node.into()),
            ..Endpoint::default()
        }
    });
    let protocol = Some(protocol.into());
    let port = EndpointPort { port: Some(8080), protocol, ..EndpointPort::default() };
    Arc::new(EndpointSlice {
        address_type: "IPv4".into(),
        endpoints: endpoints.collect(),
        metadata: meta("ns1", name, &[(SERVICE_NAME_LABEL, service)]),
        ports: [port].into_iter().collect(),
    })
}

fn proxy(change: impl FnOnce(&mut ServiceSpec), endpoints: &str) -> Proxy {
    let mut proxy = Proxy::new(Config::default());
    proxy.set_node(&node("node-1", "192.168.0.1", "a"));
    proxy.set_node(&node("node-2", "192.168.0.2", "b"));
    proxy.set_service(&service(change));
    proxy.set_slice(slice("web", "web-1", "TCP", endpoints));
    proxy.listed = [true; 2];
    proxy.sync(Instant::START);
    proxy
}

/// Checks where a packet to `to` may go from `from` at node-1: endpoints or a word, `+masq` if hidden.
fn check(proxy: &Proxy, from: &str, to: &str, want: &str) {
    let (from, to): (IpAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let packet = Packet::new(Protocol::Tcp, from, 12345, to.ip(), to.port());
    let own = from.to_string() == "192.168.0.1";
    let entry = if own { Entry::Local } else { Entry::Arrived };
    let reach = reachable(&proxy.view("node-1").unwrap(), &packet, entry);
    let mut got: Vec<String> = reach.endpoints.iter().map(|e| e.to_string()).collect();
    got.extend(reach.word.filter(|_| got.is_empty()).map(String::from));
    got.extend(reach.masquerade.then(|| "+masq".to_string()));
    assert_eq!(got.join(" "), want, "{from} → {to}");
}

const POD: &str = "10.244.1.9";
const OUTSIDE: &str = "198.51.100.7";
const BOTH: &str = "10.244.1.2@node-1 10.244.2.2@node-2";

#[test]
fn a_pod_reaches_every_endpoint_and_keeps_its_address() {
    check(&proxy(|_| {}, BOTH), POD, "10.96.0.1:80", "10.244.1.2:8080 10.244.2.2:8080");
}

#[test]
fn a_pod_that_reaches_itself_is_hidden() {
    check(
        &proxy(|_| {}, "10.244.1.2@node-1"),
        "10.244.1.2",
        "10.96.0.1:80",
        "10.244.1.2:8080 +masq",
    );
}

#[test]
fn without_endpoints_all_addresses_refuse() {
    let proxy = proxy(|_| {}, "");
    for to in ["10.96.0.1:80", "203.0.113.9:80", "192.168.0.1:30080"] {
        check(&proxy, POD, to, "REJECT");
    }
    check(&proxy, POD, "10.96.0.1:81", "");
}

#[test]
fn external_local_traffic_without_local_endpoints_is_dropped() {
    let local = |spec: &mut ServiceSpec| spec.external_traffic_policy = "Local".into();
    let proxy = proxy(local, "10.244.2.2@node-2");
    check(&proxy, OUTSIDE, "203.0.113.9:80", "DROP");
    check(&proxy, OUTSIDE, "192.168.0.1:30080", "DROP");
    check(&proxy, POD, "203.0.113.9:80", "10.244.2.2:8080");
    check(&proxy, "192.168.0.1", "203.0.113.9:80", "10.244.2.2:8080 +masq");
}

#[test]
fn source_ranges_let_only_their_senders_through() {
    let ranges = |spec: &mut ServiceSpec| {
        spec.load_balancer_source_ranges = [Str::from("203.0.113.0/24")].into_iter().collect();
    };
    let proxy = proxy(ranges, "10.244.2.2@node-2");
    check(&proxy, OUTSIDE, "203.0.113.9:80", "DROP");
    check(&proxy, "203.0.113.77", "203.0.113.9:80", "10.244.2.2:8080 +masq");
    check(&proxy, OUTSIDE, "192.168.0.1:30080", "10.244.2.2:8080 +masq");
}

#[test]
fn headless_services_have_no_rules() {
    let proxy = proxy(|spec| spec.cluster_ip = "None".into(), BOTH);
    assert_eq!(proxy.rules("node-1").services(), 0);
}

#[test]
fn a_health_check_port_counts_local_endpoints() {
    let local = |spec: &mut ServiceSpec| {
        spec.external_traffic_policy = "Local".into();
        spec.health_check_node_port = 32000;
    };
    let proxy = proxy(local, "10.244.2.2@node-2");
    let status = |node: &str| proxy.rules(node).health_check(node, 32000).unwrap().status;
    assert_eq!((status("node-1"), status("node-2")), (503, 200));
    check(&proxy, OUTSIDE, "192.168.0.1:32000", "ACCEPT");
}

#[test]
fn a_sticky_client_stays_with_its_endpoint() {
    let sticky = |spec: &mut ServiceSpec| spec.session_affinity = "ClientIP".into();
    let proxy = proxy(sticky, BOTH);
    let (view, mut state) = (proxy.view("node-1").unwrap(), NodeState::default());
    let mut rng = base::Rng::new(3);
    let mut go = |from: &str, port: u16, now: Instant| {
        let (from, to) = (from.parse().unwrap(), "10.96.0.1".parse().unwrap());
        let packet = Packet::new(Protocol::Tcp, from, port, to, 80);
        evaluate(&view, &packet, Entry::Arrived, &mut state, now, &mut rng, false).destination
    };
    let now = Instant::START;
    let first = go(POD, 1, now);
    assert!((2..40).all(|port| go(POD, port, now) == first));
    let others: std::collections::BTreeSet<_> =
        (10..30).map(|n| go(&format!("10.244.1.{n}"), 1, now)).collect();
    assert_eq!(others.len(), 2, "other clients are spread");
}

#[test]
fn a_change_of_one_service_leaves_the_others_shared() {
    let mut proxy = proxy(|_| {}, BOTH);
    let mut other = service(|spec| spec.cluster_ip = "10.96.0.2".into());
    other.metadata = meta("ns1", "other", &[]);
    proxy.set_service(&other);
    proxy.sync(Instant::START + Duration::secs(2));
    let before = proxy.rules("node-1").clone();
    proxy.set_slice(slice("other", "other-1", "TCP", BOTH));
    proxy.sync(Instant::START + Duration::secs(4));
    let after = proxy.rules("node-1");
    let shared = |name: &str| after.shares(&before, &Key::new("ns1", Str::from(name)));
    assert_eq!((shared("web"), shared("other")), (true, false));
}

#[test]
fn rules_are_published_at_most_once_a_second() {
    let mut proxy = proxy(|_| {}, "");
    proxy.set_slice(slice("web", "web-2", "TCP", BOTH));
    proxy.sync(Instant::START + Duration::millis(300));
    check(&proxy, POD, "10.96.0.1:80", "REJECT");
    assert_eq!(proxy.next_wake(), Some(Instant::START + Duration::secs(1)));
    proxy.sync(Instant::START + Duration::secs(1));
    check(&proxy, POD, "10.96.0.1:80", "10.244.1.2:8080 10.244.2.2:8080");
    assert_eq!(proxy.next_wake(), None);
}

#[test]
fn a_node_whose_proxy_stopped_keeps_its_rules() {
    let mut proxy = proxy(|_| {}, BOTH);
    proxy.stop("node-1");
    proxy.remove_service(&Key::new("ns1", "web"));
    proxy.sync(Instant::START + Duration::secs(2));
    check(&proxy, POD, "10.96.0.1:80", "10.244.1.2:8080 10.244.2.2:8080");
    proxy.resume("node-1");
    check(&proxy, POD, "10.96.0.1:80", "");
}

#[test]
fn a_datagram_endpoint_that_goes_away_is_reported_once() {
    let mut proxy = Proxy::new(Config::default());
    proxy.set_service(&service(|spec| spec.ports[0].protocol = "UDP".into()));
    proxy.set_slice(slice("web", "web-1", "UDP", BOTH));
    proxy.set_slice(slice("web", "web-1", "UDP", "10.244.1.2@node-1"));
    let stale = proxy.take_synced().stale;
    assert_eq!(stale, [("10.244.2.2:8080".parse().unwrap(), Protocol::Udp)]);
    assert!(proxy.take_synced().stale.is_empty());
}

#[test]
fn tables_print_as_on_a_real_node() {
    let proxy = proxy(|_| {}, BOTH);
    let text = proxy.view("node-1").unwrap().save(Family::V4);
    let chain = service_chain(Purpose::Cluster, "ns1/web", Protocol::Tcp);
    let line = "-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment \"ns1/web cluster IP\" \
                -m tcp --dport 80 -j";
    assert!(text.contains(&format!("{line} {chain}\n")), "{text}");
    let line = "-A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must \
                be the last rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n";
    assert!(text.contains(line), "{text}");
    let first = "-m comment --comment \"ns1/web -> 10.244.1.2:8080\" -m statistic --mode random \
                 --probability 0.5000000000 -j KUBE-SEP-";
    assert!(text.contains(first), "{text}");
    assert_eq!(text.matches("--to-destination").count(), 2);
    assert!(!text.contains("REJECT"), "{text}");
}

#[test]
fn after_a_start_nothing_is_published_until_both_kinds_were_listed() {
    let mut proxy = proxy(|_| {}, BOTH);
    let mut out = Outbox::default();
    let later = Instant::START + Duration::secs(5);
    let mut handle = |input| {
        proxy.handle(later, input, &mut out);
        check(&proxy, POD, "10.96.0.1:80", "10.244.1.2:8080 10.244.2.2:8080");
    };
    let web = Object::new(service(|_| {}));
    handle(Input::Start);
    handle(Input::Listed { watch: SLICES, objects: Vec::new(), revision: 1 });
    handle(Input::Wake);
    proxy.handle(
        later,
        Input::Listed { watch: SERVICES, objects: vec![web], revision: 1 },
        &mut out,
    );
    check(&proxy, POD, "10.96.0.1:80", "REJECT");
}

#[test]
fn nodes_remember_connections_until_their_endpoint_is_gone() {
    let mut proxy = Proxy::new(Config::default());
    proxy.set_node(&node("node-1", "192.168.0.1", "a"));
    proxy.set_service(&service(|spec| spec.ports[0].protocol = "UDP".into()));
    proxy.set_slice(slice("web", "web-1", "UDP", "10.244.1.2@node-1"));
    proxy.sync(Instant::START);
    let mut memories = Memories::default();
    let packet =
        Packet::new(Protocol::Udp, POD.parse().unwrap(), 5000, "10.96.0.1".parse().unwrap(), 80);
    memories.with_proxy(&proxy).with("node-1", &mut |tables, state| {
        let (now, rng) = (Instant::START, &mut base::Rng::new(1));
        evaluate(tables, &packet, Entry::Arrived, state, now, rng, false);
    });
    assert_eq!(memories.tracked(), 1);
    proxy.set_slice(slice("web", "web-1", "UDP", ""));
    memories.forget(&proxy.take_synced());
    assert_eq!(memories.tracked(), 0);
}
