//! The HTTP edge, as clients see it.

use api::Json;
use apiserver::ApiServer;
use apiserver::http::{HttpAnswer, HttpRequest, Response, Stream};
use base::{Duration, Instant};

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

fn make(server: &mut ApiServer, name: &str, label: &str) {
    let body = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}","labels":{{"l":"{label}"}}}}}}"#
    );
    let (code, json, _) = ask(server, HttpRequest::new("POST", MAPS).body(body));
    assert_eq!(code, 201, "{json}");
}

fn text<'a>(json: &'a Json, path: &[&str]) -> &'a str {
    json.at(path).and_then(Json::as_str).unwrap_or_default()
}

fn names(json: &Json) -> Vec<String> {
    let items = json.get("items").map_or(&[][..], Json::items);
    items.iter().map(|item| text(item, &["metadata", "name"]).to_string()).collect()
}

fn open(server: &mut ApiServer, path: &str) -> Stream {
    match server.http(NOW, &HttpRequest::new("GET", path)) {
        HttpAnswer::Watch(stream) => stream,
        other => panic!("{other:?}"),
    }
}

fn lines(bytes: &[u8]) -> Vec<Json> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().map(|line| Json::parse(line.as_bytes()).expect("a line of JSON")).collect()
}

fn check_status(path: &str, code: u16, message: &str) {
    let mut server = server();
    let (got, json) = get(&mut server, path);
    assert_eq!((got, text(&json, &["message"])), (code, message), "{path}");
}

#[test]
fn what_is_not_there_is_refused_in_upstreams_words() {
    check_status("/api/v1/namespaces/default/pods/nope", 404, "pods \"nope\" not found");
    let unknown = "the server could not find the requested resource";
    check_status("/api/v1/namespaces/default/foos", 404, unknown);
    check_status(
        "/api/v1/pods?fieldSelector=spec.foo%3D1",
        400,
        "field label not supported: spec.foo",
    );
    let mut server = server();
    let (code, _, response) = ask(&mut server, HttpRequest::new("GET", "/apis/nope/v1/foos"));
    assert_eq!((code, response.body.as_slice()), (404, &b"404 page not found\n"[..]));
}

#[test]
fn unknown_fields_are_refused_warned_of_or_ignored_as_asked() {
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"bogus":1,"data":{"x":"1"},"data":{"y":"2"}}"#;
    let check = |validation: &str, code: u16, warnings: usize, message: &str| {
        let path = format!("{MAPS}?dryRun=All&fieldValidation={validation}");
        let (got, json, response) = ask(&mut server(), HttpRequest::new("POST", &path).body(body));
        let warned = response.headers.iter().filter(|(name, _)| name == "Warning").count();
        assert_eq!((got, warned), (code, warnings), "{validation}: {json}");
        assert_eq!(text(&json, &["message"]), message);
    };
    let strict = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding \
        error: unknown field \"bogus\", duplicate field \"data\"";
    check("Strict", 400, 0, strict);
    check("Warn", 201, 2, "");
    check("Ignore", 201, 0, "");
}

#[test]
fn pages_of_a_list_stay_at_one_revision() {
    let mut server = server();
    for name in ["a", "b", "c"] {
        make(&mut server, name, "x");
    }
    let (_, first) = get(&mut server, &format!("{MAPS}?limit=2"));
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first.at(&["metadata", "remainingItemCount"]), Some(&Json::Int(1)));
    let token = text(&first, &["metadata", "continue"]).to_string();
    make(&mut server, "d", "x");
    let (_, second) = get(&mut server, &format!("{MAPS}?limit=2&continue={token}"));
    assert_eq!(names(&second), ["c"]);
    assert_eq!(
        text(&second, &["metadata", "resourceVersion"]),
        text(&first, &["metadata", "resourceVersion"])
    );
}

#[test]
fn a_watch_goes_on_where_the_list_ended_and_follows_its_selector() {
    let mut server = server();
    make(&mut server, "a", "x");
    let (_, list) = get(&mut server, &format!("{MAPS}?labelSelector=l%3Dx"));
    let version = text(&list, &["metadata", "resourceVersion"]).to_string();
    make(&mut server, "b", "x");
    make(&mut server, "c", "y");
    let stream =
        open(&mut server, &format!("{MAPS}?watch=1&labelSelector=l%3Dx&resourceVersion={version}"));
    let patch = HttpRequest::new("PATCH", &format!("{MAPS}/b"))
        .header("Content-Type", "application/merge-patch+json")
        .body(r#"{"metadata":{"labels":{"l":"y"}}}"#);
    assert_eq!(ask(&mut server, patch).0, 200);
    assert_eq!(ask(&mut server, HttpRequest::new("DELETE", &format!("{MAPS}/a"))).0, 200);
    let events = server.take_events();
    let seen: Vec<String> = events
        .iter()
        .map(|(id, event)| {
            assert_eq!(*id, stream.id);
            let line = lines(&server.frame(NOW, &stream, event)).remove(0);
            format!("{} {}", text(&line, &["type"]), text(&line, &["object", "metadata", "name"]))
        })
        .collect();
    assert_eq!(seen, ["ADDED b", "DELETED b", "DELETED a"]);
}

#[test]
fn initial_events_end_with_a_bookmark_that_says_so() {
    let mut server = server();
    make(&mut server, "a", "x");
    let path = format!(
        "{MAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    );
    let stream = open(&mut server, &path);
    let lines = lines(&stream.first);
    let kinds: Vec<&str> = lines.iter().map(|line| text(line, &["type"])).collect();
    assert_eq!(kinds, ["ADDED", "BOOKMARK"]);
    let note = ["object", "metadata", "annotations", "k8s.io/initial-events-end"];
    assert_eq!(text(&lines[1], &note), "true");
}

#[test]
fn a_quiet_watch_gets_a_bookmark_every_minute_and_one_before_its_end() {
    let mut server = server();
    let mut marks = |query: &str| {
        let mut stream = open(&mut server, &format!("{MAPS}?watch=1{query}"));
        let mut seconds = Vec::new();
        for second in 1..=150 {
            let now = NOW + Duration::secs(second);
            if let Some(line) = server.bookmark(now, &mut stream) {
                let mark = lines(&line).remove(0);
                assert_eq!(text(&mark, &["type"]), "BOOKMARK");
                let version = text(&mark, &["object", "metadata", "resourceVersion"]);
                assert_eq!(version, server.revision().to_string());
                seconds.push(second);
            }
        }
        seconds
    };
    assert_eq!(marks("&allowWatchBookmarks=true"), [60, 120]);
    assert_eq!(marks("&allowWatchBookmarks=true&timeoutSeconds=100"), [60, 98]);
    assert!(marks("").is_empty());
}

#[test]
fn options_that_do_not_fit_together_are_refused_all_at_once() {
    let mut server = server();
    let mut refused = |query: &str| {
        let (code, status) = get(&mut server, &format!("{MAPS}?{query}"));
        assert_eq!(code, 422, "{query}: {status}");
        text(&status, &["message"]).to_string()
    };
    let of_list = |list: &str| format!("ListOptions.meta.k8s.io \"\" is invalid: {list}");
    assert_eq!(
        refused("resourceVersionMatch=Foo&resourceVersion=1"),
        of_list(
            "resourceVersionMatch: Unsupported value: \"Foo\": supported values: \"Exact\", \"NotOlderThan\""
        )
    );
    assert_eq!(
        refused("sendInitialEvents=true"),
        of_list("sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list")
    );
    assert_eq!(
        refused("watch=1&sendInitialEvents=true&resourceVersionMatch=Exact"),
        of_list(
            "[resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to \
             NotOlderThan, resourceVersionMatch: Unsupported value: \"Exact\": supported values: \"NotOlderThan\"]"
        )
    );
}

#[test]
fn an_option_of_a_write_is_named_after_the_verb() {
    let mut server = server();
    make(&mut server, "a", "x");
    let path = format!("{MAPS}/a?dryRun=Foo");
    for (method, kind) in [("PUT", "UpdateOptions"), ("PATCH", "PatchOptions")] {
        let request = HttpRequest::new(method, &path)
            .header(
                "Content-Type",
                if method == "PUT" { "application/json" } else { "application/merge-patch+json" },
            )
            .body(r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#);
        let (code, status, _) = ask(&mut server, request);
        assert_eq!((code, text(&status, &["details", "kind"])), (422, kind), "{status}");
    }
    let odd = HttpRequest::new("POST", &format!("{MAPS}?fieldManager=a%00b"))
        .body(r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}"#);
    let (code, status, _) = ask(&mut server, odd);
    assert_eq!(code, 422);
    assert!(text(&status, &["message"]).ends_with("should only contain printable characters"));
}

#[test]
fn a_watch_from_a_compacted_revision_ends_with_410() {
    let retention = etcd::Retention { entries: Some(16), ..Default::default() };
    let mut server = ApiServer::with_retention(1, retention);
    server.bootstrap(NOW);
    for i in 0..64 {
        make(&mut server, &format!("m{i}"), "x");
    }
    let stream = open(&mut server, &format!("{MAPS}?watch=1&resourceVersion=2"));
    let event = lines(&stream.first).remove(0);
    assert_eq!(text(&event, &["type"]), "ERROR");
    assert_eq!(event.at(&["object", "code"]), Some(&Json::Int(410)));
    assert_eq!(text(&event, &["object", "reason"]), "Expired");
}

#[test]
fn objects_are_shown_as_yaml_as_tables_and_as_metadata_only() {
    let mut server = server();
    make(&mut server, "a", "x");
    let path = format!("{MAPS}/a");
    let with = |accept: &str| HttpRequest::new("GET", &path).header("Accept", accept);
    let (_, _, yaml) = ask(&mut server, with("application/yaml"));
    assert!(String::from_utf8_lossy(&yaml.body).contains("kind: ConfigMap\n"));
    let (_, table, _) =
        ask(&mut server, with("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"));
    assert_eq!(text(&table, &["kind"]), "Table");
    let row = &table.get("rows").expect("rows").items()[0];
    assert_eq!(row.get("cells").expect("cells").to_string(), r#"["a",0,"0s"]"#);
    assert_eq!(text(row, &["object", "kind"]), "PartialObjectMetadata");
    let (_, meta, _) =
        ask(&mut server, with("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"));
    assert_eq!(text(&meta, &["kind"]), "PartialObjectMetadata");
    let (code, _, _) = ask(&mut server, with("application/xml"));
    assert_eq!(code, 406);
    let body = HttpRequest::new("POST", MAPS).header("Content-Type", "text/plain").body("x");
    assert_eq!(ask(&mut server, body).0, 415);
}

#[test]
fn objects_and_lists_say_the_same_written_at_once_and_from_a_tree() {
    let mut server = server();
    make(&mut server, "a", "1");
    make(&mut server, "b", "2");
    for path in [MAPS, &format!("{MAPS}/a"), "/api/v1/namespaces", "/api/v1/services"] {
        let (_, mut at_once) = get(&mut server, path);
        let (_, mut tree) = get(&mut server, &format!("{path}?pretty=true"));
        for name in ["kind", "apiVersion"] {
            assert_eq!(text(&at_once, &[name]), text(&tree, &[name]), "{path}");
            at_once.remove(name);
            tree.remove(name);
        }
        assert_eq!(at_once, tree, "{path}");
        let items = at_once.get("items").map_or(&[][..], Json::items);
        assert!(items.iter().all(|item| item.get("kind").is_none()), "{path}");
    }
}

#[test]
fn discovery_names_every_resource_once_in_both_forms() {
    let mut server = server();
    let (_, list) = get(&mut server, "/api/v1");
    let pods = list.get("resources").expect("resources").items().iter();
    let named: Vec<&str> =
        pods.map(|r| text(r, &["name"])).filter(|n| n.starts_with("pods")).collect();
    assert_eq!(
        named,
        [
            "pods",
            "pods/binding",
            "pods/ephemeralcontainers",
            "pods/eviction",
            "pods/log",
            "pods/resize",
            "pods/status"
        ]
    );
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let (_, groups, _) =
        ask(&mut server, HttpRequest::new("GET", "/apis").header("Accept", accept));
    assert_eq!(text(&groups, &["kind"]), "APIGroupDiscoveryList");
    let (_, plain) = get(&mut server, "/apis");
    assert_eq!(
        groups.get("items").expect("items").items().len(),
        plain.get("groups").expect("groups").items().len()
    );
    let (_, version) = get(&mut server, "/version");
    assert_eq!(text(&version, &["gitVersion"]), "v1.36.2");
}

#[test]
fn openapi_describes_the_kinds_of_a_group() {
    let mut server = server();
    let (_, index) = get(&mut server, "/openapi/v3");
    let path = text(&index, &["paths", "apis/apps/v1", "serverRelativeURL"]).to_string();
    let (code, document) = get(&mut server, &path);
    assert_eq!(code, 200);
    let spec = ["components", "schemas", "io.k8s.api.apps.v1.DeploymentSpec", "properties"];
    let replicas = document.at(&spec).and_then(|p| p.get("replicas")).expect("replicas");
    assert_eq!((text(replicas, &["type"]), text(replicas, &["format"])), ("integer", "int32"));
}

#[test]
fn health_is_told_at_once_and_check_by_check() {
    let mut server = server();
    let body = |server: &mut ApiServer, path: &str| {
        let (code, _, response) = ask(server, HttpRequest::new("GET", path));
        (code, String::from_utf8_lossy(&response.body).into_owned())
    };
    assert_eq!(body(&mut server, "/healthz"), (200, "ok".into()));
    assert_eq!(body(&mut server, "/livez/ping"), (200, "ok".into()));
    let (_, text) = body(&mut server, "/readyz?verbose");
    assert!(text.starts_with("[+]ping ok\n") && text.ends_with("readyz check passed\n"), "{text}");
}

#[test]
fn an_autoscaler_is_one_object_in_two_versions() {
    let mut server = server();
    let body = r#"{"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler","metadata":{"name":"a"},
        "spec":{"maxReplicas":3,"targetCPUUtilizationPercentage":60,
        "scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"}}}"#;
    let path = |version: &str| {
        format!("/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers")
    };
    let (code, made, _) = ask(&mut server, HttpRequest::new("POST", &path("v1")).body(body));
    assert_eq!((code, text(&made, &["apiVersion"])), (201, "autoscaling/v1"));
    let (_, shown) = get(&mut server, &format!("{}/a", path("v2")));
    let metric = &shown.at(&["spec", "metrics"]).expect("metrics").items()[0];
    assert_eq!(metric.at(&["resource", "target", "averageUtilization"]), Some(&Json::Int(60)));
    assert_eq!(text(&shown, &["metadata", "uid"]), text(&made, &["metadata", "uid"]));
}

#[test]
fn a_quota_counts_and_refuses() {
    let mut server = server();
    let quota = r#"{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q"},"spec":{"hard":{"configmaps":"1"}}}"#;
    let path = "/api/v1/namespaces/default/resourcequotas";
    assert_eq!(ask(&mut server, HttpRequest::new("POST", path).body(quota)).0, 201);
    let status = HttpRequest::new("PATCH", &format!("{path}/q/status"))
        .header("Content-Type", "application/merge-patch+json")
        .body(r#"{"status":{"hard":{"configmaps":"1"},"used":{"configmaps":"0"}}}"#);
    assert_eq!(ask(&mut server, status).0, 200);
    make(&mut server, "a", "x");
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}"#;
    let (code, json, _) = ask(&mut server, HttpRequest::new("POST", MAPS).body(body));
    assert_eq!(code, 403);
    assert_eq!(
        text(&json, &["message"]),
        "configmaps \"b\" is forbidden: exceeded quota: q, requested: configmaps=1, used: \
         configmaps=1, limited: configmaps=1"
    );
}

/// Evicts a pod of a budget with this policy and status; the answer's code, and the pod's condition if it is still there.
fn check_eviction(policy: &str, ready: &str, counts: (i32, i32, i32), expect: u16) -> String {
    let mut server = server();
    let space = "/api/v1/namespaces/default";
    let mut send = |method: &str, path: &str, body: &str| {
        let request = HttpRequest::new(method, path)
            .header("Content-Type", if method == "PATCH" { PATCH } else { "application/json" });
        let (code, json, _) = ask(&mut server, request.body(body));
        (code, json)
    };
    const PATCH: &str = "application/merge-patch+json";
    let account = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}"#;
    send("POST", &format!("{space}/serviceaccounts"), account);
    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","labels":{"a":"b"}},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}}"#;
    assert_eq!(send("POST", &format!("{space}/pods"), pod).0, 201);
    let status = format!(
        r#"{{"status":{{"phase":"Running","conditions":[{{"type":"Ready","status":"{ready}"}}]}}}}"#
    );
    assert_eq!(send("PATCH", &format!("{space}/pods/p/status"), &status).0, 200);
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let budget = format!(
        r#"{{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{{"name":"b"}},"spec":{{"minAvailable":1,
        "unhealthyPodEvictionPolicy":"{policy}","selector":{{"matchLabels":{{"a":"b"}}}}}}}}"#
    );
    assert_eq!(send("POST", budgets, &budget).0, 201);
    let (healthy, desired, allowed) = counts;
    let status = format!(
        r#"{{"status":{{"observedGeneration":1,"currentHealthy":{healthy},"desiredHealthy":{desired},
        "expectedPods":1,"disruptionsAllowed":{allowed}}}}}"#
    );
    assert_eq!(send("PATCH", &format!("{budgets}/b/status"), &status).0, 200);
    let evict = r#"{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}}"#;
    let (code, json) = send("POST", &format!("{space}/pods/p/eviction"), evict);
    assert_eq!(code, expect, "{policy} {ready} {counts:?}: {json}");
    let (_, pod) = send("GET", &format!("{space}/pods/p"), "");
    let conditions = pod.at(&["status", "conditions"]).map(api::Json::items).unwrap_or_default();
    let target = conditions.iter().find(|known| text(known, &["type"]) == "DisruptionTarget");
    target.map(|known| text(known, &["reason"]).to_string()).unwrap_or_default()
}

#[test]
fn a_budget_lets_as_many_pods_go_as_it_allows() {
    assert_eq!(check_eviction("IfHealthyBudget", "True", (2, 1, 1), 201), "EvictionByEvictionAPI");
    assert_eq!(check_eviction("IfHealthyBudget", "True", (1, 1, 0), 429), "");
}

#[test]
fn pods_that_are_not_ready_go_if_the_others_are_or_always() {
    check_eviction("IfHealthyBudget", "False", (1, 1, 0), 201);
    check_eviction("IfHealthyBudget", "False", (0, 1, 0), 429);
    check_eviction("AlwaysAllow", "False", (0, 1, 0), 201);
    check_eviction("AlwaysAllow", "True", (0, 1, 0), 429);
}

#[test]
fn an_eviction_waits_for_the_budget() {
    let mut server = server();
    let space = "/api/v1/namespaces/default";
    let post = |server: &mut ApiServer, path: &str, body: &str| {
        let (code, json, _) = ask(server, HttpRequest::new("POST", path).body(body));
        (code, json)
    };
    let account = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}"#;
    post(&mut server, &format!("{space}/serviceaccounts"), account);
    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","labels":{"a":"b"}},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}}"#;
    assert_eq!(post(&mut server, &format!("{space}/pods"), pod).0, 201);
    let status = HttpRequest::new("PATCH", &format!("{space}/pods/p/status"))
        .header("Content-Type", "application/merge-patch+json")
        .body(r#"{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}"#);
    assert_eq!(ask(&mut server, status).0, 200);
    let budget = r#"{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"b"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"a":"b"}}}}"#;
    post(&mut server, "/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget);
    let seen = HttpRequest::new(
        "PATCH",
        "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b/status",
    )
    .header("Content-Type", "application/merge-patch+json")
    .body(r#"{"status":{"observedGeneration":1,"currentHealthy":1,"desiredHealthy":1,"expectedPods":1}}"#);
    assert_eq!(ask(&mut server, seen).0, 200);
    let evict = r#"{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}}"#;
    let (code, json) = post(&mut server, &format!("{space}/pods/p/eviction"), evict);
    assert_eq!(code, 429, "{json}");
    assert_eq!(
        text(&json, &["message"]),
        "Cannot evict pod as it would violate the pod's disruption budget."
    );
    let budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b";
    assert_eq!(ask(&mut server, HttpRequest::new("DELETE", budget)).0, 200);
    assert_eq!(post(&mut server, &format!("{space}/pods/p/eviction"), evict).0, 201);
    let (_, pod, _) = ask(&mut server, HttpRequest::new("GET", &format!("{space}/pods/p")));
    let pod = pod.to_string();
    assert!(pod.contains("deletionTimestamp") && pod.contains("EvictionByEvictionAPI"), "{pod}");
}

fn as_user(path: &str, user: &str) -> HttpRequest {
    HttpRequest::new("GET", path).header("Impersonate-User", user)
}

#[test]
fn who_has_no_role_is_forbidden_and_who_gets_one_is_not() {
    let mut server = server();
    let (code, json, _) = ask(&mut server, as_user("/api/v1/namespaces/default/pods", "bob"));
    assert_eq!(code, 403);
    assert_eq!(
        text(&json, &["message"]),
        "pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" in the \
         namespace \"default\""
    );
    assert_eq!(ask(&mut server, as_user("/api", "bob")).0, 200);
    assert_eq!(ask(&mut server, as_user("/metrics", "bob")).0, 403);
    let binding = r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding",
        "metadata":{"name":"b"},"subjects":[{"kind":"User","name":"bob","apiGroup":"rbac.authorization.k8s.io"}],
        "roleRef":{"kind":"ClusterRole","name":"view","apiGroup":"rbac.authorization.k8s.io"}}"#;
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    assert_eq!(ask(&mut server, HttpRequest::new("POST", path).body(binding)).0, 201);
    assert_eq!(ask(&mut server, as_user("/api/v1/namespaces/default/pods", "bob")).0, 200);
    assert_eq!(ask(&mut server, as_user("/api/v1/namespaces/kube-system/pods", "bob")).0, 403);
    let review = r#"{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview",
        "spec":{"resourceAttributes":{"namespace":"default","verb":"get","resource":"pods"}}}"#;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let request = HttpRequest::new("POST", path).header("Impersonate-User", "bob").body(review);
    let (_, answer, _) = ask(&mut server, request);
    assert_eq!(answer.at(&["status", "allowed"]), Some(&Json::Bool(true)));
    assert_eq!(
        text(&answer, &["status", "reason"]),
        "RBAC: allowed by RoleBinding \"b/default\" of ClusterRole \"view\" to User \"bob\""
    );
}

#[test]
fn a_token_of_a_service_account_is_that_account() {
    let mut server = server();
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"robot"}}"#;
    assert_eq!(ask(&mut server, HttpRequest::new("POST", accounts).body(account)).0, 201);
    let wanted = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}"#;
    let path = format!("{accounts}/robot/token");
    let (code, made, _) = ask(&mut server, HttpRequest::new("POST", &path).body(wanted));
    assert_eq!(code, 201, "{made}");
    let token = format!("Bearer {}", text(&made, &["status", "token"]));
    let me = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let request = HttpRequest::new("POST", path).header("Authorization", &token).body(me);
    let (code, answer, _) = ask(&mut server, request);
    assert_eq!(code, 201, "{answer}");
    let name = text(&answer, &["status", "userInfo", "username"]);
    assert_eq!(name, "system:serviceaccount:default:robot");
    let request = HttpRequest::new("GET", MAPS).header("Authorization", &token);
    assert_eq!(ask(&mut server, request).0, 403);
}

#[test]
fn repeated_keys_of_yaml_are_told_with_their_lines() {
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: one\n  x: two\n";
    let check = |method: &str, path: &str, kind: &str, message: &str| {
        let request = HttpRequest::new(method, path).header("Content-Type", kind).body(yaml);
        let (code, json, _) = ask(&mut server(), request);
        assert_eq!((code, text(&json, &["message"])), (400, message));
    };
    check(
        "POST",
        &format!("{MAPS}?fieldValidation=Strict"),
        "application/yaml",
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: \
         yaml: unmarshal errors:\n  line 7: key \"x\" already set in map",
    );
    check(
        "PATCH",
        &format!("{MAPS}/a?fieldValidation=Strict&fieldManager=me"),
        "application/apply-patch+yaml",
        "error strict decoding YAML: error converting YAML to JSON: \
         yaml: unmarshal errors:\n  line 7: key \"x\" already set in map",
    );
}

#[test]
fn documents_that_have_not_changed_are_not_sent_again() {
    let mut server = server();
    let (code, _, response) = ask(&mut server, HttpRequest::new("GET", "/openapi/v3"));
    let tag = response.headers.iter().find(|(name, _)| name == "Etag").expect("a tag").1.clone();
    assert_eq!(code, 200);
    let again = HttpRequest::new("GET", "/openapi/v3").header("If-None-Match", &tag);
    let (code, _, response) = ask(&mut server, again);
    assert_eq!((code, response.body.len()), (304, 0));
}

#[test]
fn reviews_have_no_table() {
    let review = r#"{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview",
        "spec":{"nonResourceAttributes":{"path":"/","verb":"get"}}}"#;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let check = |accept: &str, expected: u16| {
        let request = HttpRequest::new("POST", path).header("Accept", accept).body(review);
        assert_eq!(ask(&mut server(), request).0, expected, "{accept}");
    };
    check("application/json", 201);
    check("application/json;as=Table;v=v1;g=meta.k8s.io", 406);
}

#[test]
fn events_are_selected_by_the_words_of_their_version() {
    let mut server = server();
    let event = r#"{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"e"},
        "eventTime":"2026-01-01T00:00:00.000000Z","action":"Do","reason":"Test","type":"Normal",
        "reportingController":"c","reportingInstance":"i","regarding":{"kind":"Pod","name":"p","namespace":"default"}}"#;
    let new = "/apis/events.k8s.io/v1/namespaces/default/events";
    let (code, json, _) = ask(&mut server, HttpRequest::new("POST", new).body(event));
    assert_eq!(code, 201, "{json}");
    let mut check = |path: &str, selector: &str, expected: &[&str]| {
        let (_, list) = get(&mut server, &format!("{path}?fieldSelector={selector}"));
        assert_eq!(names(&list), expected, "{path} {selector}");
    };
    let old = "/api/v1/namespaces/default/events";
    check(new, "reportingController%3Dc,regarding.kind%3DPod", &["e"]);
    check(new, "reportingController%3Dother", &[]);
    check(old, "reportingComponent%3Dc,involvedObject.name%3Dp", &["e"]);
}

#[test]
fn a_strategic_patch_that_does_not_fit_is_shown_and_not_the_object() {
    let mut server = server();
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let body = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{
        "selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},
        "spec":{"containers":[{"name":"c","image":"i"}]}}}}"#;
    assert_eq!(ask(&mut server, HttpRequest::new("POST", path).body(body)).0, 201);
    let mut check = |patch: &str, shown: &str, why: &str| {
        let request = HttpRequest::new("PATCH", &format!("{path}/d?fieldValidation=Strict"))
            .header("Content-Type", "application/strategic-merge-patch+json")
            .body(patch);
        let (code, json, _) = ask(&mut server, request);
        let told = format!(" \"\" is invalid: patch: Invalid value: {shown:?}: {why}");
        assert_eq!((code, text(&json, &["message"])), (422, &*told));
        let cause = &json.at(&["details", "causes"]).expect("causes").items()[0];
        assert_eq!(text(cause, &["field"]), "patch");
    };
    let replicas = |value: &str| format!(r#"{{"spec":{{"replicas":{value}}}}}"#);
    check(&replicas(r#""x""#), "map[spec:map[replicas:x]]", "unrecognized type: int32");
    check(&replicas("1.5"), "map[spec:map[replicas:1.5]]", "cannot convert float64 to int32");
    check(&replicas("true"), "map[spec:map[replicas:true]]", "unrecognized type: int32");
    check(
        r#"{"metadata":{"labels":{"a":1}}}"#,
        "map[metadata:map[labels:map[a:1]]]",
        "cannot convert int64 to string",
    );
    check(
        r#"{"spec":{"template":{"spec":{"restartPolicy":1}}}}"#,
        "map[spec:map[template:map[spec:map[restartPolicy:1]]]]",
        "cannot convert int64 to v1.RestartPolicy",
    );
    check(
        r#"{"spec":{"selector":"a"}}"#,
        "map[spec:map[selector:a]]",
        "cannot restore struct from: string",
    );
    check(
        r#"{"spec":{"b":1,"a":2}}"#,
        "map[spec:map[a:2 b:1]]",
        "strict decoding error: unknown field \"spec.a\", unknown field \"spec.b\"",
    );
    check(
        r#"{"spec":{"strategy":{"rollingUpdate":{"maxSurge":true}}}}"#,
        "map[spec:map[strategy:map[rollingUpdate:map[maxSurge:true]]]]",
        "json: cannot unmarshal bool into Go value of type int32",
    );
}

#[test]
fn the_parts_of_the_control_plane_are_asked_at_every_read() {
    let mut server = server();
    let path = "/api/v1/componentstatuses";
    let told = |server: &mut ApiServer| {
        let (code, list) = get(server, path);
        assert_eq!((code, text(&list, &["kind"])), (200, "ComponentStatusList"));
        assert_eq!(list.get("metadata"), Some(&Json::object()), "nothing is stored");
        let items = list.get("items").expect("items").items().iter();
        let told = items.map(|item| {
            let condition = &item.get("conditions").expect("conditions").items()[0];
            assert_eq!(text(condition, &["type"]), "Healthy");
            let name = text(item, &["metadata", "name"]);
            format!("{name} {} {}", text(condition, &["status"]), text(condition, &["message"]))
        });
        told.collect::<Vec<_>>()
    };
    let dead = |name: &str, port: u16| {
        format!(
            "{name} False Get \"https://127.0.0.1:{port}/healthz\": dial tcp 127.0.0.1:{port}: \
             connect: connection refused"
        )
    };
    let (manager, scheduler) = (dead("controller-manager", 10257), dead("scheduler", 10259));
    assert_eq!(told(&mut server), [manager, "etcd-0 True ok".into(), scheduler.clone()]);
    server.set_answering(apiserver::Probed::ControllerManager, true);
    let manager = "controller-manager True ok".into();
    assert_eq!(told(&mut server), [manager, "etcd-0 True ok".into(), scheduler]);
    let (code, one) = get(&mut server, &format!("{path}/etcd-0"));
    assert_eq!((code, text(&one, &["metadata", "name"])), (200, "etcd-0"));
    let (_, some) = get(&mut server, &format!("{path}?fieldSelector=metadata.name%3Dscheduler"));
    assert_eq!(names(&some), ["scheduler"]);
    let (code, none) = get(&mut server, &format!("{path}/kubelet"));
    assert_eq!((code, text(&none, &["message"])), (500, "Component not found: kubelet"));
}

/// An event through `events.k8s.io`, with fields of its own before the others.
fn event(fields: &str) -> String {
    format!(
        r#"{{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{{"name":"e","namespace":"default"}},
        "eventTime":"2026-01-01T00:00:00.000000Z",{fields}"action":"Do","reason":"Test","type":"Normal",
        "reportingController":"c","reportingInstance":"i",
        "regarding":{{"kind":"Pod","name":"p","namespace":"default"}}}}"#
    )
}

const NEW_EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";
const OLD_EVENTS: &str = "/api/v1/namespaces/default/events";

#[test]
fn events_of_their_own_group_say_who_reports_what_and_leave_old_fields_alone() {
    let check = |from: &str, to: &str, expected: &str| {
        let body = event("").replace(from, to);
        let (code, json, _) = ask(&mut server(), HttpRequest::new("POST", NEW_EVENTS).body(body));
        assert_eq!(code, 422, "{json}");
        assert_eq!(text(&json, &["message"]), format!("Event \"e\" is invalid: {expected}"));
    };
    check("\"eventTime\":\"2026-01-01T00:00:00.000000Z\",", "", "eventTime: Required value");
    check("\"Do\"", "\"\"", "action: Required value");
    check("\"Normal\"", "\"Odd\"", "type: Invalid value: \"\": has invalid value: Odd");
    let unset = "count: Invalid value: \"\": needs to be unset";
    check("\"action\"", "\"deprecatedCount\":1,\"action\"", unset);
    let series =
        "\"series\":{\"count\":1,\"lastObservedTime\":\"2026-01-01T00:00:00.000000Z\"},\"action\"";
    check("\"action\"", series, "series.count: Invalid value: \"\": should be at least 2");
    let long = format!("\"{}\"", "x".repeat(129));
    check("\"Test\"", &long, "reason: Invalid value: \"\": can have at most 128 characters");
}

#[test]
fn of_an_event_only_the_series_changes_in_its_own_group_and_everything_in_the_core_group() {
    let mut server = server();
    let (code, json, _) = ask(&mut server, HttpRequest::new("POST", NEW_EVENTS).body(event("")));
    assert_eq!(code, 201, "{json}");
    let mut put = |fields: &str, from: &str, to: &str| {
        let body = event(fields).replace(from, to);
        ask(&mut server, HttpRequest::new("PUT", &format!("{NEW_EVENTS}/e")).body(body))
    };
    let (code, json, _) = put("", "\"Test\"", "\"Other\"");
    let told = "Event \"e\" is invalid: reason: Invalid value: \"Other\": field is immutable";
    assert_eq!((code, text(&json, &["message"])), (422, told));
    let (code, json, _) = put("\"note\":\"new\",", "", "");
    let told = "Event \"e\" is invalid: message: Invalid value: \"new\": field is immutable";
    assert_eq!((code, text(&json, &["message"])), (422, told));
    let (code, json, _) = put("\"series\":{\"count\":2},", "", "");
    let told = "Event \"e\" is invalid: series.lastObservedTime: Required value";
    assert_eq!((code, text(&json, &["message"])), (422, told));
    let series = "\"series\":{\"count\":2,\"lastObservedTime\":\"2026-01-01T00:00:01.000000Z\"},";
    assert_eq!(put(series, "", "").0, 200);
    let patch = |body: &str| {
        HttpRequest::new("PATCH", &format!("{OLD_EVENTS}/e"))
            .header("Content-Type", "application/merge-patch+json")
            .body(body)
    };
    let (code, json, _) = ask(&mut server, patch(r#"{"reason":"Other","message":"new"}"#));
    assert_eq!((code, text(&json, &["reason"])), (200, "Other"));
    let (code, json, _) = ask(&mut server, patch(r#"{"reportingComponent":""}"#));
    assert_eq!(code, 422, "{json}");
    assert!(text(&json, &["message"]).contains("reportingComponent: Required value"), "{json}");
}

#[test]
fn an_event_lies_where_its_object_does() {
    let check = |about: &str, time: &str, code: u16| {
        let body = format!(
            r#"{{"apiVersion":"v1","kind":"Event","metadata":{{"name":"e"}},{time}"reason":"R",
            "action":"A","reportingComponent":"c","reportingInstance":"i",
            "involvedObject":{{"kind":"Pod","name":"p","namespace":"{about}"}}}}"#
        );
        let path = "/api/v1/namespaces/kube-system/events";
        let (found, json, _) = ask(&mut server(), HttpRequest::new("POST", path).body(body));
        assert_eq!(found, code, "{json}");
    };
    let time = "\"eventTime\":\"2026-01-01T00:00:00.000000Z\",";
    check("kube-system", "", 201);
    check("", "", 422);
    check("default", "", 422);
    check("", time, 201);
    check("default", time, 201);
}

#[test]
fn a_page_whose_revision_is_gone_goes_on_where_it_stopped() {
    let mut server = server();
    for name in ["a", "b", "c", "d"] {
        make(&mut server, name, "x");
    }
    let (_, page) = get(&mut server, &format!("{MAPS}?limit=2"));
    let token = text(&page, &["metadata", "continue"]).to_string();
    // History is kept for five to ten minutes.
    for minutes in [5, 10] {
        make(&mut server, &format!("later-{minutes}"), "x");
        server.tick(NOW + base::Duration::mins(minutes));
    }
    let (code, expired) = get(&mut server, &format!("{MAPS}?limit=2&continue={token}"));
    assert_eq!((code, text(&expired, &["reason"])), (410, "Expired"));
    let token = text(&expired, &["metadata", "continue"]).to_string();
    let (code, rest) = get(&mut server, &format!("{MAPS}?limit=9&continue={token}"));
    assert_eq!(
        (code, names(&rest)),
        (200, ["c", "d", "later-10", "later-5"].map(String::from).into())
    );
}

#[test]
fn a_review_asks_one_thing_of_one_subject() {
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let check = |meta: &str, spec: &str, expected: &str| {
        let review = format!(
            r#"{{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","metadata":{meta},"spec":{spec}}}"#
        );
        let (_, json, _) = ask(&mut server(), HttpRequest::new("POST", path).body(review));
        let message = text(&json, &["message"]);
        let start = "SubjectAccessReview.authorization.k8s.io \"\" is invalid: ";
        assert_eq!(message.strip_prefix(start).unwrap_or(message), expected);
    };
    let asked = r#"{"user":"u","resourceAttributes":{"verb":"get"}}"#;
    check("{}", asked, "");
    check(
        "{}",
        "{}",
        "[spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or \
         resourceAttributes must be specified, spec.user: Invalid value: \"\": at least one of \
         user or group must be specified]",
    );
    let labelled = r#"{"labels":{"a":"b"}}"#;
    check(labelled, asked, r#"metadata: Invalid value: {"labels":{"a":"b"}}: must be empty"#);
}

#[test]
fn a_configuration_that_does_not_fit_the_schema_is_not_applied() {
    let mut server = server();
    let mut refused = |body: &str| {
        let path = "/api/v1/namespaces/default/pods/p?fieldManager=me";
        let request = HttpRequest::new("PATCH", path)
            .header("Content-Type", "application/apply-patch+yaml")
            .body(format!("{{\"apiVersion\":\"v1\",{body}}}"));
        let (code, status, _) = ask(&mut server, request);
        (code, text(&status, &["message"]).to_string())
    };
    let pod = |container: &str| {
        format!(r#""kind":"Pod","spec":{{"containers":[{{"name":"c","image":"x",{container}}}]}}"#)
    };
    let untyped = |list: &str| {
        (500, format!("failed to create typed patch object (default/p; /v1, Kind=Pod): {list}"))
    };
    assert_eq!(
        refused(&pod(r#""env":[{"name":"A","value":"1"},{"name":"A","value":"2"}]"#)),
        untyped(r#".spec.containers[name="c"].env: duplicate entries for key [name="A"]"#)
    );
    assert_eq!(
        refused(&pod(r#""env":[{"name":"A","value":1}],"tty":"yes""#)),
        untyped(
            "errors:\n  .spec.containers[name=\"c\"].env[name=\"A\"].value: expected string, got \
             &value.valueUnstructured{Value:1}\n  .spec.containers[name=\"c\"].tty: expected boolean, got &{yes}"
        )
    );
    assert_eq!(
        refused(&pod(r#""ports":[{"containerPort":80},{"name":"x"}]"#)),
        untyped(
            ".spec.containers[name=\"c\"].ports: element 1: associative list with keys has an element that omits \
             key field \"containerPort\" (and doesn't have default value)"
        )
    );
    assert_eq!(
        refused(r#""kind":"Pod","spec":{"activeDeadlineSeconds":"3"}"#),
        untyped(".spec.activeDeadlineSeconds: expected numeric (int or float), got string")
    );
    assert_eq!(
        refused(r#""kind":"Secret""#),
        (400, "invalid object type: /v1, Kind=Secret".to_string())
    );
}

#[test]
fn an_autoscaler_that_is_written_back_through_v1_keeps_what_v1_has_no_fields_for() {
    const SPEC: &str = r#"{"scaleTargetRef":{"kind":"Deployment","name":"web","apiVersion":"apps/v1"},"minReplicas":1,
        "maxReplicas":9,"metrics":[
        {"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":50}}},
        {"type":"Pods","pods":{"metric":{"name":"rps"},"target":{"type":"AverageValue","averageValue":"10"}}},
        {"type":"Object","object":{"describedObject":{"kind":"Service","name":"s","apiVersion":"v1"},
            "metric":{"name":"hits"},"target":{"type":"AverageValue","averageValue":"3"}}},
        {"type":"External","external":{"metric":{"name":"queue","selector":{"matchLabels":{"a":"b"}}},
            "target":{"type":"Value","value":"30"}}}],
        "behavior":{"scaleDown":{"policies":[{"type":"Pods","value":2,"periodSeconds":60}]}}}"#;
    let mut server = server();
    let of = |version: &str| {
        format!("/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers")
    };
    let body = format!(
        r#"{{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{{"name":"h"}},"spec":{SPEC}}}"#
    );
    let (code, made, _) = ask(&mut server, HttpRequest::new("POST", &of("v2")).body(body));
    assert_eq!(code, 201, "{made}");
    let (_, shown) = get(&mut server, &format!("{}/h", of("v1")));
    let note = |what: &str| {
        let key = format!("autoscaling.alpha.kubernetes.io/{what}");
        text(&shown, &["metadata", "annotations", &key]).to_string()
    };
    assert_eq!(shown.at(&["spec", "targetCPUUtilizationPercentage"]), Some(&Json::Int(50)));
    assert_eq!(
        note("metrics"),
        r#"[{"type":"Pods","pods":{"metricName":"rps","targetAverageValue":"10"}},{"type":"Object","object":{"target":{"kind":"Service","name":"s","apiVersion":"v1"},"metricName":"hits","targetValue":"0","averageValue":"3"}},{"type":"External","external":{"metricName":"queue","metricSelector":{"matchLabels":{"a":"b"}},"targetValue":"30"}}]"#
    );
    assert!(
        note("behavior").contains(r#""Policies":[{"Type":"Pods","Value":2,"PeriodSeconds":60}]"#)
    );
    let put = HttpRequest::new("PUT", &format!("{}/h", of("v1"))).body(shown.to_string());
    let (code, answer, _) = ask(&mut server, put);
    assert_eq!(code, 200, "{answer}");
    let (_, after) = get(&mut server, &format!("{}/h", of("v2")));
    assert!(after.at(&["metadata", "annotations"]).is_none(), "{after}");
    for part in ["behavior", "minReplicas", "maxReplicas", "scaleTargetRef"] {
        assert_eq!(after.at(&["spec", part]), made.at(&["spec", part]), "{part}");
    }
    let kinds = |hpa: &Json| {
        let mut metrics: Vec<String> = hpa
            .at(&["spec", "metrics"])
            .expect("metrics")
            .items()
            .iter()
            .map(Json::to_string)
            .collect();
        metrics.sort();
        metrics
    };
    assert_eq!(kinds(&after), kinds(&made));
}

#[test]
fn a_refused_change_of_a_service_gives_no_port_back() {
    let mut server = server();
    const SERVICES: &str = "/api/v1/namespaces/default/services";
    let service = |name: &str, port: u16, protocol: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"{name}"}},"spec":{{"type":"NodePort","ports":[{{"port":80,"nodePort":{port},"protocol":"{protocol}"}}]}}}}"#
        )
    };
    let mut write = |method: &str, path: &str, body: String| {
        let (code, json, _) = ask(&mut server, HttpRequest::new(method, path).body(body));
        (code, json)
    };
    let (code, made) = write("POST", SERVICES, service("a", 30_100, "TCP"));
    assert_eq!(code, 201, "{made}");
    let (code, _) = write("PUT", &format!("{SERVICES}/a"), service("a", 30_101, "nonsense"));
    assert_eq!(code, 422);
    let (code, other) = write("POST", SERVICES, service("b", 30_100, "TCP"));
    assert_eq!(code, 422, "{other}");
    assert!(text(&other, &["message"]).contains("provided port is already allocated"), "{other}");
    assert_eq!(write("POST", SERVICES, service("c", 30_101, "TCP")).0, 201);
    // Nor does a new one that may not have the port at all.
    let inside = service("d", 30_100, "TCP").replace("NodePort\"", "ClusterIP\"");
    assert_eq!(write("POST", SERVICES, inside).0, 422);
    assert_eq!(write("POST", SERVICES, service("e", 30_100, "TCP")).0, 422);
}
