//! Who manages which fields: `managedFields` of updates, and server-side apply.
//!
//! Known deviations:
//! - Objects that the cluster's own parts create carry no `managedFields`; they are kept up to date where they
//!   are. The first apply to an object without them makes the manager `before-first-apply`, as upstream does.
//! - Managers of another version of the same kind are compared as if they had used this one.
//! - There is no limit of ten update managers, and no take-over from client-side apply.

mod set;
mod walk;

use api::Json;
use api::meta::v1::{ManagedFieldsEntry, StatusCause, StatusDetails};
use api::object::Object;
use api::time::Time;
use api::wire::{Answer, Reply, Subresource, failure, not_found};
use base::{Str, lit};

use crate::errors::{self, Refusal};
use crate::registry::Row;
use crate::{ApiServer, Write, verbs};
use set::Set;
use walk::{Comparison, Shape};

/// One manager with its fields.
#[derive(Clone, Debug, PartialEq)]
struct Manager {
    name: Str,
    operation: Str,
    version: Str,
    subresource: Str,
    time: Option<Time>,
    fields: Set,
}

impl Manager {
    /// Whether both stand for the same writer. Appliers are the same whatever version they use.
    fn is(&self, other: &Manager) -> bool {
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == "Apply" || self.version == other.version)
    }

    /// How conflicts name it.
    fn describe(&self) -> String {
        let mut text = crate::go_quoted(&self.name);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {}", crate::go_quoted(&self.subresource)));
        }
        if self.operation == "Update" {
            text.push_str(&format!(" using {}", self.version));
        }
        text
    }
}

fn read(object: &Object) -> Vec<Manager> {
    let entries = object.meta().managed_fields.iter();
    let manager = |entry: &ManagedFieldsEntry| Manager {
        name: entry.manager.clone(),
        operation: entry.operation.clone(),
        version: entry.api_version.clone(),
        subresource: entry.subresource.clone(),
        time: entry.time,
        fields: Set::parse(&entry.fields_v1),
    };
    entries.filter(|entry| !entry.operation.is_empty()).map(manager).collect()
}

fn store(object: &mut Object, mut managers: Vec<Manager>) {
    managers.retain(|manager| !manager.fields.is_empty());
    base::sort::by(&mut managers, |a, b| {
        (&a.operation, a.time, &a.name, &a.version).cmp(&(
            &b.operation,
            b.time,
            &b.name,
            &b.version,
        ))
    });
    let entries = managers.into_iter().map(|manager| ManagedFieldsEntry {
        manager: manager.name,
        operation: manager.operation,
        api_version: manager.version,
        time: manager.time,
        fields_type: lit!("FieldsV1"),
        fields_v1: manager.fields.to_json(),
        subresource: manager.subresource,
    });
    object.edit().meta_mut().managed_fields = entries.collect();
}

fn writer(write: &Write, row: &Row, operation: Str) -> Manager {
    Manager {
        name: if write.manager.is_empty() { lit!("unknown") } else { write.manager.clone() },
        operation,
        version: write.version.clone().unwrap_or_else(|| row.info.api_version().into()),
        subresource: part_name(write.managed_as).into(),
        time: Some(write.now.into()),
        fields: Set::default(),
    }
}

fn part_name(subresource: Subresource) -> &'static str {
    match subresource {
        Subresource::Status => "status",
        Subresource::Scale => "scale",
        Subresource::EphemeralContainers => "ephemeralcontainers",
        Subresource::Resize => "resize",
        Subresource::Approval => "approval",
        Subresource::Finalize => "finalize",
        _ => "",
    }
}

/// Takes out what nobody manages: identity, and the part that this subresource does not write.
fn strip(row: &Row, subresource: Subresource, set: &mut Set) {
    set.prune(&["f:apiVersion"]);
    set.prune(&["f:kind"]);
    for name in [
        "f:name",
        "f:namespace",
        "f:creationTimestamp",
        "f:selfLink",
        "f:uid",
        "f:clusterName",
        "f:generation",
        "f:managedFields",
        "f:resourceVersion",
    ] {
        set.prune(&["f:metadata", name]);
    }
    set.members.remove("f:metadata");
    match subresource {
        Subresource::Status => set.prune(&["f:spec"]),
        _ if row.has(Subresource::Status) => set.prune(&["f:status"]),
        _ => {}
    }
}

fn compare(row: &Row, subresource: Subresource, old: &Json, new: &Json) -> Comparison {
    let mut comparison = walk::compare(Shape::root(row.info.schema), old, new);
    let sets = [&mut comparison.added, &mut comparison.modified, &mut comparison.removed];
    sets.into_iter().for_each(|set| strip(row, subresource, set));
    comparison
}

/// A document as managers see it: without the managers.
fn document(object: &Object) -> Json {
    let mut json = object.to_json();
    if let Some(meta) = json.get_mut("metadata") {
        meta.remove("managedFields");
    }
    json
}

/// The document of an object that says nothing.
fn nothing(row: &Row) -> Json {
    let mut json = document(&(row.info.new)(row.info));
    // The one template that upstream keeps behind a pointer.
    if row.info.kind == "ReplicationController"
        && let Some(spec) = json.get_mut("spec")
    {
        spec.remove("template");
    }
    json
}

/// Notes the manager of a new object. Called after defaulting and before admission.
pub(crate) fn on_create(write: &Write, row: &Row, object: &mut Object) {
    if !write.is_http || write.applied {
        return;
    }
    let empty = nothing(row);
    let comparison = compare(row, write.subresource, &empty, &document(object));
    let mut manager = writer(write, row, lit!("Update"));
    manager.fields = comparison.modified.union(&comparison.added);
    store(object, vec![manager]);
}

/// Notes the manager of a change. Called after defaulting and before admission.
pub(crate) fn on_update(write: &Write, row: &Row, old: &Object, new: &mut Object) {
    if write.applied {
        return;
    }
    let reset = {
        let given = &new.meta().managed_fields;
        given.len() == 1 && given[0] == ManagedFieldsEntry::default()
    };
    if reset {
        new.edit().meta_mut().managed_fields.clear();
        return;
    }
    let mut managers = read(new);
    if managers.is_empty() {
        managers = read(old);
    }
    if managers.is_empty() {
        return;
    }
    let comparison = compare(row, write.subresource, &document(old), &document(new));
    let own = writer(write, row, lit!("Update"));
    take_over(&mut managers, &own, &comparison);
    let changed = comparison.modified.union(&comparison.added);
    match managers.iter_mut().find(|manager| manager.is(&own)) {
        Some(manager) => {
            let fields = manager.fields.difference(&comparison.removed).union(&changed);
            if fields != manager.fields {
                (manager.fields, manager.time) = (fields, own.time);
            }
        }
        None => managers.push(Manager { fields: changed, ..own }),
    }
    store(new, managers);
}

/// The other managers lose what was changed or removed.
fn take_over(managers: &mut [Manager], own: &Manager, comparison: &Comparison) {
    let changed = comparison.modified.union(&comparison.added);
    for manager in managers.iter_mut().filter(|manager| !manager.is(own)) {
        let lost = manager.fields.intersection(&changed);
        manager.fields = manager.fields.difference(&lost).difference(&comparison.removed);
    }
}

/// Server-side apply: merges the configuration into the live object, or creates it.
pub(crate) fn apply(
    server: &mut ApiServer,
    write: &mut Write,
    (served, row): (&'static Row, &'static Row),
    old: Option<Object>,
    (namespace, name): (&str, &str),
    body: Json,
    force: bool,
) -> Reply {
    check_body(served, namespace, name, &body)?;
    check_schema(served, (namespace, name), &body)?;
    let config = settled(row, namespace, name, body);
    let live = match &old {
        Some(old) => row.present(old, served.info),
        None if write.subresource != Subresource::None => return Err(not_found(row.info, name)),
        None => (served.info.new)(served.info),
    };
    let (merged, managers) = merged(write, served, &live, old.is_some(), &config, force)?;
    let mut object = verbs::decode(write, served.info, merged, &verbs::Shown::Document(&|| None))?;
    if let Some(stored) = served.stored.as_ref().filter(|_| served.info != row.info) {
        object = (stored.to)(&object, stored.info);
    }
    store(&mut object, managers);
    write.applied = true;
    let (stored, created) = match old {
        Some(old) => (server.replace(write, row, old, object)?, false),
        None => (server.create(write, row, namespace, object)?, true),
    };
    Ok(Answer::Object(row.present(&stored, served.info), created))
}

fn check_body(row: &Row, namespace: &str, name: &str, body: &Json) -> Result<(), Refusal> {
    let text = |path: &[&str]| body.at(path).and_then(Json::as_str).unwrap_or_default();
    if text(&["apiVersion"]).is_empty() || text(&["kind"]).is_empty() {
        return Err(errors::bad_request("Object 'Kind' is missing"))
            .map_err(|status| with_body(status, body));
    }
    if text(&["apiVersion"]) != row.info.api_version() {
        return Err(errors::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({})",
            text(&["apiVersion"]),
            row.info.api_version()
        )));
    }
    if text(&["kind"]) != row.info.kind {
        let kind = go_kind(text(&["apiVersion"]), text(&["kind"]));
        return Err(errors::bad_request(format!("invalid object type: {kind}")));
    }
    if body.at(&["metadata", "managedFields"]).is_some_and(|fields| !fields.is_null()) {
        return Err(errors::bad_request("metadata.managedFields must be nil"));
    }
    let given = text(&["metadata", "name"]);
    if !given.is_empty() && given != name {
        return Err(errors::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    let given = text(&["metadata", "namespace"]);
    if row.info.namespaced && !given.is_empty() && given != namespace {
        return Err(errors::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// What does not fit the schema cannot be applied, whatever the field validation.
fn check_schema(row: &Row, (namespace, name): (&str, &str), body: &Json) -> Result<(), Refusal> {
    let faults = walk::faults(Shape::root(row.info.schema), body);
    let texts: Vec<String> =
        faults.iter().map(|(path, why)| format!("{}: {why}", set::path_text(path))).collect();
    let list = match texts.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let kind = go_kind(&row.info.api_version(), row.info.kind);
    let text = format!("failed to create typed patch object ({namespace}/{name}; {kind}): {list}");
    Err(failure(500, "", text))
}

/// Group, version and kind as Go prints them: the core group is empty, its slash stays.
fn go_kind(api_version: &str, kind: &str) -> String {
    let slash = if api_version.contains('/') { "" } else { "/" };
    format!("{slash}{api_version}, Kind={kind}")
}

fn with_body(mut status: Refusal, body: &Json) -> Refusal {
    let text = crate::go_quoted(&body.to_string());
    let what = if body.get("kind").is_none() { "Kind" } else { "apiVersion" };
    status.message = format!("Object '{what}' is missing in {text}").into();
    status
}

/// The configuration with its name and namespace.
fn settled(row: &Row, namespace: &str, name: &str, mut body: Json) -> Json {
    let meta = body.entry("metadata");
    meta.set("name", name);
    if row.info.namespaced {
        meta.set("namespace", namespace);
    }
    body
}

/// The live document with the configuration merged in, and the managers that come of it.
fn merged(
    write: &Write,
    row: &Row,
    live: &Object,
    exists: bool,
    config: &Json,
    force: bool,
) -> Result<(Json, Vec<Manager>), Refusal> {
    let shape = Shape::root(row.info.schema);
    let before = document(live);
    let mut managers = read(live);
    if exists && managers.is_empty() {
        managers.push(first_manager(write, row, &before));
    }
    let mut own = writer(write, row, lit!("Apply"));
    own.fields = walk::fields_of(shape, config);
    strip(row, write.subresource, &mut own.fields);
    let last = managers.iter().position(|manager| manager.is(&own));
    let last = last.map(|at| managers.remove(at));
    let mut after = walk::merge(shape, Some(&before), Some(config));
    if let Some(last) = &last {
        let kept = managers.iter().fold(own.fields.clone(), |all, m| all.union(&m.fields));
        after = pruned(shape, &after, &last.fields, &kept);
        if last.fields == own.fields && last.version == own.version {
            own.time = last.time;
        }
    }
    let comparison = compare(row, write.subresource, &before, &after);
    let changed = comparison.modified.union(&comparison.added);
    let conflicts: Vec<(&Manager, Vec<Str>)> = managers
        .iter()
        .flat_map(|manager| {
            let paths = manager.fields.intersection(&changed).paths();
            paths.into_iter().map(move |path| (manager, path))
        })
        .collect();
    if !force && !conflicts.is_empty() {
        return Err(conflict(&conflicts));
    }
    take_over(&mut managers, &own, &comparison);
    if comparison.is_same()
        && let Some(last) = &last
        && last.fields == own.fields
    {
        own.time = last.time;
    }
    managers.push(own);
    Ok((after, managers))
}

/// Who had everything before anybody applied.
fn first_manager(write: &Write, row: &Row, before: &Json) -> Manager {
    let empty = nothing(row);
    let comparison = compare(row, write.subresource, &empty, before);
    Manager {
        name: lit!("before-first-apply"),
        fields: comparison.modified.union(&comparison.added),
        ..writer(write, row, lit!("Update"))
    }
}

/// Takes out what the last configuration had and nobody wants any more.
fn pruned(shape: Shape, merged: &Json, last: &Set, kept: &Set) -> Json {
    let all = walk::fields_of(shape, merged).with_named_parents();
    let bare = walk::remove(shape, merged, last);
    let bare = walk::fields_of(shape, &bare).with_named_parents();
    let gone = all.difference(&bare.union(&kept.with_named_parents()));
    let gone = gone.intersection(&last.with_named_parents());
    walk::remove(shape, merged, &gone)
}

/// 409 that names every field and its manager.
fn conflict(conflicts: &[(&Manager, Vec<Str>)]) -> Refusal {
    let causes = conflicts.iter().map(|(manager, path)| StatusCause {
        reason: lit!("FieldManagerConflict"),
        message: format!("conflict with {}", manager.describe()).into(),
        field: set::path_text(path).into(),
    });
    let message = match conflicts {
        [(manager, path)] => format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            manager.describe(),
            set::path_text(path)
        ),
        many => {
            let mut lines: Vec<String> = Vec::new();
            let mut names: Vec<String> = many.iter().map(|(m, _)| m.describe()).collect();
            base::sort::naturally(&mut names);
            names.dedup();
            for name in names {
                lines.push(format!("conflicts with {name}:"));
                let own = many.iter().filter(|(manager, _)| manager.describe() == name);
                lines.extend(own.map(|(_, path)| format!("- {}", set::path_text(path))));
            }
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    let mut status = failure(409, "Conflict", message);
    status.details =
        Some(Box::new(StatusDetails { causes: causes.collect(), ..StatusDetails::default() }));
    status
}
