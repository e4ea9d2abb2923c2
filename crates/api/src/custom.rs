//! Objects of kinds that a CustomResourceDefinition makes: one compact dynamic tree each.

use std::sync::Arc;

use crate::codec::{self, Decode, Record, Value, same_and_assign};
use crate::json::Json;
use crate::meta::v1::ObjectMeta;
use crate::object::{KindInfo, Object, Resource};
use crate::schema::Schema;

/// A custom resource: its metadata, and the other top-level fields of its schema as documents.
///
/// Where the schema [is open](Schema::is_open) the fields that it does not have lie together in its nameless one.
#[derive(Clone, PartialEq)]
pub struct Custom {
    info: &'static KindInfo,
    metadata: Arc<ObjectMeta>,
    /// One for each field of the schema table; that of `metadata` stays `null`.
    fields: Arc<[Json]>,
}

impl Custom {
    /// An empty object. The kind's schema must have a `metadata` field.
    pub fn new(info: &'static KindInfo) -> Custom {
        let fields = info.schema.fields.iter().map(|_| Json::Null).collect();
        Custom { info, metadata: Arc::default(), fields }
    }

    /// [`KindInfo::new`] of custom kinds.
    pub fn object(info: &'static KindInfo) -> Object {
        Object::from_arc(Arc::new(Custom::new(info)))
    }

    /// A top-level field such as `spec`; `None` where the schema or the object lacks it.
    pub fn get(&self, name: &str) -> Option<&Json> {
        let at = self.info.schema.index_of(name)?;
        Some(&self.fields[at]).filter(|json| !json.is_null())
    }

    fn is_metadata(&self, index: usize) -> bool {
        self.info.schema.fields[index].name == "metadata"
    }
}

impl Record for Custom {
    fn schema(&self) -> &'static Schema {
        self.info.schema
    }
    fn field(&self, index: usize) -> &dyn Value {
        if self.is_metadata(index) { &self.metadata } else { &self.fields[index] }
    }
    fn field_mut(&mut self, index: usize) -> &mut dyn Value {
        if self.is_metadata(index) {
            &mut self.metadata
        } else {
            &mut Arc::make_mut(&mut self.fields)[index]
        }
    }
    fn as_value(&self) -> &dyn Value {
        self
    }
    fn type_meta(&self) -> Option<(String, &'static str)> {
        Some((self.info.api_version(), self.info.kind))
    }
}

impl Resource for Custom {
    fn info(&self) -> &'static KindInfo {
        self.info
    }
    fn meta(&self) -> &Arc<ObjectMeta> {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        Arc::make_mut(&mut self.metadata)
    }
    fn duplicate(&self) -> Arc<dyn Resource> {
        Arc::new(self.clone())
    }
}

impl Value for Custom {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_json().write(out);
    }
    fn to_json(&self) -> Json {
        let mut json = codec::record_to_json(self);
        if self.info.schema.is_open() {
            let rest = json.remove("").unwrap_or_default();
            rest.fields().iter().for_each(|(name, value)| json.set(name.clone(), value.clone()));
            json.fields_mut().sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        json
    }
    fn is_zero(&self) -> bool {
        codec::record_is_zero(self)
    }
    fn take(&mut self, mut json: Json, cx: &mut Decode) {
        let schema = self.info.schema;
        if schema.is_open()
            && let Json::Object(entries) = &mut json
        {
            let known = |name: &str| {
                matches!(name, "apiVersion" | "kind") || schema.index_of(name).is_some()
            };
            let (own, rest): (Vec<_>, Vec<_>) =
                std::mem::take(entries).into_iter().partition(|(name, _)| known(name));
            *entries = own;
            Arc::make_mut(&mut self.fields)[0] = match rest.is_empty() {
                true => Json::Null,
                false => Json::Object(rest),
            };
        }
        codec::take_record(self, json, cx);
    }
    same_and_assign!();
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        codec::debug(self, f)
    }
}
