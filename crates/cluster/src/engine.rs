//! The event loop: what is under way, and who gets it when.

use api::wire::{Interest, Reply, Request, WatchEvent, failure};
use apiserver::Probed;
use base::{Duration, Instant};
use client::{CloudReply, CloudRequest};
use client::{Input, Outbox};
use network::{Call, Trace};

use crate::command::Command;
use crate::process::Pid;
use crate::{Cluster, Component, boot};

/// Everything that can happen at a moment of virtual time.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A request reaches the API server.
    Request { from: Pid, epoch: u32, id: u64, request: Box<Request> },
    /// The answer reaches the part that asked.
    Reply { to: Pid, epoch: u32, id: u64, reply: Reply },
    /// What waits in a process's inbox reaches it.
    Deliver { to: Pid, epoch: u32 },
    /// A part asked to be woken.
    Wake { pid: Pid, epoch: u32 },
    /// A call over the cluster's network leaves.
    Call { from: Pid, epoch: u32, id: u64, call: Box<Call> },
    /// Its result arrives.
    Called { to: Pid, epoch: u32, id: u64, result: Box<Trace> },
    /// A request reaches the cloud provider.
    Cloud { from: Pid, epoch: u32, id: u64, request: Box<CloudRequest> },
    /// The provider's answer reaches the part that asked.
    CloudReply { to: Pid, epoch: u32, id: u64, reply: Box<CloudReply> },
    /// Something happens in the cloud.
    CloudTick,
    /// A process tries once more to reach the API server.
    Connect { pid: Pid, epoch: u32 },
    /// Those who follow every kind learn of the custom kinds.
    Discover,
    /// A process that ended by itself is started anew.
    Restart { pid: Pid, epoch: u32 },
    /// A terminal session goes on.
    Session(usize),
    /// The API server has something to expire.
    ServerTick,
    /// A command of the scenario's timeline.
    Timeline(Box<Command>),
}

/// How long a request waits for an API server that does not answer.
const REQUEST_TIMEOUT: Duration = Duration::secs(10);
/// How long it takes until a process that ended by itself is started anew.
const RESTART: Duration = Duration::secs(1);
/// How long a process waits between attempts to reach the API server.
const CONNECT_AGAIN: Duration = Duration::secs(1);
/// How long it takes until those who follow every kind know of a new one.
const DISCOVER: Duration = Duration::millis(100);
/// How many events may wait for a process that cannot be reached before it has to list again.
const BACKLOG_MAX: usize = 20_000;

impl Cluster {
    /// Carries out everything up to `until`, and leaves the clock there.
    pub fn run_until(&mut self, until: Instant) {
        while self.step_before(until) {}
        self.now = self.now.max(until);
    }

    /// Runs for a span of virtual time.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Carries out the next event if it is due by `until`; false if there is none.
    pub fn step_before(&mut self, until: Instant) -> bool {
        let Some((at, event)) = self.queue.pop_until(until) else { return false };
        self.now = self.now.max(at);
        self.events_done += 1;
        self.dispatch(event);
        true
    }

    /// When the next thing happens.
    pub fn next_event(&self) -> Option<Instant> {
        self.queue.peek_time()
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::Request { from, epoch, id, request } => self.serve(from, epoch, id, *request),
            Event::Reply { to, epoch, id, reply } => self.input(to, epoch, Input::Reply(id, reply)),
            Event::Deliver { to, epoch } => self.deliver(to, epoch),
            Event::Wake { pid, epoch } => {
                if self.processes[pid].epoch == epoch {
                    self.processes[pid].wake = None;
                }
                self.input(pid, epoch, Input::Wake);
            }
            Event::Call { from, epoch, id, call } => self.carry_call(from, epoch, id, &call),
            Event::Called { to, epoch, id, result } => {
                self.input(to, epoch, Input::Called(id, result));
            }
            Event::Cloud { from, epoch, id, request } => {
                self.ask_cloud(from, epoch, id, *request);
            }
            Event::CloudReply { to, epoch, id, reply } => {
                self.input(to, epoch, Input::Cloud(id, *reply));
            }
            Event::CloudTick => self.tick_cloud(),
            Event::Connect { pid, epoch } => self.connect(pid, epoch),
            Event::Discover => (0..self.processes.len()).for_each(|pid| self.discover(pid)),
            Event::Restart { pid, epoch } => {
                if self.processes[pid].epoch == epoch {
                    self.start(pid);
                }
            }
            Event::Session(number) => self.advance_session(number),
            Event::ServerTick => {
                self.server_wake = None;
                self.server.tick(self.now);
                self.pump();
            }
            Event::Timeline(command) => {
                self.run(&command);
            }
        }
    }

    /// A request has arrived at the API server: answer it and send the answer back.
    fn serve(&mut self, from: Pid, epoch: u32, id: u64, request: Request) {
        if !self.server_running {
            let refused = Err(failure(503, "ServiceUnavailable", "connect: connection refused"));
            self.reply(from, epoch, id, refused);
            return;
        }
        let reply = self.server.handle(self.now, request);
        self.pump();
        self.reply(from, epoch, id, reply);
    }

    fn reply(&mut self, to: Pid, epoch: u32, id: u64, reply: Reply) {
        let now = self.now;
        match self.processes[to].arrival(now) {
            Some(at) => {
                self.queue.schedule(at, Event::Reply { to, epoch, id, reply });
            }
            None => self.time_out(to, epoch, id),
        }
    }

    fn time_out(&mut self, to: Pid, epoch: u32, id: u64) {
        let lost = Err(failure(504, "Timeout", "context deadline exceeded"));
        self.queue
            .schedule(self.now + REQUEST_TIMEOUT, Event::Reply { to, epoch, id, reply: lost });
    }

    /// Hands an input to a process of the given life and takes up what it wants done.
    pub(crate) fn input(&mut self, pid: Pid, epoch: u32, input: Input) {
        let now = self.now;
        let process = &mut self.processes[pid];
        if process.epoch != epoch || !process.running {
            return;
        }
        let out = process.handle(now, input);
        self.take_up(pid, out);
    }

    pub(crate) fn take_up(&mut self, pid: Pid, out: Outbox) {
        let now = self.now;
        let epoch = self.processes[pid].epoch;
        for (id, request) in out.requests {
            match self.processes[pid].arrival(now) {
                Some(at) => {
                    let request = Box::new(request);
                    self.queue.schedule(at, Event::Request { from: pid, epoch, id, request });
                }
                None => self.time_out(pid, epoch, id),
            }
        }
        for (id, call) in out.calls {
            let call = Box::new(call);
            self.queue.schedule(now, Event::Call { from: pid, epoch, id, call });
        }
        for (id, request) in out.cloud {
            let delay = self.cloud.as_mut().map_or(Duration::ZERO, |cloud| cloud.call_delay());
            let request = Box::new(request);
            self.queue.schedule(now + delay, Event::Cloud { from: pid, epoch, id, request });
        }
        self.network_changed(pid);
        if out.exits {
            return self.exit(pid);
        }
        self.set_wake(pid);
    }

    fn set_wake(&mut self, pid: Pid) {
        let wanted = self.processes[pid].body.part().next_wake().map(|at| at.max(self.now));
        let process = &mut self.processes[pid];
        if process.wake.as_ref().map(|(at, _)| *at) == wanted {
            return;
        }
        if let Some((_, ticket)) = process.wake.take() {
            self.queue.cancel(ticket);
        }
        if let Some(at) = wanted {
            let epoch = process.epoch;
            let ticket = self.queue.schedule(at, Event::Wake { pid, epoch });
            self.processes[pid].wake = Some((at, ticket));
        }
    }

    /// Moves what the last write made to the inboxes of those who watch.
    pub(crate) fn pump(&mut self) {
        for (watch, event) in self.server.take_events() {
            match self.routes.get(&watch).copied() {
                Some(Route::Process(pid, number)) => self.post(pid, number, event),
                Some(Route::Outside) => self.outside.entry(watch).or_default().push(event),
                None => {}
            }
        }
        if self.server.definition_changes() != self.definitions_known {
            self.definitions_known = self.server.definition_changes();
            self.queue.schedule(self.now + DISCOVER, Event::Discover);
        }
        self.note_writes();
        self.set_server_wake();
    }

    fn set_server_wake(&mut self) {
        let Some(wanted) = self.server.next_wake().map(|at| at.max(self.now)) else { return };
        match &self.server_wake {
            // Waking too early costs little; rescheduling at every write would cost more.
            Some((at, _)) if *at <= wanted => return,
            Some((_, ticket)) => {
                self.queue.cancel(*ticket);
            }
            None => {}
        }
        let ticket = self.queue.schedule(wanted, Event::ServerTick);
        self.server_wake = Some((wanted, ticket));
    }

    fn post(&mut self, pid: Pid, number: usize, event: WatchEvent) {
        let now = self.now;
        let process = &mut self.processes[pid];
        if !process.running {
            return;
        }
        process.receive(number, event);
        if process.delivery.is_some() {
            return;
        }
        let epoch = process.epoch;
        if let Some(at) = process.arrival(now) {
            let ticket = self.queue.schedule(at, Event::Deliver { to: pid, epoch });
            self.processes[pid].delivery = Some(ticket);
        }
    }

    fn deliver(&mut self, to: Pid, epoch: u32) {
        let process = &mut self.processes[to];
        if process.epoch != epoch {
            return;
        }
        process.delivery = None;
        for (watch, events) in std::mem::take(&mut process.inbox) {
            self.input(to, epoch, Input::Watch { watch, events });
        }
    }

    /// The link of a process works again: what has waited is delivered, or listed anew if it was too much.
    pub(crate) fn reconnect(&mut self, pid: Pid) {
        self.discover(pid);
        let waiting: usize = self.processes[pid].inbox.iter().map(|(_, events)| events.len()).sum();
        if waiting > BACKLOG_MAX {
            self.processes[pid].inbox.clear();
            self.list_all(pid);
            return;
        }
        let now = self.now;
        let process = &mut self.processes[pid];
        if waiting > 0 && process.delivery.is_none() && process.running {
            let epoch = process.epoch;
            if let Some(at) = process.arrival(now) {
                let ticket = self.queue.schedule(at, Event::Deliver { to: pid, epoch });
                self.processes[pid].delivery = Some(ticket);
            }
        }
    }

    /// Starts a process with empty memory: it lists and watches what it is interested in.
    pub(crate) fn start(&mut self, pid: Pid) {
        let process = &mut self.processes[pid];
        if process.running {
            return;
        }
        process.running = true;
        let component = process.component;
        process.epoch += 1;
        process.lives += 1;
        let (epoch, life) = (process.epoch, process.lives);
        if life > 1
            && let Some(body) =
                boot::fresh(&self.config, process.component, &process.node, process.lives)
        {
            process.body = body;
        }
        self.tell_health(component);
        self.input(pid, epoch, Input::Start);
        self.connect(pid, epoch);
    }

    /// Tells the API server whether a part of the control plane answers probes.
    fn tell_health(&mut self, component: Component) {
        let probed = match component {
            Component::ControllerManager => Probed::ControllerManager,
            Component::Scheduler => Probed::Scheduler,
            _ => return,
        };
        let mut own = self.processes.iter().filter(|process| process.component == component);
        self.server.set_answering(probed, own.any(|process| process.running));
    }

    /// Lets a process list and watch; later, if the API server cannot be reached now.
    fn connect(&mut self, pid: Pid, epoch: u32) {
        let process = &mut self.processes[pid];
        if process.epoch != epoch || !process.running {
            return;
        }
        if !self.server_running || process.link.is_partitioned() {
            self.queue.schedule(self.now + CONNECT_AGAIN, Event::Connect { pid, epoch });
            return;
        }
        for interest in process.body.part().interests() {
            self.open(pid, interest);
        }
        self.list_all(pid);
        self.discover(pid);
    }

    /// Opens the next watch of a process.
    fn open(&mut self, pid: Pid, interest: Interest) {
        let revision = Some(self.server.revision());
        match self.server.watch(interest, revision) {
            Ok(watch) => {
                let watches = &mut self.processes[pid].watches;
                self.routes.insert(watch, Route::Process(pid, watches.len()));
                watches.push(watch);
            }
            Err(status) => unreachable!("a part may watch what it knows: {}", status.message),
        }
    }

    /// Tells a process of the custom kinds that it does not know yet; it may want to follow them.
    fn discover(&mut self, pid: Pid) {
        let process = &self.processes[pid];
        if process.watches.is_empty() || !self.server_running || process.link.is_partitioned() {
            return;
        }
        for kind in self.server.custom_kinds() {
            let process = &mut self.processes[pid];
            let (number, epoch) = (process.watches.len(), process.epoch);
            let Some(interest) = process.body.part().served(kind) else { continue };
            let list = self.server.list(&interest).unwrap_or_default();
            self.open(pid, interest);
            let (objects, revision) = (list.items, list.revision);
            self.input(pid, epoch, Input::Listed { watch: number, objects, revision });
        }
    }

    /// Stops a process: what it knew and what was under way to it is lost.
    pub(crate) fn stop(&mut self, pid: Pid) {
        let process = &mut self.processes[pid];
        process.epoch += 1;
        if !process.running {
            return;
        }
        process.running = false;
        let component = process.component;
        process.inbox.clear();
        let watches = std::mem::take(&mut process.watches);
        let pending = [process.delivery.take(), process.wake.take().map(|(_, ticket)| ticket)];
        for ticket in pending.into_iter().flatten() {
            self.queue.cancel(ticket);
        }
        for watch in watches {
            self.routes.remove(&watch);
            self.server.unwatch(watch);
        }
        self.tell_health(component);
    }

    /// A process has ended by itself.
    fn exit(&mut self, pid: Pid) {
        self.stop(pid);
        let epoch = self.processes[pid].epoch;
        self.queue.schedule(self.now + RESTART, Event::Restart { pid, epoch });
    }

    fn list_all(&mut self, pid: Pid) {
        let epoch = self.processes[pid].epoch;
        let interests = self.processes[pid].body.part().interests();
        for (watch, interest) in interests.into_iter().enumerate() {
            if let Ok(list) = self.server.list(&interest) {
                let (objects, revision) = (list.items, list.revision);
                self.input(pid, epoch, Input::Listed { watch, objects, revision });
            }
        }
    }
}

/// Where the events of a watch go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To watch number `.1` of a process.
    Process(Pid, usize),
    /// To a connection outside the cluster, which fetches them.
    Outside,
}
