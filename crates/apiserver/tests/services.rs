//! Services that change their type, and what they take from the pools.

use api::Json;
use apiserver::ApiServer;
use apiserver::http::{HttpAnswer, HttpRequest};
use base::Instant;

const NOW: Instant = Instant::START;
const SERVICES: &str = "/api/v1/namespaces/default/services";

fn server() -> ApiServer {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    server
}

fn ask(server: &mut ApiServer, request: HttpRequest) -> (u16, Json) {
    match server.http(NOW, &request) {
        HttpAnswer::Response(response) => {
            (response.code, Json::parse(&response.body).unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

fn make(server: &mut ApiServer, name: &str, spec: &str) -> (u16, Json) {
    let body = format!(
        r#"{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"{name}"}},"spec":{spec}}}"#
    );
    ask(server, HttpRequest::new("POST", SERVICES).body(body))
}

fn patch(server: &mut ApiServer, name: &str, body: &str) -> (u16, Json) {
    let request = HttpRequest::new("PATCH", &format!("{SERVICES}/{name}"))
        .header("content-type", "application/merge-patch+json")
        .body(body);
    ask(server, request)
}

fn message(json: &Json) -> &str {
    json.get("message").and_then(Json::as_str).unwrap_or_default()
}

/// Of a Service whose type changes, these fields are gone.
fn check_gone(spec: &str, change: &str, gone: &[&str]) {
    let mut server = server();
    let (code, before) = make(&mut server, "a", spec);
    assert_eq!(code, 201, "{before}");
    let (code, after) = patch(&mut server, "a", change);
    assert_eq!(code, 200, "{change}: {after}");
    for field in gone {
        assert!(before.at(&["spec", field]).is_some(), "{field} was never there: {before}");
        assert!(after.at(&["spec", field]).is_none(), "{field} is left: {after}");
    }
    let ports = after.at(&["spec", "ports"]).map_or(&[][..], Json::items);
    assert!(!ports.is_empty() && ports.iter().all(|port| port.get("nodePort").is_none()));
}

fn check_refused(spec: &str, change: &str, expect: &str) {
    let mut server = server();
    assert_eq!(make(&mut server, "a", spec).0, 201);
    let (code, json) = patch(&mut server, "a", change);
    assert_eq!((code, message(&json)), (422, expect));
}

const NODE_PORT: &str = r#"{"type":"NodePort","ports":[{"port":80,"nodePort":30080}]}"#;
const LOCAL: &str = r#"{"type":"LoadBalancer","externalTrafficPolicy":"Local",
    "loadBalancerClass":"x.io/y","healthCheckNodePort":31000,"ports":[{"port":80}]}"#;

#[test]
fn a_service_that_turns_inward_gives_up_what_was_for_the_outside() {
    let inward = r#"{"spec":{"type":"ClusterIP"}}"#;
    check_gone(NODE_PORT, inward, &["externalTrafficPolicy"]);
    let balanced = [
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "allocateLoadBalancerNodePorts",
        "loadBalancerClass",
    ];
    check_gone(LOCAL, inward, &balanced);
}

#[test]
fn a_service_that_becomes_a_name_gives_up_its_addresses_too() {
    let named = r#"{"spec":{"type":"ExternalName","externalName":"example.com"}}"#;
    let gone = ["externalTrafficPolicy", "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"];
    check_gone(NODE_PORT, named, &gone);
}

#[test]
fn the_traffic_policy_stays_with_external_addresses() {
    let mut server = server();
    make(&mut server, "a", NODE_PORT);
    let change = r#"{"spec":{"type":"ClusterIP","externalIPs":["192.0.2.7"]}}"#;
    let (code, json) = patch(&mut server, "a", change);
    let policy = json.at(&["spec", "externalTrafficPolicy"]).and_then(Json::as_str);
    assert_eq!((code, policy), (200, Some("Cluster")), "{json}");
}

#[test]
fn what_the_client_changed_along_with_the_type_is_refused_and_not_dropped() {
    check_refused(
        NODE_PORT,
        r#"{"spec":{"type":"ClusterIP","externalTrafficPolicy":"Local"}}"#,
        "Service \"a\" is invalid: spec.externalTrafficPolicy: Invalid value: \"Local\": may only \
         be set for externally-accessible services",
    );
    check_refused(
        NODE_PORT,
        r#"{"spec":{"type":"ClusterIP","ports":[{"port":80,"nodePort":30081}]}}"#,
        "Service \"a\" is invalid: spec.ports[0].nodePort: Forbidden: may not be used when `type` \
         is 'ClusterIP'",
    );
}

#[test]
fn ports_that_a_service_gave_up_are_free_again() {
    let mut server = server();
    make(&mut server, "a", NODE_PORT);
    assert_eq!(make(&mut server, "b", NODE_PORT).0, 422);
    patch(&mut server, "a", r#"{"spec":{"type":"ClusterIP"}}"#);
    assert_eq!(make(&mut server, "b", NODE_PORT).0, 201);
}

#[test]
fn the_state_of_a_load_balancer_goes_with_it() {
    let mut server = server();
    make(&mut server, "a", LOCAL);
    let request = HttpRequest::new("PATCH", &format!("{SERVICES}/a/status"))
        .header("content-type", "application/merge-patch+json")
        .body(r#"{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}"#);
    assert_eq!(ask(&mut server, request).0, 200);
    let (_, json) = patch(&mut server, "a", r#"{"metadata":{"labels":{"x":"y"}}}"#);
    assert!(json.at(&["status", "loadBalancer", "ingress"]).is_some(), "{json}");
    let (_, json) = patch(&mut server, "a", r#"{"spec":{"type":"ClusterIP"}}"#);
    assert!(json.at(&["status", "loadBalancer", "ingress"]).is_none(), "{json}");
}

#[test]
fn a_health_check_port_belongs_to_one_service() {
    let mut server = server();
    assert_eq!(make(&mut server, "a", LOCAL).0, 201);
    let (code, json) = make(&mut server, "b", LOCAL);
    let text = "Internal error occurred: failed to allocate requested HealthCheck NodePort 31000: \
        provided port is already allocated";
    assert_eq!((code, message(&json)), (500, text));
    let (code, json) = patch(&mut server, "a", r#"{"metadata":{"labels":{"x":"y"}}}"#);
    assert_eq!(code, 200, "its own port is no obstacle: {json}");
}
