//! The ordered index of keys, in chunks that clones share.

use crate::{End, KeyValue, Range};
use base::Str;
use std::sync::Arc;

/// Every key in bytewise order, with its newest version and the number of its last record.
///
/// Two levels: a sorted list of chunks, each a sorted list of at most [`CHUNK_MAX`] entries. A clone
/// copies only the list of chunks. Deleted keys stay as tombstones until compaction removes them.
#[derive(Clone, Debug)]
pub(crate) struct Tree<V> {
    chunks: Vec<Slot<V>>,
    live: usize,
}

#[derive(Clone, Debug)]
struct Slot<V> {
    /// At or below every key of the chunk; above every key of the chunk before.
    first: Str,
    chunk: Arc<Chunk<V>>,
}

#[derive(Clone, Debug)]
struct Chunk<V> {
    entries: Vec<Entry<V>>,
    /// For each entry, the eight bytes of its key after the shared ones: most lookups read these
    /// side by side in memory, and then a single key.
    marks: Vec<u64>,
    /// How many bytes at the start all keys of the chunk have in common, at least.
    shared: usize,
    /// Entries that are not tombstones.
    live: usize,
    /// No entry has changed after this revision.
    newest: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry<V> {
    pub key: Str,
    /// The newest version; `None` is a tombstone.
    pub head: Option<Arc<KeyValue<V>>>,
    /// The number of the record of the last change.
    pub last: u64,
}

/// What [`Tree::replace`] found.
pub(crate) struct Replaced<V> {
    pub head: Option<Arc<KeyValue<V>>>,
    pub last: u64,
}

/// A place between entries: chunk, and entry in the chunk.
type Position = (usize, usize);

const CHUNK_MAX: usize = 192;
const CHUNK_MIN: usize = 24;

impl<V> Default for Tree<V> {
    fn default() -> Tree<V> {
        Tree { chunks: Vec::new(), live: 0 }
    }
}

impl<V: Clone> Tree<V> {
    /// Keys that are not tombstones.
    pub fn live(&self) -> usize {
        self.live
    }

    pub fn get(&self, key: &str) -> Option<&Entry<V>> {
        let chunk = &self.chunks.get(self.chunk_of(key))?.chunk;
        chunk.search(key).ok().map(|index| &chunk.entries[index])
    }

    /// Sets the newest version of `key` to what `make` returns for the present one.
    pub fn replace(
        &mut self,
        key: &Str,
        last: u64,
        revision: i64,
        make: impl FnOnce(Option<&Arc<KeyValue<V>>>) -> Option<Arc<KeyValue<V>>>,
    ) -> Replaced<V> {
        if self.chunks.is_empty() {
            let chunk = Arc::new(Chunk::new(Vec::new(), 0));
            self.chunks.push(Slot { first: key.clone(), chunk });
        }
        let number = self.chunk_of(key);
        let chunk = Arc::make_mut(&mut self.chunks[number].chunk);
        chunk.newest = chunk.newest.max(revision);
        match chunk.search(key) {
            Ok(index) => {
                let entry = &mut chunk.entries[index];
                let head = make(entry.head.as_ref());
                let (was, is) = (usize::from(entry.head.is_some()), usize::from(head.is_some()));
                chunk.live = chunk.live + is - was;
                self.live = self.live + is - was;
                Replaced {
                    head: std::mem::replace(&mut entry.head, head),
                    last: std::mem::replace(&mut entry.last, last),
                }
            }
            Err(index) => {
                if index == 0 {
                    // Only the first chunk takes keys below its bound; the bound follows them.
                    self.chunks[number].first = key.clone();
                }
                let chunk = Arc::make_mut(&mut self.chunks[number].chunk);
                let head = make(None);
                let is = usize::from(head.is_some());
                chunk.live += is;
                self.live += is;
                chunk.insert(index, Entry { key: key.clone(), head, last });
                self.split_if_full(number);
                Replaced { head: None, last: 0 }
            }
        }
    }

    /// Removes the tombstone of `key`, if its last change is the record `last`.
    pub fn remove_tombstone(&mut self, key: &str, last: u64) {
        let number = self.chunk_of(key);
        let Some(slot) = self.chunks.get_mut(number) else { return };
        let Ok(index) = slot.chunk.search(key) else { return };
        let entry = &slot.chunk.entries[index];
        if entry.head.is_none() && entry.last == last {
            let chunk = Arc::make_mut(&mut slot.chunk);
            chunk.remove(index);
            if chunk.entries.len() < CHUNK_MIN {
                self.join_with_neighbour(number);
            }
        }
    }

    /// The entries of `range` in order, tombstones included.
    pub fn entries(&self, range: &Range) -> impl Iterator<Item = &Entry<V>> {
        let (from, to) = self.span(range);
        self.pieces(from, to).flat_map(|(_, piece)| piece.iter())
    }

    /// How many keys `range` had at `revision`; `lived` tells it for an entry that changed since.
    pub fn count(&self, range: &Range, revision: i64, lived: impl Fn(&Entry<V>) -> bool) -> usize {
        let (from, to) = self.span(range);
        let count_piece = |(chunk, piece): (&Chunk<V>, &[Entry<V>])| {
            if chunk.newest > revision {
                piece.iter().filter(|entry| lived(entry)).count()
            } else if piece.len() == chunk.entries.len() {
                chunk.live
            } else {
                piece.iter().filter(|entry| entry.head.is_some()).count()
            }
        };
        self.pieces(from, to).map(count_piece).sum()
    }

    /// The chunks between two positions, each with the entries that lie between them.
    fn pieces(
        &self,
        from: Position,
        to: Position,
    ) -> impl Iterator<Item = (&Chunk<V>, &[Entry<V>])> {
        let end = self.chunks.len().min(to.0 + 1);
        (from.0..end).map(move |number| {
            let chunk = &*self.chunks[number].chunk;
            let low = if number == from.0 { from.1 } else { 0 };
            let high = if number == to.0 { to.1 } else { chunk.entries.len() };
            (chunk, &chunk.entries[low..high.max(low)])
        })
    }

    fn span(&self, range: &Range) -> (Position, Position) {
        let from = self.lower_bound(&range.start).0;
        let to = match &range.end {
            End::Single => {
                let ((chunk, index), found) = self.lower_bound(&range.start);
                (chunk, index + usize::from(found))
            }
            // An end before the start gives an empty range.
            End::Before(end) => self.lower_bound(end).0.max(from),
            End::Unbounded => (self.chunks.len(), 0),
        };
        (from, to)
    }

    /// The position before the first entry at or after `key`, and whether that entry is `key`.
    fn lower_bound(&self, key: &str) -> (Position, bool) {
        let number = self.chunk_of(key);
        match self.chunks.get(number).map(|slot| slot.chunk.search(key)) {
            None => ((number, 0), false),
            Some(Ok(index)) => ((number, index), true),
            Some(Err(index)) => ((number, index), false),
        }
    }

    /// The chunk that holds `key`, or would.
    fn chunk_of(&self, key: &str) -> usize {
        self.chunks.partition_point(|slot| *slot.first <= *key).saturating_sub(1)
    }

    fn split_if_full(&mut self, number: usize) {
        if self.chunks[number].chunk.entries.len() <= CHUNK_MAX {
            return;
        }
        // Keys often arrive in ascending order; then the left half is left nearly full.
        let at_end = number + 1 == self.chunks.len();
        let at = if at_end { CHUNK_MAX * 3 / 4 } else { CHUNK_MAX / 2 };
        let chunk = Arc::make_mut(&mut self.chunks[number].chunk);
        let right = Chunk::new(chunk.entries.split_off(at), chunk.newest);
        *chunk = Chunk::new(std::mem::take(&mut chunk.entries), chunk.newest);
        let first = right.entries[0].key.clone();
        self.chunks.insert(number + 1, Slot { first, chunk: Arc::new(right) });
    }

    fn join_with_neighbour(&mut self, number: usize) {
        let left = if number + 1 < self.chunks.len() { number } else { number.saturating_sub(1) };
        if self.chunks[number].chunk.entries.is_empty() {
            self.chunks.remove(number);
            return;
        }
        if left + 1 >= self.chunks.len() {
            return;
        }
        let len = |number: usize| self.chunks[number].chunk.entries.len();
        if len(left) + len(left + 1) > CHUNK_MAX / 2 {
            return;
        }
        let right = Arc::unwrap_or_clone(self.chunks.remove(left + 1).chunk);
        let chunk = Arc::make_mut(&mut self.chunks[left].chunk);
        let mut entries = std::mem::take(&mut chunk.entries);
        entries.extend(right.entries);
        *chunk = Chunk::new(entries, chunk.newest.max(right.newest));
    }
}

impl<V> Chunk<V> {
    fn new(entries: Vec<Entry<V>>, newest: i64) -> Chunk<V> {
        let live = entries.iter().filter(|entry| entry.head.is_some()).count();
        let mut chunk = Chunk { entries, marks: Vec::new(), shared: 0, live, newest };
        chunk.mark();
        chunk
    }

    fn search(&self, key: &str) -> Result<usize, usize> {
        let mark = mark(key, self.shared);
        let low = self.marks.partition_point(|other| *other < mark);
        let equal = self.marks[low..].iter().take_while(|other| **other == mark).count();
        let by_key = |entry: &Entry<V>| (*entry.key).cmp(key);
        match self.entries[low..low + equal].binary_search_by(by_key) {
            Ok(index) => Ok(low + index),
            // The key may not begin as the others do, and then marks tell nothing of its place.
            Err(_) => self.entries.binary_search_by(by_key),
        }
    }

    fn insert(&mut self, index: usize, entry: Entry<V>) {
        let begins_alike = self.entries.first().is_some_and(|first| {
            entry.key.as_bytes().get(..self.shared) == first.key.as_bytes().get(..self.shared)
        });
        let mark = mark(&entry.key, self.shared);
        self.entries.insert(index, entry);
        if begins_alike {
            self.marks.insert(index, mark);
        } else {
            self.mark();
        }
    }

    fn remove(&mut self, index: usize) {
        self.entries.remove(index);
        self.marks.remove(index);
    }

    /// Computes the marks afresh.
    fn mark(&mut self) {
        self.shared = match &self.entries[..] {
            [first, .., last] => {
                let pairs = first.key.bytes().zip(last.key.bytes());
                pairs.take_while(|(one, other)| one == other).count()
            }
            _ => 0,
        };
        self.marks.clear();
        self.marks.extend(self.entries.iter().map(|entry| mark(&entry.key, self.shared)));
    }
}

/// The eight bytes of `key` from `from` on, padded with zeros; keeps the order of the keys.
fn mark(key: &str, from: usize) -> u64 {
    let rest = key.as_bytes().get(from..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => rest
            .iter()
            .fold(0, |mark, byte| mark << 8 | u64::from(*byte))
            .checked_shl(8 * (8 - rest.len()) as u32)
            .unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK_MAX, Tree};
    use crate::{KeyValue, LeaseId, Range};
    use base::{Rng, Str};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn check(tree: &Tree<u64>, model: &BTreeMap<Str, u64>, range: &Range) {
        let got: Vec<u64> = tree
            .entries(range)
            .filter_map(|entry| entry.head.as_ref().map(|kv| kv.value))
            .collect();
        let keys = model.iter().filter(|(key, _)| range.contains(key));
        let expected: Vec<u64> = keys.map(|(_, value)| *value).collect();
        assert_eq!(got, expected, "{range:?}");
        assert_eq!(tree.count(range, i64::MAX, |_| unreachable!()), expected.len());
    }

    fn put(tree: &mut Tree<u64>, key: &Str, value: Option<u64>, last: u64) {
        tree.replace(key, last, last as i64, |_| {
            value.map(|value| {
                Arc::new(KeyValue {
                    key: key.clone(),
                    value,
                    create_revision: 0,
                    mod_revision: 0,
                    version: 1,
                    lease: LeaseId::NONE,
                })
            })
        });
    }

    #[test]
    fn keeps_thousands_of_keys_in_order_through_growth_and_shrinking() {
        let (mut tree, mut model, mut rng) = (Tree::default(), BTreeMap::new(), Rng::new(5));
        let key = |rng: &mut Rng| Str::from(format!("/k/{:05}", rng.below(20_000)));
        for (chance_of_put, steps) in [(90, 30_000), (10, 60_000)] {
            for number in 0..steps {
                let (key, value) = (key(&mut rng), rng.next_u64());
                if rng.below(100) < chance_of_put {
                    put(&mut tree, &key, Some(value), number);
                    model.insert(key, value);
                } else if model.remove(&key).is_some() {
                    put(&mut tree, &key, None, number);
                    tree.remove_tombstone(&key, number);
                }
            }
            assert_eq!(tree.live(), model.len());
            check(&tree, &model, &Range::all());
            for _ in 0..200 {
                let (low, high) = (key(&mut rng), key(&mut rng));
                check(&tree, &model, &Range::key(low.clone()));
                check(&tree, &model, &Range::prefix(&low[..6]));
                check(&tree, &model, &Range::between(low.clone(), high));
                check(&tree, &model, &Range::from(low));
            }
        }
        assert!(tree.chunks.len() < model.len() / 8 + CHUNK_MAX, "{}", tree.chunks.len());
    }

    #[test]
    fn a_clone_is_not_touched_by_later_writes() {
        let (mut tree, mut model) = (Tree::default(), BTreeMap::new());
        for number in 0..1_000 {
            let key = Str::from(format!("{number:04}"));
            put(&mut tree, &key, Some(number), number);
            model.insert(key, number);
        }
        let kept = tree.clone();
        for number in 0..1_000 {
            put(&mut tree, &Str::from(format!("{number:04}")), Some(7), number);
            put(&mut tree, &Str::from(format!("{number:04}x")), Some(7), number);
        }
        check(&kept, &model, &Range::all());
    }
}
