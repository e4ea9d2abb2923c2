//! What runs and what is joined, apart from what the API says.

use base::{BTreeMap, Str};
use protocol::Kind;

/// The machines and parts of a cluster, as faults leave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Infra {
    /// The control plane, in drawing order.
    pub parts: Vec<Part>,
    /// What is not as usual with a machine; one that is not listed runs and is joined.
    pub machines: BTreeMap<Str, Machine>,
}

/// A part of the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: Str,
    /// It runs.
    pub running: bool,
}

/// A machine's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// It has power.
    pub powered: bool,
    /// Its link to the control plane carries.
    pub joined: bool,
    /// Its kubelet runs.
    pub kubelet: bool,
    /// Its kube-proxy runs; none where the cluster has none.
    pub kube_proxy: Option<bool>,
}

impl Default for Machine {
    fn default() -> Machine {
        Machine { powered: true, joined: true, kubelet: true, kube_proxy: Some(true) }
    }
}

impl Infra {
    /// The state of a machine.
    pub fn machine(&self, name: &str) -> Machine {
        self.machines.get(name).copied().unwrap_or_default()
    }

    /// Whether a part of the control plane runs; one that does not exist does not.
    pub fn runs(&self, kind: Kind) -> bool {
        self.parts.iter().any(|part| part.kind == kind && part.running)
    }
}
