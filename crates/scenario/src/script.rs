//! Scripts: the life of a cluster as a page of prose, commands and what they print.
//!
//! A script is Markdown. Three kinds of fenced blocks mean something:
//!
//! - `yaml cluster`: what a scenario file says of its cluster (`cluster`, `seed`, `images`, `manifests`, …).
//! - `yaml NAME`: a text that commands find as the file NAME.
//! - `console`: commands after `$ `, each followed by what it prints.
//!
//! A command is a line of the terminal, with a here-document below it if it has one, and goes on in the background
//! if it ends in ` &`. Some words are not the terminal's:
//!
//! | command | what happens |
//! |---|---|
//! | `run 30s` | time passes |
//! | `off NODE`, `on NODE` | a machine loses its power, and gets it back |
//! | `cut NODE`, `mend NODE` | a node's link to the control plane |
//! | `stop PART [HOST]`, `start PART [HOST]`, `restart PART [HOST]` | a process, which is killed: `scheduler`, `kubelet node-1` |
//! | `shutdown PART [HOST]` | a process is told to end, and may do something before |
//! | `machine stop NODE`, `machine start NODE`, `machine terminate NODE` | at the cloud provider's console |
//! | `cloud cut`, `cloud mend` | the provider's API |
//! | `crash POD [CONTAINER [CODE]]` | a container's main process dies |
//! | `request URL [from POD]` | somebody asks over the cluster's network |
//! | `interrupt` | Ctrl-C for what goes on in the background |

mod play;
mod word;

use base::Str;

pub use play::Played;
pub(crate) use word::Act;

use crate::Scenario;

/// A script that was read.
#[derive(Clone, Debug)]
pub struct Script {
    /// The cluster that it begins with.
    pub scenario: Scenario,
    /// Texts with the names under which commands find them.
    pub files: Vec<(Str, Str)>,
    blocks: Vec<Block>,
}

/// A script that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ScriptError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Clone, Debug)]
enum Block {
    /// As it is written, with its line ends.
    Text(String),
    Console(Vec<Turn>),
}

/// A command and what it printed when the script was recorded.
#[derive(Clone, Debug)]
struct Turn {
    /// As it is written after `$ `, with the lines of its here-document.
    command: String,
    act: Act,
}

impl Script {
    /// Reads a script called `name`.
    pub fn parse(name: &str, text: &str) -> Result<Script, ScriptError> {
        let mut reader = Reader::new(name, text);
        while let Some((at, line)) = reader.lines.next() {
            match line.strip_prefix("```") {
                Some(info) if !info.trim().is_empty() => reader.fence(at, line, info.trim())?,
                _ => reader.text(line),
            }
        }
        reader.finish()
    }
}

/// The lines of a script, and what they have come to.
struct Reader<'a> {
    name: &'a str,
    lines: std::iter::Peekable<std::iter::Enumerate<std::str::SplitInclusive<'a, char>>>,
    cluster: Option<(usize, String)>,
    files: Vec<(Str, Str)>,
    blocks: Vec<Block>,
}

impl<'a> Reader<'a> {
    fn new(name: &'a str, text: &'a str) -> Reader<'a> {
        let lines = text.split_inclusive('\n').enumerate().peekable();
        Reader { name, lines, cluster: None, files: Vec::new(), blocks: Vec::new() }
    }

    fn text(&mut self, line: &str) {
        match self.blocks.last_mut() {
            Some(Block::Text(text)) => text.push_str(line),
            _ => self.blocks.push(Block::Text(line.to_string())),
        }
    }

    /// A fenced block, from its first line on.
    fn fence(&mut self, at: usize, first: &str, info: &str) -> Result<(), ScriptError> {
        let mut body = Vec::new();
        let mut last = None;
        for (_, line) in self.lines.by_ref() {
            if line.trim_end() == "```" {
                last = Some(line);
                break;
            }
            body.push(line);
        }
        let fail = |line: usize, reason: &str| ScriptError { line, reason: reason.to_string() };
        let Some(last) = last else { return Err(fail(at + 1, "this block does not end")) };
        if info == "console" {
            let turns = turns(at + 1, &body)?;
            self.blocks.push(Block::Console(turns));
            return Ok(());
        }
        self.text(first);
        body.iter().for_each(|line| self.text(line));
        self.text(last);
        match info.strip_prefix("yaml ").map(str::trim) {
            Some("cluster") if self.cluster.is_some() => {
                Err(fail(at + 1, "a script has one cluster"))
            }
            Some("cluster") => {
                self.cluster = Some((at + 1, body.concat()));
                Ok(())
            }
            Some(name) => {
                self.files.push((name.into(), body.concat().into()));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<Script, ScriptError> {
        let (line, cluster) = self.cluster.unwrap_or_default();
        const HEAD_LINES: usize = 3;
        let text = format!(
            "apiVersion: orrery.dev/v1\nkind: Scenario\nmetadata: {{name: {}}}\n{cluster}",
            self.name
        );
        let scenario = Scenario::parse(&text).map_err(|invalid| {
            let problem = &invalid.0[0];
            let below = problem.position.map_or(0, |at| at.line.saturating_sub(HEAD_LINES));
            ScriptError { line: line + below, reason: problem.message.clone() }
        })?;
        Ok(Script { scenario, files: self.files, blocks: self.blocks })
    }
}

/// The commands of a console block; what they printed when it was recorded is passed over.
fn turns(first: usize, body: &[&str]) -> Result<Vec<Turn>, ScriptError> {
    let mut turns = Vec::new();
    let mut lines = body.iter().enumerate();
    while let Some((i, line)) = lines.next() {
        let Some(start) = line.strip_prefix("$ ") else {
            if turns.is_empty() {
                let reason = "a console begins with a command after `$ `".to_string();
                return Err(ScriptError { line: first + i + 1, reason });
            }
            continue;
        };
        let mut command = start.trim_end().to_string();
        if let Some((_, end)) = command.split_once("<<") {
            let end = end.trim().trim_matches(['\'', '"']).to_string();
            for (_, line) in lines.by_ref() {
                command.push('\n');
                command.push_str(line.trim_end_matches('\n'));
                if line.trim_end() == end {
                    break;
                }
            }
        }
        let act =
            Act::of(&command).map_err(|reason| ScriptError { line: first + i + 1, reason })?;
        turns.push(Turn { command, act });
    }
    Ok(turns)
}

#[cfg(test)]
mod tests;
