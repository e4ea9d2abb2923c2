//! The maps against those of the standard library.

use std::collections::BTreeMap as Model;

use super::*;
use crate::Rng;

/// Does the same random operations to both; most keys are below `range`.
fn check(steps: u64, range: u64) {
    let mut rng = Rng::new(steps ^ range);
    let (mut map, mut model) = (BTreeMap::new(), Model::new());
    for step in 0..steps {
        let key = rng.below(range);
        match rng.below(if step < steps / 2 { 8 } else { 14 }) {
            0 => assert_eq!(map.get(&key), model.get(&key)),
            1 => {
                *map.entry(key).or_insert(0) += 1;
                *model.entry(key).or_insert(0) += 1;
            }
            2 => assert_eq!(
                map.range(key..).next().map(|(k, v)| (*k, *v)),
                model.range(key..).next().map(|(k, v)| (*k, *v)),
            ),
            3..=7 => assert_eq!(map.insert(key, step), model.insert(key, step)),
            8 => assert_eq!(map.pop_first(), model.pop_first()),
            9 => assert_eq!(map.pop_last(), model.pop_last()),
            _ => assert_eq!(map.remove(&key), model.remove(&key)),
        }
        assert_eq!(map.len(), model.len());
    }
    assert_sound(&map);
    assert!(map.iter().eq(model.iter()), "forwards");
    assert!(map.iter().rev().eq(model.iter().rev()), "backwards");
    let (low, high) = (range / 4, range / 2);
    assert!(map.range(low..high).eq(model.range(low..high)), "a half-open range");
    assert!(map.range(low..=high).rev().eq(model.range(low..=high).rev()), "a closed range");
    map.range_mut(..high).for_each(|(_, value)| *value = 7);
    model.range_mut(..high).for_each(|(_, value)| *value = 7);
    map.retain(|key, _| key % 3 != 0);
    model.retain(|key, _| key % 3 != 0);
    assert_sound(&map);
    assert!(map.clone().into_iter().eq(model), "after a change of many");
}

fn assert_sound(map: &BTreeMap<u64, u64>) {
    assert_eq!(map.chunks.iter().map(Vec::len).sum::<usize>(), map.len);
    assert!(map.chunks.iter().all(|chunk| (1..=CHUNK_MAX).contains(&chunk.len())));
    assert!(map.keys().is_sorted_by(|a, b| a < b));
    assert_eq!(map.iter().len(), map.len);
}

#[test]
fn does_what_the_standard_librarys_map_does() {
    for steps in [0, 1, 10, 100, 5000, 20_000] {
        for range in [1, 10, 1000, 100_000] {
            check(steps, range);
        }
    }
}

#[test]
fn walks_from_both_ends_and_meets_in_the_middle() {
    let map: BTreeMap<u32, ()> = (0..1000).map(|i| (i, ())).collect();
    let mut keys = map.range(10..990).map(|(key, ())| *key);
    for i in 10..500 {
        assert_eq!((keys.next(), keys.next_back()), (Some(i), Some(999 - i)));
    }
    assert_eq!((keys.next(), keys.next_back()), (None, None));
}

#[test]
fn keys_in_order_fill_their_chunks() {
    let map: BTreeMap<u32, ()> = (0..6400).map(|i| (i, ())).collect();
    assert_eq!(map.chunks.len(), 6400 / CHUNK_MAX);
}

#[test]
fn maps_of_one_content_are_equal_however_they_came_to_be() {
    let up: BTreeMap<u32, u32> = (0..500).map(|i| (i, i)).collect();
    let down: BTreeMap<u32, u32> = (0..500).rev().map(|i| (i, i)).collect();
    assert_ne!(up.chunks.len(), down.chunks.len());
    assert_eq!(up, down);
    assert_eq!(up.cmp(&down), Ordering::Equal);
}

#[test]
fn sets_tell_what_they_share() {
    let a = BTreeSet::from([1, 2, 3]);
    let b = BTreeSet::from([2, 3, 4]);
    assert!(a.difference(&b).eq([&1]));
    assert!(a.intersection(&b).eq([&2, &3]));
    assert!(!a.is_subset(&b) && !a.is_disjoint(&b));
}
