//! What a client asks of etcd, and what it answers.

use crate::{Error, KeyValue, LeaseId, Range};
use base::{Instant, Str};
use std::sync::Arc;

/// A replicated change of the store. Applying equal commands to equal stores gives equal stores.
#[derive(Clone, Debug)]
pub enum Command<V> {
    /// Puts one key.
    Put {
        /// The key.
        key: Str,
        /// Its new value.
        value: V,
        /// The lease to attach it to, [`LeaseId::NONE`] for none.
        lease: LeaseId,
    },
    /// Deletes the keys of a range.
    Delete(Range),
    /// Compares, then does one of two lists of operations, all at one revision.
    Txn(Txn<V>),
    /// Forgets the history before a revision.
    Compact {
        /// The oldest revision that stays readable.
        revision: i64,
    },
    /// Grants a lease.
    LeaseGrant {
        /// Its id, which must not be in use.
        id: LeaseId,
        /// The time to live in seconds.
        ttl_seconds: i64,
        /// When the command was proposed.
        now: Instant,
    },
    /// Starts the time to live of a lease afresh.
    LeaseKeepAlive {
        /// The lease.
        id: LeaseId,
        /// When the command was proposed.
        now: Instant,
    },
    /// Ends a lease and deletes its keys.
    LeaseRevoke {
        /// The lease.
        id: LeaseId,
    },
}

/// What applying a command gave. An error leaves the store unchanged.
pub type Outcome<V> = Result<Response<V>, Error>;

/// The answer to a [`Command`].
#[derive(Clone, Debug)]
pub enum Response<V> {
    /// To a put.
    Put(PutResponse<V>),
    /// To a deletion.
    Delete(DeleteResponse<V>),
    /// To a transaction.
    Txn(TxnResponse<V>),
    /// To a compaction.
    Compact {
        /// The store's revision.
        revision: i64,
    },
    /// To granting a lease or keeping it alive.
    Lease {
        /// The lease.
        id: LeaseId,
        /// The time to live that holds, in seconds.
        ttl_seconds: i64,
    },
    /// To revoking a lease: the keys that were deleted with it.
    LeaseRevoke(DeleteResponse<V>),
}

/// A read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeRequest {
    /// The keys to read.
    pub range: Range,
    /// The revision to read at; `None`, zero or less for the newest.
    pub revision: Option<i64>,
    /// The most keys to return; `None` or 0 for all of them.
    pub limit: Option<usize>,
    /// Whether to only count the keys.
    pub count_only: bool,
}

impl RangeRequest {
    /// Reads all of `range` at the newest revision.
    pub fn new(range: Range) -> RangeRequest {
        RangeRequest { range, revision: None, limit: None, count_only: false }
    }

    /// The same read, at `revision`.
    pub fn at(mut self, revision: i64) -> RangeRequest {
        self.revision = Some(revision);
        self
    }

    /// The same read, of at most `limit` keys.
    pub fn limit(mut self, limit: usize) -> RangeRequest {
        self.limit = Some(limit);
        self
    }

    /// The same read, returning no keys but how many there are.
    pub fn count_only(mut self) -> RangeRequest {
        self.count_only = true;
        self
    }
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeResponse<V> {
    /// The keys, in order.
    pub kvs: Vec<Arc<KeyValue<V>>>,
    /// How many keys the range has, whatever the limit.
    pub count: usize,
    /// Whether the limit left keys out.
    pub more: bool,
    /// The store's revision at the time of the read.
    pub revision: i64,
}

/// The answer to a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutResponse<V> {
    /// The store's revision after the put.
    pub revision: i64,
    /// What was put.
    pub kv: Arc<KeyValue<V>>,
    /// What was there before.
    pub prev_kv: Option<Arc<KeyValue<V>>>,
}

/// The answer to a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteResponse<V> {
    /// The store's revision after the deletion; deleting nothing does not raise it.
    pub revision: i64,
    /// What was deleted, in order of the keys.
    pub prev_kvs: Vec<Arc<KeyValue<V>>>,
}

/// A transaction: if all `compares` hold, then `success`, else `failure`.
#[derive(Clone, Debug)]
pub struct Txn<V> {
    /// What must hold.
    pub compares: Vec<Compare>,
    /// What to do if it holds.
    pub success: Vec<Op<V>>,
    /// What to do otherwise.
    pub failure: Vec<Op<V>>,
}

/// The answer to a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnResponse<V> {
    /// Whether all compares held.
    pub succeeded: bool,
    /// The answers to the operations that were done, in their order.
    pub responses: Vec<OpResponse<V>>,
    /// The store's revision after the transaction.
    pub revision: i64,
}

/// One operation of a transaction. A range sees what the operations before it wrote.
#[derive(Clone, Debug)]
pub enum Op<V> {
    /// Reads.
    Range(RangeRequest),
    /// Puts one key.
    Put {
        /// The key.
        key: Str,
        /// Its new value.
        value: V,
        /// The lease to attach it to, [`LeaseId::NONE`] for none.
        lease: LeaseId,
    },
    /// Deletes the keys of a range.
    Delete(Range),
}

impl<V> Op<V> {
    /// A put without a lease.
    pub fn put(key: impl Into<Str>, value: V) -> Op<V> {
        Op::Put { key: key.into(), value, lease: LeaseId::NONE }
    }

    /// A read of one key.
    pub fn get(key: impl Into<Str>) -> Op<V> {
        Op::Range(RangeRequest::new(Range::key(key)))
    }

    /// A deletion of one key.
    pub fn delete(key: impl Into<Str>) -> Op<V> {
        Op::Delete(Range::key(key))
    }
}

/// The answer to an [`Op`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpResponse<V> {
    /// To a read.
    Range(RangeResponse<V>),
    /// To a put.
    Put(PutResponse<V>),
    /// To a deletion.
    Delete(DeleteResponse<V>),
}

/// A condition on one key. A key that is absent has version, revisions and lease 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// The key.
    pub key: Str,
    /// What of the key is compared, and to what.
    pub target: Target,
    /// How the key's number must relate to the target's.
    pub order: Order,
}

/// A property of a key, and the number it is compared to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The version.
    Version(i64),
    /// The revision of the creation.
    CreateRevision(i64),
    /// The revision of the last put.
    ModRevision(i64),
    /// The lease.
    Lease(LeaseId),
}

/// How two numbers must relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The key's number is the target's.
    Equal,
    /// It is not.
    NotEqual,
    /// It is smaller.
    Less,
    /// It is greater.
    Greater,
}

impl Compare {
    /// The key was last put at `revision`; 0 means that it is absent.
    pub fn mod_revision(key: impl Into<Str>, revision: i64) -> Compare {
        Compare { key: key.into(), target: Target::ModRevision(revision), order: Order::Equal }
    }

    /// The key has this version; 0 means that it is absent.
    pub fn version(key: impl Into<Str>, version: i64) -> Compare {
        Compare { key: key.into(), target: Target::Version(version), order: Order::Equal }
    }

    /// The key was created at `revision`; 0 means that it is absent.
    pub fn create_revision(key: impl Into<Str>, revision: i64) -> Compare {
        Compare { key: key.into(), target: Target::CreateRevision(revision), order: Order::Equal }
    }

    /// There is no such key.
    pub fn absent(key: impl Into<Str>) -> Compare {
        Compare::mod_revision(key, 0)
    }

    /// There is such a key.
    pub fn exists(key: impl Into<Str>) -> Compare {
        Compare { order: Order::Greater, ..Compare::mod_revision(key, 0) }
    }

    /// Whether the condition holds for the present version of the key.
    pub fn holds<V>(&self, kv: Option<&KeyValue<V>>) -> bool {
        let (has, wants) = match self.target {
            Target::Version(n) => (kv.map_or(0, |kv| kv.version), n),
            Target::CreateRevision(n) => (kv.map_or(0, |kv| kv.create_revision), n),
            Target::ModRevision(n) => (kv.map_or(0, |kv| kv.mod_revision), n),
            Target::Lease(n) => (kv.map_or(0, |kv| kv.lease.0), n.0),
        };
        match self.order {
            Order::Equal => has == wants,
            Order::NotEqual => has != wants,
            Order::Less => has < wants,
            Order::Greater => has > wants,
        }
    }
}
