//! `help`, `version`, and what `--help` prints, in short words of our own.

use std::fmt::Write as _;

use super::{COMMANDS, Command, Outcome};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, GLOBAL, Takes, switch, text};
use crate::look::Look;
use crate::text::output::document;
use crate::text::tab::Tabs;

pub(crate) const COMMAND: Command = Command {
    name: "help",
    brief: "Help about any command",
    usage: "kubectl help [COMMAND]",
    flags: &[],
    run: help,
};

pub(crate) const VERSION: Command = Command {
    name: "version",
    brief: "Print the client and server version information",
    usage: "kubectl version [--client] [-o yaml|json]",
    flags: &[switch("client"), text("output").short('o')],
    run: version,
};

fn help(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    match args.words.first() {
        None => overview(cx),
        Some(name) => match super::find(name) {
            Some(command) => of(cx, command),
            None => fail(format!("unknown command \"{name}\" for \"kubectl\"")),
        },
    }
}

/// What the bare word `help` prints.
pub(crate) fn terminal(cx: &mut Cx<'_>) -> Result<Outcome> {
    cx.say(
        "This terminal speaks kubectl to the cluster on this page, and a little more:\n\n\
         \x20 kubectl COMMAND   as on any cluster; `k` for short\n\
         \x20 curl URL          a request over the cluster's network\n\
         \x20 clear             an empty screen\n\n",
    );
    overview(cx)
}

/// The list of commands.
pub(crate) fn overview(cx: &mut Cx<'_>) -> Result<Outcome> {
    let mut text = String::from("kubectl controls the Kubernetes cluster manager.\n\nCommands:\n");
    for command in COMMANDS {
        let _ = writeln!(text, "  {}\t{}", command.name, command.brief);
    }
    text.push_str("\nUse \"kubectl COMMAND --help\" for more about one of them.\n");
    let text = Tabs::describe().align(&text);
    cx.say(&text);
    Ok(Outcome::Done)
}

/// What one command's `--help` prints.
pub(crate) fn of(cx: &mut Cx<'_>, command: &Command) -> Result<Outcome> {
    let mut text = format!("{}.\n\nUsage:\n", command.brief);
    for line in command.usage.lines() {
        let _ = writeln!(text, "  {}", line.trim());
    }
    for (head, flags) in
        [("\nOptions:\n", command.flags), ("\nOptions of every command:\n", GLOBAL)]
    {
        if !flags.is_empty() {
            text.push_str(head);
            flags.iter().for_each(|flag| line(flag, &mut text));
        }
    }
    cx.say(&text);
    Ok(Outcome::Done)
}

fn line(flag: &Flag, out: &mut String) {
    let short = flag.short.map_or("    ".to_string(), |short| format!("-{short}, "));
    let value = match flag.takes {
        Takes::Switch => String::new(),
        Takes::Text => "=VALUE".into(),
        Takes::Optional(default) => format!("[={default}]"),
    };
    let _ = writeln!(out, "  {short}--{}{value}", flag.long);
}

/// The version this client is modelled on.
const CLIENT: &str = "v1.36.2";
const KUSTOMIZE: &str = "v5.8.1";

fn version(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let client = crate::look::object([
        ("gitVersion", CLIENT.into()),
        ("major", "1".into()),
        ("minor", "36".into()),
    ]);
    let server = if args.is("client") { None } else { Some(cx.get("/version")?) };
    if let Some(format) = args.text("output") {
        let mut whole = crate::look::object([
            ("clientVersion", client),
            ("kustomizeVersion", KUSTOMIZE.into()),
        ]);
        if let Some(server) = server {
            whole.set("serverVersion", server);
        }
        let text = match format {
            "yaml" => document(&whole, true),
            "json" => document(&whole, false),
            _ => return fail("--output must be 'yaml' or 'json'"),
        };
        cx.say(&text);
        return Ok(Outcome::Done);
    }
    cx.say(&format!("Client Version: {CLIENT}\nKustomize Version: {KUSTOMIZE}\n"));
    if let Some(server) = server {
        cx.say(&format!("Server Version: {}\n", server.text("gitVersion")));
    }
    Ok(Outcome::Done)
}
