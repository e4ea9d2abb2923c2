//! Wires every part together: virtual time, faults, the log of inputs, checkpoints by cloning, replay.
//!
//! [`Cluster`] is the only value that knows every part. It is a pure function of its [`Config`] and the
//! [`Entry`]s of its log: run twice, it gives the same [`Cluster::trace_hash`].

pub mod bench;
mod boot;
mod cloud;
pub mod command;
pub mod config;
mod edge;
mod engine;
pub mod faults;
pub mod process;
mod terminal;
mod traffic;

use api::Kind as _;
use api::core::v1::Pod;
use api::wire::{Interest, WatchEvent};
use apiserver::ledger::WriteRecord;
use apiserver::{ApiServer, WatchId};
use base::{BTreeMap, HashMap, Instant, Rng, Str};
use kube_proxy::Memories;
use network::Fabric;
use sim::Queue;

pub use cloud_controller_manager::Cloud;
pub use command::{Command, Entry, LogError, read_log, write_log};
pub use config::{Config, NodeGroup, Parts, Provider, SchedulerConfig};
pub use edge::{HttpAnswer, HttpWatch};
pub use faults::{Component, Fault};
pub use process::{Body, Pid, Process};
pub use terminal::TerminalOutput;

use engine::{Event, Route};

/// A request that a pod made over the cluster's network.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When it was sent.
    pub at: Instant,
    /// The pod, as namespace and name.
    pub from: (Str, Str),
    /// Everything that happened to it.
    pub trace: network::Trace,
}

/// A whole cluster at a moment of virtual time. A clone is a checkpoint; objects are shared.
#[derive(Clone)]
pub struct Cluster {
    config: Config,
    now: Instant,
    queue: Queue<Event>,
    server: ApiServer,
    server_running: bool,
    server_wake: Option<(Instant, sim::Ticket)>,
    /// How often definitions of custom kinds had changed when those who follow them were told.
    definitions_known: u64,
    processes: Vec<Process>,
    /// The kubelet of each node.
    nodes: BTreeMap<Str, Pid>,
    /// Nodes without power.
    off: BTreeMap<Str, ()>,
    /// Kubelets of machines that are gone; new machines take their places.
    retired: Vec<Pid>,
    catalogue: std::sync::Arc<kubelet::runtime::Catalogue>,
    cloud: Option<Box<Cloud>>,
    cloud_wake: Option<(Instant, sim::Ticket)>,
    routes: HashMap<WatchId, Route>,
    outside: BTreeMap<WatchId, Vec<WatchEvent>>,
    streams: BTreeMap<WatchId, apiserver::http::Stream>,
    fabric: Fabric,
    memories: Memories,
    rng: Rng,
    log: Vec<Entry>,
    commands: u32,
    events_done: u64,
    trace: u64,
    traced: i64,
    heard: std::collections::VecDeque<Heard>,
    sessions: Vec<terminal::Session>,
    files: BTreeMap<Str, Str>,
    printed: Vec<TerminalOutput>,
}

impl Cluster {
    /// A cluster with its control plane and nodes started, at [`Instant::START`].
    pub fn new(config: Config) -> Cluster {
        boot::cluster(config)
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The API server, to read.
    pub fn server(&self) -> &ApiServer {
        &self.server
    }

    /// Whether the API server answers.
    pub fn server_running(&self) -> bool {
        self.server_running
    }

    /// The processes.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// The process of a component on a node. Without a node, the first of the control plane.
    pub fn process(&self, component: Component, node: &str) -> Option<&Process> {
        self.pid_of(component, node).map(|pid| &self.processes[pid])
    }

    /// The network.
    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// The cloud provider, if there is one.
    pub fn cloud(&self) -> Option<&Cloud> {
        self.cloud.as_deref()
    }

    /// Whether a node has power.
    pub fn has_power(&self, node: &str) -> bool {
        !self.off.contains_key(node)
    }

    /// Everything done to the cluster from outside, in order.
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// How many events were carried out.
    pub fn events_done(&self) -> u64 {
        self.events_done
    }

    /// A number that two runs share if they made the same writes at the same times.
    pub fn trace_hash(&self) -> u64 {
        self.trace
    }

    /// Tells the API server how Go declares its structs, for a message that shows a whole document.
    pub fn set_field_order(&mut self, order: apiserver::FieldOrder) {
        self.server.set_field_order(order);
    }

    /// Opens a watch for somebody outside (the page, a test). Fetch its events with [`Cluster::take_watched`].
    pub fn watch(&mut self, interest: Interest) -> Option<WatchId> {
        let id = self.server.watch(interest, None).ok()?;
        self.routes.insert(id, Route::Outside);
        self.pump();
        Some(id)
    }

    /// Takes the events that an outside watch has seen.
    pub fn take_watched(&mut self, id: WatchId) -> Vec<WatchEvent> {
        self.outside.get_mut(&id).map(std::mem::take).unwrap_or_default()
    }

    /// Takes the requests that pods made since the last call; of many the newest.
    pub fn take_heard(&mut self) -> Vec<Heard> {
        self.heard.drain(..).collect()
    }

    /// How many pods of namespace `default` are Running.
    pub fn pods_running(&self) -> usize {
        let interest = Interest { namespace: "default".into(), ..Interest::all(Pod::INFO) };
        let pods = self.server.list(&interest).map(|list| list.items).unwrap_or_default();
        let phase =
            |object: &api::Object| object.get::<Pod>().is_some_and(|p| p.status.phase == "Running");
        pods.iter().filter(|object| phase(object)).count()
    }

    /// Why a revision was written, and why that was, back to a person, a timer or the start.
    pub fn chain_of_causes(&self, revision: i64) -> Vec<&WriteRecord> {
        const CHAIN_MAX: usize = 64;
        let mut chain = Vec::new();
        let mut next = Some(revision);
        while let Some(record) = next.and_then(|revision| self.server.cause_of(revision)) {
            chain.push(record);
            next = match record.cause.trigger {
                api::wire::Trigger::Revision(earlier) if earlier < record.revision => Some(earlier),
                _ => None,
            };
            if chain.len() == CHAIN_MAX {
                break;
            }
        }
        chain
    }

    pub(crate) fn pid_of(&self, component: Component, node: &str) -> Option<Pid> {
        if component == Component::Kubelet {
            return self.nodes.get(node).copied();
        }
        self.pids_of(component, node).first().copied()
    }

    /// The processes of a component; without a node, all of the control plane.
    pub(crate) fn pids_of(&self, component: Component, node: &str) -> Vec<Pid> {
        if component == Component::Kubelet {
            return self.nodes.get(node).copied().into_iter().collect();
        }
        let meant = |p: &Process| p.component == component && (node.is_empty() || p.node == node);
        (0..self.processes.len()).filter(|pid| meant(&self.processes[*pid])).collect()
    }

    /// Folds the writes since the last call into the trace.
    fn note_writes(&mut self) {
        let fresh: Vec<u64> = self
            .server
            .writes()
            .take_while(|record| record.revision > self.traced)
            .map(fingerprint)
            .collect();
        for print in fresh.into_iter().rev() {
            self.trace = (self.trace ^ print).wrapping_mul(0x0100_0000_01b3);
        }
        self.traced = self.server.revision();
    }
}

fn fingerprint(record: &WriteRecord) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    eat(&record.revision.to_le_bytes());
    eat(&record.time.0.to_le_bytes());
    eat(record.kind.kind.as_bytes());
    eat(record.key.namespace.as_bytes());
    eat(record.key.name.as_bytes());
    eat(record.verb.as_bytes());
    hash
}
