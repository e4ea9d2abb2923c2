//! The work queue: client-go's rate-limited, delaying queue in deterministic order.
//!
//! Known deviations:
//! - The shared bucket of 10 retries per second is absent; only the per-item backoff is kept.

use std::collections::VecDeque;
use std::hash::Hash;

use base::{BTreeSet, Duration, HashMap, HashSet, Instant};

/// A queue in which an item is at most once, and never with two workers.
#[derive(Clone, Debug)]
pub struct WorkQueue<T> {
    ready: VecDeque<T>,
    dirty: HashSet<T>,
    processing: HashSet<T>,
    waiting: BTreeSet<(Instant, u64, T)>,
    due: HashMap<T, (Instant, u64)>,
    failures: HashMap<T, u32>,
    sequence: u64,
    backoff: (Duration, Duration),
}

impl<T> Default for WorkQueue<T> {
    /// A queue whose first retry comes after 5 ms, doubling, and none later than 1,000 seconds.
    fn default() -> WorkQueue<T> {
        WorkQueue::new((Duration::millis(5), Duration::secs(1_000)))
    }
}

impl<T> WorkQueue<T> {
    /// A queue with these first and longest waits before a retry.
    pub fn new(backoff: (Duration, Duration)) -> WorkQueue<T> {
        WorkQueue {
            backoff,
            ready: VecDeque::new(),
            dirty: HashSet::default(),
            processing: HashSet::default(),
            waiting: BTreeSet::new(),
            due: HashMap::default(),
            failures: HashMap::default(),
            sequence: 0,
        }
    }
}

impl<T: Clone + Ord + Hash> WorkQueue<T> {
    /// Marks the item as needing work. An item in work comes back when that work is done.
    pub fn add(&mut self, item: T) {
        if !self.dirty.insert(item.clone()) || self.processing.contains(&item) {
            return;
        }
        self.ready.push_back(item);
    }

    /// Adds the item at `at`; of several delays the earliest counts.
    pub fn add_at(&mut self, item: T, at: Instant) {
        if let Some(known) = self.due.get(&item).copied() {
            if known.0 <= at {
                return;
            }
            self.waiting.remove(&(known.0, known.1, item.clone()));
        }
        self.sequence += 1;
        self.due.insert(item.clone(), (at, self.sequence));
        self.waiting.insert((at, self.sequence, item));
    }

    /// Adds the item after its backoff, which doubles with each call; says when.
    pub fn add_rate_limited(&mut self, item: T, now: Instant) -> Instant {
        let failures = self.failures.entry(item.clone()).or_insert(0);
        let (first, longest) = self.backoff;
        let wait = first * (1 << (*failures).min(20));
        *failures += 1;
        let at = now + wait.min(longest);
        self.add_at(item, at);
        at
    }

    /// Forgets the item's failures.
    pub fn forget(&mut self, item: &T) {
        self.failures.remove(item);
    }

    /// How often the item was added with backoff since it was last forgotten.
    pub fn retries(&self, item: &T) -> u32 {
        self.failures.get(item).copied().unwrap_or(0)
    }

    /// Moves items whose time has come to the ready ones.
    pub fn advance(&mut self, now: Instant) {
        while let Some(first) = self.waiting.first()
            && first.0 <= now
        {
            let (_, _, item) = self.waiting.pop_first().expect("there is a first");
            self.due.remove(&item);
            self.add(item);
        }
    }

    /// The next item to work on; tell [`WorkQueue::done`] afterwards.
    pub fn take(&mut self) -> Option<T> {
        let item = self.ready.pop_front()?;
        self.dirty.remove(&item);
        self.processing.insert(item.clone());
        Some(item)
    }

    /// Ends the work on an item; it is ready again if it was added meanwhile.
    pub fn done(&mut self, item: &T) {
        if self.processing.remove(item) && self.dirty.contains(item) {
            self.ready.push_back(item.clone());
        }
    }

    /// When the first delayed item is due.
    pub fn next_wake(&self) -> Option<Instant> {
        self.waiting.first().map(|first| first.0)
    }

    /// How many items are ready.
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// Whether no item is ready.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script of `add a`, `take`, `done a`, `fail a`, `forget a`, `delay a MS`, `wait MS` and compares
    /// what `take` gave, `-` for nothing.
    fn check(script: &str, taken: &str) {
        let mut queue = WorkQueue::<String>::default();
        let mut now = Instant::START;
        let mut got = Vec::new();
        for line in script.split(", ") {
            let words: Vec<&str> = line.split(' ').collect();
            let item = words.get(1).map(|word| word.to_string()).unwrap_or_default();
            let millis = |at: usize| Duration::millis(words[at].parse().expect("a number"));
            match words[0] {
                "add" => queue.add(item),
                "take" => got.push(queue.take().unwrap_or_else(|| "-".into())),
                "done" => queue.done(&item),
                "fail" => drop(queue.add_rate_limited(item, now)),
                "forget" => queue.forget(&item),
                "delay" => queue.add_at(item, now + millis(2)),
                "wait" => {
                    now += millis(1);
                    queue.advance(now);
                }
                other => panic!("what is {other}?"),
            }
        }
        assert_eq!(got.join(" "), taken, "{script}");
    }

    #[test]
    fn items_come_out_in_order_and_once() {
        check("add a, add b, add a, take, take, take", "a b -");
    }

    #[test]
    fn an_item_in_work_comes_back_only_after_it_is_done() {
        check("add a, take, add a, take, done a, take", "a - a");
    }

    #[test]
    fn a_delayed_item_waits_and_its_earliest_time_counts() {
        check("delay a 10, delay a 30, wait 9, take, wait 1, take, done a, wait 30, take", "- a -");
        check("delay a 30, delay a 10, wait 10, take, done a, wait 30, take", "a -");
    }

    #[test]
    fn failures_back_off_exponentially_until_forgotten() {
        check("fail a, wait 5, take, done a, fail a, wait 9, take, wait 1, take", "a - a");
        check("fail a, wait 5, take, done a, forget a, fail a, wait 5, take", "a a");
    }

    #[test]
    fn backoff_ends_at_a_thousand_seconds() {
        let mut queue = WorkQueue::<u32>::default();
        for _ in 0..40 {
            queue.add_rate_limited(1, Instant::START);
        }
        queue.advance(Instant::START + Duration::secs(1));
        let at = queue.add_rate_limited(1, Instant::START);
        assert_eq!(at, Instant::START + Duration::secs(1000));
    }
}
