//! The MVCC store: revisions, ranges, transactions, watches, leases, compaction.
