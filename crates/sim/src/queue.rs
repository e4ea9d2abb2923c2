//! The event queue: what happens next, in virtual time.

use base::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events ordered by instant, and by the order of scheduling where instants are equal.
///
/// Scheduling and popping cost O(log n); cancelling is O(1) amortised. Cancelled entries stay in the
/// heap as tombstones until they reach its top or outnumber the live ones, so memory stays within a
/// constant factor of the live events.
#[derive(Clone, Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry>>,
    slots: Vec<Slot<E>>,
    free: Vec<u32>,
    sequence: u64,
    live: usize,
}

/// Names one scheduled event, for cancelling it. Never reused within a queue and its clones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    sequence: u64,
    slot: u32,
}

/// Ordered by its fields from top to bottom; `sequence` is unique, so `slot` never decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Instant,
    sequence: u64,
    slot: u32,
}

#[derive(Clone, Debug)]
struct Slot<E> {
    sequence: u64,
    event: Option<E>,
}

/// Below this many tombstones a sweep is not worth its cost.
const TOMBSTONES_MIN: usize = 64;

impl<E> Default for Queue<E> {
    fn default() -> Queue<E> {
        Queue { heap: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), sequence: 0, live: 0 }
    }
}

impl<E> Queue<E> {
    /// An empty queue.
    pub fn new() -> Queue<E> {
        Queue::default()
    }

    /// How many events are waiting.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether no event is waiting.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// When the next event is due.
    pub fn peek_time(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// The next event and when it is due, left in the queue.
    pub fn peek(&self) -> Option<(Instant, &E)> {
        let Reverse(entry) = self.heap.peek()?;
        self.slots[entry.slot as usize].event.as_ref().map(|event| (entry.at, event))
    }

    /// Adds `event`, due at `at`; it comes after every event already scheduled for the same instant.
    pub fn schedule(&mut self, at: Instant, event: E) -> Ticket {
        let sequence = self.sequence;
        self.sequence += 1;
        let filled = Slot { sequence, event: Some(event) };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = filled;
                slot
            }
            None => {
                self.slots.push(filled);
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 waiting events")
            }
        };
        self.heap.push(Reverse(Entry { at, sequence, slot }));
        self.live += 1;
        Ticket { sequence, slot }
    }

    /// Whether the event of `ticket` still waits.
    pub fn is_scheduled(&self, ticket: Ticket) -> bool {
        self.slots
            .get(ticket.slot as usize)
            .is_some_and(|slot| slot.sequence == ticket.sequence && slot.event.is_some())
    }

    /// Takes the event of `ticket` back; `None` if it has happened or was cancelled before.
    pub fn cancel(&mut self, ticket: Ticket) -> Option<E> {
        if !self.is_scheduled(ticket) {
            return None;
        }
        let event = self.vacate(ticket.slot);
        let tombstones = self.heap.len() - self.live;
        if tombstones > TOMBSTONES_MIN && tombstones > self.live {
            let slots = &self.slots;
            self.heap.retain(|Reverse(entry)| is_live(slots, entry));
        } else {
            self.clear_top();
        }
        event
    }

    /// Removes the next event.
    pub fn pop(&mut self) -> Option<(Instant, E)> {
        let Reverse(entry) = self.heap.pop()?;
        let event = self.vacate(entry.slot).expect("the top of the heap is live");
        self.clear_top();
        Some((entry.at, event))
    }

    /// Removes the next event if it is due at or before `until`.
    pub fn pop_until(&mut self, until: Instant) -> Option<(Instant, E)> {
        if self.peek_time()? <= until { self.pop() } else { None }
    }

    fn vacate(&mut self, slot: u32) -> Option<E> {
        let event = self.slots[slot as usize].event.take();
        self.free.push(slot);
        self.live -= 1;
        event
    }

    /// Restores the invariant that the top of the heap, if any, is live.
    fn clear_top(&mut self) {
        while self.heap.len() > self.live
            && self.heap.peek().is_some_and(|Reverse(entry)| !is_live(&self.slots, entry))
        {
            self.heap.pop();
        }
    }
}

fn is_live<E>(slots: &[Slot<E>], entry: &Entry) -> bool {
    let slot = &slots[entry.slot as usize];
    slot.sequence == entry.sequence && slot.event.is_some()
}

#[cfg(test)]
mod tests {
    use super::{Queue, Ticket};
    use base::{Duration, Instant};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn at(micros: i64) -> Instant {
        Instant::START + Duration::micros(micros)
    }

    /// Schedules `5a 3b` (time, name), cancels the names after `-`, and expects names in pop order.
    fn check(script: &str, expected: &str) {
        let mut queue = Queue::new();
        let mut tickets: BTreeMap<String, Ticket> = BTreeMap::new();
        for word in script.split_whitespace() {
            if let Some(name) = word.strip_prefix('-') {
                queue.cancel(tickets[name]);
            } else {
                let (time, name) = word.split_at(word.len() - 1);
                let ticket = queue.schedule(at(time.parse().unwrap()), name.to_owned());
                tickets.insert(name.to_owned(), ticket);
            }
        }
        let mut popped = Vec::new();
        while let Some(time) = queue.peek_time() {
            let (due, name) = queue.pop().unwrap();
            assert_eq!(due, time);
            popped.push(name);
        }
        assert!(queue.is_empty());
        assert_eq!(popped.join(" "), expected);
    }

    #[test]
    fn earlier_events_come_first() {
        check("5a 3b 4c", "b c a");
    }

    #[test]
    fn equal_instants_keep_the_order_of_scheduling() {
        check("5a 5b 4c 5d", "c a b d");
    }

    #[test]
    fn a_cancelled_event_never_happens() {
        check("5a 3b 4c -b", "c a");
        check("5a 3b -a -b", "");
    }

    #[test]
    fn a_reused_slot_does_not_revive_an_old_ticket() {
        check("5a -a 2b 3c", "b c");
        let mut queue = Queue::new();
        let old = queue.schedule(at(1), 'a');
        assert_eq!(queue.pop(), Some((at(1), 'a')));
        queue.schedule(at(2), 'b');
        assert_eq!(queue.cancel(old), None);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn nothing_is_popped_before_it_is_due() {
        let mut queue = Queue::new();
        queue.schedule(at(5), 'a');
        assert_eq!(queue.pop_until(at(4)), None);
        assert_eq!(queue.pop_until(at(5)), Some((at(5), 'a')));
    }

    #[test]
    fn a_timer_that_is_always_reset_leaves_no_trail() {
        let mut queue = Queue::new();
        queue.schedule(at(0), 0);
        let mut timer = queue.schedule(at(1_000), 1);
        for n in 0..100_000 {
            assert!(queue.cancel(timer).is_some());
            timer = queue.schedule(at(1_000 + n), 1);
        }
        assert_eq!(queue.len(), 2);
        assert!(queue.heap.len() < 200 && queue.slots.len() < 10);
    }

    proptest! {
        #[test]
        fn behaves_as_a_sorted_map(steps in prop::collection::vec((0u8..6, 0i64..50), 1..600)) {
            let mut queue = Queue::new();
            let mut model: BTreeMap<(Instant, u64), u64> = BTreeMap::new();
            let mut tickets = Vec::new();
            for (n, (action, value)) in (0u64..).zip(steps) {
                match action {
                    0..=2 => {
                        tickets.push(((at(value), n), queue.schedule(at(value), n)));
                        model.insert((at(value), n), n);
                    }
                    3 | 4 if !tickets.is_empty() => {
                        let (key, ticket) = tickets[value as usize % tickets.len()];
                        prop_assert_eq!(queue.is_scheduled(ticket), model.contains_key(&key));
                        prop_assert_eq!(queue.cancel(ticket), model.remove(&key));
                    }
                    _ => {
                        let expected = model.pop_first().map(|((due, _), n)| (due, n));
                        prop_assert_eq!(queue.clone().pop(), expected);
                        prop_assert_eq!(queue.pop(), expected);
                    }
                }
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.peek_time(), model.keys().next().map(|key| key.0));
            }
        }
    }
}
