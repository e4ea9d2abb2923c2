//! Watches: who wants to hear of which keys.

use crate::{Event, Range, Store};
use base::{BTreeMap, HashMap, Str};
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

/// The watches of one member.
///
/// Watches of equal ranges form a group, and the keys are cut into segments that each know the groups
/// covering them, so a write costs one search plus a push for each watch that is to hear of it.
///
/// A watch that is not drained for 1,024 messages falls behind: it gets no more until it is drained,
/// and then catches up from the history, or is cancelled if that has been compacted.
#[derive(Clone, Debug)]
pub struct Watches<V> {
    watchers: HashMap<WatchId, Watcher<V>>,
    groups: HashMap<GroupId, Group>,
    group_of: HashMap<Range, GroupId>,
    /// The groups, in order, that cover the keys from this one up to the next.
    segments: BTreeMap<Str, Vec<GroupId>>,
    /// Watches that may have messages, in the order in which they became ready.
    ready: VecDeque<WatchId>,
    next_watch: u64,
    next_group: u64,
}

/// Names one watch of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// What a watch is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchMessage<V> {
    /// All changes of one revision in the watched range, in order.
    Events {
        /// The revision.
        revision: i64,
        /// The changes; watches of the same keys share them.
        events: Arc<[Event<V>]>,
    },
    /// Every change up to this revision has been told.
    Progress {
        /// The store's revision.
        revision: i64,
    },
    /// The watch is over: it asked for, or had fallen behind to, a revision that is compacted.
    Cancelled {
        /// The oldest revision that can be watched from.
        compact_revision: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct GroupId(u64);

#[derive(Clone, Debug)]
struct Watcher<V> {
    group: GroupId,
    /// The lowest revision that is still to be told.
    next: i64,
    queue: VecDeque<WatchMessage<V>>,
    /// The rest is to be read from the history.
    is_behind: bool,
    /// Listed in `ready`.
    is_ready: bool,
}

#[derive(Clone, Debug)]
struct Group {
    range: Range,
    watchers: Vec<WatchId>,
}

const QUEUE_MAX: usize = 1_024;

impl<V> Default for Watches<V> {
    fn default() -> Watches<V> {
        Watches {
            watchers: HashMap::default(),
            groups: HashMap::default(),
            group_of: HashMap::default(),
            segments: BTreeMap::new(),
            ready: VecDeque::new(),
            next_watch: 1,
            next_group: 1,
        }
    }
}

impl<V: Clone> Watches<V> {
    /// How many watches there are.
    pub fn len(&self) -> usize {
        self.watchers.len()
    }

    /// Whether there is no watch.
    pub fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// Watches `range` from `start_revision` on, or from the next revision if that is `None` or 0.
    ///
    /// What has happened since `start_revision` is queued at once. If that revision is compacted, the
    /// only message is [`WatchMessage::Cancelled`].
    pub fn watch(
        &mut self,
        store: &Store<V>,
        range: Range,
        start_revision: Option<i64>,
    ) -> WatchId {
        let id = WatchId(self.next_watch);
        self.next_watch += 1;
        let next = start_revision.filter(|start| *start > 0).unwrap_or(store.revision() + 1);
        let group = self.join(&range, id);
        let is_behind = next <= store.revision();
        let queue = VecDeque::new();
        let mut watcher = Watcher { group, next, queue, is_behind, is_ready: false };
        if is_behind {
            watcher.catch_up(&range, store);
            watcher.announce(id, &mut self.ready);
        }
        self.watchers.insert(id, watcher);
        id
    }

    /// Ends a watch and drops what it has not been told. Does nothing if the watch is over.
    pub fn cancel(&mut self, id: WatchId) {
        let Some(watcher) = self.watchers.remove(&id) else { return };
        if watcher.is_ready {
            self.ready.retain(|ready| *ready != id);
        }
        self.leave(watcher.group, id);
    }

    /// Whether the watch is open, or has messages that are not taken yet.
    pub fn contains(&self, id: WatchId) -> bool {
        self.watchers.contains_key(&id)
    }

    /// Queues a progress message behind what the watch has yet to be told.
    ///
    /// As in etcd, a watch that has fallen behind gets none.
    pub fn request_progress(&mut self, store: &Store<V>, id: WatchId) {
        if let Some(watcher) = self.watchers.get_mut(&id)
            && !watcher.is_behind
            && watcher.next <= store.revision() + 1
        {
            watcher.queue.push_back(WatchMessage::Progress { revision: store.revision() });
            watcher.announce(id, &mut self.ready);
        }
    }

    /// The next message of any watch; the watch that has been ready for longest comes first.
    pub fn poll(&mut self, store: &Store<V>) -> Option<(WatchId, WatchMessage<V>)> {
        while let Some(&id) = self.ready.front() {
            match self.take_one(store, id) {
                Some(message) => return Some((id, message)),
                None => {
                    self.ready.pop_front();
                    if let Some(watcher) = self.watchers.get_mut(&id) {
                        watcher.is_ready = false;
                    }
                }
            }
        }
        None
    }

    /// All messages of one watch.
    pub fn take_events(&mut self, store: &Store<V>, id: WatchId) -> Vec<WatchMessage<V>> {
        std::iter::from_fn(|| self.take_one(store, id)).collect()
    }

    fn take_one(&mut self, store: &Store<V>, id: WatchId) -> Option<WatchMessage<V>> {
        let watcher = self.watchers.get_mut(&id)?;
        if watcher.queue.is_empty() && watcher.is_behind {
            watcher.catch_up(&self.groups[&watcher.group].range, store);
        }
        let message = watcher.queue.pop_front()?;
        if matches!(message, WatchMessage::Cancelled { .. }) {
            self.cancel(id);
        }
        Some(message)
    }

    /// Tells the watches of the changes from the record `number` on, which are of one revision.
    pub(crate) fn publish(&mut self, store: &Store<V>, number: u64) {
        if self.watchers.is_empty() || number == store.history().next() {
            return;
        }
        let events: Arc<[Event<V>]> = store.history().events(number).cloned().collect();
        if let [event] = &*events {
            let groups = groups_at(&self.segments, &event.key);
            for group in groups {
                let members = &self.groups[group].watchers;
                tell(&mut self.watchers, &mut self.ready, members, &events);
            }
            return;
        }
        let mut heard: BTreeMap<GroupId, Vec<usize>> = BTreeMap::new();
        for (index, event) in events.iter().enumerate() {
            for group in groups_at(&self.segments, &event.key) {
                heard.entry(*group).or_default().push(index);
            }
        }
        for (group, indices) in heard {
            let members = &self.groups[&group].watchers;
            let events = if indices.len() == events.len() {
                events.clone()
            } else {
                indices.iter().map(|index| events[*index].clone()).collect()
            };
            tell(&mut self.watchers, &mut self.ready, members, &events);
        }
    }

    fn join(&mut self, range: &Range, id: WatchId) -> GroupId {
        if let Some(&group) = self.group_of.get(range) {
            self.groups.get_mut(&group).expect("every range has its group").watchers.push(id);
            return group;
        }
        let group = GroupId(self.next_group);
        self.next_group += 1;
        self.group_of.insert(range.clone(), group);
        self.groups.insert(group, Group { range: range.clone(), watchers: vec![id] });
        if let Some(bounds) = self.cut(range) {
            for (_, groups) in self.segments.range_mut::<str, _>(as_str(&bounds)) {
                // Group numbers rise, so the list stays in order.
                groups.push(group);
            }
        }
        group
    }

    fn leave(&mut self, group: GroupId, id: WatchId) {
        let members = &mut self.groups.get_mut(&group).expect("a watch has its group").watchers;
        members.retain(|member| *member != id);
        if !members.is_empty() {
            return;
        }
        let Group { range, .. } = self.groups.remove(&group).expect("it was there");
        self.group_of.remove(&range);
        if let Some(bounds) = self.cut(&range) {
            for (_, groups) in self.segments.range_mut::<str, _>(as_str(&bounds)) {
                groups.retain(|other| *other != group);
            }
            self.mend(&bounds.0);
            if let Some(upper) = &bounds.1 {
                self.mend(upper);
            }
        }
    }

    /// Makes segments begin at both ends of `range`; `None` if no key can lie in it.
    fn cut(&mut self, range: &Range) -> Option<(Str, Option<Str>)> {
        let bounds = (range.start.clone(), range.upper());
        if bounds.1.as_ref().is_some_and(|upper| *upper <= bounds.0) {
            return None;
        }
        for bound in std::iter::once(&bounds.0).chain(&bounds.1) {
            if !self.segments.contains_key(bound) {
                let groups = groups_at(&self.segments, bound).to_vec();
                self.segments.insert(bound.clone(), groups);
            }
        }
        Some(bounds)
    }

    /// Joins the segment that begins at `bound` to the one before it, if the same groups cover both.
    fn mend(&mut self, bound: &Str) {
        let below = (Bound::Unbounded, Bound::Excluded(&**bound));
        let below = self.segments.range::<str, _>(below).next_back();
        let before = below.map_or(&[] as &[GroupId], |(_, groups)| groups);
        if self.segments.get(bound).is_some_and(|groups| groups == before) {
            self.segments.remove(bound);
        }
    }
}

impl<V: Clone> Watcher<V> {
    /// Queues what has happened in `range` since `next`.
    fn catch_up(&mut self, range: &Range, store: &Store<V>) {
        self.is_behind = false;
        if self.next < store.compact_revision() {
            let compact_revision = store.compact_revision();
            self.queue.push_back(WatchMessage::Cancelled { compact_revision });
            self.next = i64::MAX;
            return;
        }
        let history = store.history();
        let mut heard: Vec<Event<V>> = Vec::new();
        for event in history.events(history.since(self.next)) {
            if !range.contains(&event.key) {
                continue;
            }
            if heard.last().is_some_and(|last| last.revision != event.revision) {
                self.queue.extend(message(std::mem::take(&mut heard).into()));
            }
            heard.push(event.clone());
        }
        self.queue.extend(message(heard.into()));
        self.next = store.revision() + 1;
    }

    /// Lists the watch as ready, unless it is listed or has nothing to say.
    fn announce(&mut self, id: WatchId, ready: &mut VecDeque<WatchId>) {
        if !self.is_ready && !self.queue.is_empty() {
            self.is_ready = true;
            ready.push_back(id);
        }
    }
}

/// Queues the events, which are of one revision, for each of `members` that wants them.
fn tell<V>(
    watchers: &mut HashMap<WatchId, Watcher<V>>,
    ready: &mut VecDeque<WatchId>,
    members: &[WatchId],
    events: &Arc<[Event<V>]>,
) where
    V: Clone,
{
    let revision = events[0].revision;
    for id in members {
        let watcher = watchers.get_mut(id).expect("a group lists open watches");
        if watcher.is_behind || revision < watcher.next {
            continue;
        }
        if watcher.queue.len() >= QUEUE_MAX {
            watcher.is_behind = true;
            continue;
        }
        watcher.next = revision + 1;
        watcher.queue.push_back(WatchMessage::Events { revision, events: events.clone() });
        watcher.announce(*id, ready);
    }
}

fn message<V>(events: Arc<[Event<V>]>) -> Option<WatchMessage<V>> {
    let revision = events.first()?.revision;
    Some(WatchMessage::Events { revision, events })
}

fn groups_at<'a>(segments: &'a BTreeMap<Str, Vec<GroupId>>, key: &str) -> &'a [GroupId] {
    let up_to = (Bound::Unbounded, Bound::Included(key));
    segments.range::<str, _>(up_to).next_back().map_or(&[], |(_, groups)| groups)
}

fn as_str(bounds: &(Str, Option<Str>)) -> (Bound<&str>, Bound<&str>) {
    let upper = bounds.1.as_ref().map_or(Bound::Unbounded, |upper| Bound::Excluded(&**upper));
    (Bound::Included(&bounds.0), upper)
}

#[cfg(test)]
mod tests {
    use super::Watches;
    use crate::{Range, Store};

    /// Opens watches of the prefixes, closes those marked `-`, and expects the segments left.
    fn check(script: &str, segments: usize) {
        let store: Store<()> = Store::default();
        let mut watches = Watches::default();
        let mut open = Vec::new();
        for word in script.split_whitespace() {
            if let Some(prefix) = word.strip_prefix('-') {
                let index = open.iter().position(|(name, _)| *name == prefix).unwrap();
                watches.cancel(open.remove(index).1);
            } else {
                open.push((word, watches.watch(&store, Range::prefix(word), None)));
            }
        }
        assert_eq!(watches.segments.len(), segments, "{script}");
        assert_eq!(watches.len(), open.len());
    }

    #[test]
    fn closing_watches_leaves_no_trace() {
        check("a b ab a -a -ab -b -a", 0);
        check("a -a abc ab -abc -ab", 0);
    }

    #[test]
    fn watches_of_one_range_share_its_segments() {
        check("a a a", 2);
        check("a a a -a -a", 2);
    }
}
