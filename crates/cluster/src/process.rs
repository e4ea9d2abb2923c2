//! A running part: its connection to the API server, what is on its way to it, and whether it runs.

use api::wire::WatchEvent;
use base::{Duration, Instant, Rng, Str};
use client::{Input, Outbox, Part};
use sim::{Link, Ticket};

use crate::faults::Component;

/// The number of a process in the cluster.
pub type Pid = usize;

/// One part of the cluster as a process.
#[derive(Clone)]
pub struct Process {
    /// What it is.
    pub component: Component,
    /// The node it runs on; empty for a control plane of one machine.
    pub node: Str,
    /// Whether it runs.
    pub running: bool,
    /// Counts its starts and ends: what was under way to an earlier life is dropped.
    pub epoch: u32,
    /// Counts its starts.
    pub lives: u32,
    /// Its connection to the API server.
    pub link: Link,
    /// Its own stream of chance.
    pub rng: Rng,
    /// The part itself.
    pub body: Body,
    pub(crate) inbox: Vec<(usize, Vec<WatchEvent>)>,
    pub(crate) delivery: Option<Ticket>,
    pub(crate) wake: Option<(Instant, Ticket)>,
    pub(crate) watches: Vec<apiserver::WatchId>,
}

/// The part inside a process.
#[derive(Clone)]
pub enum Body {
    /// kube-controller-manager
    ControllerManager(Box<client::Runner>),
    /// kube-scheduler
    Scheduler(Box<scheduler::Scheduler>),
    /// cloud-controller-manager
    CloudControllerManager(Box<client::Runner>),
    /// One node's kubelet with its container runtime.
    Kubelet(Box<kubelet::Kubelet>),
    /// The kube-proxies of all nodes, which share one rule set.
    Proxy(Box<kube_proxy::Proxy>),
    /// Cluster DNS.
    Dns(Box<addons::Dns>),
}

impl Body {
    /// The part, whatever it is.
    pub fn part(&mut self) -> &mut dyn Part {
        match self {
            Body::ControllerManager(part) => &mut **part,
            Body::Scheduler(part) => &mut **part,
            Body::CloudControllerManager(part) => &mut **part,
            Body::Kubelet(part) => &mut **part,
            Body::Proxy(part) => &mut **part,
            Body::Dns(part) => &mut **part,
        }
    }
}

impl Process {
    /// A process that has not been started.
    pub fn new(component: Component, node: Str, seed: u64, body: Body) -> Process {
        let (low, high) = match component {
            Component::Kubelet | Component::KubeProxy | Component::Dns => (1_000, 4_000),
            _ => (500, 2_000),
        };
        let stream = format!("link/{component:?}/{node}");
        Process {
            component,
            node,
            running: false,
            epoch: 0,
            lives: 0,
            link: Link::new(Duration::micros(low), Duration::micros(high)),
            rng: Rng::stream(seed, &stream),
            body,
            inbox: Vec::new(),
            delivery: None,
            wake: None,
            watches: Vec::new(),
        }
    }

    /// When a message sent now over its link arrives; `None` if it is lost.
    pub fn arrival(&mut self, now: Instant) -> Option<Instant> {
        self.link.deliver_at(now, &mut self.rng)
    }

    /// Hands the part an input and returns what it wants done.
    pub fn handle(&mut self, now: Instant, input: Input) -> Outbox {
        let mut out = Outbox::default();
        self.body.part().handle(now, input, &mut out);
        out
    }

    /// Puts a watch event into its inbox.
    pub(crate) fn receive(&mut self, watch: usize, event: WatchEvent) {
        match self.inbox.last_mut() {
            Some((last, events)) if *last == watch => events.push(event),
            _ => self.inbox.push((watch, vec![event])),
        }
    }
}
