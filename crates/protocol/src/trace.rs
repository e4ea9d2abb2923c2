//! A request that was followed from its client to the answer.

use serde::{Deserialize, Serialize};

use crate::{Key, Micros};

/// What became of the request at a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It went on.
    Passed,
    /// This one was chosen among several.
    Chosen,
    /// This one was not taken; the reason is in the text.
    Rejected,
    /// It ended here.
    Dropped,
}

/// One stop of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// When, counted from the start of the request.
    pub after: Micros,
    /// Where: `DNS`, `node-1 nat OUTPUT`, `Endpoint 10.244.1.4:8080`.
    pub place: String,
    /// The object, if the place is one.
    pub key: Option<Key>,
    /// What happened there.
    pub text: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The rules that matched, as a node prints them.
    pub rules: Vec<String>,
}

/// A request and everything that happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Counts traces.
    pub id: u32,
    /// When it started.
    pub at: Micros,
    /// Who asked.
    pub from: Key,
    /// What was asked for.
    pub url: String,
    /// It was answered.
    pub ok: bool,
    /// The end in words: `200 OK from web-7d4b9-abcde`, `connection refused`.
    pub result: String,
    /// What was answered, cut to a screenful.
    pub body: String,
    /// How long it took.
    pub took: Micros,
    /// The stops, in order.
    pub hops: Vec<Hop>,
}
