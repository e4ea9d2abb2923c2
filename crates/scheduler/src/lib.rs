//! kube-scheduler: queue, cycle, one module per plugin, preemption.
//!
//! Models kube-scheduler. Known deviations:
//! - Volume plugins (VolumeBinding, VolumeZone, NodeVolumeLimits, VolumeRestrictions) and DynamicResources are absent.
//! - There is one profile, the default one.
//! - A cycle takes a fixed time, and up to 64 pods are placed at one moment.
//! - Pods of one class reuse a ranking of nodes while nothing else changes, as opportunistic batching does.

pub mod cache;
pub mod cycle;
pub mod decision;
pub mod needs;
pub mod plugins;
pub mod preemption;
pub mod queue;
pub mod resources;
mod scheduler;

pub use decision::{Decision, NodeReport};
pub use scheduler::Scheduler;
