//! Commands in, messages out, and virtual time in between.

use base::{Duration, Instant};
use cluster::{Command as Input, Fault};
use protocol::{
    Clock, Command, Frame, Inspection, LessonCommand, LessonState, LogLine, Message, Start,
    Subscription,
};
use scenario::{Looking, catalogue};
use view::inspect;

use crate::pace::Pace;
use crate::run::{Run, Typed};
use crate::source::Reading;
use crate::{apply, bench, faults, feed};

/// The model works for so long before messages are looked at.
const SLICE_MS: f64 = 8.0;
/// Checks and the inspector are not looked at more often.
const LOOK_MS: f64 = 120.0;
/// The wall is read once in so many events.
const EVENTS_BETWEEN: u32 = 16;
/// A step goes on until something is written, over at most so much virtual time.
const STEP_MAX: Duration = Duration::secs(60);

/// The owner of a cluster.
pub struct Host {
    run: Option<Run>,
    pace: Pace,
    out: Vec<Message>,
    views: Vec<Subscription>,
    seq: u32,
    in_flight: bool,
    /// Something that a frame shows changed besides the views.
    restless: bool,
    announced: Vec<LogLine>,
    looked: f64,
    looked_revision: i64,
    inspection: Option<Inspection>,
    /// The lesson as it was sent, and when to look at it again.
    lesson: Option<LessonState>,
    lesson_due: Option<Instant>,
    traces: u32,
    boots: u32,
}

/// When the host wants to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: there is work left.
    Now,
    /// In a sixtieth of a second: time passes.
    Soon,
    /// When a command arrives.
    Never,
}

impl Default for Host {
    fn default() -> Host {
        Host {
            run: None,
            pace: Pace::new(0.0, Instant::START),
            out: Vec::new(),
            views: Vec::new(),
            seq: 0,
            in_flight: false,
            restless: false,
            announced: Vec::new(),
            looked: 0.0,
            looked_revision: 0,
            inspection: None,
            lesson: None,
            lesson_due: None,
            traces: 0,
            boots: 0,
        }
    }
}

impl Host {
    /// The messages to send, in order.
    pub fn take(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.out)
    }

    /// The cluster, once there is one.
    pub(crate) fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// How many clusters were built.
    pub(crate) fn boots(&self) -> u32 {
        self.boots
    }

    /// Takes a command. `clock` gives the wall time in milliseconds, `memory` the bytes in use.
    pub fn handle(&mut self, command: Command, clock: &dyn Fn() -> f64, memory: &dyn Fn() -> f64) {
        let wall = clock();
        match command {
            Command::Boot { start: Start::Bench { nodes, pods } } => {
                self.out.push(Message::Bench { json: bench::run(nodes, pods, clock, memory) });
            }
            Command::Boot { start } => self.boot(&start, wall),
            Command::Ack { seq } => self.in_flight &= seq != self.seq,
            Command::Subscribe(views) => {
                if let Some(run) = &mut self.run {
                    run.views.subscribe(&views);
                }
                self.views = views;
                self.restless = true;
            }
            Command::Clock(clock) => self.clock(clock, wall),
            Command::Lesson(LessonCommand::Start(name)) => self.boot(&Start::Lesson(name), wall),
            other => self.act(other),
        }
    }

    /// Carries out a command that is about the cluster that runs.
    fn act(&mut self, command: Command) {
        let Some(run) = &mut self.run else { return };
        // What else happens at this instant comes first, as it will when the log is replayed.
        run.cluster.run_until(run.cluster.now());
        let input = input(&command);
        if input.is_some() {
            run.leave_link();
        }
        let mut desk = Desk { run, out: &mut self.out, announced: &mut self.announced };
        match (command, input) {
            (Command::Apply { yaml }, Some(input)) => desk.apply(&yaml, input),
            (Command::Terminal { id, .. }, Some(input)) => desk.terminal(id, input),
            (_, Some(Input::Fault(fault))) => desk.fault(fault),
            (Command::Request { from, url }, _) => {
                self.traces += 1;
                desk.request(self.traces, from, url);
            }
            (Command::Interrupt { id }, _) => desk.interrupt(id),
            (Command::Share { from_start }, _) => desk.share(from_start),
            (Command::Inspect(key), _) => {
                desk.run.inspected = key;
                self.inspection = None;
            }
            (Command::Lesson(command), _) => {
                desk.lesson(&command);
                self.lesson = None;
            }
            _ => {}
        }
        // What was just done is shown at once.
        self.looked = 0.0;
        self.looked_revision = -1;
        self.restless = true;
    }

    fn boot(&mut self, start: &Start, wall: f64) {
        let run = Run::new(start).unwrap_or_else(|reason| {
            self.out.push(Message::Refused { reason });
            Run::default_one()
        });
        self.pace = Pace::new(wall, run.cluster.now());
        self.boots += 1;
        self.out.push(Message::Ready {
            version: "v1.36".into(),
            seed: run.seed.to_string(),
            lessons: catalogue::cards(),
            show: run.show.clone(),
        });
        let lesson = run.session.as_ref().map(|session| Box::new(session.state(run.cluster.now())));
        self.out.push(Message::Lesson(lesson));
        self.inspection = None;
        (self.lesson, self.lesson_due) = (None, None);
        self.run = Some(run);
        if let Some(run) = &mut self.run {
            run.views.subscribe(&self.views);
        }
        self.restless = true;
    }

    fn clock(&mut self, clock: Clock, wall: f64) {
        let Some(run) = &mut self.run else { return };
        let now = run.cluster.now();
        match clock {
            Clock::Play => self.pace.play(true, wall, now),
            Clock::Pause => self.pace.play(false, wall, now),
            Clock::Speed(speed) => self.pace.set_speed(speed, wall, now),
            Clock::Step => {
                let (until, before) = (now + STEP_MAX, run.cluster.server().revision());
                while run.step_before(until) && run.cluster.server().revision() == before {}
                self.pace.play(false, wall, run.cluster.now());
            }
        }
        self.restless = true;
    }

    /// Lets the model work for a slice, and puts together what is to be sent.
    pub fn slice(&mut self, clock: &dyn Fn() -> f64) -> Next {
        let Some(run) = &mut self.run else { return Next::Never };
        let begun = clock();
        let ahead = run.cluster.now() < run.ahead_until || !run.replay.is_empty();
        let due = match () {
            () if ahead => Some(run.ahead_until),
            () if !self.pace.playing() => None,
            () => Some(self.pace.due(begun).unwrap_or(Instant(i64::MAX))),
        };
        let mut behind = false;
        if let Some(due) = due {
            behind = work(run, due, begun, clock);
            let wall = clock();
            if !behind && due.0 < i64::MAX {
                run.cluster.run_until(due);
            }
            if ahead || behind {
                self.pace.anchor(wall, run.cluster.now());
            }
            if ahead && !behind {
                self.out.extend(run.arrived());
            }
            self.pace.measure(wall, run.cluster.now());
        }
        run.drain();
        let mut desk = Desk { run, out: &mut self.out, announced: &mut self.announced };
        desk.printed();
        let wall = clock();
        if wall - self.looked >= LOOK_MS {
            self.looked = wall;
            self.look();
        }
        self.frame();
        match (behind, due) {
            (true, _) => Next::Now,
            (_, Some(_)) => Next::Soon,
            (_, None) if self.restless || self.in_flight => Next::Soon,
            _ => Next::Never,
        }
    }

    /// The inspector and the lesson, when something may have changed.
    fn look(&mut self) {
        let Some(run) = &mut self.run else { return };
        let now = run.cluster.now();
        let revision = run.cluster.server().revision();
        let changed = revision != self.looked_revision;
        if let Some(session) = &mut run.session {
            let looking = Looking { cluster: &run.cluster, history: &run.history };
            if changed || self.lesson_due.is_some_and(|at| at <= now) {
                session.look(&looking);
                self.lesson_due = session.next_look(now);
                let state = session.state(now);
                if self.lesson.as_ref() != Some(&state) {
                    self.out.push(Message::Lesson(Some(Box::new(state.clone()))));
                    self.lesson = Some(state);
                }
            }
        }
        if changed
            && let Some(key) = &run.inspected
            && let Some(seen) = inspect(&Reading(&run.cluster), key)
        {
            let seen = Inspection { key: key.clone(), ..seen };
            if self.inspection.as_ref() != Some(&seen) {
                self.out.push(Message::Inspection(Box::new(seen.clone())));
                self.inspection = Some(seen);
            }
        }
        self.looked_revision = revision;
    }

    /// One frame, unless one is on its way or there is nothing to show.
    fn frame(&mut self) {
        let Some(run) = &mut self.run else { return };
        if self.in_flight || self.views.is_empty() {
            return;
        }
        let (views, mut log) = run.views.frame();
        log.append(&mut self.announced);
        let still = views.is_empty() && log.is_empty() && !self.pace.playing() && !self.restless;
        if still {
            return;
        }
        self.seq = self.seq.wrapping_add(1);
        self.in_flight = true;
        self.restless = false;
        self.out.push(Message::Frame(Box::new(Frame {
            seq: self.seq,
            at: feed::micros(run.cluster.now()),
            clock: self.pace.state(),
            views,
            log,
        })));
    }
}

/// Carries out events up to `due` for as long as a slice lasts; true if some are left.
fn work(run: &mut Run, due: Instant, begun: f64, clock: &dyn Fn() -> f64) -> bool {
    let mut count = 0;
    while run.step_before(due) {
        count += 1;
        if count % EVENTS_BETWEEN == 0 && clock() - begun >= SLICE_MS {
            return true;
        }
    }
    false
}

/// The line of the terminal that ends the model on purpose, to see how that is reported.
const CRASH: &str = "orrery crash";

/// What a command does to the cluster; none if it only asks, or is about the page.
pub(crate) fn input(command: &Command) -> Option<Input> {
    Some(match command {
        Command::Apply { yaml } => Input::Apply(yaml.as_str().into()),
        Command::Terminal { line, .. } if line.trim() == CRASH => {
            Input::Panic("asked for with `orrery crash`".into())
        }
        Command::Terminal { line, .. } => Input::Terminal(line.as_str().into()),
        Command::Fault(fault) => Input::Fault(faults::of_page(fault)?),
        Command::Request { from, url } => {
            Input::Request { from: sender(from).into(), url: url.as_str().into() }
        }
        _ => return None,
    })
}

/// The name by which the network knows a sender: a pod, a node, or nobody for the outside.
fn sender(from: &str) -> &str {
    match from.split_once('/') {
        Some(("pod" | "client", pod)) if pod.contains('/') => pod,
        Some(("node", node)) => node,
        _ => "",
    }
}

/// A running cluster and the messages about it.
struct Desk<'a> {
    run: &'a mut Run,
    out: &'a mut Vec<Message>,
    announced: &'a mut Vec<LogLine>,
}

impl Desk<'_> {
    fn apply(&mut self, yaml: &str, input: Input) {
        let problems = apply::problems(yaml);
        if !problems.is_empty() {
            self.out.push(Message::Applied { lines: Vec::new(), problems });
            return;
        }
        let session = self.run.cluster.sessions();
        self.run.typed.insert(session, Typed::Editor(yaml.into(), String::new()));
        self.run.cluster.command(input);
        self.printed();
    }

    fn terminal(&mut self, id: u32, input: Input) {
        let session = self.run.cluster.sessions();
        self.run.typed.insert(session, Typed::Line(id));
        self.run.cluster.command(input);
        self.printed();
    }

    fn interrupt(&mut self, id: u32) {
        let session = self.run.typed.iter().find(|(_, typed)| **typed == Typed::Line(id));
        if let Some((&session, _)) = session {
            self.run.cluster.command(Input::Interrupt(session));
            self.printed();
        }
    }

    /// Hands what sessions printed to those who wait for it.
    fn printed(&mut self) {
        for output in self.run.cluster.take_printed() {
            match self.run.typed.get_mut(&output.session) {
                Some(Typed::Line(id)) => {
                    self.out.push(Message::Terminal {
                        id: *id,
                        text: output.text,
                        code: output.done,
                    });
                }
                Some(Typed::Editor(yaml, text)) => {
                    text.push_str(&output.text);
                    if output.done.is_some() {
                        let (lines, problems) = apply::outcome(yaml, text);
                        self.out.push(Message::Applied { lines, problems });
                    }
                }
                None => {}
            }
            if output.done.is_some() {
                self.run.typed.remove(&output.session);
            }
        }
    }

    fn fault(&mut self, fault: Fault) {
        let text = faults::words(&fault);
        let at = feed::micros(self.run.cluster.now());
        self.announced.push(LogLine { at, text, about: None, warning: true });
        self.run.cluster.command(Input::Fault(fault));
    }

    fn request(&mut self, id: u32, from: protocol::Key, url: String) {
        let sender = sender(&from).to_owned();
        let at = self.run.cluster.now();
        let told = match self.run.cluster.ask(&sender, &url) {
            Ok(story) => {
                if let Some((namespace, pod)) = sender.split_once('/') {
                    self.run.views.request(at, &api::Key::new(namespace, pod), &story);
                }
                view::trace(id, at, from, url, &story)
            }
            Err(why) => protocol::Trace {
                id,
                at: feed::micros(at),
                from,
                url,
                ok: false,
                result: why,
                body: String::new(),
                took: 0,
                hops: Vec::new(),
            },
        };
        self.out.push(Message::Trace(Box::new(told)));
    }

    fn share(&mut self, from_start: bool) {
        let fragment = self.run.fragment(from_start);
        let moment = (!from_start).then(|| self.run.moment());
        self.out.push(Message::Share { fragment, moment });
    }

    fn lesson(&mut self, command: &LessonCommand) {
        let now = self.run.cluster.now();
        match command {
            LessonCommand::Start(_) => {}
            LessonCommand::Leave => self.run.session = None,
            LessonCommand::Next => {
                if let Some(session) = &mut self.run.session {
                    session.next(now);
                }
            }
            LessonCommand::Answer(option) => {
                if let Some(session) = &mut self.run.session {
                    session.answer(*option as usize);
                }
            }
        }
        let state = self.run.session.as_ref().map(|session| Box::new(session.state(now)));
        self.out.push(Message::Lesson(state));
    }
}
