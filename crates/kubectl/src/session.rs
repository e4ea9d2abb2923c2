//! One command in the terminal, from its line to its exit code.

use base::{Duration, Instant, Str};

use crate::commands::{self, Follow, Outcome, Pause};
use crate::cx::{Cx, Out};
use crate::failure::Failure;
use crate::server::Server;
use crate::shell::{self, Line};

/// A command that runs. A clone goes on independently, but for the watches it has open.
#[derive(Clone, Debug)]
pub struct Session {
    namespace: Str,
    out: Out,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Fresh(Result<Line, String>),
    Following(Box<dyn Follow>),
    Done(i32),
}

/// What came of one [`Session::advance`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is printed, in whole lines except for raw output.
    pub text: String,
    /// The exit code once the command has ended.
    pub done: Option<i32>,
    /// When to call again at the latest; calling earlier does no harm.
    pub next: Option<Instant>,
    /// The command changed the namespace that later sessions use.
    pub namespace: Option<Str>,
    /// The command asks for the screen to be cleared.
    pub clear: bool,
}

impl Session {
    /// A command from the text of its line; what follows the first line is its standard input.
    pub fn start(line: &str) -> Session {
        Session {
            namespace: base::lit!("default"),
            out: Out::default(),
            state: State::Fresh(shell::parse(line)),
        }
    }

    /// The namespace to use where the command names none.
    pub fn in_namespace(mut self, namespace: impl Into<Str>) -> Session {
        self.namespace = namespace.into();
        self
    }

    /// Goes on as far as it can at `now`.
    pub fn advance(&mut self, now: Instant, server: &mut dyn Server) -> Progress {
        let mut cx = Cx::new(now, server, &mut self.out, self.namespace.clone());
        let state = std::mem::replace(&mut self.state, State::Done(0));
        let (state, next) = match state {
            State::Fresh(Ok(line)) => match commands::run(&mut cx, &line) {
                Ok(Outcome::Done) => (State::Done(0), None),
                Ok(Outcome::Follow(follow)) => step(&mut cx, follow),
                Err(failure) => (State::Done(fail(&mut cx, &failure)), None),
            },
            State::Fresh(Err(message)) => {
                cx.say(&format!("{message}\n"));
                (State::Done(2), None)
            }
            State::Following(follow) => step(&mut cx, follow),
            State::Done(code) => (State::Done(code), None),
        };
        self.state = state;
        self.progress(next)
    }

    /// Ends the command as Ctrl-C does.
    pub fn interrupt(&mut self, server: &mut dyn Server) -> Progress {
        if let State::Following(follow) = &mut self.state {
            follow.close(server);
        }
        if !matches!(self.state, State::Done(_)) {
            self.out.push("^C\n");
            self.state = State::Done(130);
        }
        self.progress(None)
    }

    /// Whether the command has ended.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    fn progress(&mut self, next: Option<Instant>) -> Progress {
        let done = match self.state {
            State::Done(code) => Some(code),
            _ => None,
        };
        Progress {
            text: self.out.take(),
            done,
            next: if done.is_some() { None } else { next },
            namespace: self.out.namespace.take(),
            clear: std::mem::take(&mut self.out.clear),
        }
    }
}

/// How long a command waits at most before it looks again at its watches.
const LOOK_AGAIN: Duration = Duration::millis(100);

fn step(cx: &mut Cx<'_>, mut follow: Box<dyn Follow>) -> (State, Option<Instant>) {
    match follow.step(cx) {
        Ok(Pause::Until(at)) => (State::Following(follow), Some(at)),
        Ok(Pause::Events) => {
            let at = cx.now + LOOK_AGAIN;
            (State::Following(follow), Some(at))
        }
        Ok(Pause::Over) => {
            follow.close(cx.server);
            (State::Done(0), None)
        }
        Err(failure) => {
            follow.close(cx.server);
            (State::Done(fail(cx, &failure)), None)
        }
    }
}

fn fail(cx: &mut Cx<'_>, failure: &Failure) -> i32 {
    let text = failure.text();
    cx.say(&text);
    failure.code()
}
