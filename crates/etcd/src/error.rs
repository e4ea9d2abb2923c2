//! What etcd answers when it refuses a request.

/// Why a request was refused. The store is left unchanged in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The revision lies before the last compaction.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    /// The revision has not been reached yet.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,
    /// An empty key.
    #[error("etcdserver: key is not provided")]
    EmptyKey,
    /// A transaction would write one key twice.
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,
    /// A transaction with more than 128 compares or operations.
    #[error("etcdserver: too many operations in txn request")]
    TooManyOps,
    /// A request above the limit of 1.5 MiB.
    #[error("etcdserver: request is too large")]
    RequestTooLarge,
    /// The lease has never been granted, has expired or was revoked.
    #[error("etcdserver: requested lease not found")]
    LeaseNotFound,
    /// The id of a lease to grant is taken.
    #[error("etcdserver: lease already exists")]
    LeaseExists,
    /// A time to live above 9,000,000,000 seconds.
    #[error("etcdserver: too large lease TTL")]
    LeaseTtlTooLarge,
}
