//! Request bodies in Kubernetes' protobuf encoding, as the JSON that they stand for.
//!
//! Models `application/vnd.kubernetes.protobuf` of apimachinery: `k8s\0`, then a message that names the kind and
//! holds the object. kubectl's typed generators and client-go's typed clients send it. The field numbers lie in
//! `fields.txt`, which `cargo xtask protobuf` writes.
//!
//! Known deviations:
//! - Answers are JSON, which every such client accepts too; but for the OpenAPI document ([`openapi`]).
//! - Seven fields that came with v1.36 have no number here and are left out; `cargo xtask protobuf` names them.

pub mod openapi;
pub mod order;
mod reader;
mod table;

use api::Json;
use api::meta::v1::Status;
use api::wire::failure;
use apiserver::http::HttpRequest;

use reader::{Reader, Wire};
use table::Table;

const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Turns a protobuf body into a JSON body. Requests of other types, and of kinds that have no protobuf form, stay as
/// they are. A body that cannot be read is refused.
pub fn to_json(request: &mut HttpRequest) -> Result<(), Box<Status>> {
    let media = request.value("content-type").unwrap_or_default();
    let is_protobuf = media.split(';').next().unwrap_or_default().trim() == MEDIA_TYPE;
    if !is_protobuf || request.body.is_empty() {
        return Ok(());
    }
    let Some(json) = decode(&request.body).map_err(|error| refusal(request, &error))? else {
        return Ok(());
    };
    request.body.clear();
    json.write(&mut request.body);
    for (name, value) in &mut request.headers {
        if name.eq_ignore_ascii_case("content-type") {
            *value = "application/json".into();
        }
    }
    Ok(())
}

/// What is wrong with a body.
#[derive(Debug, PartialEq, Eq)]
struct Malformed {
    /// Kind and version, where they could be read.
    object: Option<(String, String)>,
    text: String,
}

/// The object of a body; `None` where its kind is not known here.
fn decode(body: &[u8]) -> Result<Option<Json>, Malformed> {
    let Some(envelope) = body.strip_prefix(MAGIC) else {
        let text = "provided data does not appear to be a protobuf message, expected prefix \
                    [107 56 115 0]";
        return Err(Malformed { object: None, text: text.into() });
    };
    let broken = |text: &str| Malformed { object: None, text: text.into() };
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    let mut fields = Reader::new(envelope);
    while let Some((number, value)) = fields.field().map_err(broken)? {
        match (number, value) {
            (1, Wire::Bytes(names)) => {
                let mut names = Reader::new(names);
                while let Some((number, value)) = names.field().map_err(broken)? {
                    match (number, value) {
                        (1, Wire::Bytes(text)) => api_version = reader::text(text),
                        (2, Wire::Bytes(text)) => kind = reader::text(text),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(object)) => raw = object,
            _ => {}
        }
    }
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
    let Some(message) = Table::shared().of_kind(group, version, &kind) else { return Ok(None) };
    let read = message.read(raw, 0).map_err(|text| Malformed {
        object: Some((kind.clone(), version.to_string())),
        text: text.into(),
    })?;
    let mut json = Json::object();
    json.set("apiVersion", api_version);
    json.set("kind", kind);
    for (key, value) in read.fields() {
        json.set(key.clone(), value.clone());
    }
    Ok(Some(json))
}

fn refusal(request: &HttpRequest, error: &Malformed) -> Box<Status> {
    let text = match &error.object {
        Some((kind, version)) => {
            format!("{kind} in version {version:?} cannot be handled as a {kind}: {}", error.text)
        }
        None => {
            const MAX: usize = 30;
            let cut = &request.body[..request.body.len().min(MAX)];
            let start: String = cut.iter().map(|byte| format!("{byte:02x}")).collect();
            let more = if request.body.len() > MAX { " ..." } else { "" };
            format!(
                "the object provided is unrecognized (must be of type {}): {} ({start}{more})",
                kind_of_path(&request.path),
                error.text
            )
        }
    };
    failure(400, "BadRequest", text)
}

/// The kind that a path is about.
fn kind_of_path(path: &str) -> &'static str {
    let words: Vec<&str> = path.split('/').collect();
    let of = |word: &&str| api::KINDS.iter().find(|kind| kind.plural == *word);
    words.iter().rev().find_map(of).map_or("", |kind| kind.kind)
}

#[cfg(test)]
mod tests;
