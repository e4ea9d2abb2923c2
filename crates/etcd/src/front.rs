//! What a client of etcd talks to.

use crate::{
    Command, DeleteResponse, Error, KeyValue, LeaseId, LeaseStatus, Member, Op, Outcome,
    PutResponse, Range, RangeRequest, RangeResponse, Response, Store, Txn, TxnResponse, WatchId,
    WatchMessage,
};
use base::{Instant, Str};
use std::sync::Arc;

/// etcd as its clients see it.
///
/// Proposes commands and answers with their outcome; with one member, a proposal is applied at once.
/// The caller polls the watches, and calls [`Etcd::tick`] when [`Etcd::next_wake`] has come.
#[derive(Clone, Debug)]
pub struct Etcd<V> {
    member: Member<V>,
    retention: Retention,
    leases_granted: i64,
}

/// How much history is kept before etcd compacts by itself. Everything, by default.
///
/// Compaction happens in strides of an eighth of each limit, not on every write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// At least this many of the last revisions stay readable, unless another limit is met.
    pub revisions: Option<i64>,
    /// At most this many changes.
    pub entries: Option<usize>,
    /// At most this many bytes of superseded values, as [`crate::Hooks::size`] tells it.
    pub bytes: Option<usize>,
}

/// etcd's default limit for one request.
const REQUEST_BYTES_MAX: usize = 3 << 19;

impl<V: Clone> Default for Etcd<V> {
    fn default() -> Etcd<V> {
        Etcd::new(Store::default(), Retention::default())
    }
}

impl<V: Clone> Etcd<V> {
    /// etcd with one member that starts from `store`.
    pub fn new(store: Store<V>, retention: Retention) -> Etcd<V> {
        Etcd { member: Member::new(store), retention, leases_granted: 0 }
    }

    /// Proposes a command and waits for it to be applied.
    pub fn propose(&mut self, command: Command<V>) -> Outcome<V> {
        if self.request_bytes(&command) > REQUEST_BYTES_MAX {
            return Err(Error::RequestTooLarge);
        }
        let outcome = self.member.apply(command)?;
        if let Some(revision) = self.member.store().compaction_due(&self.retention) {
            let compacted = self.member.apply(Command::Compact { revision });
            assert!(
                compacted.is_ok(),
                "a compaction that is due is allowed: {:?}",
                compacted.err()
            );
        }
        Ok(outcome)
    }

    /// The store, for reading.
    pub fn store(&self) -> &Store<V> {
        self.member.store()
    }

    /// The newest revision.
    pub fn revision(&self) -> i64 {
        self.store().revision()
    }

    /// The newest version of `key`.
    pub fn get(&self, key: &str) -> Option<&Arc<KeyValue<V>>> {
        self.store().get(key)
    }

    /// Reads the keys of a range, now or at an earlier revision.
    pub fn range(&self, request: &RangeRequest) -> Result<RangeResponse<V>, Error> {
        self.store().range(request)
    }

    /// Puts one key, without a lease.
    pub fn put(&mut self, key: impl Into<Str>, value: V) -> Result<PutResponse<V>, Error> {
        self.put_with_lease(key, value, LeaseId::NONE)
    }

    /// Puts one key and attaches it to `lease`.
    pub fn put_with_lease(
        &mut self,
        key: impl Into<Str>,
        value: V,
        lease: LeaseId,
    ) -> Result<PutResponse<V>, Error> {
        match self.propose(Command::Put { key: key.into(), value, lease })? {
            Response::Put(response) => Ok(response),
            _ => unreachable!("a put is answered with a put"),
        }
    }

    /// Deletes the keys of `range`.
    pub fn delete(&mut self, range: Range) -> Result<DeleteResponse<V>, Error> {
        match self.propose(Command::Delete(range))? {
            Response::Delete(response) => Ok(response),
            _ => unreachable!("a deletion is answered with a deletion"),
        }
    }

    /// Carries out a transaction.
    pub fn txn(&mut self, txn: Txn<V>) -> Result<TxnResponse<V>, Error> {
        match self.propose(Command::Txn(txn))? {
            Response::Txn(response) => Ok(response),
            _ => unreachable!("a transaction is answered with a transaction"),
        }
    }

    /// Forgets the history before `revision`.
    pub fn compact(&mut self, revision: i64) -> Result<(), Error> {
        self.propose(Command::Compact { revision }).map(|_| ())
    }

    // Leases.

    /// Grants a lease of `ttl_seconds`, or a little more if that is very short. Without an id, etcd
    /// chooses one.
    pub fn lease_grant(
        &mut self,
        id: LeaseId,
        ttl_seconds: i64,
        now: Instant,
    ) -> Result<(LeaseId, i64), Error> {
        let id = if id == LeaseId::NONE { self.unused_lease() } else { id };
        self.lease_command(Command::LeaseGrant { id, ttl_seconds, now })
    }

    /// Starts the time to live of a lease afresh; returns it in seconds.
    pub fn lease_keep_alive(&mut self, id: LeaseId, now: Instant) -> Result<i64, Error> {
        self.lease_command(Command::LeaseKeepAlive { id, now }).map(|(_, seconds)| seconds)
    }

    /// Ends a lease and deletes its keys.
    pub fn lease_revoke(&mut self, id: LeaseId) -> Result<DeleteResponse<V>, Error> {
        match self.propose(Command::LeaseRevoke { id })? {
            Response::LeaseRevoke(response) => Ok(response),
            _ => unreachable!("a revocation is answered with a revocation"),
        }
    }

    /// What is known of a lease.
    pub fn lease(&self, id: LeaseId) -> Result<LeaseStatus, Error> {
        self.store().lease(id)
    }

    /// When [`Etcd::tick`] next has something to do.
    pub fn next_wake(&self) -> Option<Instant> {
        self.store().next_expiry().map(|(at, _)| at)
    }

    /// Revokes the leases that have ended by `now`, each at a revision of its own; returns how many.
    pub fn tick(&mut self, now: Instant) -> usize {
        let mut ended = 0;
        while let Some((at, id)) = self.store().next_expiry()
            && at <= now
        {
            self.lease_revoke(id).expect("a lease that can expire can be revoked");
            ended += 1;
        }
        ended
    }

    fn lease_command(&mut self, command: Command<V>) -> Result<(LeaseId, i64), Error> {
        match self.propose(command)? {
            Response::Lease { id, ttl_seconds } => Ok((id, ttl_seconds)),
            _ => unreachable!("a lease command is answered with a lease"),
        }
    }

    fn unused_lease(&mut self) -> LeaseId {
        loop {
            self.leases_granted += 1;
            let id = LeaseId(self.leases_granted);
            if self.lease(id).is_err() {
                return id;
            }
        }
    }

    // Watches.

    /// Watches `range` from `start_revision` on, or from the next revision if that is `None` or 0.
    ///
    /// The history since then comes first. A compacted `start_revision` gives a watch whose only
    /// message is [`WatchMessage::Cancelled`].
    pub fn watch(&mut self, range: Range, start_revision: Option<i64>) -> WatchId {
        let (store, watches) = self.member.parts();
        watches.watch(store, range, start_revision)
    }

    /// Ends a watch.
    pub fn cancel_watch(&mut self, id: WatchId) {
        self.member.parts().1.cancel(id);
    }

    /// Asks for a message that says up to which revision the watch has been told everything.
    pub fn request_progress(&mut self, id: WatchId) {
        let (store, watches) = self.member.parts();
        watches.request_progress(store, id);
    }

    /// The next message of any watch.
    pub fn poll_watch(&mut self) -> Option<(WatchId, WatchMessage<V>)> {
        let (store, watches) = self.member.parts();
        watches.poll(store)
    }

    /// All messages that wait for one watch.
    pub fn take_events(&mut self, id: WatchId) -> Vec<WatchMessage<V>> {
        let (store, watches) = self.member.parts();
        watches.take_events(store, id)
    }

    fn request_bytes(&self, command: &Command<V>) -> usize {
        let put = |key: &Str, value: &V| key.len() + self.store().size_of(value);
        match command {
            Command::Put { key, value, .. } => put(key, value),
            Command::Txn(txn) => {
                let ops = txn.success.iter().chain(&txn.failure);
                ops.map(|op| match op {
                    Op::Put { key, value, .. } => put(key, value),
                    Op::Range(_) | Op::Delete(_) => 0,
                })
                .sum()
            }
            _ => 0,
        }
    }
}
