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
