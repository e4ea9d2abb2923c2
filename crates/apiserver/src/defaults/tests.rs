//! What is filled in, kind by kind.

use std::sync::Arc;

use api::core::v1::Pod;
use api::{Decode, Json, KINDS, Object};

fn object(text: &str) -> Object {
    let json = Json::parse(text.as_bytes()).expect("JSON");
    let kind = json.get("kind").and_then(Json::as_str).expect("kind");
    let version = json.get("apiVersion").and_then(Json::as_str).unwrap_or("v1");
    let info = KINDS.iter().find(|k| k.kind == kind && k.api_version() == version).expect("kind");
    let mut cx = Decode::new();
    let object = Object::decode(info, json.clone(), &mut cx);
    assert_eq!(cx.error, None);
    object
}

/// Decodes, fills in, and compares the value at a path.
fn check(given: &str, path: &str, expected: &str) {
    let mut object = object(given);
    super::apply(&mut object);
    let json = object.to_json();
    let mut at = Some(&json);
    for step in path.split('/') {
        at = at.and_then(|json| match step.parse::<usize>() {
            Ok(index) => json.items().get(index),
            Err(_) => json.get(step),
        });
    }
    let found = at.map_or("nothing".to_string(), |json| {
        let mut out = Vec::new();
        json.write(&mut out);
        String::from_utf8(out).expect("text")
    });
    assert_eq!(found, expected, "{path}");
}

const POD: &str = r#"{"kind":"Pod","spec":{"containers":[{"name":"a","image":"IMAGE"}]}}"#;

fn check_pull(image: &str, policy: &str) {
    let expected = format!("{policy:?}");
    check(&POD.replace("IMAGE", image), "spec/containers/0/imagePullPolicy", &expected);
}

#[test]
fn an_image_without_a_tag_is_pulled_always() {
    check_pull("nginx", "Always");
    check_pull("nginx:latest", "Always");
    check_pull("localhost:5000/a/b", "Always");
}

#[test]
fn an_image_with_a_tag_a_digest_or_a_wrong_name_is_pulled_once() {
    check_pull("nginx:1.27", "IfNotPresent");
    check_pull("example.com:5000/a/b:v1", "IfNotPresent");
    check_pull("Nginx", "IfNotPresent");
    let digest = "0".repeat(64);
    check_pull(&format!("nginx@sha256:{digest}"), "IfNotPresent");
}

#[test]
fn limits_become_requests_in_pods_only() {
    let container = r#"{"containers":[{"name":"a","resources":{"limits":{"cpu":"1"}}}]}"#;
    let pod = format!(r#"{{"kind":"Pod","spec":{container}}}"#);
    check(&pod, "spec/containers/0/resources/requests", r#"{"cpu":"1"}"#);
    let template = format!(
        r#"{{"kind":"ReplicaSet","apiVersion":"apps/v1","spec":{{"template":{{"spec":{container}}}}}}}"#
    );
    check(&template, "spec/template/spec/containers/0/resources/requests", "nothing");
    check(&template, "spec/template/spec/restartPolicy", r#""Always""#);
}

#[test]
fn amounts_finer_than_a_thousandth_are_rounded_up() {
    let pod = r#"{"kind":"Pod","spec":{"containers":[{"resources":{"limits":{"cpu":"0.5m"}}}]}}"#;
    check(pod, "spec/containers/0/resources/limits/cpu", r#""1m""#);
}

#[test]
fn a_volume_without_a_source_is_an_empty_directory() {
    check(r#"{"kind":"Pod","spec":{"volumes":[{"name":"a"}]}}"#, "spec/volumes/0/emptyDir", "{}");
}

#[test]
fn a_service_gets_its_type_and_its_target_ports() {
    let service = r#"{"kind":"Service","spec":{"ports":[{"port":80}]}}"#;
    check(service, "spec/type", r#""ClusterIP""#);
    check(service, "spec/ports/0/targetPort", "80");
    check(service, "spec/externalTrafficPolicy", "nothing");
}

#[test]
fn a_stateful_set_has_a_partition_only_where_the_strategy_was_left_out() {
    let set = r#"{"kind":"StatefulSet","apiVersion":"apps/v1","spec":{"serviceName":"a"}}"#;
    check(set, "spec/updateStrategy/rollingUpdate/partition", "0");
    let set = r#"{"kind":"StatefulSet","apiVersion":"apps/v1","spec":{"updateStrategy":{"type":"RollingUpdate"}}}"#;
    check(set, "spec/updateStrategy/rollingUpdate", "nothing");
}

#[test]
fn a_job_that_says_nothing_runs_once() {
    let job = r#"{"kind":"Job","apiVersion":"batch/v1","spec":{}}"#;
    check(job, "spec/completions", "1");
    check(job, "spec/backoffLimit", "6");
    let job = r#"{"kind":"Job","apiVersion":"batch/v1","spec":{"parallelism":2}}"#;
    check(job, "spec/completions", "nothing");
}

#[test]
fn the_texts_of_a_secret_become_bytes() {
    let secret = r#"{"kind":"Secret","stringData":{"a":"hi"}}"#;
    check(secret, "data", r#"{"a":"aGk="}"#);
    check(secret, "stringData", "nothing");
}

#[test]
fn the_default_limits_of_containers_come_from_the_greatest_allowed() {
    let range =
        r#"{"kind":"LimitRange","spec":{"limits":[{"type":"Container","max":{"cpu":"2"}}]}}"#;
    check(range, "spec/limits/0/default/cpu", r#""2""#);
    check(range, "spec/limits/0/defaultRequest/cpu", r#""2""#);
}

#[test]
fn a_complete_spec_stays_shared() {
    let mut first = object(&POD.replace("IMAGE", "nginx"));
    super::apply(&mut first);
    let mut second = first.clone();
    super::apply(&mut second);
    let spec = |object: &Object| object.get::<Pod>().expect("a pod").spec.shared().clone();
    assert!(Arc::ptr_eq(&spec(&first), &spec(&second)));
}
