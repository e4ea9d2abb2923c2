//! Provider models (machines, load balancers, disks) and the cloud controllers.
//!
//! Two machines that meet through `client::cloud` only: [`Cloud`] is the provider's side, [`runner`] the process of
//! controllers, which read caches and return plans (see `client::Reconcile`). To add a provider: write its module
//! and add a line to [`Provider::ALL`] and to [`Provider::model`].
//!
//! Known deviations:
//! - The cluster autoscaler, a program of its own, runs in this process.

pub mod autoscaler;
pub mod cloud;
pub mod group;
pub mod node;
pub mod node_lifecycle;
pub mod nodes;
pub mod provider;
pub mod route;
pub mod service;

use base::Str;
use client::{Elector, Reconcile, Runner};

pub use cloud::{Change, Cloud, Machine, MachineState, Setup};
pub use group::NodeGroup;
pub use provider::Provider;

/// How the process is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whose machines the cluster runs on.
    pub provider: Provider,
    /// Under which name it takes part in leader election; `None` to do without.
    pub identity: Option<Str>,
}

/// The controllers that make sense with the provider, in the order in which they take their turns.
pub fn controllers(options: &Options) -> Vec<Box<dyn Reconcile>> {
    if options.provider == Provider::None {
        return Vec::new();
    }
    let mut all: Vec<Box<dyn Reconcile>> = vec![
        Box::new(node::CloudNodes),
        Box::new(node_lifecycle::CloudNodeLifecycle),
        Box::new(service::Services::default()),
    ];
    if options.provider.model().has_routes() {
        all.push(Box::new(route::Routes::default()));
    }
    all.push(Box::new(autoscaler::Autoscaler::default()));
    all
}

/// The process that runs them all; with an identity it works only while it leads.
pub fn runner(options: &Options) -> Runner {
    let runner = Runner::new("cloud-controller-manager", controllers(options));
    match &options.identity {
        Some(identity) => {
            runner.with_election(Elector::new("cloud-controller-manager", identity.clone()))
        }
        None => runner,
    }
}

#[cfg(test)]
mod testing;
