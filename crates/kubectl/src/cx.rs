//! The context of a running command: time, the server, and where output goes.

use std::fmt::Write as _;

use api::{Json, KindInfo};
use base::{Instant, Str};

use crate::custom;
use crate::failure::{Failure, Result};
use crate::look::Look;
use crate::resource::{self, Kind};
use crate::server::{Response, Server};

/// How many objects one request asks for.
pub(crate) const CHUNK: usize = 500;

/// The most whole objects that a command holds at a time.
pub(crate) const OBJECTS_MAX: usize = 10_000;

/// How messages call the API server where it cannot be reached.
const SERVER: &str = "kubernetes.default:6443";

/// The most a command prints, in bytes; what is beyond is dropped, and that is said once.
pub(crate) const OUTPUT_BYTES_MAX: usize = 1 << 20;

pub(crate) const JSON: &str = "application/json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const APPLY: &str = "application/apply-patch+yaml";
/// What `get` accepts, so that the server makes the table.
pub(crate) const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Printed text on its way to the terminal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Out {
    pending: String,
    total: usize,
    warned: Vec<String>,
    pub namespace: Option<Str>,
    pub clear: bool,
}

impl Out {
    pub fn push(&mut self, text: &str) {
        if self.is_full() {
            return;
        }
        let room = OUTPUT_BYTES_MAX - self.total;
        self.total += text.len();
        if text.len() <= room {
            self.pending.push_str(text);
            return;
        }
        let cut = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        self.pending.push_str(&text[..cut]);
        self.pending.push_str("\n… the rest of the output is left out\n");
        self.total = usize::MAX;
    }

    pub fn is_full(&self) -> bool {
        self.total >= OUTPUT_BYTES_MAX
    }

    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.pending)
    }
}

/// The context of a running command.
pub(crate) struct Cx<'a> {
    pub now: Instant,
    pub server: &'a mut dyn Server,
    pub out: &'a mut Out,
    /// The namespace where no flag names one.
    pub namespace: Str,
    customs: Option<Vec<Kind>>,
}

impl<'a> Cx<'a> {
    pub fn new(
        now: Instant,
        server: &'a mut dyn Server,
        out: &'a mut Out,
        namespace: Str,
    ) -> Cx<'a> {
        Cx { now, server, out, namespace, customs: None }
    }

    /// The custom kinds; asked for once a call.
    pub fn customs(&mut self) -> &[Kind] {
        if self.customs.is_none() {
            let kinds = custom::fetch(self);
            self.customs = Some(kinds);
        }
        self.customs.as_deref().unwrap_or_default()
    }

    /// Prints.
    pub fn say(&mut self, text: &str) {
        self.out.push(text);
    }

    /// Prints `Warning: …`, each text once a command.
    pub fn warn(&mut self, text: &str) {
        if !self.out.warned.iter().any(|seen| seen == text) {
            self.out.warned.push(text.to_string());
            self.out.push(&format!("Warning: {text}\n"));
        }
    }

    /// One request with a JSON answer.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        body: Option<(&str, &Json)>,
        accept: &str,
    ) -> Result<Json> {
        let body = body.map(|(kind, json)| (kind, json.to_string().into_bytes()));
        let body = body.as_ref().map(|(kind, bytes)| (*kind, bytes.as_slice()));
        let response = self.server.http(method, path, body, accept);
        self.warnings(&response);
        of_response(&response)
    }

    /// One request with a body as it is.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Json> {
        let response = self.server.http(method, path, Some((content_type, body)), JSON);
        self.warnings(&response);
        of_response(&response)
    }

    /// One request with an answer in plain text.
    pub fn raw(&mut self, path: &str) -> Result<String> {
        let response = self.server.http("GET", path, None, "*/*");
        self.warnings(&response);
        if response.code >= 400 || response.code == 0 {
            return Err(of_response(&response).err().unwrap_or(Failure::Code(1)));
        }
        Ok(String::from_utf8_lossy(&response.body).into_owned())
    }

    pub fn get(&mut self, path: &str) -> Result<Json> {
        self.request("GET", path, None, JSON)
    }

    pub fn post(&mut self, path: &str, body: &Json) -> Result<Json> {
        self.request("POST", path, Some((JSON, body)), JSON)
    }

    pub fn put(&mut self, path: &str, body: &Json) -> Result<Json> {
        self.request("PUT", path, Some((JSON, body)), JSON)
    }

    pub fn patch(&mut self, path: &str, content_type: &str, body: &Json) -> Result<Json> {
        self.request("PATCH", path, Some((content_type, body)), JSON)
    }

    pub fn delete(&mut self, path: &str, options: &Json) -> Result<Json> {
        self.request("DELETE", path, Some((JSON, options)), JSON)
    }

    /// One object of a kind.
    pub fn object(&mut self, kind: &KindInfo, namespace: &str, name: &str) -> Result<Json> {
        self.get(&resource::path(kind, namespace, name))
    }

    /// The objects of a kind, at most [`OBJECTS_MAX`]; an empty namespace stands for all of them.
    pub fn list(
        &mut self,
        kind: &KindInfo,
        namespace: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<Json>> {
        let mut items = Vec::new();
        self.each(kind, namespace, query, |item| {
            items.push(item);
            items.len() < OBJECTS_MAX
        })?;
        if items.len() == OBJECTS_MAX {
            self.warn(&format!("only the first {OBJECTS_MAX} {} are looked at", kind.plural));
        }
        Ok(items)
    }

    /// The namespaces and names of all objects of a kind.
    pub fn names(
        &mut self,
        kind: &KindInfo,
        namespace: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<(String, String)>> {
        let mut names = Vec::new();
        self.each(kind, namespace, query, |item| {
            let meta = item.look("metadata");
            names.push((meta.text("namespace").to_string(), meta.text("name").to_string()));
            true
        })?;
        Ok(names)
    }

    /// Gives the objects of a kind one after the other, page by page, until the answer is no.
    fn each(
        &mut self,
        kind: &KindInfo,
        namespace: &str,
        query: &[(&str, &str)],
        mut take: impl FnMut(Json) -> bool,
    ) -> Result<()> {
        let path = resource::with_query(&resource::path(kind, namespace, ""), query);
        let (api_version, limit) = (kind.api_version(), CHUNK.to_string());
        let mut token = String::new();
        loop {
            let page = resource::with_query(&path, &[("limit", &limit), ("continue", &token)]);
            let mut list = self.get(&page).map_err(|failure| unable(failure, kind, &path))?;
            let next = list.text("metadata.continue").to_string();
            let items = list.entry("items").as_array_mut().map(std::mem::take).unwrap_or_default();
            for item in items {
                if !take(with_kind(item, &api_version, kind.kind)) {
                    return Ok(());
                }
            }
            if next.is_empty() || next == token {
                return Ok(());
            }
            token = next;
        }
    }

    fn warnings(&mut self, response: &Response) {
        for (name, value) in &response.headers {
            if name.eq_ignore_ascii_case("warning") {
                self.warn(&warning_text(value));
            }
        }
    }
}

/// The failure of a list, saying what was looked for.
pub(crate) fn unable(failure: Failure, kind: &KindInfo, path: &str) -> Failure {
    let Failure::Status(mut status) = failure else { return failure };
    if !matches!(status.text("reason"), "BadRequest" | "NotFound") {
        return Failure::Status(status);
    }
    let value = |name: &str| resource::query_value(path, name);
    let (labels, fields) = (value("labelSelector"), value("fieldSelector"));
    let what = format!("{}/{}, Resource={}", kind.group, kind.version, kind.plural);
    let message = match labels.is_empty() && fields.is_empty() {
        true => format!("Unable to list {what:?}: {}", status.text("message")),
        false => format!(
            "Unable to find {what:?} that match label selector {labels:?}, field selector \
             {fields:?}: {}",
            status.text("message")
        ),
    };
    status.set("message", message);
    Failure::Status(status)
}

/// Items of a list lack apiVersion and kind; these come first.
fn with_kind(item: Json, api_version: &str, kind: &str) -> Json {
    if item.get("kind").is_some() {
        return item;
    }
    let mut full = Json::object();
    full.set("apiVersion", api_version);
    full.set("kind", kind);
    for (key, value) in item.fields() {
        full.set(key.clone(), value.clone());
    }
    full
}

/// The text of `299 - "text"`.
fn warning_text(header: &str) -> String {
    let quoted = header.split_once('"').map_or(header, |(_, rest)| rest);
    let quoted = quoted.strip_suffix('"').unwrap_or(quoted);
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

/// The JSON of an answer, or its failure.
pub(crate) fn of_response(response: &Response) -> Result<Json> {
    if response.code == 0 {
        return Err(Failure::Raw(format!(
            "The connection to the server {SERVER} was refused - did you specify the right host or port?\n"
        )));
    }
    let json = Json::parse(&response.body).ok();
    if response.code < 400 {
        return match json {
            Some(json) => Ok(json),
            None => Err(Failure::Plain("the server's answer is not JSON".into())),
        };
    }
    match json {
        Some(json) if json.text("kind") == "Status" => Err(Failure::Status(Box::new(json))),
        _ => {
            let (reason, mut text) = match response.code {
                404 => {
                    ("NotFound", String::from("the server could not find the requested resource"))
                }
                503 => (
                    "ServiceUnavailable",
                    String::from("the server is currently unable to handle the request"),
                ),
                504 => (
                    "Timeout",
                    String::from("the server was unable to return a response in the time allotted"),
                ),
                _ => ("InternalError", String::from("an error on the server")),
            };
            if !matches!(response.code, 404 | 503 | 504) {
                let _ = write!(text, " ({:?})", String::from_utf8_lossy(&response.body).trim());
                text.push_str(" has prevented the request from succeeding");
            }
            Err(Failure::status(response.code.into(), reason, &text))
        }
    }
}
