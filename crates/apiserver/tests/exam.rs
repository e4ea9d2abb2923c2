//! Replays what a real v1.36 was asked, and counts how often we answer alike.
//!
//! The recordings lie beside the repository; without them there is nothing to replay. `SHOW=n` prints the first
//! differences of each aspect, `ONLY=part` restricts to one part.

use std::collections::BTreeMap;

use api::Json;
use apiserver::ApiServer;
use apiserver::http::{HttpAnswer, HttpRequest, Response};
use base::Instant;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/cases/");

const VOLATILE: &[&str] = &[
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "selfLink",
    "time",
    "lastTransitionTime",
    "lastUpdateTime",
    "lastProbeTime",
    "lastScheduleTime",
    "lastPhaseTransitionTime",
];
const ALLOCATED: &[&str] = &["clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort"];

struct Exam {
    server: ApiServer,
    part: &'static str,
    show: usize,
    scores: BTreeMap<String, (usize, usize)>,
    shown: BTreeMap<String, usize>,
}

impl Exam {
    fn new(part: &'static str) -> Exam {
        let mut server = ApiServer::new(1);
        server.bootstrap(Instant::START);
        let show = std::env::var("SHOW").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
        let (scores, shown) = (BTreeMap::new(), BTreeMap::new());
        let mut exam = Exam { server, part, show, scores, shown };
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            exam.account(name);
        }
        exam
    }

    fn ask(&mut self, request: &HttpRequest) -> (Response, Json) {
        match self.server.http(Instant::START, request) {
            HttpAnswer::Response(response) => {
                let json = Json::parse(&response.body).unwrap_or_default();
                (response, json)
            }
            HttpAnswer::Watch(stream) => {
                self.server.unwatch(stream.id);
                let json = Json::parse(&stream.first).unwrap_or_default();
                (Response { code: 200, body: stream.first, ..Response::default() }, json)
            }
            other => panic!("{other:?}"),
        }
    }

    fn namespace(&mut self, name: &str) {
        let body =
            format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{name}"}}}}"#);
        self.ask(&HttpRequest::new("POST", "/api/v1/namespaces").body(body));
        self.account(name);
    }

    /// What the service account controller would make.
    fn account(&mut self, namespace: &str) {
        let body = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}"#;
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        self.ask(&HttpRequest::new("POST", &path).body(body));
    }

    fn namespaces_of<'a>(&mut self, paths: impl Iterator<Item = &'a str>) {
        let mut names: Vec<&str> = paths
            .filter_map(|path| path.split("/namespaces/").nth(1)?.split_once('/').map(|p| p.0))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().for_each(|name| self.namespace(name));
    }

    fn mark(&mut self, aspect: &str, good: bool, note: impl FnOnce() -> String) {
        let score = self.scores.entry(aspect.to_string()).or_default();
        score.1 += 1;
        score.0 += usize::from(good);
        if !good {
            let shown = self.shown.entry(aspect.to_string()).or_default();
            *shown += 1;
            if *shown <= self.show {
                println!("  {}/{aspect}: {}", self.part, note());
            }
        }
    }

    fn compare(&mut self, at: &str, row: &Json, got: &(Response, Json)) {
        let code = row.get("code").and_then(Json::as_i64).unwrap_or(0);
        let want = row.get("response").cloned().unwrap_or_default();
        let (status, answer) = (i64::from(got.0.code), &got.1);
        let text = |json: &Json| json.get("message").and_then(Json::as_str).map(str::to_string);
        self.mark("code", status == code, || {
            format!("{at}: want {code} got {status} {:?} (want {:?})", text(answer), text(&want))
        });
        if code >= 400 {
            self.mark("message", text(&want) == text(answer), || {
                format!("{at}\n     want {:?}\n     got  {:?}", text(&want), text(answer))
            });
            self.mark("causes", causes(&want) == causes(answer), || {
                format!("{at}\n     want {:?}\n     got  {:?}", causes(&want), causes(answer))
            });
            return;
        }
        if status != code {
            self.mark("object", false, || at.to_string());
            self.mark("managed", false, || at.to_string());
            return;
        }
        let (a, b) = (clean(&want), clean(answer));
        self.mark("object", a == b, || format!("{at}: {}", difference(&a, &b, "")));
        let (a, b) = (managed(&want), managed(answer));
        self.mark("managed", a == b, || format!("{at}: {}", difference(&a, &b, "")));
        let want: Vec<&str> = row
            .get("warnings")
            .map_or(&[][..], Json::items)
            .iter()
            .filter_map(Json::as_str)
            .collect();
        let warned: Vec<&str> = got
            .0
            .headers
            .iter()
            .filter(|(name, _)| name == "Warning")
            .map(|(_, value)| value.as_str())
            .collect();
        if !want.is_empty() || !warned.is_empty() {
            self.mark("warnings", want == warned, || format!("{at}: want {want:?} got {warned:?}"));
        }
    }

    fn finish(self, least: &[(&str, usize)]) {
        let line: Vec<String> =
            self.scores.iter().map(|(a, (ok, all))| format!("{a} {ok}/{all}")).collect();
        println!("{:9} {}", self.part, line.join("  "));
        for (aspect, least) in least {
            let (ok, all) = self.scores.get(*aspect).copied().unwrap_or_default();
            assert!(ok * 100 >= least * all, "{}: {aspect} {ok}/{all}", self.part);
        }
    }
}

fn causes(json: &Json) -> Vec<String> {
    let list = json.at(&["details", "causes"]).map_or(&[][..], Json::items);
    let mut texts: Vec<String> = list
        .iter()
        .map(|cause| {
            let text = |key| cause.get(key).and_then(Json::as_str).unwrap_or_default();
            format!("{}|{}|{}", text("reason"), text("field"), text("message"))
        })
        .collect();
    texts.sort_unstable();
    texts
}

fn managed(json: &Json) -> Json {
    let list = json.at(&["metadata", "managedFields"]).map_or(&[][..], Json::items);
    let mut entries: Vec<Json> = list
        .iter()
        .map(|entry| {
            let mut entry = entry.clone();
            entry.remove("time");
            entry.sorted()
        })
        .collect();
    entries.sort_by_key(|entry| {
        let text = |key| entry.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
        (text("manager"), text("operation"), text("subresource"))
    });
    Json::Array(entries)
}

/// The answer less what differs from run to run.
fn clean(json: &Json) -> Json {
    match json {
        Json::Object(fields) => fields
            .iter()
            .filter(|(key, _)| !VOLATILE.contains(&key.as_str()) && key != "managedFields")
            .filter(|(key, value)| {
                !ALLOCATED.contains(&key.as_str())
                    || *value == Json::from("None")
                    || *value == Json::Array(vec!["None".into()])
            })
            .map(|(key, value)| (key.clone(), clean(value)))
            .collect::<Json>()
            .sorted(),
        Json::Array(items) => items.iter().map(clean).collect(),
        Json::Str(text) => Json::from(mask(text)),
        other => other.clone(),
    }
}

fn mask(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("kube-api-access-")
        && rest.len() == 5
    {
        return "kube-api-access-*****".into();
    }
    let is_uid = |word: &str| {
        word.len() == 36
            && word.bytes().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => b == b'-',
                _ => b.is_ascii_hexdigit(),
            })
    };
    if is_uid(text) { "*****".into() } else { text.into() }
}

fn difference(want: &Json, got: &Json, at: &str) -> String {
    let cut = |json: &Json| json.to_string().chars().take(160).collect::<String>();
    match (want, got) {
        (Json::Object(a), Json::Object(b)) => {
            for (key, value) in a {
                match got.get(key) {
                    None => return format!("{at}.{key}: missing, want {}", cut(value)),
                    Some(other) if other != value => {
                        return difference(value, other, &format!("{at}.{key}"));
                    }
                    _ => {}
                }
            }
            let more = b.iter().find(|(key, _)| want.get(key).is_none());
            more.map_or(String::new(), |(key, v)| format!("{at}.{key}: unexpected {}", cut(v)))
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            let odd = a.iter().zip(b).enumerate().find(|(_, (x, y))| x != y);
            odd.map_or(String::new(), |(i, (x, y))| difference(x, y, &format!("{at}[{i}]")))
        }
        _ => format!("{at}: want {} got {}", cut(want), cut(got)),
    }
}

fn rows(name: &str) -> Option<Vec<Json>> {
    if std::env::var("ONLY").is_ok_and(|only| !name.contains(&only)) {
        return None;
    }
    let Ok(text) = std::fs::read_to_string(format!("{CASES}{name}")) else {
        println!("{name} is not there: nothing to replay");
        return None;
    };
    let parse = |text: &str| Json::parse(text.as_bytes()).expect("a recording");
    Some(match name.ends_with('l') {
        true => text.lines().map(parse).collect(),
        false => parse(&text).items().to_vec(),
    })
}

fn text<'a>(json: &'a Json, path: &[&str]) -> &'a str {
    json.at(path).and_then(Json::as_str).unwrap_or_default()
}

fn creates(part: &'static str, file: &str, least: &[(&str, usize)]) {
    let Some(cases) = rows(file) else { return };
    let mut exam = Exam::new(part);
    exam.namespaces_of(cases.iter().map(|case| text(case, &["request", "path"])));
    for case in &cases {
        let path = text(case, &["request", "path"]);
        let code = case.get("code").and_then(Json::as_i64);
        if (code == Some(409) && !path.contains("clusterrole")) || path == "/api/v1/namespaces" {
            continue;
        }
        let target = format!("{path}?{}", text(case, &["request", "query"]));
        let body = case.at(&["request", "body"]).cloned().unwrap_or_default();
        let request = HttpRequest::new("POST", &target)
            .header("Accept", "application/json")
            .header("Content-Type", "application/json")
            .body(body.to_string());
        let mut got = exam.ask(&request);
        let prefix = text(&body, &["metadata", "generateName"]).to_string();
        let mut case = case.clone();
        if !prefix.is_empty() {
            got.1 = masked(&got.1, &prefix);
            case = masked(&case, &prefix);
        }
        let at = format!(
            "{} {} {}",
            text(&case, &["file"]),
            text(&case, &["mutation"]),
            text(&case, &["at"])
        );
        exam.compare(&at, &case, &got);
    }
    exam.finish(least);
}

fn masked(json: &Json, prefix: &str) -> Json {
    let source = json.to_string();
    let mut parts = source.split(prefix);
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        out.push_str(prefix);
        let random = part.len() >= 5
            && part.bytes().take(5).all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        match random {
            true => {
                out.push_str("*****");
                out.push_str(&part[5..]);
            }
            false => out.push_str(part),
        }
    }
    Json::parse(out.as_bytes()).unwrap_or_default()
}

#[test]
fn creates_real_manifests_as_recorded() {
    let least = [("code", 99), ("object", 99), ("managed", 99), ("message", 90), ("warnings", 90)];
    creates("create", "apiserver_create_dryrun.jsonl", &least);
}

#[test]
fn refuses_broken_manifests_as_recorded() {
    let least = [("code", 99), ("message", 94), ("causes", 97)];
    creates("reject", "apiserver_create_mutated.jsonl", &least);
}

#[test]
fn patches_as_recorded() {
    let Some(cases) = rows("api_patch_transcripts.json") else { return };
    let mut exam = Exam::new("patch");
    let first = |case: &Json| case.get("steps").map_or(Json::Null, |s| s.items()[0].clone());
    let urls: Vec<String> = cases.iter().map(|c| text(&first(c), &["url"]).to_string()).collect();
    exam.namespaces_of(urls.iter().map(String::as_str));
    for case in &cases {
        for (i, step) in case.get("steps").map_or(&[][..], Json::items).iter().enumerate() {
            let (method, url) = (text(step, &["method"]), text(step, &["url"]));
            let mut body = step.get("body").cloned().filter(|body| !body.is_null());
            if method == "PUT" {
                let path = url.split('?').next().unwrap_or_default();
                let (_, mut live) = exam.ask(&HttpRequest::new("GET", path));
                if live.get("metadata").is_none() {
                    exam.mark("code", false, || "nothing to put".into());
                    continue;
                }
                let meta = live.entry("metadata");
                meta.entry("labels").set("put", "1");
                meta.remove("resourceVersion");
                if text(step, &["note"]).contains("resourceVersion \"1\"") {
                    meta.set("resourceVersion", "1");
                } else {
                    meta.remove("managedFields");
                }
                body = Some(live);
            }
            let kind = match text(step, &["contentType"]) {
                "" => "application/json",
                given => given,
            };
            let mut request = HttpRequest::new(method, url).header("Accept", "application/json");
            if let Some(body) = body {
                request = request.header("Content-Type", kind).body(body.to_string());
            }
            let got = exam.ask(&request);
            let at = format!("{} step {i} {method} {kind}", text(case, &["file"]));
            exam.compare(&at, step, &got);
        }
    }
    exam.finish(&[("code", 99), ("object", 99), ("managed", 99), ("message", 99)]);
}

#[test]
fn shows_tables_as_recorded() {
    let Some(cases) = rows("table_columns.json") else { return };
    let mut exam = Exam::new("tables");
    for case in &cases {
        let version = text(case, &["groupVersion"]);
        let base = if version.contains('/') { "apis" } else { "api" };
        let path = format!("/{base}/{version}/{}?limit=1", text(case, &["resource"]));
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let (_, got) = exam.ask(&HttpRequest::new("GET", &path).header("Accept", accept));
        let columns = got.get("columnDefinitions").map_or(&[][..], Json::items);
        let mut columns: Vec<Json> = columns.to_vec();
        columns.iter_mut().for_each(|column| {
            column.remove("description");
        });
        let want = case.get("columns").cloned().unwrap_or_default();
        exam.mark("columns", Json::Array(columns) == want, || path.clone());
    }
    exam.finish(&[("columns", 90)]);
}

#[test]
fn selects_by_labels_as_recorded() {
    let Some(cases) = rows("label_selector.json") else { return };
    let mut exam = Exam::new("selector");
    exam.namespace("exam");
    let mut sets: Vec<Json> = Vec::new();
    for case in &cases {
        for found in case.get("matches").map_or(&[][..], Json::items) {
            let labels = found.get("labels").cloned().unwrap_or_default().sorted();
            if !sets.contains(&labels) {
                sets.push(labels);
            }
        }
    }
    let mut known = Vec::new();
    for (i, labels) in sets.iter().enumerate() {
        let body = format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"s{i}","labels":{labels}}}}}"#
        );
        let path = "/api/v1/namespaces/exam/configmaps";
        let (response, _) = exam.ask(&HttpRequest::new("POST", path).body(body));
        known.extend((response.code == 201).then(|| format!("s{i}")));
    }
    for case in &cases {
        let selector = text(case, &["in"]);
        let escaped: String = selector.bytes().map(|b| format!("%{b:02X}")).collect();
        let path = format!("/api/v1/namespaces/exam/configmaps?labelSelector={escaped}");
        let (response, got) = exam.ask(&HttpRequest::new("GET", &path));
        if case.get("ok") == Some(&Json::Bool(false)) {
            exam.mark("refused", response.code == 400, || selector.to_string());
            continue;
        }
        let items = got.get("items").map_or(&[][..], Json::items);
        let found: Vec<&str> = items.iter().map(|item| text(item, &["metadata", "name"])).collect();
        let good = case.get("matches").map_or(&[][..], Json::items).iter().all(|row| {
            let labels = row.get("labels").cloned().unwrap_or_default().sorted();
            let at = sets.iter().position(|set| *set == labels).expect("made above");
            let name = format!("s{at}");
            let wanted = row.get("match").and_then(Json::as_bool) == Some(true);
            !known.contains(&name) || found.contains(&name.as_str()) == wanted
        });
        exam.mark("matches", response.code == 200 && good, || selector.to_string());
    }
    exam.finish(&[("matches", 95), ("refused", 95)]);
}

#[test]
fn refuses_as_a_recorded_cluster_did() {
    let path = format!("{CASES}../golden/14-api-errors/transcript.jsonl");
    let Ok(recording) = std::fs::read_to_string(&path) else {
        return println!("{path} is not there: nothing to replay");
    };
    let mut exam = Exam::new("errors");
    exam.ask(
        &HttpRequest::new("POST", "/api/v1/nodes")
            .body(r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-1"}}"#),
    );
    for line in recording.lines() {
        let step = Json::parse(line.as_bytes()).expect("a recording");
        let Some(label) = step.get("label").and_then(Json::as_str).map(str::to_string) else {
            continue;
        };
        let mut request = HttpRequest::new(text(&step, &["method"]), text(&step, &["path"]))
            .header("User-Agent", "curl/8.0")
            .header("Content-Type", text(&step, &["ctype"]));
        match step.get("body") {
            None | Some(Json::Null) => {}
            Some(Json::Str(body)) => request = request.body(body.as_bytes()),
            Some(body) => request = request.body(body.to_string()),
        }
        let got = exam.ask(&request);
        let code = step.get("status").and_then(Json::as_i64).unwrap_or(0);
        let want = step.get("response").cloned().unwrap_or_default();
        let at = format!("{label}: {} {}", request.method, request.path);
        let status = i64::from(got.0.code);
        exam.mark("code", status == code, || {
            format!("{at}: want {code} got {status} {}\n     want {want}", got.1)
        });
        if code >= 400 && got.0.code == 201 {
            // Take back what should not have been made, so that the rest finds what it expects.
            let name = text(&got.1, &["metadata", "name"]);
            let path = format!("{}/{name}", request.path);
            exam.ask(&HttpRequest::new("DELETE", &path));
        }
        if code >= 400 && want.is_object() {
            let (a, b) = (clean(&want), clean(&got.1));
            exam.mark("answer", a == b, || format!("{at}: {}", difference(&a, &b, "")));
        }
        if label.starts_with("ns") || label.starts_with("psa") {
            let name = text(&want, &["metadata", "name"]).to_string();
            if code == 201 && !name.is_empty() && text(&want, &["kind"]) == "Namespace" {
                exam.account(&name);
            }
        }
    }
    exam.finish(&[("code", 95), ("answer", 90)]);
}
