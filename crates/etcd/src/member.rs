//! One etcd member: a copy of the store, and the watches of the clients that are connected to it.

use crate::{Command, Outcome, Store, Watches};

/// A member applies the committed commands in order. Its watches are its own.
#[derive(Clone, Debug)]
pub struct Member<V> {
    store: Store<V>,
    watches: Watches<V>,
    applied: u64,
}

impl<V: Clone> Member<V> {
    /// A member that starts from `store` with no watch.
    pub fn new(store: Store<V>) -> Member<V> {
        Member { store, watches: Watches::default(), applied: 0 }
    }

    /// Applies the next committed command, and tells the watches what it changed.
    pub fn apply(&mut self, command: Command<V>) -> Outcome<V> {
        self.applied += 1;
        let number = self.store.history().next();
        let outcome = self.store.apply(command);
        self.watches.publish(&self.store, number);
        outcome
    }

    /// How many commands have been applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The member's copy of the store.
    pub fn store(&self) -> &Store<V> {
        &self.store
    }

    /// The store to read and the watches to change.
    pub fn parts(&mut self) -> (&Store<V>, &mut Watches<V>) {
        (&self.store, &mut self.watches)
    }
}
