//! update, of objects, their status and some other subresources.

use std::sync::Arc;

use api::core::v1::{Namespace, Pod};
use api::object::Object;
use api::wire::{MODIFIED, Subresource, conflict, failure, not_found};
use base::Str;

use crate::errors::{self, Refusal};
use crate::registry::{self, Row};
use crate::{ApiServer, Write, admission, defaults, validation};

impl ApiServer {
    /// Replaces an object. Answers with the stored object and whether the request created it.
    pub(crate) fn update(
        &mut self,
        write: &mut Write,
        row: &'static Row,
        namespace: &str,
        name: &str,
        mut object: Object,
    ) -> Result<(Object, bool), Refusal> {
        if !row.verbs.contains(&"update") {
            return Err(errors::method_not_supported(row.info, "update"));
        }
        if object.name() != name {
            if !object.name().is_empty() {
                return Err(errors::bad_request(format!(
                    "the name of the object ({}) does not match the name on the URL ({name})",
                    object.name()
                )));
            }
            if write.is_http {
                return Err(errors::bad_request(format!(
                    "the name of the object ({name} based on URL) was undeterminable: name must be provided"
                )));
            }
            object.edit().meta_mut().name = name.into();
        }
        if row.info.namespaced && object.namespace().is_empty() {
            object.edit().meta_mut().namespace = namespace.into();
        } else if row.info.namespaced && *object.namespace() != *namespace {
            return Err(errors::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        super::dedup_owners(write, &mut object);
        let Some(old) = self.stored(row, namespace, name).cloned() else {
            // Who knows the uid knows an object that is gone. The parts of the cluster see it as gone.
            if write.is_http {
                check_uid(row, (namespace, name), &object.meta().uid, "")?;
            }
            if !row.create_on_update || write.subresource != Subresource::None {
                return Err(not_found(row.info, name));
            }
            return self.create(write, row, namespace, object).map(|object| (object, true));
        };
        self.replace(write, row, old, object).map(|object| (object, false))
    }

    /// Replaces `old`, which is the stored state, by `new` through the write's subresource.
    pub(crate) fn replace(
        &mut self,
        write: &mut Write,
        row: &'static Row,
        old: Object,
        mut new: Object,
    ) -> Result<Object, Refusal> {
        check_version(row, &old, &new)?;
        // The schema of a custom kind may have changed since; then the object is stored anew.
        let outdated = row.custom.is_some() && !std::ptr::eq(old.info(), row.info);
        let old = if outdated { row.present(&old, row.info) } else { old };
        if write.subresource != Subresource::Status {
            defaults::apply(&mut new);
            (row.settle)(&mut new);
            if let Some(custom) = row.custom {
                custom.default(&mut new);
            }
        }
        keep_server_fields(&old, &mut new);
        keep_other_part(row, write.subresource, &old, &mut new);
        crate::managed::on_update(write, row, &old, &mut new);
        if write.subresource == Subresource::None {
            admission::admit_update(self, write, row, &old, &mut new)?;
        }
        (row.prepare_update)(&mut new, &old, &write.cx());
        bump_generation(row, write.subresource, &old, &mut new);
        let pools = Arc::clone(&self.services);
        if let Some(reserve) = row.reserve
            && write.subresource == Subresource::None
        {
            reserve(self, &mut new, Some(&old), write.dry_run)?;
        }
        if let Err(refusal) = self.check_change(write, row, &old, &new) {
            // What the change would have given back or taken stays as it was.
            self.services = pools;
            return Err(refusal);
        }
        new.edit().meta_mut().resource_version = old.meta().resource_version.clone();
        if new == old && !outdated {
            return Ok(old);
        }
        if write.dry_run {
            return Ok(new);
        }
        if should_delete(&old, &new) {
            let gone = new.clone();
            self.remove(write, row, &old)?;
            return Ok(gone);
        }
        self.put(write, row, Some(&old), new)
    }

    fn check_change(
        &mut self,
        write: &mut Write,
        row: &'static Row,
        old: &Object,
        new: &Object,
    ) -> Result<(), Refusal> {
        let wrong = match row.custom {
            Some(custom) => {
                let mut wrong = validation::metadata(new, &write.validation());
                wrong.extend(custom.validate(new));
                wrong
            }
            None => validation::update(new, old, &write.validation()),
        };
        if !wrong.is_empty() {
            return Err(errors::invalid(row.info, new.name(), &wrong));
        }
        if write.is_http {
            write.warnings.extend(validation::warnings(new, Some(old)));
        }
        admission::validate_update(self, write, row, old, new)
    }
}

/// The resource version and uid, where given, must be those of the stored object.
fn check_version(row: &Row, old: &Object, new: &Object) -> Result<(), Refusal> {
    let (given, stored) = (&new.meta().resource_version, &old.meta().resource_version);
    if given.is_empty() || given == "0" {
        if !row.unconditional {
            let error = errors::field_error(
                "FieldValueInvalid",
                "metadata.resourceVersion",
                "Invalid value: 0: must be specified for an update",
            );
            return Err(errors::invalid_resource(row.info, new.name(), &error));
        }
    } else if given != stored {
        if given.parse::<u64>().is_err() {
            let quoted = crate::go_quoted(given);
            let text = format!("strconv.ParseUint: parsing {quoted}: invalid syntax");
            return Err(failure(500, "", text));
        }
        return Err(conflict(row.info, new.name(), MODIFIED));
    }
    check_uid(row, (old.namespace(), old.name()), &new.meta().uid, &old.meta().uid)
}

/// The uid, where given, must be that of the stored object; of one that is gone it is empty.
fn check_uid(
    row: &Row,
    (namespace, name): (&str, &str),
    given: &str,
    stored: &str,
) -> Result<(), Refusal> {
    if given.is_empty() || given == stored {
        return Ok(());
    }
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {given}, UID in object meta: {stored}",
        row.key(namespace, name)
    );
    Err(conflict(row.info, name, &why))
}

/// What an update leaves out, and what it may not change, stays as it is.
fn keep_server_fields(old: &Object, new: &mut Object) {
    let old = old.meta();
    let meta = new.edit().meta_mut();
    if meta.uid.is_empty() {
        meta.uid = old.uid.clone();
    }
    if meta.creation_timestamp.is_none() {
        meta.creation_timestamp = old.creation_timestamp;
    }
    if meta.deletion_timestamp.is_none() {
        meta.deletion_timestamp = old.deletion_timestamp;
    }
    if meta.deletion_grace_period_seconds.is_none() {
        meta.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
    }
    meta.generation = old.generation;
    meta.self_link = Str::new();
}

/// A status update leaves what is wanted alone, and the other way round.
fn keep_other_part(row: &Row, subresource: Subresource, old: &Object, new: &mut Object) {
    let separate = row.has(Subresource::Status);
    match subresource {
        Subresource::Status | Subresource::Approval => {
            let fields = old.resource().schema().fields;
            for field in fields.iter().filter(|f| f.name != "metadata" && f.name != "status") {
                registry::copy_part(new, old, field.name);
            }
        }
        Subresource::EphemeralContainers | Subresource::Resize => {
            registry::copy_part(new, old, "status");
        }
        _ if separate => registry::copy_part(new, old, "status"),
        _ => {}
    }
    if subresource == Subresource::EphemeralContainers
        && let (Some(pod), Some(before)) = (new.edit_as::<Pod>(), old.get::<Pod>())
    {
        // Only the ephemeral containers of the new spec count.
        let containers = pod.spec.ephemeral_containers.clone();
        pod.spec = before.spec.clone();
        if pod.spec.ephemeral_containers != containers {
            pod.spec.edit().ephemeral_containers = containers;
        }
    }
}

fn bump_generation(row: &Row, subresource: Subresource, old: &Object, new: &mut Object) {
    if !row.generation || matches!(subresource, Subresource::Status | Subresource::Approval) {
        return;
    }
    let whole = row.custom.is_some() && !row.has(Subresource::Status);
    let moved = || {
        let (a, b) = (registry::part(old, "status"), registry::part(new, "status"));
        a.map(api::Value::to_json) != b.map(api::Value::to_json)
    };
    let noted = (whole && moved())
        || row.generation_annotations && old.meta().annotations != new.meta().annotations;
    if noted || !registry::same_wanted(old, new) {
        new.edit().meta_mut().generation = old.meta().generation + 1;
    }
}

/// An object that is being deleted goes with its last finalizer.
pub(crate) fn should_delete(old: &Object, new: &Object) -> bool {
    let (was, meta) = (old.meta(), new.meta());
    if was.deletion_timestamp.is_none() || !meta.finalizers.is_empty() {
        return false;
    }
    if let Some(namespace) = new.get::<Namespace>() {
        return namespace.spec.finalizers.is_empty();
    }
    was.deletion_grace_period_seconds.is_none_or(|seconds| seconds == 0)
}
