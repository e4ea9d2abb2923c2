//! What the kubelet wants to do later.

use base::{BTreeMap, Instant, Str};

/// Something to do later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Timer {
    /// Registers the node again.
    Register,
    /// Renews the node's lease.
    Lease,
    /// Looks whether the node's status must be written.
    NodeStatus,
    /// Looks at the runtime for changes in a pod.
    Relist(Str),
    /// Syncs a pod.
    Sync(Str),
    /// The step that a worker is busy with has ended.
    Job(Str, u32),
    /// Sends the termination signal to a container.
    Signal(Str, usize),
    /// Kills a container.
    Kill(Str, usize),
    /// Decides the last status of a pod.
    Final(Str),
    /// A probe is due.
    Probe(Str, usize, usize, u32),
    /// The pod's time is over.
    Deadline(Str),
    /// Looks whether what a pod's volumes show has changed.
    Refresh(Str),
    /// Writes a pod's status again.
    Publish(Str),
}

/// Timers ordered by time and by the order in which they were set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeMap<(Instant, u64), Timer>,
    set: u64,
}

impl Timers {
    pub fn set(&mut self, at: Instant, timer: Timer) {
        self.set += 1;
        self.queue.insert((at, self.set), timer);
    }

    pub fn next(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    pub fn due(&mut self, now: Instant) -> Option<Timer> {
        let ((at, _), _) = self.queue.first_key_value()?;
        if *at > now {
            return None;
        }
        self.queue.pop_first().map(|(_, timer)| timer)
    }
}
