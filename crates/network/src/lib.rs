//! Packets, addresses, iptables-shaped tables with their evaluation, conntrack, and the fabric between nodes.
//!
//! Addresses are the pure value types of `core::net`; nothing here opens a socket.

pub mod addr;
pub mod conntrack;
pub mod evaluate;
pub mod fabric;
pub mod packet;
pub mod pool;
pub mod request;
pub mod save;
pub mod shards;
pub mod tables;
pub mod trace;

pub use addr::{Cidr, Family, authority};
pub use conntrack::NodeState;
pub use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
pub use evaluate::{Entry, Evaluation, Reach, Step, Verdict, evaluate, reachable};
pub use fabric::{Balancer, Fabric, Links, NodeSite, PodSite};
pub use packet::{HttpRequest, HttpResponse, Packet, Payload, Protocol};
pub use pool::{CidrPool, PodPool};
pub use request::{
    Answer, Call, DnsReply, NodeTables, Origin, Reply, ResolvConf, Resolve, To, World, request,
};
pub use shards::Shards;
pub use tables::{Chain, Jump, Match, Rule, Table, Tables, Target};
pub use trace::{Hop, Outcome, Place, Response, Trace, What};
