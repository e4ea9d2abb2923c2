//! The provider's side: its machines, load balancers, disks and routes as one deterministic state machine.
//!
//! The cluster hands it requests and time, carries out its [`Change`]s (a machine has booted, a load balancer's
//! nodes are others) and makes its health checks. It knows nothing of Kubernetes beyond the names of nodes.

mod balancers;
mod disks;
mod machines;

use base::{BTreeMap, BTreeSet, Duration, Instant, Rng, Str};
use client::cloud::{CloudAnswer, CloudError, CloudReply, CloudRequest, Route};
use core::net::IpAddr;
use network::Balancer as Site;

pub use balancers::{Balancer, Probe};
pub use disks::Disk;
pub use machines::{Machine, MachineState};

use crate::group::NodeGroup;
use crate::provider::{MachineType, Model, Provider, Span};

/// What a cloud is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Whose it is.
    pub provider: Provider,
    /// Where chance comes from.
    pub seed: u64,
    /// How many machines are there from the start: `node-1` and so on.
    pub machines: usize,
    /// The fewest machines that the first group may have.
    pub min: usize,
    /// The most.
    pub max: usize,
    /// What a machine of the first group must have at least: thousandths of a core …
    pub cpu_milli: i64,
    /// … and bytes of memory.
    pub memory: i64,
    /// Pods that a node takes.
    pub pods: i64,
    /// Zones over which machines are spread; empty for the provider's own.
    pub zones: Vec<Str>,
    /// Groups beside the first, whose machines come after those of the first.
    pub groups: Vec<NodeGroup>,
    /// The address of the machine with a number.
    pub node_ip: fn(usize) -> IpAddr,
}

/// The provider with all that it runs for the cluster.
#[derive(Clone, Debug)]
pub struct Cloud {
    setup: Setup,
    model: &'static dyn Model,
    /// The first is the one that the cluster's first nodes form.
    groups: Vec<Group>,
    rng: Rng,
    reachable: bool,
    /// How many machines there ever were.
    numbers: usize,
    /// By the names of their nodes.
    machines: BTreeMap<Str, Machine>,
    /// What machines that are gone have cost, in millionths of a dollar.
    spent_micros: i64,
    balancers: BTreeMap<Str, Balancer>,
    /// How many load balancers there ever were.
    balancer_numbers: u32,
    /// By their IDs.
    disks: BTreeMap<Str, Disk>,
    routes: BTreeSet<Route>,
    due: BTreeMap<(Instant, u64), Due>,
    sequence: u64,
    changes: Vec<Change>,
}

/// A group as it stands.
#[derive(Clone, Debug)]
struct Group {
    known: NodeGroup,
    type_: &'static MachineType,
    /// How many machines it shall have.
    size: usize,
    /// How many machines it ever had.
    made: usize,
}

/// What happens by itself after some time.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Due {
    /// A machine of this node has booted.
    Up(Str),
    /// A machine of this node is down.
    Down(Str),
    /// A load balancer works.
    Active(Str),
    /// A load balancer checks its nodes.
    Check(Str),
}

/// What the cluster has to do because of something in the cloud.
#[derive(Clone, Debug)]
pub enum Change {
    /// A machine runs: its kubelet starts.
    Up(Box<Machine>),
    /// A node's machine is stopped: it may come back.
    Down(Str),
    /// A node's machine is gone for good.
    Gone(Str),
    /// What is behind a load balancer's address; `None` if it is gone.
    Balancer(IpAddr, Option<Site>),
    /// A load balancer checks its nodes: tell [`Cloud::checked`] which passed.
    Check {
        /// The load balancer's name.
        balancer: Str,
        /// What it tries, one for each node.
        probes: Vec<Probe>,
    },
}

/// When the cluster gives up on a request that nobody answers.
const PATIENCE: Duration = Duration::secs(10);

impl Cloud {
    /// A cloud in which the cluster's first machines run.
    pub fn new(setup: Setup) -> Cloud {
        let model = setup.provider.model();
        let first = NodeGroup {
            name: model.group().into(),
            nodes: setup.machines,
            min: setup.min,
            max: setup.max,
            ..NodeGroup::default()
        };
        let group = |known: &NodeGroup| Group {
            type_: known.type_of(setup.provider, setup.cpu_milli, setup.memory),
            size: known.nodes,
            made: 0,
            known: known.clone(),
        };
        let groups = std::iter::once(&first).chain(&setup.groups).map(group).collect();
        let mut cloud = Cloud {
            model,
            groups,
            rng: Rng::stream(setup.seed, "cloud"),
            reachable: true,
            numbers: 0,
            machines: BTreeMap::new(),
            spent_micros: 0,
            balancers: BTreeMap::new(),
            balancer_numbers: 0,
            disks: BTreeMap::new(),
            routes: BTreeSet::new(),
            due: BTreeMap::new(),
            sequence: 0,
            changes: Vec::new(),
            setup,
        };
        for group in 0..cloud.groups.len() {
            for _ in 0..cloud.groups[group].size {
                cloud.add_machine(Instant::START, group, MachineState::Running);
            }
        }
        cloud
    }

    /// Whose it is.
    pub fn provider(&self) -> Provider {
        self.setup.provider
    }

    /// The group of a node's machine.
    pub fn group_of(&self, node: &str) -> Option<&NodeGroup> {
        self.machine(node).map(|machine| &self.groups[machine.group].known)
    }

    /// Whether its API answers.
    pub fn is_reachable(&self) -> bool {
        self.reachable
    }

    /// Lets its API answer, or not.
    pub fn set_reachable(&mut self, reachable: bool) {
        self.reachable = reachable;
    }

    /// How long a request is under way, there and back.
    pub fn call_delay(&mut self) -> Duration {
        if !self.reachable {
            return PATIENCE;
        }
        self.draw(self.model.times().call)
    }

    /// Answers a request. The answer is known after the returned time.
    pub fn handle(&mut self, now: Instant, request: CloudRequest) -> (Duration, CloudReply) {
        if !self.reachable {
            return (Duration::ZERO, Err(self.unreachable()));
        }
        let reply = match request {
            CloudRequest::Machine { provider_id, node } => {
                Ok(CloudAnswer::Machine(self.facts(&provider_id, &node).map(Box::new)))
            }
            CloudRequest::EnsureBalancer(spec) => self.ensure_balancer(now, *spec),
            CloudRequest::UpdateBalancer { name, nodes } => self.update_balancer(&name, nodes),
            CloudRequest::FindBalancer(name) => {
                let found = self.balancers.get(&name).map(|balancer| balancer.address());
                Ok(CloudAnswer::Balancer(found))
            }
            CloudRequest::DeleteBalancer(name) => {
                self.delete_balancer(&name);
                Ok(CloudAnswer::Done)
            }
            CloudRequest::Routes => Ok(CloudAnswer::Routes(self.routes.iter().cloned().collect())),
            CloudRequest::CreateRoute(route) => self.create_route(route),
            CloudRequest::DeleteRoute(route) => {
                self.routes.remove(&route);
                Ok(CloudAnswer::Done)
            }
            CloudRequest::Groups => Ok(CloudAnswer::Groups(self.groups())),
            CloudRequest::Grow { group, size } => self.grow(now, &group, size),
            CloudRequest::Terminate { node } => {
                self.end(now, &node);
                Ok(CloudAnswer::Done)
            }
            CloudRequest::CreateDisk(_)
            | CloudRequest::DeleteDisk(_)
            | CloudRequest::AttachDisk { .. }
            | CloudRequest::DetachDisk { .. }
            | CloudRequest::GrowDisk { .. } => return self.disk_request(now, request),
        };
        (Duration::ZERO, reply)
    }

    /// When the next thing happens by itself.
    pub fn next_wake(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Carries out all that is due.
    pub fn advance(&mut self, now: Instant) {
        while let Some(first) = self.due.first_entry()
            && first.key().0 <= now
        {
            match first.remove() {
                Due::Up(node) => self.booted(now, &node),
                Due::Down(node) => self.halted(now, &node),
                Due::Active(name) => self.activate(now, &name),
                Due::Check(name) => self.check(now, &name),
            }
        }
    }

    /// Takes what the cluster has to do.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    fn unreachable(&self) -> CloudError {
        let endpoint = self.model.endpoint();
        CloudError::new(format!("Post {endpoint:?}: dial tcp: i/o timeout"))
    }

    fn draw(&mut self, (low, high): Span) -> Duration {
        Duration(self.rng.between(low.0, high.0))
    }

    fn plan(&mut self, at: Instant, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }

    fn create_route(&mut self, route: Route) -> CloudReply {
        if !self.model.has_routes() {
            return Err(CloudError::new("routes are not supported"));
        }
        if !self.machines.contains_key(&route.node) {
            return Err(CloudError::new(format!("unable to find instance {:?}", route.node)));
        }
        self.routes.retain(|known| known.destination != route.destination);
        self.routes.insert(route);
        Ok(CloudAnswer::Done)
    }
}

#[cfg(test)]
mod tests;
