//! Leases: keys that live only as long as someone keeps their lease alive.

use crate::Error;
use base::{BTreeMap, BTreeSet, Duration, Instant, Str};
use std::sync::Arc;

/// The id of a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub i64);

impl LeaseId {
    /// No lease. In a grant: let etcd choose.
    pub const NONE: LeaseId = LeaseId(0);
}

/// What is known of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseStatus {
    /// The lease.
    pub id: LeaseId,
    /// The time to live that was granted, in seconds.
    pub granted_seconds: i64,
    /// When it ends unless it is kept alive.
    pub expires: Instant,
    /// The keys attached to it, in order.
    pub keys: Vec<Str>,
}

/// Shorter times to live are raised to this: one and a half election timeouts, in whole seconds.
const TTL_SECONDS_MIN: i64 = 2;
const TTL_SECONDS_MAX: i64 = 9_000_000_000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    leases: BTreeMap<LeaseId, Arc<Lease>>,
    expiry: BTreeSet<(Instant, LeaseId)>,
}

#[derive(Clone, Debug)]
struct Lease {
    granted_seconds: i64,
    expires: Instant,
    keys: BTreeSet<Str>,
}

impl Leases {
    /// Grants a lease; returns its time to live in seconds.
    pub fn grant(&mut self, id: LeaseId, seconds: i64, now: Instant) -> Result<i64, Error> {
        if id == LeaseId::NONE {
            return Err(Error::LeaseNotFound);
        }
        if seconds > TTL_SECONDS_MAX {
            return Err(Error::LeaseTtlTooLarge);
        }
        if self.leases.contains_key(&id) {
            return Err(Error::LeaseExists);
        }
        let granted_seconds = seconds.max(TTL_SECONDS_MIN);
        let expires = now + Duration::secs(granted_seconds);
        let lease = Lease { granted_seconds, expires, keys: BTreeSet::new() };
        self.leases.insert(id, Arc::new(lease));
        self.expiry.insert((expires, id));
        Ok(granted_seconds)
    }

    /// Starts the time to live afresh; returns it in seconds.
    pub fn keep_alive(&mut self, id: LeaseId, now: Instant) -> Result<i64, Error> {
        let lease = self.leases.get_mut(&id).ok_or(Error::LeaseNotFound)?;
        if lease.expires <= now {
            return Err(Error::LeaseNotFound);
        }
        let lease = Arc::make_mut(lease);
        self.expiry.remove(&(lease.expires, id));
        lease.expires = now + Duration::secs(lease.granted_seconds);
        self.expiry.insert((lease.expires, id));
        Ok(lease.granted_seconds)
    }

    /// Forgets the lease; returns the keys that were attached to it.
    pub fn remove(&mut self, id: LeaseId) -> Result<BTreeSet<Str>, Error> {
        let lease = self.leases.remove(&id).ok_or(Error::LeaseNotFound)?;
        self.expiry.remove(&(lease.expires, id));
        Ok(Arc::unwrap_or_clone(lease).keys)
    }

    pub fn contains(&self, id: LeaseId) -> bool {
        self.leases.contains_key(&id)
    }

    pub fn attach(&mut self, id: LeaseId, key: &Str) {
        if let Some(lease) = self.leases.get_mut(&id) {
            Arc::make_mut(lease).keys.insert(key.clone());
        }
    }

    pub fn detach(&mut self, id: LeaseId, key: &str) {
        if let Some(lease) = self.leases.get_mut(&id) {
            Arc::make_mut(lease).keys.remove(key);
        }
    }

    /// The lease that ends first, and when.
    pub fn next_expiry(&self) -> Option<(Instant, LeaseId)> {
        self.expiry.first().copied()
    }

    pub fn ids(&self) -> impl Iterator<Item = LeaseId> {
        self.leases.keys().copied()
    }

    pub fn status(&self, id: LeaseId) -> Result<LeaseStatus, Error> {
        let lease = self.leases.get(&id).ok_or(Error::LeaseNotFound)?;
        Ok(LeaseStatus {
            id,
            granted_seconds: lease.granted_seconds,
            expires: lease.expires,
            keys: lease.keys.iter().cloned().collect(),
        })
    }
}
