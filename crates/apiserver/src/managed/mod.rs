//! Who manages which fields.

use api::Json;
use api::object::Object;
use api::wire::Reply;

use crate::errors;
use crate::registry::Row;
use crate::{ApiServer, Write};

/// Notes the manager of a new object.
pub(crate) fn on_create(_: &Write, _: &Row, _: &mut Object) {}

/// Notes the manager of a change.
pub(crate) fn on_update(_: &Write, _: &Row, _: &Object, _: &mut Object) {}

/// Server-side apply.
pub(crate) fn apply(
    _: &mut ApiServer,
    _: &mut Write,
    _: &'static Row,
    _: Option<Object>,
    _: (&str, &str),
    _: Json,
    _: bool,
) -> Reply {
    Err(errors::internal("server-side apply is not there yet"))
}
