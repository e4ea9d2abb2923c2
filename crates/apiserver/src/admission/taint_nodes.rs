//! TaintNodesByCondition: a new node takes no pods until it is seen to be ready.

use std::sync::Arc;

use api::core::v1::{Node, Taint};
use api::object::Object;
use base::lit;

/// Adds the not-ready taint.
pub(super) fn admit(object: &mut Object) {
    let Some(node) = object.edit_as::<Node>() else { return };
    let key = lit!("node.kubernetes.io/not-ready");
    let is_there = |taint: &Taint| taint.key == key && taint.effect == "NoSchedule";
    if !node.spec.taints.iter().any(is_there) {
        let taint = Taint { key: key.clone(), effect: lit!("NoSchedule"), ..Taint::default() };
        Arc::make_mut(&mut node.spec).taints.push(taint);
    }
}
