//! Tables that the server makes, as lines.
//!
//! Models the table printer of cli-runtime.
//!
//! Known deviations: none.

use std::fmt::Write as _;

use api::Json;

use super::tab::Tabs;
use crate::look::Look;

/// What is added to a table, and what is left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub wide: bool,
    pub no_headers: bool,
    pub namespaces: bool,
    pub show_labels: bool,
    /// Labels that have a column of their own.
    pub label_columns: Vec<String>,
    /// What goes before each name: `pod`.
    pub prefix: Option<String>,
    /// Prints a column with the type of the watch event.
    pub events: bool,
}

/// Prints tables of one kind, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    pub options: Options,
    tabs: Tabs,
    columns: Vec<(String, bool)>,
    has_header: bool,
}

impl Printer {
    pub fn new(options: Options) -> Printer {
        Printer { options, tabs: Tabs::get(), columns: Vec::new(), has_header: false }
    }

    /// The lines of a table; the header only once. `event` is the type of the watch event it came with.
    pub fn print(&mut self, table: &Json, event: &str) -> String {
        self.columns_of(table);
        let mut text = String::new();
        if !self.has_header && !self.options.no_headers {
            self.header(&mut text);
        }
        self.has_header = true;
        for row in table.list("rows") {
            self.row(row, event, &mut text);
        }
        self.tabs.align(&text)
    }

    /// Takes the columns of a table without printing its rows.
    pub fn columns_of(&mut self, table: &Json) {
        let column = |c: &Json| (c.text("name").to_string(), c.int("priority") == 0);
        let columns: Vec<_> = table.list("columnDefinitions").iter().map(column).collect();
        if !columns.is_empty() {
            self.columns = columns;
        }
    }

    /// Whether something was printed.
    pub fn is_started(&self) -> bool {
        self.has_header
    }

    fn header(&self, out: &mut String) {
        let mut cells = Vec::new();
        if self.options.events {
            cells.push("EVENT".to_string());
        }
        if self.options.namespaces {
            cells.push("NAMESPACE".to_string());
        }
        for (name, is_narrow) in &self.columns {
            if self.options.wide || *is_narrow {
                cells.push(name.to_uppercase());
            }
        }
        for label in &self.options.label_columns {
            let name = label.rsplit('/').next().unwrap_or(label);
            cells.push(name.to_uppercase());
        }
        if self.options.show_labels {
            cells.push("LABELS".to_string());
        }
        let _ = writeln!(out, "{}", cells.join("\t"));
    }

    fn row(&self, row: &Json, event: &str, out: &mut String) {
        let meta = row.look("object.metadata");
        let mut cells = Vec::new();
        if self.options.events {
            cells.push(event.to_string());
        }
        if self.options.namespaces {
            cells.push(meta.text("namespace").to_string());
        }
        for (at, cell) in row.list("cells").iter().enumerate() {
            let Some((_, is_narrow)) = self.columns.get(at) else { break };
            if !self.options.wide && !is_narrow {
                continue;
            }
            let text = cell_text(cell);
            match (&self.options.prefix, at) {
                (Some(prefix), 0) => cells.push(format!("{prefix}/{text}")),
                _ => cells.push(text),
            }
        }
        for label in &self.options.label_columns {
            let value = meta.look("labels").get(label).and_then(Json::as_str).unwrap_or("");
            cells.push(if value.is_empty() { "".into() } else { value.to_string() });
        }
        if self.options.show_labels {
            cells.push(labels(meta.look("labels")));
        }
        let _ = writeln!(out, "{}", cells.join("\t"));
    }
}

fn cell_text(cell: &Json) -> String {
    match cell {
        Json::Str(text) => match text.split_once(['\n', '\r', '\u{c}']) {
            Some((line, _)) => format!("{line}..."),
            None => text.replace('\t', " "),
        },
        Json::Null => "<nil>".into(),
        other => other.to_string(),
    }
}

/// Labels in one line: `a=b,c=d`, or `<none>`.
pub(crate) fn labels(labels: &Json) -> String {
    let mut pairs: Vec<String> = labels
        .fields()
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    base::sort::naturally(&mut pairs);
    if pairs.is_empty() { "<none>".into() } else { pairs.join(",") }
}
