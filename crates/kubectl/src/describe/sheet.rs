//! Lines with levels and tab stops, and the blocks that many kinds share.

use std::fmt::Write as _;

use api::Json;

use crate::look::{Look, scalar};
use crate::text::tab::Tabs;

/// A description in the making.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    text: String,
}

/// Annotations longer than this go onto lines of their own.
const ANNOTATION_LEN_MAX: usize = 140;

impl Sheet {
    /// One line, indented by two spaces a level.
    pub fn line(&mut self, level: usize, text: impl AsRef<str>) {
        let _ = writeln!(self.text, "{}{}", "  ".repeat(level), text.as_ref());
    }

    /// `Name:\tvalue`
    pub fn field(&mut self, level: usize, name: &str, value: impl AsRef<str>) {
        let _ = writeln!(self.text, "{}{name}:\t{}", "  ".repeat(level), value.as_ref());
    }

    /// The same, unless the value is empty.
    pub fn field_if(&mut self, level: usize, name: &str, value: impl AsRef<str>) {
        if !value.as_ref().is_empty() {
            self.field(level, name, value);
        }
    }

    /// Whole lines with their indent.
    pub fn block(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Name and namespace.
    pub fn names(&mut self, object: &Json) {
        self.field(0, "Name", object.text("metadata.name"));
        self.field_if(0, "Namespace", object.text("metadata.namespace"));
    }

    pub fn labels(&mut self, object: &Json) {
        self.pairs("", "Labels", object.look("metadata.labels"), &[]);
    }

    pub fn annotations(&mut self, object: &Json) {
        self.annotation_lines("", object.look("metadata.annotations"));
    }

    /// `Title:\ta=b` and the rest below.
    pub fn pairs(&mut self, indent: &str, title: &str, map: &Json, skip: &[&str]) {
        let mut lines: Vec<String> = map
            .fields()
            .iter()
            .filter(|(key, _)| !skip.contains(&key.as_str()))
            .map(|(key, value)| format!("{key}={}", scalar(value)))
            .collect();
        base::sort::naturally(&mut lines);
        self.lines(indent, title, &lines);
    }

    /// `Title:\tfirst` and the rest below, or `<none>`.
    pub fn lines(&mut self, indent: &str, title: &str, lines: &[String]) {
        if lines.is_empty() {
            let _ = writeln!(self.text, "{indent}{title}:\t<none>");
        }
        for (i, line) in lines.iter().enumerate() {
            let head = if i == 0 { format!("{indent}{title}:") } else { String::new() };
            let _ = writeln!(self.text, "{head}\t{line}");
        }
    }

    pub fn annotation_lines(&mut self, indent: &str, map: &Json) {
        let mut shown: Vec<(&str, &str)> = map
            .fields()
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or("")))
            .filter(|(key, _)| *key != crate::commands::apply::LAST_APPLIED)
            .collect();
        base::sort::naturally(&mut shown);
        if shown.is_empty() {
            let _ = writeln!(self.text, "{indent}Annotations:\t<none>");
        }
        for (i, (key, value)) in shown.into_iter().enumerate() {
            let head = if i == 0 { format!("{indent}Annotations:") } else { indent.to_string() };
            let value = value.strip_suffix('\n').unwrap_or(value);
            if key.len() + value.len() + 2 > ANNOTATION_LEN_MAX || value.contains('\n') {
                let _ = writeln!(self.text, "{head}\t{key}:");
                for line in value.split('\n') {
                    let _ = writeln!(
                        self.text,
                        "{indent}\t  {}",
                        shorten(line, ANNOTATION_LEN_MAX - 2)
                    );
                }
            } else {
                let _ = writeln!(self.text, "{head}\t{key}: {value}");
            }
        }
    }

    /// The controlling owner.
    pub fn controlled_by(&mut self, object: &Json) {
        let owner = object.list("metadata.ownerReferences").iter().find(|o| o.is("controller"));
        if let Some(owner) = owner {
            let text = format!("{}/{}", owner.text("kind"), owner.text("name"));
            self.field(0, "Controlled By", text);
        }
    }

    /// The aligned text.
    pub fn finish(self) -> String {
        Tabs::describe().align(&self.text)
    }

    /// The text with its tabs.
    pub fn raw(self) -> String {
        self.text
    }
}

fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_string(),
    }
}

/// A label selector in one line: `a=b,c in (d,e),!f`.
pub(crate) fn selector(selector: &Json) -> String {
    let mut terms: Vec<(String, String)> = selector
        .look("matchLabels")
        .fields()
        .iter()
        .map(|(key, value)| (key.to_string(), format!("{key}={}", scalar(value))))
        .collect();
    for term in selector.list("matchExpressions") {
        let key = term.text("key");
        let mut values: Vec<String> = term.list("values").iter().map(scalar).collect();
        base::sort::naturally(&mut values);
        let values = values.join(",");
        let text = match term.text("operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_string(),
        };
        terms.push((key.to_string(), text));
    }
    base::sort::naturally(&mut terms);
    terms.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(",")
}

/// `True` or `False`.
pub(crate) fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// The value's text, or another one where it is empty.
pub(crate) fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}
