//! The documents of one text, in order.
//!
//! Models the YAML or JSON decoder of `k8s.io/apimachinery/pkg/util/yaml`.
//!
//! Known deviations:
//! - JSON that cannot be read as JSON is read as YAML, and its error is that of YAML.
//! - The line named for a repeated key is that of the key; upstream names that of its value.

use crate::chunk::{self, Chunk, Cut};
use crate::error::{self, Error};
use crate::locate::{self, Located, Position};
use crate::tree::{Cx, Duplicate, Node};
use crate::{TEXT_BYTES_MAX, guard};
use api::json::Json;
use base::Str;
use serde::de::DeserializeSeed;

/// One document of a text.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its value; never `null`.
    pub value: Json,
    /// Keys that a mapping has twice. Empty for documents in JSON, whose value keeps both.
    pub duplicates: Vec<Duplicate>,
    source: Str,
    chunk: Chunk,
}

impl Document {
    /// The text of this document as it was written.
    pub fn text(&self) -> &str {
        &self.source[self.chunk.start..self.chunk.end]
    }

    /// The line of the whole text on which the document starts (from 1): that of its first content.
    pub fn line(&self) -> usize {
        self.locate_value().map_or(self.chunk.lines_before + 1, |p| p.line)
    }

    /// Where the field with an API field path stands, such as
    /// `spec.containers[0].ports[0].containerPort` or `metadata.labels[app.kubernetes.io/name]`;
    /// the nearest field around it if it is not there.
    pub fn locate(&self, path: &str) -> Option<Located> {
        let (mut steps, mut exact) = locate::steps(&self.value, path);
        loop {
            if let Some(value) = locate::find(self.text(), &steps, false) {
                let ends_in_key = matches!(steps.last(), Some(locate::Step::Key(_)));
                let key = ends_in_key.then(|| locate::find(self.text(), &steps, true)).flatten();
                return Some(Located {
                    key: key.map(|place| self.absolute(place)),
                    value: self.absolute(value),
                    exact,
                });
            }
            exact = false;
            steps.pop()?;
        }
    }

    fn locate_value(&self) -> Option<Position> {
        locate::find(self.text(), &[], false).map(|place| self.absolute(place))
    }

    fn absolute(&self, place: (usize, usize)) -> Position {
        absolute(self.chunk, place)
    }
}

fn absolute(chunk: Chunk, (line, column): (usize, usize)) -> Position {
    Position { line: chunk.lines_before + line, column }
}

/// The documents of `text` in order. Documents of comments only are skipped, those that cannot be
/// read are errors, and reading goes on after them.
pub fn documents(text: &str) -> Documents {
    Documents { source: Str::from(text), at: 0, lines: 0, strict: false }
}

/// All documents of `text`, or the first error. A repeated key counts with its last value, as for
/// `kubectl`.
pub fn parse(text: &str) -> Result<Vec<Document>, Error> {
    documents(text).collect()
}

/// Like [`parse`], with repeated keys as errors, as the API server reads YAML.
pub fn parse_strict(text: &str) -> Result<Vec<Document>, Error> {
    Documents { strict: true, ..documents(text) }.collect()
}

/// See [`documents`].
#[derive(Clone, Debug)]
pub struct Documents {
    source: Str,
    at: usize,
    lines: usize,
    strict: bool,
}

impl Iterator for Documents {
    type Item = Result<Document, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.source.len() > TEXT_BYTES_MAX {
            self.source = Str::default();
            let message = format!("the text is too long: limit is {TEXT_BYTES_MAX} bytes");
            return Some(Err(Error::plain(message, None)));
        }
        loop {
            let (cut, at, lines) = chunk::next(&self.source, self.at, self.lines)?;
            (self.at, self.lines) = (at, lines);
            match cut {
                Cut::BadSeparator { line, rest } => {
                    let message = format!("invalid Yaml document separator: {rest}");
                    let position = Position { line: line + 1, column: 1 };
                    return Some(Err(Error::plain(message, Some(position))));
                }
                Cut::Document(chunk) if chunk::is_blank(&self.source[chunk.start..chunk.end]) => {}
                Cut::Document(chunk) => match self.read(chunk) {
                    Ok(document) if document.value.is_null() => {}
                    other => return Some(other),
                },
            }
        }
    }
}

impl Documents {
    fn read(&self, chunk: Chunk) -> Result<Document, Error> {
        let text = &self.source[chunk.start..chunk.end];
        let document =
            |value, duplicates| Document { value, duplicates, source: self.source.clone(), chunk };
        if text.trim_start().starts_with('{')
            && let Ok(value) = Json::parse(text.as_bytes())
        {
            return Ok(document(value, Vec::new()));
        }
        let (value, duplicates) = read_yaml(text).map_err(|fault| fault.in_chunk(text, chunk))?;
        let duplicates: Vec<Duplicate> = duplicates
            .into_iter()
            .map(|(key, byte)| {
                let Position { line, column } = Position::of_byte(text, byte);
                Duplicate { key, position: absolute(chunk, (line, column)) }
            })
            .collect();
        match duplicates.first() {
            Some(first) if self.strict => {
                Err(Error::converting(duplicate_words(&duplicates, chunk), Some(first.position)))
            }
            _ => Ok(document(value, duplicates)),
        }
    }
}

fn duplicate_words(duplicates: &[Duplicate], chunk: Chunk) -> String {
    let mut words = String::from("yaml: unmarshal errors:");
    for Duplicate { key, position } in duplicates {
        let line = position.line - chunk.lines_before;
        words.push_str(&format!("\n  line {line}: key {:?} already set in map", &**key));
    }
    words
}

/// An error within one document.
struct Fault {
    words: String,
    place: Place,
}

enum Place {
    Unknown,
    Byte(usize),
    At(usize, usize),
}

impl Fault {
    fn in_chunk(self, text: &str, chunk: Chunk) -> Error {
        let position = match self.place {
            Place::Unknown => None,
            Place::Byte(byte) => {
                let Position { line, column } = Position::of_byte(text, byte);
                Some(absolute(chunk, (line, column)))
            }
            Place::At(line, column) => Some(absolute(chunk, (line, column))),
        };
        Error::converting(self.words, position)
    }
}

type Tree = (Json, Vec<(Str, usize)>);

fn read_yaml(text: &str) -> Result<Tree, Fault> {
    guard::check(text).map_err(|(byte, words)| Fault { words, place: Place::Byte(byte) })?;
    let cx = Cx::new(text);
    let Some(document) = serde_yaml::Deserializer::from_str(text).next() else {
        return Ok((Json::Null, Vec::new()));
    };
    match (Node { cx: &cx }).deserialize(document) {
        Ok(value) => Ok((value, cx.duplicates.into_inner())),
        Err(error) => Err(fault(text, &cx, &error)),
    }
}

fn fault(text: &str, cx: &Cx<'_>, error: &serde_yaml::Error) -> Fault {
    let problem = error::take_apart(error);
    let place = match (problem.offset, problem.place) {
        (Some(byte), _) => Place::Byte(byte),
        (None, Some((line, column))) => Place::At(line, column),
        (None, None) => Place::Unknown,
    };
    let words = match (cx.failure.take(), problem.text.as_str()) {
        (Some(own), _) => own,
        (None, "unknown anchor") => match problem.place {
            Some(at) => format!("yaml: unknown anchor '{}' referenced", anchor_at(text, at)),
            None => "yaml: unknown anchor".into(),
        },
        (None, "recursion limit exceeded") => {
            format!("yaml: exceeded max depth of {}", guard::DEPTH_MAX)
        }
        (None, "repetition limit exceeded") => "yaml: document contains excessive aliasing".into(),
        _ => error::go_words(&problem),
    };
    Fault { words, place }
}

/// The name of the alias at a place of the text.
fn anchor_at(text: &str, (line, column): (usize, usize)) -> String {
    let line = text.lines().nth(line - 1).unwrap_or("");
    let name = line.chars().skip(column);
    name.take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[cfg(test)]
mod tests;
