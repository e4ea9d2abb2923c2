//! Events go an hour after they were last written.
//!
//! Models the time to live that the API server gives events by etcd leases.
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

/// What goes when, soonest first: the time to live is the same for all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expiry {
    queue: VecDeque<Due>,
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
        let Some(object) = new.filter(|object| object.get::<Event>().is_some()) else { return };
        let (namespace, name) = (object.namespace().clone(), object.name().clone());
        self.queue.push_back(Due { at: now + TTL, namespace, name, revision });
    }
}

impl ApiServer {
    /// When [`ApiServer::tick`] next has something to do.
    pub fn next_wake(&self) -> Option<Instant> {
        self.expiry.queue.front().map(|due| due.at)
    }

    /// Removes the events whose time has come; watches hear of it.
    pub fn tick(&mut self, now: Instant) {
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
