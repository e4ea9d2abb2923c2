//! The chains that every node has, whatever Services there are.

use std::sync::Arc;

use base::lit;
use network::tables::{ConnectionState, Match, Rule, Sense, Target};
use network::{Cidr, Family, Table};

use crate::config::Config;

/// Rules of the fixed chains of one family.
#[derive(Clone, Debug)]
pub struct Fixed {
    pub(crate) nat_in: Vec<Arc<Rule>>,
    pub(crate) nat_out: Vec<Arc<Rule>>,
    pub(crate) postrouting: Vec<Arc<Rule>>,
    pub(crate) mark: Vec<Arc<Rule>>,
    pub(crate) input: Vec<Arc<Rule>>,
    pub(crate) forward: Vec<Arc<Rule>>,
    pub(crate) output: Vec<Arc<Rule>>,
    pub(crate) kube_forward: Vec<Arc<Rule>>,
    pub(crate) kube_firewall: Vec<Arc<Rule>>,
}

/// Chains of each table that exist on every node, in the order in which they are listed.
pub const CHAINS: [(Table, &str); 15] = [
    (Table::Filter, "INPUT"),
    (Table::Filter, "FORWARD"),
    (Table::Filter, "OUTPUT"),
    (Table::Filter, "KUBE-EXTERNAL-SERVICES"),
    (Table::Filter, "KUBE-FIREWALL"),
    (Table::Filter, "KUBE-FORWARD"),
    (Table::Filter, "KUBE-NODEPORTS"),
    (Table::Filter, "KUBE-PROXY-FIREWALL"),
    (Table::Filter, "KUBE-SERVICES"),
    (Table::Nat, "PREROUTING"),
    (Table::Nat, "OUTPUT"),
    (Table::Nat, "POSTROUTING"),
    (Table::Nat, "KUBE-MARK-MASQ"),
    (Table::Nat, "KUBE-NODEPORTS"),
    (Table::Nat, "KUBE-POSTROUTING"),
];

impl Fixed {
    /// The fixed rules of a family.
    pub fn new(config: &Config, family: Family) -> Fixed {
        let new = Match::Connection(ConnectionState::New);
        let go = |matches: Vec<Match>, text: &str, chain: &str| {
            let comment = Match::Comment(text.into());
            Rule::new(matches.into_iter().chain([comment]).collect(), Target::jump(chain))
        };
        let balancers =
            go(vec![new.clone()], "kubernetes load balancer firewall", "KUBE-PROXY-FIREWALL");
        let inside = go(vec![new.clone()], "kubernetes service portals", "KUBE-SERVICES");
        let text = "kubernetes externally-visible service portals";
        let outside = go(vec![new], text, "KUBE-EXTERNAL-SERVICES");
        let portals = go(vec![], "kubernetes service portals", "KUBE-SERVICES");
        let text = "kubernetes postrouting rules";
        let firewall = Rule::new(vec![], Target::jump("KUBE-FIREWALL"));
        Fixed {
            nat_in: vec![portals.clone()],
            nat_out: vec![portals],
            postrouting: vec![go(vec![], text, "KUBE-POSTROUTING")],
            mark: vec![Rule::new(vec![], Target::SetMark(config.masquerade_mark))],
            input: vec![
                balancers.clone(),
                go(vec![], "kubernetes health check service ports", "KUBE-NODEPORTS"),
                outside.clone(),
                firewall.clone(),
            ],
            forward: vec![
                balancers.clone(),
                go(vec![], "kubernetes forwarding rules", "KUBE-FORWARD"),
                inside.clone(),
                outside,
            ],
            output: vec![balancers, inside, firewall],
            kube_forward: forwarding(config),
            kube_firewall: martians(config, family),
        }
    }
}

/// Rules of KUBE-POSTROUTING: packets that carry the mark get the node's address.
pub fn masquerading(config: &Config) -> Vec<Arc<Rule>> {
    let mark = config.masquerade_mark;
    let text = lit!("kubernetes service traffic requiring SNAT");
    vec![
        Rule::new(vec![Match::Mark(mark, Sense::Not)], Target::Return),
        Rule::new(vec![], Target::ClearMark(mark)),
        Rule::new(vec![Match::Comment(text)], Target::Masquerade),
    ]
}

fn forwarding(config: &Config) -> Vec<Arc<Rule>> {
    let state = |state| Match::Connection(state);
    let rules = lit!("kubernetes forwarding rules");
    let tracked = lit!("kubernetes forwarding conntrack rule");
    let mark = Match::Mark(config.masquerade_mark, Sense::Is);
    vec![
        Rule::new(vec![state(ConnectionState::Invalid)], Target::Drop),
        Rule::new(vec![Match::Comment(rules), mark], Target::Accept),
        Rule::new(
            vec![Match::Comment(tracked), state(ConnectionState::Established)],
            Target::Accept,
        ),
    ]
}

/// Loopback addresses are reachable from other machines once node ports answer there; this keeps them out.
fn martians(config: &Config, family: Family) -> Vec<Arc<Rule>> {
    if family == Family::V6 || !config.localhost_node_ports {
        return Vec::new();
    }
    let loopback: Cidr = "127.0.0.0/8".parse().expect("a sound block");
    let matches = vec![
        Match::Source(loopback, Sense::Not),
        Match::Destination(loopback, Sense::Is),
        Match::Comment(lit!("block incoming localnet connections")),
        Match::Connection(ConnectionState::NeitherKnownNorTranslated),
    ];
    vec![Rule::new(matches, Target::Drop)]
}
