//! Sorting whose code is compiled once, not once for every type that is sorted.
//!
//! The standard library's sorts are among the fastest there are, and each use of one adds several kilobytes to
//! the program, which the page has to load. These sort numbers that stand for the items, by one compiled sort,
//! and then put the items in their places. All are stable. Sorts that run in a hot loop may use the slice's own.

use std::cmp::Ordering;

/// Sorts in the order that `compare` tells.
pub fn by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let places = places(items.len(), &mut |a, b| compare(&items[a], &items[b]));
    arrange(items, places);
}

/// Sorts by a key that is made twice a comparison.
pub fn by_key<T, K: Ord>(items: &mut [T], mut key: impl FnMut(&T) -> K) {
    by(items, |a, b| key(a).cmp(&key(b)));
}

/// Sorts by a key that is made once an item.
pub fn by_cached_key<T, K: Ord>(items: &mut [T], key: impl FnMut(&T) -> K) {
    let keys: Vec<K> = items.iter().map(key).collect();
    let places = places(items.len(), &mut |a, b| keys[a].cmp(&keys[b]));
    arrange(items, places);
}

/// Sorts in the items' own order.
pub fn naturally<T: Ord>(items: &mut [T]) {
    by(items, T::cmp);
}

/// For each item the place where it belongs.
fn places(count: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| compare(*a, *b));
    let mut places = vec![0; count];
    for (place, item) in order.into_iter().enumerate() {
        places[item] = place;
    }
    places
}

fn arrange<T>(items: &mut [T], mut places: Vec<usize>) {
    for i in 0..items.len() {
        while places[i] != i {
            let place = places[i];
            items.swap(i, place);
            places.swap(i, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    fn check(count: u64, range: u64) {
        let mut rng = Rng::new(count * 31 + range);
        let list: Vec<(u64, u64)> = (0..count).map(|i| (rng.below(range), i)).collect();
        let mut expected = list.clone();
        expected.sort_by_key(|pair| pair.0);
        let mut got = list.clone();
        by_key(&mut got, |pair| pair.0);
        assert_eq!(got, expected, "{count} of {range}");
        let mut got = list.clone();
        by_cached_key(&mut got, |pair| pair.0);
        assert_eq!(got, expected, "{count} of {range}, cached");
        let mut got = list;
        naturally(&mut got);
        assert_eq!(got, expected, "{count} of {range}, in their own order");
    }

    #[test]
    fn sorts_as_the_standard_library_does() {
        for count in [0, 1, 2, 3, 10, 21, 100, 1000] {
            for range in [1, 2, 7, 1 << 40] {
                check(count, range);
            }
        }
    }
}
