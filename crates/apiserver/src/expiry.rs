//! What goes with time: events an hour after they were last written, and the history that watches resume from.
//!
//! Models the time to live that the API server gives events by etcd leases, and its compaction of etcd.
//!
//! Known deviations:
//! - Each event goes at its own time; upstream lets events of one minute share a lease.

use std::collections::VecDeque;

use api::core::v1::Event;
use api::object::Object;
use base::{Duration, Instant, Str, lit};

use crate::registry::{self, Row};
use crate::{ApiServer, Write};

/// The default of `--event-ttl`.
const TTL: Duration = Duration::mins(60);
/// The default of `--etcd-compaction-interval`: so often goes what was superseded one such time ago.
const COMPACTION: Duration = Duration::mins(5);

/// What goes when, soonest first: the time to live is the same for all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expiry {
    queue: VecDeque<Due>,
    /// When etcd is compacted next; nothing where nothing was written since the last time.
    compaction: Option<Instant>,
    /// The revision at the last compaction: the next one goes as far.
    seen: i64,
}

#[derive(Clone, Debug)]
struct Due {
    at: Instant,
    namespace: Str,
    name: Str,
    revision: i64,
}

impl Expiry {
    /// Notes that an object was written.
    pub(crate) fn note(&mut self, _: &Row, now: Instant, new: Option<&Object>, revision: i64) {
        self.compaction.get_or_insert(now + COMPACTION);
        let Some(object) = new.filter(|object| object.get::<Event>().is_some()) else { return };
        let (namespace, name) = (object.namespace().clone(), object.name().clone());
        self.queue.push_back(Due { at: now + TTL, namespace, name, revision });
    }
}

impl ApiServer {
    /// When [`ApiServer::tick`] next has something to do.
    pub fn next_wake(&self) -> Option<Instant> {
        let events = self.expiry.queue.front().map(|due| due.at);
        [events, self.expiry.compaction].into_iter().flatten().min()
    }

    /// Removes the events whose time has come, of which watches hear, and the history that is too old.
    pub fn tick(&mut self, now: Instant) {
        self.expire_events(now);
        if self.expiry.compaction.is_some_and(|at| at <= now) {
            self.compact(now);
        }
    }

    fn compact(&mut self, now: Instant) {
        let newest = self.revision();
        if self.expiry.seen > 0 {
            // A limit of the store may have gone further already.
            let _ = self.etcd.compact(self.expiry.seen);
        }
        self.expiry.compaction = (newest > self.expiry.seen).then_some(now + COMPACTION);
        self.expiry.seen = newest;
    }

    fn expire_events(&mut self, now: Instant) {
        while let Some(due) = self.expiry.queue.front()
            && due.at <= now
        {
            let due = self.expiry.queue.pop_front().expect("seen above");
            let row = registry::of(<Event as api::object::Kind>::INFO).expect("registered");
            let Some(object) = self.stored(row, &due.namespace, &due.name).cloned() else {
                continue;
            };
            // A later write of the same event has a later entry.
            if *object.meta().resource_version != due.revision.to_string() {
                continue;
            }
            let write = Write::own(now, "expire", lit!("etcd"));
            // Only a fault of etcd can refuse, and then the event stays.
            let _ = self.remove(&write, row, &object);
        }
    }
}
