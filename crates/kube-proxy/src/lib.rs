//! Services and EndpointSlices to packet tables, as kube-proxy in iptables mode makes them.
//!
//! One [`Proxy`] follows the API for all nodes; a [`RuleSet`] is an immutable, shared picture of it, and a
//! [`NodeView`] is that picture with one node's own addresses and its local endpoints.

pub mod block;
pub mod config;
pub mod endpoints;
pub mod fixed;
pub mod health;
pub mod memory;
pub mod names;
pub mod proxy;
pub mod ruleset;
pub mod service;

pub use config::Config;
pub use memory::{Memories, Passages};
pub use proxy::{Proxy, Synced};
pub use ruleset::{NodeInfo, NodeView, RuleSet};
