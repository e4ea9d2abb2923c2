//! `kubectl rollout`: status, history, undo, restart, pause, resume.

mod change;
mod history;
mod status;

use super::{Command, Outcome};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, optional, switch, text};

pub(crate) const COMMAND: Command = Command {
    name: "rollout",
    brief: "Manage the rollout of a deployment, daemon set or stateful set",
    usage: "kubectl rollout status|history|undo|restart|pause|resume TYPE/NAME",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("filename").short('f'),
    text("selector").short('l'),
    text("output").short('o'),
    text("timeout"),
    text("revision"),
    text("to-revision"),
    switch("watch").short('w'),
    text("field-manager"),
    optional("dry-run", "unchanged"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let Some((sub, words)) = args.words.split_first() else {
        return super::help::of(cx, &COMMAND);
    };
    let mut args = args.clone();
    args.words = words.to_vec();
    args.command = format!("rollout {sub}");
    match sub.as_str() {
        "status" => status::run(cx, &args),
        "history" => history::run(cx, &args),
        "undo" => history::undo(cx, &args),
        "restart" => change::restart(cx, &args),
        "pause" => change::pause(cx, &args, true),
        "resume" => change::pause(cx, &args, false),
        other => fail(format!("unknown command \"{other}\" for \"kubectl rollout\"")),
    }
}
