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

/// A definition in a group of its own: `schema` is the whole schema, `more` further fields of the version.
fn define(server: &mut ApiServer, schema: &str, more: &str) -> (u16, Json) {
    let definition = format!(
        r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
            "metadata":{{"name":"things.example.com"}},"spec":{{"group":"example.com","scope":"Cluster",
            "names":{{"plural":"things","singular":"thing","kind":"Thing"}},"versions":[{{"name":"v1",
            "served":true,"storage":true,"schema":{{"openAPIV3Schema":{schema}}}{more}}}]}}}}"#
    );
    post(server, DEFINITIONS, &definition)
}

const THINGS: &str = "/apis/example.com/v1/things";

fn thing(name: &str, rest: &str) -> String {
    format!(
        r#"{{"apiVersion":"example.com/v1","kind":"Thing","metadata":{{"name":"{name}"}}{rest}}}"#
    )
}

fn patch(server: &mut ApiServer, path: &str, kind: &str, body: &str) -> (u16, Json) {
    let kind = format!("application/{kind}");
    ask(server, HttpRequest::new("PATCH", path).header("Content-Type", &kind).body(body))
}

const OPEN: &str = r#"{"type":"object","x-kubernetes-preserve-unknown-fields":true}"#;

#[test]
fn fields_that_an_open_schema_does_not_name_are_kept() {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    define(&mut server, OPEN, "");
    let body = thing("a", r#","num":{"big":9223372036854775807},"list":[{"x":null}]"#);
    let (code, made) = post(&mut server, &format!("{THINGS}?fieldValidation=Strict"), &body);
    assert_eq!(code, 201, "{made}");
    assert_eq!(made.at(&["num", "big"]).and_then(Json::as_i64), Some(i64::MAX));
    let path = format!("{THINGS}/a");
    patch(&mut server, &path, "merge-patch+json", r#"{"num":{"more":1},"list":null}"#);
    let (_, found) = get(&mut server, &path);
    assert_eq!(
        found.get("num").expect("it").to_string(),
        r#"{"big":9223372036854775807,"more":1}"#
    );
    assert!(found.get("list").is_none(), "{found}");
}

#[test]
fn open_fields_are_applied_key_by_key() {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    define(&mut server, OPEN, "");
    let mut apply = |manager: &str, rest: &str| {
        let path = format!("{THINGS}/a?fieldManager={manager}");
        patch(&mut server, &path, "apply-patch+yaml", &thing("a", rest))
    };
    assert_eq!(apply("one", r#","any":{"x":1,"y":2}"#).0, 201);
    let (code, both) = apply("two", r#","any":{"z":3}"#);
    assert_eq!(
        (code, both.get("any").expect("it").to_string().as_str()),
        (200, r#"{"x":1,"y":2,"z":3}"#)
    );
    let (code, conflict) = apply("two", r#","any":{"x":9}"#);
    assert_eq!(code, 409);
    assert!(text(&conflict, &["message"]).ends_with(".any.x"), "{conflict}");
    let (_, less) = apply("one", r#","any":{"x":1}"#);
    assert_eq!(less.get("any").expect("it").to_string(), r#"{"x":1,"z":3}"#);
}

#[test]
fn a_new_default_fills_what_is_stored_already() {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    define(&mut server, OPEN, "");
    post(&mut server, THINGS, &thing("a", ""));
    let add = r#"[{"op":"add","path":"/spec/versions/0/schema/openAPIV3Schema/properties",
        "value":{"size":{"type":"string","default":"small"}}}]"#;
    let path = format!("{DEFINITIONS}/things.example.com");
    assert_eq!(patch(&mut server, &path, "json-patch+json", add).0, 200);
    assert_eq!(text(&get(&mut server, &format!("{THINGS}/a")).1, &["size"]), "small");
    let (_, list) = get(&mut server, THINGS);
    let item = &list.get("items").expect("items").items()[0];
    assert_eq!((text(item, &["size"]), text(item, &["kind"])), ("small", "Thing"));
    // What was written since stays when the default goes.
    assert_eq!(patch(&mut server, &format!("{THINGS}/a"), "merge-patch+json", "{}").0, 200);
    let less = r#"[{"op":"remove","path":"/spec/versions/0/schema/openAPIV3Schema/properties/size/default"}]"#;
    assert_eq!(patch(&mut server, &path, "json-patch+json", less).0, 200);
    assert_eq!(text(&get(&mut server, &format!("{THINGS}/a")).1, &["size"]), "small");
}

#[test]
fn fields_that_the_definition_names_are_selected_by() {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    let schema = r#"{"type":"object","properties":{"spec":{"type":"object","properties":{
        "color":{"type":"string"},"size":{"type":"integer"}}}}}"#;
    let more = r#","selectableFields":[{"jsonPath":".spec.color"},{"jsonPath":".spec.size"}]"#;
    define(&mut server, schema, more);
    for (name, color, size) in [("a", "blue", 1), ("b", "red", 1), ("c", "blue", 2)] {
        let spec = format!(r#","spec":{{"color":"{color}","size":{size}}}"#);
        assert_eq!(post(&mut server, THINGS, &thing(name, &spec)).0, 201);
    }
    let mut check = |selector: &str, expected: &str| {
        let (_, list) = get(&mut server, &format!("{THINGS}?fieldSelector={selector}"));
        let items = list.get("items").map_or(&[][..], Json::items).iter();
        let names: Vec<&str> = items.map(|item| text(item, &["metadata", "name"])).collect();
        assert_eq!(names.join(" "), expected, "{selector}: {list}");
    };
    check("spec.color%3Dblue", "a c");
    check("spec.color%3Dblue,spec.size%3D2", "c");
    check("spec.color!%3Dblue", "b");
    let (code, refused) = get(&mut server, &format!("{THINGS}?fieldSelector=spec.other%3Dx"));
    assert_eq!(
        (code, text(&refused, &["message"])),
        (400, "field label not supported: spec.other")
    );
}

#[test]
fn a_collection_of_definitions_goes_and_its_kinds_with_it() {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    define(&mut server, OPEN, "");
    post(&mut server, THINGS, &thing("a", ""));
    let (code, _) = ask(&mut server, HttpRequest::new("DELETE", DEFINITIONS));
    assert_eq!(code, 200);
    assert_eq!(get(&mut server, THINGS).0, 404);
    assert!(get(&mut server, DEFINITIONS).1.get("items").expect("items").items().is_empty());
}

#[test]
fn finalizers_of_custom_objects_need_no_domain() {
    let mut server = server();
    let tab = tab("a", GOOD).replacen(r#""name":"a""#, r#""name":"a","finalizers":["plain"]"#, 1);
    assert_eq!(post(&mut server, TABS, &tab).0, 201);
}

#[test]
fn published_schemas_say_what_their_form_can() {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    let schema = r#"{"type":"object","description":"A thing.","properties":{
        "open":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"a":{"type":"string"}}},
        "port":{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"},{"type":"string"}]},
        "maybe":{"type":"string","nullable":true,"format":"nonsense"},
        "size":{"type":"string","default":"small","format":"date"}}}"#;
    let (code, made) = define(&mut server, schema, "");
    assert_eq!(code, 201, "{made}");
    let definition = |server: &mut ApiServer, path: &str, at: &[&str]| {
        let (_, document) = get(server, path);
        document
            .at(at)
            .and_then(|all| all.get("com.example.v1.Thing"))
            .cloned()
            .expect("it is there")
    };
    let check = |definition: &Json, field: &str, expected: &str| {
        let found = definition.at(&["properties", field]).expect("the field");
        assert_eq!(found.clone().sorted().to_string(), expected, "{field}");
    };
    let old = definition(&mut server, "/openapi/v2", &["definitions"]);
    check(&old, "open", r#"{"type":"object","x-kubernetes-preserve-unknown-fields":true}"#);
    check(&old, "port", r#"{"x-kubernetes-int-or-string":true}"#);
    check(&old, "maybe", "{}");
    check(&old, "size", r#"{"format":"date","type":"string"}"#);
    let path = "/openapi/v3/apis/example.com/v1";
    let new = definition(&mut server, path, &["components", "schemas"]);
    check(&new, "maybe", r#"{"nullable":true,"type":"string"}"#);
    check(&new, "size", r#"{"default":"small","format":"date","type":"string"}"#);
}
