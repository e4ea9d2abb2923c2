//! Reflectors, indexed caches, work queue, expectations, event recorder, the Reconcile trait and its runner.

pub mod cache;
pub mod cloud;
pub mod events;
pub mod leader;
pub mod owner;
pub mod part;
pub mod plan;
pub mod queue;
pub mod reconcile;
pub mod resources;
pub mod runner;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use cache::{Caches, Delta, Lister};
pub use cloud::{CloudAnswer, CloudError, CloudReply, CloudRequest};
pub use events::Recorder;
pub use leader::Elector;
pub use part::{Input, Outbox, Part};
pub use plan::{Ask, Failure, Note, Plan, Write};
pub use queue::WorkQueue;
pub use reconcile::{Cx, Enqueue, Reconcile};
pub use runner::Runner;
