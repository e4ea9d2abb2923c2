//! The columns that a definition gives its table.

use api::apiextensions::v1::CustomResourceDefinitionVersion;
use api::object::Object;
use api::time::Time;
use api::{Decode, Json, Value as _};
use base::Instant;

use super::{CustomKind, path};
use crate::table;

/// One column beside the name.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub name: String,
    pub ty: String,
    pub format: String,
    pub description: String,
    pub priority: i64,
    path: String,
}

/// The version's own columns, or the age if it has none.
pub(super) fn of(version: &CustomResourceDefinitionVersion) -> Vec<Column> {
    if version.additional_printer_columns.is_empty() {
        return vec![Column {
            name: "Age".into(),
            ty: "date".into(),
            format: String::new(),
            description: String::new(),
            priority: 0,
            path: ".metadata.creationTimestamp".into(),
        }];
    }
    let columns = version.additional_printer_columns.iter().map(|column| Column {
        name: column.name.to_string(),
        ty: column.type_.to_string(),
        format: column.format.to_string(),
        description: column.description.to_string(),
        priority: i64::from(column.priority),
        path: column.json_path.to_string(),
    });
    columns.collect()
}

impl CustomKind {
    /// The cells of an object, the name first.
    pub(crate) fn cells(&self, now: Instant, object: &Object) -> Vec<Json> {
        let json = object.to_json();
        let mut cells = vec![Json::Str(object.name().clone())];
        for column in &self.columns {
            let found = path::find(&json, &column.path);
            cells.push(found.first().map_or(Json::Null, |value| cell(now, column, value)));
        }
        cells
    }

    /// The wanted replicas, the present ones and the selector, as the scale subresource shows them.
    pub(crate) fn scale_of(&self, object: &Object) -> Option<(i32, i32, String)> {
        let [wanted, present, selector] = self.scale.as_ref()?;
        let json = object.to_json();
        let number = |path: &str| {
            let value = path::find(&json, path).first().and_then(|value| value.as_i64());
            i32::try_from(value.unwrap_or(0)).unwrap_or(0)
        };
        let selector = match selector.as_str() {
            "" => None,
            path => path::find(&json, path).first().and_then(|value| value.as_str()),
        };
        Some((number(wanted), number(present), selector.unwrap_or_default().to_string()))
    }

    /// Sets the wanted replicas.
    pub(crate) fn set_replicas(&self, object: &mut Object, replicas: i32) {
        let Some([wanted, ..]) = &self.scale else { return };
        let mut json = object.to_json();
        path::set(&mut json, wanted, Json::Int(i64::from(replicas)));
        let top = wanted.split('.').find(|name| !name.is_empty()).unwrap_or_default();
        if let (Some(at), Some(value)) = (object.resource().schema().index_of(top), json.get(top)) {
            object.edit().field_mut(at).take(value.clone(), &mut Decode::new());
        }
    }
}

fn cell(now: Instant, column: &Column, value: &Json) -> Json {
    match (column.ty.as_str(), value) {
        ("date", Json::Str(text)) => match Time::parse(text) {
            Ok(at) => table::between(at.instant(), now).into(),
            Err(_) => "<invalid>".into(),
        },
        ("string", Json::Str(_)) | ("integer", Json::Int(_)) | ("number" | "boolean", _) => {
            value.clone()
        }
        ("integer", Json::Float(n)) => Json::Int(*n as i64),
        ("string", other) => other.to_string().into(),
        _ => Json::Null,
    }
}
