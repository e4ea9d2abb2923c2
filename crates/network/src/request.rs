//! A request through the cluster's network: probes, clients and traces all come this way.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base::{Duration, Instant, Rng, Str};

use crate::conntrack::NodeState;
use crate::evaluate::{Entry, Verdict, evaluate};
use crate::fabric::Fabric;
use crate::packet::{HttpResponse, Packet, Payload, Protocol};
use crate::tables::Tables;
use crate::trace::{Hop, NoAddress, Outcome, Place, Response, Trace, What};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A pod, by its address.
    Pod(IpAddr),
    /// A process in a node's own network.
    Node(Str),
    /// Something outside the cluster, by its address.
    Outside(IpAddr),
}

/// Whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// A name, or an address in text.
    Name(Str),
    /// An address.
    Ip(IpAddr),
}

/// A request to make.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asks.
    pub from: Origin,
    /// Whom.
    pub to: To,
    /// On which port.
    pub port: u16,
    /// Over which protocol.
    pub protocol: Protocol,
    /// To say what.
    pub payload: Payload,
    /// How long the caller waits.
    pub timeout: Duration,
    /// The caller's port where it keeps a connection open; else every call takes a new one.
    pub src_port: Option<u16>,
    /// Lists the rules on the way.
    pub detail: bool,
}

impl Call {
    /// A TCP call that waits up to 30 seconds and lists the rules on the way.
    pub fn new(from: Origin, to: To, port: u16, payload: Payload) -> Call {
        Call {
            from,
            to,
            port,
            protocol: Protocol::Tcp,
            payload,
            timeout: Duration::secs(30),
            src_port: None,
            detail: true,
        }
    }
}

/// Resolver settings of a caller: its `/etc/resolv.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// DNS servers, in order.
    pub servers: Vec<IpAddr>,
    /// Domains to append.
    pub search: Arc<[Str]>,
    /// A name with at least so many dots is first tried as it is.
    pub ndots: u8,
}

impl std::fmt::Display for ResolvConf {
    /// The text of `/etc/resolv.conf`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.search.is_empty() {
            writeln!(f, "search {}", self.search.join(" "))?;
        }
        for server in &self.servers {
            writeln!(f, "nameserver {server}")?;
        }
        if self.ndots != 1 {
            writeln!(f, "options ndots:{}", self.ndots)?;
        }
        Ok(())
    }
}

/// What a DNS server says of a name's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsReply {
    /// These; none if the name exists without an address.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoSuchName,
    /// It cannot tell.
    ServerFailure,
}

/// Turns names into addresses.
pub trait Resolve {
    /// Addresses from the caller's hosts file.
    fn hosts(&self, from: &Origin, name: &str) -> Option<Vec<IpAddr>>;
    /// The caller's resolver settings.
    fn config(&self, from: &Origin) -> Option<ResolvConf>;
    /// What the DNS server at `place` says of a full name; `None` if no DNS server listens there.
    fn query(&mut self, place: &Place, name: &str) -> Option<DnsReply>;
}

/// Knows each node's tables and memory.
pub trait NodeTables {
    /// Calls `visit` with the tables and the memory of a node; not at all if it has none.
    fn with(&mut self, node: &str, visit: &mut dyn FnMut(&dyn Tables, &mut NodeState));
}

/// Answers for what listens in the cluster and outside.
pub trait Answer {
    /// What the process at `place` does with a request from `client`.
    fn answer(&mut self, place: &Place, client: IpAddr, payload: &Payload, now: Instant) -> Reply;

    /// Whether network policies let `from` reach `place`; else which one forbids it.
    fn admits(&mut self, from: &Origin, place: &Place) -> Result<(), Str> {
        let _ = (from, place);
        Ok(())
    }
}

/// What a process does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// It answers after some time.
    Respond {
        /// Working time.
        after: Duration,
        /// What it says.
        response: Response,
    },
    /// Nothing listens on the port.
    NotListening,
    /// It accepts and never answers.
    Hang,
    /// It accepts and closes the connection.
    Reset,
    /// Nobody has the address.
    Lost,
    /// It asks somebody else and passes on the answer, as a reverse proxy does.
    Forward {
        /// Working time before it asks.
        after: Duration,
        /// Whom it asks; `from`, `timeout` and `detail` are taken over from the first call.
        to: To,
        /// On which port.
        port: u16,
        /// What it says.
        payload: Payload,
    },
}

/// All that a request needs to know of the world.
pub struct World<'a> {
    /// Where everything is.
    pub fabric: &'a Fabric,
    /// Names.
    pub names: &'a mut dyn Resolve,
    /// Tables.
    pub tables: &'a mut dyn NodeTables,
    /// Listeners.
    pub answers: &'a mut dyn Answer,
    /// The moment of the call.
    pub now: Instant,
    /// Chance.
    pub rng: &'a mut Rng,
}

/// A packet crosses at most so many tables.
const PASSAGES_MAX: usize = 4;
/// A request is passed on by at most so many proxies.
const FORWARDS_MAX: usize = 8;
/// How long a resolver waits for one DNS server.
const DNS_PATIENCE: Duration = Duration::secs(5);
/// Working time of a DNS server.
const DNS_WORK: Duration = Duration::micros(150);
/// First wait before a lost packet is sent again; doubles each time.
const RESEND_AFTER: Duration = Duration::secs(1);

/// Makes a request and tells its story: name lookup, tables, links, arrival, answer.
pub fn request(world: &mut World<'_>, call: &Call) -> Trace {
    let mut run = Run {
        world,
        hops: Vec::new(),
        spent: Duration::ZERO,
        timeout: call.timeout,
        detail: call.detail,
        place: None,
    };
    let outcome = run.call(call, 0);
    let latency = run.spent.min(call.timeout);
    Trace { hops: run.hops, outcome, latency, place: run.place }
}

struct Run<'w, 'a> {
    world: &'w mut World<'a>,
    hops: Vec<Hop>,
    spent: Duration,
    timeout: Duration,
    detail: bool,
    place: Option<Place>,
}

/// Where a packet arrived.
struct Arrival {
    place: Place,
    /// The sender as seen there.
    client: IpAddr,
    /// One way.
    delay: Duration,
}

/// Why it did not.
enum Failure {
    Refused,
    Lost,
}

impl Run<'_, '_> {
    fn call(&mut self, call: &Call, depth: usize) -> Outcome {
        let ip = match &call.to {
            To::Ip(ip) => *ip,
            To::Name(name) => match name.parse() {
                Ok(ip) => ip,
                Err(_) => match self.resolve(&call.from, name) {
                    Ok(ip) => ip,
                    Err(outcome) => return outcome,
                },
            },
        };
        let to = SocketAddr::new(ip, call.port);
        let arrival = match self.deliver(&call.from, to, call.protocol, call.src_port) {
            Ok(arrival) => arrival,
            Err(Failure::Refused) => return Outcome::Refused(to),
            Err(Failure::Lost) => {
                self.spent = self.timeout;
                return Outcome::ConnectTimeout(to);
            }
        };
        self.answer(call, to, arrival, depth)
    }

    /// Asks the process at the place of arrival.
    fn answer(&mut self, call: &Call, to: SocketAddr, arrival: Arrival, depth: usize) -> Outcome {
        let round_trip = arrival.delay * 2;
        if call.protocol != Protocol::Udp {
            self.spent = self.spent + round_trip;
        }
        let Arrival { place, client, .. } = arrival;
        let now = self.world.now + self.spent;
        let reply = self.world.answers.answer(&place, client, &call.payload, now);
        if matches!(reply, Reply::Lost) {
            self.hop(Duration::ZERO, What::Nowhere { to: place.at });
            self.spent = self.timeout;
            return Outcome::ConnectTimeout(to);
        }
        let listening = !matches!(reply, Reply::NotListening);
        self.hop(round_trip, What::Arrive { place: place.clone(), client, listening });
        self.place = Some(place.clone());
        if self.spent >= self.timeout {
            return Outcome::ConnectTimeout(to);
        }
        match reply {
            Reply::Respond { after, response } => {
                let talks = !matches!(call.payload, Payload::Connect);
                self.spent = self.spent + after;
                if talks || call.protocol == Protocol::Udp {
                    self.spent = self.spent + round_trip;
                }
                if self.spent >= self.timeout {
                    return Outcome::AnswerTimeout(to);
                }
                Outcome::Answered(response)
            }
            Reply::NotListening | Reply::Lost => Outcome::Refused(to),
            Reply::Reset => Outcome::Reset(to),
            Reply::Hang => {
                self.spent = self.timeout;
                Outcome::AnswerTimeout(to)
            }
            Reply::Forward { after, to: next, port, payload } => {
                self.spent = self.spent + after + round_trip;
                let from = match &place.pod {
                    Some(_) => Origin::Pod(place.at.ip()),
                    None => Origin::Node(place.node.clone()),
                };
                self.forward(call, Call { from, to: next, port, payload, ..call.clone() }, depth)
            }
        }
    }

    /// A proxy's own request; its failures become answers.
    fn forward(&mut self, first: &Call, mut next: Call, depth: usize) -> Outcome {
        next.src_port = None;
        let outcome = if depth < FORWARDS_MAX { self.call(&next, depth + 1) } else { gateway(508) };
        let Payload::Http(_) = first.payload else { return outcome };
        match outcome {
            Outcome::Answered(_) => outcome,
            Outcome::Refused(_) | Outcome::Reset(_) | Outcome::Unresolved { .. } => gateway(502),
            Outcome::ConnectTimeout(_) | Outcome::AnswerTimeout(_) => gateway(504),
        }
    }

    /// Finds an address for a name, asking DNS through the network.
    fn resolve(&mut self, from: &Origin, name: &Str) -> Result<IpAddr, Outcome> {
        let none = |run: &mut Self, server, tried, why| {
            let found = Vec::new();
            run.hop(Duration::ZERO, What::Resolve { name: name.clone(), server, tried, found });
            Err(Outcome::Unresolved { name: name.clone(), server, why })
        };
        if let Some(found) = self.world.names.hosts(from, name) {
            let ip = self.preferred(from, &found);
            let (name, tried) = (name.clone(), Vec::new());
            self.hop(Duration::ZERO, What::Resolve { name, server: None, tried, found });
            return Ok(ip);
        }
        let conf = self.world.names.config(from);
        let Some(conf) = conf.filter(|conf| !conf.servers.is_empty()) else {
            return none(self, None, Vec::new(), NoAddress::NoSuchHost);
        };
        let mut failed = (None, NoAddress::Timeout);
        for server in &conf.servers {
            let server = SocketAddr::new(*server, 53);
            let begun = self.spent;
            let arrival = match self.deliver(from, server, Protocol::Udp, None) {
                Ok(arrival) => arrival,
                Err(failure) => {
                    let refused = matches!(failure, Failure::Refused);
                    let wait = if refused { Duration::ZERO } else { DNS_PATIENCE };
                    self.spent = self.spent + wait;
                    let why = if refused { NoAddress::Refused } else { NoAddress::Timeout };
                    failed = (Some(server), why);
                    continue;
                }
            };
            let mut tried = Vec::new();
            let (found, why) = self.ask(&conf, name, &arrival, &mut tried);
            let Some(found) = found else {
                failed = (Some(server), why);
                if why == NoAddress::NoSuchHost {
                    return none(self, failed.0, tried, why);
                }
                continue;
            };
            let ip = self.preferred(from, &found);
            let took = self.spent - begun;
            let name = name.clone();
            self.hop(took, What::Resolve { name, server: Some(server), tried, found });
            return Ok(ip);
        }
        none(self, failed.0, Vec::new(), failed.1)
    }

    /// Tries the full names a short one may stand for.
    fn ask(
        &mut self,
        conf: &ResolvConf,
        name: &str,
        at: &Arrival,
        tried: &mut Vec<(Str, bool)>,
    ) -> (Option<Vec<IpAddr>>, NoAddress) {
        for full in candidates(conf, name) {
            self.spent = self.spent + at.delay * 2 + DNS_WORK;
            match self.world.names.query(&at.place, &full) {
                None => return (None, NoAddress::Refused),
                Some(DnsReply::ServerFailure) => return (None, NoAddress::ServerFailure),
                Some(DnsReply::NoSuchName) => tried.push((full.into(), false)),
                Some(DnsReply::Addresses(found)) => {
                    tried.push((full.into(), true));
                    if !found.is_empty() {
                        return (Some(found), NoAddress::NoSuchHost);
                    }
                }
            }
        }
        (None, NoAddress::NoSuchHost)
    }

    /// The address of the caller's own family, or else the first.
    fn preferred(&self, from: &Origin, found: &[IpAddr]) -> IpAddr {
        let v4 = match from {
            Origin::Pod(ip) | Origin::Outside(ip) => ip.is_ipv4(),
            Origin::Node(_) => true,
        };
        let own = found.iter().find(|ip| ip.is_ipv4() == v4);
        own.or(found.first()).copied().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// Carries the first packet to where it ends up.
    fn deliver(
        &mut self,
        from: &Origin,
        to: SocketAddr,
        protocol: Protocol,
        src_port: Option<u16>,
    ) -> Result<Arrival, Failure> {
        let fabric = self.world.fabric;
        let mut delay = Duration::ZERO;
        let mut to = to;
        let (mut node, mut client, mut entry) = match from {
            Origin::Pod(ip) => {
                let Some(site) = fabric.pod_at(*ip) else { return Err(Failure::Lost) };
                if to.ip().is_loopback() || to.ip() == *ip {
                    let at = SocketAddr::new(*ip, to.port());
                    let place = pod_place(site, at, protocol);
                    return Ok(Arrival { place, client: to.ip(), delay });
                }
                (site.node.clone(), *ip, Entry::Arrived)
            }
            Origin::Node(name) => {
                let own = fabric.node_ip(name, to.ip()).unwrap_or(to.ip());
                let client = if to.ip().is_loopback() { to.ip() } else { own };
                (name.clone(), client, Entry::Local)
            }
            Origin::Outside(ip) => {
                let mut client = *ip;
                let (node, step) = self.enter(&mut to, &mut client)?;
                delay = delay + step;
                (node, client, Entry::Arrived)
            }
        };
        let port = src_port.unwrap_or_else(|| 32768 + self.world.rng.below(28232) as u16);
        for _ in 0..PASSAGES_MAX {
            let packet = Packet { src: SocketAddr::new(client, port), dst: to, protocol };
            let (next, masquerade) = self.pass(&node, &packet, entry, src_port.is_some())?;
            to = next;
            if masquerade {
                client = fabric.node_ip(&node, to.ip()).unwrap_or(client);
            }
            if let Some(site) = fabric.pod_at(to.ip()) {
                delay = delay + self.cross(&node, &site.node)?;
                let place = pod_place(site, to, protocol);
                return self.admitted(from, Arrival { place, client, delay });
            }
            let home = if to.ip().is_loopback() { Some(&node) } else { fabric.node_at(to.ip()) };
            match home {
                Some(home) if *home == node => {
                    let place = Place { node, pod: None, at: to, protocol };
                    return Ok(Arrival { place, client, delay });
                }
                Some(home) => {
                    delay = delay + self.cross(&node, home)?;
                    node = home.clone();
                }
                None => {
                    client = fabric.node_ip(&node, to.ip()).unwrap_or(client);
                    delay = delay + self.cross(&node, "")?;
                    if fabric.balancer_at(to.ip()).is_none() {
                        let place = Place { node: Str::new(), pod: None, at: to, protocol };
                        return Ok(Arrival { place, client, delay });
                    }
                    let (next, step) = self.enter(&mut to, &mut client)?;
                    delay = delay + step;
                    node = next;
                }
            }
            entry = Entry::Arrived;
        }
        self.hop(Duration::ZERO, What::Nowhere { to });
        Err(Failure::Lost)
    }

    /// The node at which traffic from outside enters, and the way there.
    fn enter(
        &mut self,
        to: &mut SocketAddr,
        client: &mut IpAddr,
    ) -> Result<(Str, Duration), Failure> {
        let fabric = self.world.fabric;
        if let Some(balancer) = fabric.balancer_at(to.ip()) {
            let fenced = !balancer.ranges.is_empty();
            if fenced && !balancer.ranges.iter().any(|range| range.contains(*client)) {
                self.hop(Duration::ZERO, What::Fenced { at: *to, client: *client });
                return Err(Failure::Lost);
            }
            *client = balancer.sends_from.unwrap_or(*client);
            let count = balancer.nodes.len() as u64;
            let pick = balancer.nodes.get(self.world.rng.below(count) as usize).cloned();
            self.hop(Duration::ZERO, What::Balance { at: *to, node: pick.clone() });
            let node = pick.ok_or(Failure::Lost)?;
            if let Some(ports) = &balancer.node_ports {
                let ip = fabric.node_ip(&node, to.ip());
                let port = ports.get(&to.port());
                *to = ip.zip(port).map(|(ip, p)| SocketAddr::new(ip, *p)).ok_or(Failure::Lost)?;
            }
            let delay = self.cross("", &node)?;
            return Ok((node, delay));
        }
        let Some(node) = fabric.node_at(to.ip()).cloned() else {
            self.hop(Duration::ZERO, What::Nowhere { to: *to });
            return Err(Failure::Lost);
        };
        let delay = self.cross("", &node)?;
        Ok((node, delay))
    }

    /// Passes a node's tables: the new destination, and whether the node hides the sender.
    fn pass(
        &mut self,
        node: &Str,
        packet: &Packet,
        entry: Entry,
        keep: bool,
    ) -> Result<(SocketAddr, bool), Failure> {
        let (now, detail) = (self.world.now, self.detail);
        let rng = &mut *self.world.rng;
        let mut passage = None;
        self.world.tables.with(node, &mut |tables, state| {
            passage = Some(evaluate(tables, packet, entry, state, now, rng, detail));
            if !keep && packet.protocol == Protocol::Tcp {
                state.forget(packet);
            }
        });
        let Some(passage) = passage else { return Ok((packet.dst, false)) };
        let (verdict, to, masquerade) = (passage.verdict, passage.destination, passage.masquerade);
        self.hop(Duration::ZERO, What::Tables { node: node.clone(), to: packet.dst, passage });
        match verdict {
            Verdict::Accept => Ok((to, masquerade)),
            Verdict::Reject => Err(Failure::Refused),
            Verdict::Drop => Err(Failure::Lost),
        }
    }

    /// Crosses the link between two nodes; its one-way delay.
    fn cross(&mut self, from: &str, to: &str) -> Result<Duration, Failure> {
        let fabric = self.world.fabric;
        let cut = !fabric.links.open(from, to);
        let mut lost = 0;
        if !cut && from != to && fabric.links.loss_per_mille > 0 {
            let odds = u64::from(fabric.links.loss_per_mille);
            while self.world.rng.below(1000) < odds && lost < 6 {
                self.spent = self.spent + RESEND_AFTER * (1 << lost);
                lost += 1;
            }
        }
        let delay = fabric.delay(from, to);
        if from != to {
            self.hop(delay, What::Link { from: from.into(), to: to.into(), lost, cut });
        }
        if cut { Err(Failure::Lost) } else { Ok(delay) }
    }

    fn admitted(&mut self, from: &Origin, arrival: Arrival) -> Result<Arrival, Failure> {
        match self.world.answers.admits(from, &arrival.place) {
            Ok(()) => Ok(arrival),
            Err(by) => {
                self.hop(Duration::ZERO, What::Denied { place: arrival.place, by });
                Err(Failure::Lost)
            }
        }
    }

    fn hop(&mut self, took: Duration, what: What) {
        self.hops.push(Hop { took, what });
    }
}

fn pod_place(site: &crate::fabric::PodSite, at: SocketAddr, protocol: Protocol) -> Place {
    let pod = Some((site.namespace.clone(), site.name.clone()));
    Place { node: site.node.clone(), pod, at, protocol }
}

fn gateway(status: u16) -> Outcome {
    let mut response = HttpResponse::new(status, "");
    response.body = response.reason().into();
    Outcome::Answered(Response::Http(response))
}

/// The full names to try for `name`, in a resolver's order, each ending with a dot.
pub fn candidates(conf: &ResolvConf, name: &str) -> Vec<String> {
    if name.ends_with('.') {
        return vec![name.to_string()];
    }
    let bare = format!("{name}.");
    let searched = conf.search.iter().map(|domain| {
        let domain = domain.trim_end_matches('.');
        if domain.is_empty() { bare.clone() } else { format!("{name}.{domain}.") }
    });
    let dots = name.bytes().filter(|b| *b == b'.').count();
    let mut full: Vec<String> = searched.collect();
    if dots >= usize::from(conf.ndots) {
        full.insert(0, bare);
    } else {
        full.push(bare);
    }
    full
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
