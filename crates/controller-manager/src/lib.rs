//! kube-controller-manager: one module per controller.
//!
//! Every controller reads caches and returns plans (see `client::Reconcile`); [`runner`] carries them out.

pub mod claim;
pub mod deployment;
pub mod hash;
pub mod pods;
pub mod replica_set;
pub mod template;

use client::{Elector, Reconcile, Runner};

/// All controllers, in the order in which they take their turns.
pub fn controllers() -> Vec<Box<dyn Reconcile>> {
    vec![Box::new(deployment::Deployments), Box::new(replica_set::ReplicaSets)]
}

/// The process that runs them all; with an identity it works only while it leads.
pub fn runner(identity: Option<&str>) -> Runner {
    let runner = Runner::new("kube-controller-manager", controllers());
    match identity {
        Some(identity) => runner.with_election(Elector::new("kube-controller-manager", identity)),
        None => runner,
    }
}
