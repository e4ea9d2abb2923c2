//! Ordered maps and sets with the interface of the standard library's and a fraction of its code.
//!
//! Every pair of types that a `std` B-tree holds adds some ten kilobytes to the program, which the page has to
//! load. These are trees of two levels, a list of sorted chunks, so that nearly all they do is a binary search
//! and a `Vec` operation. An insertion moves at most a chunk, and one in dozens the list of chunks, which is
//! 2,400 long at 150,000 entries; a map of many millions would want a third level.

mod entry;
mod iter;
mod set;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Bound, Index, RangeBounds};

pub use entry::{Entry, OccupiedEntry, VacantEntry};
pub use iter::{IntoIter, Iter, IterMut, Keys, Values, ValuesMut};
pub use set::{BTreeSet, SetIter};

/// A full chunk is split when one more entry arrives.
const CHUNK_MAX: usize = 64;
/// A chunk that has become this small joins a neighbour that has room.
const CHUNK_MIN: usize = 8;

/// A map ordered by key.
pub struct BTreeMap<K, V> {
    /// No chunk is empty; keys ascend within chunks and from one to the next.
    chunks: Vec<Vec<(K, V)>>,
    len: usize,
}

/// A place between entries: chunk, and entry in the chunk.
type Position = (usize, usize);

impl<K, V> BTreeMap<K, V> {
    /// An empty map.
    pub const fn new() -> BTreeMap<K, V> {
        BTreeMap { chunks: Vec::new(), len: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        *self = BTreeMap::new();
    }

    /// The entries, by key.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::all(&self.chunks)
    }

    /// The entries, by key, to change the values.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        IterMut::all(&mut self.chunks)
    }

    /// The keys, in order.
    pub fn keys(&self) -> Keys<'_, K, V> {
        Keys(self.iter())
    }

    /// The values, by key.
    pub fn values(&self) -> Values<'_, K, V> {
        Values(self.iter())
    }

    /// The values, by key, to change them.
    pub fn values_mut(&mut self) -> ValuesMut<'_, K, V> {
        ValuesMut(self.iter_mut())
    }

    /// The keys alone.
    pub fn into_keys(self) -> impl DoubleEndedIterator<Item = K> {
        self.into_iter().map(|(key, _)| key)
    }

    /// The values alone, by key.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> {
        self.into_iter().map(|(_, value)| value)
    }

    /// The entry with the least key.
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        let (key, value) = self.chunks.first()?.first()?;
        Some((key, value))
    }

    /// The entry with the greatest key.
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        let (key, value) = self.chunks.last()?.last()?;
        Some((key, value))
    }

    /// The entry with the least key, to look at or remove.
    pub fn first_entry(&mut self) -> Option<OccupiedEntry<'_, K, V>> {
        if self.is_empty() { None } else { Some(OccupiedEntry { map: self, at: (0, 0) }) }
    }

    /// Removes the entry with the least key.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.is_empty()).then(|| self.remove_at((0, 0)))
    }

    /// Removes the entry with the greatest key.
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        let last = self.chunks.len().checked_sub(1)?;
        Some(self.remove_at((last, self.chunks[last].len() - 1)))
    }

    /// Keeps the entries for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for chunk in &mut self.chunks {
            chunk.retain_mut(|(key, value)| keep(key, value));
        }
        self.chunks.retain(|chunk| !chunk.is_empty());
        self.len = self.chunks.iter().map(Vec::len).sum();
    }

    fn insert_at(&mut self, (chunk, at): Position, key: K, value: V) -> &mut V {
        self.len += 1;
        if self.chunks.is_empty() {
            self.chunks.push(Vec::new());
        }
        if self.chunks[chunk].len() < CHUNK_MAX {
            self.chunks[chunk].insert(at, (key, value));
            return &mut self.chunks[chunk][at].1;
        }
        // Keys that come in order fill their chunks; others leave two halves.
        let at_end = at == CHUNK_MAX && chunk + 1 == self.chunks.len();
        let half = if at_end { CHUNK_MAX } else { CHUNK_MAX / 2 };
        let upper = self.chunks[chunk].split_off(half);
        self.chunks.insert(chunk + 1, upper);
        let (chunk, at) = if at >= half { (chunk + 1, at - half) } else { (chunk, at) };
        self.chunks[chunk].insert(at, (key, value));
        &mut self.chunks[chunk][at].1
    }

    fn remove_at(&mut self, (chunk, at): Position) -> (K, V) {
        self.len -= 1;
        let removed = self.chunks[chunk].remove(at);
        let left = self.chunks[chunk].len();
        if left == 0 {
            self.chunks.remove(chunk);
        } else if left < CHUNK_MIN {
            let lower = if chunk + 1 < self.chunks.len() { chunk } else { chunk.max(1) - 1 };
            if lower + 1 < self.chunks.len()
                && self.chunks[lower].len() + self.chunks[lower + 1].len() <= CHUNK_MAX / 2
            {
                let upper = self.chunks.remove(lower + 1);
                self.chunks[lower].extend(upper);
            }
        }
        removed
    }
}

impl<K: Ord, V> BTreeMap<K, V> {
    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The entry of `key`.
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (chunk, at) = self.search(key).ok()?;
        let (key, value) = &self.chunks[chunk][at];
        Some((key, value))
    }

    /// The value of `key`, to change it.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (chunk, at) = self.search(key).ok()?;
        Some(&mut self.chunks[chunk][at].1)
    }

    /// Whether `key` is there.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.search(key).is_ok()
    }

    /// Sets the value of `key`, and returns the one it had. A key that was there stays as it is.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.search(&key) {
            Ok((chunk, at)) => Some(std::mem::replace(&mut self.chunks[chunk][at].1, value)),
            Err(at) => {
                self.insert_at(at, key, value);
                None
            }
        }
    }

    /// Removes `key`, and returns the value it had.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// Removes `key`, and returns the entry.
    pub fn remove_entry<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let at = self.search(key).ok()?;
        Some(self.remove_at(at))
    }

    /// The place of `key`, be it taken or not.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        match self.search(&key) {
            Ok(at) => Entry::Occupied(OccupiedEntry { map: self, at }),
            Err(at) => Entry::Vacant(VacantEntry { map: self, at, key }),
        }
    }

    /// The entries whose keys lie in `range`.
    pub fn range<Q: Ord + ?Sized, R: RangeBounds<Q>>(&self, range: R) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let (from, to) = self.bounds(range);
        Iter::between(&self.chunks, from, to)
    }

    /// The entries whose keys lie in `range`, to change the values.
    pub fn range_mut<Q: Ord + ?Sized, R: RangeBounds<Q>>(&mut self, range: R) -> IterMut<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let (from, to) = self.bounds(range);
        IterMut::between(&mut self.chunks, from, to)
    }

    /// Moves all entries of `other` over.
    pub fn append(&mut self, other: &mut BTreeMap<K, V>) {
        self.extend(std::mem::take(other));
    }

    /// Where `key` is, or the place where it would be inserted.
    fn search<Q: Ord + ?Sized>(&self, key: &Q) -> Result<Position, Position>
    where
        K: Borrow<Q>,
    {
        let beyond = self.chunks.partition_point(|chunk| chunk[0].0.borrow() <= key);
        let chunk = beyond.max(1) - 1;
        let Some(entries) = self.chunks.get(chunk) else { return Err((0, 0)) };
        match entries.binary_search_by(|(own, _)| own.borrow().cmp(key)) {
            Ok(at) => Ok((chunk, at)),
            Err(at) => Err((chunk, at)),
        }
    }

    fn bounds<Q: Ord + ?Sized, R: RangeBounds<Q>>(&self, range: R) -> (Position, Position)
    where
        K: Borrow<Q>,
    {
        let place = |key: &Q, past: bool| match self.search(key) {
            Ok((chunk, at)) => (chunk, at + usize::from(past)),
            Err(at) => at,
        };
        let from = match range.start_bound() {
            Bound::Unbounded => (0, 0),
            Bound::Included(key) => place(key, false),
            Bound::Excluded(key) => place(key, true),
        };
        let to = match range.end_bound() {
            Bound::Unbounded => (self.chunks.len(), 0),
            Bound::Included(key) => place(key, true),
            Bound::Excluded(key) => place(key, false),
        };
        (from, to.max(from))
    }
}

impl<K, V> Default for BTreeMap<K, V> {
    fn default() -> BTreeMap<K, V> {
        BTreeMap::new()
    }
}

impl<K: Clone, V: Clone> Clone for BTreeMap<K, V> {
    fn clone(&self) -> BTreeMap<K, V> {
        BTreeMap { chunks: self.chunks.clone(), len: self.len }
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for BTreeMap<K, V> {
    fn eq(&self, other: &BTreeMap<K, V>) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for BTreeMap<K, V> {}

impl<K: PartialOrd, V: PartialOrd> PartialOrd for BTreeMap<K, V> {
    fn partial_cmp(&self, other: &BTreeMap<K, V>) -> Option<Ordering> {
        self.iter().partial_cmp(other.iter())
    }
}

impl<K: Ord, V: Ord> Ord for BTreeMap<K, V> {
    fn cmp(&self, other: &BTreeMap<K, V>) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl<K: Hash, V: Hash> Hash for BTreeMap<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.iter().for_each(|entry| entry.hash(state));
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for BTreeMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<Q: Ord + ?Sized, K: Ord + Borrow<Q>, V> Index<&Q> for BTreeMap<K, V> {
    type Output = V;
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key is there")
    }
}

impl<K: Ord, V> Extend<(K, V)> for BTreeMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            // Most lists come in order.
            if self.last_key_value().is_some_and(|(last, _)| *last < key) {
                let last = self.chunks.len() - 1;
                self.insert_at((last, self.chunks[last].len()), key, value);
            } else {
                self.insert(key, value);
            }
        }
    }
}

impl<'a, K: Ord + Copy, V: Copy> Extend<(&'a K, &'a V)> for BTreeMap<K, V> {
    fn extend<I: IntoIterator<Item = (&'a K, &'a V)>>(&mut self, entries: I) {
        self.extend(entries.into_iter().map(|(key, value)| (*key, *value)));
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for BTreeMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> BTreeMap<K, V> {
        let mut map = BTreeMap::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for BTreeMap<K, V> {
    fn from(entries: [(K, V); N]) -> BTreeMap<K, V> {
        entries.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
