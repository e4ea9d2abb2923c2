//! Kinds and objects: what every API object has, whatever its kind.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use base::Str;

use crate::codec::{self, Decode, Record, Shaped, Value};
use crate::custom::Custom;
use crate::json::Json;
use crate::meta::v1::ObjectMeta;
use crate::schema::Schema;

/// What is known of a kind: its names and where it is served.
#[derive(Debug)]
pub struct KindInfo {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Resource name in paths.
    pub plural: &'static str,
    /// Singular resource name.
    pub singular: &'static str,
    /// Objects live in a namespace.
    pub namespaced: bool,
    /// Short names for kubectl.
    pub short: &'static [&'static str],
    /// Categories, such as `all`.
    pub categories: &'static [&'static str],
    /// The schema table.
    pub schema: &'static Schema,
    /// A new, empty object of the kind, which is passed in.
    pub new: fn(&'static KindInfo) -> Object,
}

impl KindInfo {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.into()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `pods` or `deployments.apps`: the resource as error messages name it.
    pub fn resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.into()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `Pod` or `Deployment.apps`: the kind as error messages name it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.kind.into()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }
}

impl PartialEq for KindInfo {
    fn eq(&self, other: &KindInfo) -> bool {
        (self.group, self.version, self.kind) == (other.group, other.version, other.kind)
    }
}

impl Eq for KindInfo {}

impl PartialOrd for KindInfo {
    fn partial_cmp(&self, other: &KindInfo) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KindInfo {
    fn cmp(&self, other: &KindInfo) -> std::cmp::Ordering {
        (self.group, self.version, self.kind).cmp(&(other.group, other.version, other.kind))
    }
}

impl std::hash::Hash for KindInfo {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.group, self.version, self.kind).hash(state);
    }
}

/// An API object of any kind, seen without its type. Of all values only objects know their Rust type again.
pub trait Resource: Record + Any {
    /// The kind.
    fn info(&self) -> &'static KindInfo;
    /// The metadata.
    fn meta(&self) -> &Arc<ObjectMeta>;
    /// The metadata, to change it (copied first where it is shared).
    fn meta_mut(&mut self) -> &mut ObjectMeta;
    /// A copy behind a new pointer; parts stay shared.
    fn duplicate(&self) -> Arc<dyn Resource>;
    /// Takes over the field at a position of the table from an object of the same kind, and shares it with
    /// that; false (and no change) if it is of another.
    fn copy_field(&mut self, index: usize, from: &dyn Resource) -> bool;
}

/// A kind with its Rust type.
pub trait Kind: Resource + Clone + Default + PartialEq {
    /// The kind's row in [`crate::KINDS`].
    const INFO: &'static KindInfo;
}

/// A shared, immutable API object of any kind.
#[derive(Clone)]
pub struct Object(Arc<dyn Resource>);

impl Object {
    /// Wraps a typed object.
    pub fn new<K: Kind>(object: K) -> Object {
        Object(Arc::new(object))
    }

    /// Wraps an already shared object.
    pub fn from_arc(object: Arc<dyn Resource>) -> Object {
        Object(object)
    }

    /// Reads an object of the given kind from JSON; what went wrong is in `cx`.
    pub fn decode(info: &'static KindInfo, json: Json, cx: &mut Decode) -> Object {
        let mut object = (info.new)(info);
        (object.edit() as &mut dyn Shaped).take(json, cx);
        object
    }

    /// The kind.
    pub fn info(&self) -> &'static KindInfo {
        self.0.info()
    }

    /// The metadata.
    pub fn meta(&self) -> &Arc<ObjectMeta> {
        self.0.meta()
    }

    /// The name.
    pub fn name(&self) -> &Str {
        &self.0.meta().name
    }

    /// The namespace; empty for cluster-scoped objects.
    pub fn namespace(&self) -> &Str {
        &self.0.meta().namespace
    }

    /// The typed object, if it is of kind `K`.
    pub fn get<K: Kind>(&self) -> Option<&K> {
        (&*self.0 as &dyn Any).downcast_ref()
    }

    /// The dynamic object, if it is of a kind that a CustomResourceDefinition made.
    pub fn custom(&self) -> Option<&Custom> {
        (&*self.0 as &dyn Any).downcast_ref()
    }

    /// The typed object, shared, if it is of kind `K`.
    pub fn arc<K: Kind>(&self) -> Option<Arc<K>> {
        let any: Arc<dyn Any + Send + Sync> = self.0.clone();
        any.downcast().ok()
    }

    /// The object as a resource.
    pub fn resource(&self) -> &dyn Resource {
        &*self.0
    }

    /// The object, to change it: copied first where it is shared; parts that stay equal stay shared.
    pub fn edit(&mut self) -> &mut dyn Resource {
        if Arc::get_mut(&mut self.0).is_none() {
            self.0 = self.0.duplicate();
        }
        Arc::get_mut(&mut self.0).expect("a fresh copy has one owner")
    }

    /// The typed object, to change it.
    pub fn edit_as<K: Kind>(&mut self) -> Option<&mut K> {
        (self.edit() as &mut dyn Any).downcast_mut()
    }

    /// Whether both are the very same revision in memory.
    pub fn same_as(&self, other: &Object) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// JSON text of the object, with apiVersion and kind.
    pub fn write(&self, out: &mut Vec<u8>) {
        (&*self.0 as &dyn Shaped).put(out);
    }

    /// JSON text of the object as lists hold it, without apiVersion and kind.
    pub fn write_item(&self, out: &mut Vec<u8>) {
        codec::put_item(&*self.0, out);
    }

    /// The object as a JSON tree.
    pub fn to_json(&self) -> Json {
        (&*self.0 as &dyn Shaped).to_json()
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Object) -> bool {
        self.same_as(other) || codec::same(&*self.0, &*other.0)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl<K: Kind> From<K> for Object {
    fn from(object: K) -> Object {
        Object::new(object)
    }
}

impl<K: Kind> From<Arc<K>> for Object {
    fn from(object: Arc<K>) -> Object {
        Object(object)
    }
}

/// Namespace and name: what a controller's work queue holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key {
    /// Empty for cluster-scoped objects.
    pub namespace: Str,
    /// The object's name.
    pub name: Str,
}

impl Key {
    /// A key from its parts.
    pub fn new(namespace: impl Into<Str>, name: impl Into<Str>) -> Key {
        Key { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object with this metadata.
    pub fn of(meta: &ObjectMeta) -> Key {
        Key { namespace: meta.namespace.clone(), name: meta.name.clone() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}", self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}
