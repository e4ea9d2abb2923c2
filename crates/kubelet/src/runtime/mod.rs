//! The container runtime of a node: sandboxes and containers as state machines in virtual time.
//!
//! It stands for containerd with its CRI plugin. What a container does is its image's behaviour
//! ([`image::Catalogue`], [`program`]); it survives the kubelet's process and dies with the machine.
//!
//! Known deviations:
//! - Processor time is not modelled; memory is a constant of the image.
//! - A container has one process; `exec` starts nothing that stays.

pub mod container;
pub mod files;
pub mod image;
pub mod images;
pub mod log;
pub mod machine;
pub mod program;
pub mod server;
pub mod shell;

pub use container::{Container, Exit, Sandbox, Slot};
pub use image::{Catalogue, Image, Reference};
pub use log::LogOptions;
pub use machine::{Machine, SiteChange};
pub use program::Program;
pub use server::{Says, Server, Term};
