//! The log of changes since the last compaction, in blocks that clones share.

use crate::Event;
use std::collections::VecDeque;
use std::sync::Arc;

/// The changes since the last compaction, numbered 1, 2, 3 … in the order in which they were made.
#[derive(Clone, Debug)]
pub(crate) struct History<V> {
    blocks: VecDeque<Arc<Vec<Record<V>>>>,
    /// The number of the first record of the first block.
    first: u64,
    /// The oldest record that is not compacted.
    oldest: u64,
    /// The number of the next record.
    next: u64,
}

/// One change, and the number of the change before it to the same key (0 for none).
#[derive(Clone, Debug)]
pub(crate) struct Record<V> {
    pub event: Event<V>,
    pub older: u64,
}

/// Records in a block. A block is freed, or copied after a clone, as a whole.
const BLOCK: u64 = 128;

impl<V> Default for History<V> {
    fn default() -> History<V> {
        History { blocks: VecDeque::new(), first: 1, oldest: 1, next: 1 }
    }
}

impl<V: Clone> History<V> {
    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn oldest(&self) -> u64 {
        self.oldest
    }

    pub fn len(&self) -> usize {
        (self.next - self.oldest) as usize
    }

    /// The record with this number; `None` if it is compacted (or 0).
    pub fn get(&self, number: u64) -> Option<&Record<V>> {
        if number < self.oldest {
            return None;
        }
        let index = number - self.first;
        self.blocks.get((index / BLOCK) as usize)?.get((index % BLOCK) as usize)
    }

    pub fn push(&mut self, record: Record<V>) {
        if (self.next - self.first).is_multiple_of(BLOCK) {
            self.blocks.push_back(Arc::new(Vec::with_capacity(BLOCK as usize)));
        }
        let block = self.blocks.back_mut().expect("a block has just been made");
        Arc::make_mut(block).push(record);
        self.next += 1;
    }

    /// Forgets the oldest record.
    pub fn forget_oldest(&mut self) {
        debug_assert!(self.oldest < self.next);
        self.oldest += 1;
        if self.oldest - self.first == BLOCK {
            self.blocks.pop_front();
            self.first += BLOCK;
        }
    }

    /// The number of the first record at or after `revision`.
    pub fn since(&self, revision: i64) -> u64 {
        let (mut low, mut high) = (self.oldest, self.next);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).is_some_and(|record| record.event.revision < revision) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The changes from the record `number` on.
    pub fn events(&self, number: u64) -> impl Iterator<Item = &Event<V>> {
        (number..self.next).filter_map(|number| self.get(number)).map(|record| &record.event)
    }
}
