//! What all nodes remember of connections, beside the rules that they share.

use base::{HashMap, Str};
use network::tables::Tables;
use network::{NodeState, NodeTables};

use crate::proxy::{Proxy, Synced};

/// The connection memory of every node that ever passed a packet.
#[derive(Clone, Debug, Default)]
pub struct Memories {
    nodes: HashMap<Str, NodeState>,
}

impl Memories {
    /// The memories with the rules of `proxy`: what [`network::request`] asks for.
    pub fn with_proxy<'a>(&'a mut self, proxy: &'a Proxy) -> Passages<'a> {
        Passages { proxy, memories: self }
    }

    /// Forgets the flows to endpoints that are gone.
    pub fn forget(&mut self, synced: &Synced) {
        for state in self.nodes.values_mut() {
            for (endpoint, protocol) in &synced.stale {
                state.forget_endpoint(*endpoint, *protocol);
            }
        }
    }

    /// Forgets a node.
    pub fn remove_node(&mut self, node: &str) {
        self.nodes.remove(node);
    }

    /// How many connections all nodes remember.
    pub fn tracked(&self) -> usize {
        self.nodes.values().map(NodeState::tracked).sum()
    }
}

/// Rules and memories of all nodes for the length of one request.
#[derive(Debug)]
pub struct Passages<'a> {
    proxy: &'a Proxy,
    memories: &'a mut Memories,
}

impl NodeTables for Passages<'_> {
    fn with(&mut self, node: &str, visit: &mut dyn FnMut(&dyn Tables, &mut NodeState)) {
        let Some(view) = self.proxy.view(node) else { return };
        match self.memories.nodes.get_mut(node) {
            Some(state) => visit(&view, state),
            None => {
                let mut state = NodeState::default();
                visit(&view, &mut state);
                self.memories.nodes.insert(node.into(), state);
            }
        }
    }
}
