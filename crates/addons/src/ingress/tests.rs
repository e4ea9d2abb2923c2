//! Tests of the ingress controller: which backend a request reaches, and what is written back.

use super::*;
use api::core::v1::{LoadBalancerIngress, ServicePort, ServiceSpec};
use api::discovery::v1::{Endpoint, EndpointPort};
use api::meta::v1::ObjectMeta;
use api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, IngressBackend, IngressClassSpec, IngressRule,
    IngressServiceBackend, IngressSpec, IngressTLS, ServiceBackendPort,
};
use api::wire::Verb;
use api::{Bytes, Json};

fn meta(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta { namespace: namespace.into(), name: name.into(), ..ObjectMeta::default() }
}

/// An Ingress with rules written as `host path kind service`, and annotations as `name=value`.
fn ingress(name: &str, words: &[&str], notes: &[&str], tls: &[&str]) -> Object {
    let rules = words.iter().map(|rule| {
        let parts: Vec<&str> = rule.split(' ').collect();
        let port = ServiceBackendPort { number: Some(80), ..Default::default() };
        let service = IngressServiceBackend { name: parts[3].into(), port };
        let path = HTTPIngressPath {
            path: parts[1].into(),
            path_type: Some(parts[2].into()),
            backend: IngressBackend { service: Some(Box::new(service)), resource: None },
        };
        let http = HTTPIngressRuleValue { paths: [path].into_iter().collect() };
        let host = if parts[0] == "*" { Str::new() } else { parts[0].into() };
        IngressRule { host, http: Some(Box::new(http)) }
    });
    let tls = tls.iter().map(|host| IngressTLS {
        hosts: [Str::from(*host)].into_iter().collect(),
        secret_name: "cert".into(),
    });
    let spec = IngressSpec {
        ingress_class_name: Some("nginx".into()),
        rules: rules.collect(),
        tls: tls.collect(),
        ..IngressSpec::default()
    };
    let mut metadata = meta("shop", name);
    for note in notes {
        let (key, value) = note.split_once('=').unwrap();
        let key = format!("nginx.ingress.kubernetes.io/{key}");
        metadata.annotations.insert(key, Str::from(value));
    }
    let (metadata, spec) = (Arc::new(metadata), Arc::new(spec));
    Object::new(Ingress { metadata, spec, ..Ingress::default() })
}

fn service(namespace: &str, name: &str, type_: &str) -> Service {
    let port = ServicePort { port: 80, ..ServicePort::default() };
    let spec = ServiceSpec {
        type_: type_.into(),
        ports: [port].into_iter().collect(),
        ..ServiceSpec::default()
    };
    let metadata = Arc::new(meta(namespace, name));
    Service { metadata, spec: Arc::new(spec), ..Service::default() }
}

fn slice(service: &str, ips: &[&str]) -> Object {
    let mut metadata = meta("shop", service);
    metadata.labels.insert(SERVICE_NAME_LABEL, Str::from(service));
    let endpoints = ips.iter().map(|ip| Endpoint {
        addresses: [Str::from(*ip)].into_iter().collect(),
        ..Endpoint::default()
    });
    let port = EndpointPort { port: Some(8080), ..EndpointPort::default() };
    Object::new(EndpointSlice {
        address_type: "IPv4".into(),
        endpoints: endpoints.collect(),
        metadata: Arc::new(metadata),
        ports: [port].into_iter().collect(),
    })
}

/// A controller that serves these Ingresses; services `a` and `b` have endpoints, `none` has not.
fn controller(ingresses: Vec<Object>) -> (IngressController, Outbox) {
    let class = IngressClass {
        metadata: Arc::new(meta("", "nginx")),
        spec: Arc::new(IngressClassSpec {
            controller: "k8s.io/ingress-nginx".into(),
            ..Default::default()
        }),
    };
    let mut front = service("ingress-nginx", "ingress-nginx-controller", "LoadBalancer");
    let at = LoadBalancerIngress { ip: "203.0.113.10".into(), ..Default::default() };
    Arc::make_mut(&mut front.status).load_balancer.ingress = [at].into_iter().collect();
    let own = ["a", "b", "none"].map(|name| Object::new(service("shop", name, "ClusterIP")));
    let data = ["tls.crt", "tls.key"].map(|key| (key, Bytes([1].into_iter().collect())));
    let secret = Secret {
        metadata: Arc::new(meta("shop", "cert")),
        data: data.into_iter().collect(),
        ..Secret::default()
    };
    let lists = [
        vec![Object::new(class)],
        ingresses,
        own.into_iter().chain([Object::new(front)]).collect(),
        vec![slice("a", &["10.244.1.2", "10.244.1.3"]), slice("b", &["10.244.1.4"])],
        vec![Object::new(secret)],
    ];
    let mut controller = IngressController::new(Config::default());
    let mut out = Outbox::default();
    for (watch, objects) in lists.into_iter().enumerate() {
        let listed = Input::Listed { watch, objects, revision: 7 };
        controller.handle(Instant::START, listed, &mut out);
    }
    (controller, out)
}

fn send(controller: &mut IngressController, url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let mut request = HttpRequest::get(host, path);
    request.tls = scheme == "https";
    match controller.answer(&request, "198.51.100.7".parse().unwrap()) {
        Reply::Forward { to: To::Ip(ip), port, payload: Payload::Http(next), .. } => {
            format!("{ip}:{port}{}", next.path)
        }
        Reply::Respond { response: Response::Http(response), .. } => {
            let to = response.header("location").map(|to| format!(" {to}")).unwrap_or_default();
            format!("{}{to}", response.status)
        }
        other => panic!("{other:?}"),
    }
}

fn check(rules: &[&str], notes: &[&str], url: &str, want: &str) {
    let (mut controller, _) = controller(vec![ingress("web", rules, notes, &[])]);
    assert_eq!(send(&mut controller, url), want, "{url}");
}

#[test]
fn the_longest_prefix_wins() {
    let rules = ["* / Prefix a", "* /api Prefix b"];
    check(&rules, &[], "http://x.io/api/v1", "10.244.1.4:8080/api/v1");
    check(&rules, &[], "http://x.io/apiary", "10.244.1.2:8080/apiary");
}

#[test]
fn an_exact_path_wins_over_any_prefix() {
    let rules = ["* /api/v1 Prefix a", "* /api/v1 Exact b"];
    check(&rules, &[], "http://x.io/api/v1", "10.244.1.4:8080/api/v1");
    check(&rules, &[], "http://x.io/api/v1/", "10.244.1.2:8080/api/v1/");
}

#[test]
fn an_implementation_specific_path_is_compared_by_characters() {
    check(&["* /ap ImplementationSpecific b"], &[], "http://x.io/apiary", "10.244.1.4:8080/apiary");
}

#[test]
fn a_host_without_a_rule_is_not_found_and_one_without_endpoints_not_available() {
    check(&["shop.io / Prefix a"], &[], "http://other.io/", "404");
    check(&["shop.io / Prefix none"], &[], "http://shop.io/", "503");
    check(&["shop.io / Prefix missing"], &[], "http://shop.io/", "503");
}

#[test]
fn the_host_header_may_have_a_port_and_capitals() {
    check(&["shop.io / Prefix b"], &[], "http://Shop.io:8080/", "10.244.1.4:8080/");
}

#[test]
fn paths_are_rewritten() {
    let plain = ["rewrite-target=/"];
    check(&["* /shop Prefix b"], &plain, "http://x.io/shop/cart?id=1", "10.244.1.4:8080/?id=1");
    let groups = ["rewrite-target=/$2"];
    let rules = ["* /shop(/|$)(.*) ImplementationSpecific b"];
    check(&rules, &groups, "http://x.io/shop/cart", "10.244.1.4:8080/cart");
    check(&rules, &groups, "http://x.io/shop", "10.244.1.4:8080/");
    check(&rules, &groups, "http://x.io/shopping", "404");
}

#[test]
fn endpoints_take_turns() {
    let (mut controller, _) = controller(vec![ingress("web", &["* / Prefix a"], &[], &[])]);
    let three = [(); 3].map(|()| send(&mut controller, "http://x.io/"));
    assert_eq!(three, ["10.244.1.2:8080/", "10.244.1.3:8080/", "10.244.1.2:8080/"]);
}

#[test]
fn a_host_with_a_certificate_is_sent_to_https() {
    let rules = ["shop.io / Prefix b"];
    let (mut secure, _) = controller(vec![ingress("web", &rules, &[], &["shop.io"])]);
    assert_eq!(send(&mut secure, "http://shop.io/cart"), "308 https://shop.io/cart");
    assert_eq!(send(&mut secure, "https://shop.io/cart"), "10.244.1.4:8080/cart");
    let notes = ["ssl-redirect=false"];
    let (mut open, _) = controller(vec![ingress("web", &rules, &notes, &["shop.io"])]);
    assert_eq!(send(&mut open, "http://shop.io/cart"), "10.244.1.4:8080/cart");
}

#[test]
fn the_certificate_is_the_hosts_own_or_the_controllers() {
    let (controller, _) = controller(vec![ingress("web", &["* / Prefix a"], &[], &["*.shop.io"])]);
    let seen = |host: &str| {
        let request = HttpRequest { tls: true, ..HttpRequest::get(host, "/") };
        controller.route(&request).1.unwrap()
    };
    assert_eq!(seen("a.shop.io"), Certificate::Secret(Key::new("shop", "cert")));
    assert_eq!(seen("shop.io"), Certificate::Fake);
}

#[test]
fn the_address_is_written_once() {
    let (mut controller, out) = controller(vec![ingress("web", &["* / Prefix a"], &[], &[])]);
    let writes: Vec<&Ingress> = out
        .requests
        .iter()
        .filter_map(|(_, request)| match &request.verb {
            Verb::Update(object) => object.get::<Ingress>(),
            _ => None,
        })
        .collect();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].status.load_balancer.ingress[0].ip, "203.0.113.10");

    let object = Object::new(Ingress::clone(writes[0]));
    let events = vec![WatchEvent { change: Change::Modified, object, revision: 8 }];
    let mut out = Outbox::default();
    controller.handle(Instant::START, Input::Watch { watch: INGRESSES, events }, &mut out);
    assert!(out.requests.is_empty(), "a status change leads to no write and no event");
}

#[test]
fn a_failed_write_is_tried_again_later() {
    let (mut controller, mut out) = controller(vec![ingress("web", &["* / Prefix a"], &[], &[])]);
    let (id, _) = *out
        .requests
        .iter()
        .map(|(id, r)| (*id, r))
        .find(|(id, _)| id & EVENT_BIT == 0)
        .as_ref()
        .unwrap();
    let failure = Err(api::wire::failure(409, "Conflict", "the object has been modified"));
    out.requests.clear();
    controller.handle(Instant::START, Input::Reply(id, failure), &mut out);
    assert!(out.requests.is_empty());
    let at = controller.next_wake().unwrap();
    controller.handle(at, Input::Wake, &mut out);
    assert_eq!(out.requests.len(), 1);
    assert_eq!(controller.next_wake(), None);
}

#[test]
fn another_class_is_left_alone() {
    let mut object = ingress("web", &["* / Prefix a"], &[], &[]);
    let other = Arc::make_mut(&mut object.edit_as::<Ingress>().unwrap().spec);
    other.ingress_class_name = Some("traefik".into());
    let (mut controller, out) = controller(vec![object]);
    assert_eq!(send(&mut controller, "http://x.io/"), "404");
    assert!(out.requests.is_empty());
}

#[test]
fn the_older_ingress_keeps_a_path_that_two_claim() {
    let dated = |name: &str, service: &str, time: &str| {
        let rule = format!("* / Prefix {service}");
        let mut object = ingress(name, &[&rule], &[], &[]);
        let mut json = object.to_json();
        json.entry("metadata").set("creationTimestamp", Json::str(time));
        object = Object::decode(Ingress::INFO, json, &mut api::Decode::new());
        object
    };
    let (new, old) = ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z");
    let (mut controller, _) = controller(vec![dated("a", "a", new), dated("b", "b", old)]);
    assert_eq!(send(&mut controller, "http://x.io/"), "10.244.1.4:8080/");
}
