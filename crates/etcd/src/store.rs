//! The MVCC state machine: keys, history and leases, changed by commands only.

use crate::history::{History, Record};
use crate::lease::Leases;
use crate::tree::{Entry, Tree};
use crate::{
    Command, Compare, DeleteResponse, End, Error, Event, KeyValue, LeaseId, LeaseStatus, Op,
    OpResponse, Outcome, PutResponse, Range, RangeRequest, RangeResponse, Response, Retention, Txn,
    TxnResponse,
};
use base::{Instant, Str};
use std::sync::Arc;

/// The replicated state of etcd: every key, the history since the last compaction, and the leases.
///
/// A fresh store is at revision 1; each command that writes raises it by one. A clone shares the
/// blocks of keys and history, and each block is copied on the first write to it.
#[derive(Clone, Debug)]
pub struct Store<V> {
    tree: Tree<V>,
    history: History<V>,
    leases: Leases,
    revision: i64,
    compacted: i64,
    history_bytes: usize,
    hooks: Hooks<V>,
}

/// What the store must know of its values. Both must be pure functions.
#[derive(Clone, Debug)]
pub struct Hooks<V> {
    /// The size of a value in bytes, for limits. Must not change with [`Hooks::stamp`].
    pub size: fn(&V) -> usize,
    /// Tells a value the revision it is written at.
    pub stamp: fn(&mut V, i64),
}

impl<V> Default for Hooks<V> {
    /// Values have no size and need no revision.
    fn default() -> Hooks<V> {
        Hooks { size: |_| 0, stamp: |_, _| {} }
    }
}

impl<V: Clone> Default for Store<V> {
    fn default() -> Store<V> {
        Store::new(Hooks::default())
    }
}

impl<V: Clone> Store<V> {
    /// An empty store.
    pub fn new(hooks: Hooks<V>) -> Store<V> {
        Store {
            tree: Tree::default(),
            history: History::default(),
            leases: Leases::default(),
            revision: 1,
            compacted: -1,
            history_bytes: 0,
            hooks,
        }
    }

    /// The newest revision.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The revision of the last compaction, the oldest that is readable; -1 if there was none.
    pub fn compact_revision(&self) -> i64 {
        self.compacted
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.tree.live()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many changes the history holds.
    pub fn history_len(&self) -> usize {
        self.history.len()
    }

    /// The size of the superseded values that the history holds, as [`Hooks::size`] tells it.
    pub fn history_bytes(&self) -> usize {
        self.history_bytes
    }

    /// The size of `value`, as [`Hooks::size`] tells it.
    pub(crate) fn size_of(&self, value: &V) -> usize {
        (self.hooks.size)(value)
    }

    pub(crate) fn history(&self) -> &History<V> {
        &self.history
    }

    // Reads.

    /// The newest version of `key`.
    pub fn get(&self, key: &str) -> Option<&Arc<KeyValue<V>>> {
        self.tree.get(key)?.head.as_ref()
    }

    /// The newest versions of the keys of `range`, in order.
    pub fn iter(&self, range: &Range) -> impl Iterator<Item = &Arc<KeyValue<V>>> {
        self.tree.entries(range).filter_map(|entry| entry.head.as_ref())
    }

    /// How many keys `range` has now. Costs a step for each 100 keys or so.
    pub fn count(&self, range: &Range) -> usize {
        self.tree.count(range, i64::MAX, |entry| entry.head.is_some())
    }

    /// Reads the keys of a range, now or at an earlier revision.
    pub fn range(&self, request: &RangeRequest) -> Result<RangeResponse<V>, Error> {
        let at = self.check_revision(request)?;
        let limit = match request.limit {
            _ if request.count_only => 0,
            None | Some(0) => usize::MAX,
            Some(limit) => limit,
        };
        let mut kvs = Vec::new();
        let mut rest_left = limit == 0;
        if !rest_left {
            let entries = self.tree.entries(&request.range);
            let found = entries.filter_map(|entry| match at {
                None => entry.head.as_ref(),
                Some(revision) => self.version_at(entry, revision),
            });
            for kv in found {
                if kvs.len() == limit {
                    rest_left = true;
                    break;
                }
                kvs.push(kv.clone());
            }
        }
        let count = match (rest_left, at) {
            (false, _) => kvs.len(),
            (true, None) => self.count(&request.range),
            (true, Some(revision)) => {
                let lived = |entry: &Entry<V>| self.version_at(entry, revision).is_some();
                self.tree.count(&request.range, revision, lived)
            }
        };
        let more = !request.count_only && count > kvs.len();
        Ok(RangeResponse { kvs, count, more, revision: self.revision })
    }

    /// What is known of a lease.
    pub fn lease(&self, id: LeaseId) -> Result<LeaseStatus, Error> {
        self.leases.status(id)
    }

    /// Every lease, by id.
    pub fn leases(&self) -> impl Iterator<Item = LeaseId> {
        self.leases.ids()
    }

    /// The lease that ends first, and when.
    pub fn next_expiry(&self) -> Option<(Instant, LeaseId)> {
        self.leases.next_expiry()
    }

    /// The version of the key that was the newest at `revision`, which must not be compacted.
    ///
    /// Walks back from the newest version; a compacted record cannot be newer than `revision`.
    fn version_at<'a>(
        &'a self,
        entry: &'a Entry<V>,
        revision: i64,
    ) -> Option<&'a Arc<KeyValue<V>>> {
        let mut version = entry.head.as_ref();
        if version.is_some_and(|kv| kv.mod_revision <= revision) {
            return version;
        }
        let mut number = entry.last;
        while let Some(record) = self.history.get(number) {
            if record.event.revision <= revision {
                break;
            }
            version = record.event.prev_kv.as_ref();
            number = record.older;
        }
        version
    }

    /// The revision to read at; `None` for the newest.
    fn check_revision(&self, request: &RangeRequest) -> Result<Option<i64>, Error> {
        match request.revision {
            Some(revision) if revision <= 0 => Ok(None),
            Some(revision) if revision > self.revision => Err(Error::FutureRevision),
            Some(revision) if revision < self.compacted => Err(Error::Compacted),
            at => Ok(at),
        }
    }

    // Commands.

    /// Carries out one command. This is the only way in which a store changes.
    pub fn apply(&mut self, command: Command<V>) -> Outcome<V> {
        match command {
            Command::Put { key, value, lease } => {
                self.check_put(&key, lease)?;
                let response = self.put(key, value, lease, self.revision + 1);
                self.revision = response.revision;
                Ok(Response::Put(response))
            }
            Command::Delete(range) => {
                check_key(&range)?;
                let response = self.delete(&range, self.revision + 1);
                self.revision = response.revision;
                Ok(Response::Delete(response))
            }
            Command::Txn(txn) => self.txn(txn).map(Response::Txn),
            Command::Compact { revision } => self.compact(revision),
            Command::LeaseGrant { id, ttl_seconds, now } => {
                let ttl_seconds = self.leases.grant(id, ttl_seconds, now)?;
                Ok(Response::Lease { id, ttl_seconds })
            }
            Command::LeaseKeepAlive { id, now } => {
                let ttl_seconds = self.leases.keep_alive(id, now)?;
                Ok(Response::Lease { id, ttl_seconds })
            }
            Command::LeaseRevoke { id } => self.revoke(id).map(Response::LeaseRevoke),
        }
    }

    fn put(&mut self, key: Str, value: V, lease: LeaseId, revision: i64) -> PutResponse<V> {
        let mut value = value;
        (self.hooks.stamp)(&mut value, revision);
        let mut put = None;
        let number = self.history.next();
        let replaced = self.tree.replace(&key, number, revision, |prev| {
            let kv = Arc::new(KeyValue {
                key: key.clone(),
                value,
                create_revision: prev.map_or(revision, |prev| prev.create_revision),
                mod_revision: revision,
                version: prev.map_or(1, |prev| prev.version + 1),
                lease,
            });
            put = Some(kv.clone());
            Some(kv)
        });
        let kv = put.expect("replace calls its closure once");
        let lease_prev = replaced.head.as_ref().map_or(LeaseId::NONE, |prev| prev.lease);
        if lease_prev != lease {
            self.leases.detach(lease_prev, &key);
            self.leases.attach(lease, &key);
        }
        let prev_kv = replaced.head.clone();
        self.record(key, revision, Some(kv.clone()), replaced.head, replaced.last);
        PutResponse { revision, kv, prev_kv }
    }

    fn delete(&mut self, range: &Range, revision: i64) -> DeleteResponse<V> {
        let prev_kvs: Vec<_> = self.iter(range).cloned().collect();
        for kv in &prev_kvs {
            let number = self.history.next();
            let replaced = self.tree.replace(&kv.key, number, revision, |_| None);
            self.leases.detach(kv.lease, &kv.key);
            self.record(kv.key.clone(), revision, None, replaced.head, replaced.last);
        }
        let revision = if prev_kvs.is_empty() { self.revision } else { revision };
        DeleteResponse { revision, prev_kvs }
    }

    fn record(
        &mut self,
        key: Str,
        revision: i64,
        kv: Option<Arc<KeyValue<V>>>,
        prev_kv: Option<Arc<KeyValue<V>>>,
        older: u64,
    ) {
        self.history_bytes += prev_kv.as_ref().map_or(0, |prev| (self.hooks.size)(&prev.value));
        self.history.push(Record { event: Event { key, revision, kv, prev_kv }, older });
    }

    fn txn(&mut self, txn: Txn<V>) -> Result<TxnResponse<V>, Error> {
        self.check_txn(&txn)?;
        let holds = |compare: &Compare| compare.holds(self.get(&compare.key).map(|kv| &**kv));
        let succeeded = txn.compares.iter().all(holds);
        let ops = if succeeded { txn.success } else { txn.failure };
        for op in &ops {
            match op {
                Op::Range(request) => {
                    self.check_revision(request)?;
                }
                Op::Put { key, lease, .. } => self.check_put(key, *lease)?,
                Op::Delete(_) => {}
            }
        }
        let before = self.history.next();
        let revision = self.revision + 1;
        let mut responses = Vec::with_capacity(ops.len());
        for op in ops {
            responses.push(match op {
                Op::Range(request) => OpResponse::Range(self.range(&request)?),
                Op::Put { key, value, lease } => {
                    OpResponse::Put(self.put(key, value, lease, revision))
                }
                Op::Delete(range) => OpResponse::Delete(self.delete(&range, revision)),
            });
        }
        if self.history.next() != before {
            self.revision = revision;
        }
        Ok(TxnResponse { succeeded, responses, revision: self.revision })
    }

    fn revoke(&mut self, id: LeaseId) -> Result<DeleteResponse<V>, Error> {
        let keys = self.leases.remove(id)?;
        let revision = self.revision + 1;
        let mut prev_kvs = Vec::with_capacity(keys.len());
        for key in keys {
            prev_kvs.extend(self.delete(&Range::key(key), revision).prev_kvs);
        }
        if !prev_kvs.is_empty() {
            self.revision = revision;
        }
        Ok(DeleteResponse { revision: self.revision, prev_kvs })
    }

    fn compact(&mut self, revision: i64) -> Outcome<V> {
        if revision <= self.compacted {
            return Err(Error::Compacted);
        }
        if revision > self.revision {
            return Err(Error::FutureRevision);
        }
        self.compacted = revision;
        while let Some(record) = self.history.get(self.history.oldest()) {
            let event = &record.event;
            if event.revision >= revision {
                break;
            }
            if let Some(prev) = &event.prev_kv {
                self.history_bytes -= (self.hooks.size)(&prev.value);
            }
            if event.is_delete() {
                self.tree.remove_tombstone(&event.key, self.history.oldest());
            }
            self.history.forget_oldest();
        }
        Ok(Response::Compact { revision: self.revision })
    }

    /// The revision to compact at, once the history has outgrown `retention`.
    pub fn compaction_due(&self, retention: &Retention) -> Option<i64> {
        let by_revisions = retention.revisions.and_then(|keep| {
            let kept = self.revision - self.compacted.max(1);
            (kept > keep + keep / 8).then_some(self.revision - keep)
        });
        let by_entries = retention.entries.and_then(|max| {
            let excess = self.history.len().checked_sub(max).filter(|excess| *excess > 0)?;
            Some(self.history.oldest() + (excess + max / 8) as u64)
        });
        let by_bytes = retention.bytes.and_then(|max| {
            (self.history_bytes > max).then(|| self.record_at_bytes(max - max / 8))
        });
        // Compacting at a revision keeps the whole of it.
        let past = |number: u64| {
            let last = self.history.get(number - 1)?;
            Some((last.event.revision + 1).min(self.revision))
        };
        let targets =
            [by_revisions, by_entries.and_then(past), by_bytes.and_then(past)].into_iter();
        targets.flatten().max().filter(|revision| *revision > self.compacted)
    }

    /// The first record to keep so that the superseded values have at most `bytes` in all.
    fn record_at_bytes(&self, bytes: usize) -> u64 {
        let (mut left, mut number) = (self.history_bytes, self.history.oldest());
        while left > bytes
            && let Some(record) = self.history.get(number)
        {
            left -= record.event.prev_kv.as_ref().map_or(0, |kv| (self.hooks.size)(&kv.value));
            number += 1;
        }
        number
    }

    fn check_put(&self, key: &str, lease: LeaseId) -> Result<(), Error> {
        if key.is_empty() {
            return Err(Error::EmptyKey);
        }
        if lease != LeaseId::NONE && !self.leases.contains(lease) {
            return Err(Error::LeaseNotFound);
        }
        Ok(())
    }

    fn check_txn(&self, txn: &Txn<V>) -> Result<(), Error> {
        let lens = [txn.compares.len(), txn.success.len(), txn.failure.len()];
        if lens.into_iter().any(|len| len > TXN_OPS_MAX) {
            return Err(Error::TooManyOps);
        }
        if txn.compares.iter().any(|compare| compare.key.is_empty()) {
            return Err(Error::EmptyKey);
        }
        check_ops(&txn.success)?;
        check_ops(&txn.failure)
    }
}

/// How many compares, and operations on each side, a transaction may have.
const TXN_OPS_MAX: usize = 128;

/// The start of a range must be given, unless the range is all keys.
fn check_key(range: &Range) -> Result<(), Error> {
    let missing = range.start.is_empty() && range.end != End::Unbounded;
    if missing { Err(Error::EmptyKey) } else { Ok(()) }
}

/// A key may be put once, and not put and deleted by the same list of operations.
fn check_ops<V>(ops: &[Op<V>]) -> Result<(), Error> {
    let mut puts: Vec<&str> = Vec::new();
    for op in ops {
        match op {
            Op::Put { key, .. } if key.is_empty() => return Err(Error::EmptyKey),
            Op::Put { key, .. } => puts.push(key),
            Op::Delete(range) => check_key(range)?,
            Op::Range(request) => check_key(&request.range)?,
        }
    }
    base::sort::naturally(&mut puts);
    let twice = puts.windows(2).any(|pair| pair[0] == pair[1]);
    let deletes =
        |key: &str| ops.iter().any(|op| matches!(op, Op::Delete(range) if range.contains(key)));
    if twice || puts.iter().any(|key| deletes(key)) { Err(Error::DuplicateKey) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::Store;
    use crate::{Command, LeaseId, Range};
    use base::Str;

    /// Puts and deletes `keys`, puts the first of them again, and expects the entries left in the
    /// index after compacting at `revision`.
    fn check(keys: &[&str], revision: i64, entries: usize) {
        let mut store: Store<u32> = Store::default();
        let put = |key: &str| Command::Put { key: Str::from(key), value: 1, lease: LeaseId::NONE };
        for key in keys {
            store.apply(put(key)).unwrap();
        }
        store.apply(Command::Delete(Range::all())).unwrap();
        store.apply(put(keys[0])).unwrap();
        store.apply(Command::Compact { revision }).unwrap();
        assert_eq!(store.tree.entries(&Range::all()).count(), entries);
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn compaction_removes_deleted_keys_and_spares_those_created_anew() {
        check(&["a", "b", "c"], 6, 1);
    }

    #[test]
    fn a_deletion_at_the_compacted_revision_stays() {
        check(&["a", "b", "c"], 5, 3);
    }
}
