//! How a cluster comes to be: the control plane, then the nodes.

use std::sync::Arc;

use api::Quantity;
use apiserver::ApiServer;
use base::{BTreeMap, HashMap, Instant, Rng, Str};
use client::Elector;
use network::{Fabric, IpAddr, Ipv4Addr, NodeSite};
use sim::Queue;

use crate::command::Command;
use crate::config::{Config, Provider};
use crate::engine::Event;
use crate::faults::Component;
use crate::process::{Body, Process};
use crate::{Cloud, Cluster, Entry};

/// Cluster DNS as kubeadm sets it up, save for its command line.
const DNS_MANIFEST: &str = include_str!("dns.yaml");

pub(crate) fn cluster(config: Config) -> Cluster {
    let seed = config.seed;
    let mut server = ApiServer::new(seed).with_options(config.api_server);
    server.bootstrap(Instant::START);
    let mut cluster = Cluster {
        now: Instant::START,
        queue: Queue::new(),
        server,
        server_running: true,
        server_wake: None,
        definitions_known: 0,
        processes: Vec::new(),
        nodes: BTreeMap::new(),
        off: BTreeMap::new(),
        retired: Vec::new(),
        catalogue: Arc::new(catalogue(&config)),
        cloud: cloud_of(&config).map(Box::new),
        cloud_wake: None,
        routes: HashMap::default(),
        outside: BTreeMap::new(),
        streams: BTreeMap::new(),
        fabric: Fabric::default(),
        memories: Default::default(),
        rng: Rng::stream(seed, "network"),
        log: Vec::new(),
        commands: 0,
        events_done: 0,
        trace: 0,
        traced: 0,
        heard: Default::default(),
        sessions: Vec::new(),
        files: BTreeMap::new(),
        printed: Vec::new(),
        config,
    };
    cluster.note_writes();
    cluster.start_control_plane();
    cluster.start_nodes();
    cluster.schedule_timeline();
    cluster
}

impl Cluster {
    fn start_control_plane(&mut self) {
        let parts = self.config.parts;
        let mut components = Vec::new();
        if parts.controller_manager || parts.namespace_basics {
            components.push(Component::ControllerManager);
        }
        if parts.scheduler {
            components.push(Component::Scheduler);
        }
        let provider = self.config.provider;
        let has_cloud = parts.cloud_controller_manager && provider != Provider::None;
        if has_cloud {
            components.push(Component::CloudControllerManager);
        }
        for component in components {
            for host in hosts(self.config.control_plane_replicas) {
                if let Some(body) = fresh(&self.config, component, &host, 1) {
                    self.add(component, host, body);
                }
            }
        }
        if has_cloud {
            self.run(&Command::Apply(provider.model().storage().into()));
        }
        if parts.kube_proxy {
            let proxy = Box::new(kube_proxy::Proxy::new(self.proxy_config()));
            self.add(Component::KubeProxy, Str::new(), Body::Proxy(proxy));
        }
        if parts.dns {
            self.add(Component::Dns, Str::new(), Body::Dns(Box::default()));
            let address = self.config.api_server.service_range.dns().to_string();
            self.run(&Command::Apply(DNS_MANIFEST.replace("DNS_ADDRESS", &address).into()));
        }
    }

    /// What kube-proxy is told; its block of pod addresses is the one that nodes get theirs from.
    pub(crate) fn proxy_config(&self) -> kube_proxy::Config {
        let block = controller_options(&self.config).cluster_range.parse();
        let default = kube_proxy::Config::default();
        match block {
            Ok(block) => kube_proxy::Config { cluster_cidrs: vec![block], ..default },
            Err(_) => default,
        }
    }

    fn start_nodes(&mut self) {
        let more = self.config.groups.iter().map(|group| group.nodes).sum::<usize>();
        let more = if self.cloud.is_some() { more } else { 0 };
        for number in 1..=self.config.nodes + more {
            let name = Str::from(format!("node-{number}"));
            let zone = match (&self.cloud, self.config.zones.len()) {
                (Some(cloud), _) => cloud.machine(&name).map(|machine| machine.zone.clone()),
                (None, 0) => None,
                (None, zones) => Some(self.config.zones[(number - 1) % zones].clone()),
            };
            self.start_node(number, name, zone.unwrap_or_default());
        }
        self.follow_cloud();
    }

    /// Starts the kubelet of a new node.
    pub(crate) fn start_node(&mut self, number: usize, name: Str, zone: Str) {
        let ip = node_ip(number);
        let config = &self.config;
        let mut node = kubelet::NodeConfig {
            cpu: Quantity::millis(config.node_cpu_milli),
            memory: Quantity::bytes(config.node_memory),
            pods: config.node_pods,
            cluster_dns: vec![IpAddr::V4(config.api_server.service_range.dns())],
            ..kubelet::NodeConfig::new(name.clone(), ip)
        };
        if let Some(cloud) = &self.cloud {
            node.external_cloud = true;
            if let Some(machine) = cloud.machine(&name) {
                node.cpu = Quantity::millis(machine.type_.cpu_milli);
                node.memory = Quantity::bytes(machine.type_.memory);
            }
            if let Some(group) = cloud.group_of(&name) {
                node.labels = group.labels.clone();
                node.taints = group.taints.to_vec();
            }
        } else if !zone.is_empty() {
            node.labels.insert("topology.kubernetes.io/zone", zone.clone());
        }
        self.fabric.set_node(name.clone(), NodeSite { ips: vec![ip], zone });
        let part = kubelet::Kubelet::new(node, self.catalogue.clone(), config.seed);
        let body = Body::Kubelet(Box::new(part));
        let pid = match self.retired.pop() {
            Some(pid) => self.replace(pid, name.clone(), body),
            None => self.add(Component::Kubelet, name.clone(), body),
        };
        self.nodes.insert(name, pid);
    }

    /// Puts a new kubelet where one of a machine was that is gone.
    fn replace(&mut self, pid: usize, node: Str, body: Body) -> usize {
        let epoch = self.processes[pid].epoch;
        let process = Process::new(Component::Kubelet, node, self.config.seed, body);
        self.processes[pid] = Process { epoch, ..process };
        self.start(pid);
        pid
    }

    fn add(&mut self, component: Component, node: Str, body: Body) -> usize {
        let pid = self.processes.len();
        self.processes.push(Process::new(component, node, self.config.seed, body));
        self.start(pid);
        pid
    }

    fn schedule_timeline(&mut self) {
        for Entry { at, command } in self.config.timeline.clone() {
            self.queue.schedule(at, Event::Timeline(Box::new(command)));
        }
    }
}

fn catalogue(config: &Config) -> kubelet::runtime::Catalogue {
    let mut catalogue = kubelet::runtime::Catalogue::default();
    config.images.iter().cloned().for_each(|image| catalogue.add(image));
    match config.pull {
        Some(pull) => catalogue.uniform(pull, 50 << 20),
        None => catalogue,
    }
}

fn cloud_of(config: &Config) -> Option<Cloud> {
    let (min, max) = config.group_limits();
    let setup = cloud_controller_manager::Setup {
        provider: config.provider,
        seed: config.seed,
        machines: config.nodes,
        min,
        max,
        cpu_milli: config.node_cpu_milli,
        memory: config.node_memory,
        pods: config.node_pods,
        zones: config.zones.clone(),
        groups: config.groups.clone(),
        node_ip,
    };
    (config.provider != Provider::None).then(|| Cloud::new(setup))
}

/// The machines of the control plane; a single one has no name.
fn hosts(replicas: usize) -> Vec<Str> {
    match replicas {
        0 | 1 => vec![Str::new()],
        n => (1..=n).map(|number| format!("control-plane-{number}").into()).collect(),
    }
}

/// The part as its process starts for the `life`th time, without memory of an earlier one. `None` for parts of which
/// something outlives the process: they are told of the start instead.
pub(crate) fn fresh(config: &Config, component: Component, host: &Str, life: u32) -> Option<Body> {
    let identity = (!host.is_empty()).then(|| {
        let stream = format!("identity/{component:?}/{host}/{life}");
        Str::from(format!("{host}_{}", Rng::stream(config.seed, &stream).uuid()))
    });
    let elector = identity.clone().map(|identity| Elector::new(component.as_str(), identity));
    Some(match component {
        Component::ControllerManager => {
            let options = controller_options(config);
            let mut runner = match config.parts.controller_manager {
                true => controller_manager::runner(&options),
                false => controller_manager::namespace_basics(&options),
            };
            if let Some(elector) = elector {
                runner = runner.with_election(elector);
            }
            Body::ControllerManager(Box::new(runner))
        }
        Component::CloudControllerManager => {
            let options = cloud_controller_manager::Options { provider: config.provider, identity };
            Body::CloudControllerManager(Box::new(cloud_controller_manager::runner(&options)))
        }
        Component::Scheduler => {
            let seed = config.seed.wrapping_add(u64::from(life - 1));
            let mut scheduler = scheduler::Scheduler::with_config(seed, config.scheduler.clone());
            if let Some(elector) = elector {
                scheduler = scheduler.with_election(elector);
            }
            Body::Scheduler(Box::new(scheduler))
        }
        _ => return None,
    })
}

/// How the controllers are started: with room for the nodes, and in the block of pod addresses that was asked for.
fn controller_options(config: &Config) -> controller_manager::Options {
    let nodes = match config.provider {
        Provider::None => config.nodes,
        _ => {
            let more = config.groups.iter().map(|group| group.max).sum::<usize>();
            config.nodes.max(config.group_limits().1) + more
        }
    };
    let mut options = controller_manager::Options::for_nodes(nodes);
    if let Some(range) = config.cluster_range {
        options.cluster_range = range.to_string().into();
    }
    options
}

/// Node addresses count up from 172.18.0.11.
fn node_ip(number: usize) -> IpAddr {
    let [a, b, ..] = [172u8, 18];
    let host = number + 10;
    IpAddr::V4(Ipv4Addr::new(
        a,
        b + (host / 65_536) as u8,
        (host / 256 % 256) as u8,
        (host % 256) as u8,
    ))
}
