//! Settings of kube-proxy that shape its rules.

use network::{Cidr, Family};

/// The settings; defaults are kube-proxy's own, with the cluster's pod block as kubeadm sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Pod addresses: what comes from them is local traffic. Without any, no traffic is known as local.
    pub cluster_cidrs: Vec<Cidr>,
    /// Hides the sender of all traffic to cluster addresses.
    pub masquerade_all: bool,
    /// The mark of packets whose sender is to be hidden.
    pub masquerade_mark: u32,
    /// Node ports also answer on the IPv4 loopback address.
    pub localhost_node_ports: bool,
    /// Node ports answer on node addresses of these blocks only; on all if empty.
    pub node_port_addresses: Vec<Cidr>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            cluster_cidrs: vec!["10.244.0.0/16".parse().expect("a sound block")],
            masquerade_all: false,
            masquerade_mark: 1 << 14,
            localhost_node_ports: true,
            node_port_addresses: Vec::new(),
        }
    }
}

impl Config {
    /// The block of pod addresses of a family.
    pub fn pod_block(&self, family: Family) -> Option<Cidr> {
        self.cluster_cidrs.iter().find(|block| block.family() == family).copied()
    }
}
