//! Objects of kinds that a CustomResourceDefinition makes: one compact dynamic tree each.

use std::any::Any;
use std::sync::Arc;

use crate::codec::{Record, Shaped, record_value};
use crate::json::Json;
use crate::meta::v1::ObjectMeta;
use crate::object::{KindInfo, Object, Resource};
use crate::schema::Schema;

/// A custom resource: its metadata, and the other top-level fields of its schema as documents.
///
/// Where the schema [is open](Schema::is_open) the fields that it does not have lie together in its nameless one.
#[derive(Clone)]
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
    fn field(&self, index: usize) -> &dyn Shaped {
        if self.is_metadata(index) { &self.metadata } else { &self.fields[index] }
    }
    fn field_mut(&mut self, index: usize) -> &mut dyn Shaped {
        if self.is_metadata(index) {
            &mut self.metadata
        } else {
            &mut Arc::make_mut(&mut self.fields)[index]
        }
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
    /// By the field's name, as a definition's schema may have changed in between.
    fn copy_field(&mut self, index: usize, from: &dyn Resource) -> bool {
        let Some(from) = (from as &dyn Any).downcast_ref::<Custom>() else { return false };
        if self.is_metadata(index) {
            self.metadata = from.metadata.clone();
            return true;
        }
        let Some(theirs) = from.info.schema.index_of(self.info.schema.fields[index].name) else {
            return false;
        };
        Arc::make_mut(&mut self.fields)[index] = from.fields[theirs].clone();
        true
    }
}

record_value!(Custom);
