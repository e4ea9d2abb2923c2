//! Content negotiation: JSON or YAML, whole objects, tables or metadata only.

use super::{HttpRequest, not_acceptable};
use crate::errors::Refusal;

/// How text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json { pretty: bool },
    Yaml,
}

/// In which form objects are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// As they are.
    #[default]
    Whole,
    /// As rows of a `meta.k8s.io/v1` table.
    Table,
    /// Their metadata only, as `PartialObjectMetadata`.
    Metadata,
}

/// Names and values.
pub type Parameters = Vec<(String, String)>;

/// The media types of an `Accept` header with their parameters, best first.
pub fn accepted(header: &str) -> Vec<(String, Parameters)> {
    let mut types: Vec<(i32, String, Parameters)> = Vec::new();
    for part in header.split(',') {
        let mut pieces = part.split(';').map(str::trim);
        let media = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let mut weight = 1000;
        let mut parameters = Vec::new();
        for piece in pieces {
            let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
            if key == "q" {
                weight = value.parse::<f64>().map_or(0, |q| (q * 1000.0) as i32);
            } else {
                parameters.push((key.to_string(), value.to_string()));
            }
        }
        if !media.is_empty() {
            types.push((weight, media, parameters));
        }
    }
    base::sort::by_key(&mut types, |(weight, ..)| -weight);
    types.into_iter().map(|(_, media, parameters)| (media, parameters)).collect()
}

/// How the answer is written; errors are always written somehow.
pub(super) fn encoding(request: &HttpRequest) -> Encoding {
    let header = request.value("accept").unwrap_or("*/*");
    let known = accepted(header).into_iter().find_map(|(media, _)| match media.as_str() {
        "application/yaml" => Some(Encoding::Yaml),
        "application/json" | "*/*" | "application/*" => Some(json(request)),
        _ => None,
    });
    known.unwrap_or(json(request))
}

fn json(request: &HttpRequest) -> Encoding {
    let query = super::query::Query::parse(&request.query);
    let browser = request.value("user-agent").is_some_and(|agent| {
        agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0")
    });
    Encoding::Json { pretty: if query.has("pretty") { query.flag("pretty") } else { browser } }
}

/// The form that the client wants, or 406.
pub(super) fn format(request: &HttpRequest) -> Result<Format, Refusal> {
    let Some(header) = request.value("accept").filter(|header| !header.is_empty()) else {
        return Ok(Format::Whole);
    };
    for (media, parameters) in accepted(header) {
        let known = matches!(
            media.as_str(),
            "application/json" | "application/yaml" | "*/*" | "application/*"
        );
        if !known {
            continue;
        }
        let of = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, v)| &**v);
        let meta = of("g") == Some("meta.k8s.io") && matches!(of("v"), Some("v1" | "v1beta1"));
        match of("as") {
            None => return Ok(Format::Whole),
            Some("Table") if meta => return Ok(Format::Table),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") if meta => {
                return Ok(Format::Metadata);
            }
            Some(_) => {}
        }
    }
    Err(not_acceptable())
}

/// Whether the client asks for discovery in one document.
pub(super) fn wants_aggregated(request: &HttpRequest) -> bool {
    let header = request.value("accept").unwrap_or_default();
    accepted(header).first().is_some_and(|(_, parameters)| {
        let of = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, v)| &**v);
        of("as") == Some("APIGroupDiscoveryList") && of("v") == Some("v2")
    })
}
