//! The three kinds of patch that change an object by a document: JSON patch, merge patch, strategic merge patch.
//!
//! Server-side apply is not one of them; it lives with the API server.

pub mod json_patch;
pub mod merge;
pub mod strategic;
mod strategic_diff;

use crate::json::Json;

pub use strategic_diff::{sort_merge_lists, three_way, two_way};

/// Why a patch was not applied, by the answer the API server gives. The object is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// 400: the patch itself is malformed.
    #[error("{0}")]
    BadRequest(String),
    /// 413: the patch has too many operations.
    #[error("{0}")]
    TooLarge(String),
    /// 422: the patch does not apply to this object.
    #[error("{0}")]
    Unprocessable(String),
    /// 500: upstream gives the bare text.
    #[error("{0}")]
    Other(String),
}

/// A value as Go's `%v` prints it: `map[a:1 b:[x y]]`.
pub fn go_value(value: &Json) -> String {
    match value {
        Json::Null => "<nil>".into(),
        Json::Bool(b) => b.to_string(),
        Json::Int(n) => n.to_string(),
        Json::Float(n) => go_float(*n),
        Json::Str(text) => text.to_string(),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(go_value).collect();
            format!("[{}]", items.join(" "))
        }
        Json::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            base::sort::by(&mut sorted, |a, b| a.0.cmp(&b.0));
            let fields: Vec<String> =
                sorted.iter().map(|(k, v)| format!("{k}:{}", go_value(v))).collect();
            format!("map[{}]", fields.join(" "))
        }
    }
}

/// Shortest digits, with an exponent of at least two digits below 1e-4 and from 1e21 on.
fn go_float(n: f64) -> String {
    if n == 0.0 || (1e-4..1e21).contains(&n.abs()) {
        return n.to_string();
    }
    let text = format!("{n:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, size) = match exponent.strip_prefix('-') {
        Some(size) => ('-', size),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{size:0>2}")
}

#[cfg(test)]
mod tests;
