//! Read your writes: which keys wait until the caches show what was written for them.

use api::object::{Key, KindInfo};
use base::{BTreeMap, Duration, HashMap, Instant, Str};

use crate::cache::{Caches, Delta};

/// A key waits no longer than this for the caches, whatever was lost.
const PATIENCE: Duration = Duration::mins(5);

/// What the caches must show.
#[derive(Clone, Debug)]
pub(super) enum Expectation {
    /// All of a kind up to a revision.
    Revision(&'static KindInfo, i64),
    /// That an object (of this uid, if known) is gone or going.
    Gone(&'static KindInfo, Key, Option<Str>),
}

impl Expectation {
    pub fn is_met(&self, caches: &Caches) -> bool {
        match self {
            Expectation::Revision(kind, revision) => {
                !caches.synced(kind) || caches.revision(kind) >= *revision
            }
            Expectation::Gone(kind, key, uid) => caches.object(kind, key).is_none_or(|object| {
                let meta = object.meta();
                meta.deletion_timestamp.is_some()
                    || uid.as_ref().is_some_and(|uid| *uid != meta.uid)
            }),
        }
    }
}

#[derive(Clone, Debug)]
struct Waiting {
    slot: usize,
    key: Key,
    left: usize,
    since: Instant,
}

type Tokens = Vec<u64>;

/// All keys that wait, found by what they wait for.
#[derive(Clone, Debug, Default)]
pub(super) struct Expectations {
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    revisions: HashMap<&'static KindInfo, BTreeMap<i64, Tokens>>,
    gone: HashMap<(&'static KindInfo, Key), Tokens>,
}

impl Expectations {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Lets a key wait until all is met.
    pub fn wait(&mut self, now: Instant, slot: usize, key: Key, waits: Vec<Expectation>) {
        self.next += 1;
        let token = self.next;
        // Of several revisions of a kind the highest decides.
        let mut highest: Vec<(&'static KindInfo, i64)> = Vec::new();
        let mut left = 0;
        for wait in waits {
            match wait {
                Expectation::Revision(kind, revision) => {
                    match highest.iter_mut().find(|(known, _)| *known == kind) {
                        Some((_, known)) => *known = revision.max(*known),
                        None => highest.push((kind, revision)),
                    }
                }
                Expectation::Gone(kind, key, _) => {
                    self.gone.entry((kind, key)).or_default().push(token);
                    left += 1;
                }
            }
        }
        for (kind, revision) in highest {
            self.revisions.entry(kind).or_default().entry(revision).or_default().push(token);
            left += 1;
        }
        self.waiting.insert(token, Waiting { slot, key, left, since: now });
    }

    /// The keys that need wait no more now that a kind is known up to `seen`.
    pub fn reached(&mut self, kind: &'static KindInfo, seen: i64) -> Vec<(usize, Key)> {
        let mut ready = Vec::new();
        let Some(mut marks) = self.revisions.remove(kind) else { return ready };
        while let Some(first) = marks.first_entry()
            && *first.key() <= seen
        {
            ready.extend(first.remove().into_iter().filter_map(|token| self.met(token)));
        }
        if !marks.is_empty() {
            self.revisions.insert(kind, marks);
        }
        ready
    }

    /// The keys that need wait no more now that an object has changed.
    pub fn went(&mut self, delta: &Delta) -> Vec<(usize, Key)> {
        let going = delta.deleted() || delta.meta().deletion_timestamp.is_some();
        if self.gone.is_empty() || !going {
            return Vec::new();
        }
        let tokens = self.gone.remove(&(delta.kind, delta.key())).unwrap_or_default();
        tokens.into_iter().filter_map(|token| self.met(token)).collect()
    }

    /// The keys that have waited too long.
    pub fn expired(&mut self, now: Instant) -> Vec<(usize, Key)> {
        let mut ready = Vec::new();
        while self.deadline().is_some_and(|at| at <= now) {
            let (_, waiting) = self.waiting.pop_first().expect("it has a deadline");
            ready.push((waiting.slot, waiting.key));
        }
        ready
    }

    /// When the first key has waited too long.
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|(_, first)| first.since + PATIENCE)
    }

    fn met(&mut self, token: u64) -> Option<(usize, Key)> {
        let waiting = self.waiting.get_mut(&token)?;
        waiting.left -= 1;
        if waiting.left > 0 {
            return None;
        }
        self.waiting.remove(&token).map(|waiting| (waiting.slot, waiting.key))
    }
}
