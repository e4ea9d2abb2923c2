//! NodePorts: two pods cannot have the same host port on one node.

use base::Str;

use super::{Incoming, Plugin, Prepared, State, Verdict, node};
use crate::cache::{Cache, NodeId, NodeInfo};

/// The plugin.
pub struct NodePorts;

/// What it says of a node where a port is taken.
pub const REASON: &str = "node(s) didn't have free ports for the requested pod ports";

impl Plugin for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn pre_filter(&self, pod: &Incoming, _: &Cache, _: &mut State) -> Prepared {
        if !pod.needs.ports.is_empty() { Prepared::Run } else { Prepared::Skip }
    }

    fn filter(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        let info = node(cache, id);
        if pod.needs.ports.iter().any(|port| taken(info, port)) {
            return Verdict::unschedulable(REASON);
        }
        Verdict::Pass
    }
}

/// Whether a port is in use; the address 0.0.0.0 stands for all addresses.
fn taken(info: &NodeInfo, (protocol, address, port): &(Str, Str, i32)) -> bool {
    info.ports.keys().any(|(used_protocol, used_address, used_port)| {
        used_protocol == protocol
            && used_port == port
            && (used_address == address || address == "0.0.0.0" || used_address == "0.0.0.0")
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::verdicts;

    fn check(pods: &[&str], pod: &str, expect: &str) {
        let got = verdicts("NodePorts", &["a", "b"], pods, pod);
        let reason = "node(s) didn't have free ports for the requested pod ports";
        assert_eq!(got.replace(reason, "taken"), expect);
    }

    #[test]
    fn a_host_port_is_taken_once_on_a_node() {
        check(&["x on=a port=8080"], "p port=8080", "a:taken b:ok");
    }

    #[test]
    fn another_port_is_free() {
        check(&["x on=a port=8080"], "p port=8081", "a:ok b:ok");
    }

    fn ports(list: &str) -> String {
        format!(r#" | {{"containers":[{{"name":"c","ports":[{list}]}}]}}"#)
    }

    #[test]
    fn the_same_port_of_another_protocol_or_address_is_free() {
        let there = ports(r#"{"containerPort":1,"hostPort":53,"hostIP":"10.0.0.1"}"#);
        let there = format!("x on=a{there}");
        let with = |extra: &str| format!("p{}", ports(&format!(r#"{{"hostPort":53{extra}}}"#)));
        check(&[&there], &with(r#","hostIP":"10.0.0.2""#), "a:ok b:ok");
        check(&[&there], &with(r#","hostIP":"10.0.0.1","protocol":"UDP""#), "a:ok b:ok");
        check(&[&there], &with(r#","hostIP":"10.0.0.1""#), "a:taken b:ok");
    }

    #[test]
    fn all_addresses_together_collide_with_each() {
        let there = ports(r#"{"containerPort":1,"hostPort":53,"hostIP":"10.0.0.1"}"#);
        check(&[&format!("x on=a{there}")], "p port=53", "a:taken b:ok");
    }
}
