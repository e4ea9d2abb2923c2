//! What every part of the cluster looks like from outside: a machine without I/O that speaks the API.

use api::object::{KindInfo, Object};
use api::wire::{Interest, Reply, Request, WatchEvent};
use base::Instant;
use network::{Call, Trace};

use crate::cloud::{CloudReply, CloudRequest};

/// A part of the cluster: the scheduler, a kubelet, the controller manager.
///
/// The cluster calls [`Part::handle`] with what arrived and carries out what the part put into the outbox.
/// A part never blocks, never reads a clock and never sees another part.
pub trait Part {
    /// The name it uses as user agent and field manager: `kube-scheduler`.
    fn name(&self) -> &str;

    /// What it watches, in the order of watch numbers.
    fn interests(&self) -> Vec<Interest>;

    /// A custom kind is served. A part that follows every kind says that it wants to watch it, under the next number;
    /// from then on it is one of its interests, until the process starts anew.
    fn served(&mut self, _kind: &'static KindInfo) -> Option<Interest> {
        None
    }

    /// Takes one input. `now` never goes backwards.
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox);

    /// The process is told to end, and may still send something; it hears of no answer.
    fn shut_down(&mut self, _now: Instant, _out: &mut Outbox) {}

    /// When it wants [`Input::Wake`] next, if at all. Asked after every `handle`.
    fn next_wake(&self) -> Option<Instant>;
}

/// What arrives at a part.
#[derive(Clone, Debug)]
pub enum Input {
    /// The process (re)starts with empty memory; lists of its watches follow.
    Start,
    /// The first contents of watch number `watch`, at a revision. Replaces all that was known of it.
    Listed {
        /// The position in [`Part::interests`].
        watch: usize,
        /// The objects, ordered by namespace and name.
        objects: Vec<Object>,
        /// The store's revision.
        revision: i64,
    },
    /// Changes seen by watch number `watch`, in revision order.
    Watch {
        /// The position in [`Part::interests`].
        watch: usize,
        /// The events.
        events: Vec<WatchEvent>,
    },
    /// The answer to the request with this number.
    Reply(u64, Reply),
    /// The outcome of the network call with this number.
    Called(u64, Box<Trace>),
    /// The cloud provider's answer to the request with this number.
    Cloud(u64, CloudReply),
    /// The asked-for time has come.
    Wake,
}

/// Where a part puts what it wants done.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Requests to the API server with the numbers under which their replies come back.
    pub requests: Vec<(u64, Request)>,
    /// Calls over the cluster's network with the numbers under which their results come back.
    pub calls: Vec<(u64, Call)>,
    /// Requests to the cloud provider with the numbers under which its answers come back.
    pub cloud: Vec<(u64, CloudRequest)>,
    /// The process ends by itself; whoever runs it starts it anew.
    pub exits: bool,
}

impl Outbox {
    /// Sends a request; the reply comes as [`Input::Reply`] with `id`.
    pub fn send(&mut self, id: u64, request: Request) {
        self.requests.push((id, request));
    }

    /// Sends a call; its result comes as [`Input::Called`] with `id`.
    pub fn call(&mut self, id: u64, call: Call) {
        self.calls.push((id, call));
    }
}
