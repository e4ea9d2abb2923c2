//! Tests of the DNS server: what a pod gets for a name.

use std::sync::Arc;

use super::*;
use api::core::v1::{PodSpec, ServicePort, ServiceSpec};
use api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort};
use api::meta::v1::ObjectMeta;
use network::ResolvConf;
use network::request::candidates;

fn meta(namespace: &str, name: &str) -> Arc<ObjectMeta> {
    let (namespace, name) = (namespace.into(), name.into());
    Arc::new(ObjectMeta { namespace, name, ..ObjectMeta::default() })
}

fn service(name: &str, ip: &str) -> Object {
    let port = ServicePort { name: "http".into(), port: 80, ..ServicePort::default() };
    let spec = ServiceSpec {
        cluster_ip: ip.into(),
        ports: [port].into_iter().collect(),
        ..ServiceSpec::default()
    };
    let metadata = meta("default", name);
    Object::new(Service { metadata, spec: Arc::new(spec), ..Service::default() })
}

/// A slice with endpoints written as `10.244.1.2`, `10.244.1.3=host`, `10.244.1.4!` (not ready).
fn slice(service: &str, endpoints: &str) -> Object {
    let endpoints = endpoints.split_whitespace().map(|text| {
        let (ip, hostname) = text.split_once('=').unwrap_or((text, ""));
        let ready = Some(!ip.ends_with('!'));
        Endpoint {
            addresses: [Str::from(ip.trim_end_matches('!'))].into_iter().collect(),
            hostname: Some(hostname.into()),
            conditions: EndpointConditions { ready, ..Default::default() },
            ..Endpoint::default()
        }
    });
    let port = EndpointPort { name: Some("http".into()), port: Some(8080), ..Default::default() };
    let mut metadata = meta("default", &format!("{service}-1"));
    let labels = &mut Arc::make_mut(&mut metadata).labels;
    labels.insert(SERVICE_NAME_LABEL, Str::from(service));
    Object::new(EndpointSlice {
        address_type: "IPv4".into(),
        endpoints: endpoints.collect(),
        metadata,
        ports: [port].into_iter().collect(),
    })
}

fn server() -> Dns {
    let mut dns = Dns::default();
    let lists = [
        vec![service("db", "None"), service("empty", "None"), service("web", "10.96.0.1")],
        vec![
            slice("db", "10.244.1.2=db-0 10.244.1.3=db-1 10.244.1.4!"),
            slice("web", "10.244.1.9"),
        ],
        vec![Object::new(Namespace { metadata: meta("", "default"), ..Namespace::default() })],
    ];
    for (watch, objects) in lists.into_iter().enumerate() {
        let listed = Input::Listed { watch, objects, revision: 1 };
        dns.handle(Instant::START, listed, &mut Outbox::default());
    }
    dns.outside = Arc::new([("example.com.".into(), vec!["203.0.113.1".parse().unwrap()])].into());
    dns
}

/// Checks the code and the data of all answers.
fn check(name: &str, kind: &str, want: &str) {
    let answer = server().query(name, Type::parse(kind).unwrap());
    let data = |r: &Record| r.to_string().split(' ').skip(4).collect::<Vec<_>>().join(" ");
    let data: Vec<String> = answer.answers.iter().map(data).collect();
    let got = format!("{} {}", answer.code.name(), data.join(", "));
    assert_eq!(got.trim(), want, "{name} {kind}");
}

#[test]
fn a_service_has_its_cluster_address() {
    check("web.default.svc.cluster.local", "A", "NOERROR 10.96.0.1");
    check("WEB.default.svc.cluster.local.", "A", "NOERROR 10.96.0.1");
}

#[test]
fn a_headless_service_has_its_ready_endpoints() {
    check("db.default.svc.cluster.local", "A", "NOERROR 10.244.1.2, 10.244.1.3");
    check("db-1.db.default.svc.cluster.local", "A", "NOERROR 10.244.1.3");
    check("db-7.db.default.svc.cluster.local", "A", "NXDOMAIN");
}

#[test]
fn a_headless_service_without_endpoints_does_not_exist() {
    check("empty.default.svc.cluster.local", "A", "NXDOMAIN");
}

#[test]
fn a_named_port_has_service_records() {
    let want = "NOERROR 0 50 8080 db-0.db.default.svc.cluster.local., \
                0 50 8080 db-1.db.default.svc.cluster.local.";
    check("_http._tcp.db.default.svc.cluster.local", "SRV", want);
    check("_other._tcp.db.default.svc.cluster.local", "SRV", "NXDOMAIN");
}

#[test]
fn a_pod_address_is_a_name_in_existing_namespaces() {
    check("10-244-1-9.default.pod.cluster.local", "A", "NOERROR 10.244.1.9");
    check("10-244-1-9.nowhere.pod.cluster.local", "A", "NXDOMAIN");
    check("nonsense.default.pod.cluster.local", "A", "NXDOMAIN");
}

#[test]
fn addresses_have_names() {
    let web = "NOERROR web.default.svc.cluster.local.";
    check("1.0.96.10.in-addr.arpa", "PTR", web);
    let endpoint = "NOERROR db-0.db.default.svc.cluster.local.";
    check("2.1.244.10.in-addr.arpa", "PTR", endpoint);
    check("9.9.244.10.in-addr.arpa", "PTR", "NXDOMAIN");
}

#[test]
fn other_names_are_asked_outside() {
    check("example.com", "A", "NOERROR 203.0.113.1");
    check("example.com", "AAAA", "NOERROR");
    check("example.org", "A", "NXDOMAIN");
}

#[test]
fn before_it_saw_the_api_the_server_fails_for_the_cluster_only() {
    let mut dns = server();
    dns.handle(Instant::START, Input::Start, &mut Outbox::default());
    assert_eq!(dns.addresses("web.default.svc.cluster.local."), DnsReply::ServerFailure);
    assert_ne!(dns.addresses("example.com."), DnsReply::ServerFailure);
}

#[test]
fn endpoints_take_turns_in_being_first() {
    let mut dns = server();
    let mut first = || match dns.addresses("db.default.svc.cluster.local.") {
        DnsReply::Addresses(ips) => ips[0],
        other => panic!("{other:?}"),
    };
    assert_ne!(first(), first());
}

#[test]
fn a_deleted_service_is_gone() {
    let mut dns = server();
    let object = service("web", "10.96.0.1");
    let events = vec![WatchEvent { change: Change::Deleted, object, revision: 2 }];
    dns.handle(Instant::START, Input::Watch { watch: 0, events }, &mut Outbox::default());
    let reply = dns.addresses("web.default.svc.cluster.local.");
    assert_eq!(reply, DnsReply::NoSuchName);
}

fn conf(policy: &str, host_network: bool) -> ResolvConf {
    let spec = PodSpec { dns_policy: policy.into(), host_network, ..PodSpec::default() };
    let node = ResolvConf {
        servers: vec!["192.168.0.254".parse().unwrap()],
        search: ["example.com".into()].into(),
        ndots: 1,
    };
    let cluster = Some(("10.96.0.10".parse().unwrap(), "cluster.local"));
    super::conf::resolv_conf(&spec, "shop", cluster, &node)
}

#[test]
fn cluster_first_searches_the_own_namespace_first() {
    let text = conf("ClusterFirst", false).to_string();
    let want = "search shop.svc.cluster.local svc.cluster.local cluster.local example.com\n\
                nameserver 10.96.0.10\noptions ndots:5\n";
    assert_eq!(text, want);
    let tried = candidates(&conf("ClusterFirst", false), "web");
    assert_eq!(tried[0], "web.shop.svc.cluster.local.");
    assert_eq!(tried.last().unwrap(), "web.");
}

#[test]
fn host_network_pods_use_the_node_unless_they_insist() {
    let node = "search example.com\nnameserver 192.168.0.254\n";
    assert_eq!(conf("ClusterFirst", true).to_string(), node);
    assert_eq!(conf("Default", false).to_string(), node);
    assert_eq!(conf("ClusterFirstWithHostNet", true).ndots, 5);
}

#[test]
fn a_name_with_enough_dots_is_tried_as_it_is_first() {
    let tried = candidates(&conf("Default", false), "api.example.org");
    assert_eq!(tried, ["api.example.org.", "api.example.org.example.com."]);
}
