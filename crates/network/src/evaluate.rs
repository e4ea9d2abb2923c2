//! A packet's way through a node's tables.
//!
//! Models the netfilter hooks that kube-proxy uses.
//! Known deviations:
//! - Only the nat and filter tables exist, and only the first packet of a connection is asked about.

use core::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant, Rng, Str, lit};

use crate::conntrack::NodeState;
use crate::packet::Packet;
use crate::tables::{ConnectionState, Jump, Match, Rule, Sense, Table, Tables, Target};

/// Chains that call each other deeper than this are a loop.
const DEPTH_MAX: usize = 16;

/// Where a packet enters the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It came in from a pod or from another machine.
    Arrived,
    /// A process in the node's own network sent it.
    Local,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Accept,
    /// It is refused, and the sender is told.
    Reject,
    /// It is lost.
    Drop,
}

/// A rule that a packet met on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The table.
    pub table: Table,
    /// The chain.
    pub chain: Str,
    /// The rule.
    pub rule: Arc<Rule>,
    /// Whether it matched. Only rules that lost by chance are listed without.
    pub matched: bool,
}

/// What a node's tables did with a packet.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The end of it.
    pub verdict: Verdict,
    /// Where it is going now.
    pub destination: SocketAddr,
    /// The destination was translated.
    pub translated: bool,
    /// The receiver sees the node as the sender.
    pub masquerade: bool,
    /// The translation was remembered from an earlier packet of the connection.
    pub tracked: bool,
    /// The rules on the way; empty unless they were asked for.
    pub steps: Vec<Step>,
}

/// Everything that could become of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Endpoints it may be sent to, in rule order.
    pub endpoints: Vec<SocketAddr>,
    /// A rule of the filter table decided: `ACCEPT`, `REJECT` or `DROP`.
    pub word: Option<&'static str>,
    /// The receiver sees the node as the sender.
    pub masquerade: bool,
}

/// Sends a packet through a node's tables; chance comes from `rng`, memory from `state`.
pub fn evaluate(
    tables: &dyn Tables,
    packet: &Packet,
    entry: Entry,
    state: &mut NodeState,
    now: Instant,
    rng: &mut Rng,
    detail: bool,
) -> Evaluation {
    let known = state.known(packet, now);
    let mut walk = Walk::new(tables, packet, Chance::Draw(rng), detail);
    walk.now = now;
    if let Some(flow) = known {
        walk.known = true;
        walk.packet.dst = flow.destination;
        walk.translated = flow.destination != packet.dst;
        walk.masquerade = flow.masquerade;
    } else {
        walk.memory = Some(state);
        walk.translate(entry);
    }
    let verdict = walk.filter(entry);
    if known.is_none() {
        walk.postrouting();
    }
    let Walk { packet: now_packet, translated, masquerade, steps, .. } = walk;
    if translated && known.is_none() && verdict == Verdict::Accept {
        state.remember(*packet, now_packet.dst, masquerade, now);
    }
    Evaluation {
        verdict,
        destination: now_packet.dst,
        translated,
        masquerade,
        tracked: known.is_some(),
        steps,
    }
}

/// Follows every chance at once: what a packet may reach, without drawing and without memory.
pub fn reachable(tables: &dyn Tables, packet: &Packet, entry: Entry) -> Reach {
    let mut walk = Walk::new(tables, packet, Chance::Every, false);
    walk.translate(entry);
    if walk.endpoints.is_empty() {
        walk.filter(entry);
    }
    walk.postrouting();
    Reach { endpoints: walk.endpoints, word: walk.word, masquerade: walk.masquerade }
}

enum Chance<'a> {
    Draw(&'a mut Rng),
    Every,
}

/// How a chain ended.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// No rule decided.
    Fell,
    /// A rule of the nat table decided.
    Done,
    /// A rule of the filter table decided.
    Verdict(Verdict),
}

struct Walk<'a> {
    tables: &'a dyn Tables,
    packet: Packet,
    mark: u32,
    chance: Chance<'a>,
    memory: Option<&'a mut NodeState>,
    now: Instant,
    known: bool,
    translated: bool,
    masquerade: bool,
    endpoints: Vec<SocketAddr>,
    word: Option<&'static str>,
    detail: bool,
    steps: Vec<Step>,
}

impl<'a> Walk<'a> {
    fn new(tables: &'a dyn Tables, packet: &Packet, chance: Chance<'a>, detail: bool) -> Walk<'a> {
        Walk {
            tables,
            packet: *packet,
            mark: 0,
            chance,
            memory: None,
            now: Instant::START,
            known: false,
            translated: false,
            masquerade: false,
            endpoints: Vec::new(),
            word: None,
            detail,
            steps: Vec::new(),
        }
    }

    /// The nat table on the way in.
    fn translate(&mut self, entry: Entry) {
        let hook = match entry {
            Entry::Arrived => lit!("PREROUTING"),
            Entry::Local => lit!("OUTPUT"),
        };
        self.named(Table::Nat, &hook, 0);
    }

    /// The filter table: for this node, through this node, or out of it.
    fn filter(&mut self, entry: Entry) -> Verdict {
        let local = self.tables.is_local(self.packet.dst.ip());
        let hooks: &[Str] = match (entry, local) {
            (Entry::Arrived, true) => &[lit!("INPUT")],
            (Entry::Arrived, false) => &[lit!("FORWARD")],
            (Entry::Local, true) => &[lit!("OUTPUT"), lit!("INPUT")],
            (Entry::Local, false) => &[lit!("OUTPUT")],
        };
        for hook in hooks {
            match self.named(Table::Filter, hook, 0) {
                End::Verdict(Verdict::Accept) | End::Fell | End::Done => {}
                End::Verdict(lost) => return lost,
            }
        }
        Verdict::Accept
    }

    /// The nat table on the way out, where marked packets get the node's address.
    fn postrouting(&mut self) {
        self.named(Table::Nat, &lit!("POSTROUTING"), 0);
    }

    fn named(&mut self, table: Table, chain: &Str, depth: usize) -> End {
        let mut rules = Vec::new();
        self.tables.rules(table, chain, &self.packet, &mut rules);
        self.run(table, chain, &rules, depth)
    }

    fn run(&mut self, table: Table, chain: &Str, rules: &[Arc<Rule>], depth: usize) -> End {
        assert!(depth < DEPTH_MAX, "chains of the {} table form a loop at {chain}", table.name());
        for rule in rules {
            let matched = rule.matches.iter().all(|m| self.holds(m));
            let by_chance = rule.matches.iter().any(|m| matches!(m, Match::OneIn(_)));
            if self.detail && (matched || by_chance) {
                self.steps.push(Step { table, chain: chain.clone(), rule: rule.clone(), matched });
            }
            if !matched {
                continue;
            }
            if matches!(rule.target, Target::Return) {
                return End::Fell;
            }
            let end = self.act(table, &rule.target, depth);
            let other_way = by_chance && matches!(self.chance, Chance::Every);
            if end != End::Fell && !other_way {
                return end;
            }
        }
        End::Fell
    }

    fn act(&mut self, table: Table, target: &Target, depth: usize) -> End {
        match target {
            Target::Jump(Jump::Named(name)) => return self.named(table, name, depth + 1),
            Target::Jump(Jump::To(to)) => return self.run(table, &to.name, &to.rules, depth + 1),
            Target::Dnat(to) => {
                if matches!(self.chance, Chance::Every) {
                    self.endpoints.push(*to);
                } else {
                    self.packet.dst = *to;
                }
                self.translated = true;
                return End::Done;
            }
            Target::SetMark(bit) => self.mark |= bit,
            Target::ClearMark(bit) => self.mark &= !bit,
            Target::Masquerade => {
                self.masquerade = true;
                return End::Done;
            }
            Target::Reject => return self.decide("REJECT", Verdict::Reject),
            Target::Drop => return self.decide("DROP", Verdict::Drop),
            Target::Accept => return self.decide("ACCEPT", Verdict::Accept),
            Target::Return | Target::Nothing => {}
        }
        End::Fell
    }

    fn decide(&mut self, word: &'static str, verdict: Verdict) -> End {
        self.word = Some(word);
        End::Verdict(verdict)
    }

    fn holds(&mut self, m: &Match) -> bool {
        let is = |sense: &Sense, holds: bool| holds == (*sense == Sense::Is);
        match m {
            Match::Comment(_) => true,
            Match::Source(net, sense) => is(sense, net.contains(self.packet.src.ip())),
            Match::Destination(net, sense) => is(sense, net.contains(self.packet.dst.ip())),
            Match::Protocol(protocol) => self.packet.protocol == *protocol,
            Match::DestinationPort(port) => self.packet.dst.port() == *port,
            Match::SourceLocal => self.tables.is_local(self.packet.src.ip()),
            Match::DestinationLocal => self.tables.is_local(self.packet.dst.ip()),
            Match::Mark(bit, sense) => is(sense, self.mark & bit == *bit),
            Match::Connection(state) => self.in_state(*state),
            Match::OneIn(n) => match &mut self.chance {
                Chance::Draw(rng) => rng.below(u64::from(*n)) == 0,
                Chance::Every => true,
            },
            Match::SeenWithin(list, seconds) => {
                let (client, window) = (self.packet.src.ip(), Duration::secs(i64::from(*seconds)));
                let memory = self.memory.as_deref();
                memory.is_some_and(|m| m.seen_within(list, client, window, self.now))
            }
            Match::See(list) => {
                let client = self.packet.src.ip();
                if let Some(memory) = self.memory.as_deref_mut() {
                    memory.see(list, client, self.now);
                }
                true
            }
        }
    }

    fn in_state(&self, state: ConnectionState) -> bool {
        match state {
            ConnectionState::New => !self.known,
            ConnectionState::Invalid => false,
            ConnectionState::Established => self.known,
            ConnectionState::NeitherKnownNorTranslated => !self.known && !self.translated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Protocol;
    use crate::tables::{Chain, Ruleset};

    fn endpoint(name: &str, to: &str) -> Arc<Chain> {
        let matches = vec![Match::See(name.into())];
        Chain::new(name, vec![Rule::new(matches, Target::Dnat(to.parse().unwrap()))])
    }

    /// A service at 10.96.0.1:80 with three endpoints, the first one sticky if asked.
    fn tables(sticky: bool) -> Ruleset {
        let ends = [("A", "10.0.0.1:80"), ("B", "10.0.0.2:80"), ("C", "10.0.0.3:80")];
        let ends: Vec<_> = ends.iter().map(|(name, to)| endpoint(name, to)).collect();
        let mut rules = Vec::new();
        if sticky {
            rules.extend(ends.iter().map(|end| {
                Rule::new(vec![Match::SeenWithin(end.name.clone(), 60)], Target::to(end))
            }));
        }
        rules.push(Rule::new(vec![Match::OneIn(3)], Target::to(&ends[0])));
        rules.push(Rule::new(vec![Match::OneIn(2)], Target::to(&ends[1])));
        rules.push(Rule::new(vec![], Target::to(&ends[2])));
        let service = Chain::new("SVC", rules);
        let at = |ip: &str| Match::Destination(ip.parse().unwrap(), Sense::Is);
        let jump =
            Rule::new(vec![at("10.96.0.1/32"), Match::DestinationPort(80)], Target::to(&service));
        let refuse = Rule::new(vec![at("10.96.0.2/32")], Target::Reject);
        let mut set = Ruleset::default();
        set.add(Table::Nat, Chain::new("PREROUTING", vec![jump]));
        set.add(Table::Filter, Chain::new("FORWARD", vec![refuse]));
        set
    }

    fn packet(to: &str, port: u16) -> Packet {
        let to: SocketAddr = to.parse().unwrap();
        Packet::new(Protocol::Tcp, "10.0.9.9".parse().unwrap(), port, to.ip(), to.port())
    }

    fn hits(sticky: bool, ports: impl Iterator<Item = u16>) -> base::BTreeMap<String, u32> {
        let (tables, mut state, mut rng) = (tables(sticky), NodeState::default(), Rng::new(1));
        let mut hits = base::BTreeMap::new();
        for port in ports {
            let packet = packet("10.96.0.1:80", port);
            let now = Instant::START;
            let out = evaluate(&tables, &packet, Entry::Arrived, &mut state, now, &mut rng, false);
            *hits.entry(out.destination.to_string()).or_insert(0) += 1;
        }
        hits
    }

    #[test]
    fn chance_spreads_connections_evenly() {
        let hits = hits(false, 1..=3000);
        assert_eq!(hits.len(), 3);
        assert!(hits.values().all(|n| (900..1100).contains(n)), "{hits:?}");
    }

    #[test]
    fn a_known_connection_stays_where_it_is() {
        assert_eq!(hits(false, std::iter::repeat_n(40000, 50)).len(), 1);
    }

    #[test]
    fn a_sticky_client_stays_where_it_is() {
        assert_eq!(hits(true, 1..=50).len(), 1);
    }

    #[test]
    fn following_every_chance_finds_all_endpoints() {
        let reach = reachable(&tables(false), &packet("10.96.0.1:80", 1), Entry::Arrived);
        let all: Vec<_> = reach.endpoints.iter().map(|e| e.to_string()).collect();
        assert_eq!(all, ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
    }

    #[test]
    fn the_filter_table_refuses_what_was_not_translated() {
        let (tables, mut state, mut rng) = (tables(false), NodeState::default(), Rng::new(1));
        let packet = packet("10.96.0.2:80", 1);
        let now = Instant::START;
        let out = evaluate(&tables, &packet, Entry::Arrived, &mut state, now, &mut rng, true);
        assert_eq!((out.verdict, out.steps.len()), (Verdict::Reject, 1));
    }

    #[test]
    fn the_trace_lists_rules_that_lost_by_chance() {
        let (tables, mut state) = (tables(false), NodeState::default());
        let traces = (0..20).map(|seed| {
            let (mut rng, packet) = (Rng::new(seed), packet("10.96.0.1:80", seed as u16 + 1));
            let now = Instant::START;
            evaluate(&tables, &packet, Entry::Arrived, &mut state, now, &mut rng, true)
        });
        for out in traces {
            let lost = out.steps.iter().filter(|s| !s.matched).count();
            let want = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]
                .iter()
                .position(|e| *e == out.destination.to_string());
            assert_eq!(Some(lost), want);
        }
    }
}
