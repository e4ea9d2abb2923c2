//! The errors of an object as they are collected, and the checks that many kinds share.

use api::codec::{Map, Shaped, Value};
use api::int_or_string::IntOrString;
use api::selector::quote;
use api::{Quantity, names};
use base::Str;

use super::FieldError;
use super::path::Path;

/// What is wrong with an object.
#[derive(Debug, Default)]
pub struct Errors(Vec<FieldError>);

/// A value as an error shows it.
pub trait Shown {
    /// Its text: strings in quotes, structs as JSON.
    fn show(&self) -> String;
}

impl Shown for str {
    fn show(&self) -> String {
        quote(self)
    }
}

impl Shown for Str {
    fn show(&self) -> String {
        quote(self)
    }
}

impl Shown for i32 {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Shown for i64 {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Shown for bool {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Shown for Quantity {
    fn show(&self) -> String {
        quote(&self.to_string())
    }
}

impl Shown for IntOrString {
    fn show(&self) -> String {
        match self {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::Str(text) => quote(text),
        }
    }
}

/// Text that is shown as it is, such as JSON.
pub struct Raw(pub String);

impl Shown for Raw {
    fn show(&self) -> String {
        self.0.clone()
    }
}

/// A value as JSON.
pub fn json(value: &dyn Shaped) -> Raw {
    let mut out = Vec::new();
    value.put(&mut out);
    Raw(String::from_utf8_lossy(&out).into_owned())
}

/// A map as JSON: `null` where it was not written at all.
pub fn json_map<V: Shaped + Clone + Default + PartialEq>(map: &Map<V>) -> Raw {
    if map.is_empty() && !map.was_given() { Raw("null".into()) } else { json(map) }
}

/// A list of texts as JSON: `null` where it is empty.
pub fn json_list(list: &[Str]) -> Raw {
    if list.is_empty() {
        return Raw("null".into());
    }
    let items: Vec<String> = list.iter().map(|item| json(item).0).collect();
    Raw(format!("[{}]", items.join(",")))
}

impl Errors {
    /// The errors so far.
    pub fn take(self) -> Vec<FieldError> {
        self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, reason: &'static str, at: &Path, word: &str, why: &str) {
        let message = if why.is_empty() { word.into() } else { format!("{word}: {why}") };
        self.0.push(FieldError { reason, field: at.text(), message: message.into() });
    }

    /// A field that must be there is not.
    pub fn required(&mut self, at: &Path, why: &str) {
        self.push("FieldValueRequired", at, "Required value", why);
    }

    /// A value is wrong.
    pub fn invalid(&mut self, at: &Path, value: &(impl Shown + ?Sized), why: &str) {
        self.push("FieldValueInvalid", at, &format!("Invalid value: {}", value.show()), why);
    }

    /// A value is wrong for each of the complaints.
    pub fn complaints(&mut self, at: &Path, value: &str, complaints: Vec<String>) {
        for complaint in complaints {
            self.invalid(at, value, &complaint);
        }
    }

    /// A value is none of those there are.
    pub fn unsupported(&mut self, at: &Path, value: &(impl Shown + ?Sized), supported: &[&str]) {
        let list: Vec<String> = supported.iter().map(|value| quote(value)).collect();
        let why = match list.is_empty() {
            true => String::new(),
            false => format!("supported values: {}", list.join(", ")),
        };
        let word = format!("Unsupported value: {}", value.show());
        self.push("FieldValueNotSupported", at, &word, &why);
    }

    /// A value that must be unique is there twice.
    pub fn duplicate(&mut self, at: &Path, value: &(impl Shown + ?Sized)) {
        let word = format!("Duplicate value: {}", value.show());
        self.push("FieldValueDuplicate", at, &word, "");
    }

    /// A value names something that is not there.
    pub fn not_found(&mut self, at: &Path, value: &(impl Shown + ?Sized)) {
        self.push("FieldValueNotFound", at, &format!("Not found: {}", value.show()), "");
    }

    /// A field must not be set, or not to this.
    pub fn forbidden(&mut self, at: &Path, why: &str) {
        self.push("FieldValueForbidden", at, "Forbidden", why);
    }

    /// A value takes more bytes than it may.
    pub fn too_long(&mut self, at: &Path, max: usize) {
        let why = format!("may not be more than {max} bytes");
        self.push("FieldValueTooLong", at, "Too long", &why);
    }

    /// A list has more items than it may.
    pub fn too_many(&mut self, at: &Path, count: usize, max: usize) {
        let items = if max == 1 { "item" } else { "items" };
        let why = format!("must have at most {max} {items}");
        self.push("FieldValueTooMany", at, &format!("Too many: {count}"), &why);
    }

    /// A number that must not be negative.
    pub fn not_negative(&mut self, at: &Path, value: i64) {
        if value < 0 {
            self.invalid(at, &value, NEGATIVE);
        }
    }

    /// A number that must not be negative, where there is one.
    pub fn not_negative_if(&mut self, at: &Path, value: Option<impl Into<i64>>) {
        if let Some(value) = value {
            self.not_negative(at, value.into());
        }
    }

    /// One of a set of words; `required` where it is empty.
    pub fn one_of(&mut self, at: &Path, value: &str, supported: &[&str]) {
        if value.is_empty() {
            self.required(at, "");
        } else if !supported.contains(&value) {
            self.unsupported(at, value, supported);
        }
    }

    /// One of a set of words, or left out.
    pub fn one_of_if(&mut self, at: &Path, value: Option<&Str>, supported: &[&str]) {
        if let Some(value) = value
            && !supported.contains(&value.as_str())
        {
            self.unsupported(at, value, supported);
        }
    }

    /// A name that must be there and be a DNS label.
    pub fn label_name(&mut self, at: &Path, value: &str) {
        self.complaints(at, value, names::dns1123_label(value));
    }

    /// A DNS subdomain.
    pub fn subdomain(&mut self, at: &Path, value: &str) {
        self.complaints(at, value, names::dns1123_subdomain(value));
    }

    /// A qualified name: `example.com/name`.
    pub fn qualified(&mut self, at: &Path, value: &str) {
        self.complaints(at, value, names::qualified_name(value));
    }

    /// The keys and values of labels.
    pub fn labels(&mut self, at: &Path, labels: &Map<Str>) {
        for (key, value) in labels.iter() {
            self.qualified(at, key);
            self.complaints(at, value, names::label_value(value));
        }
    }

    /// The keys and the size of annotations.
    pub fn annotations(&mut self, at: &Path, annotations: &Map<Str>) {
        let mut size = 0;
        for (key, value) in annotations.iter() {
            self.complaints(at, key, names::qualified_name(&key.to_lowercase()));
            size += key.len() + value.len();
        }
        if size > ANNOTATIONS_MAX {
            self.too_long(at, ANNOTATIONS_MAX);
        }
    }

    /// A port's number or name.
    pub fn port(&mut self, at: &Path, port: &IntOrString) {
        match port {
            IntOrString::Int(number) => self.port_number(at, *number),
            IntOrString::Str(name) => self.complaints(at, name, names::port_name(name)),
        }
    }

    /// A port's number.
    pub fn port_number(&mut self, at: &Path, port: i32) {
        for complaint in names::port_number(port.into()) {
            self.invalid(at, &port, &complaint);
        }
    }

    /// A count or a percentage, not negative.
    pub fn count_or_percent(&mut self, at: &Path, value: &IntOrString) {
        match value {
            IntOrString::Int(number) => self.not_negative(at, (*number).into()),
            IntOrString::Str(text) => self.complaints(at, text, names::percent(text)),
        }
    }

    /// A percentage of at most a hundred.
    pub fn at_most_all(&mut self, at: &Path, value: &IntOrString) {
        if percent_of(value).is_some_and(|percent| percent > 100) {
            self.invalid(at, value, "must not be greater than 100%");
        }
    }

    /// A quantity that must not be negative.
    pub fn amount(&mut self, at: &Path, amount: &Quantity) {
        if amount.sign() < 0 {
            self.invalid(at, amount, NEGATIVE);
        }
    }

    /// A quantity that must be more than nothing.
    pub fn positive_amount(&mut self, at: &Path, amount: &Quantity) {
        if amount.sign() <= 0 {
            self.invalid(at, amount, NOT_POSITIVE);
        }
    }

    /// A value that must not change.
    pub fn immutable(&mut self, at: &Path, new: &dyn Shaped, old: &dyn Shaped) {
        if !new.same(old) {
            self.invalid(at, &json(new), IMMUTABLE);
        }
    }
}

/// What is said of numbers below zero.
pub const NEGATIVE: &str = "must be greater than or equal to 0";
/// What is said of numbers that are not above zero.
pub const NOT_POSITIVE: &str = "must be greater than zero";
/// What is said of fields that must not change.
pub const IMMUTABLE: &str = "field is immutable";

const ANNOTATIONS_MAX: usize = 256 * 1024;

fn percent_of(value: &IntOrString) -> Option<i64> {
    let text = value.as_str()?;
    if !names::percent(text).is_empty() {
        return None;
    }
    text.strip_suffix('%')?.parse().ok()
}

/// The count, or the number of a percentage.
pub fn count_of(value: &IntOrString) -> i64 {
    percent_of(value).unwrap_or_else(|| value.int().into())
}
