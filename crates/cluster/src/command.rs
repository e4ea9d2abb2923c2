//! What comes from outside, and the log of it: with scenario and seed it is all that a replay needs.

use std::fmt::Write as _;

use base::{Instant, Str};

use crate::faults::{Component, Fault};

/// One thing done to the cluster from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A YAML text is applied, as `kubectl apply -f -` would.
    Apply(Str),
    /// A line is typed into the terminal.
    Terminal(Str),
    /// A text is put where command lines find it as a file.
    File {
        /// The name after `-f`.
        name: Str,
        /// The text.
        text: Str,
    },
    /// A line of the terminal is ended, as by Ctrl-C. Lines count from 0, the start's own included.
    Interrupt(usize),
    /// Something breaks or is mended.
    Fault(Fault),
    /// A request over the cluster's network, from a pod's or node's name, or from outside (empty).
    Request {
        /// `namespace/pod`, a node's name, or empty.
        from: Str,
        /// Where to.
        url: Str,
    },
    /// A raw API request that changes something.
    Http {
        /// `POST`
        method: Str,
        /// With its query.
        path: Str,
        /// The body's type.
        content_type: Str,
        /// The body.
        body: Str,
    },
    /// The model stops as it does where it breaks a rule of its own: so a crash, its report and the replay of
    /// its log can be seen and tested.
    Panic(Str),
}

/// A command with the virtual time at which it was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// What.
    pub command: Command,
}

/// A log that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LogError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Writes a log as text: one entry a line, microseconds since the start, a word, and quoted arguments.
pub fn write_log(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let at = (entry.at - Instant::START).as_micros();
        let words = words_of(&entry.command);
        let _ = write!(text, "{at} {}", words[0]);
        for word in &words[1..] {
            let _ = write!(text, " {}", quote(word));
        }
        text.push('\n');
    }
    text
}

/// Reads what [`write_log`] wrote. Empty lines and lines that begin with `#` are skipped.
pub fn read_log(text: &str) -> Result<Vec<Entry>, LogError> {
    let mut entries = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let fail = |reason: &str| LogError { line: i + 1, reason: reason.to_string() };
        let (at, rest) =
            line.split_once(' ').ok_or_else(|| fail("a time and a command are expected"))?;
        let at: i64 = at.parse().map_err(|_| fail("the time is not a number of microseconds"))?;
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let args = unquote_all(rest).ok_or_else(|| fail("a quoted argument does not end"))?;
        let command =
            command_of(word, &args).ok_or_else(|| fail("not a command that a log can hold"))?;
        entries.push(Entry { at: Instant(Instant::START.0.saturating_add(at)), command });
    }
    Ok(entries)
}

fn words_of(command: &Command) -> Vec<String> {
    let own = |words: &[&str]| words.iter().map(|w| w.to_string()).collect();
    match command {
        Command::Apply(yaml) => own(&["apply", yaml]),
        Command::Terminal(line) => own(&["terminal", line]),
        Command::File { name, text } => own(&["file", name, text]),
        Command::Interrupt(session) => own(&["interrupt", &session.to_string()]),
        Command::Panic(why) => own(&["panic", why]),
        Command::Request { from, url } => own(&["request", from, url]),
        Command::Http { method, path, content_type, body } => {
            own(&["http", method, path, content_type, body])
        }
        Command::Fault(fault) => match fault {
            Fault::NodeOff(node) => own(&["node-off", node]),
            Fault::NodeOn(node) => own(&["node-on", node]),
            Fault::CutLink(node) => own(&["cut-link", node]),
            Fault::MendLink(node) => own(&["mend-link", node]),
            Fault::Unplug(component, node) => own(&["unplug", component.as_str(), node]),
            Fault::ShutDown(component, node) => own(&["shut-down", component.as_str(), node]),
            Fault::Plug(component, node) => own(&["plug", component.as_str(), node]),
            Fault::StopMachine(node) => own(&["stop-machine", node]),
            Fault::StartMachine(node) => own(&["start-machine", node]),
            Fault::TerminateMachine(node) => own(&["terminate-machine", node]),
            Fault::CutCloud => own(&["cut-cloud"]),
            Fault::MendCloud => own(&["mend-cloud"]),
            Fault::Crash { namespace, pod, container, code } => {
                own(&["crash", namespace, pod, container, &code.to_string()])
            }
        },
    }
}

fn command_of(word: &str, args: &[String]) -> Option<Command> {
    let arg = |i: usize| args.get(i).map(|a| Str::from(a.as_str()));
    let component = || args.first().and_then(|name| Component::parse(name));
    Some(match word {
        "apply" => Command::Apply(arg(0)?),
        "terminal" => Command::Terminal(arg(0)?),
        "file" => Command::File { name: arg(0)?, text: arg(1)? },
        "interrupt" => Command::Interrupt(args.first()?.parse().ok()?),
        "panic" => Command::Panic(arg(0)?),
        "request" => Command::Request { from: arg(0)?, url: arg(1)? },
        "http" => {
            Command::Http { method: arg(0)?, path: arg(1)?, content_type: arg(2)?, body: arg(3)? }
        }
        "node-off" => Command::Fault(Fault::NodeOff(arg(0)?)),
        "node-on" => Command::Fault(Fault::NodeOn(arg(0)?)),
        "cut-link" => Command::Fault(Fault::CutLink(arg(0)?)),
        "mend-link" => Command::Fault(Fault::MendLink(arg(0)?)),
        "unplug" => Command::Fault(Fault::Unplug(component()?, arg(1)?)),
        "shut-down" => Command::Fault(Fault::ShutDown(component()?, arg(1)?)),
        "plug" => Command::Fault(Fault::Plug(component()?, arg(1)?)),
        "stop-machine" => Command::Fault(Fault::StopMachine(arg(0)?)),
        "start-machine" => Command::Fault(Fault::StartMachine(arg(0)?)),
        "terminate-machine" => Command::Fault(Fault::TerminateMachine(arg(0)?)),
        "cut-cloud" => Command::Fault(Fault::CutCloud),
        "mend-cloud" => Command::Fault(Fault::MendCloud),
        "crash" => Command::Fault(Fault::Crash {
            namespace: arg(0)?,
            pod: arg(1)?,
            container: arg(2)?,
            code: args.get(3)?.parse().ok()?,
        }),
        _ => return None,
    })
}

fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn unquote_all(text: &str) -> Option<Vec<String>> {
    let mut args = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == ' ' {
            continue;
        }
        if c != '"' {
            return None;
        }
        let mut arg = String::new();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => arg.push(match chars.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    c => c,
                }),
                c => arg.push(c),
            }
        }
        args.push(arg);
    }
    Some(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: Command) {
        let entries = vec![Entry { at: Instant(Instant::START.0 + 1_500_000), command }];
        assert_eq!(read_log(&write_log(&entries)), Ok(entries));
    }

    #[test]
    fn a_text_with_quotes_and_line_breaks_survives() {
        check(Command::Apply("a: \"b\\n\"\nc: d\r\n".into()));
    }

    #[test]
    fn a_file_survives() {
        check(Command::File { name: "web.yaml".into(), text: "a: 1\n---\nb: \"2\"\n".into() });
    }

    #[test]
    fn every_fault_survives() {
        let node: Str = "node-1".into();
        check(Command::Fault(Fault::NodeOff(node.clone())));
        check(Command::Fault(Fault::NodeOn(node.clone())));
        check(Command::Fault(Fault::CutLink(node.clone())));
        check(Command::Fault(Fault::MendLink(node.clone())));
        check(Command::Fault(Fault::StopMachine(node.clone())));
        check(Command::Fault(Fault::StartMachine(node.clone())));
        check(Command::Fault(Fault::TerminateMachine(node.clone())));
        check(Command::Fault(Fault::CutCloud));
        check(Command::Fault(Fault::MendCloud));
        check(Command::Fault(Fault::Plug(Component::Kubelet, node)));
        check(Command::Fault(Fault::Unplug(Component::Scheduler, Str::new())));
        check(Command::Fault(Fault::ShutDown(Component::Scheduler, Str::new())));
        check(Command::Fault(Fault::Crash {
            namespace: "default".into(),
            pod: "web".into(),
            container: Str::new(),
            code: 137,
        }));
    }

    #[test]
    fn the_end_of_a_line_and_of_the_model_survive() {
        check(Command::Interrupt(12));
        check(Command::Panic("asked for".into()));
    }

    #[test]
    fn a_request_and_an_api_call_survive() {
        check(Command::Request { from: "default/client".into(), url: "http://web/".into() });
        check(Command::Http {
            method: "POST".into(),
            path: "/api/v1/namespaces?dryRun=All".into(),
            content_type: "application/json".into(),
            body: "{\"a\":1}".into(),
        });
    }

    #[test]
    fn a_damaged_log_names_its_line() {
        let error = read_log("# fine\n5 terminal \"x\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2: a quoted argument does not end");
    }
}
