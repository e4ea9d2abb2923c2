//! One place of a map, found once.

use super::{BTreeMap, Position};

/// The place of a key.
pub enum Entry<'a, K, V> {
    /// The key is there.
    Occupied(OccupiedEntry<'a, K, V>),
    /// The key is not there.
    Vacant(VacantEntry<'a, K, V>),
}

/// The place of a key that is there.
pub struct OccupiedEntry<'a, K, V> {
    pub(super) map: &'a mut BTreeMap<K, V>,
    pub(super) at: Position,
}

/// The place of a key that is not there.
pub struct VacantEntry<'a, K, V> {
    pub(super) map: &'a mut BTreeMap<K, V>,
    pub(super) at: Position,
    pub(super) key: K,
}

impl<'a, K, V> Entry<'a, K, V> {
    /// The value; `value` if there was none.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value; what `make` returns if there was none.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        match self {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(make()),
        }
    }

    /// The value; the default one if there was none.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Changes the value if there is one.
    pub fn and_modify(mut self, change: impl FnOnce(&mut V)) -> Self {
        if let Entry::Occupied(entry) = &mut self {
            change(entry.get_mut());
        }
        self
    }
}

impl<'a, K, V> OccupiedEntry<'a, K, V> {
    /// The key.
    pub fn key(&self) -> &K {
        &self.map.chunks[self.at.0][self.at.1].0
    }

    /// The value.
    pub fn get(&self) -> &V {
        &self.map.chunks[self.at.0][self.at.1].1
    }

    /// The value, to change it.
    pub fn get_mut(&mut self) -> &mut V {
        &mut self.map.chunks[self.at.0][self.at.1].1
    }

    /// The value, for as long as the map.
    pub fn into_mut(self) -> &'a mut V {
        &mut self.map.chunks[self.at.0][self.at.1].1
    }

    /// Sets the value, and returns the one it had.
    pub fn insert(&mut self, value: V) -> V {
        std::mem::replace(self.get_mut(), value)
    }

    /// Removes the entry, and returns its value.
    pub fn remove(self) -> V {
        self.remove_entry().1
    }

    /// Removes the entry.
    pub fn remove_entry(self) -> (K, V) {
        self.map.remove_at(self.at)
    }
}

impl<'a, K, V> VacantEntry<'a, K, V> {
    /// The key.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// Sets the value.
    pub fn insert(self, value: V) -> &'a mut V {
        self.map.insert_at(self.at, self.key, value)
    }
}
