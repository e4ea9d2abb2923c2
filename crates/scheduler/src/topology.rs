//! Topology domains: which nodes a label key puts together, and counts for each domain.

use std::sync::Arc;

use base::{HashMap, Str};

use crate::cache::{Cache, NodeId};

/// The domains of one label key.
#[derive(Debug)]
pub struct Domains {
    /// The label key.
    pub key: Str,
    /// How many there are.
    pub count: usize,
    of: Vec<u32>,
}

/// Of no domain: the node lacks the label.
const NOWHERE: u32 = u32::MAX;

impl Domains {
    fn new(key: &Str, cache: &Cache) -> Domains {
        let mut numbers: HashMap<Str, u32> = HashMap::default();
        let mut of = vec![NOWHERE; cache.nodes.len()];
        for (slot, info) in of.iter_mut().zip(&cache.nodes) {
            let value = info.node.as_ref().and_then(|node| node.metadata.labels.get(key));
            if let Some(value) = value {
                let next = numbers.len() as u32;
                *slot = *numbers.entry(value.clone()).or_insert(next);
            }
        }
        Domains { key: key.clone(), count: numbers.len(), of }
    }

    /// The number of a node's domain.
    pub fn of(&self, id: NodeId) -> Option<usize> {
        self.of.get(id as usize).filter(|domain| **domain != NOWHERE).map(|domain| *domain as usize)
    }
}

impl Cache {
    /// The domains of a label key, as the nodes' labels are now.
    pub fn domains_of(&self, key: &Str) -> Arc<Domains> {
        if let Some(known) = self.domains.borrow().get(key) {
            return known.clone();
        }
        let new = Arc::new(Domains::new(key, self));
        self.domains.borrow_mut().insert(key.clone(), new.clone());
        new
    }
}

/// A number for each domain.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The domains.
    pub domains: Arc<Domains>,
    /// The numbers.
    pub counts: Vec<i64>,
}

impl Tally {
    /// Zero everywhere.
    pub fn new(domains: Arc<Domains>) -> Tally {
        let counts = vec![0; domains.count];
        Tally { domains, counts }
    }

    /// Adds to the domain of a node.
    pub fn add(&mut self, id: NodeId, by: i64) {
        if let Some(domain) = self.domains.of(id) {
            self.counts[domain] += by;
        }
    }

    /// The number for the domain of a node; `None` where it is in no domain.
    pub fn at(&self, id: NodeId) -> Option<i64> {
        self.domains.of(id).map(|domain| self.counts[domain])
    }

    /// Whether the domain of a node counts anything.
    pub fn is_positive(&self, id: NodeId) -> bool {
        self.at(id).is_some_and(|count| count > 0)
    }
}
