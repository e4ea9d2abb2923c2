//! How a cluster comes to be: the control plane, then the nodes.

use std::sync::Arc;

use api::Quantity;
use apiserver::ApiServer;
use base::{BTreeMap, HashMap, Instant, Rng, Str};
use network::{Fabric, IpAddr, Ipv4Addr, NodeSite};
use sim::Queue;

use crate::command::Command;
use crate::config::Config;
use crate::engine::Event;
use crate::faults::Component;
use crate::process::{Body, Process};
use crate::{Cluster, Entry};

/// Cluster DNS as kubeadm sets it up, save for its command line.
const DNS_MANIFEST: &str = include_str!("dns.yaml");

pub(crate) fn cluster(config: Config) -> Cluster {
    let seed = config.seed;
    let mut server = ApiServer::new(seed);
    server.bootstrap(Instant::START);
    let mut cluster = Cluster {
        now: Instant::START,
        queue: Queue::new(),
        server,
        server_running: true,
        server_wake: None,
        processes: Vec::new(),
        nodes: BTreeMap::new(),
        off: BTreeMap::new(),
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
        let (seed, parts) = (self.config.seed, self.config.parts);
        if parts.controller_manager || parts.namespace_basics {
            let options = controller_manager::Options::for_nodes(self.config.nodes);
            let runner = Box::new(match parts.controller_manager {
                true => controller_manager::runner(&options),
                false => controller_manager::namespace_basics(&options),
            });
            self.add(Component::ControllerManager, Str::new(), Body::ControllerManager(runner));
        }
        if parts.scheduler {
            let config = self.config.scheduler.clone();
            let scheduler = Box::new(scheduler::Scheduler::with_config(seed, config));
            self.add(Component::Scheduler, Str::new(), Body::Scheduler(scheduler));
        }
        if parts.kube_proxy {
            let proxy = Box::new(kube_proxy::Proxy::new(kube_proxy::Config::default()));
            self.add(Component::KubeProxy, Str::new(), Body::Proxy(proxy));
        }
        if parts.dns {
            self.add(Component::Dns, Str::new(), Body::Dns(Box::default()));
            self.run(&Command::Apply(DNS_MANIFEST.into()));
        }
    }

    fn start_nodes(&mut self) {
        let mut catalogue = kubelet::runtime::Catalogue::default();
        self.config.images.iter().cloned().for_each(|image| catalogue.add(image));
        let catalogue = Arc::new(catalogue);
        for number in 1..=self.config.nodes {
            let name = Str::from(format!("node-{number}"));
            let ip = node_ip(number);
            let zone = match self.config.zones.len() {
                0 => Str::new(),
                zones => self.config.zones[(number - 1) % zones].clone(),
            };
            let mut node = kubelet::NodeConfig {
                cpu: Quantity::millis(self.config.node_cpu_milli),
                memory: Quantity::bytes(self.config.node_memory),
                pods: self.config.node_pods,
                ..kubelet::NodeConfig::new(name.clone(), ip)
            };
            if !zone.is_empty() {
                node.labels.insert("topology.kubernetes.io/zone", zone.clone());
            }
            self.fabric.set_node(name.clone(), NodeSite { ips: vec![ip], zone });
            let part = kubelet::Kubelet::new(node, catalogue.clone(), self.config.seed);
            let pid = self.add(Component::Kubelet, name.clone(), Body::Kubelet(Box::new(part)));
            self.nodes.insert(name, pid);
        }
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
