//! What a node is made of.

use api::core::v1::Taint;
use api::{Map, Quantity};
use base::{Duration, Str};
use network::IpAddr;

/// A node and the settings of its kubelet.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The node's name, which is also its host name.
    pub name: Str,
    /// Its address.
    pub internal_ip: IpAddr,
    /// Processors.
    pub cpu: Quantity,
    /// Memory.
    pub memory: Quantity,
    /// How many pods it takes.
    pub pods: i64,
    /// Local disk.
    pub ephemeral_storage: Quantity,
    /// Other resources: `nvidia.com/gpu`, `hugepages-2Mi`.
    pub extended: Map<Quantity>,
    /// Processors and memory kept from pods.
    pub reserved: Map<Quantity>,
    /// Labels beside those that every node has.
    pub labels: Map<Str>,
    /// Taints with which it registers.
    pub taints: Vec<Taint>,
    /// `aws:///…` and the like; empty without a cloud.
    pub provider_id: Str,
    /// A cloud controller has to initialise it first.
    pub external_cloud: bool,
    /// `amd64`, `arm64`.
    pub arch: Str,
    /// Operating system as `kubectl get nodes -o wide` shows it.
    pub os_image: Str,
    /// Kernel.
    pub kernel: Str,
    /// Version of the kubelet.
    pub kubelet_version: Str,
    /// Container runtime.
    pub runtime_version: Str,
    /// DNS servers that pods are given.
    pub cluster_dns: Vec<IpAddr>,
    /// The cluster's DNS domain.
    pub cluster_domain: Str,
    /// Statuses name the user of each container, as runtimes that support supplemental groups policies do.
    pub container_users: bool,
    /// How long the runtime takes.
    pub times: Times,
}

/// How long the runtime's own steps take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// Making a sandbox with its network.
    pub sandbox: Duration,
    /// Creating and starting a container.
    pub start: Duration,
    /// Between two looks at the runtime for changes that it made by itself.
    pub relist: Duration,
    /// Looking at one pod after a sync that changed something in the runtime.
    pub inspect: Duration,
    /// Between a failed sync and the next, stretched by up to a half.
    pub retry: Duration,
}

impl Default for Times {
    fn default() -> Times {
        Times {
            sandbox: Duration::millis(120),
            start: Duration::millis(45),
            relist: Duration::secs(1),
            inspect: Duration::millis(60),
            retry: Duration::secs(10),
        }
    }
}

impl NodeConfig {
    /// A node of 4 processors, 8 GiB and 110 pods.
    pub fn new(name: impl Into<Str>, internal_ip: IpAddr) -> NodeConfig {
        NodeConfig {
            name: name.into(),
            internal_ip,
            cpu: Quantity::units(4),
            memory: Quantity::bytes(8 << 30),
            pods: 110,
            ephemeral_storage: Quantity::bytes(100 << 30),
            extended: Map::new(),
            reserved: Map::new(),
            labels: Map::new(),
            taints: Vec::new(),
            provider_id: Str::new(),
            external_cloud: false,
            arch: base::lit!("amd64"),
            os_image: base::lit!("Debian GNU/Linux 12 (bookworm)"),
            kernel: base::lit!("6.1.0-generic"),
            kubelet_version: base::lit!("v1.36.2"),
            runtime_version: base::lit!("containerd://2.1.4"),
            cluster_dns: vec!["10.96.0.10".parse().expect("a constant address")],
            cluster_domain: base::lit!("cluster.local"),
            container_users: false,
            times: Times::default(),
        }
    }

    /// Everything the node has.
    pub fn capacity(&self) -> Map<Quantity> {
        let mut all = self.extended.clone();
        all.insert("cpu", self.cpu.clone());
        all.insert("ephemeral-storage", self.ephemeral_storage.clone());
        all.insert("memory", self.memory.clone());
        all.insert("pods", Quantity::units(self.pods));
        all
    }

    /// What pods may use of it.
    pub fn allocatable(&self) -> Map<Quantity> {
        let mut all = self.capacity();
        for (name, amount) in self.reserved.iter() {
            if let Some(have) = all.get_mut(name) {
                have.sub(amount);
            }
        }
        all
    }
}
