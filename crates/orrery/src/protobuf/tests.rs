//! Bodies as clients send them, put together by hand, and what becomes of them.

use super::*;

/// A field with its tag: `key(3, 2)` is the tag of field 3 with bytes.
fn key(number: u32, wire: u32) -> Vec<u8> {
    number_bytes(u64::from(number << 3 | wire))
}

fn number_bytes(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn bytes(number: u32, inner: &[u8]) -> Vec<u8> {
    [key(number, 2), number_bytes(inner.len() as u64), inner.to_vec()].concat()
}

fn text(number: u32, inner: &str) -> Vec<u8> {
    bytes(number, inner.as_bytes())
}

fn int(number: u32, value: i64) -> Vec<u8> {
    [key(number, 0), number_bytes(value as u64)].concat()
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let names = [text(1, api_version), text(2, kind)].concat();
    [MAGIC.to_vec(), bytes(1, &names), bytes(2, raw), text(3, ""), text(4, "")].concat()
}

fn check(api_version: &str, kind: &str, raw: &[u8], expected: &str) {
    let read = decode(&envelope(api_version, kind, raw)).expect("sound").expect("a known kind");
    let expected = Json::parse(expected.as_bytes()).expect("JSON");
    let mut whole = Json::object();
    whole.set("apiVersion", api_version);
    whole.set("kind", kind);
    expected.fields().iter().for_each(|(key, value)| whole.set(key.clone(), value.clone()));
    assert_eq!(read, whole);
}

#[test]
fn text_numbers_and_maps_have_their_names() {
    let entry = |key: &str, value: &str| [text(1, key), text(2, value)].concat();
    let meta = [text(1, "settings"), text(3, "blue")].concat();
    let data = [bytes(2, &entry("colour", "green")), bytes(2, &entry("empty", ""))].concat();
    let raw = [bytes(1, &meta), data, key(4, 0), vec![1]].concat();
    let expected = r#"{"metadata": {"name": "settings", "namespace": "blue"},
        "data": {"colour": "green", "empty": ""}, "immutable": true}"#;
    check("v1", "ConfigMap", &raw, expected);
}

#[test]
fn structs_that_stand_for_their_fields_are_taken_apart() {
    let secret = bytes(6, &text(1, "key"));
    let volume = [text(1, "certs"), bytes(2, &secret)].concat();
    let raw = bytes(2, &bytes(1, &volume));
    let expected = r#"{"spec": {"volumes": [{"name": "certs", "secret": {"secretName": "key"}}]}}"#;
    check("v1", "Pod", &raw, expected);
}

#[test]
fn times_amounts_and_ports_are_written_as_json_has_them() {
    let time = int(1, 1_767_225_600);
    let meta = [text(1, "a"), bytes(8, &[]), bytes(9, &time)].concat();
    check(
        "v1",
        "ConfigMap",
        &bytes(1, &meta),
        r#"{"metadata": {"name": "a", "creationTimestamp": null,
            "deletionTimestamp": "2026-01-01T00:00:00Z"}}"#,
    );
    let named = [int(1, 1), int(2, 0), text(3, "http")].concat();
    let port = [int(3, 80), bytes(4, &named)].concat();
    check(
        "v1",
        "Service",
        &bytes(2, &bytes(1, &port)),
        r#"{"spec": {"ports": [{"port": 80, "targetPort": "http"}]}}"#,
    );
    let hard = [text(1, "cpu"), bytes(2, &text(1, "250m"))].concat();
    check(
        "v1",
        "ResourceQuota",
        &bytes(2, &bytes(1, &hard)),
        r#"{"spec": {"hard": {"cpu": "250m"}}}"#,
    );
}

#[test]
fn negative_numbers_and_bytes_come_through() {
    let spec = [int(4, -1), bytes(3, &bytes(1, &text(1, "x")))].concat();
    let expected = r#"{"spec": {"activeDeadlineSeconds": -1}}"#;
    check("v1", "Pod", &bytes(2, &int(5, -1)), expected);
    assert!(decode(&envelope("v1", "Pod", &bytes(2, &spec))).is_ok());
    let entry = [text(1, "key"), bytes(2, &[0xff, 0])].concat();
    check("v1", "Secret", &bytes(2, &entry), r#"{"data": {"key": "/wA="}}"#);
}

#[test]
fn options_come_in_the_version_of_what_they_are_about() {
    let raw = [int(1, 0), text(4, "Foreground")].concat();
    let expected = r#"{"gracePeriodSeconds": 0, "propagationPolicy": "Foreground"}"#;
    check("apps/v1", "DeleteOptions", &raw, expected);
}

#[test]
fn kinds_without_a_protobuf_form_are_left_alone() {
    assert_eq!(decode(&envelope("stable.example.com/v1", "CronTab", &[])), Ok(None));
}

#[test]
fn every_kind_that_is_served_can_be_read() {
    for info in api::KINDS {
        let message = Table::shared().of_kind(info.group, info.version, info.kind);
        assert!(message.is_some(), "{} {}", info.api_version(), info.kind);
    }
}

#[test]
fn every_message_that_a_field_names_is_there() {
    assert_eq!(Table::shared().missing(), Vec::<&str>::new());
}

#[test]
fn broken_bodies_are_refused_with_upstreams_words() {
    let mut request = HttpRequest::new("POST", "/apis/apps/v1/namespaces/default/deployments")
        .header("Content-Type", MEDIA_TYPE)
        .body("{}");
    let status = to_json(&mut request).expect_err("no protobuf");
    assert_eq!(status.code, Some(400));
    assert_eq!(
        status.message,
        "the object provided is unrecognized (must be of type Deployment): provided data does not \
         appear to be a protobuf message, expected prefix [107 56 115 0] (7b7d)"
    );
    request.body = envelope("v1", "Pod", &[0x0a, 0x7f, 1]);
    let status = to_json(&mut request).expect_err("cut off");
    let text = "Pod in version \"v1\" cannot be handled as a Pod: unexpected EOF";
    assert_eq!(status.message, text);
}

#[test]
fn no_bytes_make_it_fail() {
    let sound = envelope("v1", "Pod", &bytes(2, &bytes(2, &text(1, "c"))));
    let mut seed = 1u64;
    for _ in 0..20_000 {
        let mut body = sound.clone();
        for _ in 0..3 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = 4 + (seed >> 33) as usize % (body.len() - 4);
            body[at] = (seed >> 25) as u8;
        }
        let _ = decode(&body);
    }
}
