//! What a request met on its way, hop by hop, and how it ended.

use core::net::{IpAddr, SocketAddr};
use std::fmt;

use base::{Duration, Str};

use crate::evaluate::{Evaluation, Verdict};
use crate::packet::{HttpResponse, Protocol};

/// A request's whole story.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The way, in order.
    pub hops: Vec<Hop>,
    /// The end.
    pub outcome: Outcome,
    /// Time until the caller knew.
    pub latency: Duration,
    /// Where the last attempt arrived, if it arrived.
    pub place: Option<Place>,
}

/// One leg of the way.
#[derive(Clone, Debug)]
pub struct Hop {
    /// Time spent.
    pub took: Duration,
    /// What happened.
    pub what: What,
}

/// What happened on one leg.
#[derive(Clone, Debug)]
pub enum What {
    /// A name was looked up.
    Resolve {
        /// As the caller wrote it.
        name: Str,
        /// The DNS server asked; `None` where the hosts file knew.
        server: Option<SocketAddr>,
        /// Full names tried, and whether each one exists.
        tried: Vec<(Str, bool)>,
        /// Addresses found.
        found: Vec<IpAddr>,
    },
    /// A node's tables were passed.
    Tables {
        /// The node.
        node: Str,
        /// Where the packet was going.
        to: SocketAddr,
        /// What the tables did.
        passage: Evaluation,
    },
    /// A cloud load balancer chose a node.
    Balance {
        /// Its address.
        at: SocketAddr,
        /// The node; `None` where no node passes the health check.
        node: Option<Str>,
    },
    /// A cloud load balancer does not let the sender in.
    Fenced {
        /// Its address.
        at: SocketAddr,
        /// The sender.
        client: IpAddr,
    },
    /// A link between nodes; an empty name is the outside.
    Link {
        /// From this node.
        from: Str,
        /// To that node.
        to: Str,
        /// Packets lost before one came through.
        lost: u32,
        /// No packet came through.
        cut: bool,
    },
    /// A network policy refused it.
    Denied {
        /// Who was to receive it.
        place: Place,
        /// Which policy, and why.
        by: Str,
    },
    /// It arrived.
    Arrive {
        /// Where.
        place: Place,
        /// The sender as seen there.
        client: IpAddr,
        /// Something listens on the port.
        listening: bool,
    },
    /// Nobody has the address.
    Nowhere {
        /// The address.
        to: SocketAddr,
    },
}

/// Where a packet ends up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The node; empty for the outside.
    pub node: Str,
    /// The pod's namespace and name; `None` for the node's own network and the outside.
    pub pod: Option<(Str, Str)>,
    /// Address and port.
    pub at: SocketAddr,
    /// Protocol.
    pub protocol: Protocol,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With an answer.
    Answered(Response),
    /// Nothing listens there, or a rule refuses.
    Refused(SocketAddr),
    /// The peer closed the connection half-way.
    Reset(SocketAddr),
    /// The caller gave up waiting for a connection.
    ConnectTimeout(SocketAddr),
    /// The caller gave up waiting for an answer.
    AnswerTimeout(SocketAddr),
    /// The name has no address, for this reason.
    Unresolved {
        /// The name as the caller wrote it.
        name: Str,
        /// The DNS server asked; `None` if there is none.
        server: Option<SocketAddr>,
        /// Why.
        why: NoAddress,
    },
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAddress {
    /// The server says there is none.
    NoSuchHost,
    /// The server did not answer.
    Timeout,
    /// Nothing listens at the server.
    Refused,
    /// The server failed.
    ServerFailure,
}

/// What the peer said.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// The connection stands.
    Connected,
    /// An HTTP response.
    Http(HttpResponse),
    /// The state of a gRPC health check: `SERVING`, `NOT_SERVING`, …
    GrpcHealth(Str),
    /// Any other text.
    Text(Str),
}

impl Trace {
    /// The HTTP response, if there is one.
    pub fn http(&self) -> Option<&HttpResponse> {
        match &self.outcome {
            Outcome::Answered(Response::Http(response)) => Some(response),
            _ => None,
        }
    }

    /// Whether the peer accepted the connection.
    pub fn connected(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(_) | Outcome::Reset(_) | Outcome::AnswerTimeout(_))
    }
}

impl Outcome {
    /// The error as a Go program prints it; `None` after an answer.
    pub fn error(&self) -> Option<String> {
        Some(match self {
            Outcome::Answered(_) => return None,
            Outcome::Refused(at) => format!("dial tcp {at}: connect: connection refused"),
            Outcome::Reset(at) => format!("read tcp {at}: read: connection reset by peer"),
            Outcome::ConnectTimeout(at) => format!("dial tcp {at}: i/o timeout"),
            Outcome::AnswerTimeout(_) => "context deadline exceeded".to_string(),
            Outcome::Unresolved { name, server, why } => {
                let on = server.map(|s| format!(" on {s}")).unwrap_or_default();
                let why = match why {
                    NoAddress::NoSuchHost => "no such host",
                    NoAddress::Timeout => "i/o timeout",
                    NoAddress::Refused => "connection refused",
                    NoAddress::ServerFailure => "server misbehaving",
                };
                format!("dial tcp: lookup {name}{on}: {why}")
            }
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Answered(Response::Connected) => write!(f, "connected"),
            Outcome::Answered(Response::Http(r)) => write!(f, "{} {}", r.status, r.reason()),
            Outcome::Answered(Response::GrpcHealth(state)) => write!(f, "{state}"),
            Outcome::Answered(Response::Text(text)) => write!(f, "{text}"),
            other => f.write_str(&other.error().unwrap_or_default()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pod {
            Some((namespace, name)) => write!(f, "pod {namespace}/{name} at {}", self.at),
            None if self.node.is_empty() => write!(f, "{} outside the cluster", self.at),
            None => write!(f, "node {} at {}", self.node, self.at),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Resolve { name, server, found, .. } => {
                let ips: Vec<String> = found.iter().map(IpAddr::to_string).collect();
                let by = server.map_or("the hosts file".to_string(), |s| format!("DNS at {s}"));
                if ips.is_empty() {
                    write!(f, "{by} has no address for {name}")
                } else {
                    write!(f, "{by} says {name} is {}", ips.join(", "))
                }
            }
            What::Tables { node, to, passage } => write_passage(f, node, to, passage),
            What::Balance { at, node: Some(node) } => {
                write!(f, "load balancer {at} picks node {node}")
            }
            What::Balance { at, node: None } => write!(f, "load balancer {at} has no healthy node"),
            What::Fenced { at, client } => {
                write!(f, "load balancer {at} does not let {client} in")
            }
            What::Link { from, to, lost, cut } => {
                let name = |n: &Str| if n.is_empty() { "outside".into() } else { n.clone() };
                write!(f, "{} → {}", name(from), name(to))?;
                match (cut, lost) {
                    (true, _) => write!(f, ": the link is cut"),
                    (false, 0) => Ok(()),
                    (false, lost) => write!(f, ", {lost} packets lost on the way"),
                }
            }
            What::Denied { place, by } => write!(f, "{by} keeps it from {place}"),
            What::Arrive { place, client, listening: true } => {
                write!(f, "{place} accepts it from {client}")
            }
            What::Arrive { place, listening: false, .. } => {
                write!(f, "{place} has nothing listening on port {}", place.at.port())
            }
            What::Nowhere { to } => write!(f, "nobody answers at {to}"),
        }
    }
}

fn write_passage(
    f: &mut fmt::Formatter<'_>,
    node: &str,
    to: &SocketAddr,
    passage: &Evaluation,
) -> fmt::Result {
    match passage.verdict {
        Verdict::Reject => return write!(f, "{node} refuses packets to {to}"),
        Verdict::Drop => return write!(f, "{node} drops packets to {to}"),
        Verdict::Accept => {}
    }
    let new = passage.destination;
    match (passage.translated, passage.tracked) {
        (true, true) => write!(f, "{node} remembers the connection: {to} is {new}"),
        (true, false) => write!(f, "{node} sends {to} to {new}"),
        (false, _) => write!(f, "{node} forwards packets to {to} unchanged"),
    }
}
