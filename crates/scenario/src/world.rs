//! What checks may ask of a cluster.

use api::json::Json;
use base::{Instant, Str};

/// Which objects are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// `apps/v1`; empty for any version of the kind.
    pub api_version: Str,
    /// `Deployment`
    pub kind: Str,
    /// The namespace; objects without one are always meant.
    pub namespace: Str,
    /// The name; empty for any.
    pub name: Str,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was created.
    Added,
    /// It was changed.
    Modified,
    /// It is gone.
    Deleted,
}

impl ChangeKind {
    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Added => "Added",
            ChangeKind::Modified => "Modified",
            ChangeKind::Deleted => "Deleted",
        }
    }
}

/// One entry of the cluster's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What happened.
    pub event: ChangeKind,
    /// To which kind of object.
    pub kind: Str,
    /// Its namespace; empty if it has none.
    pub namespace: Str,
    /// Its name.
    pub name: Str,
    /// Its labels, at that moment.
    pub labels: Vec<(Str, Str)>,
}

/// The end of one request over the cluster's network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The pod that answered.
    pub pod: Option<Str>,
    /// Why there was none, such as `connection refused`.
    pub problem: Str,
}

/// A cluster as checks see it. Nothing here changes it: requests run on a copy.
pub trait World {
    /// The time in the cluster.
    fn now(&self) -> Instant;

    /// The objects that a query means, as the API serves them, ordered by namespace and name.
    fn objects(&self, query: &Query) -> Vec<Json>;

    /// What happened to objects of a kind after a moment.
    fn history(&self, kind: &str, after: Instant) -> Vec<Change>;

    /// Sends the same GET request several times, one after the other, and tells how each ended.
    /// `from` names a pod of the default namespace, or is empty for somebody inside the cluster.
    fn requests(&self, from: &str, url: &str, times: u32) -> Vec<Answer>;
}
