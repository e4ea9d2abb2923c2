//! One row for each kind: where it is stored, what its strategy does to it, what it can be asked.
//!
//! Adding a kind takes a row in the file of its API group; a kind with behaviour of its own has a file.

mod admissionregistration;
mod apiextensions;
mod apps;
mod authorization;
mod autoscaling;
mod batch;
mod certificates;
mod core;
mod events;
mod networking;
mod node;
mod pod;
mod policy;
mod resource;
mod service;
mod small;
mod storage;

use std::sync::OnceLock;

use api::authentication::v1::UserInfo;
use api::codec::{Shaped, Value};
use api::meta::v1::Status;
use api::object::{KindInfo, Object};
use api::wire::Subresource;
use base::{HashMap, Instant, Str};

use crate::ApiServer;
use crate::custom::{self, CustomKind};

/// What the API server knows of one kind.
pub struct Row {
    /// The kind.
    pub info: &'static KindInfo,
    /// Path of the stored objects below `/registry/`.
    pub prefix: &'static str,
    /// The verbs that the resource has.
    pub verbs: &'static [&'static str],
    /// Its subresources.
    pub subresources: &'static [Subresource],
    /// `metadata.generation` counts the changes of what is wanted.
    pub generation: bool,
    /// A change of the annotations counts too.
    pub generation_annotations: bool,
    /// A new object starts with an empty status, whatever was sent.
    pub resets_status: bool,
    /// An update may leave the resource version out.
    pub unconditional: bool,
    /// An update of a missing object creates it.
    pub create_on_update: bool,
    /// A deletion answers with the deleted object instead of a status.
    pub returns_deleted: bool,
    /// Without a propagation policy a deletion orphans dependents.
    pub orphans: bool,
    /// Readies a new object, after decoding, defaulting and admission.
    pub prepare_create: fn(&mut Object, &Cx),
    /// Readies a changed object.
    pub prepare_update: fn(&mut Object, &Object, &Cx),
    /// Takes what the object needs from shared pools (addresses, ports), or refuses.
    pub reserve: Option<Reserve>,
    /// Gives back what the object had.
    pub release: Option<fn(&mut ApiServer, &Object)>,
    /// Fields that selectors may name, besides `metadata.name` and `metadata.namespace`.
    pub selectable: &'static [&'static str],
    /// Reads one of them.
    pub read: fn(&Object, &str) -> Option<Str>,
    /// Another version in which the objects are stored.
    pub stored: Option<Stored>,
    /// Requests are answered and not stored (reviews).
    pub virtual_create: Option<Answer>,
    /// What a CustomResourceDefinition says of the kind.
    pub custom: Option<&'static CustomKind>,
    /// What the round trip through upstream's internal version adds to every object, after defaulting.
    pub settle: fn(&mut Object),
}

/// Answers a review in place, or refuses it.
pub type Answer = fn(&ApiServer, &mut Object, Instant, &UserInfo) -> Result<(), Box<Status>>;

/// Takes what an object (the second object: its former state) needs from shared pools.
pub type Reserve =
    fn(&mut ApiServer, &mut Object, Option<&Object>, bool) -> Result<(), Box<Status>>;

/// How a served version goes over into the stored one and back.
pub struct Stored {
    /// The stored kind.
    pub info: &'static KindInfo,
    /// From the served version into the kind that is passed in.
    pub to: Convert,
    /// Into the served version.
    pub from: Convert,
}

/// The same object as another kind.
pub type Convert = fn(&Object, &'static KindInfo) -> Object;

/// What a strategy may know of the request.
#[derive(Clone, Copy, Debug)]
pub struct Cx {
    /// The time of the request.
    pub now: Instant,
    /// The part that is written.
    pub subresource: Subresource,
    /// The client named no labels: those that are there come from defaulting.
    pub labels_defaulted: bool,
}

const ALL_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

impl Row {
    /// A kind with no behaviour of its own.
    pub const fn new(info: &'static KindInfo) -> Row {
        Row {
            info,
            prefix: info.plural,
            verbs: ALL_VERBS,
            subresources: &[],
            generation: false,
            generation_annotations: false,
            resets_status: true,
            unconditional: true,
            create_on_update: false,
            returns_deleted: false,
            orphans: false,
            prepare_create: |_, _| {},
            prepare_update: |_, _, _| {},
            reserve: None,
            release: None,
            selectable: &[],
            read: |_, _| None,
            stored: None,
            virtual_create: None,
            custom: None,
            settle: |_| {},
        }
    }

    /// A kind with a generation and a status.
    pub const fn with_status(info: &'static KindInfo) -> Row {
        Row { generation: true, subresources: &[Subresource::Status], ..Row::new(info) }
    }

    /// A kind that is only ever posted and answered.
    pub const fn review(info: &'static KindInfo, answer: Answer) -> Row {
        Row { verbs: &["create"], virtual_create: Some(answer), ..Row::new(info) }
    }

    /// The value of a selectable field.
    pub fn field(&self, object: &Object, path: &str) -> Option<Str> {
        match path {
            "metadata.name" => Some(object.name().clone()),
            "metadata.namespace" => Some(object.namespace().clone()),
            other => (self.read)(object, other),
        }
    }

    /// Whether selectors may name the field.
    pub fn is_selectable(&self, path: &str) -> bool {
        path == "metadata.name"
            || (path == "metadata.namespace" && self.info.namespaced)
            || self.selectable.contains(&path)
    }

    /// Whether the kind has the subresource.
    pub fn has(&self, subresource: Subresource) -> bool {
        subresource == Subresource::None || self.subresources.contains(&subresource)
    }

    /// The key prefix of all objects of the kind, with its slash: `/registry/pods/`.
    pub fn root(&self) -> String {
        format!("/registry/{}/", self.prefix)
    }

    /// The key of one object.
    pub fn key(&self, namespace: &str, name: &str) -> Str {
        if self.info.namespaced {
            base_format(&["/registry/", self.prefix, "/", namespace, "/", name])
        } else {
            base_format(&["/registry/", self.prefix, "/", name])
        }
    }

    /// A stored object as version `kind` shows it.
    pub fn present(&self, object: &Object, kind: &'static KindInfo) -> Object {
        if std::ptr::eq(object.info(), kind) {
            return object.clone();
        }
        // A custom object may be stored under an older schema; what is none of its kind is a scale.
        let as_it_is = match self.custom {
            Some(_) => object.info().kind != kind.kind,
            None => object.info() == kind,
        };
        if as_it_is {
            return object.clone();
        }
        match of(kind).and_then(|row| row.stored.as_ref()) {
            Some(stored) => (stored.from)(object, kind),
            None if self.custom.is_some() => custom::convert(object, kind),
            None => object.clone(),
        }
    }
}

fn base_format(parts: &[&str]) -> Str {
    let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| text.push_str(part));
    text.into()
}

/// All rows, group by group.
pub fn rows() -> &'static [&'static Row] {
    static ROWS: OnceLock<Vec<&'static Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let groups = [
            core::ROWS,
            pod::ROWS,
            service::ROWS,
            admissionregistration::ROWS,
            apiextensions::ROWS,
            apps::ROWS,
            authorization::ROWS,
            autoscaling::ROWS,
            batch::ROWS,
            certificates::ROWS,
            events::ROWS,
            networking::ROWS,
            node::ROWS,
            policy::ROWS,
            resource::ROWS,
            small::ROWS,
            storage::ROWS,
        ];
        groups.into_iter().flatten().collect()
    })
}

/// The position of the kind's row in [`rows`].
pub fn index_of(info: &'static KindInfo) -> Option<usize> {
    static INDEX: OnceLock<HashMap<&'static KindInfo, usize>> = OnceLock::new();
    let index =
        INDEX.get_or_init(|| rows().iter().enumerate().map(|(at, row)| (row.info, at)).collect());
    match index.get(info) {
        Some(at) => Some(*at),
        None => custom::row(info).and_then(|row| row.custom).map(|custom| custom.at),
    }
}

/// The row of a kind.
pub fn of(info: &'static KindInfo) -> Option<&'static Row> {
    match index_of(info)? {
        at if at < rows().len() => Some(rows()[at]),
        _ => custom::row(info),
    }
}

/// The row that serves `plural` in a group and version.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Row> {
    rows().iter().copied().find(|row| {
        row.info.group == group && row.info.version == version && row.info.plural == plural
    })
}

/// The value of a top-level field such as `spec`.
pub fn part<'a>(object: &'a Object, name: &str) -> Option<&'a dyn Shaped> {
    let record = object.resource();
    record.schema().index_of(name).map(|at| record.field(at))
}

/// Copies a top-level field from `from`; the two objects share it from then on.
pub fn copy_part(to: &mut Object, from: &Object, name: &str) {
    if let Some(at) = to.resource().schema().index_of(name) {
        to.edit().copy_field(at, from.resource());
    }
}

/// Empties a top-level field.
pub fn clear_part(object: &mut Object, name: &str) {
    let Some(at) = object.resource().schema().index_of(name) else { return };
    if !object.resource().field(at).is_zero() {
        let empty = (object.info().new)(object.info());
        object.edit().copy_field(at, empty.resource());
    }
}

/// Whether all top-level fields but metadata and status are equal.
pub fn same_wanted(a: &Object, b: &Object) -> bool {
    if !std::ptr::eq(a.resource().schema(), b.resource().schema()) {
        // A definition's schema has changed in between.
        let (mut a, mut b) = (a.to_json(), b.to_json());
        [&mut a, &mut b].into_iter().for_each(|json| {
            json.remove("metadata");
            json.remove("status");
        });
        return a == b;
    }
    let (a, b) = (a.resource(), b.resource());
    let fields = a.schema().fields.iter().enumerate();
    fields
        .filter(|(_, field)| field.name != "metadata" && field.name != "status")
        .all(|(at, _)| a.field(at).same(b.field(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_row() {
        for kind in api::KINDS {
            let own = rows().iter().filter(|row| row.info == *kind).count();
            let inner = ["Scale"].contains(&kind.kind);
            assert_eq!(own, usize::from(!inner), "{} {}", kind.api_version(), kind.kind);
        }
    }
}
