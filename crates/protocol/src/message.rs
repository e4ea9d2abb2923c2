//! What the worker tells the page.

use serde::{Deserialize, Serialize};

use crate::{Inspection, Key, LessonCard, LessonState, Micros, Op, Subscription, Trace, View};

/// How fast virtual time passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Speed {
    /// So many virtual seconds in a second.
    Times(f64),
    /// As fast as the computer can.
    Max,
}

/// What the timeline shows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockState {
    /// Time passes.
    pub playing: bool,
    /// How fast it should.
    pub speed: Speed,
    /// Virtual seconds that passed in the last wall second.
    pub rate: f64,
}

/// An object a view can be about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The object.
    pub key: Key,
    /// What to call it: `default/web`.
    pub label: String,
}

/// Says that a view starts afresh, and what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// The object it shows.
    pub focus: Option<Key>,
}

/// The changes of one view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewFrame {
    /// Which view.
    pub view: View,
    /// Forget everything of this view first.
    pub reset: Option<Reset>,
    /// The objects it could be about, when that list changed.
    pub choices: Option<Vec<Choice>>,
    /// Changes, in order.
    pub ops: Vec<Op>,
}

/// One line of the log: what happened, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: Micros,
    /// The sentence.
    pub text: String,
    /// The object it is about.
    pub about: Option<Key>,
    /// Something went wrong.
    pub warning: bool,
}

/// Everything that changed since the last acknowledged frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Counts frames; returned by `Ack`.
    pub seq: u32,
    /// The virtual time it shows.
    pub at: Micros,
    /// The timeline.
    pub clock: ClockState,
    /// The views.
    pub views: Vec<ViewFrame>,
    /// The log, oldest first.
    pub log: Vec<LogLine>,
}

/// One line of what an apply did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedLine {
    /// As kubectl says it: `deployment.apps/web configured`.
    pub text: String,
    /// The object.
    pub key: Option<Key>,
}

/// Something wrong in the text of the editor, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Line, from 1; 0 if the place is unknown.
    pub line: u32,
    /// Column, from 1; 0 if the place is unknown.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

/// A moment of a run: two runs that say the same of it made the same writes at the same times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub at: Micros,
    /// The trace hash, in hexadecimal digits.
    pub trace: String,
}

/// A message from the worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// The worker lives. Sent before any command arrives.
    Loaded {
        /// The build of the worker; the page compares it with its own.
        build: String,
    },
    /// The cluster is built and runs.
    Ready {
        /// The version of Kubernetes that is modelled.
        version: String,
        /// The seed, as text.
        seed: String,
        /// The lessons there are.
        lessons: Vec<LessonCard>,
        /// What to show first, where the scenario says so.
        show: Option<Subscription>,
    },
    /// The cluster could not be built as asked: a damaged link. The default one runs instead.
    Refused {
        /// Why.
        reason: String,
    },
    /// Changes.
    Frame(Box<Frame>),
    /// What a line of the terminal printed since the last message about it.
    Terminal {
        /// The line's number.
        id: u32,
        /// The text, of both streams, as printed.
        text: String,
        /// The exit code, once it has ended.
        code: Option<i32>,
    },
    /// The line that does the same as what was clicked.
    Echo {
        /// A command line for the terminal.
        line: String,
    },
    /// What an apply did.
    Applied {
        /// What was done, one line per document.
        lines: Vec<AppliedLine>,
        /// What was wrong; nothing of a document with a problem was applied.
        problems: Vec<Problem>,
    },
    /// The inspected object, as often as it changes.
    Inspection(Box<Inspection>),
    /// A request that was followed.
    Trace(Box<Trace>),
    /// A link.
    Share {
        /// The fragment, with its `#`.
        fragment: String,
        /// The moment it opens at; none for the start.
        moment: Option<Moment>,
    },
    /// The run of a link was repeated up to the moment it is about.
    Repeated {
        /// What this run is at that moment.
        moment: Moment,
        /// Whether it is what the link says; none where the link does not say.
        same: Option<bool>,
    },
    /// The lesson that runs, or none.
    Lesson(Option<Box<LessonState>>),
    /// A benchmark's result, as JSON.
    Bench {
        /// The JSON text.
        json: String,
    },
    /// The model broke one of its own rules and stopped.
    Crashed {
        /// What it said.
        message: String,
        /// The seed.
        seed: String,
        /// The report: everything that was done to the cluster, enough to repeat the run.
        log: String,
    },
}
