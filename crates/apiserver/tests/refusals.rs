//! Requests that a real server refuses, answers otherwise than by storing them, or warns of.

use api::Json;
use apiserver::ApiServer;
use apiserver::http::{HttpAnswer, HttpRequest, Response};
use base::Instant;

const NOW: Instant = Instant::START;
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn server() -> ApiServer {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    server
}

fn ask(server: &mut ApiServer, request: HttpRequest) -> (u16, Json, Response) {
    match server.http(NOW, &request) {
        HttpAnswer::Response(response) => {
            let json = Json::parse(&response.body).unwrap_or_default();
            (response.code, json, response)
        }
        other => panic!("{other:?}"),
    }
}

fn get(server: &mut ApiServer, path: &str) -> (u16, Json) {
    let (code, json, _) = ask(server, HttpRequest::new("GET", path));
    (code, json)
}

fn make(server: &mut ApiServer, name: &str) {
    let body = format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}}}}"#);
    let (code, json, _) = ask(server, HttpRequest::new("POST", MAPS).body(body));
    assert_eq!(code, 201, "{json}");
}

fn text<'a>(json: &'a Json, path: &[&str]) -> &'a str {
    json.at(path).and_then(Json::as_str).unwrap_or_default()
}

fn check_message(server: &mut ApiServer, request: HttpRequest, code: u16, message: &str) {
    let (got, json, _) = ask(server, request);
    assert_eq!((got, text(&json, &["message"])), (code, message));
}

#[test]
fn options_of_a_deletion_that_are_no_such_options_delete_nothing() {
    let mut server = server();
    make(&mut server, "a");
    let path = format!("{MAPS}/a");
    let mut check = |path: &str, body: &str, code: u16, message: &str| {
        check_message(&mut server, HttpRequest::new("DELETE", path).body(body), code, message);
        assert_eq!(get(&mut server, &format!("{MAPS}/a")).0, 200, "still there after {body}");
    };
    let unsupported = "DeleteOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \
        [\"Foo\"]: supported values: \"All\"";
    check(&path, r#"{"dryRun":["Foo"]}"#, 422, unsupported);
    check(MAPS, r#"{"dryRun":["Foo"]}"#, 422, unsupported);
    let scheme = "in scheme \"pkg/apis/meta/internalversion/scheme/register.go:27\"";
    let kind = format!("no kind \"Foo\" is registered for version \"v1\" {scheme}");
    check(&path, r#"{"kind":"Foo"}"#, 500, &kind);
    let version = format!("no kind \"DeleteOptions\" is registered for version \"x/v1\" {scheme}");
    check(&path, r#"{"kind":"DeleteOptions","apiVersion":"x/v1"}"#, 500, &version);
    check(&path, r#"{"dryRun":["All"]}"#, 200, "");
    let old = r#"{"kind":"DeleteOptions","apiVersion":"apps/v1"}"#;
    assert_eq!(ask(&mut server, HttpRequest::new("DELETE", &path).body(old)).0, 200);
    assert_eq!(get(&mut server, &path).0, 404);
}
