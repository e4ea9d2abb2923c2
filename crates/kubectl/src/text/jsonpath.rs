//! JSONPath templates, as `-o jsonpath`, `--sort-by` and custom columns use them.
//!
//! Models `client-go/util/jsonpath`.
//!
//! Known deviations:
//! - No regular expressions (upstream has none either); unions of filters are not read.

mod evaluate;
mod parse;

use api::Json;

/// A template: text, paths, and ranges.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
    /// Missing fields give nothing instead of an error.
    pub allow_missing: bool,
}

#[derive(Clone, Debug)]
enum Node {
    /// Plain text.
    Text(String),
    /// A path in braces.
    Path(Vec<Step>),
    /// `{range PATH}…{end}`
    Range(Vec<Step>, Vec<Node>),
}

#[derive(Clone, Debug)]
enum Step {
    Field(String),
    /// `.*` and `[*]`
    All,
    /// `..`
    Recurse,
    Slice {
        from: Option<i64>,
        to: Option<i64>,
        by: i64,
    },
    Index(i64),
    Union(Vec<Vec<Step>>),
    /// `[?(left op right)]`; no right side asks whether left is there.
    Filter(Operand, Option<(Comparison, Operand)>),
    /// A quoted text in braces.
    Literal(Json),
}

#[derive(Clone, Debug)]
enum Operand {
    Path(Vec<Step>),
    Literal(Json),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Template {
    /// Reads a template such as `{.items[*].metadata.name}`.
    pub fn parse(text: &str) -> Result<Template, String> {
        Ok(Template { nodes: parse::template(text)?, allow_missing: false })
    }

    /// Reads one path with or without braces and a leading dot, as custom columns and `--sort-by` take it.
    pub fn relaxed(text: &str) -> Result<Template, String> {
        let trimmed = text.trim();
        let inner = match trimmed.strip_prefix('{') {
            Some(rest) => rest
                .strip_suffix('}')
                .ok_or_else(|| format!("unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{{name1.name2}}' or '{{.name1.name2}}'; got {text:?}"))?,
            None => trimmed,
        };
        let inner = inner.trim_start_matches('.');
        let mut template = Template::parse(&format!("{{.{inner}}}"))?;
        template.allow_missing = true;
        Ok(template)
    }

    /// The text that the template makes of a document.
    pub fn print(&self, document: &Json) -> Result<String, String> {
        let mut out = String::new();
        evaluate::nodes(&self.nodes, document, self.allow_missing, &mut out)?;
        Ok(out)
    }

    /// The values that the template's only path finds.
    pub fn find(&self, document: &Json) -> Result<Vec<Json>, String> {
        match self.nodes.as_slice() {
            [Node::Path(steps)] => evaluate::path(steps, document, self.allow_missing),
            _ => Err("a single path is expected".into()),
        }
    }
}

#[cfg(test)]
mod tests;
