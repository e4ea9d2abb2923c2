//! The HTTP edge: paths, bodies and headers in, answers out. All of it without I/O.
//!
//! Known deviations:
//! - Bodies and answers are JSON or YAML; CBOR is refused as an unknown media type, and so is protobuf, which the
//!   native host reads.
//! - exec, attach, portforward and proxy are not served.

mod body;
mod discovery;
mod health;
mod negotiate;
mod openapi;
mod openapi_custom;
mod openapi_texts;
mod patch_body;
mod path;
mod query;
mod render;
mod resource;
mod stream;

use api::Json;
use api::meta::v1::{ListMeta, Status};
use api::object::{Key, Object};
use api::wire::{Cause, Trigger};
use base::{BTreeSet, Instant, Str, lit};

use crate::ApiServer;
use crate::access::Action;
use crate::errors::{self, Refusal};

pub use negotiate::{Format, accepted};
pub(crate) use render::metadata_only;
pub use stream::Stream;

/// A request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub struct HttpRequest {
    /// `GET`, `POST` …
    pub method: Str,
    /// The path, still percent-encoded.
    pub path: Str,
    /// The query, without its question mark.
    pub query: Str,
    /// Header names (any case) and values.
    pub headers: Vec<(Str, Str)>,
    /// The body.
    pub body: Vec<u8>,
    /// The number of the person's command that this request belongs to, for the ledger.
    pub command: u32,
}

impl HttpRequest {
    /// A request without headers or body.
    pub fn new(method: &str, path_and_query: &str) -> HttpRequest {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        HttpRequest {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            ..HttpRequest::default()
        }
    }

    /// The same request with one header more.
    pub fn header(mut self, name: &str, value: &str) -> HttpRequest {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same request with a body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> HttpRequest {
        self.body = body.into();
        self
    }

    /// The value of a header.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What a request is answered with.
#[derive(Debug)]
pub enum HttpAnswer {
    /// A complete response.
    Response(Response),
    /// An open stream: the host sends `first`, then what [`ApiServer::frame`] makes of each event of `id`, and
    /// calls [`ApiServer::unwatch`] when the client leaves or the time is up.
    Watch(Stream),
    /// Something only the node's kubelet can answer.
    Kubelet(Forward),
}

/// A complete response.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status code.
    pub code: u16,
    /// Header names and values, `Warning` headers included.
    pub headers: Vec<(Str, Str)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request that goes on to a kubelet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The node.
    pub node: Str,
    /// The pod.
    pub pod: Key,
    /// `log`, `exec` …
    pub what: Str,
    /// The query of the request, decoded.
    pub query: Vec<(Str, Str)>,
}

/// An answer on its way out, before it is written.
pub(crate) struct Reply {
    pub code: u16,
    pub warnings: Vec<String>,
    pub content: Content,
}

pub(crate) enum Content {
    /// A status, a table, part of an object or what is no resource, as JSON.
    Json(Json),
    /// A whole object. It is written without a tree in between where the client takes JSON.
    Object(Object),
    /// Whole objects, likewise.
    List(List),
    /// The keys by which tokens are checked, as JSON of a type of its own.
    Keys(Json),
    /// Plain text.
    Text(String),
}

/// A list of whole objects on its way out.
pub(crate) struct List {
    pub kind: String,
    pub api_version: String,
    pub metadata: Json,
    pub items: Vec<Object>,
    /// Whether each item tells its kind and version, as those of custom kinds do.
    pub kind_in_items: bool,
}

impl List {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"kind\":");
        api::json::write_str(&self.kind, out);
        out.extend_from_slice(b",\"apiVersion\":");
        api::json::write_str(&self.api_version, out);
        out.extend_from_slice(b",\"metadata\":");
        self.metadata.write(out);
        out.extend_from_slice(b",\"items\":[");
        for (i, item) in self.items.iter().enumerate() {
            if i == 1 {
                // Items of a kind are about as long as each other.
                out.reserve(out.len() * self.items.len());
            }
            if i > 0 {
                out.push(b',');
            }
            match self.kind_in_items {
                true => item.write(out),
                false => item.write_item(out),
            }
        }
        out.extend_from_slice(b"]}");
    }

    fn to_json(&self) -> Json {
        let items = self.items.iter().map(|object| {
            let mut item = object.to_json();
            if !self.kind_in_items {
                item.remove("kind");
                item.remove("apiVersion");
            }
            item
        });
        let items = items.collect();
        render::list_document(&self.kind, &self.api_version, self.metadata.clone(), items)
    }
}

impl ApiServer {
    /// Answers a request over HTTP.
    pub fn http(&mut self, now: Instant, request: &HttpRequest) -> HttpAnswer {
        let target = path::parse(&request.path);
        let query = query::Query::parse(&request.query);
        let outcome = match &target {
            path::Target::Resource(target) => {
                match resource::answer(self, now, request, target, &query) {
                    Ok(resource::Outcome::Reply(reply)) => Ok(reply),
                    Ok(resource::Outcome::Watch(stream)) => return HttpAnswer::Watch(stream),
                    Ok(resource::Outcome::Kubelet(forward)) => {
                        return HttpAnswer::Kubelet(forward);
                    }
                    Err(status) => Err(status),
                }
            }
            path::Target::Other(segments) => {
                if request.method != "GET" && request.method != "HEAD" {
                    Err(method_not_allowed())
                } else if let Err(status) = self.may_read(now, request) {
                    Err(status)
                } else {
                    other(self, request, segments, &query)
                }
            }
        };
        let format = negotiate::encoding(request);
        let response = match outcome {
            Ok(reply) => finish(reply, format),
            Err(status) => finish(of_status(&status), format),
        };
        HttpAnswer::Response(match request.path.starts_with("/openapi/") {
            true => tagged(request, response),
            false => response,
        })
    }

    /// One event of a watch in the form that its stream has, newline included.
    pub fn frame(&self, now: Instant, stream: &Stream, event: &api::wire::WatchEvent) -> Vec<u8> {
        stream::frame(now, stream, event)
    }

    /// The bookmark that is due in a stream, if one is. Everything that happened must have been sent.
    pub fn bookmark(&self, now: Instant, stream: &mut Stream) -> Option<Vec<u8>> {
        stream.takes_bookmark(now).then(|| stream::bookmark(stream.kind, self.revision(), false))
    }

    /// Whether the user may read a path that is no resource.
    fn may_read(&self, now: Instant, request: &HttpRequest) -> Result<(), Refusal> {
        let user = self.user_of(now, request)?;
        let path = if request.path.is_empty() { "/" } else { &request.path };
        self.demand(&user, &Action { verb: "get", path, ..Action::default() })
    }

    pub(crate) fn cause_of_person(request: &HttpRequest, manager: &str) -> Cause {
        Cause { actor: manager.into(), trigger: Trigger::Command(request.command) }
    }
}

/// Everything that is no resource.
fn other(
    server: &ApiServer,
    request: &HttpRequest,
    segments: &[String],
    query: &query::Query,
) -> Result<Reply, Refusal> {
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    let found = match names.as_slice() {
        [] => Some(discovery::paths(server)),
        ["version"] => Some(discovery::version()),
        ["healthz" | "livez" | "readyz", ..] => return Ok(health::answer(server, &names, query)),
        ["metrics"] => return Ok(text(200, health::metrics(server))),
        ["openapi", rest @ ..] => openapi::answer(server, rest),
        ["api" | "apis", ..] => discovery::answer(server, request, &names),
        [".well-known", "openid-configuration"] => Some(discovery::openid()),
        ["openid", "v1", "jwks"] => Some(discovery::keys()),
        _ => None,
    };
    match found {
        Some(content) => Ok(Reply { code: 200, warnings: Vec::new(), content }),
        None => Ok(text(404, "404 page not found\n".into())),
    }
}

fn text(code: u16, text: String) -> Reply {
    Reply { code, warnings: Vec::new(), content: Content::Text(text) }
}

fn method_not_allowed() -> Refusal {
    let text = "the server does not allow this method on the requested resource";
    let mut status = api::wire::failure(405, "MethodNotAllowed", text);
    status.details = Some(Box::default());
    status
}

/// A status as the body of an answer.
pub(crate) fn of_status(status: &Status) -> Reply {
    let code = status.code.filter(|code| *code > 0).unwrap_or(200) as u16;
    Reply { code, warnings: Vec::new(), content: Content::Json(status_json(status)) }
}

pub(crate) fn status_json(status: &Status) -> Json {
    let mut status = status.clone();
    (status.kind, status.api_version) = (lit!("Status"), lit!("v1"));
    let meta = status.metadata.get_or_insert_with(|| Box::new(ListMeta::default()));
    let meta = api::Value::to_json(&**meta);
    let mut json = api::Value::to_json(&status);
    json.set("metadata", meta);
    if status.code == Some(0) {
        json.remove("code");
    }
    json
}

/// A refusal that a host gives by itself, in the form that the client takes.
pub fn refusal(request: &HttpRequest, status: &Status) -> Response {
    finish(of_status(status), negotiate::encoding(request))
}

fn tree(content: Content) -> Json {
    match content {
        Content::Json(json) | Content::Keys(json) => json,
        Content::Object(object) => object.to_json(),
        Content::List(list) => list.to_json(),
        Content::Text(text) => Json::Str(text.into()),
    }
}

fn finish(reply: Reply, format: negotiate::Encoding) -> Response {
    let mut headers: Vec<(Str, Str)> = Vec::new();
    let json_type = match &reply.content {
        // Clients tell aggregated discovery from the plain one by this type only.
        Content::Json(json)
            if json.get("kind").and_then(Json::as_str) == Some("APIGroupDiscoveryList") =>
        {
            lit!("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
        }
        _ => lit!("application/json"),
    };
    let (kind, body) = match (reply.content, format) {
        (Content::Keys(json), _) => {
            (lit!("application/jwk-set+json"), json.to_string().into_bytes())
        }
        (Content::Text(text), _) => (lit!("text/plain; charset=utf-8"), text.into_bytes()),
        (content, negotiate::Encoding::Json { pretty: false }) => {
            let mut body = Vec::with_capacity(1024);
            match content {
                Content::Object(object) => object.write(&mut body),
                Content::List(list) => list.write(&mut body),
                other => tree(other).write(&mut body),
            }
            body.push(b'\n');
            (json_type, body)
        }
        (content, negotiate::Encoding::Json { pretty: true }) => {
            let mut body = Vec::new();
            tree(content).write_pretty(&mut body);
            body.push(b'\n');
            (json_type, body)
        }
        (content, negotiate::Encoding::Yaml) => {
            (lit!("application/yaml"), manifest::to_yaml(&tree(content)).into_bytes())
        }
    };
    headers.push((lit!("Content-Type"), kind));
    headers.push((lit!("Cache-Control"), lit!("no-cache, private")));
    for warning in told(&reply.warnings) {
        headers.push((lit!("Warning"), warning_header(&warning).into()));
    }
    Response { code: reply.code, headers, body }
}

/// The response with a tag of its content, or none of the content where the client has it already.
fn tagged(request: &HttpRequest, mut response: Response) -> Response {
    if response.code != 200 {
        return response;
    }
    let tag = format!("\"{}\"", openapi::digest(&response.body));
    if request.value("if-none-match").is_some_and(|known| known.split(", ").any(|k| k == tag)) {
        (response.code, response.body) = (304, Vec::new());
    }
    response.headers.push((lit!("Etag"), tag.into()));
    response
}

/// The warnings that are sent: each once, and when they are long, only the beginning of each and of them all.
fn told(warnings: &[String]) -> Vec<String> {
    const ALL_MAX: usize = 4 * 1024;
    const EACH_MAX: usize = 256;
    let mut seen = BTreeSet::new();
    let different: Vec<&String> = warnings.iter().filter(|w| seen.insert(w.as_str())).collect();
    let all: usize = different.iter().map(|warning| warning.chars().count()).sum();
    if all <= ALL_MAX {
        return different.into_iter().cloned().collect();
    }
    let cut = different.into_iter().map(|warning| warning.chars().take(EACH_MAX).collect());
    let mut left = ALL_MAX;
    cut.take_while(|warning: &String| {
        let length = warning.chars().count();
        let fits = length <= left;
        left -= length.min(left);
        fits
    })
    .collect()
}

/// `299 - "text"`, with the quotes and backslashes of the text escaped.
fn warning_header(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
    format!("299 - \"{escaped}\"")
}

pub(crate) fn not_acceptable() -> Refusal {
    let text = "only the following media types are accepted: application/json, application/yaml, \
        application/vnd.kubernetes.protobuf";
    errors_with(406, "NotAcceptable", text)
}

pub(crate) fn unsupported_media_type(accepted: &str) -> Refusal {
    let text = format!(
        "the body of the request was in an unknown format - accepted media types include: {accepted}"
    );
    errors_with(415, "UnsupportedMediaType", &text)
}

fn errors_with(code: i32, reason: &str, text: &str) -> Refusal {
    api::wire::failure(code, reason, text)
}

pub(crate) fn bad(text: impl Into<Str>) -> Refusal {
    errors::bad_request(text)
}
