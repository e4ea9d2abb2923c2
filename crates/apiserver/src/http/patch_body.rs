//! The four patch types by their media types.

use api::Json;
use api::wire::Patch;

use super::query::Query;
use super::{HttpRequest, bad};
use crate::Strictness;
use crate::errors::Refusal;

/// Reads a patch.
pub(super) fn read(
    request: &HttpRequest,
    query: &Query,
    strictness: Strictness,
    warnings: &mut Vec<String>,
) -> Result<Patch, Refusal> {
    let header = request.value("content-type").unwrap_or_default();
    let media = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_apply = media == "application/apply-patch+yaml";
    if query.has("force") && !is_apply {
        return Err(super::resource::invalid_patch_options(
            "force",
            "Forbidden: may not be specified for non-apply patch",
        ));
    }
    let json = || {
        super::body::fits(request)?;
        Json::parse(&request.body).map_err(|error| bad(error.to_string()))
    };
    Ok(match media.as_str() {
        "application/json-patch+json" => Patch::Json(json()?),
        "application/merge-patch+json" => Patch::Merge(json()?),
        "application/strategic-merge-patch+json" => Patch::Strategic(json()?),
        "application/apply-patch+yaml" => {
            if query.text("fieldManager").is_empty() {
                return Err(super::resource::invalid_patch_options(
                    "fieldManager",
                    "Required value: is required for apply patch",
                ));
            }
            super::body::fits(request)?;
            let text = String::from_utf8_lossy(&request.body);
            let (body, twice) = super::body::yaml(&text)
                .map_err(|error| bad(format!("error decoding YAML: {error}")))?;
            if !twice.is_empty() {
                match strictness {
                    Strictness::Ignore => {}
                    Strictness::Warn => warnings.extend(twice),
                    Strictness::Strict => {
                        return Err(bad(format!(
                            "error strict decoding YAML: error converting YAML to JSON: {}",
                            super::body::of_yaml(&twice)
                        )));
                    }
                }
            }
            Patch::Apply { body, force: query.flag("force") }
        }
        _ => {
            let text = "415: Unsupported Media Type";
            let mut status = api::wire::failure(415, "UnsupportedMediaType", text);
            status.details = Some(Box::default());
            return Err(status);
        }
    })
}
