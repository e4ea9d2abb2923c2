//! What admission made of a pod's spec, kept so that the replicas of one template share one admitted spec.
//!
//! The key is the pod's controller: its pods differ in their names and not much else. An entry counts as long as
//! nothing that admission looks at (service accounts, limits, priorities, runtime classes) has changed.

use std::sync::Arc;

use api::PlacedSpec;
use api::core::v1::{LimitRange, Namespace, Pod, PodSpec, ResourceQuota, ServiceAccount};
use api::node::v1::RuntimeClass;
use api::object::Object;
use api::scheduling::v1::PriorityClass;
use base::{HashMap, HashSet, Str};

use crate::ApiServer;
use crate::registry::Row;

const LIMIT_NOTE: &str = "kubernetes.io/limit-ranger";
const MIRROR: &str = "kubernetes.io/config.mirror";
const ENTRIES_MAX: usize = 8_192;
const VARIANTS_MAX: usize = 4;

/// Admitted pod specs by namespace and controller.
#[derive(Clone, Debug, Default)]
pub struct SpecMemo {
    entries: HashMap<(Str, Str), Vec<Admitted>>,
    epoch: u64,
    /// How many limit ranges there are: usually none, which saves looking for them.
    limit_ranges: usize,
    quotas: usize,
    /// The namespaces that take new objects.
    living: HashSet<Str>,
}

#[derive(Clone, Debug)]
struct Admitted {
    given: Arc<PodSpec>,
    made: Arc<PodSpec>,
    note: Option<Str>,
    epoch: u64,
}

/// A pod's spec as its creator sent it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    key: (Str, Str),
    spec: Arc<PodSpec>,
    noted: bool,
}

impl SpecMemo {
    /// Whether the namespace is there and not going.
    pub(crate) fn is_living(&self, namespace: &str) -> bool {
        self.living.contains(namespace)
    }

    /// Whether there is any limit range.
    pub(crate) fn has_limits(&self) -> bool {
        self.limit_ranges > 0
    }

    /// Whether there is any quota.
    pub(crate) fn has_quotas(&self) -> bool {
        self.quotas > 0
    }

    /// What to remember of a pod before admission changes it; `None` for pods without a controller.
    pub(crate) fn ask(object: &Object) -> Option<Asked> {
        let pod = object.get::<Pod>()?;
        let owner = pod.metadata.owner_references.iter().find(|o| o.controller == Some(true))?;
        let annotations = &pod.metadata.annotations;
        (!annotations.contains_key(MIRROR)).then(|| Asked {
            key: (pod.metadata.namespace.clone(), owner.uid.clone()),
            spec: pod.spec.shared().clone(),
            noted: annotations.contains_key(LIMIT_NOTE),
        })
    }

    /// Remembers what was made of it.
    pub(crate) fn learn(&mut self, asked: Option<Asked>, object: &Object) {
        let (Some(asked), Some(pod)) = (asked, object.get::<Pod>()) else { return };
        if asked.noted {
            return;
        }
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.clear();
        }
        let epoch = self.epoch;
        let variants = self.entries.entry(asked.key).or_default();
        variants.retain(|entry| entry.epoch == epoch);
        if variants.len() >= VARIANTS_MAX {
            variants.remove(0);
        }
        variants.push(Admitted {
            given: asked.spec,
            made: pod.spec.shared().clone(),
            note: pod.metadata.annotations.get(LIMIT_NOTE).cloned(),
            epoch,
        });
    }
}

impl ApiServer {
    /// Gives a pod the spec that admission made of an equal one, if there was one.
    pub(crate) fn recall(&self, object: &mut Object, asked: Option<&Asked>) -> bool {
        let Some(asked) = asked.filter(|asked| !asked.noted) else { return false };
        let Some(variants) = self.pods.entries.get(&asked.key) else { return false };
        let found = variants
            .iter()
            .rev()
            .filter(|e| e.epoch == self.pods.epoch)
            .find(|entry| Arc::ptr_eq(&entry.given, &asked.spec) || entry.given == asked.spec);
        let Some(entry) = found else { return false };
        let Some(pod) = object.edit_as::<Pod>() else { return false };
        let node_name = std::mem::take(&mut pod.spec.node_name);
        pod.spec = PlacedSpec::new(entry.made.clone());
        pod.spec.node_name = node_name;
        if let Some(note) = &entry.note {
            Arc::make_mut(&mut pod.metadata).annotations.insert(LIMIT_NOTE, note.clone());
        }
        true
    }

    /// Forgets what was admitted under circumstances that `object` changes.
    pub(crate) fn note_change(&mut self, _: &Row, old: Option<&Object>, new: Option<&Object>) {
        let Some(object) = new.or(old) else { return };
        let count = match (old, new) {
            (None, Some(_)) => 1,
            (Some(_), None) => -1,
            _ => 0,
        };
        if object.get::<LimitRange>().is_some() {
            self.pods.limit_ranges = self.pods.limit_ranges.saturating_add_signed(count);
        } else if object.get::<ResourceQuota>().is_some() {
            self.pods.quotas = self.pods.quotas.saturating_add_signed(count);
        }
        if let Some(namespace) = object.get::<Namespace>() {
            let going = namespace.metadata.deletion_timestamp.is_some()
                || namespace.status.phase == "Terminating";
            match new.is_some() && !going {
                true => self.pods.living.insert(object.name().clone()),
                false => self.pods.living.remove(object.name()),
            };
        }
        let relabelled = object.get::<Namespace>().is_some()
            && old.map(|old| &old.meta().labels) != new.map(|new| &new.meta().labels);
        let matters = relabelled
            || object.get::<ServiceAccount>().is_some()
            || object.get::<LimitRange>().is_some()
            || object.get::<PriorityClass>().is_some()
            || object.get::<RuntimeClass>().is_some();
        if matters {
            self.pods.epoch += 1;
        }
    }
}
