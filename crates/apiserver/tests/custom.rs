//! Custom resources, from their definition to their end.

use api::Json;
use api::wire::Interest;
use apiserver::ApiServer;
use apiserver::http::{HttpAnswer, HttpRequest};
use base::Instant;

const NOW: Instant = Instant::START;
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const TABS: &str = "/apis/stable.example.com/v1/namespaces/default/crontabs";
const DEFINITION: &str = r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
    "metadata":{"name":"crontabs.stable.example.com"},
    "spec":{"group":"stable.example.com","scope":"Namespaced",
      "names":{"plural":"crontabs","singular":"crontab","kind":"CronTab","shortNames":["ct"]},
      "versions":[
        {"name":"v1","served":true,"storage":true,
         "schema":{"openAPIV3Schema":{"type":"object","properties":{
            "spec":{"type":"object","required":["cronSpec"],"properties":{
              "cronSpec":{"type":"string","pattern":"^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$"},
              "replicas":{"type":"integer","minimum":1,"maximum":10,"default":1},
              "hosts":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],
                "items":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"port":{"type":"integer"}}}}}},
            "status":{"type":"object","properties":{"replicas":{"type":"integer"},"selector":{"type":"string"}}}}}},
         "subresources":{"status":{},"scale":{"specReplicasPath":".spec.replicas","statusReplicasPath":".status.replicas","labelSelectorPath":".status.selector"}},
         "additionalPrinterColumns":[{"name":"Spec","type":"string","jsonPath":".spec.cronSpec"},{"name":"Replicas","type":"integer","jsonPath":".spec.replicas"}]},
        {"name":"v1beta1","served":true,"storage":false,
         "schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}}"#;

fn ask(server: &mut ApiServer, request: HttpRequest) -> (u16, Json) {
    match server.http(NOW, &request) {
        HttpAnswer::Response(response) => {
            (response.code, Json::parse(&response.body).unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

fn post(server: &mut ApiServer, path: &str, body: &str) -> (u16, Json) {
    ask(server, HttpRequest::new("POST", path).body(body))
}

fn get(server: &mut ApiServer, path: &str) -> (u16, Json) {
    ask(server, HttpRequest::new("GET", path))
}

fn text<'a>(json: &'a Json, path: &[&str]) -> &'a str {
    json.at(path).and_then(Json::as_str).unwrap_or_default()
}

fn server() -> ApiServer {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    let (code, made) = post(&mut server, DEFINITIONS, DEFINITION);
    assert_eq!(code, 201, "{made}");
    server
}

fn tab(name: &str, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{{"name":"{name}"}},"spec":{spec}}}"#
    )
}

const GOOD: &str = r#"{"cronSpec":"* * * * */5"}"#;

#[test]
fn a_definition_is_established_and_its_kind_is_discovered() {
    let mut server = server();
    let (_, definition) = get(&mut server, &format!("{DEFINITIONS}/crontabs.stable.example.com"));
    let conditions = definition.at(&["status", "conditions"]).expect("conditions").items();
    let kinds: Vec<&str> = conditions.iter().map(|c| text(c, &["type"])).collect();
    assert_eq!(kinds, ["NamesAccepted", "Established"]);
    assert_eq!(text(&definition, &["status", "acceptedNames", "listKind"]), "CronTabList");
    let (code, list) = get(&mut server, "/apis/stable.example.com/v1");
    assert_eq!(code, 200);
    let names: Vec<&str> = list
        .get("resources")
        .expect("resources")
        .items()
        .iter()
        .map(|r| text(r, &["name"]))
        .collect();
    assert_eq!(names, ["crontabs", "crontabs/scale", "crontabs/status"]);
}

#[test]
fn objects_are_defaulted_pruned_and_counted() {
    let mut server = server();
    let spec = r#"{"cronSpec":"* * * * */5","bogus":1}"#;
    let (code, made) = post(&mut server, TABS, &tab("a", spec));
    assert_eq!(code, 201, "{made}");
    assert_eq!(made.get("spec").unwrap().to_string(), r#"{"cronSpec":"* * * * */5","replicas":1}"#);
    assert_eq!(made.at(&["metadata", "generation"]), Some(&Json::Int(1)));
    let strict = format!("{TABS}?fieldValidation=Strict");
    let (code, refused) = post(&mut server, &strict, &tab("b", spec));
    assert_eq!(code, 400);
    assert_eq!(
        text(&refused, &["message"]),
        "CronTab in version \"v1\" cannot be handled as a CronTab: strict decoding error: unknown \
         field \"spec.bogus\""
    );
}

fn check(spec: &str, message: &str) {
    let mut server = server();
    let (code, refused) = post(&mut server, TABS, &tab("a", spec));
    assert_eq!((code, text(&refused, &["message"])), (422, message), "{spec}");
}

#[test]
fn the_schema_is_held_up() {
    let of = |what: &str| format!("CronTab.stable.example.com \"a\" is invalid: {what}");
    check("{}", &of("spec.cronSpec: Required value"));
    check(
        r#"{"cronSpec":"* * * *"}"#,
        &of(
            "spec.cronSpec: Invalid value: \"* * * *\": spec.cronSpec in body should match '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$'",
        ),
    );
    check(
        r#"{"cronSpec":"* * * * *","replicas":15}"#,
        &of(
            "spec.replicas: Invalid value: 15: spec.replicas in body should be less than or equal to 10",
        ),
    );
    check(
        r#"{"cronSpec":"* * * * *","replicas":"x"}"#,
        &of(
            "spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: \"string\"",
        ),
    );
}

#[test]
fn status_and_scale_are_parts_of_their_own() {
    let mut server = server();
    post(&mut server, TABS, &tab("a", GOOD));
    let patch = |server: &mut ApiServer, path: &str, body: &str| {
        let path = format!("{TABS}/a{path}");
        let request = HttpRequest::new("PATCH", &path)
            .header("Content-Type", "application/merge-patch+json")
            .body(body);
        ask(server, request)
    };
    let both = r#"{"spec":{"replicas":5},"status":{"replicas":2}}"#;
    let (code, changed) = patch(&mut server, "/status", both);
    assert_eq!(code, 200, "{changed}");
    assert_eq!(changed.at(&["spec", "replicas"]), Some(&Json::Int(1)));
    assert_eq!(changed.at(&["status", "replicas"]), Some(&Json::Int(2)));
    assert_eq!(changed.at(&["metadata", "generation"]), Some(&Json::Int(1)));
    let (code, scale) = patch(&mut server, "/scale", r#"{"spec":{"replicas":4}}"#);
    assert_eq!((code, text(&scale, &["kind"])), (200, "Scale"), "{scale}");
    let (_, now) = get(&mut server, &format!("{TABS}/a"));
    assert_eq!(now.at(&["spec", "replicas"]), Some(&Json::Int(4)));
    assert_eq!(now.at(&["metadata", "generation"]), Some(&Json::Int(2)));
}

#[test]
fn another_version_shows_the_same_object() {
    let mut server = server();
    let (_, made) = post(&mut server, TABS, &tab("a", GOOD));
    let (code, shown) = get(&mut server, &format!("{}/a", TABS.replace("/v1/", "/v1beta1/")));
    assert_eq!((code, text(&shown, &["apiVersion"])), (200, "stable.example.com/v1beta1"));
    assert_eq!(text(&shown, &["metadata", "uid"]), text(&made, &["metadata", "uid"]));
    assert_eq!(shown.get("spec"), made.get("spec"));
}

#[test]
fn lists_are_applied_item_by_item() {
    let mut server = server();
    let apply = |server: &mut ApiServer, manager: &str, hosts: &str| {
        let spec = format!(r#"{{"cronSpec":"* * * * *","hosts":{hosts}}}"#);
        let path = format!("{TABS}/a?fieldManager={manager}");
        let request = HttpRequest::new("PATCH", &path)
            .header("Content-Type", "application/apply-patch+yaml")
            .body(tab("a", &spec));
        ask(server, request)
    };
    assert_eq!(apply(&mut server, "one", r#"[{"name":"x","port":1}]"#).0, 201);
    let (code, both) = apply(&mut server, "two", r#"[{"name":"y","port":2}]"#);
    assert_eq!(code, 200, "{both}");
    assert_eq!(both.at(&["spec", "hosts"]).unwrap().items().len(), 2);
    let (code, refused) = apply(&mut server, "two", r#"[{"name":"x","port":3}]"#);
    assert_eq!(code, 409);
    assert_eq!(
        text(&refused, &["message"]),
        "Apply failed with 1 conflict: conflict with \"one\": .spec.hosts[name=\"x\"].port"
    );
}

#[test]
fn a_table_has_the_definitions_columns() {
    let mut server = server();
    post(&mut server, TABS, &tab("a", GOOD));
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let (_, table) = ask(&mut server, HttpRequest::new("GET", TABS).header("Accept", accept));
    let row = &table.get("rows").unwrap().items()[0];
    assert_eq!(row.get("cells").unwrap().to_string(), r#"["a","* * * * */5",1]"#);
}

#[test]
fn a_definition_goes_with_its_objects_and_watches_hear_of_it() {
    let mut server = server();
    post(&mut server, TABS, &tab("a", GOOD));
    let kind = server.kinds().into_iter().find(|kind| kind.kind == "CronTab").expect("served");
    let watch = server.watch(Interest::all(kind), Some(server.revision())).expect("a watch");
    server.take_events();
    let (code, going) = ask(
        &mut server,
        HttpRequest::new("DELETE", &format!("{DEFINITIONS}/crontabs.stable.example.com")),
    );
    assert_eq!(code, 200, "{going}");
    assert!(server.take_events().iter().any(|(id, _)| *id == watch));
    assert_eq!(get(&mut server, &format!("{DEFINITIONS}/crontabs.stable.example.com")).0, 404);
    assert_eq!(get(&mut server, TABS).0, 404);
    assert_eq!(post(&mut server, DEFINITIONS, DEFINITION).0, 201);
    assert!(get(&mut server, TABS).1.get("items").unwrap().items().is_empty());
}
