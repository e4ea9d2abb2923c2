//! NodeName: a pod that names its node runs nowhere else.

use super::{Incoming, Plugin, Prepared, State, Verdict, node};
use crate::cache::{Cache, NodeId};

/// The plugin.
pub struct NodeName;

/// What it says of other nodes.
pub const REASON: &str = "node(s) didn't match the requested node name";

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn pre_filter(&self, pod: &Incoming, _: &Cache, _: &mut State) -> Prepared {
        if !pod.pod.spec.node_name.is_empty() { Prepared::Run } else { Prepared::Skip }
    }

    fn filter(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        let wanted = &pod.pod.spec.node_name;
        if wanted.is_empty() || *wanted == node(cache, id).name {
            return Verdict::Pass;
        }
        Verdict::unresolvable(REASON)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::verdicts;

    #[test]
    fn a_pod_that_names_its_node_runs_nowhere_else() {
        let got = verdicts("NodeName", &["a", "b"], &[], "p on=b");
        assert_eq!(got, "a:node(s) didn't match the requested node name! b:ok");
    }

    #[test]
    fn other_pods_run_anywhere() {
        assert_eq!(verdicts("NodeName", &["a", "b"], &[], "p"), "a:ok b:ok");
    }
}
