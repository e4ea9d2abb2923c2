//! The commands: one file each.

pub(crate) mod apply;
mod auth;
mod autoscale;
mod config;
mod create;
mod delete;
mod describe;
mod diff;
mod discover;
mod drain;
mod events;
mod exec;
mod explain;
mod expose;
mod get;
mod help;
mod label;
mod logs;
mod network;
mod node;
mod patch;
mod replace;
mod rollout;
mod run;
mod scale;
mod set;
mod taint;
mod top;
mod wait;
mod watch;

use std::fmt::Debug;

use base::Instant;

use crate::cx::Cx;
use crate::failure::{Failure, Result, fail};
use crate::flags::{Args, Flag};
use crate::server::Server;
use crate::shell::Line;

/// What a command did with its first step.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is over.
    Done,
    /// It goes on.
    Follow(Box<dyn Follow>),
}

/// When a command that goes on is to be called again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    /// Then, at the latest.
    Until(Instant),
    /// When its watches have events.
    Events,
    /// Never: it is over.
    Over,
}

/// A command that goes on over time.
pub(crate) trait Follow: Debug + Send {
    /// Does what can be done now.
    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Pause>;
    /// Ends what it has open.
    fn close(&mut self, _server: &mut dyn Server) {}
    /// A copy of its state.
    fn copy(&self) -> Box<dyn Follow>;
}

impl Clone for Box<dyn Follow> {
    fn clone(&self) -> Box<dyn Follow> {
        self.copy()
    }
}

/// A command.
#[derive(Debug)]
pub(crate) struct Command {
    pub name: &'static str,
    /// One line for the list of commands.
    pub brief: &'static str,
    /// How it is called, one form a line.
    pub usage: &'static str,
    pub flags: &'static [Flag],
    pub run: fn(&mut Cx<'_>, &Args) -> Result<Outcome>,
}

/// Every command, in the order in which help lists them.
pub(crate) const COMMANDS: &[&Command] = &[
    &create::COMMAND,
    &expose::COMMAND,
    &run::COMMAND,
    &set::COMMAND,
    &explain::COMMAND,
    &get::COMMAND,
    &delete::COMMAND,
    &rollout::COMMAND,
    &scale::COMMAND,
    &autoscale::COMMAND,
    &discover::INFO,
    &top::COMMAND,
    &node::CORDON,
    &node::UNCORDON,
    &drain::COMMAND,
    &taint::COMMAND,
    &describe::COMMAND,
    &logs::COMMAND,
    &exec::COMMAND,
    &auth::COMMAND,
    &events::COMMAND,
    &diff::COMMAND,
    &apply::COMMAND,
    &patch::COMMAND,
    &replace::COMMAND,
    &wait::COMMAND,
    &label::LABEL,
    &label::ANNOTATE,
    &discover::RESOURCES,
    &discover::VERSIONS,
    &config::COMMAND,
    &help::VERSION,
    &help::COMMAND,
];

/// Commands that need what a page does not have, with what to do instead.
const REFUSED: &[(&str, &str)] = &[
    (
        "edit",
        "there is no editor in this terminal; use `kubectl patch`, or change the manifest in the editor of the page and apply it",
    ),
    (
        "port-forward",
        "the page has no ports of its own; `curl` in this terminal reaches Services and Pods directly",
    ),
    ("proxy", "the page has no ports of its own; use `kubectl get --raw PATH`"),
    ("attach", "containers are modelled, not run; use `kubectl logs -f`"),
    ("cp", "containers are modelled, not run, and have no files"),
    ("debug", "containers are modelled, not run; use `kubectl describe` and `kubectl logs`"),
    ("kustomize", "there are no directories in this terminal"),
    ("completion", "there is no shell to complete for"),
    ("plugin", "there are no plugins in this terminal"),
    ("kuberc", "there is no home directory in this terminal"),
];

/// Runs a line.
pub(crate) fn run(cx: &mut Cx<'_>, line: &Line) -> Result<Outcome> {
    let Some((first, words)) = line.words.split_first() else { return Ok(Outcome::Done) };
    match first.as_str() {
        "kubectl" | "k" => kubectl(cx, words, line.stdin.clone()),
        "curl" | "wget" => network::curl(cx, first, words),
        "clear" | "cls" => {
            cx.out.clear = true;
            Ok(Outcome::Done)
        }
        "help" => help::terminal(cx),
        "cat" | "echo" | "true" | "false" => small(cx, first, words, line.stdin.as_deref()),
        // People leave the first word out; that is fine where it is clear what they mean.
        name if find(name).is_some() => kubectl(cx, &line.words, line.stdin.clone()),
        name => Err(Failure::Raw(format!("sh: {name}: command not found; try `help`\n"))),
    }
}

fn small(cx: &mut Cx<'_>, name: &str, words: &[String], stdin: Option<&str>) -> Result<Outcome> {
    match name {
        "echo" => cx.say(&format!("{}\n", words.join(" "))),
        "cat" if words.is_empty() => cx.say(stdin.unwrap_or("")),
        "cat" => {
            for path in words {
                match cx.server.file(path) {
                    Some(text) => cx.say(&text),
                    None => {
                        let text = format!("cat: {path}: No such file or directory\n");
                        return Err(Failure::Raw(text));
                    }
                }
            }
        }
        "false" => return Err(Failure::Code(1)),
        _ => {}
    }
    Ok(Outcome::Done)
}

/// The command called so.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name).copied()
}

fn kubectl(cx: &mut Cx<'_>, words: &[String], stdin: Option<String>) -> Result<Outcome> {
    let Some(at) = command_at(words) else { return help::overview(cx) };
    let name = words[at].as_str();
    let mut rest = words.to_vec();
    rest.remove(at);
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return fail(format!("kubectl {name} is not part of this terminal: {why}"));
    }
    let Some(command) = find(name) else {
        return fail(format!("unknown command \"{name}\" for \"kubectl\""));
    };
    let mut args = Args::parse(command.name, command.flags, &rest)?;
    args.stdin = stdin;
    if args.is("help") {
        return help::of(cx, command);
    }
    if args.has("as") || args.has("as-group") {
        return fail(
            "impersonation (--as) is not part of this terminal: everybody is the administrator",
        );
    }
    if let Some(namespace) = args.text("namespace") {
        cx.namespace = namespace.into();
    }
    (command.run)(cx, &args)
}

/// Where the command's name stands, past global flags.
fn command_at(words: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if !word.starts_with('-') {
            return Some(at);
        }
        let takes = crate::flags::GLOBAL.iter().any(|flag| {
            flag.takes == crate::flags::Takes::Text
                && (*word == format!("--{}", flag.long)
                    || flag.short.is_some_and(|short| *word == format!("-{short}")))
        });
        at += if takes { 2 } else { 1 };
    }
    None
}
