//! Every verb on every kind of `resource.k8s.io`, as the conformance suite goes through them.

use api::Json;
use apiserver::ApiServer;
use apiserver::http::{HttpAnswer, HttpRequest, Stream};
use base::Instant;

const NOW: Instant = Instant::START;
const GROUP: &str = "/apis/resource.k8s.io/v1";
const APPLY: &str = "application/apply-patch+yaml";
const PATCHES: [&str; 4] = [
    "application/strategic-merge-patch+json",
    "application/merge-patch+json",
    "application/json-patch+json",
    APPLY,
];

/// What is done with one kind.
struct Case {
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
    spec: &'static str,
    /// What an update changes: a path, and the value that is set there.
    change: (&'static str, &'static str),
    /// The status that is set, if the kind has one.
    status: Option<&'static str>,
}

const CASES: [Case; 4] = [
    Case {
        kind: "DeviceClass",
        plural: "deviceclasses",
        namespaced: false,
        spec: "{}",
        change: ("/spec/selectors", r#"[{"cel": {"expression": "true"}}]"#),
        status: None,
    },
    Case {
        kind: "ResourceClaim",
        plural: "resourceclaims",
        namespaced: true,
        spec: r#"{"devices": {"requests": [{"name": "gpu",
            "exactly": {"deviceClassName": "gpu.example.com"}}]}}"#,
        change: ("/metadata/annotations", r#"{"changed": "yes"}"#),
        status: Some(
            r#"{"allocation": {"devices": {"results": [{"request": "gpu",
            "driver": "driver.example.com", "pool": "node-1", "device": "gpu-0"}]}},
            "reservedFor": [{"resource": "pods", "name": "p", "uid": "1"}]}"#,
        ),
    },
    Case {
        kind: "ResourceClaimTemplate",
        plural: "resourceclaimtemplates",
        namespaced: true,
        spec: r#"{"spec": {"devices": {"requests": [{"name": "gpu",
            "exactly": {"deviceClassName": "gpu.example.com"}}]}}}"#,
        change: ("/metadata/annotations", r#"{"changed": "yes"}"#),
        status: None,
    },
    Case {
        kind: "ResourceSlice",
        plural: "resourceslices",
        namespaced: false,
        spec: r#"{"driver": "driver.example.com", "nodeName": "node-1", "pool": {"name": "node-1",
            "generation": 1, "resourceSliceCount": 1}, "devices": [{"name": "gpu-0"}]}"#,
        change: ("/spec/devices", r#"[{"name": "gpu-0"}, {"name": "gpu-1"}]"#),
        status: None,
    },
];

impl Case {
    fn path(&self) -> String {
        match self.namespaced {
            true => format!("{GROUP}/namespaces/default/{}", self.plural),
            false => format!("{GROUP}/{}", self.plural),
        }
    }

    fn head(&self) -> Json {
        let kind = self.kind;
        parse(&format!(
            r#"{{"apiVersion": "resource.k8s.io/v1", "kind": "{kind}", "metadata": {{"name": "a",
            "labels": {{"suite": "devices"}}}}}}"#
        ))
    }

    fn object(&self) -> Json {
        let mut object = self.head();
        object.set("spec", parse(self.spec));
        object
    }

    fn changed(&self, mut object: Json) -> Json {
        let mut words = self.change.0.trim_start_matches('/').split('/');
        let (part, field) = (words.next().expect("a part"), words.next().expect("a field"));
        object.entry(part).set(field, parse(self.change.1));
        object
    }

    /// The body of a patch that sets `path`, in the words of a media type.
    fn patch(&self, media: &str, path: &str, value: &str) -> Json {
        if media == "application/json-patch+json" {
            let mut step = parse(r#"{"op": "add"}"#);
            step.set("path", path);
            step.set("value", parse(value));
            return Json::Array(vec![step]);
        }
        let mut words = path.trim_start_matches('/').split('/');
        let (part, field) = (words.next().expect("a part"), words.next());
        let mut body = if media == APPLY { self.head() } else { Json::object() };
        if media == APPLY && part == "spec" {
            body.set("spec", parse(self.spec));
        }
        match field {
            Some(field) => body.entry(part).set(field, parse(value)),
            None => body.set(part, parse(value)),
        }
        body
    }
}

struct Client {
    server: ApiServer,
    watch: Stream,
    case: &'static Case,
}

impl Client {
    fn new(case: &'static Case) -> Client {
        let mut server = ApiServer::new(1);
        server.bootstrap(NOW);
        let path = format!("{}?watch=true&labelSelector=suite%3Ddevices", case.path());
        match server.http(NOW, &HttpRequest::new("GET", &path)) {
            HttpAnswer::Watch(watch) => Client { server, watch, case },
            other => panic!("{other:?}"),
        }
    }

    /// The answer to a request below the kind's path, which must have this code.
    fn ask(&mut self, method: &str, below: &str, body: Option<&Json>, code: u16) -> Json {
        self.send(method, below, "application/json", body, code)
    }

    fn send(
        &mut self,
        method: &str,
        below: &str,
        media: &str,
        body: Option<&Json>,
        code: u16,
    ) -> Json {
        let (path, query) = below.split_once('?').unwrap_or((below, ""));
        let mut request = HttpRequest::new(method, &format!("{}{path}", self.case.path()));
        request.query = query.into();
        request = request.header("Content-Type", media);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        match self.server.http(NOW, &request) {
            HttpAnswer::Response(response) => {
                let json = Json::parse(&response.body).expect("JSON");
                assert_eq!(
                    response.code, code,
                    "{} {method} {below} {media}: {json}",
                    self.case.kind
                );
                json
            }
            other => panic!("{other:?}"),
        }
    }

    /// The kinds of the events that the watch has seen since the last look.
    fn seen(&mut self) -> String {
        let events = self.server.take_events();
        let own = events.iter().filter(|(id, _)| *id == self.watch.id);
        own.map(|(_, event)| format!("{:?}", event.change)).collect::<Vec<_>>().join(" ")
    }

    fn create(&mut self) -> Json {
        let made = self.ask("POST", "?fieldValidation=Strict", Some(&self.case.object()), 201);
        assert_eq!(self.seen(), "Added");
        made
    }

    fn delete(&mut self) {
        let gone = self.ask("DELETE", "/a", None, 200);
        assert_eq!(text(&gone, &["kind"]), self.case.kind, "the object itself is answered: {gone}");
        assert_eq!(self.seen(), "Deleted");
        let missing = self.ask("GET", "/a", None, 404);
        let told = format!("{}.resource.k8s.io \"a\" not found", self.case.plural);
        assert_eq!(text(&missing, &["message"]), told);
    }
}

fn parse(text: &str) -> Json {
    Json::parse(text.as_bytes()).expect("JSON")
}

fn text<'a>(json: &'a Json, path: &[&str]) -> &'a str {
    json.at(path).and_then(Json::as_str).unwrap_or_default()
}

fn version(json: &Json) -> u64 {
    text(json, &["metadata", "resourceVersion"]).parse().expect("a revision")
}

/// All that `wanted` has, `found` has too.
fn covers(found: &Json, wanted: &Json) -> bool {
    match (found, wanted) {
        (Json::Object(_), Json::Object(fields)) => fields
            .iter()
            .all(|(key, wanted)| found.get(key).is_some_and(|found| covers(found, wanted))),
        (Json::Array(found), Json::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| covers(f, w))
        }
        (found, wanted) => found == wanted,
    }
}

fn check(found: &Json, wanted: &Json) {
    assert!(covers(found, wanted), "{found}\nlacks something of\n{wanted}");
}

#[test]
fn the_group_names_its_kinds_and_what_can_be_done_with_them() {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    let HttpAnswer::Response(response) = server.http(NOW, &HttpRequest::new("GET", GROUP)) else {
        panic!("no response");
    };
    let list = Json::parse(&response.body).expect("JSON");
    let resources = list.get("resources").expect("resources").items();
    let named = |name: &str| resources.iter().find(|entry| text(entry, &["name"]) == name);
    for case in &CASES {
        let entry = named(case.plural).expect(case.plural);
        assert_eq!(text(entry, &["kind"]), case.kind);
        assert_eq!(entry.get("namespaced").and_then(Json::as_bool), Some(case.namespaced));
        let verbs = entry.get("verbs").expect("verbs").to_string();
        let all = r#"["create","delete","deletecollection","get","list","patch","update","watch"]"#;
        assert_eq!(verbs, all);
        let status = named(&format!("{}/status", case.plural));
        assert_eq!(status.is_some(), case.status.is_some(), "{}", case.kind);
    }
}

#[test]
fn objects_are_made_read_listed_and_replaced() {
    for case in &CASES {
        let mut client = Client::new(case);
        let made = client.create();
        check(&made, &case.object());
        check(&client.ask("GET", "/a", None, 200), &case.object());
        let list = client.ask("GET", "?labelSelector=suite%3Ddevices", None, 200);
        assert_eq!(text(&list, &["kind"]), format!("{}List", case.kind));
        let item = &list.get("items").expect("items").items()[0];
        check(item.get("spec").expect("a spec"), &parse(case.spec));
        let updated = client.ask("PUT", "/a", Some(&case.changed(made.clone())), 200);
        check(&updated, &case.changed(case.object()));
        assert!(version(&updated) > version(&made));
        assert_eq!(client.seen(), "Modified");
        let stale = client.ask("PUT", "/a", Some(&made), 409);
        assert_eq!(text(&stale, &["reason"]), "Conflict");
        let again = client.ask("POST", "", Some(&case.object()), 409);
        assert_eq!(text(&again, &["reason"]), "AlreadyExists");
        client.delete();
    }
}

#[test]
fn each_type_of_patch_makes_the_same_of_an_object() {
    for case in &CASES {
        for media in PATCHES {
            let mut client = Client::new(case);
            let made = client.create();
            let (path, value) = case.change;
            let patch = case.patch(media, path, value);
            let query = if media == APPLY {
                "fieldManager=suite&force=true"
            } else {
                "fieldValidation=Strict"
            };
            let patched = client.send("PATCH", &format!("/a?{query}"), media, Some(&patch), 200);
            check(&patched, &case.changed(case.object()));
            assert!(version(&patched) > version(&made));
            assert_eq!(client.seen(), "Modified");
            client.delete();
        }
    }
}

#[test]
fn the_status_of_a_claim_is_written_by_itself_and_in_every_way() {
    for case in CASES.iter().filter(|case| case.status.is_some()) {
        let status = case.status.expect("it has one");
        for media in ["application/json"].into_iter().chain(PATCHES) {
            let mut client = Client::new(case);
            let mut object = client.create();
            assert!(object.at(&["status", "allocation"]).is_none());
            let written = if media == "application/json" {
                object.set("status", parse(status));
                object.entry("spec").set("devices", Json::object());
                client.send("PUT", "/a/status", media, Some(&object), 200)
            } else {
                let query = if media == APPLY { "?fieldManager=suite&force=true" } else { "" };
                let patch = case.patch(media, "/status", status);
                client.send("PATCH", &format!("/a/status{query}"), media, Some(&patch), 200)
            };
            let mut wanted = case.object();
            wanted.set("status", parse(status));
            check(&written, &wanted);
            assert_eq!(client.seen(), "Modified");
            check(&client.ask("GET", "/a/status", None, 200), &wanted);
            // Through the object itself the status stays.
            let mut plain = case.changed(case.object());
            plain.set("status", Json::object());
            check(&client.ask("PUT", "/a", Some(&plain), 200), &wanted);
            assert_eq!(client.seen(), "Modified");
            client.delete();
        }
    }
}

#[test]
fn a_collection_goes_at_once_and_the_rest_stays() {
    for case in &CASES {
        let mut client = Client::new(case);
        client.create();
        let mut other = case.object();
        other.entry("metadata").set("name", "b");
        other.entry("metadata").remove("labels");
        client.ask("POST", "", Some(&other), 201);
        client.ask("DELETE", "?labelSelector=suite%3Ddevices", None, 200);
        assert_eq!(client.seen(), "Deleted");
        let left = client.ask("GET", "", None, 200);
        let names = left.get("items").expect("items").items().iter();
        assert_eq!(names.map(|item| text(item, &["metadata", "name"])).collect::<Vec<_>>(), ["b"]);
    }
}

#[test]
fn what_was_wanted_of_a_claim_never_changes() {
    for case in &CASES[1..3] {
        let mut client = Client::new(case);
        let mut object = client.create();
        object.set("spec", parse(&case.spec.replace("gpu.example.com", "other.example.com")));
        let refused = client.ask("PUT", "/a", Some(&object), 422);
        assert!(text(&refused, &["message"]).contains("field is immutable"), "{refused}");
    }
}
