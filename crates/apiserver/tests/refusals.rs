//! Requests that a real server refuses, answers otherwise than by storing them, or warns of.

use api::Json;
use apiserver::ApiServer;
use apiserver::http::{HttpAnswer, HttpRequest, Response};
use base::Instant;

const NOW: Instant = Instant::START;
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const PODS: &str = "/api/v1/namespaces/default/pods";

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
    let body =
        format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}}}}"#);
    let (code, json, _) = ask(server, HttpRequest::new("POST", MAPS).body(body));
    assert_eq!(code, 201, "{json}");
}

fn text<'a>(json: &'a Json, path: &[&str]) -> &'a str {
    json.at(path).and_then(Json::as_str).unwrap_or_default()
}

fn with_pod(name: &str) -> ApiServer {
    let mut server = server();
    let account = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}"#;
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    ask(&mut server, HttpRequest::new("POST", accounts).body(account));
    let body = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}"}},"spec":{{"containers":[{{"name":"c","image":"nginx"}}]}}}}"#
    );
    let (code, json, _) = ask(&mut server, HttpRequest::new("POST", PODS).body(body));
    assert_eq!(code, 201, "{json}");
    server
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

fn binding(name: &str, target: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Binding","metadata":{{"name":"{name}"}},"target":{target}}}"#
    )
}

#[test]
fn a_binding_posted_to_its_own_collection_binds_the_pod_and_is_not_stored() {
    let mut server = with_pod("a");
    let bindings = "/api/v1/namespaces/default/bindings";
    let body = binding("a", r#"{"kind":"Node","name":"n1"}"#);
    let (code, json, _) = ask(&mut server, HttpRequest::new("POST", bindings).body(body.clone()));
    assert_eq!(
        (code, text(&json, &["kind"]), text(&json, &["status"])),
        (201, "Status", "Success")
    );
    let (_, pod) = get(&mut server, &format!("{PODS}/a"));
    assert_eq!(text(&pod, &["spec", "nodeName"]), "n1");
    let again = "Operation cannot be fulfilled on pods/binding \"a\": pod a is already assigned to \
        node \"n1\"";
    check_message(&mut server, HttpRequest::new("POST", bindings).body(body), 409, again);
    let missing = binding("b", r#"{"name":"n1"}"#);
    let request = HttpRequest::new("POST", bindings).body(missing);
    check_message(&mut server, request, 404, "pods \"b\" not found");
}

#[test]
fn a_binding_names_its_pod_and_a_node() {
    let mut server = with_pod("a");
    let mut check = |name: &str, target: &str, code: u16, message: &str| {
        let request = HttpRequest::new("POST", &format!("{PODS}/a/binding"));
        check_message(&mut server, request.body(binding(name, target)), code, message);
    };
    let differs = "name in URL does not match name in Binding object";
    check("b", r#"{"name":"n1"}"#, 400, differs);
    check("", r#"{"name":"n1"}"#, 400, differs);
    let kind = "target.kind: Unsupported value: \"Pod\": supported values: \"Node\", \"<empty>\"";
    check("a", r#"{"kind":"Pod","name":"n1"}"#, 500, kind);
    check("a", r#"{"kind":"Node"}"#, 500, "target.name: Required value");
    check("a", r#"{"name":"n1"}"#, 201, "");
}

#[test]
fn an_eviction_names_the_pod_that_goes() {
    let mut server = with_pod("a");
    let mut check = |name: &str, code: u16, message: &str| {
        let body = format!(
            r#"{{"apiVersion":"policy/v1","kind":"Eviction","metadata":{{"name":"{name}"}}}}"#
        );
        let request = HttpRequest::new("POST", &format!("{PODS}/a/eviction")).body(body);
        check_message(&mut server, request, code, message);
    };
    check("b", 400, "name in URL does not match name in Eviction object");
    check("a", 201, "");
    assert_eq!(get(&mut server, &format!("{PODS}/a")).0, 404);
}

fn put(body: &str) -> HttpRequest {
    HttpRequest::new("PUT", &format!("{MAPS}/a")).body(body)
}

#[test]
fn an_update_names_its_object() {
    let mut server = server();
    make(&mut server, "a");
    let text = "the name of the object (a based on URL) was undeterminable: name must be provided";
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","data":{"x":"y"}}"#;
    check_message(&mut server, put(body), 400, text);
}

#[test]
fn an_update_of_the_object_of_a_uid_that_is_gone_is_a_conflict() {
    let mut server = server();
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","uid":"x"}}"#;
    let text = "Operation cannot be fulfilled on configmaps \"a\": StorageError: invalid object, \
        Code: 4, Key: /registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: \
        Precondition failed: UID in precondition: x, UID in object meta: ";
    check_message(&mut server, put(body), 409, text);
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#;
    check_message(&mut server, put(body), 404, "configmaps \"a\" not found");
}

#[test]
fn a_token_lasts_at_least_ten_minutes_and_is_bound_to_what_is_there() {
    let mut server = with_pod("a");
    let account = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"robot"}}"#;
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    ask(&mut server, HttpRequest::new("POST", accounts).body(account));
    let mut check = |account: &str, spec: &str, code: u16, message: &str| {
        let body = format!(
            r#"{{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{spec}}}"#
        );
        let request = HttpRequest::new("POST", &format!("{accounts}/{account}/token")).body(body);
        check_message(&mut server, request, code, message);
    };
    let invalid = "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: \
        Invalid value";
    let short = format!("{invalid}: 599: may not specify a duration less than 10 minutes");
    check("default", r#"{"expirationSeconds":599}"#, 422, &short);
    let long =
        format!("{invalid}: 4294967297: may not specify a duration larger than 2^32 seconds");
    check("default", r#"{"expirationSeconds":4294967297}"#, 422, &long);
    check("default", r#"{"expirationSeconds":600}"#, 201, "");
    let bound = |name: &str, uid: &str| {
        format!(
            r#"{{"boundObjectRef":{{"apiVersion":"v1","kind":"Pod","name":"{name}","uid":"{uid}"}}}}"#
        )
    };
    check("default", &bound("b", ""), 404, "pods \"b\" not found");
    check("default", &bound("a", ""), 201, "");
    let uid = "Operation cannot be fulfilled on Pod \"a\": the UID in the bound object reference \
        (x) does not match the UID in record. The object might have been deleted and then recreated";
    check("default", &bound("a", "x"), 409, uid);
    let other = "cannot bind token for serviceaccount \"robot\" to pod running with different \
        serviceaccount name.";
    check("robot", &bound("a", ""), 400, other);
    let kind = "cannot bind token to object of type apps/v1, Kind=Deployment";
    check(
        "default",
        r#"{"boundObjectRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"a"}}"#,
        400,
        kind,
    );
}

#[test]
fn the_keys_are_served_where_the_issuer_says_they_are() {
    let mut server = server();
    let (_, issuer) = get(&mut server, "/.well-known/openid-configuration");
    let uri = text(&issuer, &["jwks_uri"]).to_string();
    let path = uri.strip_prefix("https://172.18.0.2:6443").expect("a path of this server");
    let (code, json, response) = ask(&mut server, HttpRequest::new("GET", path));
    let kind = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    assert_eq!((code, kind.map(|(_, kind)| &**kind)), (200, Some("application/jwk-set+json")));
    assert!(matches!(json.get("keys"), Some(Json::Array(_))), "{json}");
    let (_, root) = get(&mut server, "/");
    let paths = root.get("paths").map_or(&[][..], Json::items);
    assert!(paths.iter().any(|path| path.as_str() == Some("/openid/v1/jwks/")), "{root}");
}

#[test]
fn an_owner_that_is_named_twice_is_kept_once_with_a_warning() {
    let mut server = server();
    let owner = |uid: &str, name: &str| {
        format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","name":"{name}","uid":"{uid}"}}"#)
    };
    let owners = [owner("u1", "a"), owner("u2", "b"), owner("u1", "a"), owner("u1", "c")].join(",");
    let body = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"a","ownerReferences":[{owners}]}}}}"#
    );
    let mut check = |request: HttpRequest, code: u16, when: &str| {
        let (got, json, response) = ask(&mut server, request);
        assert_eq!(got, code, "{json}");
        let kept = json.at(&["metadata", "ownerReferences"]).map_or(&[][..], Json::items);
        let kept: Vec<&str> = kept.iter().map(|owner| text(owner, &["name"])).collect();
        assert_eq!(kept, ["a", "b", "c"]);
        let warned = response.headers.iter().filter(|(name, _)| name == "Warning");
        let warned: Vec<&str> = warned.map(|(_, text)| &**text).collect();
        let wanted = format!(
            "299 - \".metadata.ownerReferences contains duplicate entries{when}; API server dedups \
             owner references in 1.20+, and may reject such requests as early as 1.24; please fix \
             your requests; duplicate UID(s) observed: u1\""
        );
        assert_eq!(warned, [wanted]);
    };
    check(HttpRequest::new("POST", MAPS).body(body.clone()), 201, "");
    check(put(&body), 200, "");
    let patch = format!(r#"{{"metadata":{{"ownerReferences":[{owners}]}}}}"#);
    let request = HttpRequest::new("PATCH", &format!("{MAPS}/a"))
        .header("content-type", "application/merge-patch+json")
        .body(patch);
    check(request, 200, " after mutating admission happens");
}
