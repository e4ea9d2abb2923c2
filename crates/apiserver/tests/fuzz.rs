//! No request makes the API server panic: objects, patches, selectors, queries and texts at random.
//!
//! Objects are made from the schema tables, so every field of every kind has its turn, with values that fit and
//! values that do not. The budget is fixed; a failure names the seed that repeats it.

use api::Json;
use api::object::KindInfo;
use api::schema::{Schema, Ty};
use apiserver::ApiServer;
use apiserver::http::{HttpAnswer, HttpRequest};
use base::{Instant, Rng, Str};
use proptest::prelude::*;

const NOW: Instant = Instant::START;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Texts that parsers stumble over.
const TEXTS: &[&str] = &[
    "",
    "-",
    ".",
    "..",
    "a",
    "A b",
    "0",
    "-1",
    "1.5",
    "80",
    "http",
    "99999999999999999999",
    "1e400",
    "10Mi",
    "1.5zz",
    "0.000000001n",
    "50%",
    "-5%",
    "%",
    "a/b",
    "a/b/c",
    "/",
    "x=y",
    "a in (b,c)",
    "!a",
    "a,,b",
    "10.0.0.0/8",
    "10.0.0.0/99",
    "::1",
    "fe80::%eth0",
    "300.1.1.1",
    "2026-01-01T00:00:00Z",
    "2026-13-41T99:00:00Z",
    "*/5 * * * *",
    "@every 1h",
    "61 * * * *",
    "TZ=Mars/X * * * * *",
    "$(A)",
    "$$(A",
    "\u{0}",
    "é\u{301}",
    "\u{1F600}",
    "metadata.name",
    "spec.nodeName=x",
    "{",
    "[]",
    "null",
    "^(a+)+$",
    "(?P<n>",
    "[z-a]",
    "\\",
    "Always",
    "TCP",
    "app=web,tier notin (a)",
    "nginx@sha256:0",
    "default",
    "Exists",
    "In",
    "Prefix",
    "Retain",
    "ReadWriteOnce",
];

struct Chance(Rng);

impl Chance {
    fn new(seed: u64) -> Chance {
        Chance(Rng::stream(seed, "fuzz"))
    }

    fn below(&mut self, n: usize) -> usize {
        self.0.below(n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn text(&mut self) -> Str {
        match self.below(12) {
            0 => "x".repeat(self.below(400)).into(),
            1 => (0..self.below(9))
                .map(|_| char::from(32 + self.below(95) as u8))
                .collect::<String>()
                .into(),
            _ => Str::from(*self.pick(TEXTS)),
        }
    }

    fn number(&mut self) -> i64 {
        match self.below(8) {
            0 => i64::MAX,
            1 => i64::MIN,
            2 => 1 << self.below(63),
            3 => -1,
            _ => self.below(100) as i64,
        }
    }

    /// Any value at all.
    fn odd(&mut self, depth: usize) -> Json {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Json::Null,
            1 => Json::Bool(self.one_in(2)),
            2 => Json::Int(self.number()),
            3 => Json::Float(*self.pick(&[0.5, -1.5, 1e300, -0.0, 1e-300])),
            4 | 5 => Json::Str(self.text()),
            6 => (0..self.below(4)).map(|_| self.odd(depth - 1)).collect(),
            _ => {
                let keys = self.below(4);
                Json::Object((0..keys).map(|_| (self.text(), self.odd(depth - 1))).collect())
            }
        }
    }

    /// A value of a type, now and then one of another.
    fn value(&mut self, ty: &Ty, depth: usize) -> Json {
        if self.one_in(40) {
            return self.odd(2);
        }
        match ty {
            Ty::Bool => Json::Bool(self.one_in(2)),
            Ty::Int32 | Ty::Int64 => Json::Int(self.number()),
            Ty::Float => Json::Float(0.5),
            Ty::Str | Ty::Bytes | Ty::Time | Ty::MicroTime | Ty::Quantity => Json::Str(self.text()),
            Ty::IntOrString if self.one_in(2) => Json::Int(self.number()),
            Ty::IntOrString => Json::Str(self.text()),
            Ty::Any | Ty::Open | Ty::Fields => self.odd(2),
            Ty::Struct(schema) => self.record(schema, depth),
            Ty::List(item) => {
                let count = self.below(3);
                let mut list: Vec<Json> = (0..count).map(|_| self.value(item, depth)).collect();
                if self.one_in(4) {
                    list.extend(list.clone());
                }
                Json::Array(list)
            }
            Ty::Map(item) => {
                let count = self.below(3);
                Json::Object((0..count).map(|_| (self.text(), self.value(item, depth))).collect())
            }
        }
    }

    fn record(&mut self, schema: &Schema, depth: usize) -> Json {
        let mut json = Json::object();
        for field in schema.fields {
            // Deep down only what must be there, so that objects stay small.
            let wanted = if field.required { !self.one_in(10) } else { self.one_in(2 + depth) };
            if wanted && depth < 9 && !field.name.is_empty() {
                json.set(field.name, self.value(&field.ty, depth + 1));
            }
        }
        json
    }

    fn object(&mut self, kind: &KindInfo) -> Json {
        let mut json = self.record(kind.schema, 0);
        let meta = json.entry("metadata");
        if !self.one_in(8) {
            meta.set("name", "a");
            meta.remove("namespace");
            meta.remove("resourceVersion");
        }
        json.set("apiVersion", kind.api_version());
        json.set("kind", kind.kind);
        json
    }

    /// The same document with one value of it replaced, removed or doubled.
    fn broken(&mut self, json: &mut Json) {
        match json {
            Json::Object(fields) if !fields.is_empty() && !self.one_in(5) => {
                let at = self.below(fields.len());
                match self.below(6) {
                    0 => drop(fields.remove(at)),
                    1 => fields.push(fields[at].clone()),
                    _ => self.broken(&mut fields[at].1),
                }
            }
            Json::Array(items) if !items.is_empty() && !self.one_in(5) => {
                let at = self.below(items.len());
                match self.below(6) {
                    0 => drop(items.remove(at)),
                    1 => items.push(items[at].clone()),
                    _ => self.broken(&mut items[at]),
                }
            }
            other => *other = self.odd(3),
        }
    }

    fn json_patch(&mut self) -> Json {
        let operations = self.below(5);
        let patch = (0..operations).map(|_| {
            let path =
                format!("/{}/{}", self.pick(&["metadata", "spec", "status", ""]), self.text());
            let mut operation = Json::object();
            operation
                .set("op", *self.pick(&["add", "remove", "replace", "move", "copy", "test", "x"]));
            operation.set("path", path);
            operation.set("from", format!("/{}", self.pick(&["metadata", "spec", "spec/a", "x"])));
            operation.set("value", self.odd(2));
            operation
        });
        patch.collect()
    }
}

fn path_of(kind: &KindInfo) -> String {
    let base = match kind.group {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    let namespace = if kind.namespaced { "/namespaces/default" } else { "" };
    format!("{base}{namespace}/{}", kind.plural)
}

/// Asks; what is refused is refused with a `Status` or as plain text.
fn ask(server: &mut ApiServer, request: &HttpRequest) -> (u16, Json) {
    match server.http(NOW, request) {
        HttpAnswer::Response(response) => {
            assert!((200..600).contains(&response.code), "{} for {request:?}", response.code);
            let json = Json::parse(&response.body).unwrap_or_default();
            if response.code >= 400 && json.is_object() {
                let code = json.get("code").and_then(Json::as_i64);
                assert_eq!(code.unwrap_or(i64::from(response.code)), i64::from(response.code));
            }
            (response.code, json)
        }
        HttpAnswer::Watch(stream) => {
            server.unwatch(stream.id);
            (200, Json::Null)
        }
        HttpAnswer::Kubelet(_) => (200, Json::Null),
    }
}

fn fresh() -> ApiServer {
    let mut server = ApiServer::new(1);
    server.bootstrap(NOW);
    server
}

const PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/json",
];

/// Creates an object, breaks it, replaces it, patches it in all ways and deletes it.
fn live(server: &mut ApiServer, chance: &mut Chance, kind: &'static KindInfo) {
    let path = path_of(kind);
    let mut object = chance.object(kind);
    let send = |method: &str, path: &str, body: &Json| {
        HttpRequest::new(method, path).body(body.to_string().into_bytes())
    };
    ask(server, &send("POST", &path, &object));
    chance.broken(&mut object);
    let strict = chance.pick(&["Strict", "Warn", "Ignore", "x"]);
    ask(server, &send("POST", &format!("{path}?fieldValidation={strict}"), &object));
    let one = format!("{path}/a{}", chance.pick(&["", "", "", "/status", "/scale", "/resize"]));
    ask(server, &send("PUT", &one, &object));
    for kind_of_patch in PATCHES {
        let body = match *kind_of_patch {
            "application/json-patch+json" => chance.json_patch(),
            _ => {
                let mut body = chance.object(kind);
                chance.broken(&mut body);
                body
            }
        };
        let force = chance.pick(&["", "&force=true"]);
        let at = match *kind_of_patch {
            "application/apply-patch+yaml" => format!("{one}?fieldManager=m{force}"),
            _ => one.clone(),
        };
        ask(server, &send("PATCH", &at, &body).header("Content-Type", kind_of_patch));
    }
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    ask(server, &HttpRequest::new("GET", &path).header("Accept", table));
    ask(server, &send("DELETE", &format!("{path}/a"), &chance.odd(2)));
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn objects_of_every_kind_and_their_patches(seed in any::<u64>()) {
        let mut chance = Chance::new(seed);
        let mut server = fresh();
        for _ in 0..12 {
            let kind = *chance.pick(api::KINDS);
            live(&mut server, &mut chance, kind);
        }
    }

    #[test]
    fn custom_kinds_by_schemas_at_random(seed in any::<u64>()) {
        let mut chance = Chance::new(seed);
        let mut server = fresh();
        let mut schema = Json::parse(SCHEMA.as_bytes()).expect("a document");
        for _ in 0..chance.below(3) {
            chance.broken(&mut schema);
        }
        let definition = DEFINITION.replace("SCHEMA", &schema.to_string());
        ask(&mut server, &HttpRequest::new("POST", DEFINITIONS).body(definition));
        for _ in 0..6 {
            let mut thing = Json::parse(THING.as_bytes()).expect("a document");
            chance.broken(&mut thing);
            let body = thing.to_string();
            ask(&mut server, &HttpRequest::new("POST", THINGS).body(body.clone()));
            let apply = format!("{THINGS}/a?fieldManager=m&force=true");
            let apply = HttpRequest::new("PATCH", &apply).header("Content-Type", PATCHES[3]);
            ask(&mut server, &apply.body(body.clone()));
            let merge = HttpRequest::new("PATCH", &format!("{THINGS}/a")).header("Content-Type", PATCHES[1]);
            ask(&mut server, &merge.body(body));
        }
        ask(&mut server, &HttpRequest::new("GET", "/openapi/v2"));
        ask(&mut server, &HttpRequest::new("GET", "/openapi/v3/apis/example.com/v1"));
        ask(&mut server, &HttpRequest::new("DELETE", DEFINITIONS));
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn paths_and_queries(path in "(/(api|apis|v1|apps|batch|pods|default|namespaces|watch|openapi|v2|a|%[0-9a-f]{0,2}|\\PC)?){0,7}",
        query in "((labelSelector|fieldSelector|limit|continue|resourceVersion|watch|timeoutSeconds|dryRun|sendInitialEvents|resourceVersionMatch)=(\\PC|%[0-9a-f]{0,2}|[a-z0-9=!(),. -]){0,12}&?){0,4}") {
        let mut server = fresh();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            ask(&mut server, &HttpRequest::new(method, &format!("{path}?{query}")));
        }
    }

    #[test]
    fn selectors(selector in "([a-z./]{1,6}|[=!,() ]|in|notin|exists|-|[A-Z0-9]){0,12}") {
        let mut server = fresh();
        let encoded: String = selector.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for kind in ["pods", "events", "nodes"] {
            let at = format!("/api/v1/{kind}?labelSelector={encoded}");
            ask(&mut server, &HttpRequest::new("GET", &at));
            let at = format!("/api/v1/{kind}?fieldSelector={encoded}&watch=1");
            ask(&mut server, &HttpRequest::new("GET", &at));
        }
    }

    #[test]
    fn bodies_and_headers(body in prop::collection::vec(any::<u8>(), 0..120),
        text in "([\\[\\]{}:,\"&*#|>-]|\n| |apiVersion|kind|v1|Pod|null|\\PC){0,40}",
        media in "(application|text|\\*)/(json|yaml|vnd.kubernetes.protobuf|[a-z*+-]{0,8})(;[a-z]{1,2}=[^\n\r]{0,9})?",
        token in "(orrery)?[a-zA-Z0-9._-]{0,20}") {
        let mut server = fresh();
        for body in [body, text.into_bytes()] {
            for media in ["application/json", "application/yaml", &media] {
                let request = |method: &str, path: &str| {
                    HttpRequest::new(method, path)
                        .header("Content-Type", media)
                        .header("Accept", media)
                        .body(body.clone())
                };
                ask(&mut server, &request("POST", "/api/v1/namespaces/default/pods"));
                ask(&mut server, &request("PATCH", "/api/v1/namespaces/default"));
                ask(&mut server, &request("DELETE", "/api/v1/namespaces/default/pods"));
                let bearer = format!("Bearer {token}");
                ask(&mut server, &request("GET", "/apis").header("Authorization", &bearer));
            }
        }
    }
}

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const THINGS: &str = "/apis/example.com/v1/things";
const DEFINITION: &str = r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
    "metadata":{"name":"things.example.com"},"spec":{"group":"example.com","scope":"Cluster",
    "names":{"plural":"things","singular":"thing","kind":"Thing"},
    "versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":SCHEMA},
    "subresources":{"status":{},"scale":{"specReplicasPath":".spec.n","statusReplicasPath":".status.n"}},
    "selectableFields":[{"jsonPath":".spec.name"}],
    "additionalPrinterColumns":[{"name":"N","type":"integer","jsonPath":".spec.list[*].k"}]}]}}"#;
const SCHEMA: &str = r#"{"type":"object","properties":{"spec":{"type":"object","required":["name"],"properties":{
    "name":{"type":"string","pattern":"^(a|b)+$","maxLength":9},"n":{"type":"integer","minimum":0,"default":1},
    "list":{"type":"array","maxItems":3,"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],
      "items":{"type":"object","required":["k"],"properties":{"k":{"type":"string"},"v":{"x-kubernetes-int-or-string":true}}}},
    "set":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
    "map":{"type":"object","additionalProperties":{"type":"number","multipleOf":0.5}},
    "open":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"a":{"type":"string"}}},
    "inner":{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true},
    "choice":{"type":"string","enum":["x","y"],"nullable":true}}},
    "status":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}"#;
const THING: &str = r#"{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"a","labels":{"l":"v"}},
    "spec":{"name":"ab","n":2,"list":[{"k":"x","v":1},{"k":"y","v":"2"}],"set":["p","q"],"map":{"m":1.5},
    "open":{"a":"1","b":{"c":[1]}},"inner":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"i"}},"choice":"x"},
    "status":{"n":1}}"#;
