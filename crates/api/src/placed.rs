//! A pod's spec with its node beside it, so that the replicas of one template share everything else.

use std::ops::Deref;
use std::sync::Arc;

use base::Str;

use crate::codec::{Record, Shaped, record_value};
use crate::core::v1::{PODSPEC_TABLE as TABLE, PodSpec};
use crate::schema::Schema;

/// The spec of a pod: everything that its template gave, shared, and the node it was bound to.
///
/// Reads as a [`PodSpec`] whose own `node_name` is never set.
#[derive(Clone, Default)]
pub struct PlacedSpec {
    /// The node that runs the pod; empty until it is bound.
    pub node_name: Str,
    shared: Arc<PodSpec>,
}

impl PlacedSpec {
    /// The spec of a pod that was made from a template; the template's own node name moves beside it.
    pub fn new(spec: Arc<PodSpec>) -> PlacedSpec {
        if spec.node_name.is_empty() {
            return PlacedSpec { node_name: Str::new(), shared: spec };
        }
        let mut own = (*spec).clone();
        let node_name = std::mem::take(&mut own.node_name);
        PlacedSpec { node_name, shared: Arc::new(own) }
    }

    /// The shared part.
    pub fn shared(&self) -> &Arc<PodSpec> {
        &self.shared
    }

    /// The shared part, to change it (copied first where it is shared). Leave its `node_name` alone.
    pub fn edit(&mut self) -> &mut PodSpec {
        Arc::make_mut(&mut self.shared)
    }

    /// Replaces the shared part by an equal one that others hold too.
    pub fn share(&mut self, spec: &Arc<PodSpec>) {
        if !Arc::ptr_eq(&self.shared, spec) && self.shared == *spec {
            self.shared = spec.clone();
        }
    }
}

impl Deref for PlacedSpec {
    type Target = PodSpec;
    fn deref(&self) -> &PodSpec {
        &self.shared
    }
}

fn node_name_at() -> usize {
    TABLE.index_of("nodeName").expect("PodSpec has a nodeName")
}

impl Record for PlacedSpec {
    fn schema(&self) -> &'static Schema {
        &TABLE
    }
    fn field(&self, index: usize) -> &dyn Shaped {
        if TABLE.fields[index].name == "nodeName" {
            &self.node_name
        } else {
            self.shared.field(index)
        }
    }
    fn field_mut(&mut self, index: usize) -> &mut dyn Shaped {
        if index == node_name_at() { &mut self.node_name } else { self.edit().field_mut(index) }
    }
}

record_value!(PlacedSpec);
