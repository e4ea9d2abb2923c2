//! The runner: carries out the plans of a set of controllers that share caches, as one process does.

use std::collections::VecDeque;

use api::object::{Key, KindInfo, Object};
use api::wire::{Answer, Cause, Interest, Reply, Request, Subresource, Trigger, Verb};
use base::{BTreeMap, Duration, HashMap, Instant, Str};

use crate::cache::{Caches, Delta, revision_of};
use crate::cloud::CloudReply;
use crate::events::Recorder;
use crate::leader::Elector;
use crate::part::{Input, Outbox, Part};
use crate::plan::{Ask, Failure, Plan, Step, Write};
use crate::queue::WorkQueue;
use crate::reconcile::{Cx, Enqueue, Reconcile};

mod expect;

use expect::{Expectation, Expectations};

/// A process of controllers: the controller manager, the cloud controller manager, an ingress controller.
///
/// It keeps the caches, the work queues and the plans in progress. A key whose plan wrote something is looked at
/// again only when the caches show those writes, so a controller never decides on what it knows to be old.
#[derive(Clone)]
pub struct Runner {
    name: Str,
    kinds: Vec<&'static KindInfo>,
    /// How many kinds the controllers name; custom kinds follow.
    named: usize,
    /// For each watch, the controllers that read it.
    readers: Vec<Vec<usize>>,
    listed: Vec<bool>,
    caches: Caches,
    slots: Vec<Slot>,
    flights: HashMap<u64, Flight>,
    next_id: u64,
    expectations: Expectations,
    elector: Option<Elector>,
    recorder: Recorder,
    working: bool,
    /// The lead was lost: the process has ended and only waits to be started anew.
    exited: bool,
}

#[derive(Clone)]
struct Slot {
    logic: Box<dyn Reconcile>,
    queue: WorkQueue<Key>,
    triggers: HashMap<Key, Trigger>,
    runs: BTreeMap<Key, Run>,
    recorder: Recorder,
    resync: Option<Instant>,
    /// Keys looked at lately: until when their looks are paid for.
    looks: HashMap<Key, Instant>,
}

/// In the long run a key is looked at this often at most.
const LOOK_EVERY: Duration = Duration::millis(50);
/// After a quiet time so many looks may follow each other at once.
const LOOKS_AT_ONCE: i64 = 32;
/// So many keys are counted before those that are paid for are dropped.
const LOOKED_AT_MAX: usize = 4_096;

/// A plan in progress.
#[derive(Clone)]
struct Run {
    steps: VecDeque<Step>,
    writes: Vec<Option<Write>>,
    /// What the cloud provider was asked and has not answered yet.
    ask: Option<Ask>,
    open: usize,
    failure: Option<Failure>,
    /// Whether these are the steps that follow a failure.
    failing: bool,
    waits: Vec<Expectation>,
    /// Revisions of what this plan has updated itself.
    updated: Vec<(&'static KindInfo, Key, Str)>,
    again: Option<Duration>,
    retry: bool,
    cause: Cause,
}

#[derive(Clone, Debug)]
enum Flight {
    Write { slot: usize, key: Key, at: usize },
    Cloud { slot: usize, key: Key, since: Instant },
    Event { slot: Option<usize>, token: u64 },
    Lease,
}

impl Part for Runner {
    fn name(&self) -> &str {
        &self.name
    }

    fn interests(&self) -> Vec<Interest> {
        self.kinds.iter().map(|kind| Interest::all(kind)).collect()
    }

    fn served(&mut self, kind: &'static KindInfo) -> Option<Interest> {
        let followers = self.slots.iter().enumerate();
        let followers = followers.filter(|(_, slot)| slot.logic.follows_custom_kinds());
        let readers: Vec<usize> = followers.map(|(at, _)| at).collect();
        // Other versions show the same objects.
        let is_known = |known: &&KindInfo| (known.group, known.kind) == (kind.group, kind.kind);
        if readers.is_empty() || self.kinds.iter().copied().any(|known| is_known(&known)) {
            return None;
        }
        self.kinds.push(kind);
        self.readers.push(readers);
        self.listed.push(false);
        Some(Interest::all(kind))
    }

    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        if self.exited && !matches!(input, Input::Start) {
            return;
        }
        match input {
            Input::Start => self.restart(),
            Input::Listed { watch, objects, revision } => self.list(now, watch, objects, revision),
            Input::Watch { watch, events } => {
                let kind = self.kinds[watch];
                for event in events {
                    if let Some(delta) = self.caches.watched(kind, event) {
                        self.tell(now, watch, &delta);
                    }
                }
                let seen = self.caches.revision(kind);
                let ready = self.expectations.reached(kind, seen);
                self.release(ready);
            }
            Input::Reply(id, reply) => self.answer(now, id, reply, out),
            Input::Cloud(id, reply) => self.told(now, id, reply, out),
            Input::Called(..) | Input::Wake => {}
        }
        self.turn(now, out);
    }

    fn next_wake(&self) -> Option<Instant> {
        if self.exited {
            return None;
        }
        let election = self.elector.as_ref().and_then(Elector::next_wake);
        if !self.working {
            return election;
        }
        let slots = self.slots.iter().flat_map(|slot| [slot.queue.next_wake(), slot.resync]);
        slots.chain([election, self.expectations.deadline()]).flatten().min()
    }
}

impl Runner {
    /// A process called `name` that runs these controllers.
    pub fn new(name: impl Into<Str>, controllers: Vec<Box<dyn Reconcile>>) -> Runner {
        let name = name.into();
        let mut kinds: Vec<&'static KindInfo> = Vec::new();
        let mut readers: Vec<Vec<usize>> = Vec::new();
        for (slot, controller) in controllers.iter().enumerate() {
            for kind in controller.watches() {
                let at = kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
                    kinds.push(kind);
                    readers.push(Vec::new());
                    kinds.len() - 1
                });
                if !readers[at].contains(&slot) {
                    readers[at].push(slot);
                }
            }
        }
        let slots = controllers.into_iter().map(|logic| Slot::new(logic, &name)).collect();
        Runner {
            listed: vec![false; kinds.len()],
            named: kinds.len(),
            kinds,
            readers,
            caches: Caches::new(),
            slots,
            flights: HashMap::default(),
            next_id: 0,
            expectations: Expectations::default(),
            elector: None,
            recorder: Recorder::new(name.clone(), "", name.clone()),
            working: false,
            exited: false,
            name,
        }
    }

    /// The same process, which works only while it leads.
    pub fn with_election(mut self, elector: Elector) -> Runner {
        self.elector = Some(elector);
        self
    }

    /// What the process knows of the cluster.
    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// Whether nothing is queued, in work or waited for (delayed keys aside).
    pub fn is_idle(&self) -> bool {
        self.expectations.is_empty()
            && self.slots.iter().all(|slot| slot.queue.is_empty() && slot.runs.is_empty())
    }

    /// For each controller: its name, ready keys, keys in work.
    pub fn load(&self) -> impl Iterator<Item = (&'static str, usize, usize)> {
        self.slots.iter().map(|slot| (slot.logic.name(), slot.queue.len(), slot.runs.len()))
    }

    fn restart(&mut self) {
        self.kinds.truncate(self.named);
        self.readers.truncate(self.named);
        self.listed = vec![false; self.named];
        self.caches = Caches::new();
        self.flights.clear();
        self.expectations = Expectations::default();
        self.working = false;
        self.exited = false;
        if let Some(elector) = &mut self.elector {
            elector.reset();
        }
        for slot in &mut self.slots {
            slot.logic.reset();
            slot.queue = WorkQueue::new(slot.logic.backoff());
            slot.triggers.clear();
            slot.looks.clear();
            slot.runs.clear();
            slot.resync = None;
        }
    }

    fn list(&mut self, now: Instant, watch: usize, objects: Vec<Object>, revision: i64) {
        let kind = self.kinds[watch];
        let deltas = self.caches.listed(kind, objects, revision);
        for delta in &deltas {
            self.tell(now, watch, delta);
        }
        self.listed[watch] = true;
        let ready = self.expectations.reached(kind, self.caches.revision(kind));
        self.release(ready);
    }

    /// Tells the controllers that read the watch of a change.
    fn tell(&mut self, now: Instant, watch: usize, delta: &Delta) {
        let trigger = Trigger::Revision(delta.revision);
        let cx = Cx { now, caches: &self.caches, trigger };
        let mut queue = Enqueue::default();
        for &at in &self.readers[watch] {
            let slot = &mut self.slots[at];
            slot.logic.on_delta(&cx, delta, &mut queue);
            slot.enqueue(now, &mut queue, trigger);
        }
        let ready = self.expectations.went(delta);
        self.release(ready);
    }

    fn release(&mut self, ready: Vec<(usize, Key)>) {
        for (slot, key) in ready {
            self.slots[slot].queue.done(&key);
        }
    }

    /// Does all that can be done now.
    fn turn(&mut self, now: Instant, out: &mut Outbox) {
        let leads = self.elect(now, out);
        let works = leads && self.listed.iter().all(|listed| *listed);
        if self.working && !leads {
            self.exited = true;
            out.exits = true;
            return;
        }
        if works {
            self.resync(now, !self.working);
            self.working = true;
            let expired = self.expectations.expired(now);
            self.release(expired);
            for at in 0..self.slots.len() {
                self.slots[at].queue.advance(now);
                self.work(now, at, out);
            }
        }
        self.send_events(out);
    }

    fn elect(&mut self, now: Instant, out: &mut Outbox) -> bool {
        let Some(elector) = &mut self.elector else { return true };
        let request = elector.poll(now);
        let (leads, note) = (elector.leads(now), elector.take_note());
        if let Some(note) = note {
            self.recorder.record(now, &note, Trigger::Timer);
        }
        if let Some(request) = request {
            self.send_lease(request, out);
        }
        leads
    }

    fn send_lease(&mut self, request: Request, out: &mut Outbox) {
        let cause = Cause { actor: self.name.clone(), trigger: Trigger::Timer };
        let id = self.fly(Flight::Lease);
        out.send(id, request.by(self.name.clone(), cause));
    }

    fn fly(&mut self, flight: Flight) -> u64 {
        self.next_id += 1;
        self.flights.insert(self.next_id, flight);
        self.next_id
    }

    fn resync(&mut self, now: Instant, all: bool) {
        let cx = Cx { now, caches: &self.caches, trigger: Trigger::Timer };
        let mut queue = Enqueue::default();
        for slot in &mut self.slots {
            if all || slot.resync.is_some_and(|at| at <= now) {
                slot.logic.on_start(&cx, &mut queue);
                slot.resync = slot.logic.resync().map(|every| now + every);
                let trigger = if all { Trigger::Start } else { Trigger::Timer };
                slot.enqueue(now, &mut queue, trigger);
            }
        }
    }

    /// Starts work on ready keys of a controller while it has free workers.
    fn work(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        loop {
            let slot = &mut self.slots[at];
            if slot.runs.len() >= slot.logic.workers() {
                return;
            }
            let Some(key) = slot.queue.take() else { return };
            if let Some(until) = slot.rests(now, &key) {
                slot.queue.done(&key);
                slot.queue.add_at(key, until);
                continue;
            }
            let trigger = slot.triggers.remove(&key).unwrap_or(Trigger::Timer);
            let cx = Cx { now, caches: &self.caches, trigger };
            let plan = slot.logic.reconcile(&cx, &key);
            let cause = Cause { actor: slot.logic.name().into(), trigger };
            slot.start(now, &key, plan, cause);
            self.proceed(now, at, &key, out);
        }
    }

    /// Sends the next step of a plan, or ends it.
    fn proceed(&mut self, now: Instant, at: usize, key: &Key, out: &mut Outbox) {
        let slot = &mut self.slots[at];
        let run = slot.runs.get_mut(key).expect("the key is in work");
        let Some(step) = run.steps.pop_front() else { return self.finish(now, at, key) };
        run.open = step.writes.len();
        run.writes.clear();
        if let Some(ask) = step.ask {
            let request = ask.request.clone();
            run.ask = Some(ask);
            let id = self.fly(Flight::Cloud { slot: at, key: key.clone(), since: now });
            out.cloud.push((id, request));
            return;
        }
        for (i, write) in step.writes.into_iter().enumerate() {
            let request = with_own_revision(write.request.clone(), &run.updated);
            let request = request.by(self.name.clone(), run.cause.clone());
            run.writes.push(Some(write));
            self.next_id += 1;
            self.flights.insert(self.next_id, Flight::Write { slot: at, key: key.clone(), at: i });
            out.send(self.next_id, request);
        }
    }

    fn answer(&mut self, now: Instant, id: u64, reply: Reply, out: &mut Outbox) {
        match self.flights.remove(&id) {
            // A reply to an earlier life of the process.
            None | Some(Flight::Cloud { .. }) => {}
            Some(Flight::Lease) => {
                let Some(elector) = &mut self.elector else { return };
                if let Some(request) = elector.answered(now, &reply) {
                    self.send_lease(request, out);
                }
            }
            Some(Flight::Event { slot: None, token }) => self.recorder.answered(token, &reply),
            Some(Flight::Event { slot: Some(slot), token }) => {
                self.slots[slot].recorder.answered(token, &reply);
            }
            Some(Flight::Write { slot, key, at }) => {
                let was_last = self.slots[slot].written(now, &key, at, reply);
                if was_last {
                    self.step_done(now, slot, &key, out);
                }
            }
        }
    }

    /// The cloud provider has answered.
    fn told(&mut self, now: Instant, id: u64, reply: CloudReply, out: &mut Outbox) {
        let flight = self.flights.remove(&id);
        let Some(Flight::Cloud { slot: at, key, since }) = flight else { return };
        let slot = &mut self.slots[at];
        let Some(run) = slot.runs.get_mut(&key) else { return };
        let Some(ask) = run.ask.take() else { return };
        let trigger = run.cause.trigger;
        match reply {
            Ok(answer) => {
                let cx = Cx { now, caches: &self.caches, trigger };
                let plan = slot.logic.answered(&cx, &key, answer);
                for note in &plan.notes {
                    slot.recorder.record(now, note, trigger);
                }
                let rest = std::mem::replace(&mut run.steps, plan.steps.into());
                run.steps.extend(rest);
                run.retry |= plan.retry;
                run.again = [run.again, plan.again].into_iter().flatten().min();
            }
            Err(error) => {
                if let Some(note) = ask.note_of_failure(&error.message, now - since) {
                    slot.recorder.record(now, &note, trigger);
                }
                if ask.is_needed() {
                    let cx = Cx { now, caches: &self.caches, trigger };
                    run.steps = slot.logic.refused(&cx, &key, &error).steps.into();
                    run.again = error.retry_after;
                    run.retry |= error.retry_after.is_none();
                }
            }
        }
        self.proceed(now, at, &key, out);
    }

    fn step_done(&mut self, now: Instant, at: usize, key: &Key, out: &mut Outbox) {
        let slot = &mut self.slots[at];
        let run = slot.runs.get_mut(key).expect("the key is in work");
        if let Some(failure) = run.failure.take() {
            let first = !std::mem::replace(&mut run.failing, true);
            run.steps.clear();
            run.retry = true;
            run.again = None;
            if first && !failure.is("Conflict") {
                let cx = Cx { now, caches: &self.caches, trigger: run.cause.trigger };
                let plan = slot.logic.failed(&cx, key, &failure);
                let trigger = run.cause.trigger;
                for note in &plan.notes {
                    slot.recorder.record(now, note, trigger);
                }
                run.steps = plan.steps.into();
            }
        }
        self.proceed(now, at, key, out);
    }

    fn finish(&mut self, now: Instant, at: usize, key: &Key) {
        let slot = &mut self.slots[at];
        let Some(run) = slot.runs.remove(key) else { return };
        if run.retry {
            slot.triggers.entry(key.clone()).or_insert(run.cause.trigger);
            slot.queue.add_rate_limited(key.clone(), now);
        } else {
            slot.queue.forget(key);
        }
        if let Some(wait) = run.again {
            slot.queue.add_at(key.clone(), now + wait);
        }
        let waits: Vec<Expectation> =
            run.waits.into_iter().filter(|wait| !wait.is_met(&self.caches)).collect();
        if waits.is_empty() {
            slot.queue.done(key);
        } else {
            self.expectations.wait(now, at, key.clone(), waits);
        }
    }

    fn send_events(&mut self, out: &mut Outbox) {
        for (token, request) in self.recorder.drain() {
            let id = self.fly(Flight::Event { slot: None, token });
            out.send(id, request);
        }
        for at in 0..self.slots.len() {
            for (token, request) in self.slots[at].recorder.drain() {
                let id = self.fly(Flight::Event { slot: Some(at), token });
                out.send(id, request);
            }
        }
    }
}

impl Slot {
    fn new(logic: Box<dyn Reconcile>, process: &Str) -> Slot {
        Slot {
            recorder: Recorder::new(logic.source(), "", process.clone()),
            queue: WorkQueue::new(logic.backoff()),
            logic,
            triggers: HashMap::default(),
            runs: BTreeMap::new(),
            resync: None,
            looks: HashMap::default(),
        }
    }

    fn enqueue(&mut self, now: Instant, from: &mut Enqueue, trigger: Trigger) {
        for key in from.now.drain(..) {
            let known = self.triggers.entry(key.clone()).or_insert(trigger);
            if matches!(known, Trigger::Timer | Trigger::Start) {
                *known = trigger;
            }
            self.queue.add(key);
        }
        for (key, wait) in from.later.drain(..) {
            self.queue.add_at(key, now + wait);
        }
    }

    /// Until when a key that was looked at often of late is left alone; else counts one look more.
    ///
    /// A flood of changes is taken in a few times instead of change by change, as it is where a look takes time.
    fn rests(&mut self, now: Instant, key: &Key) -> Option<Instant> {
        if self.looks.len() >= LOOKED_AT_MAX {
            self.looks.retain(|_, paid_until| *paid_until > now);
        }
        let paid_until = self.looks.entry(key.clone()).or_insert(now);
        let next = (*paid_until).max(now) + LOOK_EVERY;
        if next > now + LOOK_EVERY * LOOKS_AT_ONCE {
            return Some(next - LOOK_EVERY * LOOKS_AT_ONCE);
        }
        *paid_until = next;
        None
    }

    fn start(&mut self, now: Instant, key: &Key, plan: Plan, cause: Cause) {
        for note in &plan.notes {
            self.recorder.record(now, note, cause.trigger);
        }
        let run = Run {
            steps: plan.steps.into(),
            writes: Vec::new(),
            ask: None,
            open: 0,
            failure: None,
            failing: false,
            waits: Vec::new(),
            updated: Vec::new(),
            again: plan.again,
            retry: plan.retry,
            cause,
        };
        self.runs.insert(key.clone(), run);
    }

    /// Notes the outcome of a write; true when it was the last of its step.
    fn written(&mut self, now: Instant, key: &Key, at: usize, reply: Reply) -> bool {
        let Some(run) = self.runs.get_mut(key) else { return false };
        let Some(write) = run.writes.get_mut(at).and_then(Option::take) else { return false };
        let trigger = run.cause.trigger;
        match reply {
            Ok(answer) => {
                let name = match &answer {
                    Answer::Object(object, _) => object.name().clone(),
                    _ => write.request.name.clone(),
                };
                if let Some(note) = write.note_of_success(&name) {
                    self.recorder.record(now, &note, trigger);
                }
                let stopped = matches!(&answer, Answer::Object(object, _) if write.is_stopped_by(object.meta()));
                run.succeeded(&write.request, &answer);
                if stopped && run.failure.is_none() {
                    let (kind, name) = (write.request.kind, write.request.name.clone());
                    let status = api::wire::conflict(kind, &name, "it still exists");
                    run.failure = Some(Failure { request: write.request, status });
                }
            }
            Err(status) => {
                if !write.tolerates(&status) {
                    let message = &status.message;
                    if let Some(note) = write.note_of_failure(message) {
                        self.recorder.record(now, &note, trigger);
                    }
                    if run.failure.is_none() {
                        run.failure = Some(Failure { request: write.request, status });
                    }
                }
            }
        }
        run.open -= 1;
        run.open == 0
    }
}

impl Run {
    /// Notes what the caches must show before the key is looked at again.
    fn succeeded(&mut self, request: &Request, answer: &Answer) {
        let kind = request.kind;
        if let Verb::Delete(options) = &request.verb {
            let key = Key::new(request.namespace.clone(), request.name.clone());
            let uid = options.preconditions.as_ref().and_then(|p| p.uid.clone());
            self.waits.push(Expectation::Gone(kind, key, uid));
            return;
        }
        let Answer::Object(object, _) = answer else { return };
        if object.info() != kind || matches!(request.verb, Verb::Get) {
            return;
        }
        let meta = object.meta();
        self.waits.push(Expectation::Revision(kind, revision_of(meta)));
        if matches!(request.verb, Verb::Update(_)) {
            let key = Key::of(meta);
            self.updated.retain(|(k, known, _)| *k != kind || *known != key);
            self.updated.push((kind, key, meta.resource_version.clone()));
        }
    }
}

/// An update of what the plan itself has updated before goes on from there.
fn with_own_revision(mut request: Request, updated: &[(&'static KindInfo, Key, Str)]) -> Request {
    let Verb::Update(object) = &mut request.verb else { return request };
    if !matches!(
        request.subresource,
        Subresource::None | Subresource::Status | Subresource::Finalize
    ) {
        return request;
    }
    let known = updated.iter().find(|(kind, key, _)| {
        *kind == object.info() && key.name == *object.name() && key.namespace == *object.namespace()
    });
    if let Some((_, _, revision)) = known
        && object.meta().resource_version != *revision
        && !object.meta().resource_version.is_empty()
    {
        object.edit().meta_mut().resource_version = revision.clone();
    }
    request
}

#[cfg(test)]
mod tests;
