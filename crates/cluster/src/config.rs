//! What a cluster is made of before anything is applied to it.

use base::Str;
pub use cloud_controller_manager::{NodeGroup, Provider};
pub use scheduler::Config as SchedulerConfig;

use crate::command::Entry;

/// The shape of a cluster.
#[derive(Clone, Debug)]
pub struct Config {
    /// Chance comes from here: equal seeds give equal runs.
    pub seed: u64,
    /// How many nodes it starts with: `node-1` and so on.
    pub nodes: usize,
    /// CPU of a node in thousandths of a core.
    pub node_cpu_milli: i64,
    /// Memory of a node in bytes.
    pub node_memory: i64,
    /// How many pods a node takes.
    pub node_pods: i64,
    /// Zones over which the nodes are spread; with none, nodes have no zone label.
    pub zones: Vec<Str>,
    /// How the scheduler decides.
    pub scheduler: SchedulerConfig,
    /// Whose machines the nodes are.
    pub provider: Provider,
    /// The fewest and the most machines that the provider's group of these nodes may have; none for the usual.
    pub machines: Option<(usize, usize)>,
    /// Groups of other machines, whose nodes come after those.
    pub groups: Vec<NodeGroup>,
    /// Which parts run.
    pub parts: Parts,
    /// How many kube-controller-managers and kube-schedulers there are. Of several, one leads and the others stand
    /// by; a single one does without an election.
    pub control_plane_replicas: usize,
    /// How the API server is started.
    pub api_server: apiserver::Options,
    /// The range of pod addresses; one that the nodes fit in, if it is not given.
    pub cluster_range: Option<network::Cidr>,
    /// Images that the catalogue does not know.
    pub images: Vec<kubelet::runtime::Image>,
    /// How long every pull takes, whatever the image; `None` for what each takes by its size.
    pub pull: Option<base::Duration>,
    /// What happens by itself, at times since the start.
    pub timeline: Vec<Entry>,
}

/// Which parts of the control plane run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// kube-controller-manager
    pub controller_manager: bool,
    /// The controllers without which a namespace takes no pods, where the controller manager does not run.
    pub namespace_basics: bool,
    /// kube-scheduler
    pub scheduler: bool,
    /// cloud-controller-manager, where there is a provider
    pub cloud_controller_manager: bool,
    /// kube-proxy on every node
    pub kube_proxy: bool,
    /// Cluster DNS
    pub dns: bool,
}

impl Parts {
    /// Everything.
    pub const ALL: Parts = Parts {
        controller_manager: true,
        namespace_basics: false,
        scheduler: true,
        cloud_controller_manager: true,
        kube_proxy: true,
        dns: true,
    };
    /// Only the API server, and what gives a new namespace its ServiceAccount and root certificate.
    pub const API_SERVER: Parts = Parts {
        controller_manager: false,
        namespace_basics: true,
        scheduler: false,
        cloud_controller_manager: false,
        kube_proxy: false,
        dns: false,
    };
}

/// A cluster is built for so many nodes.
const NODES_MAX: usize = 5_000;

impl Config {
    /// The words of [`Config::restrict_to`].
    pub const PART_NAMES: &str = "apiserver, controller-manager, scheduler, cloud-controller-manager, kube-proxy, dns or kubelet (kube- may come first)";

    /// Leaves only the named parts and the API server. Without `kubelet` there are no nodes.
    ///
    /// An unknown name is the error; nothing is changed then.
    pub fn restrict_to<'a>(&mut self, names: &'a [String]) -> Result<(), &'a str> {
        let mut parts = Parts::API_SERVER;
        let (mut nodes, mut machines, mut groups) = (0, Some((0, 0)), Vec::new());
        for name in names {
            match name.strip_prefix("kube-").unwrap_or(name) {
                "apiserver" => {}
                "controller-manager" => {
                    parts.controller_manager = true;
                    parts.namespace_basics = false;
                }
                "scheduler" => parts.scheduler = true,
                "proxy" => parts.kube_proxy = true,
                "dns" | "coredns" => parts.dns = true,
                "cloud-controller-manager" => parts.cloud_controller_manager = true,
                "let" | "kubelet" => {
                    (nodes, machines, groups) = (self.nodes, self.machines, self.groups.clone());
                }
                _ => return Err(name),
            }
        }
        self.parts = parts;
        self.nodes = nodes;
        self.machines = machines;
        self.groups = groups;
        Ok(())
    }

    /// The fewest and the most machines that the provider's first group may have.
    pub fn group_limits(&self) -> (usize, usize) {
        let usual = (self.nodes, (self.nodes * 2).clamp(10, NODES_MAX).max(self.nodes));
        self.machines.unwrap_or(usual)
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            seed: 1,
            nodes: 3,
            node_cpu_milli: 4_000,
            node_memory: 8 << 30,
            node_pods: 110,
            zones: Vec::new(),
            scheduler: SchedulerConfig::default(),
            provider: Provider::None,
            machines: None,
            groups: Vec::new(),
            parts: Parts::ALL,
            control_plane_replicas: 1,
            api_server: apiserver::Options::default(),
            cluster_range: None,
            images: Vec::new(),
            pull: None,
            timeline: Vec::new(),
        }
    }
}
