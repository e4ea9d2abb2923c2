//! Nominated pods: those that wait for room which is being made for them on a node.

use api::core::v1::Pod;
use api::object::Key;

use crate::cache::{Cache, Placed};

/// A pod that waits for room on a node.
#[derive(Clone, Debug)]
pub struct Nominee {
    /// The pod.
    pub key: Key,
    /// As if it were there.
    pub placed: Placed,
}

impl Cache {
    /// Notes that a pod waits for room on a node; an empty name withdraws it.
    pub fn nominate(&mut self, pod: &Pod, node: &str) {
        let key = Key::of(&pod.metadata);
        let id = self.by_name.get(node).copied();
        if id.is_some() && self.nominated.get(&key).copied() == id {
            return;
        }
        self.withdraw(&key);
        if let Some(id) = id {
            let placed = self.as_placed(pod);
            self.nominees.entry(id).or_default().push(Nominee { key: key.clone(), placed });
            self.nominated.insert(key, id);
        }
    }

    /// The pod does not wait for room on a node any more.
    pub fn withdraw(&mut self, key: &Key) {
        let Some(id) = self.nominated.remove(key) else { return };
        if let Some(nominees) = self.nominees.get_mut(&id) {
            nominees.retain(|nominee| nominee.key != *key);
            if nominees.is_empty() {
                self.nominees.remove(&id);
            }
        }
    }
}
