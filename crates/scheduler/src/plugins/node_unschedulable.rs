//! NodeUnschedulable: a cordoned node takes only pods that tolerate it.

use api::node_fit::tolerates;
use base::lit;

use super::{Incoming, Plugin, Prepared, State, Verdict, node};
use crate::cache::{Cache, NodeId};

/// The plugin.
pub struct NodeUnschedulable;

/// What it says of a cordoned node.
pub const REASON: &str = "node(s) were unschedulable";

impl Plugin for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn pre_filter(&self, _: &Incoming, _: &Cache, _: &mut State) -> Prepared {
        Prepared::Run
    }

    fn filter(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        let Some(node) = &node(cache, id).node else { return Verdict::unresolvable(REASON) };
        if !node.spec.unschedulable {
            return Verdict::Pass;
        }
        let taint = api::core::v1::Taint {
            key: lit!("node.kubernetes.io/unschedulable"),
            effect: lit!("NoSchedule"),
            ..Default::default()
        };
        if pod.needs.tolerations().iter().any(|t| tolerates(t, &taint)) {
            return Verdict::Pass;
        }
        Verdict::unresolvable(REASON)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::verdicts;

    fn check(pod: &str, expect: &str) {
        let got = verdicts("NodeUnschedulable", &["a cordoned", "b"], &[], pod);
        assert_eq!(got, expect);
    }

    #[test]
    fn a_cordoned_node_takes_no_new_pods() {
        check("p", "a:node(s) were unschedulable! b:ok");
    }

    #[test]
    fn unless_they_tolerate_it() {
        let toleration = r#"{"key":"node.kubernetes.io/unschedulable","operator":"Exists"}"#;
        check(&format!(r#"p | {{"tolerations":[{toleration}]}}"#), "a:ok b:ok");
    }
}
