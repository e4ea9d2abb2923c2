//! The node's own object and lease: registration, conditions, heartbeats.
//!
//! Stands for the kubelet's node status and node lease controllers.
//!
//! Known deviations:
//! - Memory, disk and process pressure never occur.
//! - Runtime handlers are not reported.
//! - No event tells of a cordon; the kubelet of the recorded runs gave none.

use std::sync::Arc;

use api::Map;
use api::coordination::v1::{Lease, LeaseSpec};
use api::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints,
    NodeSpec, NodeStatus, NodeSystemInfo, ObjectReference,
};
use api::meta::v1::{ObjectMeta, OwnerReference};
use api::object::{Key, Kind, Object};
use api::time::{MicroTime, Time};
use api::wire::{Answer, Reply, Request, Verb};
use base::{Duration, Instant, Rng, Str};
use client::Note;

use crate::kubelet::{Ask, Kubelet, get};
use crate::timers::Timer;

/// Which step of keeping the node's object an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It was to be created.
    Create,
    /// It was to be read.
    Read,
    /// Its status was to be written.
    Write,
}

/// What the kubelet knows of its node's object.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeState {
    /// The newest state known.
    pub node: Option<Arc<Node>>,
    pub registered: bool,
    registering: bool,
    writing: bool,
    /// Something has changed that the object does not say yet.
    dirty: bool,
    written: Option<Instant>,
    /// When images that came or went are listed.
    images_listed: Option<Instant>,
    retries: u32,
    lease: Option<Arc<Lease>>,
    lease_asked: bool,
    /// When the status is looked at next.
    look: Option<Instant>,
    announced: bool,
    ready: bool,
    /// The last look found it cordoned.
    cordoned: bool,
}

const LEASE_EVERY: Duration = Duration::secs(10);
const STATUS_EVERY: Duration = Duration::secs(10);
const IMAGES_EVERY: Duration = Duration::secs(30);
const REPORT_EVERY: Duration = Duration::secs(300);
const REGISTER_RETRY_MAX: i64 = 7;
const IMAGES_MAX: usize = 50;
const LEASES: Str = base::lit!("kube-node-lease");

impl Kubelet {
    pub(crate) fn node_start(&mut self) {
        self.node_event("Starting", "Starting kubelet.".to_string());
        self.register();
        self.plan_look(STATUS_EVERY);
    }

    /// Plans a look at the status, unless one is planned for earlier.
    fn plan_look(&mut self, wait: Duration) {
        let at = self.now + wait;
        if self.agent.node.look.is_none_or(|known| known > at) {
            self.agent.node.look = Some(at);
            self.agent.timers.set(at, Timer::NodeStatus);
        }
    }

    pub(crate) fn register(&mut self) {
        if self.agent.node.registered || self.agent.node.registering {
            return;
        }
        self.agent.node.registering = true;
        let node = self.initial_node();
        self.ask(Ask::Node(Step::Create), Request::create(Object::new(node)));
    }

    fn initial_node(&self) -> Node {
        let config = &self.config;
        let mut labels = config.labels.clone();
        for (key, value) in self.own_labels() {
            labels.insert(key, value);
        }
        let mut taints = config.taints.clone();
        if config.external_cloud {
            taints.push(api::core::v1::Taint {
                key: base::lit!("node.cloudprovider.kubernetes.io/uninitialized"),
                value: base::lit!("true"),
                effect: base::lit!("NoSchedule"),
                ..Default::default()
            });
        }
        let mut annotations = Map::new();
        annotations
            .insert("volumes.kubernetes.io/controller-managed-attach-detach", Str::from("true"));
        Node {
            metadata: Arc::new(ObjectMeta {
                name: config.name.clone(),
                labels,
                annotations,
                ..ObjectMeta::default()
            }),
            spec: Arc::new(NodeSpec {
                provider_id: config.provider_id.clone(),
                taints: taints.into_iter().collect(),
                ..NodeSpec::default()
            }),
            status: Arc::new(self.node_status(None)),
        }
    }

    fn own_labels(&self) -> [(&'static str, Str); 5] {
        let config = &self.config;
        [
            ("beta.kubernetes.io/arch", config.arch.clone()),
            ("beta.kubernetes.io/os", base::lit!("linux")),
            ("kubernetes.io/arch", config.arch.clone()),
            ("kubernetes.io/hostname", config.name.clone()),
            ("kubernetes.io/os", base::lit!("linux")),
        ]
    }

    /// The status as the node sees itself; what others wrote is kept.
    fn node_status(&self, old: Option<&NodeStatus>) -> NodeStatus {
        let config = &self.config;
        let mut status = old.cloned().unwrap_or_default();
        let address =
            |type_: &'static str, address: Str| NodeAddress { type_: type_.into(), address };
        if !config.external_cloud || status.addresses.is_empty() {
            status.addresses = base::list![
                address("InternalIP", config.internal_ip.to_string().into()),
                address("Hostname", config.name.clone()),
            ];
        }
        status.capacity = config.capacity();
        status.allocatable = config.allocatable();
        status.conditions = self.node_conditions(old);
        status.daemon_endpoints =
            NodeDaemonEndpoints { kubelet_endpoint: DaemonEndpoint { port: 10250 } };
        let mut ids = Rng::stream(0, &config.name);
        status.node_info = NodeSystemInfo {
            machine_id: ids.uuid().replace('-', "").into(),
            system_uuid: ids.uuid().into(),
            boot_id: self.boot_id.clone(),
            kernel_version: config.kernel.clone(),
            os_image: config.os_image.clone(),
            container_runtime_version: config.runtime_version.clone(),
            kubelet_version: config.kubelet_version.clone(),
            operating_system: base::lit!("linux"),
            architecture: config.arch.clone(),
            ..NodeSystemInfo::default()
        };
        status.declared_features = [
            "ExtendWebSocketsToKubelet",
            "InPlacePodLevelResourcesVerticalScaling",
            "InPlacePodVerticalScalingInitContainers",
            "RestartAllContainersOnContainerExits",
        ]
        .into_iter()
        .map(Str::from)
        .collect();
        status.images = self.node_images();
        status.volumes_in_use = self.volumes_in_use();
        status
    }

    fn node_images(&self) -> base::List<ContainerImage> {
        let mut images: Vec<_> = self.machine.images.iter().collect();
        base::sort::by(&mut images, |a, b| b.1.size.cmp(&a.1.size).then(a.0.cmp(b.0)));
        let image = |(name, stored): (&Str, &crate::runtime::machine::Stored)| ContainerImage {
            names: base::list![stored.id.clone(), name.clone()],
            size_bytes: Some(stored.size),
        };
        images.into_iter().take(IMAGES_MAX).map(image).collect()
    }

    fn node_conditions(&self, old: Option<&NodeStatus>) -> base::List<NodeCondition> {
        let ready = self.machine.has_network();
        let unready = "container runtime network not ready: NetworkReady=false \
                       reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin \
                       not initialized";
        let ours = [
            (
                "MemoryPressure",
                "False",
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            (
                "PIDPressure",
                "False",
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
            if ready {
                ("Ready", "True", "KubeletReady", "kubelet is posting ready status")
            } else {
                ("Ready", "False", "KubeletNotReady", unready)
            },
        ];
        let now = Some(Time::from(self.now));
        let mut all: base::List<NodeCondition> =
            old.map(|status| status.conditions.clone()).unwrap_or_default();
        for (type_, status, reason, message) in ours {
            let mut condition = NodeCondition {
                type_: type_.into(),
                status: status.into(),
                reason: reason.into(),
                message: message.into(),
                last_heartbeat_time: now,
                last_transition_time: now,
            };
            match all.iter_mut().find(|c| c.type_ == type_) {
                Some(known) => {
                    if known.status == status {
                        condition.last_transition_time = known.last_transition_time;
                    }
                    *known = condition;
                }
                None => all.push(condition),
            }
        }
        all
    }

    pub(crate) fn node_answered(&mut self, step: Step, reply: Reply) {
        match (step, reply) {
            (Step::Create, Ok(Answer::Object(object, _))) => {
                self.agent.node.registering = false;
                self.agent.node.written = Some(self.now);
                if let Some(node) = object.arc::<Node>() {
                    self.registered(node);
                }
            }
            (Step::Create, Err(status)) if status.reason == "AlreadyExists" => {
                let key = Key::new("", self.config.name.clone());
                self.ask(Ask::Node(Step::Read), get(Node::INFO, &key));
            }
            (Step::Read, Ok(Answer::Object(object, _))) => {
                self.agent.node.registering = false;
                self.agent.node.dirty = true;
                if let Some(node) = object.arc::<Node>() {
                    let rebooted = node.status.node_info.boot_id != self.boot_id;
                    if rebooted && !node.status.node_info.boot_id.is_empty() {
                        let (name, id) = (self.config.name.clone(), self.boot_id.clone());
                        let text = format!("Node {name} has been rebooted, boot id: {id}");
                        self.node_event_of("Warning", "Rebooted", text);
                    }
                    self.registered(node);
                    self.write_node_status();
                }
            }
            (Step::Write, Ok(Answer::Object(object, _))) => {
                self.agent.node.writing = false;
                self.agent.node.retries = 0;
                self.agent.node.written = Some(self.now);
                if let Some(node) = object.arc::<Node>() {
                    self.node_seen(node);
                }
                if self.agent.node.dirty {
                    self.write_node_status();
                }
            }
            (Step::Write, Err(status)) => {
                self.agent.node.writing = false;
                self.agent.node.dirty = true;
                self.agent.node.retries += 1;
                self.plan_look(STATUS_EVERY);
                if status.reason == "Conflict" && self.agent.node.retries <= 5 {
                    let key = Key::new("", self.config.name.clone());
                    self.ask(Ask::Node(Step::Read), get(Node::INFO, &key));
                }
            }
            (Step::Create | Step::Read, _) => {
                self.agent.node.registering = false;
                let wait = Duration::millis(200 << self.agent.node.retries.min(5));
                self.agent.node.retries += 1;
                self.later(Duration(wait.0.min(REGISTER_RETRY_MAX * 1_000_000)), Timer::Register);
            }
            (Step::Write, Ok(_)) => self.agent.node.writing = false,
        }
    }

    fn registered(&mut self, node: Arc<Node>) {
        let first = !std::mem::replace(&mut self.agent.node.registered, true);
        self.node_seen(node);
        if first {
            self.announce();
            self.renew_lease();
        }
    }

    fn announce(&mut self) {
        if std::mem::replace(&mut self.agent.node.announced, true) {
            return;
        }
        for reason in ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"] {
            let text = format!("Node {} status is now: {reason}", self.config.name);
            self.node_event(reason, text);
        }
    }

    /// A newer state of the node's object.
    pub(crate) fn node_seen(&mut self, node: Arc<Node>) {
        let newer = self.agent.node.node.as_ref().is_none_or(|known| {
            version(&known.metadata.resource_version) <= version(&node.metadata.resource_version)
        });
        if !newer {
            return;
        }
        if let Ok(block) = node.spec.pod_cidr.parse()
            && !self.machine.has_network()
        {
            self.machine.set_block(block);
            self.agent.node.dirty = true;
        }
        let state = &self.agent.node;
        let disputed = state.registered && !state.writing && !state.dirty && self.disputed(&node);
        let cordon_changed = node.spec.unschedulable != state.cordoned;
        self.agent.node.node = Some(node);
        self.attachments_changed();
        if cordon_changed {
            self.plan_look(self.until_next(STATUS_EVERY));
        }
        if disputed {
            self.node_changed();
        } else if self.agent.node.registered && self.agent.node.dirty {
            self.write_node_status();
        }
        if self.machine.has_network() && !std::mem::replace(&mut self.agent.node.ready, true) {
            self.network_came();
        }
    }

    /// Whether the object says something else of the node than the node itself: it was thought lost.
    fn disputed(&self, node: &Node) -> bool {
        let ready = if self.machine.has_network() { "True" } else { "False" };
        node.status.conditions.iter().any(|condition| match condition.type_.as_str() {
            "Ready" => condition.status != ready,
            "MemoryPressure" | "DiskPressure" | "PIDPressure" => condition.status != "False",
            _ => false,
        })
    }

    /// Somebody deleted the node's object; it is created again with the next look at the status.
    pub(crate) fn node_gone(&mut self) {
        self.agent.node.node = None;
        self.agent.node.registered = false;
        self.later(Duration::secs(1), Timer::Register);
    }

    /// Lets the next look at the status write it.
    pub(crate) fn node_changed(&mut self) {
        self.agent.node.dirty = true;
        self.plan_look(self.until_next(STATUS_EVERY));
    }

    /// An image has come or gone: a later look finds it, because the list of images is made less often.
    pub(crate) fn images_changed(&mut self) {
        let wait = self.until_next(IMAGES_EVERY);
        self.agent.node.images_listed.get_or_insert(self.now + wait);
        self.plan_look(wait);
    }

    /// Looks are so far apart, from the start on.
    fn until_next(&self, every: Duration) -> Duration {
        Duration(every.0 - self.now.since(self.agent.started).0.rem_euclid(every.0))
    }

    pub(crate) fn node_status_due(&mut self) {
        if self.agent.node.look.take_if(|at| *at <= self.now).is_none() {
            return;
        }
        self.tell_cordoned();
        let state = &mut self.agent.node;
        state.dirty |= state.images_listed.take_if(|at| *at <= self.now).is_some();
        let last = self.agent.node.written.unwrap_or(self.agent.started);
        let age = self.now.since(last);
        if self.agent.node.dirty || age >= REPORT_EVERY {
            self.write_node_status();
            self.plan_look(STATUS_EVERY);
        } else {
            // A node where nothing changes need not look before its next report is due.
            let listed = self.agent.node.images_listed.map(|at| at.since(self.now));
            self.plan_look(listed.unwrap_or(REPORT_EVERY).min(REPORT_EVERY - age));
        }
    }

    /// Says in an event that the node was cordoned or uncordoned since the last look.
    fn tell_cordoned(&mut self) {
        let state = &mut self.agent.node;
        let Some(cordoned) = state.node.as_ref().map(|node| node.spec.unschedulable) else {
            return;
        };
        if std::mem::replace(&mut state.cordoned, cordoned) != cordoned {
            let reason = if cordoned { "NodeNotSchedulable" } else { "NodeSchedulable" };
            let text = format!("Node {} status is now: {reason}", self.config.name);
            self.node_event(reason, text);
        }
    }

    fn write_node_status(&mut self) {
        let state = &mut self.agent.node;
        let Some(known) = state.node.clone().filter(|_| state.registered) else { return };
        if state.writing {
            state.dirty = true;
            return;
        }
        state.writing = true;
        state.dirty = false;
        // That a new node becomes Ready is no news: whether its range of addresses came before or after
        // its registration is a race.
        let is_lost = |c: &NodeCondition| c.type_ == "Ready" && c.status == "Unknown";
        if known.status.conditions.iter().any(is_lost) && self.machine.has_network() {
            let text = format!("Node {} status is now: NodeReady", self.config.name);
            self.node_event("NodeReady", text);
        }
        let status = Arc::new(self.node_status(Some(&known.status)));
        let node = Node { status, ..(*known).clone() };
        self.ask(Ask::Node(Step::Write), Request::update_status(Object::new(node)));
    }

    pub(crate) fn renew_lease(&mut self) {
        let jitter = Duration::micros(self.rng.between(0, LEASE_EVERY.0 / 25));
        self.later(LEASE_EVERY + jitter, Timer::Lease);
        self.make_csi_node();
        if std::mem::replace(&mut self.agent.node.lease_asked, true) {
            // The answer to the last renewal never came; do not wait for it for ever.
            self.agent.node.lease_asked = false;
            return;
        }
        let now = Some(MicroTime::from(self.now));
        let request = match &self.agent.node.lease {
            Some(lease) => {
                let mut lease = (**lease).clone();
                Arc::make_mut(&mut lease.spec).renew_time = now;
                Request::update(Object::new(lease))
            }
            None => Request::create(Object::new(self.new_lease())),
        };
        self.ask(Ask::Lease, request);
    }

    fn new_lease(&self) -> Lease {
        let name = self.config.name.clone();
        let uid = self.agent.node.node.as_ref().map(|node| node.metadata.uid.clone());
        let owner = OwnerReference {
            api_version: base::lit!("v1"),
            kind: base::lit!("Node"),
            name: name.clone(),
            uid: uid.unwrap_or_default(),
            ..OwnerReference::default()
        };
        let mut lease = Lease {
            metadata: Arc::new(ObjectMeta {
                name: name.clone(),
                namespace: LEASES,
                owner_references: base::list![owner],
                ..ObjectMeta::default()
            }),
            ..Lease::default()
        };
        *Arc::make_mut(&mut lease.spec) = LeaseSpec {
            holder_identity: Some(name),
            lease_duration_seconds: Some(40),
            renew_time: Some(MicroTime::from(self.now)),
            ..LeaseSpec::default()
        };
        lease
    }

    pub(crate) fn lease_answered(&mut self, reply: Reply) {
        self.agent.node.lease_asked = false;
        match reply {
            Ok(Answer::Object(object, _)) => self.agent.node.lease = object.arc::<Lease>(),
            Err(status) if matches!(status.reason.as_str(), "AlreadyExists" | "Conflict") => {
                self.agent.node.lease_asked = true;
                let key = Key::new(LEASES, self.config.name.clone());
                self.ask(Ask::Lease, Request::new(Lease::INFO, &key, Verb::Get));
            }
            Err(status) if status.reason == "NotFound" => self.agent.node.lease = None,
            _ => {}
        }
    }

    fn node_event(&mut self, reason: &'static str, message: String) {
        self.node_event_of("Normal", reason, message);
    }

    fn node_event_of(&mut self, type_: &'static str, reason: &'static str, message: String) {
        let about = ObjectReference {
            api_version: base::lit!("v1"),
            kind: base::lit!("Node"),
            name: self.config.name.clone(),
            ..ObjectReference::default()
        };
        let message = message.into();
        self.note(Note { about, type_: type_.into(), reason: reason.into(), message });
    }
}

/// A resource version as a number, for comparison.
pub(crate) fn version(text: &str) -> i64 {
    text.parse().unwrap_or(0)
}
