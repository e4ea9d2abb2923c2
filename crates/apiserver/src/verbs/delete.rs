//! delete and deletecollection: preconditions, grace periods, finalizers.

use std::sync::Arc;

use api::core::v1::{Namespace, Pod};
use api::meta::v1::{DeleteOptions, Status, StatusDetails};
use api::object::Object;
use api::wire::{Answer, ListOptions, ObjectList, Reply, failure, not_found, with_details};
use base::{Duration, Str, lit};

use crate::errors::{self, Refusal};
use crate::registry::Row;
use crate::{ApiServer, Write, admission, storage, validation};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// How far a deletion got before anything was removed.
enum Begun {
    /// It can be removed; its last state.
    Free(Object),
    /// It stays until something else has happened.
    Kept(Object),
}

impl ApiServer {
    /// Deletes an object, or begins to.
    pub(crate) fn delete(
        &mut self,
        write: &mut Write,
        row: &'static Row,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Reply {
        if !row.verbs.contains(&"delete") {
            return Err(errors::method_not_supported(row.info, "delete"));
        }
        check_options(options)?;
        let dry_run = write.dry_run || options.dry_run.iter().any(|value| value == "All");
        write.dry_run = dry_run;
        let Some(old) = self.stored(row, namespace, name).cloned() else {
            return Err(not_found(row.info, name));
        };
        admission::validate_delete(self, write, row, &old)?;
        check_preconditions(row, &old, options)?;
        let gone = match self.begin_delete(write, row, &old, options)? {
            Begun::Kept(object) => return Ok(Answer::Object(object, false)),
            Begun::Free(object) => object,
        };
        if !dry_run {
            self.remove(write, row, &gone)?;
        }
        if row.returns_deleted {
            let last = storage::last_state(&gone, self.revision());
            return Ok(Answer::Object(if dry_run { gone } else { last }, false));
        }
        Ok(Answer::Status(success(row, &gone)))
    }

    /// Notes that an object is to go, where something keeps it for now: finalizers, a namespace's contents, a
    /// pod's grace period.
    ///
    /// As upstream, a pod is marked even where it can go at once, which watches see.
    fn begin_delete(
        &mut self,
        write: &mut Write,
        row: &'static Row,
        old: &Object,
        options: &DeleteOptions,
    ) -> Result<Begun, Refusal> {
        let meta = old.meta();
        let mut new = old.clone();
        let finalizers = finalizers_for(row, old, options);
        if finalizers.as_slice() != meta.finalizers.as_slice() {
            new.edit().meta_mut().finalizers = finalizers.iter().cloned().collect();
        }
        let held = !finalizers.is_empty()
            || old.get::<Namespace>().is_some_and(|ns| !ns.spec.finalizers.is_empty());
        let is_pod = old.get::<Pod>().is_some();
        let mut free = !held && !is_pod;
        match (meta.deletion_timestamp, meta.deletion_grace_period_seconds) {
            (None, _) if free => return Ok(Begun::Free(new)),
            (None, _) => {
                let grace = grace_of(old, options);
                mark(&mut new, write, grace, false);
                free = !held && grace == 0;
            }
            (Some(_), Some(left)) if is_pod => {
                // A second deletion can shorten the wait, never lengthen it.
                let asked = options.grace_period_seconds.map_or(left, at_least_one);
                if asked < left {
                    mark(&mut new, write, asked, true);
                }
                free = !held && asked.min(left) == 0;
            }
            _ => {}
        }
        if let Some(namespace) = new.edit_as::<Namespace>() {
            Arc::make_mut(&mut namespace.status).phase = lit!("Terminating");
        }
        let new = self.save(write, row, old, new)?;
        Ok(if free { Begun::Free(new) } else { Begun::Kept(new) })
    }

    fn save(
        &mut self,
        write: &mut Write,
        row: &'static Row,
        old: &Object,
        new: Object,
    ) -> Result<Object, Refusal> {
        if write.dry_run || new == *old {
            return Ok(new);
        }
        self.put(write, row, Some(old), new)
    }

    /// Deletes all objects of a collection that match, in order.
    pub(crate) fn delete_collection(
        &mut self,
        write: &mut Write,
        row: &'static Row,
        namespace: &str,
        options: &DeleteOptions,
        list: &ListOptions,
    ) -> Reply {
        if !row.verbs.contains(&"deletecollection") {
            return Err(errors::method_not_supported(row.info, "deletecollection"));
        }
        check_options(options)?;
        let found = self.select(row, namespace, list);
        let mut items = Vec::new();
        for object in found {
            let gone = self.delete(write, row, object.namespace(), object.name(), options);
            match gone {
                Ok(Answer::Object(object, _)) => items.push(object),
                Ok(_) => items.push(object),
                Err(status) if status.code == Some(404) => {}
                Err(status) => return Err(status),
            }
        }
        let revision = self.revision();
        Ok(Answer::List(ObjectList { items, revision, ..ObjectList::default() }))
    }
}

/// Sets when the object is to be gone. Deleting is a change of what is wanted.
fn mark(new: &mut Object, write: &Write, grace: i64, again: bool) {
    let meta = new.edit().meta_mut();
    let from = match (again, meta.deletion_timestamp, meta.deletion_grace_period_seconds) {
        (true, Some(at), Some(left)) => at.instant() - Duration::secs(left),
        _ => write.now,
    };
    meta.deletion_timestamp = Some((from + Duration::secs(grace)).into());
    meta.deletion_grace_period_seconds = Some(grace);
    if meta.generation > 0 && !again {
        meta.generation += 1;
    }
}

/// The seconds that a pod may take to stop; 0 for everything else.
fn grace_of(old: &Object, options: &DeleteOptions) -> i64 {
    let Some(pod) = old.get::<Pod>() else { return 0 };
    if pod.spec.node_name.is_empty() || matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
    {
        return 0;
    }
    let asked = options.grace_period_seconds;
    at_least_one(asked.or(pod.spec.termination_grace_period_seconds).unwrap_or(30))
}

/// A negative grace period counts as one second.
fn at_least_one(seconds: i64) -> i64 {
    if seconds < 0 { 1 } else { seconds }
}

fn finalizers_for(row: &Row, old: &Object, options: &DeleteOptions) -> Vec<Str> {
    let has = |name: &str| old.meta().finalizers.iter().any(|f| f == name);
    let policy = match (options.propagation_policy.as_deref(), options.orphan_dependents) {
        (Some(policy), _) => policy,
        (None, Some(true)) => "Orphan",
        (None, Some(false)) => "Background",
        // What an earlier deletion asked for stays.
        (None, None) if has(ORPHAN) => "Orphan",
        (None, None) if has(FOREGROUND) => "Foreground",
        (None, None) if row.orphans => "Orphan",
        (None, None) => "Background",
    };
    let kept = old.meta().finalizers.iter().filter(|f| *f != FOREGROUND && *f != ORPHAN);
    let mut finalizers: Vec<Str> = kept.cloned().collect();
    match policy {
        "Foreground" => finalizers.push(lit!("foregroundDeletion")),
        "Orphan" => finalizers.push(lit!("orphan")),
        _ => {}
    }
    finalizers
}

fn check_options(options: &DeleteOptions) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    if options.propagation_policy.is_some() && options.orphan_dependents.is_some() {
        wrong.push(validation::FieldError {
            reason: "FieldValueInvalid",
            field: lit!("propagationPolicy"),
            message: lit!(
                "Invalid value: orphanDependents and deletionPropagation cannot be both set"
            ),
        });
    }
    if let Some(policy) = options.propagation_policy.as_deref()
        && !matches!(policy, "Foreground" | "Background" | "Orphan")
    {
        let message = format!(
            "Unsupported value: {policy:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
        );
        wrong.push(errors::field_error("FieldValueNotSupported", "propagationPolicy", message));
    }
    if options.dry_run.iter().any(|value| value != "All") {
        let list: Vec<String> = options.dry_run.iter().map(|v| crate::go_quoted(v)).collect();
        let message = format!("Unsupported value: [{}]: supported values: \"All\"", list.join(","));
        wrong.push(errors::field_error("FieldValueNotSupported", "dryRun", message));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let list = wrong.iter().map(|e| format!("{}: {}", e.field, e.message));
    let text = list.collect::<Vec<_>>().join(", ");
    let mut status =
        failure(422, "Invalid", format!("DeleteOptions.meta.k8s.io \"\" is invalid: {text}"));
    status.details = Some(Box::new(StatusDetails {
        group: lit!("meta.k8s.io"),
        kind: lit!("DeleteOptions"),
        causes: wrong.iter().map(|e| api::wire::cause(e.reason, &e.field, &e.message)).collect(),
        ..StatusDetails::default()
    }));
    Err(status)
}

fn check_preconditions(row: &Row, old: &Object, options: &DeleteOptions) -> Result<(), Refusal> {
    let Some(wanted) = &options.preconditions else { return Ok(()) };
    let meta = old.meta();
    let why = if let Some(uid) = wanted.uid.as_ref().filter(|uid| **uid != meta.uid) {
        format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object \
             might have been deleted and then recreated",
            meta.uid
        )
    } else if let Some(version) =
        wanted.resource_version.as_ref().filter(|v| **v != meta.resource_version)
    {
        format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion \
             in record ({}). The object might have been modified",
            meta.resource_version
        )
    } else {
        return Ok(());
    };
    // Here upstream names the kind, not the resource.
    let kind = row.info.qualified();
    let message =
        format!("Operation cannot be fulfilled on {kind} {:?}: {why}", old.name().as_str());
    let status = failure(409, "Conflict", message);
    Err(with_details(status, row.info.group, row.info.kind, old.name()))
}

fn success(row: &Row, old: &Object) -> Box<Status> {
    Box::new(Status {
        status: lit!("Success"),
        details: Some(Box::new(StatusDetails {
            name: old.name().clone(),
            group: row.info.group.into(),
            kind: row.info.plural.into(),
            uid: old.meta().uid.clone(),
            ..StatusDetails::default()
        })),
        ..Status::default()
    })
}
