//! Where objects are kept: keys, reads and writes in etcd, and what every write sets off.

use std::sync::Arc;

use api::core::v1::Pod;
use api::object::{Key, Object};
use api::wire::ListOptions;
use base::{Instant, Str};
use etcd::{Etcd, Hooks, Range, Retention, Store};

use crate::errors::{self, Refusal};
use crate::ledger::WriteRecord;
use crate::registry::{self, Row};
use crate::{ApiServer, Write, select, watch};

/// What etcd must know of objects.
pub(crate) fn store(retention: Retention) -> Etcd<Object> {
    let hooks = Hooks { size, stamp: |object: &mut Object, revision| stamp(object, revision) };
    Etcd::new(Store::new(hooks), retention)
}

fn stamp(object: &mut Object, revision: i64) {
    object.edit().meta_mut().resource_version = revision.to_string().into();
}

/// The size in bytes, exact only for the kinds that can grow past etcd's limit.
fn size(object: &Object) -> usize {
    use api::core::v1::{ConfigMap, Secret};
    const REST: usize = 1_000;
    if let Some(map) = object.get::<ConfigMap>() {
        let text = map.data.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let bytes = map.binary_data.iter().map(|(key, value)| key.len() + value.0.len());
        return REST + text + bytes.sum::<usize>();
    }
    match object.get::<Secret>() {
        Some(secret) => {
            let data = secret.data.iter().map(|(key, value)| key.len() + value.0.len());
            REST + data.sum::<usize>()
        }
        None => REST,
    }
}

/// A change of the past: before, after, revision.
pub(crate) type Past = (Option<Object>, Option<Object>, i64);

impl ApiServer {
    /// The newest revision.
    pub fn revision(&self) -> i64 {
        self.etcd.revision()
    }

    /// The stored object, in its stored version.
    pub(crate) fn stored(&self, row: &Row, namespace: &str, name: &str) -> Option<&Object> {
        self.etcd.get(&row.key(namespace, name)).map(|kv| &kv.value)
    }

    /// All stored objects of a kind, or those of one namespace, in order.
    pub(crate) fn objects<'a>(
        &'a self,
        row: &Row,
        namespace: &str,
    ) -> impl Iterator<Item = &'a Object> + use<'a> {
        let range = self.range_of(row, namespace);
        self.etcd.store().iter(&range).map(|kv| &kv.value).collect::<Vec<_>>().into_iter()
    }

    pub(crate) fn range_of(&self, row: &Row, namespace: &str) -> Range {
        let root = row.root();
        match namespace.is_empty() || !row.info.namespaced {
            true => Range::prefix(root),
            false => Range::prefix(format!("{root}{namespace}/")),
        }
    }

    /// Stores an object and tells the watches. Answers with the object at its new revision.
    pub(crate) fn put(
        &mut self,
        write: &Write,
        row: &'static Row,
        old: Option<&Object>,
        object: Object,
    ) -> Result<Object, Refusal> {
        let key = row.key(object.namespace(), object.name());
        let response =
            self.etcd.put(key, object).map_err(|error| errors::internal(&error.to_string()))?;
        let object = response.kv.value.clone();
        self.after(write, row, old, Some(&object), response.revision);
        if row.reserve.is_some() {
            self.settle_addresses(write, old, Some(&object))?;
        }
        Ok(object)
    }

    /// Removes an object and tells the watches.
    pub(crate) fn remove(
        &mut self,
        write: &Write,
        row: &'static Row,
        old: &Object,
    ) -> Result<(), Refusal> {
        let key = row.key(old.namespace(), old.name());
        let response = self
            .etcd
            .delete(Range::key(key))
            .map_err(|error| errors::internal(&error.to_string()))?;
        if let Some(release) = row.release {
            release(self, old);
        }
        self.after(write, row, Some(old), None, response.revision);
        if row.reserve.is_some() {
            self.settle_addresses(write, Some(old), None)?;
        }
        Ok(())
    }

    fn after(
        &mut self,
        write: &Write,
        row: &'static Row,
        old: Option<&Object>,
        new: Option<&Object>,
        revision: i64,
    ) {
        let object = new.or(old).expect("a write has an object");
        self.ledger.record(WriteRecord {
            revision,
            key: Key::of(object.meta()),
            kind: row.info,
            verb: write.verb,
            cause: write.cause.clone(),
            time: write.now,
        });
        let at = registry::index_of(row.info).expect("the row is registered");
        self.hub.publish(row, at, old, new, revision);
        self.index_node(row, old, new);
        self.expiry.note(row, write.now, new, revision);
        self.note_change(row, old, new);
    }

    fn index_node(&mut self, row: &Row, old: Option<&Object>, new: Option<&Object>) {
        let node = |object: Option<&Object>| {
            let pod = object?.get::<Pod>()?;
            (!pod.spec.node_name.is_empty()).then(|| pod.spec.node_name.clone())
        };
        let (before, after) = (node(old), node(new));
        if before == after {
            return;
        }
        let object = new.or(old).expect("a write has an object");
        let key = row.key(object.namespace(), object.name());
        if let Some(keys) = before.and_then(|node| self.by_node.get_mut(&node)) {
            Arc::make_mut(keys).remove(&key);
        }
        if let Some(node) = after {
            Arc::make_mut(self.by_node.entry(node).or_default()).insert(key);
        }
    }

    /// The objects of a collection that `options` selects, at the newest revision.
    pub(crate) fn select(&self, row: &Row, namespace: &str, options: &ListOptions) -> Vec<Object> {
        if let Some(name) = select::required(&options.fields, "metadata.name")
            && (!namespace.is_empty() || !row.info.namespaced)
        {
            let found = self.stored(row, namespace, &name).into_iter();
            return found.filter(|object| wanted(row, options, object)).cloned().collect();
        }
        if let Some(node) = select::required(&options.fields, "spec.nodeName")
            && row.info.kind == "Pod"
        {
            let Some(keys) = self.by_node.get(&node) else { return Vec::new() };
            let found = keys.iter().filter_map(|key| self.etcd.get(key).map(|kv| &kv.value));
            let inside = |object: &&Object| namespace.is_empty() || object.namespace() == namespace;
            return found
                .filter(inside)
                .filter(|object| wanted(row, options, object))
                .cloned()
                .collect();
        }
        let range = self.range_of(row, namespace);
        let all = self.etcd.store().iter(&range).map(|kv| &kv.value);
        all.filter(|object| wanted(row, options, object)).cloned().collect()
    }

    /// The changes of a kind since a revision, oldest first: before, after, revision.
    pub(crate) fn changes_since(&mut self, row: &Row, revision: i64) -> Result<Vec<Past>, Refusal> {
        if revision >= self.etcd.revision() {
            return Ok(Vec::new());
        }
        let id = self.etcd.watch(Range::prefix(row.root()), Some(revision + 1));
        let messages = self.etcd.take_events(id);
        self.etcd.cancel_watch(id);
        let mut changes = Vec::new();
        for message in messages {
            match message {
                etcd::WatchMessage::Events { events, .. } => {
                    changes.extend(events.iter().map(|event| {
                        let value = |kv: &Arc<etcd::KeyValue<Object>>| kv.value.clone();
                        (
                            event.prev_kv.as_ref().map(value),
                            event.kv.as_ref().map(value),
                            event.revision,
                        )
                    }));
                }
                etcd::WatchMessage::Cancelled { compact_revision } => {
                    let text = format!("too old resource version: {revision} ({compact_revision})");
                    return Err(errors::expired(&text));
                }
                etcd::WatchMessage::Progress { .. } => {}
            }
        }
        Ok(changes)
    }
}

pub(crate) fn wanted(row: &Row, options: &ListOptions, object: &Object) -> bool {
    select::labels(&options.labels, object) && select::fields(row, &options.fields, object)
}

/// The last state of a removed object, as the answer to its deletion shows it.
pub(crate) fn last_state(old: &Object, revision: i64) -> Object {
    watch::stamped(Some(old), revision)
}

/// When a write happened, for `creationTimestamp` and the like.
pub(crate) fn stamp_created(object: &mut Object, uid: Str, now: Instant) {
    let meta = object.edit().meta_mut();
    meta.uid = uid;
    meta.creation_timestamp = Some(now.into());
}
