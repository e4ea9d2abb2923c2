//! What the page asks of the worker.

use serde::{Deserialize, Serialize};

use crate::{Key, LessonCommand, Speed, View};

/// Where a cluster comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// The cluster the page opens on: three nodes, a Deployment of three, a Service and a client.
    Default,
    /// The fragment of a share link, with or without its `#`.
    Share(String),
    /// A built-in lesson, by name.
    Lesson(String),
    /// An empty cluster with so many nodes, that a benchmark fills.
    Bench {
        /// How many nodes.
        nodes: u32,
        /// How many pods.
        pods: u32,
    },
}

/// A view the page wants to see, and which object it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The view.
    pub view: View,
    /// The object the view is about; none lets the worker choose.
    pub focus: Option<Key>,
}

/// The hand on the clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Clock {
    /// Let time pass.
    Play,
    /// Hold time.
    Pause,
    /// Let one event happen, and hold.
    Step,
    /// How fast time passes.
    Speed(Speed),
}

/// A thing that goes wrong, or is put right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The machine loses its power.
    NodeOff(Key),
    /// The machine starts again.
    NodeOn(Key),
    /// The pod's processes die at once; the API does not know.
    KillPod(Key),
    /// A part of the control plane or of a node stops.
    Unplug(Key),
    /// It starts again.
    Plug(Key),
    /// Nothing passes between two items.
    CutLink(Key, Key),
    /// It passes again.
    HealLink(Key, Key),
}

/// A command from the page to the worker. The worker answers in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// First of all: build a cluster. A second one replaces the first.
    Boot {
        /// Which cluster.
        start: Start,
    },
    /// Which views to send. The first frame after it holds them whole.
    Subscribe(Vec<Subscription>),
    /// The frame was drawn: the next may come.
    Ack {
        /// Which frame.
        seq: u32,
    },
    /// Time.
    Clock(Clock),
    /// Apply the text of the editor.
    Apply {
        /// One or more YAML documents.
        yaml: String,
    },
    /// A line of the terminal.
    Terminal {
        /// Returned with the answer.
        id: u32,
        /// The line as typed.
        line: String,
    },
    /// Ctrl-C.
    Interrupt {
        /// The line that is to end.
        id: u32,
    },
    /// Break or mend something.
    Fault(Fault),
    /// What the inspector shows from now on; none closes it.
    Inspect(Option<Key>),
    /// Send one request and follow it.
    Request {
        /// Who sends it: a client or a pod.
        from: Key,
        /// Where to.
        url: String,
    },
    /// Make a link of the cluster.
    Share {
        /// The link opens at the start instead of at this moment.
        from_start: bool,
    },
    /// Something about a lesson.
    Lesson(LessonCommand),
}
