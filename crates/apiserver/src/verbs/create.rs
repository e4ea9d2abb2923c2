//! create.

use std::sync::Arc;

use api::core::v1::Namespace;
use api::object::{Kind, Object};
use api::wire::{already_exists, failure};
use base::Str;

use crate::errors::{self, Refusal};
use crate::registry::{self, Row};
use crate::{ApiServer, Write, admission, defaults, storage, validation};

/// The longest prefix of a generated name; five random characters follow.
const GENERATED_PREFIX_MAX: usize = 58;
/// How often a generated name that is taken is generated anew.
const GENERATE_TRIES: usize = 8;

impl ApiServer {
    /// Stores a new object.
    pub(crate) fn create(
        &mut self,
        write: &mut Write,
        row: &'static Row,
        namespace: &str,
        mut object: Object,
    ) -> Result<Object, Refusal> {
        if !row.verbs.contains(&"create") {
            return Err(errors::method_not_supported(row.info, "create"));
        }
        settle_namespace(row, namespace, &mut object)?;
        super::dedup_owners(write, &mut object);
        if let Some(answer) = row.virtual_create {
            defaults::apply(&mut object);
            let wrong = validation::create(&object, &write.validation());
            if !wrong.is_empty() {
                return Err(errors::invalid(row.info, object.name(), &wrong));
            }
            crate::managed::on_create(write, row, &mut object);
            answer(self, &mut object, write.now, &write.user)?;
            return Ok(object);
        }
        write.labels_defaulted = object.meta().labels.is_empty();
        let asked = admission::SpecMemo::ask(&object);
        let known = self.recall(&mut object, asked.as_ref());
        if known {
            admission::gate(self, write, row, &object)?;
        } else {
            defaults::apply(&mut object);
            (row.settle)(&mut object);
            if let Some(custom) = row.custom {
                custom.default(&mut object);
            }
            crate::managed::on_create(write, row, &mut object);
            admission::admit_create(self, write, row, &mut object)?;
        }
        self.begin(write, row, &mut object)?;
        let pools = Arc::clone(&self.services);
        if let Some(reserve) = row.reserve {
            reserve(self, &mut object, None, write.dry_run)?;
        }
        if let Err(refusal) = self.check_new(write, row, &object, known) {
            self.services = pools;
            return Err(refusal);
        }
        if !known {
            self.pods.learn(asked, &object);
        }
        if write.dry_run {
            return Ok(object);
        }
        self.put(write, row, None, object)
    }

    /// Fills in what only the server may say.
    fn begin(
        &mut self,
        write: &mut Write,
        row: &'static Row,
        object: &mut Object,
    ) -> Result<(), Refusal> {
        let uid = self.rng.uuid();
        if object.name().is_empty() && !object.meta().generate_name.is_empty() {
            let (name, free) = self.generate_name(row, object);
            object.edit().meta_mut().name = name;
            write.generated = free;
        }
        {
            let meta = object.edit().meta_mut();
            meta.deletion_timestamp = None;
            meta.deletion_grace_period_seconds = None;
            meta.self_link = Str::new();
            meta.generation = i64::from(row.generation);
        }
        storage::stamp_created(object, uid.into(), write.now);
        let has_status = registry::part(object, "status").is_some();
        if has_status && row.resets_status {
            registry::clear_part(object, "status");
        }
        (row.prepare_create)(object, &write.cx());
        Ok(())
    }

    /// A name that begins with `generateName`, and whether it is free; gives up looking after some tries, as upstream does.
    fn generate_name(&mut self, row: &Row, object: &Object) -> (Str, bool) {
        let prefix = &object.meta().generate_name;
        let mut cut = prefix.len().min(GENERATED_PREFIX_MAX);
        while !prefix.is_char_boundary(cut) {
            cut -= 1;
        }
        let mut name = Str::new();
        for _ in 0..GENERATE_TRIES {
            let suffix = self.names.suffix(object.namespace(), &prefix[..cut]);
            name = format!("{}{suffix}", &prefix[..cut]).into();
            if self.stored(row, object.namespace(), &name).is_none() {
                return (name, true);
            }
        }
        (name, false)
    }

    fn check_new(
        &mut self,
        write: &mut Write,
        row: &'static Row,
        object: &Object,
        known: bool,
    ) -> Result<(), Refusal> {
        let cx = write.validation();
        let wrong = match known {
            true => validation::metadata(object, &cx),
            false => match row.custom {
                Some(custom) => {
                    let mut wrong = validation::metadata(object, &cx);
                    wrong.extend(custom.validate(object));
                    wrong
                }
                None => validation::create(object, &cx),
            },
        };
        if !wrong.is_empty() {
            return Err(errors::invalid(row.info, object.name(), &wrong));
        }
        if write.is_http {
            write.warnings.extend(validation::warnings(object, None));
            write.warnings.extend(row.custom.and_then(|custom| custom.deprecation.clone()));
        }
        let version = &object.meta().resource_version;
        if !write.dry_run && !version.is_empty() && version != "0" {
            let text = "resourceVersion should not be set on objects to be created";
            return Err(failure(500, "", text));
        }
        if !write.generated && self.stored(row, object.namespace(), object.name()).is_some() {
            return Err(already_exists(row.info, object.name()));
        }
        admission::validate_create(self, write, row, object, known)
    }

    /// Whether the namespace is there, and whether it is going.
    pub(crate) fn namespace(&self, name: &str) -> Option<&Namespace> {
        let row = registry::of(Namespace::INFO)?;
        self.stored(row, "", name)?.get::<Namespace>()
    }
}

/// The request's namespace is the object's; cluster-scoped objects have none.
fn settle_namespace(row: &Row, namespace: &str, object: &mut Object) -> Result<(), Refusal> {
    if !row.info.namespaced {
        if !object.namespace().is_empty() {
            object.edit().meta_mut().namespace = Str::new();
        }
        return Ok(());
    }
    if object.namespace().is_empty() {
        object.edit().meta_mut().namespace = namespace.into();
    } else if !namespace.is_empty() && *object.namespace() != *namespace {
        return Err(errors::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}
