//! The event queue, and links with delay, loss and partition.
//!
//! Everything here is a plain value: cloned for a checkpoint, driven only by the instants and the
//! random stream that the caller passes in.

pub mod link;
pub mod queue;

pub use link::Link;
pub use queue::{Queue, Ticket};
