//! The rules of one Service port.
//!
//! Models what kube-proxy in iptables mode writes for it.
//! Known deviations:
//! - The counter rules for node ports on loopback are left out.

use std::cell::OnceCell;
use std::sync::Arc;

use base::{Str, lit};
use network::tables::{Chain, Match, Rule, Sense, Target};
use network::{Cidr, Family, IpAddr};

use crate::config::Config;
use crate::endpoints::{Choice, Endpoint};
use crate::names::{Purpose, endpoint_chain, service_chain};
use crate::service::PortFacts;

/// The rules of one Service port, by the fixed chain that holds them.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// nat, KUBE-SERVICES.
    pub services: Vec<Arc<Rule>>,
    /// nat, KUBE-NODEPORTS.
    pub node_ports: Vec<Arc<Rule>>,
    /// filter, KUBE-SERVICES: cluster addresses without endpoints.
    pub refused: Vec<Arc<Rule>>,
    /// filter, KUBE-EXTERNAL-SERVICES: other addresses without endpoints.
    pub refused_external: Vec<Arc<Rule>>,
    /// filter, KUBE-PROXY-FIREWALL: what the source ranges did not let through.
    pub firewall: Vec<Arc<Rule>>,
    /// filter, KUBE-NODEPORTS: health checks.
    pub health: Vec<Arc<Rule>>,
}

/// The chain of one endpoint: hides the sender where it is the endpoint itself, then sends the packet there.
pub fn endpoint_rules(facts: &PortFacts, endpoint: &Endpoint) -> Arc<Chain> {
    let at = endpoint.at.to_string();
    let name = endpoint_chain(&facts.name, facts.protocol, &at);
    let comment = Match::Comment(facts.name.clone());
    let itself = Match::Source(Cidr::host(endpoint.at.ip()), Sense::Is);
    let hairpin = Rule::new(vec![itself, comment.clone()], mark());
    let mut matches = vec![Match::Protocol(facts.protocol), comment];
    if facts.affinity_seconds.is_some() {
        matches.push(Match::See(name.clone()));
    }
    let go = Rule::new(matches, Target::Dnat(endpoint.at));
    Chain::new(name, vec![hairpin, go])
}

/// The rules that one node has for a port. `chains` are those of all `endpoints`, in the same order.
pub fn rules_of(
    facts: &PortFacts,
    chains: &[Arc<Chain>],
    endpoints: &[Endpoint],
    choice: &Choice,
    config: &Config,
    node_ips: &[IpAddr],
) -> Block {
    let has_any = !choice.reachable.is_empty();
    let has_internal = has_any && !(facts.internal_local && choice.local.is_empty());
    let has_external = has_any && !(facts.external_local && choice.local.is_empty());

    let mut block = Block::default();
    let (cluster, local) = (OnceCell::new(), OnceCell::new());
    let writer = Writer { facts, chains, endpoints, choice, config, cluster, local };
    let outside =
        (has_any && facts.externally_accessible()).then(|| writer.external_chain(has_external));
    if has_internal {
        let inside = writer.internal_chain();
        block.services.push(writer.at(facts.cluster_ip, "cluster IP", Target::to(&inside)));
    } else {
        let (why, target) = writer.refusal();
        block.refused.push(writer.at(facts.cluster_ip, why, target));
    }
    if let Some(outside) = &outside {
        for ip in &facts.external_ips {
            block.services.push(writer.at(*ip, "external IP", Target::to(outside)));
        }
        let fenced = !facts.source_ranges.is_empty();
        let gate = if fenced { writer.firewall_chain(outside, node_ips) } else { outside.clone() };
        for ip in &facts.balancer_ips {
            block.services.push(writer.at(*ip, "loadbalancer IP", Target::to(&gate)));
        }
        if facts.node_port != 0 {
            let matches = vec![
                Match::Protocol(facts.protocol),
                Match::Comment(facts.name.clone()),
                Match::DestinationPort(facts.node_port),
            ];
            block.node_ports.push(Rule::new(matches, Target::to(outside)));
        }
    }
    writer.close(&mut block, has_external);
    block
}

struct Writer<'a> {
    facts: &'a PortFacts,
    chains: &'a [Arc<Chain>],
    endpoints: &'a [Endpoint],
    choice: &'a Choice,
    config: &'a Config,
    cluster: OnceCell<Arc<Chain>>,
    local: OnceCell<Arc<Chain>>,
}

impl Writer<'_> {
    /// A rule for packets to the port at `ip`.
    fn at(&self, ip: IpAddr, what: &str, target: Target) -> Arc<Rule> {
        let matches = vec![
            Match::Destination(Cidr::host(ip), Sense::Is),
            Match::Protocol(self.facts.protocol),
            Match::Comment(format!("{} {what}", self.facts.name).into()),
            Match::DestinationPort(self.facts.port),
        ];
        Rule::new(matches, target)
    }

    fn comment(&self, text: String) -> Match {
        Match::Comment(text.into())
    }

    /// Why there is nowhere to go, and what happens then.
    fn refusal(&self) -> (&'static str, Target) {
        if self.choice.any {
            ("has no local endpoints", Target::Drop)
        } else {
            ("has no endpoints", Target::Reject)
        }
    }

    fn cluster_chain(&self) -> Arc<Chain> {
        let hides = !self.facts.internal_local;
        let spread = || self.spread(Purpose::Cluster, &self.choice.cluster, hides);
        self.cluster.get_or_init(spread).clone()
    }

    fn local_chain(&self) -> Arc<Chain> {
        let hides = self.facts.internal_local;
        let spread = || self.spread(Purpose::Local, &self.choice.local, hides);
        self.local.get_or_init(spread).clone()
    }

    fn internal_chain(&self) -> Arc<Chain> {
        if self.facts.internal_local { self.local_chain() } else { self.cluster_chain() }
    }

    /// A chain that picks one of the endpoints: the one a client last used, or else any, with equal chances.
    fn spread(&self, purpose: Purpose, picked: &[usize], hides: bool) -> Arc<Chain> {
        let facts = self.facts;
        let mut rules = Vec::new();
        if hides {
            rules.extend(self.hide_strangers());
        }
        let arrow = |i: usize| self.comment(format!("{} -> {}", facts.name, self.endpoints[i].at));
        if let Some(seconds) = facts.affinity_seconds {
            rules.extend(picked.iter().map(|&i| {
                let seen = Match::SeenWithin(self.chains[i].name.clone(), seconds);
                Rule::new(vec![arrow(i), seen], Target::to(&self.chains[i]))
            }));
        }
        for (n, &i) in picked.iter().enumerate() {
            let left = (picked.len() - n) as u32;
            let mut matches = vec![arrow(i)];
            if left > 1 {
                matches.push(Match::OneIn(left));
            }
            rules.push(Rule::new(matches, Target::to(&self.chains[i])));
        }
        Chain::new(service_chain(purpose, &facts.name, facts.protocol), rules)
    }

    /// Hides the sender of packets to the cluster address that do not come from a pod.
    fn hide_strangers(&self) -> Option<Arc<Rule>> {
        let facts = self.facts;
        let from = if self.config.masquerade_all {
            None
        } else {
            Some(Match::Source(self.config.pod_block(facts.family)?, Sense::Not))
        };
        let at = [
            Match::Destination(Cidr::host(facts.cluster_ip), Sense::Is),
            Match::Protocol(facts.protocol),
            self.comment(format!("{} cluster IP", facts.name)),
            Match::DestinationPort(facts.port),
        ];
        Some(Rule::new(from.into_iter().chain(at).collect(), mark()))
    }

    /// The chain for traffic from outside.
    fn external_chain(&self, has_endpoints: bool) -> Arc<Chain> {
        let (facts, mut rules) = (self.facts, Vec::new());
        let note =
            |before: &str| self.comment(format!("{before} {} external destinations", facts.name));
        if !facts.external_local {
            rules.push(Rule::new(vec![note("masquerade traffic for")], mark()));
        } else {
            let cluster = Target::to(&self.cluster_chain());
            if let Some(pods) = self.config.pod_block(facts.family) {
                let from = Match::Source(pods, Sense::Is);
                rules.push(Rule::new(vec![from, note("pod traffic for")], cluster.clone()));
            }
            let own = |before| vec![note(before), Match::SourceLocal];
            rules.push(Rule::new(own("masquerade LOCAL traffic for"), mark()));
            rules.push(Rule::new(own("route LOCAL traffic for"), cluster));
        }
        if has_endpoints {
            let next = if facts.external_local { self.local_chain() } else { self.cluster_chain() };
            rules.push(Rule::new(vec![], Target::to(&next)));
        }
        Chain::new(service_chain(Purpose::External, &facts.name, facts.protocol), rules)
    }

    /// The chain that lets only the source ranges through to load balancer addresses.
    fn firewall_chain(&self, outside: &Arc<Chain>, node_ips: &[IpAddr]) -> Arc<Chain> {
        let facts = self.facts;
        let name = service_chain(Purpose::Firewall, &facts.name, facts.protocol);
        let text = || self.comment(format!("{} loadbalancer IP", facts.name));
        let from =
            |block| Rule::new(vec![Match::Source(block, Sense::Is), text()], Target::to(outside));
        let mut rules: Vec<_> = facts.source_ranges.iter().map(|range| from(*range)).collect();
        let own = |range: &Cidr| node_ips.iter().any(|ip| range.contains(*ip));
        if facts.source_ranges.iter().any(own) {
            rules.extend(facts.balancer_ips.iter().map(|ip| from(Cidr::host(*ip))));
        }
        let rest =
            format!("other traffic to {} will be dropped by KUBE-PROXY-FIREWALL", facts.name);
        rules.push(Rule::new(vec![self.comment(rest)], Target::Nothing));
        Chain::new(name, rules)
    }

    /// The rules of the filter table.
    fn close(&self, block: &mut Block, has_external: bool) {
        let facts = self.facts;
        if !facts.source_ranges.is_empty() {
            let name = service_chain(Purpose::Firewall, &facts.name, facts.protocol);
            let what = format!("traffic not accepted by {name}");
            let dropped = facts.balancer_ips.iter().map(|ip| self.at(*ip, &what, Target::Drop));
            block.firewall.extend(dropped);
        }
        if !has_external {
            let (why, target) = self.refusal();
            let ips = facts.external_ips.iter().chain(&facts.balancer_ips);
            block.refused_external.extend(ips.map(|ip| self.at(*ip, why, target.clone())));
            if facts.node_port != 0 {
                let matches = vec![
                    Match::Protocol(facts.protocol),
                    self.comment(format!("{} {why}", facts.name)),
                    Match::DestinationLocal,
                    Match::DestinationPort(facts.node_port),
                ];
                block.refused_external.push(Rule::new(matches, target));
            }
        }
        if facts.health_check_port != 0 {
            let matches = vec![
                Match::Protocol(network::Protocol::Tcp),
                self.comment(format!("{} health check node port", facts.name)),
                Match::DestinationPort(facts.health_check_port),
            ];
            block.health.push(Rule::new(matches, Target::Accept));
        }
    }
}

fn mark() -> Target {
    Target::jump(lit!("KUBE-MARK-MASQ"))
}

/// The last rules of KUBE-SERVICES: packets to this node's own addresses go on to node ports.
pub fn node_port_jumps(config: &Config, family: Family, node_ips: &[IpAddr]) -> Vec<Arc<Rule>> {
    let text = "kubernetes service nodeports; NOTE: this must be the last rule in this chain";
    let comment = Match::Comment(Str::from(text));
    let jump = || Target::jump(lit!("KUBE-NODEPORTS"));
    let loops = family == Family::V4 && config.localhost_node_ports;
    if config.node_port_addresses.is_empty() {
        let mut matches = vec![comment, Match::DestinationLocal];
        if !loops {
            let loopback = match family {
                Family::V4 => "127.0.0.0/8",
                Family::V6 => "::1/128",
            };
            let loopback = loopback.parse().expect("a sound block");
            matches.insert(0, Match::Destination(loopback, Sense::Not));
        }
        return vec![Rule::new(matches, jump())];
    }
    let wanted = |ip: &&IpAddr| {
        Family::of(**ip) == family
            && config.node_port_addresses.iter().any(|block| block.contains(**ip))
            && (!ip.is_loopback() || loops)
    };
    let loopback: IpAddr = match family {
        Family::V4 => IpAddr::V4(core::net::Ipv4Addr::LOCALHOST),
        Family::V6 => IpAddr::V6(core::net::Ipv6Addr::LOCALHOST),
    };
    let ips = node_ips.iter().chain([&loopback]).filter(wanted);
    ips.map(|ip| {
        let at = Match::Destination(Cidr::host(*ip), Sense::Is);
        Rule::new(vec![at, comment.clone()], jump())
    })
    .collect()
}
