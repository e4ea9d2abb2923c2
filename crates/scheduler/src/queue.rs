//! The scheduling queue: pods that can be tried now, pods that wait out a backoff, and pods that wait for a change.
//!
//! Models the scheduler's priority queue. Known deviations:
//! - Queueing hints look at the kind of a change, not at its content.

use std::cmp::Reverse;
use std::sync::Arc;

use api::core::v1::Pod;
use api::object::Key;
use api::wire::Trigger;
use base::{BTreeMap, BTreeSet, Duration, Instant};

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
    pub rejected_by: BTreeSet<&'static str>,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Active(Rank),
    Backoff(Instant),
    Unschedulable(Instant),
    Gated,
    InWork,
}

/// The order of the active queue: priority, then time, then arrival.
type Rank = (Reverse<i32>, Instant, u64);

const BACKOFF_FIRST: Duration = Duration::secs(1);
const BACKOFF_MAX: Duration = Duration::secs(10);
/// After this time a pod is tried again even if nothing changed.
const UNSCHEDULABLE_MAX: Duration = Duration::mins(5);

/// A change that may make a pod schedulable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A node was added.
    NodeAdded,
    /// A node changed.
    NodeChanged,
    /// A pod was placed on a node or changed there.
    PodPlaced,
    /// A pod went from its node.
    PodGone,
    /// Volumes, claims, classes or namespaces changed.
    Other,
}

impl Change {
    /// Whether the change may matter to a pod that `plugin` turned away.
    fn concerns(self, plugin: &str) -> bool {
        match self {
            Change::NodeAdded | Change::Other => true,
            Change::NodeChanged => plugin != "NodePorts",
            Change::PodPlaced => matches!(plugin, "InterPodAffinity" | "PodTopologySpread"),
            Change::PodGone => {
                matches!(
                    plugin,
                    "NodeResourcesFit" | "NodePorts" | "InterPodAffinity" | "PodTopologySpread"
                )
            }
        }
    }
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    pods: BTreeMap<Key, Waiting>,
    active: BTreeSet<(Rank, Key)>,
    backoff: BTreeSet<(Instant, Key)>,
    unschedulable: BTreeSet<(Instant, Key)>,
    arrivals: u64,
}

impl Queue {
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
                Place::Unschedulable(_) if spec_changed => self.retry(now, &key),
                _ => {}
            }
            return;
        }
        let waiting = Waiting {
            pod,
            trigger,
            attempts: 0,
            rejected_by: BTreeSet::new(),
            place: Place::Gated,
        };
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
    pub fn pop(&mut self) -> Option<(Key, Waiting)> {
        let (_, key) = self.active.pop_first()?;
        let waiting = self.pods.get_mut(&key)?;
        waiting.place = Place::InWork;
        waiting.attempts += 1;
        Some((key.clone(), waiting.clone()))
    }

    /// The pod found no node: it waits for a change that concerns `rejected_by`.
    pub fn turn_away(&mut self, now: Instant, key: &Key, rejected_by: BTreeSet<&'static str>) {
        let Some(waiting) = self.pods.get_mut(key) else { return };
        waiting.rejected_by = rejected_by;
        waiting.place = Place::Unschedulable(now);
        self.unschedulable.insert((now, key.clone()));
    }

    /// Something went wrong that has nothing to do with nodes: the pod is tried again after its backoff.
    pub fn fail(&mut self, now: Instant, key: &Key) {
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.rejected_by.clear();
            let until = now + backoff(waiting.attempts);
            waiting.place = Place::Backoff(until);
            self.backoff.insert((until, key.clone()));
        }
    }

    /// Something changed: the pods that it may concern are tried again, after their backoff.
    pub fn changed(&mut self, now: Instant, change: Change) {
        let concerned: Vec<Key> = self
            .unschedulable
            .iter()
            .filter(|(_, key)| {
                let by = &self.pods[key].rejected_by;
                by.is_empty() || by.iter().any(|plugin| change.concerns(plugin))
            })
            .map(|(_, key)| key.clone())
            .collect();
        for key in concerned {
            self.retry(now, &key);
        }
    }

    /// Moves pods whose waiting time is over.
    pub fn tick(&mut self, now: Instant) {
        while let Some((until, key)) = self.backoff.first().cloned()
            && until <= now
        {
            self.activate(now, &key);
        }
        while let Some((since, key)) = self.unschedulable.first().cloned()
            && since + UNSCHEDULABLE_MAX <= now
        {
            self.retry(now, &key);
        }
    }

    /// When [`Queue::tick`] has something to do next.
    pub fn next_wake(&self) -> Option<Instant> {
        let backoff = self.backoff.first().map(|(until, _)| *until);
        let flush = self.unschedulable.first().map(|(since, _)| *since + UNSCHEDULABLE_MAX);
        [backoff, flush].into_iter().flatten().min()
    }

    /// Whether a pod can be tried now.
    pub fn has_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// How many pods are active, in backoff, and unschedulable.
    pub fn lengths(&self) -> (usize, usize, usize) {
        (self.active.len(), self.backoff.len(), self.unschedulable.len())
    }

    /// A waiting pod.
    pub fn get(&self, key: &Key) -> Option<&Waiting> {
        self.pods.get(key)
    }

    /// Whether any waiting pod is of interest to `find`.
    pub fn any(&self, find: impl Fn(&Waiting) -> bool) -> bool {
        self.pods.values().any(find)
    }

    fn retry(&mut self, now: Instant, key: &Key) {
        let Some(waiting) = self.pods.get(key) else { return };
        let Place::Unschedulable(since) = waiting.place else { return };
        let until = since + backoff(waiting.attempts);
        if until <= now {
            return self.activate(now, key);
        }
        self.unlist(key);
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.place = Place::Backoff(until);
            self.backoff.insert((until, key.clone()));
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
        match self.pods.get(key).map(|waiting| waiting.place) {
            Some(Place::Active(rank)) => self.active.remove(&(rank, key.clone())),
            Some(Place::Backoff(until)) => self.backoff.remove(&(until, key.clone())),
            Some(Place::Unschedulable(since)) => self.unschedulable.remove(&(since, key.clone())),
            Some(Place::Gated | Place::InWork) | None => false,
        };
    }
}

/// One second after the first attempt, doubling up to ten.
fn backoff(attempts: u32) -> Duration {
    let doubled = BACKOFF_FIRST * (1 << attempts.saturating_sub(1).min(10));
    doubled.min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn a_pod_that_found_no_node_waits_for_a_change_that_concerns_it_and_for_its_backoff() {
        let mut queue = Queue::default();
        queue.add(at(0), pod("a", 0), Trigger::Timer);
        let (key, _) = queue.pop().expect("active");
        queue.turn_away(at(0), &key, BTreeSet::from(["NodeResourcesFit"]));
        queue.changed(at(0), Change::PodPlaced);
        assert_eq!(queue.lengths(), (0, 0, 1), "a placed pod frees no resources");
        queue.changed(at(0), Change::PodGone);
        assert_eq!(queue.next_wake(), Some(at(1)));
        queue.tick(at(1));
        assert_eq!(names(&mut queue), "a");
    }

    #[test]
    fn without_any_change_it_is_tried_again_after_five_minutes() {
        let mut queue = Queue::default();
        queue.add(at(0), pod("a", 0), Trigger::Timer);
        let (key, _) = queue.pop().expect("active");
        queue.turn_away(at(0), &key, BTreeSet::from(["NodeAffinity"]));
        assert_eq!(queue.next_wake(), Some(at(300)));
        queue.tick(at(300));
        assert_eq!(names(&mut queue), "a");
    }

    #[test]
    fn the_backoff_doubles_up_to_ten_seconds() {
        let seconds: Vec<i64> = (1..=6).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
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
