//! etcd: an MVCC key-value store with revisions, ranges, transactions, watches, leases, compaction.
//!
//! Models etcd v3.6, the storage of the Kubernetes API server. From the bottom up:
//! - [`Store`] is the deterministic state machine: `apply(Command) -> Outcome`. Time enters only as the
//!   `now` of a command, so equal commands give equal stores.
//! - [`Watches`] belong to one member and are not replicated, as in etcd.
//! - [`Member`] applies committed commands to its store and feeds its watches.
//! - [`Etcd`] is what clients talk to: it proposes commands, expires leases and compacts.
//!
//! Values are generic: the model stores typed objects behind `Arc`, not bytes. [`Hooks`] say how large
//! a value is and let a value learn the revision it was written at. A clone of any of these shares
//! its blocks with the original until either is written to, so checkpoints are cheap.
//!
//! Known deviations:
//! - One member: proposing a command applies it at once. There is no Raft log, snapshot or election.
//! - Keys are UTF-8 strings. Values cannot be compared in a transaction, nor can ranges of keys.
//! - Transactions do not nest. Ranges cannot be sorted, or filtered by revision.
//! - `ignore_value` and `ignore_lease` of a put are absent.
//! - Leases expire at their exact time, not at the next 500 ms check, and there is no rate limit on
//!   expiry. Lease checkpoints are absent. A keep-alive of an unknown lease is an error, not TTL 0.
//! - Lease ids that etcd chooses are small numbers, not random ones.
//! - There is no authentication, no space quota with alarms, no defragmentation and no member list.
//! - Every watch message holds exactly one revision; etcd joins several while a watch catches up, and
//!   splits one on request (fragments). There are no event filters, and no message confirms a watch.

mod error;
mod front;
mod history;
mod keys;
mod lease;
mod member;
mod request;
mod store;
mod tree;
mod types;
mod watch;

pub use error::Error;
pub use front::{Etcd, Retention};
pub use keys::{End, Range};
pub use lease::{LeaseId, LeaseStatus};
pub use member::Member;
pub use request::{
    Command, Compare, DeleteResponse, Op, OpResponse, Order, Outcome, PutResponse, RangeRequest,
    RangeResponse, Response, Target, Txn, TxnResponse,
};
pub use store::{Hooks, Store};
pub use types::{Event, KeyValue};
pub use watch::{WatchId, WatchMessage, Watches};
