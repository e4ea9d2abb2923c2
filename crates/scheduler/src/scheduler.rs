//! The scheduler as a part of the cluster: what it watches, asks and answers for.

use std::sync::Arc;

use api::apps::v1::{ReplicaSet, StatefulSet};
use api::core::v1::{
    Binding, Namespace, Node, ObjectReference, Pod, PodCondition, ReplicationController, Service,
};
use api::object::{Key, Kind, Object};
use api::policy::v1::PodDisruptionBudget;
use api::selector::Selector;
use api::wire::{Cause, Interest, Reply, Request, Subresource, Trigger, Verb, WatchEvent};
use base::{BTreeMap, Duration, HashMap, Instant, List, Rng, Str, lit};
use client::plan::Note;
use client::{Caches, Delta, Input, Outbox, Part, Recorder};

use crate::cache::{Cache, ClassId};
use crate::cycle::{self, Cursor, Ranking};
use crate::decision::Decision;
use crate::plugins::Incoming;
use crate::preemption;
use crate::queue::{Change, Queue, Waiting};

/// What a cycle takes.
const CYCLE: Duration = Duration::micros(300);
/// How many pods are placed at one moment before the clock goes on.
const BATCH_MAX: usize = 64;
/// How many decisions are kept.
const DECISIONS_MAX: usize = 1_000;

/// kube-scheduler.
#[derive(Clone)]
pub struct Scheduler {
    name: Str,
    rng: Rng,
    cache: Cache,
    caches: Caches,
    queue: Queue,
    cursor: Cursor,
    ranking: Option<Ranking>,
    selectors: HashMap<ClassId, Option<Selector>>,
    recorder: Recorder,
    busy_until: Instant,
    synced: usize,
    asked: u64,
    asking: BTreeMap<u64, Asked>,
    decisions: BTreeMap<Key, Decision>,
    decided: std::collections::VecDeque<Key>,
}

/// What a request under way is about.
#[derive(Clone, Debug)]
enum Asked {
    Bind { key: Key, pod: Arc<Pod>, node: Str, trigger: Trigger },
    Note(u64),
    Other,
}

const KINDS: usize = 8;

fn kinds() -> [&'static api::KindInfo; KINDS] {
    [
        Namespace::INFO,
        Node::INFO,
        Service::INFO,
        ReplicaSet::INFO,
        StatefulSet::INFO,
        ReplicationController::INFO,
        PodDisruptionBudget::INFO,
        Pod::INFO,
    ]
}

impl Scheduler {
    /// A scheduler whose choices among equals come from `seed`.
    pub fn new(seed: u64) -> Scheduler {
        let name = lit!("default-scheduler");
        Scheduler {
            rng: Rng::stream(seed, "kube-scheduler"),
            cache: Cache::default(),
            caches: Caches::new(),
            queue: Queue::default(),
            cursor: Cursor::default(),
            ranking: None,
            selectors: HashMap::default(),
            recorder: Recorder::with_series(
                name.clone(),
                lit!("default-scheduler-kube-scheduler"),
                lit!("kube-scheduler"),
            ),
            busy_until: Instant::default(),
            synced: 0,
            asked: 0,
            asking: BTreeMap::new(),
            decisions: BTreeMap::new(),
            decided: Default::default(),
            name,
        }
    }

    /// The last decision about a pod, if it is still kept.
    pub fn decision(&self, namespace: &str, name: &str) -> Option<&Decision> {
        self.decisions.get(&Key::new(namespace, name))
    }

    /// How many pods are active, in backoff, and unschedulable.
    pub fn queue_lengths(&self) -> (usize, usize, usize) {
        self.queue.lengths()
    }

    fn restart(&mut self) {
        let rng = self.rng.clone();
        *self = Scheduler { rng, asked: self.asked, ..Scheduler::new(0) };
    }

    fn send(&mut self, out: &mut Outbox, asked: Asked, request: Request) {
        self.asked += 1;
        self.asking.insert(self.asked, asked);
        out.send(self.asked, request);
    }

    fn delta(&mut self, now: Instant, delta: &Delta) {
        if delta.is::<Pod>() {
            return self.pod_changed(now, delta);
        }
        if delta.is::<Node>() {
            return self.node_changed(now, delta);
        }
        if let Some(namespace) = delta.after::<Namespace>() {
            self.cache.set_namespace(namespace);
        }
        if !delta.is::<PodDisruptionBudget>() {
            self.selectors.clear();
        }
    }

    fn node_changed(&mut self, now: Instant, delta: &Delta) {
        let Some(node) = delta.after::<Node>() else {
            self.cache.remove_node(&delta.meta().name);
            return;
        };
        let known = self.cache.by_name.get(&node.metadata.name);
        let is_new = known.is_none_or(|id| self.cache.nodes[*id as usize].node.is_none());
        if self.cache.set_node(Arc::new(node.clone())) {
            self.queue.changed(now, if is_new { Change::NodeAdded } else { Change::NodeChanged });
        }
    }

    fn pod_changed(&mut self, now: Instant, delta: &Delta) {
        let key = delta.key();
        let Some(object) = &delta.new else {
            self.queue.remove(&key);
            self.forget_decision(&key);
            if self.cache.remove_pod(&key) {
                self.queue.changed(now, Change::PodGone);
            }
            return;
        };
        let Some(pod) = object.arc::<Pod>() else { return };
        let finished = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
        if finished || pod.spec.node_name.is_empty() {
            if finished && self.cache.remove_pod(&key) {
                self.queue.changed(now, Change::PodGone);
            }
            let mine = pod.spec.scheduler_name.is_empty() || pod.spec.scheduler_name == self.name;
            let assumed = self.cache.node_of_pod(&key).is_some();
            if finished || !mine || pod.metadata.deletion_timestamp.is_some() {
                self.queue.remove(&key);
            } else if !assumed {
                self.queue.add(now, pod, Trigger::Revision(delta.revision));
            }
            return;
        }
        self.queue.remove(&key);
        let version = self.cache.version;
        self.cache.place(&pod, &pod.spec.node_name, false);
        if self.cache.version != version {
            self.queue.changed(now, Change::PodPlaced);
        }
    }

    fn forget_decision(&mut self, key: &Key) {
        self.decisions.remove(key);
    }

    /// Places pods until the queue is empty or the moment is full.
    fn work(&mut self, now: Instant, out: &mut Outbox) {
        if self.synced < KINDS {
            return;
        }
        self.queue.tick(now);
        let mut done = 0;
        while now >= self.busy_until && done < BATCH_MAX {
            let Some((key, waiting)) = self.queue.pop() else { break };
            self.schedule(now, &key, &waiting, out);
            done += 1;
        }
        if done > 0 {
            self.busy_until = now + CYCLE * done as i64;
        }
        for (token, request) in self.recorder.drain() {
            self.send(out, Asked::Note(token), request);
        }
    }

    fn schedule(&mut self, now: Instant, key: &Key, waiting: &Waiting, out: &mut Outbox) {
        let pod = &waiting.pod;
        let class = self.cache.class_of(&pod.metadata.namespace, &pod.metadata.labels, &pod.spec);
        let selector = self.spread_selector(class, pod);
        let needs = self.cache.classes[class as usize].needs.clone();
        let incoming = Incoming {
            class,
            namespace: &pod.metadata.namespace,
            labels: &pod.metadata.labels,
            needs: &needs,
            spread_selector: selector.as_ref(),
        };
        let quick = self
            .ranking
            .take()
            .filter(|ranking| ranking.fits(&self.cache, &incoming))
            .and_then(|ranking| ranking.best(&mut self.rng).map(|node| (ranking, node)));
        let (node, reports, ranking) = match quick {
            Some((ranking, node)) => (node, Vec::new(), Some(ranking)),
            None => {
                let outcome = cycle::run(&self.cache, &mut self.cursor, &mut self.rng, &incoming);
                match outcome.chosen {
                    Ok(node) => (node, outcome.reports, outcome.ranking),
                    Err(diagnosis) => {
                        let decision =
                            Decision { at: now, nodes: outcome.reports, ..Decision::default() };
                        return self
                            .failed(now, key, waiting, &incoming, &diagnosis, decision, out);
                    }
                }
            }
        };
        let name = cycle::name_of(&self.cache, node).clone();
        self.cache.place(pod, &name, true);
        self.ranking = ranking;
        if let Some(ranking) = &mut self.ranking {
            ranking.placed(&self.cache, &incoming, node);
        }
        let message = format!("Successfully assigned {key} to {name}").into();
        self.keep(key, Decision { at: now, node: Some(name.clone()), message, nodes: reports });
        self.bind(key, waiting, name, out);
    }

    fn bind(&mut self, key: &Key, waiting: &Waiting, node: Str, out: &mut Outbox) {
        let mut binding = Binding::default();
        let meta = Arc::make_mut(&mut binding.metadata);
        meta.name = key.name.clone();
        meta.namespace = key.namespace.clone();
        meta.uid = waiting.pod.metadata.uid.clone();
        binding.target =
            ObjectReference { kind: lit!("Node"), name: node.clone(), ..Default::default() };
        let mut request = Request::new(Pod::INFO, key, Verb::Create(Object::new(binding)));
        request.subresource = Subresource::Binding;
        let request = self.signed(request, waiting.trigger);
        let (pod, trigger) = (waiting.pod.clone(), waiting.trigger);
        self.queue.remove(key);
        self.send(out, Asked::Bind { key: key.clone(), pod, node, trigger }, request);
    }

    fn signed(&self, request: Request, trigger: Trigger) -> Request {
        request.by(lit!("kube-scheduler"), Cause { actor: self.name.clone(), trigger })
    }

    #[allow(clippy::too_many_arguments)]
    fn failed(
        &mut self,
        now: Instant,
        key: &Key,
        waiting: &Waiting,
        incoming: &Incoming<'_>,
        diagnosis: &crate::decision::Diagnosis,
        mut decision: Decision,
        out: &mut Outbox,
    ) {
        let pod = &waiting.pod;
        let mut message = diagnosis.message(&self.cache);
        let mut nominated = None;
        if !diagnosis.nodes.is_empty() {
            let budgets: Vec<&PodDisruptionBudget> =
                self.caches.all::<PodDisruptionBudget>().in_namespace(&key.namespace).collect();
            match preemption::run(&mut self.cache, pod, incoming, diagnosis, &budgets) {
                preemption::Outcome::Nominate(candidate) => nominated = Some(candidate),
                preemption::Outcome::Nothing(why) => {
                    message = format!("{message} no new claims to deallocate, {why}");
                }
            }
        }
        if let Some(candidate) = &nominated {
            for (victim, placed) in &candidate.victims {
                self.preempt(now, victim, &placed.uid, pod, candidate.node, waiting.trigger, out);
            }
        }
        let node = nominated.map(|c| cycle::name_of(&self.cache, c.node).clone());
        decision.message = message.as_str().into();
        self.keep(key, decision);
        let note = note(pod, "Warning", "FailedScheduling", &message);
        self.recorder.record_action(now, &note, "Scheduling", None, waiting.trigger);
        self.report_unschedulable(now, pod, &message, node, waiting.trigger, out);
        self.queue.turn_away(now, key, diagnosis.plugins());
    }

    fn preempt(
        &mut self,
        now: Instant,
        victim: &Key,
        uid: &Str,
        preemptor: &Pod,
        node: crate::cache::NodeId,
        trigger: Trigger,
        out: &mut Outbox,
    ) {
        let node = cycle::name_of(&self.cache, node).clone();
        let text = format!("Preempted by pod {} on node {node}", preemptor.metadata.uid);
        if let Some(pod) = self.caches.object(Pod::INFO, victim).and_then(Object::arc::<Pod>) {
            if pod.metadata.deletion_timestamp.is_some() {
                return;
            }
            let mut status = (*pod).clone();
            let message = format!("{}: preempting to accommodate a higher priority pod", self.name);
            let condition = PodCondition {
                type_: lit!("DisruptionTarget"),
                status: lit!("True"),
                reason: lit!("PreemptionByScheduler"),
                message: message.into(),
                last_transition_time: Some(now.into()),
                observed_generation: pod.metadata.generation,
                ..PodCondition::default()
            };
            set_condition(&mut Arc::make_mut(&mut status.status).conditions, condition);
            let request = self.signed(Request::update_status(Object::new(status)), trigger);
            self.send(out, Asked::Other, request);
            self.recorder.record_action(
                now,
                &note(&pod, "Normal", "Preempted", &text),
                "Preempting",
                Some(reference(preemptor)),
                trigger,
            );
        }
        let preconditions =
            api::meta::v1::Preconditions { uid: Some(uid.clone()), ..Default::default() };
        let options = api::meta::v1::DeleteOptions {
            preconditions: Some(Box::new(preconditions)),
            ..Default::default()
        };
        let request = self.signed(Request::delete(Pod::INFO, victim, options), trigger);
        self.send(out, Asked::Other, request);
    }

    fn report_unschedulable(
        &mut self,
        now: Instant,
        pod: &Arc<Pod>,
        message: &str,
        nominated: Option<Str>,
        trigger: Trigger,
        out: &mut Outbox,
    ) {
        let condition = PodCondition {
            type_: lit!("PodScheduled"),
            status: lit!("False"),
            reason: lit!("Unschedulable"),
            message: message.into(),
            last_transition_time: Some(now.into()),
            observed_generation: pod.metadata.generation,
            ..PodCondition::default()
        };
        let mut changed = (**pod).clone();
        let status = Arc::make_mut(&mut changed.status);
        let same = !set_condition(&mut status.conditions, condition);
        let node = nominated.unwrap_or_default();
        if same && (node.is_empty() || status.nominated_node_name == node) {
            return;
        }
        if !node.is_empty() {
            status.nominated_node_name = node;
        }
        let request = self.signed(Request::update_status(Object::new(changed)), trigger);
        self.send(out, Asked::Other, request);
    }

    fn keep(&mut self, key: &Key, decision: Decision) {
        if self.decisions.insert(key.clone(), decision).is_none() {
            self.decided.push_back(key.clone());
        }
        while self.decided.len() > DECISIONS_MAX {
            if let Some(oldest) = self.decided.pop_front() {
                self.decisions.remove(&oldest);
            }
        }
    }

    /// What system-default spreading counts for a pod: pods that its Services and its controller select.
    fn spread_selector(&mut self, class: ClassId, pod: &Pod) -> Option<Selector> {
        if !pod.spec.topology_spread_constraints.is_empty() {
            return None;
        }
        if let Some(known) = self.selectors.get(&class) {
            return known.clone();
        }
        let (namespace, labels) = (&pod.metadata.namespace, &pod.metadata.labels);
        let mut equal: BTreeMap<Str, Str> = BTreeMap::new();
        for service in self.caches.all::<Service>().in_namespace(namespace) {
            let selector = &service.spec.selector;
            if !selector.is_empty() && selector.iter().all(|(k, v)| labels.text(k) == Some(v)) {
                equal.extend(selector.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
        }
        let mut more = None;
        if let Some(owner) =
            pod.metadata.owner_references.iter().find(|o| o.controller == Some(true))
        {
            let key = Key::new(namespace.clone(), owner.name.clone());
            match owner.kind.as_str() {
                "ReplicationController" => {
                    let set = self.caches.all::<ReplicationController>().get(&key);
                    let selector = set.map(|s| s.spec.selector.clone()).unwrap_or_default();
                    equal.extend(selector.iter().map(|(k, v)| (k.clone(), v.clone())));
                }
                "ReplicaSet" => {
                    let set = self.caches.all::<ReplicaSet>().get(&key);
                    more = set.and_then(|s| s.spec.selector.as_deref_selector());
                }
                "StatefulSet" => {
                    let set = self.caches.all::<StatefulSet>().get(&key);
                    more = set.and_then(|s| s.spec.selector.as_deref_selector());
                }
                _ => {}
            }
        }
        let mut selector = Selector::from_labels(equal.iter());
        for requirement in more.iter().flat_map(|s| s.requirements()) {
            selector = selector.and(requirement.clone());
        }
        let found = (!selector.requirements().is_empty()).then_some(selector);
        self.selectors.insert(class, found.clone());
        found
    }

    fn reply(&mut self, now: Instant, id: u64, reply: Reply) {
        match self.asking.remove(&id) {
            Some(Asked::Bind { key, pod, node, trigger }) => match reply {
                Ok(_) => {
                    let text = format!("Successfully assigned {key} to {node}");
                    let note = note(&pod, "Normal", "Scheduled", &text);
                    self.recorder.record_action(now, &note, "Binding", None, trigger);
                }
                Err(status) => {
                    self.cache.remove_pod(&key);
                    let still_there =
                        self.caches.object(Pod::INFO, &key).and_then(Object::get::<Pod>);
                    if still_there.is_some_and(|p| p.spec.node_name.is_empty())
                        && status.code != Some(404)
                    {
                        self.queue.add(now, pod, trigger);
                        self.queue.fail(now, &key);
                    }
                }
            },
            Some(Asked::Note(token)) => self.recorder.answered(token, &reply),
            Some(Asked::Other) | None => {}
        }
    }

    fn listed(&mut self, now: Instant, watch: usize, objects: Vec<Object>, revision: i64) {
        let kind = kinds()[watch];
        for delta in self.caches.listed(kind, objects, revision) {
            self.delta(now, &delta);
        }
        self.synced += 1;
    }

    fn watched(&mut self, now: Instant, watch: usize, events: Vec<WatchEvent>) {
        let kind = kinds()[watch];
        for event in events {
            if let Some(delta) = self.caches.watched(kind, event) {
                self.delta(now, &delta);
            }
        }
    }
}

impl Part for Scheduler {
    fn name(&self) -> &str {
        "kube-scheduler"
    }

    fn interests(&self) -> Vec<Interest> {
        kinds().iter().map(|kind| Interest::all(kind)).collect()
    }

    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        match input {
            Input::Start => self.restart(),
            Input::Listed { watch, objects, revision } => {
                self.listed(now, watch, objects, revision)
            }
            Input::Watch { watch, events } => self.watched(now, watch, events),
            Input::Reply(id, reply) => self.reply(now, id, reply),
            Input::Called(..) | Input::Wake => {}
        }
        self.work(now, out);
    }

    fn next_wake(&self) -> Option<Instant> {
        let busy = self.queue.has_active().then_some(self.busy_until);
        [busy, self.queue.next_wake()].into_iter().flatten().min()
    }
}

/// Sets a condition; false if nothing but the time of the last change would differ.
fn set_condition(conditions: &mut List<PodCondition>, mut condition: PodCondition) -> bool {
    let Some(known) = conditions.iter_mut().find(|c| c.type_ == condition.type_) else {
        conditions.push(condition);
        return true;
    };
    if known.status == condition.status {
        condition.last_transition_time = known.last_transition_time;
    }
    let changed = *known != condition;
    *known = condition;
    changed
}

fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        api_version: lit!("v1"),
        kind: lit!("Pod"),
        name: pod.metadata.name.clone(),
        namespace: pod.metadata.namespace.clone(),
        uid: pod.metadata.uid.clone(),
        resource_version: pod.metadata.resource_version.clone(),
        ..ObjectReference::default()
    }
}

fn note(pod: &Pod, type_: &str, reason: &str, message: &str) -> Note {
    Note {
        about: reference(pod),
        type_: type_.into(),
        reason: reason.into(),
        message: message.into(),
    }
}

/// A selector that may be absent.
trait Selecting {
    fn as_deref_selector(&self) -> Option<Selector>;
}

impl Selecting for Option<Box<api::meta::v1::LabelSelector>> {
    fn as_deref_selector(&self) -> Option<Selector> {
        self.as_deref().and_then(|s| Selector::of(s).ok())
    }
}

impl Selecting for api::meta::v1::LabelSelector {
    fn as_deref_selector(&self) -> Option<Selector> {
        Selector::of(self).ok()
    }
}
