//! Reads fields of a file with a place for every complaint.

use std::cell::RefCell;
use std::fmt;

use api::json::Json;
use base::{Duration, Str};
use manifest::{Document, Position};

use crate::span::parse_span;

/// One thing wrong with a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Where.
    pub position: Option<Position>,
    /// What.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(at) => write!(f, "{at}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// A file that cannot be used, with everything that is wrong with it in the order of its lines.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Invalid(pub Vec<Problem>);

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// One file being read.
pub(crate) struct Reader<'d> {
    document: &'d Document,
    problems: RefCell<Vec<Problem>>,
}

impl<'d> Reader<'d> {
    pub fn new(document: &'d Document) -> Reader<'d> {
        let reader = Reader { document, problems: RefCell::default() };
        for duplicate in &document.duplicates {
            let message = format!("{:?} is given twice", &*duplicate.key);
            let position = Some(duplicate.position);
            reader.problems.borrow_mut().push(Problem { position, message });
        }
        reader
    }

    /// The fields of the whole file.
    pub fn root<'r>(&'r self) -> Fields<'r> {
        Fields {
            reader: Complaints(self),
            path: String::new(),
            value: &self.document.value,
            known: RefCell::default(),
        }
    }

    /// Ends the reading: the value, if nothing was wrong.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Invalid> {
        let mut problems = self.problems.into_inner();
        base::sort::by_key(&mut problems, |problem| problem.position);
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(Invalid(problems)),
        }
    }
}

/// Takes complaints about paths of a file.
#[derive(Clone, Copy)]
struct Complaints<'r>(&'r Reader<'r>);

impl Complaints<'_> {
    fn complain(self, path: &str, message: String) {
        let position = self.0.document.locate(path).map(|place| place.mark());
        self.0.problems.borrow_mut().push(Problem { position, message });
    }
}

/// The fields of one object of a file. Whoever reads one calls [`Fields::finish`] in the end.
pub(crate) struct Fields<'r> {
    reader: Complaints<'r>,
    path: String,
    value: &'r Json,
    known: RefCell<Vec<&'static str>>,
}

impl<'r> Fields<'r> {
    /// Complains about a field, or about the object itself if `key` is empty.
    pub fn complain(&self, key: &str, message: impl Into<String>) {
        self.reader.complain(&self.below(key), message.into());
    }

    fn below(&self, key: &str) -> String {
        match (self.path.is_empty(), key.is_empty()) {
            (_, true) => self.path.clone(),
            (true, _) => key.to_owned(),
            _ => format!("{}.{key}", self.path),
        }
    }

    /// The value of a field as it is. `null` counts as absent.
    pub fn any(&self, key: &'static str) -> Option<&'r Json> {
        self.known.borrow_mut().push(key);
        self.value.get(key).filter(|value| !value.is_null())
    }

    /// Whether the object has a field.
    pub fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some_and(|value| !value.is_null())
    }

    fn typed<T>(
        &self,
        key: &'static str,
        wanted: &str,
        read: impl Fn(&'r Json) -> Option<T>,
    ) -> Option<T> {
        let value = self.any(key)?;
        let typed = read(value);
        if typed.is_none() {
            let found = match value {
                Json::Str(text) => format!("{:?}", &**text),
                Json::Array(_) => "a list".to_owned(),
                Json::Object(_) => "an object".to_owned(),
                other => other.to_string(),
            };
            self.complain(key, format!("{:?} is {wanted}, not {found}", self.below(key)));
        }
        typed
    }

    fn required<T>(&self, key: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.has(key) {
            self.complain("", format!("{:?} is missing", self.below(key)));
        }
        value
    }

    pub fn text(&self, key: &'static str) -> Option<Str> {
        self.typed(key, "a text", |value| match value {
            Json::Str(text) => Some(text.clone()),
            _ => None,
        })
    }

    pub fn required_text(&self, key: &'static str) -> Option<Str> {
        self.required(key, self.text(key))
    }

    pub fn whole(&self, key: &'static str, low: i64, high: i64) -> Option<i64> {
        let wanted = match high {
            i64::MAX => format!("a whole number from {low}"),
            high => format!("a whole number from {low} to {high}"),
        };
        self.typed(key, &wanted, |value| value.as_i64().filter(|n| (low..=high).contains(n)))
    }

    pub fn fraction(&self, key: &'static str) -> Option<f64> {
        self.typed(key, "a number from 0 to 1", |value| {
            value.as_f64().filter(|n| (0.0..=1.0).contains(n))
        })
    }

    pub fn span(&self, key: &'static str) -> Option<Duration> {
        self.typed(key, "a span of time such as 90s or 1m30s", |value| match value {
            Json::Int(0) => Some(Duration::ZERO),
            value => parse_span(value.as_str()?),
        })
    }

    pub fn required_span(&self, key: &'static str) -> Option<Duration> {
        self.required(key, self.span(key))
    }

    /// A quantity such as `500m` or `8Gi`, in thousandths.
    pub fn milli(&self, key: &'static str) -> Option<i64> {
        self.typed(key, "a quantity such as 2, 500m or 8Gi", |value| {
            let text = match value {
                Json::Str(text) => text.to_string(),
                Json::Int(n) => n.to_string(),
                Json::Float(n) => n.to_string(),
                _ => return None,
            };
            let quantity = api::quantity::Quantity::parse(&text).ok()?;
            Some(quantity.milli_value()).filter(|n| *n >= 0)
        })
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let wanted = format!("one of {}", names.join(", "));
        self.typed(key, &wanted, |value| {
            words.iter().find(|(name, _)| Some(*name) == value.as_str()).map(|(_, value)| *value)
        })
    }

    pub fn required_word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.required(key, self.word(key, words))
    }

    pub fn texts(&self, key: &'static str) -> Vec<Str> {
        self.each(key, "a list of texts", |value| match value {
            Json::Str(text) => Some(text.clone()),
            _ => None,
        })
    }

    pub fn ports(&self, key: &'static str) -> Vec<u16> {
        self.each(key, "a list of port numbers", |value| {
            u16::try_from(value.as_i64()?).ok().filter(|port| *port > 0)
        })
    }

    fn each<T>(
        &self,
        key: &'static str,
        wanted: &str,
        read: impl Fn(&'r Json) -> Option<T>,
    ) -> Vec<T> {
        let Some(items) = self.typed(key, wanted, Json::as_array) else { return Vec::new() };
        let mut out = Vec::new();
        for (i, item) in items.iter().enumerate() {
            match read(item) {
                Some(value) => out.push(value),
                None => self.reader.complain(
                    &format!("{}[{i}]", self.below(key)),
                    format!("{:?} is {wanted}, and {item} is none", self.below(key)),
                ),
            }
        }
        out
    }

    pub fn object(&self, key: &'static str) -> Option<Fields<'r>> {
        let value = self.typed(key, "an object", |value| value.is_object().then_some(value))?;
        Some(self.fields(self.below(key), value))
    }

    pub fn required_object(&self, key: &'static str) -> Option<Fields<'r>> {
        self.required(key, self.object(key))
    }

    pub fn objects(&self, key: &'static str) -> Vec<Fields<'r>> {
        let Some(items) = self.typed(key, "a list", Json::as_array) else { return Vec::new() };
        let mut out = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let path = format!("{}[{i}]", self.below(key));
            if item.is_object() {
                out.push(self.fields(path, item));
            } else {
                self.reader.complain(&path, format!("{path:?} is an object, not {item}"));
            }
        }
        out
    }

    fn fields(&self, path: String, value: &'r Json) -> Fields<'r> {
        Fields { reader: self.reader, path, value, known: RefCell::default() }
    }

    /// Complains about every field that nobody asked for.
    pub fn finish(self) {
        let known = self.known.borrow();
        for (key, _) in self.value.fields() {
            if known.contains(&&**key) {
                continue;
            }
            let near = known.iter().filter(|name| distance(name, key) <= 2);
            let hint = match near.min_by_key(|name| distance(name, key)) {
                Some(name) => format!("did you mean {name:?}?"),
                None => format!("known are {}", known.join(", ")),
            };
            self.complain(key, format!("unknown field {:?}; {hint}", self.below(key)));
        }
    }
}

/// How many letters must be changed, added or taken away to make one word of another.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
