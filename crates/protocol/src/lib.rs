//! The messages between worker and page: commands, view operations, frames.
//!
//! Both ends are built from this crate. A message crosses `postMessage` as plain JavaScript data
//! (structured clone), so every number stays below 2^53: times are whole microseconds of virtual
//! time, and a seed travels as text.
//!
//! The page holds no Kubernetes logic: what arrives here is finished. Words are spelled out,
//! statuses
//! are decided, names are shortened, and an item says which item it sits in.

mod command;
mod inspect;
mod item;
mod lesson;
mod message;
mod trace;

pub use command::{Clock, Command, Fault, Start, Subscription};
pub use inspect::{Action, Cause, EventRow, Fact, Inspection, Section, Verdict};
pub use item::{Gauge, Item, Key, Kind, Mark, Op, Pulse, State, Tie, Tone, View};
pub use lesson::{
    Block, CheckState, LessonCard, LessonCommand, LessonState, Quiz, Span, StepState,
};
pub use message::{
    AppliedLine, Choice, ClockState, Frame, LogLine, Message, Moment, Problem, Reset, Speed,
    ViewFrame,
};
pub use trace::{Hop, Outcome, Trace};

/// A point or a length of virtual time, in microseconds since the cluster started.
pub type Micros = u64;

/// Which build this is. A page and a worker of different builds do not understand each other, so
/// the
/// worker says it first and the page compares.
pub const BUILD: &str = match option_env!("ORRERY_BUILD") {
    Some(build) => build,
    None => "dev",
};
