//! The ledger of writes: which request made which revision, and why.

use std::collections::VecDeque;
use std::sync::Arc;

use api::KindInfo;
use api::object::Key;
use api::wire::Cause;
use base::Instant;

/// One write.
#[derive(Clone, Debug)]
pub struct WriteRecord {
    /// The store's revision after it.
    pub revision: i64,
    /// The object.
    pub key: Key,
    /// The object's kind.
    pub kind: &'static KindInfo,
    /// `create`, `update`, `status`, `patch`, `delete` …
    pub verb: &'static str,
    /// Who decided it and what that reacted to.
    pub cause: Cause,
    /// When it was made.
    pub time: Instant,
}

/// The last writes, in order of their revisions. Clones share all full blocks.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    blocks: VecDeque<Arc<Vec<WriteRecord>>>,
}

const BLOCK_LEN: usize = 1_024;
const BLOCKS_MAX: usize = 256;

impl Ledger {
    /// Notes a write that is newer than all before it.
    pub fn record(&mut self, record: WriteRecord) {
        if self.blocks.back().is_none_or(|block| block.len() >= BLOCK_LEN) {
            if self.blocks.len() == BLOCKS_MAX {
                self.blocks.pop_front();
            }
            self.blocks.push_back(Arc::new(Vec::with_capacity(BLOCK_LEN)));
        }
        let block = self.blocks.back_mut().expect("pushed above");
        Arc::make_mut(block).push(record);
    }

    /// The write that made `revision`, unless it is too old.
    pub fn at(&self, revision: i64) -> Option<&WriteRecord> {
        let block = self
            .blocks
            .partition_point(|block| block.last().is_some_and(|last| last.revision < revision));
        let block = self.blocks.get(block)?;
        let at = block.binary_search_by_key(&revision, |record| record.revision).ok()?;
        Some(&block[at])
    }

    /// The newest writes first.
    pub fn newest(&self) -> impl Iterator<Item = &WriteRecord> {
        self.blocks.iter().rev().flat_map(|block| block.iter().rev())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_write_by_its_revision_and_forgets_the_oldest() {
        let mut ledger = Ledger::default();
        let kind = api::KINDS[0];
        let last = 3 * (BLOCK_LEN * BLOCKS_MAX) as i64;
        for revision in (3..=last).step_by(3) {
            let key = Key::new("ns", format!("n{revision}"));
            let (verb, cause, time) = ("create", Cause::default(), Instant::START);
            ledger.record(WriteRecord { revision, key, kind, verb, cause, time });
        }
        assert_eq!(ledger.at(last).map(|r| r.key.name.as_str()), Some(&*format!("n{last}")));
        assert!(ledger.at(last - 1).is_none());
        assert_eq!(ledger.at(3).map(|r| r.revision), Some(3));
        let key = Key::new("ns", "more");
        let (verb, cause, time) = ("create", Cause::default(), Instant::START);
        ledger.record(WriteRecord { revision: last + 1, key, kind, verb, cause, time });
        assert!(ledger.at(3).is_none());
        assert!(ledger.at(last + 1).is_some());
    }
}
