//! Nodes.
//!
//! Models `ValidateNode`.
//!
//! Known deviations: none.

use api::core::v1::{Node, Taint};
use api::names;
use base::HashSet;

use super::{resources, scheduling};
use crate::validation::check::Errors;
use crate::validation::ip;
use crate::validation::path::Path;

/// A node besides its metadata.
pub fn node(e: &mut Errors, node: &Node) {
    taints(e, &node.spec.taints, &Path::root("spec.taints"));
    let list = Path::root("spec.podCIDRs");
    for (i, range) in node.spec.pod_cidrs.iter().enumerate() {
        ip::range(e, &list.index(i), range);
    }
    status(e, node);
}

/// What the node says of itself.
pub fn status(e: &mut Errors, node: &Node) {
    let at = Path::root("status");
    for (field, list) in
        [("capacity", &node.status.capacity), ("allocatable", &node.status.allocatable)]
    {
        for (name, value) in list.iter() {
            resources::amount(e, name, value, &at.child(field).key(name));
        }
    }
    let mut seen = HashSet::default();
    for (i, address) in node.status.addresses.iter().enumerate() {
        if !seen.insert((&address.type_, &address.address)) {
            let at = at.child("addresses");
            e.duplicate(&at.index(i), &crate::validation::check::json(address));
        }
    }
}

fn taints(e: &mut Errors, taints: &[Taint], list: &Path) {
    let mut seen = HashSet::default();
    for (i, taint) in taints.iter().enumerate() {
        let at = list.index(i);
        e.qualified(&at.child("key"), &taint.key);
        let complaints = names::label_value(&taint.value);
        if !complaints.is_empty() {
            e.invalid(&at.child("value"), &taint.value, &complaints.join(";"));
        }
        scheduling::effect(e, &taint.effect, &at.child("effect"));
        if !seen.insert((&taint.key, &taint.effect)) {
            let shown = crate::validation::check::json(taint);
            e.duplicate(&at, &shown);
        }
    }
}
