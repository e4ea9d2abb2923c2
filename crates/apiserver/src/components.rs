//! ComponentStatus: how the parts of the control plane answer when they are asked for their health.
//!
//! Models the registry of componentstatuses, which stores nothing and probes at every read.
//!
//! Known deviations:
//! - etcd is a part of this process and always answers.
//! - The list is ordered by name; upstream's by who answers first.

use api::core::v1::{ComponentCondition, ComponentStatus};
use api::object::Object;
use api::wire::{ListOptions, failure};
use base::lit;

use crate::ApiServer;
use crate::errors::Refusal;
use crate::registry::Row;
use crate::storage;

/// A part that `kubectl get componentstatuses` tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probed {
    /// kube-controller-manager
    ControllerManager,
    /// kube-scheduler
    Scheduler,
}

impl ApiServer {
    /// Says whether a part would answer a probe from now on. At first none does.
    pub fn set_answering(&mut self, part: Probed, answers: bool) {
        match answers {
            true => self.answering.insert(part),
            false => self.answering.remove(&part),
        };
    }

    pub(crate) fn components(&self, row: &Row, options: &ListOptions) -> Vec<Object> {
        let port = |part, port| match self.answering.contains(&part) {
            true => None,
            false => Some(port),
        };
        let all = [
            ("controller-manager", port(Probed::ControllerManager, 10_257)),
            ("etcd-0", None),
            ("scheduler", port(Probed::Scheduler, 10_259)),
        ];
        let all = all.map(|(name, dead)| status(name, dead));
        all.into_iter().filter(|object| storage::wanted(row, options, object)).collect()
    }

    pub(crate) fn component(&self, row: &Row, name: &str) -> Result<Object, Refusal> {
        let mut all = self.components(row, &ListOptions::default()).into_iter();
        let found = all.find(|object| object.name() == name);
        found.ok_or_else(|| failure(500, "", format!("Component not found: {name}")))
    }
}

/// The status of a part, which does not answer at the port if one is given.
fn status(name: &'static str, dead: Option<u16>) -> Object {
    let condition = ComponentCondition {
        type_: lit!("Healthy"),
        status: if dead.is_none() { lit!("True") } else { lit!("False") },
        message: match dead {
            None => lit!("ok"),
            Some(port) => {
                let at = format!("127.0.0.1:{port}");
                let text = format!(
                    "Get \"https://{at}/healthz\": dial tcp {at}: connect: connection refused"
                );
                text.into()
            }
        },
        ..ComponentCondition::default()
    };
    let mut component =
        ComponentStatus { conditions: [condition].into_iter().collect(), ..Default::default() };
    std::sync::Arc::make_mut(&mut component.metadata).name = name.into();
    Object::new(component)
}
