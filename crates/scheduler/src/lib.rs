//! kube-scheduler: queue, cycle, one module per plugin, preemption.
//!
//! Models kube-scheduler. Known deviations:
//! - DynamicResources, gang scheduling and extenders are absent.
//! - A cycle takes a fixed time, and up to 64 pods are placed at one moment.
//! - A pod that is resized in place counts with its new requests at once.

pub mod bench;
mod binding;
pub mod cache;
mod candidate;
pub mod cycle;
pub mod decision;
#[cfg(test)]
mod golden_tests;
pub mod hints;
pub mod memo;
#[cfg(test)]
mod memo_tests;
pub mod needs;
pub mod nominees;
#[cfg(test)]
mod part_tests;
pub mod plugins;
pub mod preemption;
pub mod profile;
pub mod queue;
mod report;
mod scheduler;
#[cfg(test)]
mod testing;
pub mod topology;
pub mod volumes;
mod work;

pub use decision::{Decision, NodeReport};
pub use profile::{Config, Profile};
pub use scheduler::Scheduler;
