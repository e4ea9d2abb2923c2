//! What a cluster is made of before anything is applied to it.

use base::{Duration, Str};

use crate::command::Entry;

/// The shape of a cluster.
#[derive(Clone, Debug, PartialEq)]
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
    /// Which parts run.
    pub parts: Parts,
    /// Images that the catalogue does not know.
    pub images: Vec<kubelet::ImageSpec>,
    /// What happens by itself, at times since the start.
    pub timeline: Vec<Entry>,
    /// How long a request to the API server may be under way, at least and at most.
    pub api_delay: (Duration, Duration),
}

/// Which parts of the control plane run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// kube-controller-manager
    pub controller_manager: bool,
    /// kube-scheduler
    pub scheduler: bool,
    /// kube-proxy on every node
    pub kube_proxy: bool,
    /// Cluster DNS
    pub dns: bool,
}

impl Parts {
    /// Everything.
    pub const ALL: Parts =
        Parts { controller_manager: true, scheduler: true, kube_proxy: true, dns: true };
    /// Only the API server.
    pub const NONE: Parts =
        Parts { controller_manager: false, scheduler: false, kube_proxy: false, dns: false };
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
            parts: Parts::ALL,
            images: Vec::new(),
            timeline: Vec::new(),
            api_delay: (Duration::micros(500), Duration::micros(2_000)),
        }
    }
}
