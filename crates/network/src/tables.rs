//! Packet tables: chains of rules, each with matches and a target, as iptables has them.

use core::net::{IpAddr, SocketAddr};
use std::fmt;
use std::sync::Arc;

use base::{HashMap, Str};

use crate::addr::{Cidr, Family};
use crate::packet::{Packet, Protocol};

/// Which table a chain is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Accepts, rejects and drops.
    Filter,
    /// Translates addresses.
    Nat,
}

impl Table {
    /// Name as `iptables -t` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Filter => "filter",
            Table::Nat => "nat",
        }
    }
}

/// A named list of rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// The name.
    pub name: Str,
    /// The rules, first match first.
    pub rules: Vec<Arc<Rule>>,
}

/// One rule: where all matches hold, the target decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What must hold, in the order in which it is tried.
    pub matches: Vec<Match>,
    /// What then happens.
    pub target: Target,
}

/// One condition of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    /// Always holds; says what the rule is for.
    Comment(Str),
    /// Sender in the block, or outside of it.
    Source(Cidr, Sense),
    /// Receiver in the block, or outside of it.
    Destination(Cidr, Sense),
    /// Protocol.
    Protocol(Protocol),
    /// Receiver's port.
    DestinationPort(u16),
    /// The sender is an address of this node.
    SourceLocal,
    /// The receiver is an address of this node.
    DestinationLocal,
    /// The packet's mark has this bit, or lacks it.
    Mark(u32, Sense),
    /// State of the connection.
    Connection(ConnectionState),
    /// Holds once in `n` times, by chance.
    OneIn(u32),
    /// The sender was put in the list within so many seconds.
    SeenWithin(Str, u32),
    /// Always holds; puts the sender in the list.
    See(Str),
}

/// Whether a condition is taken as it is or the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// As it is.
    Is,
    /// Negated.
    Not,
}

/// States of a connection that rules ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Its first packet.
    New,
    /// A packet that belongs to none.
    Invalid,
    /// A packet of a known connection.
    Established,
    /// Neither known nor translated: a packet that should not be here.
    NeitherKnownNorTranslated,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Goes on in another chain, and comes back if that one does not decide.
    Jump(Jump),
    /// Sends the packet elsewhere; ends the nat table.
    Dnat(SocketAddr),
    /// Sets a bit of the mark.
    SetMark(u32),
    /// Clears a bit of the mark.
    ClearMark(u32),
    /// Replaces the sender's address by the node's.
    Masquerade,
    /// Refuses the packet and tells the sender.
    Reject,
    /// Loses the packet.
    Drop,
    /// Goes back to the chain before.
    Return,
    /// Lets the packet through.
    Accept,
    /// Does nothing.
    Nothing,
}

/// The chain a rule goes on in.
#[derive(Clone, Debug, PartialEq)]
pub enum Jump {
    /// One of the fixed chains, found by its name.
    Named(Str),
    /// This very chain.
    To(Arc<Chain>),
}

/// The tables of one node at one moment.
///
/// Fixed chains are asked for by name and may answer with only those rules that can match the packet, which makes
/// evaluation independent of how many Services there are. All other chains hang on the rules that jump to them.
pub trait Tables {
    /// Rules of a fixed chain that can match the packet, in order, appended to `out`.
    fn rules(&self, table: Table, chain: &str, packet: &Packet, out: &mut Vec<Arc<Rule>>);
    /// Whether the address is one of this node's own, loopback included.
    fn is_local(&self, ip: IpAddr) -> bool;
}

impl Rule {
    /// A rule.
    pub fn new(matches: Vec<Match>, target: Target) -> Arc<Rule> {
        Arc::new(Rule { matches, target })
    }

    /// What the rule is for.
    pub fn comment(&self) -> Option<&Str> {
        self.matches.iter().find_map(|m| match m {
            Match::Comment(text) => Some(text),
            _ => None,
        })
    }
}

impl Chain {
    /// A chain.
    pub fn new(name: impl Into<Str>, rules: Vec<Arc<Rule>>) -> Arc<Chain> {
        Arc::new(Chain { name: name.into(), rules })
    }
}

impl Target {
    /// Goes on in the fixed chain `name`.
    pub fn jump(name: impl Into<Str>) -> Target {
        Target::Jump(Jump::Named(name.into()))
    }

    /// Goes on in this chain.
    pub fn to(chain: &Arc<Chain>) -> Target {
        Target::Jump(Jump::To(chain.clone()))
    }
}

impl Jump {
    /// The chain's name.
    pub fn name(&self) -> &Str {
        match self {
            Jump::Named(name) => name,
            Jump::To(chain) => &chain.name,
        }
    }
}

/// Plain tables without an index: every chain with all its rules.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    chains: HashMap<(Table, Str), Arc<Chain>>,
    /// Addresses of the node.
    pub local: Vec<IpAddr>,
}

impl Ruleset {
    /// Adds a chain.
    pub fn add(&mut self, table: Table, chain: Arc<Chain>) {
        self.chains.insert((table, chain.name.clone()), chain);
    }
}

impl Tables for Ruleset {
    fn rules(&self, table: Table, chain: &str, _: &Packet, out: &mut Vec<Arc<Rule>>) {
        if let Some(chain) = self.chains.get(&(table, Str::from(chain))) {
            out.extend(chain.rules.iter().cloned());
        }
    }

    fn is_local(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.local.contains(&ip)
    }
}

impl fmt::Display for Rule {
    /// The rule as `iptables-save` prints it, without the chain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut protocol = None;
        let mut words = Vec::new();
        for m in &self.matches {
            match m {
                Match::Source(net, sense) => words.push(format!("{}-s {net}", not(*sense))),
                Match::Destination(net, sense) => words.push(format!("{}-d {net}", not(*sense))),
                Match::Protocol(p) => protocol = Some(p.lower()),
                _ => {}
            }
        }
        words.extend(protocol.map(|p| format!("-p {p}")));
        words.extend(self.matches.iter().filter_map(|m| text_of(m, protocol)));
        words.extend(self.target_text());
        f.write_str(&words.join(" "))
    }
}

impl Rule {
    fn target_text(&self) -> Option<String> {
        Some(match &self.target {
            Target::Jump(jump) => format!("-j {}", jump.name()),
            Target::Dnat(to) => format!("-j DNAT --to-destination {to}"),
            Target::SetMark(bit) => format!("-j MARK --set-xmark {bit:#x}/{bit:#x}"),
            Target::ClearMark(bit) => format!("-j MARK --set-xmark {bit:#x}/0x0"),
            Target::Masquerade => "-j MASQUERADE --random-fully".to_string(),
            Target::Reject => match self.family() {
                Family::V4 => "-j REJECT --reject-with icmp-port-unreachable".to_string(),
                Family::V6 => "-j REJECT --reject-with icmp6-port-unreachable".to_string(),
            },
            Target::Drop => "-j DROP".to_string(),
            Target::Return => "-j RETURN".to_string(),
            Target::Accept => "-j ACCEPT".to_string(),
            Target::Nothing => return None,
        })
    }

    fn family(&self) -> Family {
        let net = self.matches.iter().find_map(|m| match m {
            Match::Source(net, _) | Match::Destination(net, _) => Some(net.family()),
            _ => None,
        });
        net.unwrap_or(Family::V4)
    }
}

fn not(sense: Sense) -> &'static str {
    if sense == Sense::Not { "! " } else { "" }
}

fn text_of(m: &Match, protocol: Option<&'static str>) -> Option<String> {
    Some(match m {
        Match::Comment(text) => format!("-m comment --comment \"{text}\""),
        Match::DestinationPort(port) => format!("-m {} --dport {port}", protocol.unwrap_or("tcp")),
        Match::SourceLocal => "-m addrtype --src-type LOCAL".to_string(),
        Match::DestinationLocal => "-m addrtype --dst-type LOCAL".to_string(),
        Match::Mark(bit, sense) => format!("-m mark {}--mark {bit:#x}/{bit:#x}", not(*sense)),
        Match::Connection(state) => format!("-m conntrack {}", state_text(*state)),
        Match::OneIn(n) => {
            let probability = 1.0 / f64::from(*n);
            format!("-m statistic --mode random --probability {probability:.10}")
        }
        Match::SeenWithin(list, seconds) => {
            let mask = "--mask 255.255.255.255 --rsource";
            format!("-m recent --rcheck --seconds {seconds} --reap --name {list} {mask}")
        }
        Match::See(list) => {
            format!("-m recent --set --name {list} --mask 255.255.255.255 --rsource")
        }
        Match::Source(..) | Match::Destination(..) | Match::Protocol(_) => return None,
    })
}

fn state_text(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::New => "--ctstate NEW",
        ConnectionState::Invalid => "--ctstate INVALID",
        ConnectionState::Established => "--ctstate RELATED,ESTABLISHED",
        ConnectionState::NeitherKnownNorTranslated => "! --ctstate RELATED,ESTABLISHED,DNAT",
    }
}
