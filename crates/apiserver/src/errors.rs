//! The refusals of the API server, as `Status` objects in upstream's words.

use api::KindInfo;
use api::meta::v1::{Status, StatusCause, StatusDetails};
use api::wire::{failure, with_details};
use base::{Str, lit};

use crate::validation::FieldError;

/// A refusal.
pub type Refusal = Box<Status>;

/// 400 with a message.
pub fn bad_request(message: impl Into<Str>) -> Refusal {
    failure(400, "BadRequest", message)
}

/// 403 by an admission plugin: `pods "web" is forbidden: …`.
pub fn forbidden(kind: &KindInfo, name: &str, why: &str) -> Refusal {
    let message = if name.is_empty() {
        format!("{} is forbidden: {why}", kind.resource())
    } else {
        format!("{} {name:?} is forbidden: {why}", kind.resource())
    };
    with_details(failure(403, "Forbidden", message), kind.group, kind.plural, name)
}

/// 405 for a verb that the resource does not have.
pub fn method_not_supported(kind: &KindInfo, verb: &str) -> Refusal {
    let message = format!("{verb} is not supported on resources of kind {:?}", kind.resource());
    with_details(failure(405, "MethodNotAllowed", message), kind.group, kind.plural, "")
}

/// 404 where not even the resource is known.
pub fn unknown_resource() -> Refusal {
    let mut status = failure(404, "NotFound", "the server could not find the requested resource");
    status.details = Some(Box::default());
    status
}

/// 422 with one cause for each thing that is wrong.
pub fn invalid(kind: &KindInfo, name: &str, errors: &[FieldError]) -> Refusal {
    let mut texts: Vec<String> = Vec::new();
    for error in errors {
        let text = format!("{}: {}", error.field, error.message);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let list = match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let message = format!("{} {name:?} is invalid: {list}", kind.qualified());
    let causes = errors.iter().map(|error| StatusCause {
        reason: error.reason.into(),
        message: error.message.clone(),
        field: error.field.clone(),
    });
    let mut status = failure(422, "Invalid", message);
    status.details = Some(Box::new(StatusDetails {
        name: name.into(),
        group: kind.group.into(),
        kind: kind.kind.into(),
        causes: causes.collect(),
        ..StatusDetails::default()
    }));
    status
}

/// 422 that names the resource instead of the kind, as the storage layer does.
pub fn invalid_resource(kind: &KindInfo, name: &str, error: &FieldError) -> Refusal {
    let mut status = invalid(kind, name, std::slice::from_ref(error));
    let text =
        format!("{} {name:?} is invalid: {}: {}", kind.resource(), error.field, error.message);
    status.message = text.into();
    if let Some(details) = &mut status.details {
        details.kind = kind.plural.into();
    }
    status
}

/// 422 for a patch that cannot be applied to the object.
pub fn unprocessable() -> Refusal {
    let message = "the server rejected our request due to an error in our request";
    let mut status = failure(422, "Invalid", message);
    status.details = Some(Box::default());
    status
}

/// 410: the revision is compacted.
pub fn expired(message: &str) -> Refusal {
    failure(410, "Expired", message)
}

/// 504: the revision has not been reached.
pub fn too_large_resource_version(asked: i64, newest: i64) -> Refusal {
    let message = format!("Timeout: Too large resource version: {asked}, current: {newest}");
    let mut status = failure(504, "Timeout", message);
    status.details = Some(Box::new(StatusDetails {
        causes: [StatusCause {
            reason: lit!("ResourceVersionTooLarge"),
            message: lit!("Too large resource version"),
            field: Str::new(),
        }]
        .into_iter()
        .collect(),
        retry_after_seconds: Some(1),
        ..StatusDetails::default()
    }));
    status
}

/// 429: an eviction would break a budget.
pub fn too_many_requests(message: impl Into<Str>) -> Refusal {
    failure(429, "TooManyRequests", message)
}

/// 500 with a message.
pub fn internal(message: &str) -> Refusal {
    let mut status = failure(500, "InternalError", format!("Internal error occurred: {message}"));
    status.details = Some(Box::new(StatusDetails {
        causes: [StatusCause { message: message.into(), ..StatusCause::default() }]
            .into_iter()
            .collect(),
        ..StatusDetails::default()
    }));
    status
}

/// A field error.
pub fn field_error(reason: &'static str, field: &str, message: impl Into<Str>) -> FieldError {
    FieldError { reason, field: field.into(), message: message.into() }
}
