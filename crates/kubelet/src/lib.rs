//! Pod workers, probes, volumes, eviction; container runtime and image behaviours.
//!
//! [`Kubelet`] stands for the kubelet of one node together with the machine it runs on: the container
//! runtime, the images on its disk and what the containers do ([`runtime`]).
//!
//! Known deviations:
//! - No static pods, ephemeral containers, eviction under pressure or graceful node shutdown.
//! - No checkpoints, device plugins, or CPU, memory and topology managers.

mod admit;
mod attach;
mod conditions;
mod config;
mod env;
mod exec;
mod kill;
mod kubelet;
mod logs;
mod node;
mod pods;
mod probes;
mod publish;
mod pull;
mod refresh;
mod refs;
mod resize;
mod resources;
pub mod runtime;
mod site;
mod start;
mod stats;
mod status;
mod sync;
#[cfg(test)]
mod tests;
mod timers;
mod volumes;
mod worker;

pub use config::{NodeConfig, Times};
pub use exec::ExecSession;
pub use kubelet::Kubelet;
pub use runtime::container::ExecTurn;
pub use runtime::{Catalogue, Image, LogOptions, Program, Says, Server, SiteChange, Term};
pub use stats::ContainerStats;
