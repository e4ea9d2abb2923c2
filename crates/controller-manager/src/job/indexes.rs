//! Sets of completion indexes, and the index of a pod.

use api::core::v1::Pod;
use base::{BTreeSet, Str};

/// Annotation and label that hold a pod's completion index.
pub const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Completion indexes as ordered intervals, which do not touch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Indexes(Vec<(i32, i32)>);

impl Indexes {
    /// Reads `1,3-5,7`; what is no number is skipped, what is not below `end` cut off.
    pub fn parse(text: &str, end: i32) -> Indexes {
        let mut indexes = Indexes::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) else {
                continue;
            };
            if first >= end {
                break;
            }
            indexes.push(first, last.min(end - 1));
        }
        indexes
    }

    /// The set with further indexes.
    pub fn with(&self, more: &BTreeSet<i32>) -> Indexes {
        self.union(&Indexes(more.iter().map(|index| (*index, *index)).collect()))
    }

    /// The indexes of both sets.
    pub fn union(&self, other: &Indexes) -> Indexes {
        let mut all: Vec<(i32, i32)> = self.0.iter().chain(&other.0).copied().collect();
        base::sort::naturally(&mut all);
        let mut indexes = Indexes::default();
        for (first, last) in all {
            indexes.push(first, last);
        }
        indexes
    }

    fn push(&mut self, first: i32, last: i32) {
        match self.0.last_mut() {
            Some(known) if first <= known.1 + 1 => known.1 = known.1.max(last),
            _ => self.0.push((first, last)),
        }
    }

    /// How many indexes there are.
    pub fn total(&self) -> i32 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether the index is among them.
    pub fn has(&self, index: i32) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < index);
        self.0.get(at).is_some_and(|(first, _)| *first <= index)
    }

    /// How many of the indexes are in `other` too.
    pub fn common(&self, other: &Indexes) -> i32 {
        let (mut count, mut rest) = (0, other.0.iter().peekable());
        for &(first, last) in &self.0 {
            while let Some(&&(start, end)) = rest.peek() {
                if end >= first && start <= last {
                    count += last.min(end) - first.max(start) + 1;
                }
                if end > last {
                    break;
                }
                rest.next();
            }
        }
        count
    }

    /// The first `count` indexes below `end` that are not in the set.
    pub fn first_missing(&self, count: usize, end: i32) -> Vec<i32> {
        let mut missing = Vec::new();
        let mut next = 0;
        for &(first, last) in self.0.iter().chain(std::iter::once(&(end, end))) {
            let room = count - missing.len();
            missing.extend((next..first.min(end)).take(room));
            next = next.max(last + 1);
        }
        missing
    }

    /// `1,3-5,7`; two neighbours are written `1,2`.
    pub fn text(&self) -> Str {
        let mut parts = Vec::new();
        for &(first, last) in &self.0 {
            match last - first {
                0 => parts.push(first.to_string()),
                1 => parts.push(format!("{first},{last}")),
                _ => parts.push(format!("{first}-{last}")),
            }
        }
        parts.join(",").into()
    }
}

/// The completion index of a pod, if it has a sound one.
pub fn index_of(pod: &Pod) -> Option<i32> {
    let index: i32 = pod.metadata.annotations.text(INDEX)?.parse().ok()?;
    (index >= 0).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, more: &[i32], expect: &str) {
        let indexes = Indexes::parse(text, 10).with(&more.iter().copied().collect());
        assert_eq!(&*indexes.text(), expect, "{text} with {more:?}");
    }

    #[test]
    fn indexes_merge_into_intervals() {
        check("", &[2, 0, 1], "0-2");
        check("1,3-5", &[2], "1-5");
        check("0,1", &[4, 5], "0,1,4,5");
        check("3-20,30", &[], "3-9");
        check("x,4", &[], "4");
    }

    #[test]
    fn membership_and_gaps_are_found() {
        let indexes = Indexes::parse("1,3-5", 10);
        assert_eq!((indexes.total(), indexes.has(4), indexes.has(2)), (4, true, false));
        assert_eq!(indexes.first_missing(3, 10), [0, 2, 6]);
        assert_eq!(indexes.first_missing(9, 7), [0, 2, 6]);
        assert_eq!(indexes.common(&Indexes::parse("0-3,5-9", 10)), 3);
    }
}
