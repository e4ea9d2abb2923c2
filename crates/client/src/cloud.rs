//! What parts ask of the cloud provider, and what it answers: the interfaces of k8s.io/cloud-provider.
//!
//! A part puts a [`CloudRequest`] into its outbox and gets a [`CloudReply`] as an input some time later; the provider
//! itself is a machine of its own in the cluster.

use std::sync::Arc;

use api::Map;
use api::core::v1::{NodeAddress, Taint};
use base::{Duration, List, Str};

/// A request to the provider.
#[derive(Clone, Debug, PartialEq)]
pub enum CloudRequest {
    /// What is known of a machine, by its provider ID, or where that is empty by its node's name.
    Machine {
        /// `aws:///us-east-1a/i-0123`
        provider_id: Str,
        /// The node's name.
        node: Str,
    },
    /// There must be such a load balancer.
    EnsureBalancer(Box<BalancerSpec>),
    /// A load balancer's traffic goes to these nodes from now on.
    UpdateBalancer {
        /// The load balancer's name.
        name: Str,
        /// The nodes, in order.
        nodes: Arc<[Str]>,
    },
    /// Whether there is a load balancer of this name.
    FindBalancer(Str),
    /// There must be no load balancer of this name.
    DeleteBalancer(Str),
    /// All routes to nodes.
    Routes,
    /// There must be such a route.
    CreateRoute(Route),
    /// There must be no such route.
    DeleteRoute(Route),
    /// All groups of machines.
    Groups,
    /// A group must have so many machines; it only grows by this.
    Grow {
        /// The group's name.
        group: Str,
        /// How many machines it shall have.
        size: usize,
    },
    /// A machine shall go, and its group shall be smaller by one.
    Terminate {
        /// The machine's node.
        node: Str,
    },
    /// There must be a disk of this name.
    CreateDisk(Box<DiskSpec>),
    /// There must be no disk with this ID.
    DeleteDisk(Str),
    /// A disk must be attached to a node's machine.
    AttachDisk {
        /// The disk's ID.
        disk: Str,
        /// The node's name.
        node: Str,
    },
    /// A disk must not be attached to a node's machine.
    DetachDisk {
        /// The disk's ID.
        disk: Str,
        /// The node's name.
        node: Str,
    },
    /// A disk must have this size or more.
    GrowDisk {
        /// The disk's ID.
        disk: Str,
        /// Its size in GiB.
        gib: i64,
    },
}

impl CloudRequest {
    /// What is asked, in one word.
    pub fn name(&self) -> &'static str {
        match self {
            CloudRequest::Machine { .. } => "Machine",
            CloudRequest::EnsureBalancer(_) => "EnsureBalancer",
            CloudRequest::UpdateBalancer { .. } => "UpdateBalancer",
            CloudRequest::FindBalancer(_) => "FindBalancer",
            CloudRequest::DeleteBalancer(_) => "DeleteBalancer",
            CloudRequest::Routes => "Routes",
            CloudRequest::CreateRoute(_) => "CreateRoute",
            CloudRequest::DeleteRoute(_) => "DeleteRoute",
            CloudRequest::Groups => "Groups",
            CloudRequest::Grow { .. } => "Grow",
            CloudRequest::Terminate { .. } => "Terminate",
            CloudRequest::CreateDisk(_) => "CreateDisk",
            CloudRequest::DeleteDisk(_) => "DeleteDisk",
            CloudRequest::AttachDisk { .. } => "AttachDisk",
            CloudRequest::DetachDisk { .. } => "DetachDisk",
            CloudRequest::GrowDisk { .. } => "GrowDisk",
        }
    }
}

/// What the provider answers.
pub type CloudReply = Result<CloudAnswer, CloudError>;

/// An answer that is no refusal.
#[derive(Clone, Debug, PartialEq)]
pub enum CloudAnswer {
    /// It is so.
    Done,
    /// A machine; `None` if there is none.
    Machine(Option<Box<MachineFacts>>),
    /// A load balancer; `None` if there is none.
    Balancer(Option<BalancerAddress>),
    /// Routes, by their destinations.
    Routes(Vec<Route>),
    /// Groups, by their names.
    Groups(Vec<GroupFacts>),
    /// A disk.
    Disk(Box<DiskFacts>),
}

/// The provider's refusal, or the lack of an answer. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudError {
    /// What it says.
    pub message: Str,
    /// When to ask again; without, after a backoff.
    pub retry_after: Option<Duration>,
}

impl CloudError {
    /// A refusal.
    pub fn new(message: impl Into<Str>) -> CloudError {
        CloudError { message: message.into(), retry_after: None }
    }
}

/// A machine, as the cloud node controllers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineFacts {
    /// `aws:///us-east-1a/i-0123`
    pub provider_id: Str,
    /// `c5.xlarge`
    pub instance_type: Str,
    /// Its region.
    pub region: Str,
    /// Its zone; empty where the provider knows none.
    pub zone: Str,
    /// Its addresses and names.
    pub addresses: Vec<NodeAddress>,
    /// Labels of the provider's own.
    pub labels: Map<Str>,
    /// It is stopped: it may be started again.
    pub stopped: bool,
}

/// A load balancer for a Service.
#[derive(Clone, Debug, PartialEq)]
pub struct BalancerSpec {
    /// Its name.
    pub name: Str,
    /// The Service, as `namespace/name`.
    pub service: Str,
    /// The address that the user asks for; empty for any.
    pub address: Str,
    /// Its ports.
    pub ports: Vec<BalancerPort>,
    /// The nodes that it sends traffic to.
    pub nodes: Arc<[Str]>,
    /// The port on which nodes say whether they have endpoints; 0 to try the first node port.
    pub health_port: u16,
    /// Who may use it, as address ranges; all if empty.
    pub ranges: Vec<Str>,
    /// Clients stick to their endpoint.
    pub sticky: bool,
    /// The Service's annotations.
    pub annotations: Map<Str>,
}

/// A port of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancerPort {
    /// Where it listens.
    pub port: u16,
    /// The port on nodes.
    pub node_port: u16,
    /// `TCP`, `UDP`
    pub protocol: Str,
}

/// Where a load balancer is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BalancerAddress {
    /// Its name; empty where it is known by address.
    pub hostname: Str,
    /// Its address; empty where it is known by name.
    pub ip: Str,
    /// Packets reach nodes with the node's address as destination (`Proxy`), or with the balancer's own (`VIP`).
    pub ip_mode: Option<Str>,
}

/// A route to the pods of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The range of pod addresses.
    pub destination: Str,
    /// The node.
    pub node: Str,
}

/// A group of equal machines.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupFacts {
    /// Its name.
    pub name: Str,
    /// How many machines it shall have.
    pub size: usize,
    /// It never has fewer …
    pub min: usize,
    /// … nor more.
    pub max: usize,
    /// The nodes of its machines, those that still boot included.
    pub nodes: Vec<Str>,
    /// What a new machine offers: thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory: i64,
    /// Pods.
    pub pods: i64,
    /// Labels of a new machine's node.
    pub labels: Map<Str>,
    /// Taints of a new machine's node.
    pub taints: List<Taint>,
}

/// A disk to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSpec {
    /// Its name: a second request with this name makes no second disk.
    pub name: Str,
    /// Its size in GiB.
    pub gib: i64,
    /// The zone that it shall lie in; empty for any.
    pub zone: Str,
    /// `gp3`; empty for the usual.
    pub kind: Str,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// Its ID, which is the volume handle.
    pub id: Str,
    /// Its size in GiB.
    pub gib: i64,
    /// The zone that it lies in; empty where the whole region reaches it.
    pub zone: Str,
    /// Its region.
    pub region: Str,
    /// The device as which a node sees it; empty while it is not attached.
    pub device: Str,
}
