//! NodeName: a pod that names its node runs nowhere else.

use super::{Incoming, Plugin, State, Verdict, node};
use crate::cache::{Cache, NodeId};

/// The plugin.
pub struct NodeName;

/// What it says of other nodes.
pub const REASON: &str = "node(s) didn't match the requested node name";

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn pre_filter(&self, pod: &Incoming<'_>, _: &Cache, _: &mut State) -> bool {
        !pod.needs.spec.node_name.is_empty()
    }

    fn filter(&self, pod: &Incoming<'_>, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        let wanted = &pod.needs.spec.node_name;
        if wanted.is_empty() || *wanted == node(cache, id).name {
            return Verdict::Pass;
        }
        Verdict::unresolvable(REASON)
    }
}
