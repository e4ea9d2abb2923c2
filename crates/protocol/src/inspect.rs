//! The inspector: one object from all sides.

use serde::{Deserialize, Serialize};

use crate::{Fault, Key, Kind, Micros, State};

/// A name and a value, both in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The object the value names.
    pub link: Option<Key>,
}

/// A group of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// The facts.
    pub facts: Vec<Fact>,
}

/// A recorded event of the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// A `Warning`, not `Normal`.
    pub warning: bool,
    /// `Scheduled`, `Pulled`, `BackOff`.
    pub reason: String,
    /// When it was seen last.
    pub at: Micros,
    /// Who recorded it.
    pub from: String,
    /// The sentence.
    pub message: String,
    /// How often it was seen.
    pub count: u32,
}

/// One link of the chain of causes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// When.
    pub at: Micros,
    /// Who acted: `kube-scheduler`, `kubectl`.
    pub who: String,
    /// What was done: `created Pod default/web-7d4b9-abcde`.
    pub what: String,
    /// The object that was written.
    pub about: Option<Key>,
}

/// What the scheduler says of one node or of many alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The node, or how many.
    pub node: String,
    /// The plugin that refused.
    pub plugin: String,
    /// Its reason.
    pub reason: String,
}

/// Something that can be done to the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A command line that the terminal runs.
    Run {
        /// The words of the button.
        label: String,
        /// The line.
        line: String,
    },
    /// A fault.
    Break {
        /// The words of the button.
        label: String,
        /// The fault.
        fault: Fault,
    },
}

/// An object from all sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// Which object.
    pub key: Key,
    /// What it is.
    pub kind: Kind,
    /// What to call it: `Pod default/web-7d4b9-abcde`.
    pub title: String,
    /// Its status.
    pub state: State,
    /// It does not exist any more; the rest is what was known last.
    pub gone: bool,
    /// The summary.
    pub summary: Vec<Section>,
    /// The object as YAML, or nothing for a part that is no object.
    pub yaml: String,
    /// Its events, newest first.
    pub events: Vec<EventRow>,
    /// Why it is as it is, newest first.
    pub causes: Vec<Cause>,
    /// Why it has no node.
    pub verdicts: Vec<Verdict>,
    /// What can be done.
    pub actions: Vec<Action>,
}
