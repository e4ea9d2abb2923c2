//! Changes of the cluster and subscriptions to view operations.
//!
//! [`Views`] hears every change of an object, every write with its cause, every request that was
//! made, and
//! what faults did to machines and parts. From that it keeps the diagrams the page subscribed to,
//! and hands
//! out operations: what changed since the last frame, nothing twice, bounded however large the
//! cluster is.
//!
//! The crate knows API objects, not the cluster: whoever runs one feeds [`Views`] and lends a
//! [`Source`] to
//! [`inspect`].

mod architecture;
mod canvas;
mod deployment;
mod infra;
mod inspect;
mod item;
mod news;
mod service;
mod status;
mod tickets;
mod trace;
mod views;
#[cfg(test)]
mod views_tests;
mod world;

pub use infra::{Infra, Machine, Part};
pub use inspect::{Source, Write, inspect};
pub use item::{key_of, key_of_part, part_of_key, reference};
pub use status::pod_state;
pub use trace::{bare, trace};
pub use views::Views;
