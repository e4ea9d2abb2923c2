//! Requests that are too large, too deep or too many-sided: refused with upstream's words, and quickly. None of
//! them may take longer than a moment; work that grows with the square of the body would take minutes here.

use std::fmt::Write as _;

use api::Json;
use apiserver::ApiServer;
use apiserver::http::{HttpAnswer, HttpRequest, Response};
use base::Instant;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const JSON: &str = "application/json";

fn ask(server: &mut ApiServer, method: &str, path: &str, media: &str, body: &str) -> Response {
    let request = HttpRequest::new(method, path).header("Content-Type", media).body(body);
    match server.http(Instant::START, &request) {
        HttpAnswer::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

fn server() -> ApiServer {
    let mut server = ApiServer::new(1);
    server.bootstrap(Instant::START);
    let made = ask(&mut server, "POST", MAPS, JSON, &map(r#""data":{"a":"1"}"#));
    assert_eq!(made.code, 201);
    server
}

fn map(rest: &str) -> String {
    format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"m"}},{rest}}}"#)
}

/// Asks for something of the ConfigMap `m`; the code and what the message must hold.
fn check(method: &str, media: &str, body: &str, code: u16, text: &str) {
    let path = if method == "POST" { MAPS.into() } else { format!("{MAPS}/m?fieldManager=test") };
    check_at(method, &path, media, body, code, text);
}

fn check_at(method: &str, path: &str, media: &str, body: &str, code: u16, text: &str) {
    let answer = ask(&mut server(), method, path, media, body);
    let shown = String::from_utf8_lossy(&answer.body);
    let shown: String = shown.chars().take(600).collect();
    assert_eq!(answer.code, code, "{shown}");
    let json = Json::parse(&answer.body).unwrap_or_default();
    let message = json.get("message").and_then(Json::as_str).unwrap_or_default();
    assert!(message.contains(text), "{message:.600}");
}

/// `count` fields, each with the value.
fn fields(count: usize, value: &str) -> String {
    let mut text = String::new();
    for i in 0..count {
        let _ = write!(text, "{}\"k{i}\":{value}", if i > 0 { "," } else { "" });
    }
    text
}

#[test]
fn a_body_of_more_than_three_megabytes_is_refused_whatever_it_is_for() {
    let body = map(&format!(r#""data":{{"a":"{}"}}"#, "x".repeat(3 << 20)));
    let text = "Request entity too large: limit is 3145728";
    check("POST", JSON, &body, 413, text);
    check("PUT", JSON, &body, 413, text);
    check("POST", "application/yaml", &body, 413, text);
    check("DELETE", JSON, &body, 413, text);
    for media in [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ] {
        check("PATCH", media, &body, 413, text);
    }
    check("POST", "text/plain", &body, 415, "unknown format");
}

#[test]
fn deep_nesting_is_refused() {
    let deep = |open: &str, close: &str, n| format!("{}1{}", open.repeat(n), close.repeat(n));
    let body = map(&format!(r#""data":{}"#, deep("{\"a\":", "}", 20_000)));
    check("POST", JSON, &body, 400, "exceeded max depth");
    check("POST", JSON, &"[".repeat(1 << 20), 400, "exceeded max depth");
    check("PATCH", "application/merge-patch+json", &body, 400, "exceeded max depth");
    check("POST", "application/yaml", &deep("[", "]", 20_000), 400, "depth");
}

#[test]
fn numbers_are_told_as_they_are_written() {
    let pods = "/api/v1/namespaces/default/pods";
    let check = |number: &str, rest: &str| {
        let body = format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"n"}},"spec":{{
                "activeDeadlineSeconds":{number},"containers":[{{"name":"c","image":"i"}}]}}}}"#
        );
        check_at("POST", pods, JSON, &body, 400, rest);
    };
    let of = |number: &str| {
        format!(
            "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal number {number} \
             into Go struct field PodSpec.spec.activeDeadlineSeconds of type int64"
        )
    };
    let long = "9".repeat(400);
    for number in ["99999999999999999999", "1e400", "1e3", "1.0", "-1e-3", &long] {
        check(number, &of(number));
    }
}

#[test]
fn yaml_whose_aliases_multiply_is_refused() {
    let mut bomb = String::from("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n");
    bomb.push_str("a: &a [x,x,x,x,x,x,x,x,x,x]\n");
    for (from, to) in
        ["a", "b", "c", "d", "e", "f", "g"].iter().zip(["b", "c", "d", "e", "f", "g", "h"])
    {
        let _ = writeln!(bomb, "{to}: &{to} [{}]", vec![format!("*{from}"); 10].join(","));
    }
    let text = "yaml: document contains excessive aliasing";
    check("POST", "application/yaml", &bomb, 400, text);
    check("PATCH", "application/apply-patch+yaml", &bomb, 400, text);
}

#[test]
fn a_json_patch_has_ten_thousand_operations_at_most() {
    let patch = |n: usize| {
        let one = r#"{"op":"test","path":"/kind","value":"ConfigMap"}"#;
        format!("[{}]", vec![one; n].join(","))
    };
    let media = "application/json-patch+json";
    check("PATCH", media, &patch(10_000), 200, "");
    let text = "The allowed maximum operations in a JSON patch is 10000, got 10001";
    check("PATCH", media, &patch(10_001), 413, text);
}

#[test]
fn many_keys_take_no_longer_than_their_number() {
    let data = fields(50_000, "\"\"");
    check("POST", JSON, &map(&format!(r#""data":{{{data}}}"#)).replace("\"m\"", "\"n\""), 201, "");
    let patch = format!(r#"{{"data":{{{data}}}}}"#);
    check("PATCH", "application/merge-patch+json", &patch, 200, "");
    check("PATCH", "application/strategic-merge-patch+json", &patch, 200, "");
    let body = map(&format!(r#""data":{{{data}}}"#));
    check("PUT", JSON, &body, 200, "");
    check("PATCH", "application/apply-patch+yaml", &body, 200, "");
}

#[test]
fn many_equal_values_are_compared_quickly() {
    let forward = fields(40_000, "\"\"");
    let mut backward: Vec<&str> = forward.split(',').collect();
    backward.reverse();
    let patch = format!(
        r#"[{{"op":"add","path":"/data","value":{{{forward}}}}},
            {{"op":"test","path":"/data","value":{{{}}}}}]"#,
        backward.join(",")
    );
    check("PATCH", "application/json-patch+json", &patch, 200, "");
}

#[test]
fn many_complaints_are_cut_short() {
    let body = map(&fields(50_000, "1")).replace("\"m\"", "\"n\"");
    let answer = ask(&mut server(), "POST", MAPS, JSON, &body);
    assert_eq!(answer.code, 201);
    let warnings = answer.headers.iter().filter(|(name, _)| name == "Warning");
    let sizes: Vec<usize> = warnings.map(|(_, text)| text.len()).collect();
    assert_eq!(sizes.len(), 100);
    let strict = format!("{MAPS}?fieldValidation=Strict");
    let answer = ask(&mut server(), "POST", &strict, JSON, &body);
    assert_eq!(answer.code, 400);
    assert!(answer.body.len() < 10_000);
}

#[test]
fn many_containers_are_checked_quickly() {
    let containers: Vec<String> =
        (0..20_000).map(|i| format!(r#"{{"name":"c{i}","image":"i"}}"#)).collect();
    let body = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"n"}},"spec":{{"containers":[{}]}}}}"#,
        containers.join(",")
    );
    let pods = "/api/v1/namespaces/default/pods";
    // There is no service account to run as, which is told after the whole pod was read.
    check_at("POST", pods, JSON, &body, 403, "service account");
}
