//! Scenario and lesson files, checks, share links.
//!
//! A [`Scenario`] is everything a run starts from: a cluster, a seed, image behaviours, manifests
//! byte for byte, and a timeline. A lesson adds steps with prose and [`Check`]s. A [`Share`] is a
//! scenario's inputs plus what was done since, small enough for a link.
//!
//! A [`Script`] is a page of prose, commands and what they print: a story about a cluster, and a test of it.
//!
//! Checks look at a [`World`] and never change it: whoever owns a cluster lends it as one.

mod bind;
pub mod catalogue;
mod check;
mod file;
mod link;
mod outcome;
mod prose;
mod read;
mod report;
mod script;
mod session;
mod span;
mod world;

pub use bind::{History, Looking};
pub use check::{Check, Goal, Progress, Verdict};
pub use file::{
    Addon, ClusterSpec, Event, Fault, Happening, Hint, Image, Kind, Quiz, Scenario, Step, ViewSpec,
};
pub use link::{Fragment, LinkError, Meter, Origin, Share, parse_fragment};
pub use outcome::{Follower, Outcome, run};
pub use prose::blocks;
pub use read::{Invalid, Problem};
pub use report::{Report, Seen};
pub use script::{Played, Script, ScriptError};
pub use session::Session;
pub use span::{format_span, parse_span};
pub use world::{Answer, Change, ChangeKind, Query, World};
