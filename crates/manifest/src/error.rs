//! Why a text cannot be read, with the words and line numbers that `kubectl` prints.

use crate::locate::Position;
use std::fmt;

/// A text that cannot be read. Documents before it are not affected.
///
/// Displays as upstream words it: lines in the words count from the start of the document, and
/// errors of the grammar name the line before, as go-yaml does. [`Error::position`] is the exact
/// place in the whole text.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Error {
    message: String,
    position: Option<Position>,
    converting: bool,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.converting { "error converting YAML to JSON: " } else { "" };
        write!(f, "{prefix}{}", self.message)
    }
}

impl Error {
    /// An error of reading YAML; `message` goes on from "error converting YAML to JSON: ".
    pub(crate) fn converting(message: impl Into<String>, position: Option<Position>) -> Error {
        Error { message: message.into(), position, converting: true }
    }

    /// An error outside the YAML itself.
    pub(crate) fn plain(message: impl Into<String>, position: Option<Position>) -> Error {
        Error { message: message.into(), position, converting: false }
    }

    /// The place in the whole text, where there is one.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The bare reason, for showing beside the place: no prefixes and no line number.
    pub fn reason(&self) -> &str {
        let text = self.message.strip_prefix("yaml: ").unwrap_or(&self.message);
        let after_line = text.strip_prefix("line ").and_then(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest[digits..].strip_prefix(": ")
        });
        after_line.unwrap_or(text)
    }

    /// The line `kubectl` prints (after `error: `) when this happens in a file.
    pub fn in_file(&self, name: &str) -> String {
        format!("error parsing {name}: {self}")
    }
}

/// What the YAML library says, taken apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    /// The library's own words.
    pub text: String,
    /// The place, counted from 1 within the document.
    pub place: Option<(usize, usize)>,
    /// The byte of a character that may not stand in a text.
    pub offset: Option<usize>,
    /// Whether tokens, not their order, were wrong.
    pub in_scanner: bool,
}

/// Takes an error of the YAML library apart. Its debug form is the only one that tells scanner and
/// parser apart.
pub(crate) fn take_apart(error: &serde_yaml::Error) -> Problem {
    let place = error.location().map(|l| (l.line(), l.column()));
    let debug = format!("{error:?}");
    let Some(rest) = debug.split_once("problem: \"").map(|(_, rest)| rest) else {
        let text = error.to_string();
        let bare = text.split(" at line ").next().unwrap_or(&text).to_owned();
        return Problem { text: bare, place, offset: None, in_scanner: false };
    };
    let mut text = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    let number = |name: &str| {
        let rest = debug.split_once(name)?.1;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    Problem {
        text,
        place: place.filter(|_| debug.contains("problem_mark")),
        offset: number("problem_offset: "),
        in_scanner: debug.contains("kind: SCANNER"),
    }
}

/// The words of go-yaml for a problem: scanner errors name their line, grammar errors the one
/// before, and nothing is said of a first line.
pub(crate) fn go_words(problem: &Problem) -> String {
    let line = problem.place.map_or(0, |(line, _)| line - 1);
    match line {
        0 => format!("yaml: {}", problem.text),
        n if problem.in_scanner => format!("yaml: line {}: {}", n + 1, problem.text),
        n => format!("yaml: line {n}: {}", problem.text),
    }
}
