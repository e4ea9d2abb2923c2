//! The machine that runs compiled scripts and can be suspended at every command.

use std::sync::Arc;

use base::{BTreeMap, Duration, Instant, Rng, Str};
use network::{Call, IpAddr, Trace};

use super::builtin::{self, Done};
use super::parse::{Code, Piece, Script, Simple, compile};
use super::streams::Out;
use super::text::fits;
use super::tools::Tool;
use crate::runtime::files::Files;
use crate::runtime::log::Log;
use crate::runtime::server::Server;

/// Environment variables.
pub type Env = BTreeMap<Str, Str>;

/// What a process can reach.
pub struct World<'a> {
    /// The moment.
    pub now: Instant,
    /// Chance.
    pub rng: &'a mut Rng,
    /// Files.
    pub files: Files<'a>,
    /// Standard output and error.
    pub log: &'a mut Log,
    /// The pod's host name.
    pub hostname: &'a str,
    /// The pod's address.
    pub ip: Option<IpAddr>,
    /// Network calls to make, with their numbers.
    pub calls: &'a mut Vec<(u64, Call)>,
    /// The number of the next call.
    pub next_call: &'a mut u64,
    /// The container's own server listens.
    pub serving: bool,
    /// Servers that the image holds, by command.
    pub server: &'a dyn Fn(&[String]) -> Option<Server>,
}

/// What a process wants after a turn.
#[derive(Debug, PartialEq)]
pub enum Turn {
    /// To be run again at a moment, or when something happens.
    Waits(Option<Instant>),
    /// It has become a server.
    Serves,
    /// It has ended.
    Exits(i32),
}

/// A running shell.
#[derive(Clone, Debug)]
pub struct Shell {
    pub(super) threads: Vec<Thread>,
    pub(super) env: Arc<Env>,
    pub(super) vars: BTreeMap<Str, Str>,
    functions: BTreeMap<Str, (Arc<Script>, usize)>,
    trap: Trap,
    signalled: bool,
    /// The server that the main job runs, if any.
    pub server: Option<Box<Server>>,
    only: bool,
    /// Processor time used up by loops that never rest.
    pub busy: Duration,
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Trap {
    #[default]
    None,
    Ignore,
    Run(Arc<Script>),
}

#[derive(Clone, Debug)]
pub(super) struct Thread {
    script: Arc<Script>,
    pc: usize,
    pub(super) args: Vec<Str>,
    pub(super) slots: Vec<Str>,
    frames: Vec<Frame>,
    pub(super) captures: Vec<String>,
    loops: Vec<(Str, std::vec::IntoIter<String>)>,
    pub(super) opens: Vec<Vec<(u8, Out)>>,
    pub(super) stdin: Option<String>,
    pub(super) status: i32,
    wait: Wait,
    job: bool,
}

#[derive(Clone, Debug)]
struct Frame {
    script: Arc<Script>,
    pc: usize,
    args: Vec<Str>,
    slots: Vec<Str>,
    /// An `exit` ends only what this frame called.
    shell: bool,
}

#[derive(Clone, Debug)]
enum Wait {
    Ready,
    Until(Instant),
    Call { id: u64, until: Instant, tool: Tool, outs: Vec<(u8, Out)> },
    Jobs,
    Forever,
    Serves,
    Ended,
}

/// Instructions in one turn; then the process rests as if its processor time were used up.
const BUDGET: usize = 10_000;
const REST: Duration = Duration::millis(500);
const THREADS_MAX: usize = 16;

impl Thread {
    fn new(script: Arc<Script>, args: Vec<Str>) -> Thread {
        let slots = vec![Str::new(); script.slots];
        Thread {
            script,
            pc: 0,
            args,
            slots,
            frames: Vec::new(),
            captures: Vec::new(),
            loops: Vec::new(),
            opens: Vec::new(),
            stdin: None,
            status: 0,
            wait: Wait::Ready,
            job: false,
        }
    }

    fn enter(&mut self, script: Arc<Script>, pc: usize, args: Vec<Str>, shell: bool) {
        let slots = vec![Str::new(); script.slots];
        let frame = Frame {
            script: std::mem::replace(&mut self.script, script),
            pc: std::mem::replace(&mut self.pc, pc),
            args: std::mem::replace(&mut self.args, args),
            slots: std::mem::replace(&mut self.slots, slots),
            shell,
        };
        self.frames.push(frame);
    }

    fn leave(&mut self) -> Option<bool> {
        let frame = self.frames.pop()?;
        self.script = frame.script;
        self.pc = frame.pc;
        self.args = frame.args;
        self.slots = frame.slots;
        Some(frame.shell)
    }
}

impl Shell {
    /// A shell about to run a script with positional parameters.
    pub fn new(script: Arc<Script>, args: Vec<Str>, env: Arc<Env>) -> Shell {
        let commands = script.code.iter().filter(|code| matches!(code, Code::Run(_))).count();
        Shell {
            threads: vec![Thread::new(script, args)],
            env,
            vars: BTreeMap::new(),
            functions: BTreeMap::new(),
            trap: Trap::None,
            signalled: false,
            server: None,
            only: commands == 1,
            busy: Duration::ZERO,
        }
    }

    /// Runs until every job waits.
    pub fn run(&mut self, world: &mut World<'_>) -> Turn {
        let mut budget = BUDGET;
        let mut at = 0;
        while at < self.threads.len() {
            self.wake(at, world);
            while matches!(self.threads[at].wait, Wait::Ready) {
                if budget == 0 {
                    self.threads[at].wait = Wait::Until(world.now + REST);
                    self.busy = self.busy + REST;
                    break;
                }
                budget -= 1;
                self.step(at, world);
            }
            if at == 0 && matches!(self.threads[0].wait, Wait::Ended) {
                return Turn::Exits(self.threads[0].status);
            }
            at += 1;
        }
        self.threads.retain(|thread| !(thread.job && matches!(thread.wait, Wait::Ended)));
        if self.threads.len() == 1 && matches!(self.threads[0].wait, Wait::Jobs) {
            return self.run(world);
        }
        if matches!(self.threads[0].wait, Wait::Serves) {
            return Turn::Serves;
        }
        let moments = self.threads.iter().filter_map(|thread| match thread.wait {
            Wait::Until(at) | Wait::Call { until: at, .. } => Some(at),
            _ => None,
        });
        Turn::Waits(moments.min())
    }

    /// The termination signal. True if the process reacts; it is run again then.
    pub fn terminate(&mut self) -> bool {
        match &self.trap {
            Trap::Run(_) => {
                self.signalled = true;
                if matches!(self.threads[0].wait, Wait::Jobs) {
                    self.threads[0].wait = Wait::Ready;
                }
                true
            }
            Trap::None | Trap::Ignore => false,
        }
    }

    /// Whether its server is the process that gets the signals.
    pub fn serves_alone(&self) -> bool {
        self.only && self.threads.len() == 1
    }

    /// The result of a network call. False if nobody waits for it.
    pub fn called(&mut self, id: u64, trace: &Trace, world: &mut World<'_>) -> bool {
        for at in 0..self.threads.len() {
            let thread = &mut self.threads[at];
            if !matches!(&thread.wait, Wait::Call { id: waited, .. } if *waited == id) {
                continue;
            }
            let wait = std::mem::replace(&mut thread.wait, Wait::Ready);
            if let Wait::Call { tool, outs, .. } = wait {
                let done = tool.finish(trace, world);
                self.done(at, done, &outs, world);
            }
            return true;
        }
        false
    }

    fn wake(&mut self, at: usize, world: &mut World<'_>) {
        let others = self.threads.len() > 1;
        let thread = &mut self.threads[at];
        match &thread.wait {
            Wait::Until(until) if *until <= world.now => thread.wait = Wait::Ready,
            Wait::Call { until, .. } if *until <= world.now => {
                thread.status = 1;
                thread.wait = Wait::Ready;
            }
            Wait::Jobs if !others => thread.wait = Wait::Ready,
            _ => {}
        }
    }

    fn step(&mut self, at: usize, world: &mut World<'_>) {
        if at == 0 && self.signalled {
            self.signalled = false;
            if let Trap::Run(script) = self.trap.clone() {
                self.threads[0].enter(script, 0, Vec::new(), false);
                return;
            }
        }
        let thread = &mut self.threads[at];
        let Some(code) = thread.script.code.get(thread.pc).cloned() else {
            if thread.leave().is_none() {
                thread.wait = Wait::Ended;
            }
            return;
        };
        let jump = |pc: usize, way: isize| pc.wrapping_add_signed(way);
        let pc = thread.pc;
        thread.pc += 1;
        match code {
            Code::Nop => {}
            Code::Run(simple) => self.simple(at, &simple, world),
            Code::Capture => thread.captures.push(String::new()),
            Code::Store(slot) => {
                let text = thread.captures.pop().unwrap_or_default();
                thread.slots[slot] = text.trim_end_matches('\n').into();
            }
            Code::Feed => thread.stdin = Some(thread.captures.pop().unwrap_or_default()),
            Code::Unfeed => thread.stdin = None,
            Code::Jump(way) => thread.pc = jump(pc, way),
            Code::IfFail(way) if thread.status != 0 => thread.pc = jump(pc, way),
            Code::IfOk(way) if thread.status == 0 => thread.pc = jump(pc, way),
            Code::IfFail(_) | Code::IfOk(_) => {}
            Code::Not => thread.status = i32::from(thread.status == 0),
            Code::Ok => thread.status = 0,
            Code::For(name, words) => {
                let values = self.fields(at, &words, world);
                let thread = &mut self.threads[at];
                thread.loops.push((name.into(), values.into_iter()));
            }
            Code::Next(way) => {
                let Some((name, words)) = thread.loops.last_mut() else { return };
                match words.next() {
                    Some(value) => drop(self.vars.insert(name.clone(), value.into())),
                    None => {
                        thread.loops.pop();
                        thread.pc = jump(pc, way);
                    }
                }
            }
            Code::Unless(word, patterns, way) => {
                let word = self.text(at, &word, world);
                let hit = patterns.iter().any(|p| fits(&self.text(at, p, world), &word));
                if !hit {
                    self.threads[at].pc = jump(pc, way);
                }
            }
            Code::Spawn(way) => {
                if self.threads.len() < THREADS_MAX {
                    let mut job = self.threads[at].clone();
                    job.job = true;
                    job.frames.clear();
                    self.threads.push(job);
                }
                let thread = &mut self.threads[at];
                thread.status = 0;
                thread.pc = jump(pc, way);
            }
            Code::EndJob => thread.wait = Wait::Ended,
            Code::Define(name, way) => {
                let body = (thread.script.clone(), pc + 1);
                thread.pc = jump(pc, way);
                thread.status = 0;
                self.functions.insert(name.into(), body);
            }
            Code::Return => {
                thread.leave();
            }
            Code::Open(redirects) => {
                let outs = self.redirect(at, &redirects, world).unwrap_or_default();
                self.threads[at].opens.push(outs);
            }
            Code::Shut => {
                thread.opens.pop();
            }
        }
    }

    fn simple(&mut self, at: usize, simple: &Simple, world: &mut World<'_>) {
        let mut words = self.fields(at, &simple.words, world);
        for (name, word) in &simple.assign {
            let value = self.text(at, word, world);
            self.vars.insert(name.as_str().into(), value.into());
        }
        let outs = match self.redirect(at, &simple.redirects, world) {
            Ok(outs) => outs,
            Err(message) => {
                self.print(at, 2, &message, &[], world);
                self.threads[at].status = 1;
                return;
            }
        };
        let Some(name) = words.first().cloned() else {
            if !simple.assign.is_empty() && !has_slot(simple) {
                self.threads[at].status = 0;
            }
            return;
        };
        if let Some((script, pc)) = self.functions.get(name.as_str()).cloned() {
            let args = words.drain(1..).map(Str::from).collect();
            self.threads[at].enter(script, pc, args, false);
            return;
        }
        let stdin = self.threads[at].stdin.clone();
        let done = match name.as_str() {
            "exec" if words.len() > 1 => {
                words.remove(0);
                self.only = true;
                let done = self.command(at, &words, stdin, world);
                match done {
                    Done::Text { status, .. } => {
                        self.done(at, done, &outs, world);
                        self.exit(at, status);
                        return;
                    }
                    other => other,
                }
            }
            _ => self.command(at, &words, stdin, world),
        };
        self.done(at, done, &outs, world);
    }

    fn command(
        &mut self,
        at: usize,
        words: &[String],
        stdin: Option<String>,
        world: &mut World<'_>,
    ) -> Done {
        let arg = |n: usize| words.get(n).map(String::as_str).unwrap_or_default();
        let name = words[0].rsplit('/').next().unwrap_or_default();
        match name {
            "exit" => {
                let status = arg(1).parse().unwrap_or(self.threads[at].status);
                self.exit(at, status & 255);
                Done::Left
            }
            "return" => {
                let status = arg(1).parse().unwrap_or(self.threads[at].status);
                self.threads[at].status = status;
                self.threads[at].leave();
                Done::Left
            }
            "export" | "local" | "readonly" | "declare" => {
                for word in &words[1..] {
                    if let Some((name, value)) = word.split_once('=') {
                        self.vars.insert(name.into(), value.into());
                    }
                }
                Done::ok("")
            }
            "unset" => {
                words[1..]
                    .iter()
                    .for_each(|name| drop(self.vars.insert(name.as_str().into(), "".into())));
                Done::ok("")
            }
            "env" | "printenv" => self.print_env(words, world.hostname),
            "read" => self.read(at, words, stdin),
            "shift" => {
                if !self.threads[at].args.is_empty() {
                    self.threads[at].args.remove(0);
                }
                Done::ok("")
            }
            "set" => {
                if let Some(place) = words.iter().position(|word| word == "--") {
                    self.threads[at].args = words[place + 1..].iter().map(Str::from).collect();
                }
                Done::ok("")
            }
            "trap" => {
                let signals = &words[2.min(words.len())..];
                if signals.iter().any(|s| matches!(s.trim_start_matches("SIG"), "TERM" | "15")) {
                    self.trap = match arg(1) {
                        "" => Trap::Ignore,
                        "-" => Trap::None,
                        text => compile(text).map_or(Trap::None, Trap::Run),
                    };
                }
                Done::ok("")
            }
            "wait" => {
                self.threads[at].wait = Wait::Jobs;
                Done::Left
            }
            "eval" | "sh" | "bash" | "ash" | "dash" | "." | "source" => {
                self.nested(at, name, words, world)
            }
            "timeout" if words.len() > 2 => self.command(at, &words[2..], stdin, world),
            "time" | "nohup" | "command" | "sudo" if words.len() > 1 => {
                self.command(at, &words[1..], stdin, world)
            }
            _ => match (world.server)(words) {
                Some(server) => Done::Serve(Box::new(server)),
                None => builtin::run(name, words, stdin, world),
            },
        }
    }

    fn nested(&mut self, at: usize, name: &str, words: &[String], world: &mut World<'_>) -> Done {
        let flag = words.iter().position(|w| w.starts_with('-') && w.ends_with('c') && w.len() < 5);
        let (text, rest) = match (name, flag) {
            ("eval", _) => (words[1..].join(" "), words.len()),
            ("sh" | "bash" | "ash" | "dash", Some(flag)) => {
                (words.get(flag + 1).cloned().unwrap_or_default(), flag + 3)
            }
            _ => match words.get(1).map(|path| (path, world.files.read(path))) {
                Some((_, Some(text))) => (text.to_string(), 2),
                Some((path, None)) => return Done::fail(format!("sh: can't open '{path}'\n"), 2),
                None => (self.threads[at].stdin.take().unwrap_or_default(), 1),
            },
        };
        match compile(&text) {
            Ok(script) => {
                let shell = !matches!(name, "eval" | "." | "source");
                let args = if shell {
                    words.iter().skip(rest).map(Str::from).collect()
                } else {
                    self.threads[at].args.clone()
                };
                self.threads[at].enter(script, 0, args, shell);
                Done::Left
            }
            Err(message) => Done::fail(format!("{message}\n"), 2),
        }
    }

    fn exit(&mut self, at: usize, status: i32) {
        let thread = &mut self.threads[at];
        thread.status = status;
        loop {
            match thread.leave() {
                Some(true) => return,
                Some(false) => {}
                None => break,
            }
        }
        thread.wait = Wait::Ended;
    }

    fn done(&mut self, at: usize, done: Done, outs: &[(u8, Out)], world: &mut World<'_>) {
        match done {
            Done::Left => {}
            Done::Text { out, err, status } => {
                self.print(at, 1, &out, outs, world);
                self.print(at, 2, &err, outs, world);
                self.threads[at].status = status;
            }
            Done::Sleep(time) => {
                self.threads[at].status = 0;
                self.threads[at].wait = Wait::Until(world.now + time);
            }
            Done::Forever(out) => {
                self.print(at, 1, &out, outs, world);
                self.threads[at].wait = Wait::Forever;
            }
            Done::Call(call, tool) => {
                let id = *world.next_call;
                *world.next_call += 1;
                let until = world.now + call.timeout + Duration::secs(1);
                world.calls.push((id, *call));
                self.threads[at].wait = Wait::Call { id, until, tool, outs: outs.to_vec() };
            }
            Done::Serve(server) => {
                if at == 0 {
                    self.server = Some(server);
                    self.threads[at].wait = Wait::Serves;
                } else {
                    self.server.get_or_insert(server);
                    self.threads[at].wait = Wait::Forever;
                }
            }
        }
    }

    fn print_env(&self, words: &[String], hostname: &str) -> Done {
        let mut all: BTreeMap<&str, &str> = BTreeMap::new();
        all.insert("HOSTNAME", hostname);
        for (name, value) in self.env.iter().chain(self.vars.iter()) {
            all.insert(name, value);
        }
        if let Some(name) =
            words.get(1).filter(|word| !word.starts_with('-') && !word.contains('='))
        {
            return match all.get(name.as_str()) {
                Some(value) => Done::ok(format!("{value}\n")),
                None => Done::fail("", 1),
            };
        }
        Done::ok(all.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<String>())
    }

    fn read(&mut self, at: usize, words: &[String], stdin: Option<String>) -> Done {
        let names: Vec<&String> = words[1..].iter().filter(|w| !w.starts_with('-')).collect();
        let Some(text) = stdin.filter(|text| !text.is_empty()) else {
            for name in names {
                self.vars.insert(name.as_str().into(), Str::new());
            }
            return Done::fail("", 1);
        };
        let (line, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let mut fields = line.trim();
        for (i, name) in names.iter().enumerate() {
            let value = if i + 1 == names.len() {
                std::mem::take(&mut fields)
            } else {
                let (first, rest) = fields.split_once(char::is_whitespace).unwrap_or((fields, ""));
                fields = rest.trim_start();
                first
            };
            self.vars.insert(name.as_str().into(), value.into());
        }
        self.threads[at].stdin = Some(rest.to_string());
        Done::ok("")
    }
}

fn has_slot(simple: &Simple) -> bool {
    simple.assign.iter().any(|(_, word)| word.iter().any(|p| matches!(p, Piece::Slot(..))))
}
