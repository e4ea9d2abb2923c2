//! Walking a map from either end.

use std::iter::FusedIterator;
use std::{slice, vec};

use super::{BTreeMap, Position};

/// Entries by key.
pub struct Iter<'a, K, V> {
    front: slice::Iter<'a, (K, V)>,
    middle: slice::Iter<'a, Vec<(K, V)>>,
    back: slice::Iter<'a, (K, V)>,
}

/// Entries by key, with values to change.
pub struct IterMut<'a, K, V> {
    front: slice::IterMut<'a, (K, V)>,
    middle: slice::IterMut<'a, Vec<(K, V)>>,
    back: slice::IterMut<'a, (K, V)>,
}

/// Entries by key, taken out of their map.
pub struct IntoIter<K, V> {
    front: vec::IntoIter<(K, V)>,
    middle: vec::IntoIter<Vec<(K, V)>>,
    back: vec::IntoIter<(K, V)>,
}

impl<'a, K, V> Iter<'a, K, V> {
    pub(super) fn all(chunks: &'a [Vec<(K, V)>]) -> Iter<'a, K, V> {
        Iter { front: Default::default(), middle: chunks.iter(), back: Default::default() }
    }

    pub(super) fn between(chunks: &'a [Vec<(K, V)>], from: Position, to: Position) -> Self {
        let Some(first) = chunks.get(from.0) else { return Iter::all(&[]) };
        if from.0 == to.0 {
            return Iter { front: first[from.1..to.1].iter(), ..Iter::all(&[]) };
        }
        Iter {
            front: first[from.1..].iter(),
            middle: chunks[from.0 + 1..to.0].iter(),
            back: chunks.get(to.0).map_or(&[][..], |last| &last[..to.1]).iter(),
        }
    }
}

impl<'a, K, V> IterMut<'a, K, V> {
    pub(super) fn all(chunks: &'a mut [Vec<(K, V)>]) -> IterMut<'a, K, V> {
        IterMut { front: Default::default(), middle: chunks.iter_mut(), back: Default::default() }
    }

    pub(super) fn between(chunks: &'a mut [Vec<(K, V)>], from: Position, to: Position) -> Self {
        let (lower, upper) = chunks.split_at_mut(to.0);
        if from.0 == to.0 {
            let last = upper.first_mut().map_or(&mut [][..], |last| &mut last[from.1..to.1]);
            return IterMut { front: last.iter_mut(), ..IterMut::all(&mut []) };
        }
        let last = upper.first_mut().map_or(&mut [][..], |last| &mut last[..to.1]);
        let Some((first, middle)) = lower[from.0..].split_first_mut() else {
            return IterMut::all(&mut []);
        };
        IterMut {
            front: first[from.1..].iter_mut(),
            middle: middle.iter_mut(),
            back: last.iter_mut(),
        }
    }
}

macro_rules! walk {
    ($name:ident [$($life:lifetime)?], $item:ty, $out:expr) => {
        impl<$($life,)? K, V> Iterator for $name<$($life,)? K, V> {
            type Item = $item;
            fn next(&mut self) -> Option<$item> {
                loop {
                    if let Some(entry) = self.front.next() {
                        return Some($out(entry));
                    }
                    match self.middle.next() {
                        Some(chunk) => self.front = chunk.into_iter(),
                        None => return self.back.next().map($out),
                    }
                }
            }
            fn size_hint(&self) -> (usize, Option<usize>) {
                let middle: usize = self.middle.as_slice().iter().map(Vec::len).sum();
                let len = self.front.len() + middle + self.back.len();
                (len, Some(len))
            }
        }

        impl<$($life,)? K, V> DoubleEndedIterator for $name<$($life,)? K, V> {
            fn next_back(&mut self) -> Option<$item> {
                loop {
                    if let Some(entry) = self.back.next_back() {
                        return Some($out(entry));
                    }
                    match self.middle.next_back() {
                        Some(chunk) => self.back = chunk.into_iter(),
                        None => return self.front.next_back().map($out),
                    }
                }
            }
        }

        impl<$($life,)? K, V> ExactSizeIterator for $name<$($life,)? K, V> {}
        impl<$($life,)? K, V> FusedIterator for $name<$($life,)? K, V> {}
    };
}

walk!(Iter ['a], (&'a K, &'a V), |(key, value): &'a (K, V)| (key, value));
walk!(IterMut ['a], (&'a K, &'a mut V), |(key, value): &'a mut (K, V)| (&*key, value));
walk!(IntoIter [], (K, V), |entry| entry);

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Iter { front: self.front.clone(), middle: self.middle.clone(), back: self.back.clone() }
    }
}

/// Keys in order.
pub struct Keys<'a, K, V>(pub(super) Iter<'a, K, V>);
/// Values by key.
pub struct Values<'a, K, V>(pub(super) Iter<'a, K, V>);
/// Values by key, to change them.
pub struct ValuesMut<'a, K, V>(pub(super) IterMut<'a, K, V>);

macro_rules! half {
    ($name:ident, $item:ty, $which:tt) => {
        impl<'a, K, V> Iterator for $name<'a, K, V> {
            type Item = $item;
            fn next(&mut self) -> Option<$item> {
                self.0.next().map(|entry| entry.$which)
            }
            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }
        }

        impl<K, V> DoubleEndedIterator for $name<'_, K, V> {
            fn next_back(&mut self) -> Option<Self::Item> {
                self.0.next_back().map(|entry| entry.$which)
            }
        }

        impl<K, V> ExactSizeIterator for $name<'_, K, V> {}
        impl<K, V> FusedIterator for $name<'_, K, V> {}
    };
}

half!(Keys, &'a K, 0);
half!(Values, &'a V, 1);
half!(ValuesMut, &'a mut V, 1);

impl<K, V> Clone for Keys<'_, K, V> {
    fn clone(&self) -> Self {
        Keys(self.0.clone())
    }
}

impl<K, V> Clone for Values<'_, K, V> {
    fn clone(&self) -> Self {
        Values(self.0.clone())
    }
}

impl<'a, K, V> IntoIterator for &'a BTreeMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;
    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut BTreeMap<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = IterMut<'a, K, V>;
    fn into_iter(self) -> IterMut<'a, K, V> {
        self.iter_mut()
    }
}

impl<K, V> IntoIterator for BTreeMap<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;
    fn into_iter(self) -> IntoIter<K, V> {
        let (front, back) = (Default::default(), Default::default());
        IntoIter { front, middle: self.chunks.into_iter(), back }
    }
}
