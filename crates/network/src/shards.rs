//! A hash map that is cheap to copy and to change after copying.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use base::HashMap;

const SHARDS: usize = 256;

/// A map in 256 shared parts: a copy shares all of them, and a change copies just the part it touches.
///
/// Iteration order is by hash; sort what reaches output.
#[derive(Clone, Debug)]
pub struct Shards<K, V> {
    parts: Arc<Vec<Arc<HashMap<K, V>>>>,
    len: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    /// The value of `key`.
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.parts[part_of(key)].get(key)
    }

    /// The value of `key`, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.parts[part_of(key)].contains_key(key).then_some(())?;
        self.part_mut(key).get_mut(key)
    }

    /// Sets the value of `key`; the old one is returned.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = self.part_mut(&key).insert(key, value);
        self.len += usize::from(old.is_none());
        old
    }

    /// Forgets `key`; its value is returned.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.parts[part_of(key)].contains_key(key).then_some(())?;
        let old = self.part_mut(key).remove(key);
        self.len -= usize::from(old.is_some());
        old
    }

    /// All pairs, in no useful order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flat_map(|part| part.iter())
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn part_mut<Q: Hash + ?Sized>(&mut self, key: &Q) -> &mut HashMap<K, V> {
        let part = part_of(key);
        Arc::make_mut(&mut Arc::make_mut(&mut self.parts)[part])
    }
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::default());
        Shards { parts: Arc::new(vec![empty; SHARDS]), len: 0 }
    }
}

/// The part that holds `key`: other bits of the hash than the ones the map inside uses.
fn part_of<Q: Hash + ?Sized>(key: &Q) -> usize {
    let hash = rustc_hash_of(key);
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % SHARDS
}

fn rustc_hash_of<Q: Hash + ?Sized>(key: &Q) -> u64 {
    HashMap::<(), ()>::default().hasher().hash_one(key)
}

#[cfg(test)]
mod tests {
    use super::Shards;

    #[test]
    fn a_copy_does_not_see_later_changes() {
        let mut map = Shards::default();
        for n in 0..1000 {
            map.insert(n, n * n);
        }
        let copy = map.clone();
        map.insert(7, 0);
        map.remove(&8);
        *map.get_mut(&9).unwrap() = 1;
        assert_eq!((copy.get(&7), copy.get(&8), copy.get(&9)), (Some(&49), Some(&64), Some(&81)));
        assert_eq!((map.get(&7), map.get(&8), map.get(&9)), (Some(&0), None, Some(&1)));
        assert_eq!((copy.len(), map.len(), map.iter().count()), (1000, 999, 999));
    }
}
