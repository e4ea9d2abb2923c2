//! Label selectors, as text and as the `LabelSelector` struct, and how they match.
//!
//! Known deviations: none.

pub mod fields;
mod parse;

use crate::meta::v1::LabelSelector;
use crate::names;
use base::Str;
use std::fmt;

pub use fields::{FieldSelector, FieldTerm};

/// Which objects are meant, by their labels: those that fulfil all requirements.
///
/// Requirements are ordered by key. Matching allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: Str,
    operator: Operator,
    values: Vec<Str>,
}

/// How a requirement compares the label with its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `key in (a,b)`
    In,
    /// `key notin (a,b)`; also true where the label is missing.
    NotIn,
    /// `key=a`
    Equals,
    /// `key==a`
    DoubleEquals,
    /// `key!=a`; also true where the label is missing.
    NotEquals,
    /// `key`
    Exists,
    /// `!key`
    DoesNotExist,
    /// `key>1`
    Gt,
    /// `key<1`
    Lt,
}

/// Why a selector cannot be read, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub String);

impl Operator {
    /// The name in selector text.
    pub fn name(self) -> &'static str {
        match self {
            Operator::In => "in",
            Operator::NotIn => "notin",
            Operator::Equals => "=",
            Operator::DoubleEquals => "==",
            Operator::NotEquals => "!=",
            Operator::Exists => "exists",
            Operator::DoesNotExist => "!",
            Operator::Gt => "gt",
            Operator::Lt => "lt",
        }
    }

    /// The operator that a `LabelSelector` or a node selector calls `name`.
    pub fn of_struct(name: &str) -> Option<Operator> {
        Some(match name {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            "Gt" => Operator::Gt,
            "Lt" => Operator::Lt,
            _ => return None,
        })
    }
}

impl Requirement {
    /// A checked requirement. The error lists everything that is wrong with it.
    pub fn new(
        key: Str,
        operator: Operator,
        values: Vec<Str>,
    ) -> Result<Requirement, SelectorError> {
        let mut problems: Vec<String> = Vec::new();
        let complaints = names::qualified_name(&key);
        if !complaints.is_empty() {
            problems.push(invalid("key", &key, &complaints.join("; ")));
        }
        let shown = || crate::json::Json::Array(values.iter().cloned().map(Into::into).collect());
        let wrong_count = match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                Some("for 'in', 'notin' operators, values set can't be empty")
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals
                if values.len() != 1 =>
            {
                Some("exact-match compatibility requires one single value")
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                Some("values set must be empty for exists and does not exist")
            }
            Operator::Gt | Operator::Lt if values.len() != 1 => {
                Some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
            _ => None,
        };
        problems
            .extend(wrong_count.map(|why| format!("values: Invalid value: {}: {why}", shown())));
        if matches!(operator, Operator::Gt | Operator::Lt) {
            for (i, value) in values.iter().enumerate().filter(|(_, v)| v.parse::<i64>().is_err()) {
                let why = "for 'Gt', 'Lt' operators, the value must be an integer";
                problems.push(invalid(&format!("values[{i}]"), value, why));
            }
        }
        for (i, value) in values.iter().enumerate() {
            let complaints = names::label_value(value);
            if !complaints.is_empty() {
                problems.push(invalid(
                    &format!("values[{i}][{key}]"),
                    value,
                    &complaints.join("; "),
                ));
            }
        }
        match aggregate(problems) {
            None => Ok(Requirement { key, operator, values }),
            Some(message) => Err(SelectorError(message)),
        }
    }

    /// The label's key.
    pub fn key(&self) -> &Str {
        &self.key
    }

    /// The comparison.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values, in the order they were given.
    pub fn values(&self) -> &[Str] {
        &self.values
    }

    /// Whether a label with this value fulfils it; `None` stands for a missing label.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|v| v == value);
        let number = |text: &str| text.parse::<i64>().ok();
        match (self.operator, value) {
            (Operator::In | Operator::Equals | Operator::DoubleEquals, Some(v)) => listed(v),
            (Operator::NotIn | Operator::NotEquals, Some(v)) => !listed(v),
            (Operator::NotIn | Operator::NotEquals | Operator::DoesNotExist, None) => true,
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, Some(_)) => false,
            (Operator::Gt | Operator::Lt, Some(v)) => {
                let limit = self.values.first().and_then(|v| number(v));
                match (number(v), limit) {
                    (Some(n), Some(limit)) if self.operator == Operator::Gt => n > limit,
                    (Some(n), Some(limit)) => n < limit,
                    _ => false,
                }
            }
            (_, None) => false,
        }
    }
}

impl Selector {
    /// Selects every object.
    pub const fn everything() -> Selector {
        Selector { requirements: Vec::new(), nothing: false }
    }

    /// Selects no object.
    pub const fn nothing() -> Selector {
        Selector { requirements: Vec::new(), nothing: true }
    }

    /// Reads selector text such as `app=web,tier in (a,b),!canary`.
    pub fn parse(text: &str) -> Result<Selector, SelectorError> {
        parse::parse(text).map(Selector::from_requirements)
    }

    /// Selects objects that fulfil all `requirements`.
    pub fn from_requirements(mut requirements: Vec<Requirement>) -> Selector {
        base::sort::by(&mut requirements, |a, b| a.key.cmp(&b.key));
        Selector { requirements, nothing: false }
    }

    /// Selects objects that have all these labels. Keys and values are not checked.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = (&'a Str, &'a Str)>) -> Selector {
        let requirement = |(key, value): (&Str, &Str)| Requirement {
            key: key.clone(),
            operator: Operator::Equals,
            values: vec![value.clone()],
        };
        Selector::from_requirements(labels.into_iter().map(requirement).collect())
    }

    /// What a `LabelSelector` selects; an empty one selects every object.
    pub fn of(selector: &LabelSelector) -> Result<Selector, SelectorError> {
        let expressions = selector.match_expressions.iter();
        Selector::build(
            selector.match_labels.iter(),
            expressions.map(|e| (&e.key, &*e.operator, e.values.to_vec())),
        )
    }

    /// What an optional `LabelSelector` selects; a missing one selects nothing.
    pub fn of_optional(selector: Option<&LabelSelector>) -> Result<Selector, SelectorError> {
        selector.map_or(Ok(Selector::nothing()), Selector::of)
    }

    /// The selector of labels and `(key, operator, values)` expressions, as a `LabelSelector` has them.
    pub fn build<'a>(
        labels: impl IntoIterator<Item = (&'a Str, &'a Str)>,
        expressions: impl IntoIterator<Item = (&'a Str, &'a str, Vec<Str>)>,
    ) -> Result<Selector, SelectorError> {
        let mut requirements = Vec::new();
        for (key, value) in labels {
            let values = vec![value.clone()];
            requirements.push(Requirement::new(key.clone(), Operator::Equals, values)?);
        }
        for (key, name, values) in expressions {
            let operator = Operator::of_struct(name)
                .filter(|op| !matches!(op, Operator::Gt | Operator::Lt))
                .ok_or_else(|| {
                    let name = quote(name);
                    SelectorError(format!("{name} is not a valid label selector operator"))
                })?;
            requirements.push(Requirement::new(key.clone(), operator, values)?);
        }
        Ok(Selector::from_requirements(requirements))
    }

    /// Whether labels that `lookup` reads fulfil all requirements.
    pub fn matches<'l>(&self, lookup: impl Fn(&str) -> Option<&'l str>) -> bool {
        !self.nothing && self.requirements.iter().all(|r| r.matches(lookup(&r.key)))
    }

    /// Whether it selects every object.
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// Whether it selects no object by construction.
    pub fn is_nothing(&self) -> bool {
        self.nothing
    }

    /// The requirements, by key.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// One more requirement.
    pub fn and(mut self, requirement: Requirement) -> Selector {
        let at = self.requirements.partition_point(|r| r.key <= requirement.key);
        self.requirements.insert(at, requirement);
        self
    }

    /// The one value that this label must have, if there is just one.
    pub fn exact(&self, key: &str) -> Option<&Str> {
        let requirement = self.requirements.iter().find(|r| r.key == key)?;
        match (requirement.operator, &*requirement.values) {
            (Operator::Equals | Operator::DoubleEquals | Operator::In, [only]) => Some(only),
            _ => None,
        }
    }

    /// The text as tables show it: `<none>` where there is no requirement.
    pub fn describe(&self) -> String {
        if self.requirements.is_empty() { "<none>".into() } else { self.to_string() }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            write!(f, "{}{requirement}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Requirement { key, operator, values } = self;
        let list = || {
            let mut sorted: Vec<&str> = values.iter().map(|v| &**v).collect();
            base::sort::naturally(&mut sorted);
            sorted.join(",")
        };
        match operator {
            Operator::In | Operator::NotIn => write!(f, "{key} {} ({})", operator.name(), list()),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::Gt => write!(f, "{key}>{}", list()),
            Operator::Lt => write!(f, "{key}<{}", list()),
            _ => write!(f, "{key}{}{}", operator.name(), list()),
        }
    }
}

/// `PATH: Invalid value: "VALUE": WHY`
fn invalid(path: &str, value: &str, why: &str) -> String {
    format!("{path}: Invalid value: {}: {why}", quote(value))
}

/// Several problems as one message; the same problem is told once.
fn aggregate(mut problems: Vec<String>) -> Option<String> {
    let mut told: Vec<String> = Vec::new();
    problems.retain(|p| {
        let new = !told.contains(p);
        told.push(p.clone());
        new
    });
    match &*problems {
        [] => None,
        [only] => Some(only.clone()),
        many => Some(format!("[{}]", many.join(", "))),
    }
}

/// A text as Go's `%q` prints it.
pub fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\0'..' ' | '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            _ if c.is_control() || (c.is_whitespace() && c != ' ') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
