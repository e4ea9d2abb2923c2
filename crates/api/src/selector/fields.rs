//! Field selectors such as `spec.nodeName=a,status.phase!=Failed`.
//!
//! Known deviations: none.

use super::SelectorError;
use base::Str;
use std::fmt;

/// Which objects are meant, by some of their fields: those for which all terms hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

/// A field and the value it must, or must not, have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldTerm {
    /// The path: `metadata.name`.
    pub field: Str,
    /// The value without escapes.
    pub value: Str,
    /// `=` and `==`, as opposed to `!=`.
    pub equal: bool,
}

impl FieldSelector {
    /// Selects every object.
    pub const fn everything() -> FieldSelector {
        FieldSelector { terms: Vec::new() }
    }

    /// Selects objects whose `field` has the value.
    pub fn equals(field: impl Into<Str>, value: impl Into<Str>) -> FieldSelector {
        let term = FieldTerm { field: field.into(), value: value.into(), equal: true };
        FieldSelector { terms: vec![term] }
    }

    /// Reads selector text. Terms are ordered; empty ones are dropped.
    pub fn parse(text: &str) -> Result<FieldSelector, SelectorError> {
        let mut parts = split_terms(text);
        base::sort::naturally(&mut parts);
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        let term = |part: &str| {
            let (field, value, equal) = split_term(part).ok_or_else(|| {
                SelectorError(format!("invalid selector: '{text}'; can't understand '{part}'"))
            })?;
            Ok(FieldTerm { field: field.into(), value: unescape(value)?.into(), equal })
        };
        parts.map(term).collect::<Result<_, _>>().map(|terms| FieldSelector { terms })
    }

    /// The terms, in the order of their text.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// Whether it selects every object.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether fields that `lookup` reads make all terms hold. A missing field is empty.
    pub fn matches<'l>(&self, lookup: impl Fn(&str) -> &'l str) -> bool {
        self.terms.iter().all(|term| (lookup(&term.field) == term.value) == term.equal)
    }

    /// The value that this field must have, if any.
    pub fn exact(&self, field: &str) -> Option<&Str> {
        self.terms.iter().find(|term| term.equal && term.field == field).map(|term| &term.value)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let operator = if term.equal { "=" } else { "!=" };
            write!(f, "{comma}{}{operator}{}", term.field, escape(&term.value))?;
        }
        Ok(())
    }
}

/// Cuts at commas that are not escaped.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Cuts at the first operator.
fn split_term(term: &str) -> Option<(&str, &str, bool)> {
    let at = (0..term.len()).find(|i| {
        let rest = &term.as_bytes()[*i..];
        rest.starts_with(b"!=") || rest.starts_with(b"=")
    })?;
    let (field, rest) = term.split_at(at);
    let (value, equal) = match rest.strip_prefix("!=") {
        Some(value) => (value, false),
        None => (rest.strip_prefix("==").or(rest.strip_prefix('='))?, true),
    };
    Some((field, value, equal))
}

fn unescape(text: &str) -> Result<String, SelectorError> {
    let fail = |why: String| Err(SelectorError(format!("invalid field selector: {why}")));
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                Some(c) => return fail(format!("invalid escape sequence: \\{c}")),
                None => return fail("invalid escape sequence: \\".into()),
            },
            // Go prints the character's number here.
            ',' | '=' => return fail(format!("unescaped character in value: {}", u32::from(c))),
            _ => out.push(c),
        }
    }
    Ok(out)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | ',' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `expected` is the canonical text and whether it selects a pod on node `a` that runs.
    fn check(text: &str, expected: &str, matches: bool) {
        let selector = FieldSelector::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let got = selector.matches(|field| match field {
            "spec.nodeName" => "a",
            "status.phase" => "Running",
            "odd" => "x,y=z\\",
            _ => "",
        });
        assert_eq!((selector.to_string().as_str(), got), (expected, matches), "{text}");
    }

    #[test]
    fn all_terms_must_hold() {
        check("", "", true);
        check("spec.nodeName=a", "spec.nodeName=a", true);
        check(
            "status.phase!=Failed,spec.nodeName==a",
            "spec.nodeName=a,status.phase!=Failed",
            true,
        );
        check("spec.nodeName=a,status.phase=Failed", "spec.nodeName=a,status.phase=Failed", false);
        check("none=", "none=", true);
        check("none!=", "none!=", false);
        check(",spec.nodeName=a,", "spec.nodeName=a", true);
    }

    #[test]
    fn values_are_escaped() {
        check("odd=x\\,y\\=z\\\\", "odd=x\\,y\\=z\\\\", true);
    }

    #[test]
    fn errors_say_what_is_not_understood() {
        let fails = |text: &str, error: &str| {
            assert_eq!(FieldSelector::parse(text).unwrap_err().0, error, "{text}");
        };
        fails("a", "invalid selector: 'a'; can't understand 'a'");
        fails("a=b,c>1", "invalid selector: 'a=b,c>1'; can't understand 'c>1'");
        fails("a=\\n", "invalid field selector: invalid escape sequence: \\n");
        fails("a=b=c", "invalid field selector: unescaped character in value: 61");
    }

    #[test]
    fn the_exact_value_is_known() {
        let selector = FieldSelector::parse("a!=1,b=2").unwrap();
        assert_eq!(selector.exact("a"), None);
        assert_eq!(selector.exact("b").map(|v| &**v), Some("2"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in ".{0,20}", other in ".{0,20}") {
            let mut selector = FieldSelector::equals("a", &*value);
            selector.terms.push(FieldTerm { field: "b".into(), value: other.into(), equal: false });
            prop_assert_eq!(FieldSelector::parse(&selector.to_string()).unwrap(), selector);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a,=!\\\\\u{e9}]{0,20}") {
            let _ = FieldSelector::parse(&text);
        }
    }
}
