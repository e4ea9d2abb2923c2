//! The machine without I/O: inputs in, requests and network calls out.

use std::sync::Arc;

use api::core::v1::{Node, ObjectReference, Pod};
use api::object::{Key, Kind, Object};
use api::selector::FieldSelector;
use api::wire::{self, Answer, Cause, Change, Interest, Request, Trigger, Verb, WatchEvent};
use base::{BTreeMap, BTreeSet, Duration, HashMap, Instant, Rng, Str};
use client::part::{Input, Outbox, Part};
use client::{Note, Recorder};
use network::Trace;

use crate::config::NodeConfig;
use crate::node::NodeState;
use crate::refs::References;
use crate::runtime::{Catalogue, Machine};
use crate::timers::{Timer, Timers};
use crate::worker::Worker;

/// The agent of one node, with the machine it runs on.
#[derive(Clone, Debug)]
pub struct Kubelet {
    pub(crate) config: Arc<NodeConfig>,
    pub(crate) machine: Machine,
    pub(crate) agent: Agent,
    pub(crate) now: Instant,
    /// Requests are numbered through all lives of the process, so that late answers are not mistaken.
    next_ask: u64,
    pub(crate) boot_id: Str,
    /// The machine has no power.
    is_off: bool,
    pub(crate) rng: Rng,
}

/// The process's memory: gone when it stops.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub running: bool,
    pub node: NodeState,
    pub workers: BTreeMap<Str, Worker>,
    pub uids: HashMap<Key, Str>,
    pub timers: Timers,
    pub asks: HashMap<u64, Ask>,
    pub probe_calls: HashMap<u64, (Str, usize, usize, u32)>,
    pub recorder: Recorder,
    pub refs: References,
    pub trigger: Trigger,
    pub requests: Vec<(u64, Request)>,
    /// Looks at the runtime fall on this part of each interval.
    pub offset: Duration,
    /// Until when the one pull at a time keeps others waiting.
    pub pulling_until: Instant,
    /// Images that are being pulled.
    pub pulls: BTreeSet<Str>,
    /// Of each pull that is going on: its own time, and that with waiting.
    pub pull_times: HashMap<(Str, usize), (Duration, Duration)>,
    /// The node has its CSINode.
    pub csi_node: bool,
    /// When the process started.
    pub started: Instant,
    /// Sum of what admitted pods take: processor, memory, count.
    pub taken: (i64, i64, i64),
}

/// So many different events are remembered, to be counted when they happen again.
const EVENTS_MAX: usize = 128;

/// What an answer is for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ask {
    /// The node's creation, reading or status.
    Node(crate::node::Step),
    /// The node's lease.
    Lease,
    /// An event, by the recorder's token.
    Event(u64),
    /// A pod's status.
    Status(Str),
    /// A pod, after a conflict.
    Pod(Str),
    /// A pod's deletion.
    Delete(Str),
    /// The node's CSINode.
    CsiNode,
    /// An object that pods refer to.
    Reference(crate::refs::Name),
}

impl Agent {
    fn new(config: &NodeConfig, now: Instant, rng: &mut Rng) -> Agent {
        Agent {
            running: false,
            node: NodeState::default(),
            workers: BTreeMap::new(),
            uids: HashMap::default(),
            timers: Timers::default(),
            asks: HashMap::default(),
            probe_calls: HashMap::default(),
            recorder: Recorder::new("kubelet", config.name.clone(), "kubelet")
                .remembering(EVENTS_MAX),
            refs: References::default(),
            trigger: Trigger::Start,
            requests: Vec::new(),
            offset: Duration::micros(rng.below(config.times.relist.0.unsigned_abs()) as i64),
            pulling_until: now,
            pulls: BTreeSet::new(),
            pull_times: HashMap::default(),
            csi_node: false,
            started: now,
            taken: (0, 0, 0),
        }
    }
}

impl Kubelet {
    /// A node that is switched on but whose kubelet has not started yet.
    pub fn new(config: NodeConfig, images: Arc<Catalogue>, seed: u64) -> Kubelet {
        let mut rng = Rng::stream(seed, &format!("kubelet/{}", config.name));
        let machine_rng = Rng::stream(seed, &format!("runtime/{}", config.name));
        let machine = Machine::new(images, config.internal_ip, machine_rng);
        let now = Instant::START;
        let agent = Agent::new(&config, now, &mut rng);
        let boot_id = rng.uuid().into();
        Kubelet {
            config: Arc::new(config),
            machine,
            agent,
            now,
            next_ask: 1,
            boot_id,
            is_off: false,
            rng,
        }
    }

    /// The node's settings.
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// Whether the process runs.
    pub fn is_running(&self) -> bool {
        self.agent.running
    }

    /// The process stops; containers run on. [`Input::Start`] starts it again.
    pub fn stop(&mut self) {
        self.agent = Agent::new(&self.config, self.now, &mut self.rng);
    }

    /// The machine loses its power: containers die, the process's memory is lost, images stay on its disk.
    pub fn power_off(&mut self) {
        self.machine.power_off(self.now);
        self.is_off = true;
        self.boot_id = self.rng.uuid().into();
        self.stop();
    }

    pub(crate) fn ask(&mut self, ask: Ask, request: Request) {
        let id = self.next_ask;
        self.next_ask += 1;
        let cause = Cause { actor: base::lit!("kubelet"), trigger: self.agent.trigger };
        let manager = if request.manager.is_empty() {
            base::lit!("kubelet")
        } else {
            request.manager.clone()
        };
        self.agent.asks.insert(id, ask);
        self.agent.requests.push((id, request.by(manager, cause)));
    }

    pub(crate) fn later(&mut self, wait: Duration, timer: Timer) {
        self.agent.timers.set(self.now + wait, timer);
    }

    /// The first look at the runtime after a moment.
    pub(crate) fn tick_after(&self, at: Instant) -> Instant {
        let every = self.config.times.relist.0;
        let since = at.0 - self.agent.offset.0;
        Instant((since.div_euclid(every) + 1) * every + self.agent.offset.0)
    }

    /// Records an event about a pod or one of its containers.
    pub(crate) fn pod_event(
        &mut self,
        uid: &str,
        index: Option<usize>,
        type_: &'static str,
        reason: &'static str,
        message: impl Into<Str>,
    ) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        let meta = &worker.pod.metadata;
        let about = ObjectReference {
            api_version: base::lit!("v1"),
            kind: base::lit!("Pod"),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
            field_path: index.map(|index| worker.field_path(index)).unwrap_or_default(),
        };
        self.note(Note {
            about,
            type_: type_.into(),
            reason: reason.into(),
            message: message.into(),
        });
    }

    pub(crate) fn note(&mut self, note: Note) {
        let (now, trigger) = (self.now, self.agent.trigger);
        self.agent.recorder.record(now, &note, trigger);
    }

    fn start(&mut self) {
        let now = self.now;
        self.agent = Agent::new(&self.config, now, &mut self.rng);
        self.agent.running = true;
        self.node_start();
    }

    fn listed(&mut self, watch: usize, objects: Vec<Object>) {
        if watch == 0 {
            let known: Vec<Str> = self.agent.workers.keys().cloned().collect();
            let listed: Vec<Arc<Pod>> = objects.iter().filter_map(Object::arc::<Pod>).collect();
            for uid in known {
                if !listed.iter().any(|pod| pod.metadata.uid == uid) {
                    self.pod_gone(&uid);
                }
            }
            self.drop_orphans(&listed);
            // Pods that already run are counted before new ones are admitted.
            let (old, new): (Vec<_>, Vec<_>) =
                listed.into_iter().partition(|pod| pod.status.start_time.is_some());
            old.into_iter().chain(new).for_each(|pod| self.pod_seen(pod));
        } else if let Some(node) = objects.iter().find_map(Object::arc::<Node>) {
            self.node_seen(node);
        }
    }

    fn watched(&mut self, watch: usize, event: WatchEvent) {
        self.agent.trigger = Trigger::Revision(event.revision);
        match event.change {
            Change::Bookmark => {}
            Change::Deleted if watch == 0 => {
                if let Some(pod) = event.object.get::<Pod>() {
                    let uid = pod.metadata.uid.clone();
                    self.pod_gone(&uid);
                }
            }
            Change::Deleted => self.node_gone(),
            Change::Added | Change::Modified if watch == 0 => {
                if let Some(pod) = event.object.arc::<Pod>() {
                    self.pod_seen(pod);
                }
            }
            Change::Added | Change::Modified => {
                if let Some(node) = event.object.arc::<Node>() {
                    self.node_seen(node);
                }
            }
        }
    }

    fn replied(&mut self, id: u64, reply: wire::Reply) {
        let Some(ask) = self.agent.asks.remove(&id) else { return };
        if let Ok(Answer::Object(object, _)) = &reply
            && let Some(version) = object.meta().resource_version.parse::<i64>().ok()
        {
            self.agent.trigger = Trigger::Revision(version);
        }
        match ask {
            Ask::Node(step) => self.node_answered(step, reply),
            Ask::Lease => self.lease_answered(reply),
            Ask::Event(token) => self.agent.recorder.answered(token, &reply),
            Ask::Status(uid) => self.status_answered(&uid, reply),
            Ask::Pod(uid) => self.pod_answered(&uid, reply),
            Ask::Delete(uid) => self.delete_answered(&uid, reply),
            Ask::CsiNode => self.csi_node_answered(&reply),
            Ask::Reference(name) => self.reference_answered(name, reply),
        }
    }

    fn called(&mut self, id: u64, trace: &Trace) {
        if let Some((uid, unit, prober, serial)) = self.agent.probe_calls.remove(&id) {
            self.probe_called(&uid, unit, prober, serial, trace);
        } else {
            self.machine.called(id, trace, self.now);
        }
    }

    fn fire(&mut self, timer: Timer) {
        self.agent.trigger = Trigger::Timer;
        match timer {
            Timer::Register => self.register(),
            Timer::Lease => self.renew_lease(),
            Timer::NodeStatus => self.node_status_due(),
            Timer::Relist(uid) => {
                // An earlier look on demand may have shown it already.
                let due = |w: &mut Worker| std::mem::take(&mut w.relist);
                if self.agent.workers.get_mut(&uid).is_some_and(due) {
                    self.relisted(&uid);
                }
            }
            Timer::Sync(uid) => {
                let now = self.now;
                let planned = |w: &mut Worker| w.planned.take_if(|at| *at <= now).is_some();
                if self.agent.workers.get_mut(&uid).is_some_and(planned) {
                    self.sync(&uid);
                }
            }
            Timer::Job(uid, serial) => {
                if self.agent.workers.get(&uid).is_some_and(|w| w.serial == serial) {
                    self.job_done(&uid);
                }
            }
            Timer::Signal(uid, index) => self.signal(&uid, index),
            Timer::Kill(uid, index) => self.kill_due(&uid, index),
            Timer::Final(uid) => self.finish(&uid),
            Timer::Probe(uid, unit, prober, serial) => self.probe_due(&uid, unit, prober, serial),
            Timer::Deadline(uid) => self.deadline_due(&uid),
            Timer::Refresh(uid) => self.refresh_due(&uid),
            Timer::Publish(uid) => self.publish(&uid),
        }
    }

    /// Lets runtime and timers catch up with the clock, and notices containers that have ended.
    fn catch_up(&mut self) {
        let until = self.now;
        loop {
            let next = match (self.machine.next_wake(), self.agent.timers.next()) {
                (Some(a), Some(b)) => a.min(b),
                (Some(at), None) | (None, Some(at)) => at,
                (None, None) => break,
            };
            if next > until {
                break;
            }
            self.machine.advance(next);
            self.notice_ended();
            while let Some(timer) = self.agent.timers.due(next) {
                self.fire(timer);
                self.notice_ended();
            }
        }
        self.notice_ended();
    }

    fn notice_ended(&mut self) {
        while let Some((uid, at)) = self.machine.ended.pop() {
            self.container_ended(&uid, at);
        }
    }

    fn flush(&mut self, out: &mut Outbox) {
        for (token, request) in self.agent.recorder.drain() {
            let id = self.next_ask;
            self.next_ask += 1;
            self.agent.asks.insert(id, Ask::Event(token));
            out.send(id, request);
        }
        for (id, request) in std::mem::take(&mut self.agent.requests) {
            out.send(id, request);
        }
        for (id, call) in std::mem::take(&mut self.machine.outgoing) {
            out.call(id, call);
        }
    }
}

impl Part for Kubelet {
    fn name(&self) -> &str {
        "kubelet"
    }

    fn interests(&self) -> Vec<Interest> {
        let mut pods = Interest::all(Pod::INFO);
        pods.fields = FieldSelector::equals("spec.nodeName", self.config.name.clone());
        let mut node = Interest::all(Node::INFO);
        node.fields = FieldSelector::equals("metadata.name", self.config.name.clone());
        vec![pods, node]
    }

    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        self.now = now;
        if let Input::Start = input {
            self.machine.advance(now);
            if std::mem::take(&mut self.is_off) {
                self.machine.power_on(now);
            }
            self.machine.ended.clear();
            self.start();
        } else if !self.agent.running {
            self.machine.advance(now);
            self.machine.ended.clear();
            if let Input::Called(id, trace) = &input {
                self.machine.called(*id, trace, now);
            }
        } else {
            self.catch_up();
            match input {
                Input::Start | Input::Cloud(..) | Input::Wake => {}
                Input::Listed { watch, objects, revision } => {
                    self.agent.trigger = Trigger::Revision(revision);
                    self.listed(watch, objects);
                }
                Input::Watch { watch, events } => {
                    events.into_iter().for_each(|event| self.watched(watch, event));
                }
                Input::Reply(id, reply) => self.replied(id, reply),
                Input::Called(id, trace) => self.called(id, &trace),
            }
            self.catch_up();
        }
        self.flush(out);
    }

    fn next_wake(&self) -> Option<Instant> {
        let timers = if self.agent.running { self.agent.timers.next() } else { None };
        match (timers, self.machine.next_wake()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// A request to read one object.
pub(crate) fn get(kind: &'static api::KindInfo, key: &Key) -> Request {
    Request::new(kind, key, Verb::Get)
}
