//! Reflectors, indexed caches, work queue, expectations, event recorder, the Reconcile trait and its runner.

pub mod part;

pub use part::{Input, Outbox, Part};
