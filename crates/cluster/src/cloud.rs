//! The cluster and its cloud provider: requests go there, machines and load balancers come from there.

use base::{Duration, Str};
use client::{CloudError, CloudRequest};
use cloud_controller_manager::cloud::Probe;
use cloud_controller_manager::{Change, Machine};
use network::{Call, HttpRequest, IpAddr, Origin, Payload, To};

use crate::engine::Event;
use crate::process::Pid;
use crate::{Cluster, Fault};

/// How long a load balancer waits for the answer to a health check.
const CHECK_TIMEOUT: Duration = Duration::secs(5);

impl Cluster {
    /// A request has arrived at the provider: it is carried out, and answered when it is done.
    pub(crate) fn ask_cloud(&mut self, from: Pid, epoch: u32, id: u64, request: CloudRequest) {
        let (after, reply) = match &mut self.cloud {
            Some(cloud) => cloud.handle(self.now, request),
            None => (Duration::ZERO, Err(CloudError::new("there is no cloud provider"))),
        };
        let reply = Box::new(reply);
        self.queue.schedule(self.now + after, Event::CloudReply { to: from, epoch, id, reply });
        self.follow_cloud();
    }

    pub(crate) fn tick_cloud(&mut self) {
        self.cloud_wake = None;
        if let Some(cloud) = &mut self.cloud {
            cloud.advance(self.now);
        }
        self.follow_cloud();
    }

    /// Somebody does something at the provider's console, or cuts the provider off.
    pub(crate) fn change_cloud(&mut self, fault: &Fault) {
        let now = self.now;
        let Some(cloud) = &mut self.cloud else { return };
        match fault {
            Fault::StopMachine(node) => cloud.stop(now, node),
            Fault::StartMachine(node) | Fault::NodeOn(node) => cloud.start(now, node),
            Fault::TerminateMachine(node) => cloud.end(now, node),
            Fault::CutCloud => cloud.set_reachable(false),
            Fault::MendCloud => cloud.set_reachable(true),
            _ => {}
        }
        self.follow_cloud();
    }

    /// Does what follows from changes in the cloud.
    pub(crate) fn follow_cloud(&mut self) {
        while let Some(cloud) = &mut self.cloud {
            let changes = cloud.take_changes();
            if changes.is_empty() {
                break;
            }
            changes.into_iter().for_each(|change| self.follow(change));
        }
        self.set_cloud_wake();
    }

    fn follow(&mut self, change: Change) {
        match change {
            Change::Up(machine) => self.machine_up(*machine),
            Change::Down(node) => self.power_off(&node),
            Change::Gone(node) => self.machine_gone(&node),
            Change::Balancer(ip, Some(site)) => self.fabric.set_balancer(ip, site),
            Change::Balancer(ip, None) => self.fabric.remove_balancer(ip),
            Change::Check { balancer, probes } => {
                let results: Vec<(Str, bool)> =
                    probes.iter().map(|probe| (probe.node.clone(), self.passes(probe))).collect();
                if let Some(cloud) = &mut self.cloud {
                    cloud.checked(&balancer, &results);
                }
            }
        }
    }

    fn machine_up(&mut self, machine: Machine) {
        let Machine { number, name, zone, .. } = machine;
        match self.nodes.contains_key(&name) {
            true => self.power_on(&name),
            false => self.start_node(number, name, zone),
        }
    }

    fn machine_gone(&mut self, node: &Str) {
        self.power_off(node);
        self.off.remove(node);
        self.fabric.remove_node(node);
        self.memories.remove_node(node);
        if let Some(pid) = self.nodes.remove(node) {
            self.processes[pid].node = Str::new();
            self.retired.push(pid);
        }
    }

    /// Whether a node passes a load balancer's health check now.
    fn passes(&mut self, probe: &Probe) -> bool {
        let site = self.fabric.node(&probe.node);
        let Some(ip) = site.and_then(|site| site.ips.first()).copied() else { return false };
        let payload = match &probe.path {
            Some(path) => Payload::Http(HttpRequest::get(ip.to_string(), path.clone())),
            None => Payload::Connect,
        };
        let nowhere = Origin::Outside(IpAddr::V4(network::Ipv4Addr::UNSPECIFIED));
        let call = Call {
            timeout: CHECK_TIMEOUT,
            detail: false,
            ..Call::new(nowhere, To::Ip(ip), probe.port, payload)
        };
        let trace = self.request(&call);
        match probe.path {
            Some(_) => trace.http().is_some_and(|answer| answer.status == 200),
            None => trace.connected(),
        }
    }

    fn set_cloud_wake(&mut self) {
        let Some(cloud) = &self.cloud else { return };
        let wanted = cloud.next_wake().map(|at| at.max(self.now));
        if self.cloud_wake.as_ref().map(|(at, _)| *at) == wanted {
            return;
        }
        if let Some((_, ticket)) = self.cloud_wake.take() {
            self.queue.cancel(ticket);
        }
        if let Some(at) = wanted {
            self.cloud_wake = Some((at, self.queue.schedule(at, Event::CloudTick)));
        }
    }
}
