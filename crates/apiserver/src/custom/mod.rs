//! Custom resources: what a CustomResourceDefinition adds to the registry.
//!
//! Models the API server's apiextensions part: names are accepted and served, objects are pruned, defaulted and
//! validated by the definition's schema, and a definition goes when its objects are gone.
//!
//! Known deviations:
//! - Versions differ in their names only: there are no conversion webhooks.
//! - Rules in CEL and the combinations `allOf`, `anyOf`, `oneOf` and `not` are not checked.
//! - A definition is established at once; conflicts between the names of two definitions go unnoticed.

mod check;
mod columns;
mod path;
mod pattern;
mod tables;

use std::sync::{Arc, OnceLock, RwLock};

use api::apiextensions::v1::*;
use api::custom::Custom;
use api::meta::v1::DeleteOptions;
use api::object::{Kind, KindInfo, Object};
use api::wire::{ListOptions, Subresource};
use api::{Json, Value as _};
use base::{HashMap, Instant, Str, lit};

use crate::errors::Refusal;
use crate::registry::{self, Row, Stored};
use crate::{ApiServer, Write};

pub(crate) use columns::Column;

const FINALIZER: Str = lit!("customresourcecleanup.apiextensions.k8s.io");

/// What a definition says of one version of its kind.
pub struct CustomKind {
    /// The position of the kind among all rows, the same for all its versions.
    pub(crate) at: usize,
    /// The version is served.
    pub(crate) served: bool,
    /// The schema, as the definition has it.
    pub(crate) schema: Json,
    pub(crate) columns: Vec<Column>,
    /// Where the scale subresource reads and writes: wanted replicas, present replicas, selector.
    pub(crate) scale: Option<[String; 3]>,
    pub(crate) deprecation: Option<String>,
}

/// A definition that is served.
#[derive(Clone)]
pub(crate) struct Defined {
    spec: Arc<CustomResourceDefinitionSpec>,
    pub rows: Arc<[&'static Row]>,
}

impl std::fmt::Debug for Defined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows of {}", self.rows.len(), self.spec.names.plural)
    }
}

/// Rows live as long as the process: kinds are told apart by their addresses. Equal definitions share them.
#[derive(Default)]
struct Rows {
    by_info: HashMap<usize, &'static Row>,
    by_spec: HashMap<String, Arc<[&'static Row]>>,
    positions: HashMap<String, usize>,
}

fn all() -> &'static RwLock<Rows> {
    static ALL: OnceLock<RwLock<Rows>> = OnceLock::new();
    ALL.get_or_init(RwLock::default)
}

fn address(info: &'static KindInfo) -> usize {
    std::ptr::from_ref(info) as usize
}

/// The row of a custom kind.
pub(crate) fn row(info: &'static KindInfo) -> Option<&'static Row> {
    all().read().expect("nobody panics with it").by_info.get(&address(info)).copied()
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_string().into_boxed_str())
}

fn leak_all(texts: &[Str]) -> &'static [&'static str] {
    Box::leak(texts.iter().map(|text| leak(text)).collect::<Vec<_>>().into_boxed_slice())
}

/// The rows of a definition, one for each version.
fn rows_of(spec: &CustomResourceDefinitionSpec) -> Arc<[&'static Row]> {
    let text = api::Value::to_json(spec).to_string();
    let mut table = all().write().expect("nobody panics with it");
    if let Some(rows) = table.by_spec.get(&text) {
        return rows.clone();
    }
    let next = registry::rows().len() + table.positions.len();
    let key = format!("{}/{}", spec.group, spec.names.plural);
    let at = *table.positions.entry(key).or_insert(next);
    let infos: Vec<&'static KindInfo> =
        spec.versions.iter().map(|version| info_of(spec, version)).collect();
    let stored = spec.versions.iter().position(|version| version.storage).unwrap_or(0);
    let rows: Arc<[&'static Row]> = spec
        .versions
        .iter()
        .zip(&infos)
        .map(|(version, info)| {
            let home = infos[stored];
            let row = row_of(spec, version, info, at);
            let elsewhere = !std::ptr::eq(home, *info);
            let row = Row {
                stored: elsewhere.then_some(Stored { info: home, to: convert, from: convert }),
                ..row
            };
            &*Box::leak(Box::new(row))
        })
        .collect();
    for row in rows.iter() {
        table.by_info.insert(address(row.info), row);
    }
    table.by_spec.insert(text, rows.clone());
    rows
}

fn info_of(
    spec: &CustomResourceDefinitionSpec,
    version: &CustomResourceDefinitionVersion,
) -> &'static KindInfo {
    let names = &spec.names;
    let schema = tables::of(&spec.group, &version.name, &names.kind, &schema_of(version));
    let singular = match names.singular.as_str() {
        "" => names.kind.to_lowercase(),
        given => given.to_string(),
    };
    Box::leak(Box::new(KindInfo {
        group: leak(&spec.group),
        version: leak(&version.name),
        kind: leak(&names.kind),
        plural: leak(&names.plural),
        singular: leak(&singular),
        namespaced: spec.scope == "Namespaced",
        short: leak_all(&names.short_names),
        categories: leak_all(&names.categories),
        schema,
        new: Custom::object,
    }))
}

fn schema_of(version: &CustomResourceDefinitionVersion) -> Json {
    let schema = version.schema.as_deref().and_then(|schema| schema.open_apiv3_schema.as_deref());
    schema.map(api::Value::to_json).unwrap_or_default()
}

fn row_of(
    spec: &CustomResourceDefinitionSpec,
    version: &CustomResourceDefinitionVersion,
    info: &'static KindInfo,
    at: usize,
) -> Row {
    let parts = version.subresources.as_deref();
    let has_status = parts.is_some_and(|parts| !parts.status.is_null());
    let scale = parts.and_then(|parts| parts.scale.as_deref()).map(|scale| {
        let selector = scale.label_selector_path.as_deref().unwrap_or_default();
        [&scale.spec_replicas_path, &scale.status_replicas_path, selector].map(str::to_string)
    });
    let subresources: &'static [Subresource] = match (has_status, scale.is_some()) {
        (true, true) => &[Subresource::Scale, Subresource::Status],
        (true, false) => &[Subresource::Status],
        (false, true) => &[Subresource::Scale],
        (false, false) => &[],
    };
    let selectable: Vec<Str> = version
        .selectable_fields
        .iter()
        .map(|field| field.json_path.trim_start_matches('.').into())
        .collect();
    let deprecation = version.deprecated.then(|| {
        let default = format!("{}/{} {} is deprecated", spec.group, version.name, info.kind);
        version.deprecation_warning.as_deref().map_or(default, str::to_string)
    });
    Row {
        prefix: leak(&format!("{}/{}", spec.group, spec.names.plural)),
        subresources,
        generation: true,
        resets_status: has_status,
        unconditional: false,
        selectable: leak_all(&selectable),
        read: |object, field| {
            let top = field.split(['.', '[']).next().unwrap_or_default();
            let value = registry::part(object, top)?.to_json();
            path::find(&value, &field[top.len()..]).first().map(|found| match found {
                Json::Str(text) => text.clone(),
                other => other.to_string().into(),
            })
        },
        custom: Some(Box::leak(Box::new(CustomKind {
            at,
            served: version.served,
            schema: schema_of(version),
            columns: columns::of(version),
            scale,
            deprecation,
        }))),
        ..Row::new(info)
    }
}

/// The same object in another version, or as a newer schema has it: pruned and defaulted.
pub(crate) fn convert(object: &Object, info: &'static KindInfo) -> Object {
    if std::ptr::eq(object.info(), info) {
        return object.clone();
    }
    let custom = row(info).and_then(|row| row.custom);
    let mut json = object.to_json();
    custom.map(|custom| custom.prune(&mut json));
    let mut new = Object::decode(info, json, &mut api::codec::Decode::new());
    if let Some(custom) = custom {
        custom.default(&mut new);
    }
    new
}

impl ApiServer {
    /// The row that serves `plural` in a group and version, custom kinds included.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&'static Row> {
        registry::find(group, version, plural).or_else(|| {
            self.custom_rows().find(|row| {
                let info = row.info;
                info.group == group && info.version == version && info.plural == plural
            })
        })
    }

    /// The rows of the custom kinds that are served.
    pub(crate) fn custom_rows(&self) -> impl Iterator<Item = &'static Row> {
        let rows = self.definitions.values().flat_map(|defined| defined.rows.iter().copied());
        rows.filter(|row| row.custom.is_some_and(|custom| custom.served))
    }

    /// All rows that are served.
    pub(crate) fn all_rows(&self) -> impl Iterator<Item = &'static Row> {
        registry::rows().iter().copied().chain(self.custom_rows())
    }

    /// The kinds that are served, the custom ones last.
    pub fn kinds(&self) -> Vec<&'static KindInfo> {
        self.all_rows().map(|row| row.info).collect()
    }

    /// The custom kinds in the versions in which they are stored.
    pub fn custom_kinds(&self) -> Vec<&'static KindInfo> {
        let rows = self.definitions.values().flat_map(|defined| defined.rows.iter());
        rows.filter(|row| row.stored.is_none()).map(|row| row.info).collect()
    }

    /// Grows whenever [`ApiServer::custom_kinds`] may have become more.
    pub fn definition_changes(&self) -> u64 {
        self.definition_changes
    }

    /// Brings what is served into line with a definition after it, or one of its objects, was written.
    pub(crate) fn settle_definition(&mut self, write: &Write, name: &str) -> Result<(), Refusal> {
        let row = registry::of(CustomResourceDefinition::INFO).expect("registered");
        let Some(object) = self.stored(row, "", name).cloned() else {
            self.definitions.remove(name);
            return Ok(());
        };
        let Some(definition) = object.get::<CustomResourceDefinition>() else { return Ok(()) };
        self.serve(name, &definition.spec);
        let mut new = object.clone();
        let Some(changed) = new.edit_as::<CustomResourceDefinition>() else { return Ok(()) };
        let inner = Write { subresource: Subresource::Status, verb: "status", ..write.clone() };
        if object.meta().deletion_timestamp.is_none() {
            establish(changed, write.now);
            if new != object {
                self.put(&inner, row, Some(&object), new)?;
            }
            return Ok(());
        }
        if !object.meta().finalizers.contains(&FINALIZER) || !self.empty(write, name)? {
            return Ok(());
        }
        let meta = Arc::make_mut(&mut changed.metadata);
        meta.finalizers.retain(|finalizer| *finalizer != FINALIZER);
        if meta.finalizers.is_empty() {
            self.definitions.remove(name);
            return self.remove(&inner, row, &object);
        }
        self.put(&inner, row, Some(&object), new).map(|_| ())
    }

    fn serve(&mut self, name: &str, spec: &Arc<CustomResourceDefinitionSpec>) {
        let known = self
            .definitions
            .get(name)
            .is_some_and(|defined| Arc::ptr_eq(&defined.spec, spec) || defined.spec == *spec);
        if !known {
            let defined = Defined { spec: spec.clone(), rows: rows_of(spec) };
            self.definitions.insert(name.into(), defined);
            self.definition_changes += 1;
        }
    }

    /// Deletes the objects of a definition; whether none is left.
    fn empty(&mut self, write: &Write, name: &str) -> Result<bool, Refusal> {
        let Some(defined) = self.definitions.get(name) else { return Ok(true) };
        let Some(home) = defined.rows.iter().copied().find(|row| row.stored.is_none()) else {
            return Ok(true);
        };
        let mut inner = Write { subresource: Subresource::None, verb: "delete", ..write.clone() };
        for object in self.select(home, "", &ListOptions::default()) {
            if object.meta().deletion_timestamp.is_none() {
                let options = DeleteOptions::default();
                self.delete(&mut inner, home, object.namespace(), object.name(), &options)?;
            }
        }
        Ok(self.select(home, "", &ListOptions::default()).is_empty())
    }

    /// The definition that a custom kind comes from, if that is going.
    pub(crate) fn going_definition_of(&self, row: &Row) -> Option<Str> {
        row.custom?;
        let name = row.info.resource();
        let row = registry::of(CustomResourceDefinition::INFO)?;
        let object = self.stored(row, "", &name)?;
        object.meta().deletion_timestamp.map(|_| name.into())
    }
}

/// Accepts the names and says that the kind is served.
fn establish(definition: &mut CustomResourceDefinition, now: Instant) {
    let meta = Arc::make_mut(&mut definition.metadata);
    if !meta.finalizers.contains(&FINALIZER) {
        meta.finalizers.push(FINALIZER);
    }
    let names = &definition.spec.names;
    let accepted = CustomResourceDefinitionNames {
        list_kind: match names.list_kind.as_str() {
            "" => format!("{}List", names.kind).into(),
            _ => names.list_kind.clone(),
        },
        singular: match names.singular.as_str() {
            "" => names.kind.to_lowercase().into(),
            _ => names.singular.clone(),
        },
        ..names.clone()
    };
    let status = Arc::make_mut(&mut definition.status);
    status.accepted_names = accepted;
    let conditions = [
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ];
    for (kind, reason, message) in conditions {
        if status.conditions.iter().any(|condition| condition.type_ == kind) {
            continue;
        }
        status.conditions.push(CustomResourceDefinitionCondition {
            type_: kind.into(),
            status: lit!("True"),
            reason: reason.into(),
            message: message.into(),
            last_transition_time: Some(now.into()),
            ..CustomResourceDefinitionCondition::default()
        });
    }
    for version in definition.spec.versions.iter().filter(|version| version.storage) {
        if !status.stored_versions.contains(&version.name) {
            status.stored_versions.push(version.name.clone());
        }
    }
}
