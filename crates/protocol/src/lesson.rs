//! Lessons as the page shows them: prose in blocks, checks with their state.

use serde::{Deserialize, Serialize};

/// A lesson on a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LessonCard {
    /// Its name in links.
    pub name: String,
    /// Its title.
    pub title: String,
    /// How long it takes.
    pub minutes: u32,
    /// What it is about.
    pub concepts: Vec<String>,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Span {
    /// Plain words.
    Text(String),
    /// Words that matter.
    Strong(String),
    /// A name or a value.
    Code(String),
    /// A command line that runs when clicked.
    Run(String),
    /// Text that is copied when clicked.
    Copy(String),
}

/// A piece of prose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Block {
    /// A heading inside the text.
    Heading(String),
    /// A paragraph.
    Paragraph(Vec<Span>),
    /// A list.
    List(Vec<Vec<Span>>),
    /// Lines of code.
    Code(String),
}

/// One check of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckState {
    /// What is looked for.
    pub text: String,
    /// It was found.
    pub done: bool,
    /// Why it was not, yet.
    pub why: String,
}

/// A question at the end of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiz {
    /// The question.
    pub ask: String,
    /// The answers to choose from.
    pub options: Vec<String>,
    /// What was answered, and whether that was right.
    pub answered: Option<(u32, bool)>,
}

/// One step of a lesson.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    /// Its name in links.
    pub name: String,
    /// The prose.
    pub text: Vec<Block>,
    /// The checks.
    pub checks: Vec<CheckState>,
    /// The hints that are due.
    pub hints: Vec<String>,
    /// The command lines that solve it, shown on demand.
    pub solution: Vec<String>,
    /// The question.
    pub quiz: Option<Quiz>,
    /// Every check passed and the question is answered.
    pub done: bool,
}

/// A lesson that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LessonState {
    /// Its card.
    pub card: LessonCard,
    /// The step that is open, from 0.
    pub at: u32,
    /// All steps up to the open one, and it.
    pub steps: Vec<StepState>,
    /// How many steps there are.
    pub count: u32,
    /// The last step is done.
    pub done: bool,
}

/// What the page asks about lessons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LessonCommand {
    /// Start one, on its own cluster.
    Start(String),
    /// Open the next step.
    Next,
    /// Answer the question of the open step.
    Answer(u32),
    /// Leave; the cluster stays.
    Leave,
}
