//! `-o custom-columns`.

use api::Json;

use super::jsonpath::Template;
use super::tab::Tabs;
use crate::failure::{Result, fail};
use crate::look::scalar;

/// Columns by header and path.
#[derive(Clone, Debug)]
pub(crate) struct Columns(Vec<(String, Template)>);

impl Columns {
    /// Reads `NAME:.metadata.name,IMAGE:.spec.containers[*].image`.
    pub fn parse(text: &str) -> Result<Columns> {
        let mut columns = Vec::new();
        for part in outside_brackets(text) {
            let Some((header, path)) = part.split_once(':') else {
                return fail(format!(
                    "unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"
                ));
            };
            match Template::relaxed(path) {
                Ok(template) => columns.push((header.to_string(), template)),
                Err(why) => return fail(why),
            }
        }
        Ok(Columns(columns))
    }

    /// The lines for some objects.
    pub fn print(&self, objects: &[Json], headers: bool) -> Result<String> {
        let mut text = String::new();
        if headers {
            let names: Vec<&str> = self.0.iter().map(|(header, _)| header.as_str()).collect();
            text.push_str(&names.join("\t"));
            text.push('\n');
        }
        for object in objects {
            let cells = self.0.iter().map(|(_, template)| cell(template, object));
            text.push_str(&cells.collect::<Result<Vec<String>>>()?.join("\t"));
            text.push('\n');
        }
        Ok(Tabs::get().align(&text))
    }
}

fn cell(template: &Template, object: &Json) -> Result<String> {
    let values = match template.find(object) {
        Ok(values) => values,
        Err(why) => return fail(why),
    };
    if values.is_empty() {
        return Ok("<none>".into());
    }
    let values = values.iter().map(|value| match value {
        Json::Null => "<none>".into(),
        Json::Array(_) | Json::Object(_) => api::patch::go_value(value),
        value => scalar(value),
    });
    Ok(values.collect::<Vec<String>>().join(","))
}

/// Splits at commas that stand outside brackets.
fn outside_brackets(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0i32);
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth -= 1,
            ',' if depth <= 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}
