//! The ordered set: a map without values.

use std::borrow::Borrow;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::RangeBounds;

use super::{BTreeMap, IntoIter, Iter};

/// A set in order.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BTreeSet<T> {
    map: BTreeMap<T, ()>,
}

/// Items in order.
pub struct SetIter<'a, T>(Iter<'a, T, ()>);
/// Items in order, taken out of their set.
pub struct SetIntoIter<T>(IntoIter<T, ()>);

impl<T> BTreeSet<T> {
    /// An empty set.
    pub const fn new() -> BTreeSet<T> {
        BTreeSet { map: BTreeMap::new() }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Removes all items.
    pub fn clear(&mut self) {
        self.map.clear();
    }

    /// The items, in order.
    pub fn iter(&self) -> SetIter<'_, T> {
        SetIter(self.map.iter())
    }

    /// The least item.
    pub fn first(&self) -> Option<&T> {
        self.map.first_key_value().map(|(item, ())| item)
    }

    /// The greatest item.
    pub fn last(&self) -> Option<&T> {
        self.map.last_key_value().map(|(item, ())| item)
    }

    /// Removes the least item.
    pub fn pop_first(&mut self) -> Option<T> {
        self.map.pop_first().map(|(item, ())| item)
    }

    /// Removes the greatest item.
    pub fn pop_last(&mut self) -> Option<T> {
        self.map.pop_last().map(|(item, ())| item)
    }

    /// Keeps the items for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.map.retain(|item, ()| keep(item));
    }
}

impl<T: Ord> BTreeSet<T> {
    /// Whether `item` is there.
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.map.contains_key(item)
    }

    /// The set's own item that equals `item`.
    pub fn get<Q: Ord + ?Sized>(&self, item: &Q) -> Option<&T>
    where
        T: Borrow<Q>,
    {
        self.map.get_key_value(item).map(|(item, ())| item)
    }

    /// Adds an item; false if it was there.
    pub fn insert(&mut self, item: T) -> bool {
        self.map.insert(item, ()).is_none()
    }

    /// Removes an item; false if it was not there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.map.remove(item).is_some()
    }

    /// Removes an item, and returns it.
    pub fn take<Q: Ord + ?Sized>(&mut self, item: &Q) -> Option<T>
    where
        T: Borrow<Q>,
    {
        self.map.remove_entry(item).map(|(item, ())| item)
    }

    /// The items that lie in `range`.
    pub fn range<Q: Ord + ?Sized, R: RangeBounds<Q>>(&self, range: R) -> SetIter<'_, T>
    where
        T: Borrow<Q>,
    {
        SetIter(self.map.range(range))
    }

    /// The items that `other` lacks, in order.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a T> + Clone {
        self.iter().filter(|item| !other.contains(*item))
    }

    /// The items that `other` has too, in order.
    pub fn intersection<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a T> + Clone {
        self.iter().filter(|item| other.contains(*item))
    }

    /// Whether no item is in `other`.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.intersection(other).next().is_none()
    }

    /// Whether every item is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).next().is_none()
    }
}

impl<T> Default for BTreeSet<T> {
    fn default() -> BTreeSet<T> {
        BTreeSet::new()
    }
}

impl<T: Clone> Clone for BTreeSet<T> {
    fn clone(&self) -> BTreeSet<T> {
        BTreeSet { map: self.map.clone() }
    }
}

impl<T: fmt::Debug> fmt::Debug for BTreeSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<T: Ord> Extend<T> for BTreeSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        self.map.extend(items.into_iter().map(|item| (item, ())));
    }
}

impl<'a, T: Ord + Copy + 'a> Extend<&'a T> for BTreeSet<T> {
    fn extend<I: IntoIterator<Item = &'a T>>(&mut self, items: I) {
        self.extend(items.into_iter().copied());
    }
}

impl<T: Ord> FromIterator<T> for BTreeSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> BTreeSet<T> {
        let mut set = BTreeSet::new();
        set.extend(items);
        set
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for BTreeSet<T> {
    fn from(items: [T; N]) -> BTreeSet<T> {
        items.into_iter().collect()
    }
}

macro_rules! walk {
    ($name:ident [$($life:lifetime)?], $item:ty) => {
        impl<$($life,)? T> Iterator for $name<$($life,)? T> {
            type Item = $item;
            fn next(&mut self) -> Option<$item> {
                self.0.next().map(|(item, _)| item)
            }
            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }
        }

        impl<$($life,)? T> DoubleEndedIterator for $name<$($life,)? T> {
            fn next_back(&mut self) -> Option<$item> {
                self.0.next_back().map(|(item, _)| item)
            }
        }

        impl<$($life,)? T> ExactSizeIterator for $name<$($life,)? T> {}
        impl<$($life,)? T> FusedIterator for $name<$($life,)? T> {}
    };
}

walk!(SetIter ['a], &'a T);
walk!(SetIntoIter [], T);

impl<T> Clone for SetIter<'_, T> {
    fn clone(&self) -> Self {
        SetIter(self.0.clone())
    }
}

impl<'a, T> IntoIterator for &'a BTreeSet<T> {
    type Item = &'a T;
    type IntoIter = SetIter<'a, T>;
    fn into_iter(self) -> SetIter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for BTreeSet<T> {
    type Item = T;
    type IntoIter = SetIntoIter<T>;
    fn into_iter(self) -> SetIntoIter<T> {
        SetIntoIter(self.map.into_iter())
    }
}
