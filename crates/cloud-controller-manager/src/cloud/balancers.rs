//! Load balancers: they come up after a while, check their nodes' health, and send traffic to those that pass.

use core::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base::{BTreeMap, Instant, Str};
use client::cloud::{
    BalancerAddress, BalancerPort, BalancerSpec, CloudAnswer, CloudError, CloudReply,
};
use network::Balancer as Site;

use super::{Change, Cloud, Due};
use crate::provider::BalancerShape;

/// A load balancer.
#[derive(Clone, Debug, PartialEq)]
pub struct Balancer {
    /// What was asked for.
    pub spec: BalancerSpec,
    /// How it works.
    pub shape: BalancerShape,
    /// Its address in the world.
    pub ip: IpAddr,
    /// It works.
    pub active: bool,
    /// What its checks say of its nodes.
    health: BTreeMap<Str, Health>,
}

/// What checks say of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Health {
    /// Traffic goes there.
    good: bool,
    /// It was checked at all.
    known: bool,
    /// So many checks in a row said the contrary of `good`.
    contrary: u32,
}

/// One node's health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The node.
    pub node: Str,
    /// The port.
    pub port: u16,
    /// The path that must answer 200; without, a connection is enough.
    pub path: Option<Str>,
}

impl Balancer {
    /// Where it is reached.
    pub fn address(&self) -> BalancerAddress {
        match &self.shape.hostname {
            Some(hostname) => {
                BalancerAddress { hostname: hostname.clone(), ..BalancerAddress::default() }
            }
            None => BalancerAddress {
                hostname: Str::new(),
                ip: self.ip.to_string().into(),
                ip_mode: self.shape.ip_mode.clone(),
            },
        }
    }

    /// The nodes that traffic goes to, in order.
    pub fn in_use(&self) -> Arc<[Str]> {
        if self.probe().is_none() {
            return self.spec.nodes.clone();
        }
        let good = |node: &&Str| self.health.get(*node).is_some_and(|health| health.good);
        let nodes: Arc<[Str]> = self.spec.nodes.iter().filter(good).cloned().collect();
        if nodes.is_empty() && self.shape.fails_open { self.spec.nodes.clone() } else { nodes }
    }

    fn site(&self) -> Site {
        let ports = self.spec.ports.iter().filter(|port| port.node_port != 0);
        let ports: base::BTreeMap<u16, u16> =
            ports.map(|port| (port.port, port.node_port)).collect();
        let ranges = self.spec.ranges.iter().filter_map(|range| range.trim().parse().ok());
        Site {
            nodes: self.in_use(),
            node_ports: Some(Arc::new(ports)),
            sends_from: self.shape.hides_client.then_some(self.ip),
            ranges: ranges.collect(),
        }
    }

    /// Port and path of its health checks; `None` where there is no port to try.
    fn probe(&self) -> Option<(u16, Option<Str>)> {
        let tcp = |port: &&BalancerPort| port.node_port != 0 && port.protocol != "UDP";
        match self.spec.health_port {
            0 => self.spec.ports.iter().find(tcp).map(|port| (port.node_port, None)),
            port => Some((port, Some(base::lit!("/healthz")))),
        }
    }

    fn probes(&self) -> Vec<Probe> {
        let Some((port, path)) = self.probe() else { return Vec::new() };
        let probe = |node: &Str| Probe { node: node.clone(), port, path: path.clone() };
        self.spec.nodes.iter().map(probe).collect()
    }

    /// Takes over the results of a round of checks.
    fn judge(&mut self, results: &[(Str, bool)]) {
        let (passes, fails) = (self.shape.passes, self.shape.fails);
        for (node, passed) in results {
            let health = self.health.entry(node.clone()).or_default();
            if !health.known {
                // A new node is used after its first success.
                *health = Health { good: *passed, known: *passed, contrary: 0 };
            } else if health.good == *passed {
                health.contrary = 0;
            } else {
                health.contrary += 1;
                if health.contrary >= if *passed { passes } else { fails } {
                    *health = Health { good: *passed, known: true, contrary: 0 };
                }
            }
        }
    }
}

impl Cloud {
    /// The load balancers, by name.
    pub fn balancers(&self) -> impl Iterator<Item = &Balancer> {
        self.balancers.values()
    }

    /// The addresses of a name that the provider serves to the world; `None` if there is no such name.
    pub fn resolve(&self, hostname: &str) -> Option<Vec<IpAddr>> {
        let hostname = hostname.trim_end_matches('.');
        let named = |balancer: &&Balancer| {
            balancer.active && balancer.shape.hostname.as_deref() == Some(hostname)
        };
        self.balancers.values().find(named).map(|balancer| vec![balancer.ip])
    }

    pub(super) fn ensure_balancer(&mut self, now: Instant, spec: BalancerSpec) -> CloudReply {
        let mut shape = self.model.balancer(&spec, &mut self.rng)?;
        let name = spec.name.clone();
        match self.balancers.get_mut(&name) {
            Some(known) => {
                if known.shape.provisioning == shape.provisioning && known.shape.waits.is_none() {
                    shape.hostname = known.shape.hostname.clone();
                }
                known.health.retain(|node, _| spec.nodes.contains(node));
                known.spec = spec;
                known.shape = shape;
                self.publish(&name);
            }
            None => {
                let at = now + self.draw(shape.provisioning);
                self.balancer_numbers += 1;
                let ip = balancer_ip(self.balancer_numbers);
                let health = BTreeMap::new();
                let balancer = Balancer { spec, shape, ip, active: false, health };
                self.balancers.insert(name.clone(), balancer);
                self.plan(at, Due::Active(name.clone()));
            }
        }
        let balancer = &self.balancers[&name];
        match balancer.shape.waits.filter(|_| !balancer.active) {
            Some(wait) => Err(CloudError {
                message: base::lit!("load-balancer is currently being created"),
                retry_after: Some(wait),
            }),
            None => Ok(CloudAnswer::Balancer(Some(balancer.address()))),
        }
    }

    pub(super) fn update_balancer(&mut self, name: &str, nodes: Arc<[Str]>) -> CloudReply {
        let Some(balancer) = self.balancers.get_mut(name) else {
            return Err(CloudError::new(format!("load balancer {name:?} not found")));
        };
        balancer.health.retain(|node, _| nodes.contains(node));
        balancer.spec.nodes = nodes;
        self.publish(name);
        Ok(CloudAnswer::Done)
    }

    pub(super) fn delete_balancer(&mut self, name: &str) {
        if let Some(balancer) = self.balancers.remove(name) {
            self.changes.push(Change::Balancer(balancer.ip, None));
        }
    }

    pub(super) fn activate(&mut self, now: Instant, name: &str) {
        let Some(balancer) = self.balancers.get_mut(name) else { return };
        balancer.active = true;
        self.publish(name);
        self.check(now, name);
    }

    /// Begins a round of checks and plans the next.
    pub(super) fn check(&mut self, now: Instant, name: &str) {
        let Some(balancer) = self.balancers.get(name).filter(|balancer| balancer.active) else {
            return;
        };
        let (probes, every) = (balancer.probes(), balancer.shape.check_every);
        self.changes.push(Change::Check { balancer: name.into(), probes });
        self.plan(now + every, Due::Check(name.into()));
    }

    /// The results of a round of checks, by node.
    pub fn checked(&mut self, name: &str, results: &[(Str, bool)]) {
        let Some(balancer) = self.balancers.get_mut(name) else { return };
        let before = balancer.in_use();
        balancer.judge(results);
        if balancer.in_use() != before {
            self.publish(name);
        }
    }

    fn publish(&mut self, name: &str) {
        if let Some(balancer) = self.balancers.get(name).filter(|balancer| balancer.active) {
            self.changes.push(Change::Balancer(balancer.ip, Some(balancer.site())));
        }
    }
}

/// Load balancers' addresses count up from 198.18.0.1.
fn balancer_ip(number: u32) -> IpAddr {
    let base = u32::from(Ipv4Addr::new(198, 18, 0, 0));
    IpAddr::V4(Ipv4Addr::from(base + number % 65_536))
}
