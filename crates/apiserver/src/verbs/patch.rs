//! patch: the object as JSON, changed by the patch, read back strictly and stored like an update.

use api::Json;
use api::codec::Decode;
use api::meta::v1::StatusDetails;
use api::object::{KindInfo, Object};
use api::patch::{self, PatchError};
use api::wire::{Answer, Patch, Reply, Request, Verb, failure, not_found};

use super::go_order;
use crate::errors::{self, Refusal};
use crate::registry::{self, Row};
use crate::{ApiServer, Write, managed};

/// Patches a stored object through a served version.
pub(crate) fn patch_as(
    server: &mut ApiServer,
    write: &mut Write,
    served: &'static Row,
    row: &'static Row,
    request: Request,
) -> Reply {
    let Request { namespace, name, verb: Verb::Patch(patch), .. } = request else {
        return Err(errors::internal("not a patch"));
    };
    server.patch(write, served, row, &namespace, &name, patch)
}

impl ApiServer {
    /// Patches an object.
    pub(crate) fn patch(
        &mut self,
        write: &mut Write,
        served: &'static Row,
        row: &'static Row,
        namespace: &str,
        name: &str,
        patch: Patch,
    ) -> Reply {
        if !row.verbs.contains(&"patch") {
            return Err(errors::method_not_supported(row.info, "patch"));
        }
        let old = self.stored(row, namespace, name).cloned();
        if row.custom.is_some() && matches!(patch, Patch::Strategic(_)) {
            let text = "the body of the request was in an unknown format - accepted media types include: \
                application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
            return Err(failure(415, "UnsupportedMediaType", text));
        }
        if let Patch::Apply { body, force } = patch {
            return managed::apply(self, write, (served, row), old, (namespace, name), body, force);
        }
        let Some(old) = old else { return Err(not_found(row.info, name)) };
        let shown = row.present(&old, served.info);
        let document = shown.to_json();
        let again = (write.is_http && self.field_order.is_some()).then(|| patch.clone());
        let in_order = || self.in_order(served.info, &document, again.as_ref()?);
        let shown = match &patch {
            Patch::Strategic(body) if write.is_http => Shown::Patch(patch::go_value(body)),
            _ => Shown::Document(&in_order),
        };
        let changed = patched(served.info, &document, patch)?;
        let mut object = decode(write, served.info, changed, &shown)?;
        if let Some(stored) = served.stored.as_ref().filter(|_| served.info != row.info) {
            object = (stored.to)(&object, stored.info);
        }
        check_identity(&old, &mut object)?;
        super::dedup_owners(write, &mut object);
        let stored = self.replace(write, row, old, object)?;
        Ok(Answer::Object(row.present(&stored, served.info), false))
    }

    /// What the patch makes of a document, with the fields where Go has them.
    fn in_order(&self, info: &KindInfo, document: &Json, patch: &Patch) -> Option<String> {
        let mut json = document.clone();
        go_order::declared(&mut json, info.schema, self.field_order?);
        let mut json = patched(info, &json, patch.clone()).ok()?;
        go_order::taken_apart(&mut json, patch);
        Some(json.to_string())
    }
}

/// What is shown of a patch whose outcome is no object of the kind.
pub(crate) enum Shown<'a> {
    /// The outcome; in the order in which Go has its fields, where that is known.
    Document(&'a dyn Fn() -> Option<String>),
    /// Only the patch, as Go prints it: strategic merge patches.
    Patch(String),
}

/// The document that the patch makes of `document`.
pub(crate) fn patched(info: &KindInfo, document: &Json, patch: Patch) -> Result<Json, Refusal> {
    let result = match patch {
        Patch::Json(operations) => patch::json_patch::apply(document, &operations),
        Patch::Merge(body) => patch::merge::apply(document.clone(), &body),
        Patch::Strategic(body) => patch::strategic::apply(document.clone(), body, info.schema),
        Patch::Apply { .. } => unreachable!("apply is not a document patch"),
    };
    result.map_err(|error| match error {
        PatchError::BadRequest(text) => errors::bad_request(text),
        PatchError::TooLarge(text) => failure(413, "RequestEntityTooLarge", text),
        PatchError::Unprocessable(_) => errors::unprocessable(),
        PatchError::Other(text) => failure(500, "", text),
    })
}

/// Reads what a patch made, strictly; type errors are 422 as upstream has it for patches.
pub(crate) fn decode(
    write: &mut Write,
    info: &'static KindInfo,
    mut json: Json,
    shown: &Shown<'_>,
) -> Result<Object, Refusal> {
    let mut cx = Decode::new();
    cx.converts = matches!(shown, Shown::Patch(_));
    let whole = if cx.converts { Json::Null } else { json.clone() };
    let text = || match shown {
        Shown::Patch(text) => text.clone(),
        Shown::Document(in_order) => in_order().unwrap_or_else(|| whole.to_string()),
    };
    if let Some(custom) = registry::of(info).and_then(|row| row.custom) {
        cx.strict.extend(custom.prune(&mut json));
    }
    let object = Object::decode(info, json, &mut cx);
    if let Some(error) = cx.error {
        return Err(patch_invalid(&text(), &error));
    }
    if cx.converts {
        base::sort::naturally(&mut cx.strict);
    }
    if !cx.strict.is_empty() {
        match write.strictness {
            crate::Strictness::Ignore => {}
            crate::Strictness::Warn => write.warnings.extend(cx.strict),
            crate::Strictness::Strict => {
                let error = format!("strict decoding error: {}", cx.strict.join(", "));
                return Err(patch_invalid(&text(), &error));
            }
        }
    }
    Ok(object)
}

/// 422 for a patch whose outcome is no object of the kind. Upstream leaves kind and name out.
fn patch_invalid(shown: &str, error: &str) -> Refusal {
    let text = format!("Invalid value: {}: {error}", crate::go_quoted(shown));
    let mut status = failure(422, "Invalid", format!(" \"\" is invalid: patch: {text}"));
    status.details = Some(Box::new(StatusDetails {
        causes: [api::wire::cause("FieldValueInvalid", "patch", &text)].into_iter().collect(),
        ..StatusDetails::default()
    }));
    status
}

/// A patch does not move an object. Patches of the status see the object as it is.
fn check_identity(old: &Object, object: &mut Object) -> Result<(), Refusal> {
    if object.name() != old.name() {
        return Err(errors::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            object.name(),
            old.name()
        )));
    }
    if object.namespace() != old.namespace() {
        return Err(errors::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}
