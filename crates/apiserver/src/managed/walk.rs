//! Walks over documents with their schema: which fields there are, which differ, merging and removing.
//!
//! Models structured-merge-diff, the library below server-side apply, for documents in one version.

use std::convert::Infallible;

use api::Json;
use api::json::Lookup;
use api::patch;
use api::schema::{Field, ListType, Schema, Ty};
use base::{BTreeMap, BTreeSet, HashMap, Str};

use super::set::Set;

/// The type of a value with what its field says of merging.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    ty: Ty,
    atomic: bool,
    list: ListType,
    keys: &'static [&'static str],
}

/// How a value is taken apart.
enum Parts {
    /// As a whole.
    Leaf,
    /// By named fields.
    Fields,
    /// By items with keys or by distinct values.
    Items,
}

/// Structs that are always managed as a whole.
const ATOMIC: &[&str] = &[
    "ConfigMapKeySelector",
    "CrossVersionObjectReference",
    "EndpointAddress",
    "EndpointPort",
    "FileKeySelector",
    "LabelSelector",
    "LocalObjectReference",
    "MatchResources",
    "NamedRuleWithOperations",
    "NodeSelector",
    "NodeSelectorTerm",
    "ObjectFieldSelector",
    "ObjectReference",
    "OwnerReference",
    "ParamKind",
    "ParamRef",
    "ResourceFieldSelector",
    "RoleRef",
    "ScopeSelector",
    "SecretKeySelector",
    "SecretReference",
    "ServiceBackendPort",
    "Subject",
    "TopologySelectorTerm",
    "TypedLocalObjectReference",
    "Variable",
];

fn is_atomic(schema: &Schema) -> bool {
    ATOMIC.binary_search(&schema.name()).is_ok()
        && schema.definition != "io.k8s.api.autoscaling.v2.CrossVersionObjectReference"
}

impl Shape {
    /// A whole object.
    pub(super) fn root(schema: &'static Schema) -> Shape {
        Shape { ty: Ty::Struct(schema), atomic: false, list: ListType::Atomic, keys: &[] }
    }

    fn plain(ty: Ty) -> Shape {
        Shape { ty, atomic: false, list: ListType::Atomic, keys: &[] }
    }

    fn of(field: &Field) -> Shape {
        Shape { ty: field.ty, atomic: field.atomic, list: field.list, keys: field.keys }
    }

    fn parts(&self) -> Parts {
        match self.ty {
            _ if self.atomic => Parts::Leaf,
            Ty::Struct(schema) if is_atomic(schema) => Parts::Leaf,
            Ty::Struct(_) | Ty::Map(_) | Ty::Open => Parts::Fields,
            Ty::List(_) if self.list != ListType::Atomic => Parts::Items,
            _ => Parts::Leaf,
        }
    }

    /// The shape of a field; `true` where the schema names it, as opposed to a map's entry.
    fn field(&self, name: &str) -> (Shape, bool) {
        match self.ty {
            Ty::Struct(schema) => match schema.field(name) {
                Some(field) => (Shape::of(field), true),
                None => match schema.field("") {
                    Some(rest) => (Shape::of(rest), false),
                    None => (Shape::plain(Ty::Any), true),
                },
            },
            Ty::Map(inner) => (Shape::plain(*inner), false),
            Ty::Open => (Shape::plain(Ty::Open), false),
            _ => (Shape::plain(Ty::Any), false),
        }
    }

    fn item(&self) -> Shape {
        match self.ty {
            Ty::List(inner) => Shape::plain(*inner),
            _ => Shape::plain(Ty::Any),
        }
    }

    /// A key of the list that the item lacks. The only keys with a default are protocols, and names of references
    /// within a namespace, which may be empty.
    fn missing_key(&self, item: &Json) -> Option<&'static str> {
        let Json::Object(_) = item else { return None };
        let may_be_empty = matches!(self.ty, Ty::List(Ty::Struct(schema)) if schema.name() == "LocalObjectReference");
        let lacks = |key: &&&str| item.get(key).is_none_or(Json::is_null) && **key != "protocol";
        (self.list == ListType::Map && !may_be_empty)
            .then(|| self.keys.iter().find(lacks).copied())
            .flatten()
    }

    /// What tells an item of the list from the others.
    fn identity(&self, item: &Json) -> Str {
        match self.list {
            ListType::Map => {
                let mut keys: Vec<&str> = self.keys.to_vec();
                base::sort::naturally(&mut keys);
                let mut identity = Json::object();
                for key in keys {
                    let value = item.get(key).filter(|value| !value.is_null()).cloned();
                    // The only keys with a default in the API are protocols, and names that may be empty.
                    let default = || if key == "protocol" { "TCP" } else { "" }.into();
                    identity.set(key, value.unwrap_or_else(default));
                }
                format!("k:{identity}").into()
            }
            _ => format!("v:{item}").into(),
        }
    }
}

fn step(name: &str) -> Str {
    format!("f:{name}").into()
}

fn is_empty(value: Option<&Json>) -> bool {
    match value {
        None | Some(Json::Null) => true,
        Some(Json::Object(fields)) => fields.is_empty(),
        Some(Json::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

/// All fields that a document has.
pub(super) fn fields_of(shape: Shape, value: &Json) -> Set {
    let mut set = Set::default();
    gather(shape, value, &mut Vec::new(), &mut set);
    set
}

fn gather(shape: Shape, value: &Json, at: &mut Vec<Str>, set: &mut Set) {
    match (shape.parts(), value) {
        (Parts::Fields, Json::Object(fields)) => {
            for (name, below) in fields {
                let (inner, named) = shape.field(name);
                at.push(step(name));
                gather(inner, below, at, set);
                let hollow =
                    below.is_null() || below.as_object().is_some_and(|fields| fields.is_empty());
                if hollow || !named {
                    set.insert(at);
                }
                at.pop();
            }
        }
        (Parts::Items, Json::Array(items)) => {
            for item in items {
                at.push(shape.identity(item));
                gather(shape.item(), item, at, set);
                set.insert(at);
                at.pop();
            }
        }
        (Parts::Leaf, _) | (_, _) => set.insert(at),
    }
}

/// A place in a configuration and why it cannot be applied.
pub(super) type Fault = (Vec<Str>, String);

/// What the schema does not allow: fields that it does not have, values of another type, list items without their
/// keys or with the same ones.
pub(super) fn faults(shape: Shape, value: &Json) -> Vec<Fault> {
    let mut out = Vec::new();
    seek(shape, value, &mut Vec::new(), &mut out);
    out
}

fn seek(shape: Shape, value: &Json, at: &mut Vec<Str>, out: &mut Vec<Fault>) {
    match (shape.ty, value) {
        (_, Json::Null) => {}
        (Ty::Struct(schema), Json::Object(fields)) => {
            for (name, below) in fields {
                if at.is_empty() && (name == "apiVersion" || name == "kind") {
                    continue;
                }
                at.push(step(name));
                match schema.field(name) {
                    Some(field) => seek(Shape::of(field), below, at, out),
                    None if schema.is_open() => {}
                    None => out.push((at.clone(), "field not declared in schema".into())),
                }
                at.pop();
            }
        }
        (Ty::Map(_), Json::Object(fields)) => {
            for (name, below) in fields {
                at.push(step(name));
                seek(shape.field(name).0, below, at, out);
                at.pop();
            }
        }
        (Ty::List(_), Json::Array(items)) => seek_items(shape, items, at, out),
        _ => {
            if let Some(why) = wrong_type(shape.ty, value) {
                out.push((at.clone(), why));
            }
        }
    }
}

fn seek_items(shape: Shape, items: &[Json], at: &mut Vec<Str>, out: &mut Vec<Fault>) {
    let mut seen = BTreeSet::new();
    for (i, item) in items.iter().enumerate() {
        if let Some(key) = shape.missing_key(item) {
            let why = format!(
                "element {i}: associative list with keys has an element that omits key field {key:?} (and doesn't \
                 have default value)"
            );
            out.push((at.clone(), why));
            continue;
        }
        let named = match shape.list {
            ListType::Atomic => format!("i:{i}").into(),
            _ => shape.identity(item),
        };
        at.push(named.clone());
        seek(shape.item(), item, at, out);
        at.pop();
        if shape.list != ListType::Atomic && !seen.insert(named.clone()) {
            let key = super::set::path_text(&[named]);
            out.push((at.clone(), format!("duplicate entries for key {key}")));
        }
    }
}

/// Why a value is none of the type. Quantities, times and the like may be written in several ways.
fn wrong_type(ty: Ty, value: &Json) -> Option<String> {
    let is_number = matches!(value, Json::Int(_) | Json::Float(_));
    let plain = || patch::go_value(value);
    match ty {
        Ty::Bool if !matches!(value, Json::Bool(_)) => {
            Some(format!("expected boolean, got &{{{}}}", plain()))
        }
        Ty::Int32 | Ty::Int64 | Ty::Float if !is_number => {
            let kind = match value {
                Json::Str(_) => "string",
                Json::Bool(_) => "bool",
                Json::Array(_) => "[]interface {}",
                _ => "map[string]interface {}",
            };
            Some(format!("expected numeric (int or float), got {kind}"))
        }
        Ty::Str | Ty::Bytes if !matches!(value, Json::Str(_)) => Some(format!(
            "expected string, got &value.valueUnstructured{{Value:{}}}",
            go_syntax(value)
        )),
        Ty::List(_) => Some(format!("expected list, got &{{{}}}", plain())),
        Ty::Map(_) | Ty::Struct(_) => Some(format!("expected map, got &{{{}}}", plain())),
        _ => None,
    }
}

/// A value as Go's `%#v` writes it.
fn go_syntax(value: &Json) -> String {
    match value {
        Json::Str(text) => crate::go_quoted(text),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Json::Object(fields) => {
            let mut fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}:{}", crate::go_quoted(name), go_syntax(value)))
                .collect();
            base::sort::naturally(&mut fields);
            format!("map[string]interface {{}}{{{}}}", fields.join(", "))
        }
        Json::Null => "interface {}(nil)".into(),
        plain => plain.to_string(),
    }
}

/// What differs between two documents.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub added: Set,
    pub modified: Set,
    pub removed: Set,
}

impl Comparison {
    pub(super) fn is_same(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }
}

/// Compares two documents of one shape.
pub(super) fn compare(shape: Shape, old: &Json, new: &Json) -> Comparison {
    let mut comparison = Comparison::default();
    differ(shape, Some(old), Some(new), &mut Vec::new(), &mut comparison);
    comparison
}

fn differ(
    shape: Shape,
    old: Option<&Json>,
    new: Option<&Json>,
    at: &mut Vec<Str>,
    out: &mut Comparison,
) {
    // Where the schema leaves a value open, it may be no map on either side.
    let scalar = |side: Option<&Json>| side.is_some_and(|json| !json.is_object());
    let leaf = match shape.parts() {
        Parts::Leaf => true,
        _ if is_empty(old) && is_empty(new) => true,
        Parts::Fields if scalar(old) && scalar(new) => true,
        Parts::Fields => {
            let empty: &[(Str, Json)] = &[];
            let (a, b) = (old.map_or(empty, Json::fields), new.map_or(empty, Json::fields));
            let names: BTreeSet<&Str> = a.iter().chain(b).map(|(name, _)| name).collect();
            let (left, right) = (Lookup::new(old), Lookup::new(new));
            for name in names {
                at.push(step(name));
                let (inner, _) = shape.field(name);
                let (a, b) = (left.get(name), right.get(name));
                if a != b || a.is_none() {
                    differ(inner, a, b, at, out);
                }
                at.pop();
            }
            false
        }
        Parts::Items => {
            differ_items(shape, old, new, at, out);
            false
        }
    };
    match (old, new) {
        (None, Some(_)) => out.added.insert(at),
        (Some(_), None) => out.removed.insert(at),
        (Some(a), Some(b)) if leaf && a != b => out.modified.insert(at),
        _ => {}
    }
}

fn differ_items(
    shape: Shape,
    old: Option<&Json>,
    new: Option<&Json>,
    at: &mut Vec<Str>,
    out: &mut Comparison,
) {
    // Of items with one identity the first counts.
    fn named(shape: Shape, side: Option<&Json>) -> BTreeMap<Str, &Json> {
        let items = side.map_or(&[][..], Json::items);
        items.iter().rev().map(|item| (shape.identity(item), item)).collect()
    }
    let (a, b) = (named(shape, old), named(shape, new));
    let ids: BTreeSet<&Str> = a.keys().chain(b.keys()).collect();
    for id in ids {
        let (a, b) = (a.get(id).copied(), b.get(id).copied());
        if a != b {
            at.push(id.clone());
            differ(shape.item(), a, b, at, out);
            at.pop();
        }
    }
}

/// `live` with everything that `config` says.
pub(super) fn merge(shape: Shape, live: Option<&Json>, config: Option<&Json>) -> Json {
    let (Some(live), Some(config)) = (live, config) else {
        return live.or(config).cloned().unwrap_or_default();
    };
    match (shape.parts(), live, config) {
        (Parts::Fields, Json::Object(_) | Json::Null, Json::Object(fields)) => {
            let mut out = if live.is_null() { Json::object() } else { live.clone() };
            let merged = out.change_each(fields.clone(), Str::clone, |out, name, value| {
                let (inner, _) = shape.field(&name);
                let merged = merge(inner, out.get(&name), Some(&value));
                out.set(name, merged);
                Ok::<(), Infallible>(())
            });
            match merged {
                Ok(()) => out,
            }
        }
        (Parts::Fields | Parts::Items, _, Json::Null) => live.clone(),
        (Parts::Items, Json::Array(a), Json::Array(b)) => merge_items(shape, a, b),
        _ => config.clone(),
    }
}

/// The items of `config` in their order, with those that only `live` has kept at their places.
fn merge_items(shape: Shape, live: &[Json], config: &[Json]) -> Json {
    let ids =
        |items: &[Json]| -> Vec<Str> { items.iter().map(|item| shape.identity(item)).collect() };
    let (left, right) = (ids(live), ids(config));
    let first: HashMap<&Str, usize> =
        left.iter().enumerate().rev().map(|(i, id)| (id, i)).collect();
    let last: HashMap<&Str, usize> = right.iter().enumerate().map(|(i, id)| (id, i)).collect();
    let mut out = Vec::new();
    let mut l = 0;
    for (r, id) in right.iter().enumerate() {
        while l < left.len() && left[l] != *id {
            match last.get(&left[l]) {
                None => out.push(live[l].clone()),
                // It comes later in the new order; what stands before the present item waits.
                Some(at) if *at >= r => break,
                Some(_) => {}
            }
            l += 1;
        }
        let own = first.get(id).map(|at| &live[*at]);
        out.push(merge(shape.item(), own, Some(&config[r])));
        if l < left.len() && left[l] == *id {
            l += 1;
        }
    }
    while l < left.len() {
        if !last.contains_key(&left[l]) {
            out.push(live[l].clone());
        }
        l += 1;
    }
    Json::Array(out)
}

/// `value` without the fields of `gone`.
pub(super) fn remove(shape: Shape, value: &Json, gone: &Set) -> Json {
    match (shape.parts(), value) {
        (Parts::Fields, Json::Object(fields)) => {
            let mut out = Vec::with_capacity(fields.len());
            for (name, below) in fields {
                let id = step(name);
                if gone.members.contains(&id) {
                    continue;
                }
                let kept = match gone.below(&id) {
                    Some(inner) => remove(shape.field(name).0, below, inner),
                    None => below.clone(),
                };
                out.push((name.clone(), kept));
            }
            Json::Object(out)
        }
        (Parts::Items, Json::Array(items)) => {
            let kept = items.iter().filter_map(|item| {
                let id = shape.identity(item);
                if gone.members.contains(&id) {
                    return None;
                }
                Some(match gone.below(&id) {
                    Some(inner) => remove(shape.item(), item, inner),
                    None => item.clone(),
                })
            });
            kept.collect()
        }
        _ => value.clone(),
    }
}
