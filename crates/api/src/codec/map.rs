//! Small ordered maps, and fields that are seldom set.

use base::{List, Str};

/// A map from strings, ordered by key, small in memory.
#[derive(PartialEq, Eq, Hash)]
pub struct Map<V>(pub(super) List<(Str, V)>);

impl<V: Clone> Clone for Map<V> {
    fn clone(&self) -> Map<V> {
        let mut copy = Map(self.0.clone());
        if self.is_empty() && self.was_given() {
            copy.give();
        }
        copy
    }
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Map(List::new())
    }
}

impl<V: std::fmt::Debug> std::fmt::Debug for Map<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(k, v)| (k, v))).finish()
    }
}

impl<V> Map<V> {
    /// An empty map.
    pub fn new() -> Map<V> {
        Map::default()
    }

    /// The value at `key`.
    pub fn get(&self, key: &str) -> Option<&V> {
        self.find(key).ok().map(|i| &self.0[i].1)
    }

    /// The value at `key`, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.find(key).ok().map(|i| &mut self.0[i].1)
    }

    /// Whether `key` is there.
    pub fn contains_key(&self, key: &str) -> bool {
        self.find(key).is_ok()
    }

    /// Sets `key` and returns the value it had.
    pub fn insert(&mut self, key: impl Into<Str>, value: V) -> Option<V> {
        self.place(key.into(), value).1
    }

    /// Sets `key`; returns its position and the value it had.
    pub(super) fn place(&mut self, key: Str, value: V) -> (usize, Option<V>) {
        match self.find(&key) {
            Ok(at) => (at, Some(std::mem::replace(&mut self.0[at].1, value))),
            Err(at) => {
                self.0.insert(at, (key, value));
                (at, None)
            }
        }
    }

    /// Removes `key` and returns the value it had.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        self.find(key).ok().map(|i| self.0.remove(i).1)
    }

    /// Keeps the entries for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&Str, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a document gave the map, be it empty.
    pub fn was_given(&self) -> bool {
        self.0.capacity() > 0
    }

    /// Notes that a document gave the map.
    pub fn give(&mut self) {
        self.0.reserve(1);
    }

    /// The entries, ordered by key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Str, &V)> + ExactSizeIterator {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Str> + ExactSizeIterator {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values, ordered by key.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator {
        self.0.iter().map(|(_, value)| value)
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(k, _)| k.as_str().cmp(key))
    }
}

/// Fields that few objects use, behind one pointer that is empty as long as all of them are unset.
#[derive(Clone, Default)]
pub struct Rare<T>(Option<Box<T>>);

/// A struct of rare fields with a shared value in which none is set.
pub trait Seldom: Default + PartialEq + 'static {
    /// The value in which none is set.
    fn none() -> &'static Self;
}

impl<T: Seldom> std::ops::Deref for Rare<T> {
    type Target = T;
    fn deref(&self) -> &T {
        match &self.0 {
            Some(own) => own,
            None => T::none(),
        }
    }
}

impl<T: Seldom> std::ops::DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Seldom> PartialEq for Rare<T> {
    fn eq(&self, other: &Rare<T>) -> bool {
        **self == **other
    }
}

impl Map<Str> {
    /// The text at `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).map(Str::as_str)
    }
}

impl<K: Into<Str>, V> FromIterator<(K, V)> for Map<V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Map<V> {
        let mut map = Map::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}
