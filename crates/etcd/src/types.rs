//! A key with its value and revisions, and a change to one.

use crate::LeaseId;
use base::Str;
use std::sync::Arc;

/// One version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue<V> {
    /// The key.
    pub key: Str,
    /// The value put at `mod_revision`.
    pub value: V,
    /// The revision at which the key was last created.
    pub create_revision: i64,
    /// The revision of the last put.
    pub mod_revision: i64,
    /// How many puts there have been since the creation, itself included.
    pub version: i64,
    /// The lease that the key is attached to, [`LeaseId::NONE`] for none.
    pub lease: LeaseId,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<V> {
    /// The key that changed.
    pub key: Str,
    /// The revision of the change; the events of one transaction share it.
    pub revision: i64,
    /// What was put; `None` if the key was deleted.
    pub kv: Option<Arc<KeyValue<V>>>,
    /// What was there before; `None` if the key was created.
    pub prev_kv: Option<Arc<KeyValue<V>>>,
}

impl<V> Event<V> {
    /// Whether the change made a key that was not there.
    pub fn is_create(&self) -> bool {
        self.kv.is_some() && self.prev_kv.is_none()
    }

    /// Whether the change removed the key.
    pub fn is_delete(&self) -> bool {
        self.kv.is_none()
    }
}
