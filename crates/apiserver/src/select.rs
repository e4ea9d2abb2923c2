//! Which objects a selector means: labels by the selector itself, fields by what the registry row can read.

use api::object::Object;
use api::selector::{FieldSelector, Selector};
use api::wire::Interest;
use base::Str;

use crate::registry::Row;

/// The value that `field` must have, if the selector wants exactly one.
pub fn required(fields: &FieldSelector, field: &str) -> Option<Str> {
    fields.exact(field).filter(|value| !value.is_empty()).cloned()
}

/// Whether the labels of `object` fulfil `labels`.
pub fn labels(labels: &Selector, object: &Object) -> bool {
    let own = &object.meta().labels;
    labels.is_everything() || labels.matches(|key| own.get(key).map(Str::as_str))
}

/// Whether the fields of `object` fulfil `fields`.
pub fn fields(row: &Row, fields: &FieldSelector, object: &Object) -> bool {
    fields.terms().iter().all(|term| {
        let value = row.field(object, &term.field).unwrap_or_default();
        (value == term.value) == term.equal
    })
}

/// Whether a watch of `interest` sees `object`.
pub fn matches(row: &Row, interest: &Interest, object: &Object) -> bool {
    (interest.namespace.is_empty() || interest.namespace == *object.namespace())
        && labels(&interest.labels, object)
        && fields(row, &interest.fields, object)
}
