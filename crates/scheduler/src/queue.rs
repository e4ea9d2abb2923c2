//! The scheduling queue: pods that can be tried now, pods that wait out a backoff, and pods that
//! wait for a change.
//!
//! Models the scheduler's priority queue. Known deviations:
//! - There are no events in flight: a pod is tried at one moment, so nothing can change meanwhile.

use std::cmp::Reverse;
use std::sync::Arc;

use api::core::v1::Pod;
use api::object::Key;
use api::wire::Trigger;
use base::{BTreeMap, BTreeSet, Duration, Instant};

use crate::hints::Change;
use crate::needs::Needs;
use crate::plugins::Plugins;

/// A pod that waits to be scheduled.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its newest known state.
    pub pod: Arc<Pod>,
    /// What brought it here.
    pub trigger: Trigger,
    /// How often it was tried.
    pub attempts: u32,
    /// The plugins that turned it away last time.
    pub rejected_by: Plugins,
    /// Its needs, once it was turned away.
    pub needs: Option<Arc<Needs>>,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Active(Rank),
    /// Until then; the flag says that nothing but the wait can end it.
    Backoff(Instant, bool, u64),
    /// Since when, and its number.
    Unschedulable(Instant, u64),
    Gated,
    InWork,
}

/// The order of the active queue: priority, then time, then arrival.
type Rank = (Reverse<i32>, Instant, u64);

/// After this time a pod is tried again even if nothing changed.
const UNSCHEDULABLE_MAX: Duration = Duration::mins(5);

/// The queue.
#[derive(Clone, Debug)]
pub struct Queue {
    pods: BTreeMap<Key, Waiting>,
    active: BTreeSet<(Rank, Key)>,
    /// Pods whose backoff may be cut short when there is nothing else to do.
    backoff: BTreeMap<(Instant, u64), Key>,
    /// Pods after an error, whose backoff is always waited out.
    backoff_errors: BTreeMap<(Instant, u64), Key>,
    unschedulable: BTreeMap<u64, (Instant, Key)>,
    /// The same by the plugins that turned them away.
    by_rejection: BTreeMap<Plugins, BTreeSet<u64>>,
    arrivals: u64,
    backoff_first: Duration,
    backoff_max: Duration,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::new(Duration::secs(1), Duration::secs(10))
    }
}

impl Queue {
    /// An empty queue whose backoff starts at `first` and doubles up to `max`.
    pub fn new(first: Duration, max: Duration) -> Queue {
        Queue {
            pods: BTreeMap::new(),
            active: BTreeSet::new(),
            backoff: BTreeMap::new(),
            backoff_errors: BTreeMap::new(),
            unschedulable: BTreeMap::new(),
            by_rejection: BTreeMap::new(),
            arrivals: 0,
            backoff_first: first,
            backoff_max: max,
        }
    }

    /// Adds a pod, or takes note of its change.
    pub fn add(&mut self, now: Instant, pod: Arc<Pod>, trigger: Trigger) {
        let key = Key::of(&pod.metadata);
        let gated = !pod.spec.scheduling_gates.is_empty();
        if let Some(known) = self.pods.get_mut(&key) {
            let spec_changed =
                known.pod.spec != pod.spec || known.pod.metadata.labels != pod.metadata.labels;
            known.pod = pod;
            match known.place {
                Place::Gated if !gated => self.activate(now, &key),
                Place::Unschedulable(..) if spec_changed => self.retry(now, &key),
                _ => {}
            }
            return;
        }
        let waiting =
            Waiting { pod, trigger, attempts: 0, rejected_by: 0, needs: None, place: Place::Gated };
        self.pods.insert(key.clone(), waiting);
        if !gated {
            self.activate(now, &key);
        }
    }

    /// Forgets a pod.
    pub fn remove(&mut self, key: &Key) {
        self.unlist(key);
        self.pods.remove(key);
    }

    /// Takes the next pod to try. It stays known until it is removed or turned away.
    ///
    /// While no pod is active, one whose backoff is not over yet is taken early.
    pub fn pop(&mut self) -> Option<(Key, Waiting)> {
        let key = match self.active.pop_first() {
            Some((_, key)) => key,
            None => self.backoff.pop_first()?.1,
        };
        let waiting = self.pods.get_mut(&key)?;
        waiting.place = Place::InWork;
        waiting.attempts += 1;
        Some((key, waiting.clone()))
    }

    /// The pod found no node: it waits for a change that concerns the plugins in `rejected_by`.
    pub fn turn_away(
        &mut self,
        now: Instant,
        key: &Key,
        rejected_by: Plugins,
        needs: Option<Arc<Needs>>,
    ) {
        let Some(waiting) = self.pods.get_mut(key) else { return };
        self.arrivals += 1;
        waiting.rejected_by = rejected_by;
        waiting.needs = needs;
        waiting.place = Place::Unschedulable(now, self.arrivals);
        self.unschedulable.insert(self.arrivals, (now, key.clone()));
        self.by_rejection.entry(rejected_by).or_default().insert(self.arrivals);
    }

    /// Something went wrong that has nothing to do with nodes: the pod is tried again after its
    /// backoff.
    pub fn fail(&mut self, now: Instant, key: &Key) {
        self.unlist(key);
        let Some(waiting) = self.pods.get_mut(key) else { return };
        waiting.rejected_by = 0;
        let until = now + backoff(waiting.attempts, self.backoff_first, self.backoff_max);
        self.arrivals += 1;
        waiting.place = Place::Backoff(until, true, self.arrivals);
        self.backoff_errors.insert((until, self.arrivals), key.clone());
    }

    /// Something changed: the pods that it may concern are tried again, after their backoff.
    pub fn changed(&mut self, now: Instant, change: &Change<'_>) {
        let plugins = change.plugins();
        let groups = self.by_rejection.iter().filter(|(set, _)| **set == 0 || *set & plugins != 0);
        let mut numbers: Vec<u64> =
            groups.flat_map(|(_, numbers)| numbers.iter().copied()).collect();
        base::sort::naturally(&mut numbers);
        for number in numbers {
            let (_, key) = &self.unschedulable[&number];
            let waiting = &self.pods[key];
            if waiting.rejected_by == 0 || change.may_help(waiting) {
                let key = key.clone();
                self.retry(now, &key);
            }
        }
    }

    /// Moves pods whose waiting time is over.
    pub fn tick(&mut self, now: Instant) {
        for errors in [false, true] {
            let list = |queue: &Queue| -> Option<(Instant, Key)> {
                let list = if errors { &queue.backoff_errors } else { &queue.backoff };
                list.first_key_value().map(|((until, _), key)| (*until, key.clone()))
            };
            while let Some((until, key)) = list(self)
                && until <= now
            {
                self.activate(now, &key);
            }
        }
        while let Some((since, key)) = self.unschedulable.first_key_value().map(|(_, v)| v.clone())
            && since + UNSCHEDULABLE_MAX <= now
        {
            self.retry(now, &key);
        }
    }

    /// When [`Queue::tick`] has something to do next.
    pub fn next_wake(&self) -> Option<Instant> {
        let errors = self.backoff_errors.first_key_value().map(|((until, _), _)| *until);
        let flush = self.unschedulable.values().next().map(|(since, _)| *since + UNSCHEDULABLE_MAX);
        [errors, flush].into_iter().flatten().min()
    }

    /// Whether there is a pod to try.
    pub fn has_work(&self) -> bool {
        !self.active.is_empty() || !self.backoff.is_empty()
    }

    /// How many pods are active, in backoff, and unschedulable.
    pub fn lengths(&self) -> (usize, usize, usize) {
        let backoff = self.backoff.len() + self.backoff_errors.len();
        (self.active.len(), backoff, self.unschedulable.len())
    }

    /// A waiting pod.
    pub fn get(&self, key: &Key) -> Option<&Waiting> {
        self.pods.get(key)
    }

    fn retry(&mut self, now: Instant, key: &Key) {
        let Some(waiting) = self.pods.get(key) else { return };
        let Place::Unschedulable(since, _) = waiting.place else { return };
        let until = since + backoff(waiting.attempts, self.backoff_first, self.backoff_max);
        if until <= now {
            return self.activate(now, key);
        }
        self.unlist(key);
        self.arrivals += 1;
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.place = Place::Backoff(until, false, self.arrivals);
            self.backoff.insert((until, self.arrivals), key.clone());
        }
    }

    fn activate(&mut self, now: Instant, key: &Key) {
        self.unlist(key);
        self.arrivals += 1;
        if let Some(waiting) = self.pods.get_mut(key) {
            let rank = (Reverse(waiting.pod.spec.priority.unwrap_or(0)), now, self.arrivals);
            waiting.place = Place::Active(rank);
            self.active.insert((rank, key.clone()));
        }
    }

    fn unlist(&mut self, key: &Key) {
        let Some(waiting) = self.pods.get(key) else { return };
        match waiting.place {
            Place::Active(rank) => drop(self.active.remove(&(rank, key.clone()))),
            Place::Backoff(until, true, n) => drop(self.backoff_errors.remove(&(until, n))),
            Place::Backoff(until, false, n) => drop(self.backoff.remove(&(until, n))),
            Place::Unschedulable(_, number) => {
                self.unschedulable.remove(&number);
                let set = waiting.rejected_by;
                if let Some(numbers) = self.by_rejection.get_mut(&set) {
                    numbers.remove(&number);
                    if numbers.is_empty() {
                        self.by_rejection.remove(&set);
                    }
                }
            }
            Place::Gated | Place::InWork => {}
        }
    }
}

/// The first wait after the first attempt, doubling up to the longest.
fn backoff(attempts: u32, first: Duration, max: Duration) -> Duration {
    let doubled = first * (1 << attempts.saturating_sub(1).min(10));
    doubled.min(max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::needs::Terms;
    use crate::plugins::set_of;
    use base::lit;

    fn pod(name: &str, priority: i32) -> Arc<Pod> {
        let mut pod = Pod::default();
        let meta = Arc::make_mut(&mut pod.metadata);
        meta.name = name.into();
        meta.namespace = lit!("default");
        pod.spec.edit().priority = Some(priority);
        Arc::new(pod)
    }

    fn at(secs: i64) -> Instant {
        Instant::START + Duration::secs(secs)
    }

    fn names(queue: &mut Queue) -> String {
        let mut names = Vec::new();
        while let Some((key, _)) = queue.pop() {
            names.push(key.name.to_string());
        }
        names.join(" ")
    }

    #[test]
    fn higher_priority_goes_first_then_who_came_first() {
        let mut queue = Queue::default();
        for (name, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5)] {
            queue.add(at(0), pod(name, priority), Trigger::Timer);
        }
        assert_eq!(names(&mut queue), "b d a c");
    }

    fn turned_away(by: &str) -> Queue {
        let mut queue = Queue::default();
        queue.add(at(0), pod("a", 0), Trigger::Timer);
        let (key, _) = queue.pop().expect("active");
        queue.turn_away(at(0), &key, set_of(&[by]), None);
        queue
    }

    #[test]
    fn a_pod_that_found_no_node_waits_for_a_change_that_concerns_it() {
        let mut queue = turned_away("NodeResourcesFit");
        let other = pod("b", 0);
        queue.changed(at(0), &Change::PodPlaced(&other));
        assert_eq!(queue.lengths(), (0, 0, 1), "a placed pod frees no resources");
        queue.changed(at(0), &Change::PodGone(&other, &Terms::default()));
        assert_eq!(queue.lengths(), (0, 1, 0), "it waits out its backoff");
        assert_eq!(names(&mut queue), "a", "unless there is nothing else to do");
    }

    #[test]
    fn after_an_error_the_backoff_is_always_waited_out() {
        let mut queue = Queue::default();
        queue.add(at(0), pod("a", 0), Trigger::Timer);
        let (key, _) = queue.pop().expect("active");
        queue.fail(at(0), &key);
        assert_eq!((names(&mut queue), queue.next_wake()), (String::new(), Some(at(1))));
        queue.tick(at(1));
        assert_eq!(names(&mut queue), "a");
    }

    #[test]
    fn without_any_change_it_is_tried_again_after_five_minutes() {
        let mut queue = turned_away("NodeAffinity");
        assert_eq!(queue.next_wake(), Some(at(300)));
        queue.tick(at(300));
        assert_eq!(names(&mut queue), "a");
    }

    #[test]
    fn the_backoff_doubles_up_to_ten_seconds() {
        let (first, max) = (Duration::secs(1), Duration::secs(10));
        let seconds: Vec<i64> = (1..=6).map(|n| backoff(n, first, max).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn pods_that_were_turned_away_come_back_in_the_order_in_which_they_went() {
        let mut queue = Queue::default();
        for name in ["c", "a", "b"] {
            queue.add(at(0), pod(name, 0), Trigger::Timer);
        }
        while let Some((key, _)) = queue.pop() {
            queue.turn_away(at(0), &key, set_of(&["NodeResourcesFit"]), None);
        }
        queue.changed(at(20), &Change::PodGone(&pod("x", 0), &Terms::default()));
        assert_eq!(names(&mut queue), "c a b");
    }

    #[test]
    fn a_gated_pod_waits_until_its_gates_are_gone() {
        let mut queue = Queue::default();
        let mut gated = (*pod("a", 0)).clone();
        gated.spec.edit().scheduling_gates.push(Default::default());
        queue.add(at(0), Arc::new(gated), Trigger::Timer);
        assert_eq!(names(&mut queue), "");
        queue.add(at(1), pod("a", 0), Trigger::Timer);
        assert_eq!(names(&mut queue), "a");
    }
}
