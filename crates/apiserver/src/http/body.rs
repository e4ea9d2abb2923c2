//! Request bodies: JSON or YAML text into typed objects, with the field validation that the client asks for.

use api::Json;
use api::codec::Decode;
use api::meta::v1::DeleteOptions;
use api::object::{KindInfo, Object};
use base::Str;

use super::query::Query;
use super::{HttpRequest, bad, unsupported_media_type};
use crate::Strictness;
use crate::errors::Refusal;
use crate::registry;

const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// What becomes of fields that are unknown or given twice.
pub(super) fn strictness(request: &HttpRequest, query: &Query) -> Result<Strictness, Refusal> {
    Ok(match query.text("fieldValidation") {
        "" | "Warn" => Strictness::Warn,
        "Ignore" => Strictness::Ignore,
        "Strict" => Strictness::Strict,
        other => {
            return Err(super::resource::invalid_options(
                request,
                "fieldValidation",
                &format!(
                    "Unsupported value: {other:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
                ),
            ));
        }
    })
}

fn is_yaml(request: &HttpRequest) -> Result<bool, Refusal> {
    let header = request.value("content-type").unwrap_or("application/json");
    let media = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "" | "application/json" => Ok(false),
        "application/yaml" => Ok(true),
        _ => Err(unsupported_media_type(ACCEPTED)),
    }
}

/// The most bytes that a body may have.
const BODY_MAX: usize = 3 * 1024 * 1024;

/// Refuses bodies that are too large.
pub(super) fn fits(request: &HttpRequest) -> Result<(), Refusal> {
    if request.body.len() <= BODY_MAX {
        return Ok(());
    }
    let text = format!("Request entity too large: limit is {BODY_MAX}");
    Err(api::wire::failure(413, "RequestEntityTooLarge", text))
}

/// A body as it was read.
#[derive(Default)]
struct Parsed {
    json: Json,
    /// The strict errors that only its text shows.
    strict: Vec<String>,
    /// How numbers are written, by their bits, where that is not how we write them.
    numbers: Vec<(u64, Str)>,
}

/// The body as JSON.
fn parse(request: &HttpRequest, kind: &str) -> Result<Parsed, Refusal> {
    let refuse = |error: String| {
        bad(format!(
            "the object provided is unrecognized (must be of type {kind}): {error} ({})",
            summary(&request.body)
        ))
    };
    let is_yaml = is_yaml(request)?;
    fits(request)?;
    if is_yaml {
        let text = String::from_utf8_lossy(&request.body);
        let (json, strict) = yaml(&text).map_err(refuse)?;
        return Ok(Parsed { json, strict, ..Parsed::default() });
    }
    let (json, numbers) = Json::parse_with_numbers(&request.body)
        .map_err(|error| refuse(format!("couldn't get version/kind; json parse error: {error}")))?;
    Ok(Parsed { json, numbers, ..Parsed::default() })
}

/// The beginning of a body, as errors show it.
fn summary(body: &[u8]) -> String {
    const MAX: usize = 30;
    let cut = &body[..body.len().min(MAX)];
    let more = if body.len() > MAX { " ..." } else { "" };
    match std::str::from_utf8(cut) {
        Ok(text) if text.chars().all(|c| !c.is_control()) => format!("{text}{more}"),
        _ => cut.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + more,
    }
}

/// One YAML document as JSON, and its repeated keys.
pub(super) fn yaml(text: &str) -> Result<(Json, Vec<String>), String> {
    let documents =
        manifest::parse(text).map_err(|error| format!("error converting YAML to JSON: {error}"))?;
    let Some(document) = documents.into_iter().next() else { return Ok((Json::Null, Vec::new())) };
    let strict = document
        .duplicates
        .iter()
        .map(|twice| {
            format!("line {}: key {:?} already set in map", twice.position.line, &*twice.key)
        })
        .collect();
    Ok((document.value, strict))
}

/// The repeated keys of a YAML document as one error.
pub(super) fn of_yaml(twice: &[String]) -> String {
    format!("yaml: unmarshal errors:\n  {}", twice.join("\n  "))
}

/// Reads the object of a create or update.
pub(super) fn object(
    request: &HttpRequest,
    info: &'static KindInfo,
    strictness: Strictness,
    warnings: &mut Vec<String>,
) -> Result<Object, Refusal> {
    let Parsed { mut json, strict: twice, numbers } = parse(request, info.kind)?;
    let mut strict = Vec::new();
    let given = identity(&json);
    check_identity(&given, info)?;
    let mut cx = Decode::new();
    let custom = registry::of(info).and_then(|row| row.custom);
    if custom.is_some()
        && let Some((_, text)) =
            numbers.iter().find(|(bits, _)| f64::from_bits(*bits).is_infinite())
    {
        let text = format!("json: cannot unmarshal number {text} into Go value of type float64");
        return Err(bad(text));
    }
    cx.numbers = numbers;
    if let Some(custom) = custom {
        strict.extend(custom.prune(&mut json));
    }
    let object = Object::decode(info, json, &mut cx);
    let refuse = |error: &str| {
        bad(format!(
            "{} in version {:?} cannot be handled as a {}: {error}",
            info.kind, info.version, info.kind
        ))
    };
    if let Some(error) = &cx.error {
        return Err(refuse(error));
    }
    strict.extend(cx.strict);
    match strictness {
        _ if strict.is_empty() && twice.is_empty() => {}
        Strictness::Ignore => {}
        Strictness::Warn => warnings.extend(twice.into_iter().chain(strict)),
        Strictness::Strict => {
            if !twice.is_empty() {
                strict.insert(0, of_yaml(&twice));
            }
            return Err(refuse(&format!("strict decoding error: {}", strict.join(", "))));
        }
    }
    Ok(object)
}

/// What the body says it is.
struct Identity {
    api_version: Str,
    kind: Str,
}

fn identity(json: &Json) -> Identity {
    let of = |key: &str| json.get(key).and_then(Json::as_str).map(Str::from).unwrap_or_default();
    Identity { api_version: of("apiVersion"), kind: of("kind") }
}

fn check_identity(given: &Identity, info: &KindInfo) -> Result<(), Refusal> {
    let expected = info.api_version();
    let version_fits = given.api_version.is_empty() || *given.api_version == *expected;
    if (given.kind.is_empty() || given.kind == info.kind) && version_fits {
        return Ok(());
    }
    let (group, version) = given.api_version.rsplit_once('/').unwrap_or(("", &given.api_version));
    if given.kind == info.kind && group == info.group {
        return Err(bad(format!(
            "the API version in the data ({}) does not match the expected API version ({expected})",
            given.api_version
        )));
    }
    let known = api::KINDS
        .iter()
        .any(|kind| kind.kind == given.kind && kind.group == group && kind.version == version);
    let why = if known {
        let package = match info.group.split('.').next().unwrap_or_default() {
            "" => "core",
            package => package,
        };
        let (from, to) = (&given.kind, info.kind);
        format!("converting ({version}.{from}) to ({package}.{to}): unknown conversion")
    } else {
        format!(
            "no kind {:?} is registered for version {:?} in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            &*given.kind, &*given.api_version
        )
    };
    Err(bad(format!(
        "{} in version {version:?} cannot be handled as a {}: {why}",
        given.kind, info.kind
    )))
}

/// Options of a deletion may name themselves as those of any group, which old clients do.
fn check_delete_identity(given: &Identity) -> Result<(), Refusal> {
    let version = match given.api_version.as_str() {
        "" => "v1",
        version => version,
    };
    let kind = match given.kind.as_str() {
        "" => "DeleteOptions",
        kind => kind,
    };
    let known = matches!(version, "v1" | "meta.k8s.io/v1")
        || api::KINDS.iter().any(|kind| kind.api_version() == version);
    if kind == "DeleteOptions" && known {
        return Ok(());
    }
    let text = format!(
        "no kind {kind:?} is registered for version {version:?} in scheme \
         \"pkg/apis/meta/internalversion/scheme/register.go:27\""
    );
    Err(api::wire::failure(500, "", text))
}

/// The options of a deletion, from the body or the query.
pub(super) fn delete_options(
    request: &HttpRequest,
    query: &Query,
) -> Result<DeleteOptions, Refusal> {
    let mut options = DeleteOptions::default();
    if !request.body.is_empty() {
        let Parsed { json, numbers, .. } = parse(request, "DeleteOptions")?;
        check_delete_identity(&identity(&json))?;
        let mut cx = Decode::new();
        cx.numbers = numbers;
        api::Value::take(&mut options, json, &mut cx);
        if let Some(error) = cx.error {
            return Err(bad(error));
        }
        return Ok(options);
    }
    if query.has("gracePeriodSeconds") {
        options.grace_period_seconds = Some(query.int("gracePeriodSeconds")?);
    }
    if query.has("propagationPolicy") {
        options.propagation_policy = Some(query.text("propagationPolicy").into());
    }
    if query.has("orphanDependents") {
        options.orphan_dependents = Some(query.flag("orphanDependents"));
    }
    Ok(options)
}
