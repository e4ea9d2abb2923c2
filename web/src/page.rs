//! Everything the page knows, and the one function that changes it.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use protocol::{
    AppliedLine, ClockState, Frame, Inspection, Key, Kind, LessonCard, LessonState, LogLine,
    Message, Micros, Moment, Problem, Speed, Subscription, Trace, View,
};
use yew::{Callback, Reducible};

use crate::board::Board;
use crate::words::{self, Piece, pieces};

const LOG_MAX: usize = 200;
const TERMINAL_MAX: usize = 200;
/// Pieces kept of the output of one line, as of a watch that runs for long.
const PIECES_MAX: usize = 4_000;
const TRACES_MAX: usize = 30;

/// How the page stands with its worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// The worker starts.
    Starting,
    /// The cluster runs.
    Running,
    /// The model broke one of its rules.
    Crashed {
        /// What it said.
        message: String,
        /// The seed.
        seed: String,
        /// What was done.
        log: String,
    },
    /// There is no worker to talk to.
    Lost(String),
}

/// What the dock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dock {
    /// Command lines.
    Terminal,
    /// YAML.
    Editor,
    /// Requests.
    Traffic,
}

/// What the left rail shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rail {
    /// Every object by name.
    Outline,
    /// Lessons, or the one that runs.
    Learn,
}

/// A window over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// The link.
    Share,
    /// What is modelled and what is not.
    Fidelity,
    /// The keys.
    Help,
}

/// A sentence that stays until it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Something went wrong.
    pub bad: bool,
    /// The sentence.
    pub text: String,
}

/// A link, as far as it is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shared {
    /// It opens at the start, not at this moment.
    pub from_start: bool,
    /// The fragment, once it is made.
    pub fragment: Option<Rc<str>>,
    /// The moment it opens at.
    pub moment: Option<Moment>,
}

/// A line of the terminal with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number; 0 for an echo.
    pub id: u32,
    /// What was typed, or the line that does the same as a click.
    pub line: String,
    /// Printed as an echo only.
    pub echo: bool,
    /// What came back so far, in clickable pieces.
    pub output: Vec<Piece>,
    /// Its exit code; none while it runs.
    pub code: Option<i32>,
}

/// What the last apply did.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// What was done.
    pub lines: Vec<AppliedLine>,
    /// What was wrong.
    pub problems: Vec<Problem>,
}

/// The state of the page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The worker.
    pub phase: Phase,
    /// The version of Kubernetes.
    pub version: String,
    /// A sentence to show above the outline, such as why a link was refused.
    pub notice: Option<Notice>,
    /// Virtual time.
    pub at: Micros,
    /// The timeline.
    pub clock: ClockState,
    /// The views that arrive.
    pub boards: BTreeMap<View, Rc<Board>>,
    /// The view on the stage.
    pub view: View,
    /// What each view was asked to be about.
    pub focus: BTreeMap<View, Key>,
    /// The selected object.
    pub selected: Option<Key>,
    /// What is known of it.
    pub inspection: Option<Rc<Inspection>>,
    /// The dock's tab.
    pub dock: Dock,
    /// The rail's tab.
    pub rail: Rail,
    /// The open window.
    pub dialog: Option<Dialog>,
    /// The terminal.
    pub terminal: Rc<Vec<Rc<Entry>>>,
    /// The text to put into the editor; the number grows with each.
    pub draft: (u32, Rc<str>),
    /// The last apply.
    pub applied: Option<Rc<Applied>>,
    /// Requests, newest first.
    pub traces: Rc<VecDeque<Rc<Trace>>>,
    /// What happened, oldest first.
    pub log: Rc<VecDeque<LogLine>>,
    /// How many lines the log ever had.
    pub logged: u32,
    /// The lessons there are.
    pub lessons: Rc<Vec<LessonCard>>,
    /// The lesson that runs.
    pub lesson: Option<Rc<LessonState>>,
    /// The link.
    pub share: Shared,
    /// A benchmark's result.
    pub bench: Option<Rc<str>>,
}

impl Default for Page {
    fn default() -> Page {
        Page {
            phase: Phase::Starting,
            version: String::new(),
            notice: None,
            at: 0,
            clock: ClockState { playing: true, speed: Speed::Times(1.0), rate: 0.0 },
            boards: BTreeMap::new(),
            view: View::Architecture,
            focus: BTreeMap::new(),
            selected: None,
            inspection: None,
            dock: Dock::Terminal,
            rail: Rail::Outline,
            dialog: None,
            terminal: Rc::default(),
            draft: (0, Rc::from("")),
            applied: None,
            traces: Rc::default(),
            log: Rc::default(),
            logged: 0,
            lessons: Rc::default(),
            lesson: None,
            share: Shared::default(),
            bench: None,
        }
    }
}

/// Something that changes the page.
#[derive(Clone, Debug)]
pub enum Act {
    /// The worker said something.
    Worker(Box<Message>),
    /// The worker cannot be reached.
    Lost(String),
    /// A new worker starts.
    Restarted,
    /// Another diagram.
    Show(View),
    /// Another object for a diagram.
    Focus(View, Key),
    /// Another object for the inspector.
    Select(Option<Key>),
    /// Another tab of the dock.
    Dock(Dock),
    /// Another tab of the rail.
    Rail(Rail),
    /// A window opens or closes.
    Dialog(Option<Dialog>),
    /// A link is asked for.
    Share {
        /// It opens at the start, not at this moment.
        from_start: bool,
    },
    /// A line was sent to the terminal.
    Typed {
        /// Its number.
        id: u32,
        /// The line.
        line: String,
    },
    /// The terminal is emptied.
    ClearTerminal,
    /// A text goes to the editor.
    Edit(String),
    /// The notice was read.
    Dismiss,
}

/// How components reach the worker and the page.
#[derive(Clone, PartialEq)]
pub struct Bus {
    /// Sends a command to the worker.
    pub send: Callback<protocol::Command>,
    /// Changes the page.
    pub act: Callback<Act>,
    /// Runs a line in the terminal.
    pub run: Callback<String>,
    /// Starts a new worker.
    pub restart: Callback<()>,
}

impl Page {
    /// The board of a view, empty if none arrived.
    pub fn board(&self, view: View) -> Rc<Board> {
        self.boards.get(&view).cloned().unwrap_or_default()
    }

    /// What to subscribe to. The outline needs the architecture whatever is on the stage.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        let mut views = vec![View::Architecture];
        if self.view != View::Architecture {
            views.push(self.view);
        }
        views
            .into_iter()
            .map(|view| Subscription { view, focus: self.focus.get(&view).cloned() })
            .collect()
    }

    fn worker(&mut self, message: Message) {
        match message {
            Message::Loaded { build } => {
                if build != protocol::BUILD {
                    self.phase = Phase::Lost(
                        "The page and its model are of different builds. Reload the page.".into(),
                    );
                }
            }
            Message::Ready { version, lessons, show, .. } => {
                self.phase = Phase::Running;
                self.version = version;
                self.lessons = Rc::new(lessons);
                // Another cluster: what was selected or asked for belonged to the one before.
                self.boards.clear();
                self.focus.clear();
                self.selected = None;
                self.inspection = None;
                self.applied = None;
                self.traces = Rc::default();
                self.log = Rc::default();
                if let Some(Subscription { view, focus }) = show {
                    self.view = view;
                    self.focus.extend(focus.map(|focus| (view, focus)));
                }
            }
            Message::Refused { reason } => self.notice = Some(Notice { bad: true, text: reason }),
            Message::Repeated { moment, same } => self.notice = Some(repeated(&moment, same)),
            Message::Frame(frame) => self.frame(*frame),
            Message::Terminal { id, text, code } => self.answer(id, &text, code),
            Message::Echo { line } => {
                let entry = Entry { id: 0, line, echo: true, output: vec![], code: Some(0) };
                self.push_entry(entry);
            }
            Message::Applied { lines, problems } => {
                self.applied = Some(Rc::new(Applied { lines, problems }));
            }
            Message::Inspection(inspection) => {
                if self.selected.as_ref() == Some(&inspection.key) {
                    self.inspection = Some(Rc::new(*inspection));
                }
            }
            Message::Trace(trace) => {
                let traces = Rc::make_mut(&mut self.traces);
                traces.push_front(Rc::new(*trace));
                traces.truncate(TRACES_MAX);
            }
            Message::Share { fragment, moment } => {
                self.share.fragment = Some(Rc::from(fragment));
                self.share.moment = moment;
            }
            Message::Lesson(lesson) => {
                if lesson.is_some() && self.lesson.is_none() {
                    self.rail = Rail::Learn;
                }
                self.lesson = lesson.map(|lesson| Rc::new(*lesson));
            }
            Message::Bench { json } => self.bench = Some(Rc::from(json)),
            Message::Crashed { message, seed, log } => {
                self.phase = Phase::Crashed { message, seed, log };
            }
        }
    }

    fn frame(&mut self, frame: Frame) {
        self.at = frame.at;
        self.clock = frame.clock;
        for view in &frame.views {
            Rc::make_mut(self.boards.entry(view.view).or_default()).apply(view);
        }
        if !frame.log.is_empty() {
            self.logged += frame.log.len() as u32;
            let log = Rc::make_mut(&mut self.log);
            log.extend(frame.log);
            while log.len() > LOG_MAX {
                log.pop_front();
            }
        }
    }

    fn answer(&mut self, id: u32, text: &str, code: Option<i32>) {
        let names: BTreeMap<String, Key> = self
            .board(View::Architecture)
            .items()
            .filter(|item| matches!(item.kind, Kind::Pod | Kind::Node))
            .map(|item| (item.name.clone(), item.key.clone()))
            .collect();
        let output = pieces(text, &names);
        for entry in Rc::make_mut(&mut self.terminal) {
            if entry.id == id {
                let entry = Rc::make_mut(entry);
                entry.output.extend(output);
                entry.code = code;
                let surplus = entry.output.len().saturating_sub(PIECES_MAX);
                entry.output.drain(..surplus);
                return;
            }
        }
    }

    fn push_entry(&mut self, entry: Entry) {
        let terminal = Rc::make_mut(&mut self.terminal);
        terminal.push(Rc::new(entry));
        if terminal.len() > TERMINAL_MAX {
            terminal.remove(0);
        }
    }
}

/// What to say of a link that was opened.
fn repeated(moment: &Moment, same: Option<bool>) -> Notice {
    let Moment { at, trace } = moment;
    let verdict = match same {
        Some(true) => "as where the link was made",
        Some(false) => "which is not as where the link was made: that was another build",
        None => "which the link does not tell",
    };
    let text =
        format!("The link was opened at {}. Its trace is {trace}, {verdict}.", words::moment(*at));
    Notice { bad: same == Some(false), text }
}

impl Reducible for Page {
    type Action = Act;

    fn reduce(self: Rc<Self>, act: Act) -> Rc<Self> {
        let mut page = Rc::unwrap_or_clone(self);
        match act {
            Act::Worker(message) => page.worker(*message),
            // A crash ends the worker as well; what it said of it counts.
            Act::Lost(_) if matches!(page.phase, Phase::Crashed { .. }) => {}
            Act::Lost(why) => page.phase = Phase::Lost(why),
            Act::Restarted => {
                page = Page { terminal: page.terminal, draft: page.draft, ..Page::default() };
            }
            Act::Show(view) => {
                page.view = view;
                if let Some(board) = page.boards.get_mut(&view) {
                    Rc::make_mut(board).fit();
                }
            }
            Act::Focus(view, key) => {
                page.focus.insert(view, key);
            }
            Act::Select(key) => {
                if page.selected != key {
                    page.inspection = None;
                }
                page.selected = key;
            }
            Act::Dock(dock) => page.dock = dock,
            Act::Rail(rail) => page.rail = rail,
            Act::Dialog(dialog) => {
                page.share = Shared::default();
                page.dialog = dialog;
            }
            Act::Share { from_start } => {
                page.share = Shared { from_start, ..Shared::default() };
                page.dialog = Some(Dialog::Share);
            }
            Act::Typed { id, line } => {
                page.dock = Dock::Terminal;
                page.push_entry(Entry { id, line, echo: false, output: vec![], code: None });
            }
            Act::ClearTerminal => page.terminal = Rc::default(),
            Act::Edit(text) => {
                page.draft = (page.draft.0 + 1, Rc::from(text));
                page.applied = None;
                page.dock = Dock::Editor;
            }
            Act::Dismiss => page.notice = None,
        }
        Rc::new(page)
    }
}
