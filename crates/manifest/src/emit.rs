//! Writes YAML the way `kubectl get -o yaml` prints it.
//!
//! Models `sigs.k8s.io/yaml` over go-yaml v2: sorted keys, lists at the indent of their key, quotes
//! only where a reader would take the text for something else, and long lines folded after column
//! 80.
//!
//! Known deviations:
//! - Texts with U+2028 or U+2029 are always quoted and escaped.
//! - The text `<<` is quoted, or it would come back as a merge key.

use crate::scalar::{self, Scalar};
use api::json::{Json, write_float};
use base::Str;
use std::cmp::Ordering;

/// Lines break at the first single space after this column.
const WIDTH: usize = 80;

/// Keys longer than this are written as `? key`.
const SIMPLE_KEY_BYTES_MAX: usize = 128;

/// The YAML of a value, with a newline at the end.
pub fn to_yaml(value: &Json) -> String {
    let mut emitter = Emitter { out: String::new(), column: 0 };
    match value {
        Json::Object(fields) if !fields.is_empty() => emitter.mapping(fields, 0, true),
        Json::Array(items) if !items.is_empty() => emitter.sequence(items, 0, true),
        leaf => emitter.leaf(leaf, 2),
    }
    emitter.end_line();
    emitter.out
}

struct Emitter {
    out: String,
    /// Characters on the current line.
    column: usize,
}

impl Emitter {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column = if c == '\n' { 0 } else { self.column + 1 };
    }

    fn text(&mut self, text: &str) {
        text.chars().for_each(|c| self.put(c));
    }

    /// Ends the line unless a block scalar already did.
    fn end_line(&mut self) {
        if self.column > 0 {
            self.put('\n');
        }
    }

    fn new_line(&mut self, indent: usize) {
        self.end_line();
        (0..indent).for_each(|_| self.put(' '));
    }

    /// Writes the fields at `indent`; the first goes on with the current line if `inline`.
    fn mapping(&mut self, fields: &[(Str, Json)], indent: usize, inline: bool) {
        for (i, (key, value)) in in_key_order(fields).into_iter().enumerate() {
            if i > 0 || !inline {
                self.new_line(indent);
            }
            if key.len() <= SIMPLE_KEY_BYTES_MAX && !key.contains('\n') {
                self.string(key, indent + 2, true);
                self.put(':');
                self.value(value, indent);
            } else {
                self.text("? ");
                self.string(key, indent + 2, false);
                self.new_line(indent);
                self.put(':');
                self.item(value, indent);
            }
        }
    }

    /// Writes what stands behind the colon of a key at `indent`.
    fn value(&mut self, value: &Json, indent: usize) {
        match value {
            Json::Object(fields) if !fields.is_empty() => self.mapping(fields, indent + 2, false),
            Json::Array(items) if !items.is_empty() => self.sequence(items, indent, false),
            leaf => {
                self.put(' ');
                self.leaf(leaf, indent + 2);
            }
        }
    }

    fn sequence(&mut self, items: &[Json], indent: usize, inline: bool) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 || !inline {
                self.new_line(indent);
            }
            self.put('-');
            self.item(item, indent);
        }
    }

    /// Writes what stands behind a dash at `indent`: collections start on the same line.
    fn item(&mut self, item: &Json, indent: usize) {
        self.put(' ');
        match item {
            Json::Object(fields) if !fields.is_empty() => self.mapping(fields, indent + 2, true),
            Json::Array(items) if !items.is_empty() => self.sequence(items, indent + 2, true),
            leaf => self.leaf(leaf, indent + 2),
        }
    }

    fn leaf(&mut self, value: &Json, indent: usize) {
        match value {
            Json::Null => self.text("null"),
            Json::Bool(value) => self.text(if *value { "true" } else { "false" }),
            Json::Int(n) => self.text(&n.to_string()),
            Json::Float(n) => self.text(&float(*n)),
            Json::Str(text) => self.string(text, indent, false),
            Json::Array(_) => self.text("[]"),
            Json::Object(_) => self.text("{}"),
        }
    }

    fn string(&mut self, text: &str, indent: usize, is_key: bool) {
        match style(text, is_key) {
            Style::Plain => self.folded(text, indent, is_key, |emitter, c| emitter.put(c)),
            Style::Literal => self.literal(text, indent),
            Style::SingleQuoted => {
                self.put('\'');
                self.folded(text, indent, is_key, |emitter, c| {
                    emitter.put(c);
                    if c == '\'' {
                        emitter.put(c);
                    }
                });
                self.put('\'');
            }
            Style::DoubleQuoted => {
                self.put('"');
                self.double_quoted(text, indent, is_key);
                self.put('"');
            }
        }
    }

    /// Writes one line of text, broken at single spaces where it grows too long.
    fn folded(&mut self, text: &str, indent: usize, is_key: bool, put: fn(&mut Emitter, char)) {
        let mut after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c != ' ' {
                put(self, c);
                after_space = false;
                continue;
            }
            let inside = at > 0 && chars.peek().is_some_and(|(_, next)| *next != ' ');
            if !is_key && !after_space && self.column > WIDTH && inside {
                self.new_line(indent);
            } else {
                self.put(' ');
            }
            after_space = true;
        }
    }

    fn double_quoted(&mut self, text: &str, indent: usize, is_key: bool) {
        let mut after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c != ' ' {
                self.escaped(c);
                after_space = false;
                continue;
            }
            let inside = at > 0 && chars.peek().is_some();
            if !is_key && !after_space && self.column > WIDTH && inside {
                self.new_line(indent);
                if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                    self.put('\\');
                }
            } else {
                self.put(' ');
            }
            after_space = true;
        }
    }

    fn escaped(&mut self, c: char) {
        let letter = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' | '\\' => c,
            '\u{85}' => 'N',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            c if is_printable(c) => return self.put(c),
            c => {
                let code = u32::from(c);
                return self.text(&match code {
                    0..=0xff => format!("\\x{code:02X}"),
                    0x100..=0xffff => format!("\\u{code:04X}"),
                    _ => format!("\\U{code:08X}"),
                });
            }
        };
        self.put('\\');
        self.put(letter);
    }

    /// Writes text in lines of its own, indented by `indent`.
    fn literal(&mut self, text: &str, indent: usize) {
        self.put('|');
        if text.starts_with([' ', '\n']) {
            self.put('2');
        }
        if !text.ends_with('\n') {
            self.put('-');
        } else if text == "\n" || text.ends_with("\n\n") {
            self.put('+');
        }
        self.put('\n');
        for line in text.split_inclusive('\n') {
            if line != "\n" {
                (0..indent).for_each(|_| self.put(' '));
            }
            self.text(line);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

fn style(text: &str, is_key: bool) -> Style {
    let shape = Shape::of(text);
    if text.contains('\n') {
        let fits = !is_key && !shape.special && !shape.space_break && !text.ends_with(' ');
        return if fits { Style::Literal } else { Style::DoubleQuoted };
    }
    let other_meaning = scalar::resolve(text) != Scalar::Text || scalar::is_base60(text);
    if other_meaning || shape.special || text == "<<" {
        Style::DoubleQuoted
    } else if shape.indicators || text.starts_with(' ') || text.ends_with(' ') {
        Style::SingleQuoted
    } else {
        Style::Plain
    }
}

/// What in a text stands in the way of writing it bare.
#[derive(Default)]
struct Shape {
    /// Characters that only an escape can write.
    special: bool,
    /// A space right before a line break.
    space_break: bool,
    /// Characters that mean something to YAML where they stand.
    indicators: bool,
}

impl Shape {
    fn of(text: &str) -> Shape {
        let mut shape = Shape {
            indicators: text.starts_with("---") || text.starts_with("..."),
            ..Shape::default()
        };
        let mut before = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let ends_word = chars.peek().is_none_or(|next| next.is_ascii_whitespace());
            shape.special |= !is_printable(c);
            shape.space_break |= c == '\n' && before == Some(' ');
            shape.indicators |= match before {
                None => {
                    matches!(
                        c,
                        '#' | ','
                            | '['
                            | ']'
                            | '{'
                            | '}'
                            | '&'
                            | '*'
                            | '!'
                            | '|'
                            | '>'
                            | '\''
                            | '"'
                            | '%'
                            | '@'
                            | '`'
                    ) || matches!(c, '?' | ':' | '-') && ends_word
                }
                Some(before) => c == ':' && ends_word || c == '#' && before.is_ascii_whitespace(),
            };
            before = Some(c);
        }
        shape
    }
}

/// Whether go-yaml writes a character as it is. Characters beyond 16 bits and tabs are escaped.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}')
        || matches!(c, '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

fn float(n: f64) -> String {
    let mut json = Vec::new();
    write_float(n, &mut json);
    match String::from_utf8(json) {
        Ok(json) if !json.contains(['.', 'e']) => json,
        _ => scalar::go_g(n),
    }
}

/// The fields in the order go-yaml prints them; of repeated keys the last.
fn in_key_order(fields: &[(Str, Json)]) -> Vec<(&Str, &Json)> {
    let mut sorted: Vec<(&Str, &Json)> = fields.iter().map(|(key, value)| (key, value)).collect();
    base::sort::by(&mut sorted, |a, b| a.0.cmp(b.0));
    sorted.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 = later.1;
        }
        same
    });
    merge_sort(&sorted)
}

/// Sorts by [`key_order`], which is no total order (`2x` < `12x` < `1x` < `2x`), so the standard
/// sort may not be used.
fn merge_sort<'a>(items: &[(&'a Str, &'a Json)]) -> Vec<(&'a Str, &'a Json)> {
    if items.len() < 2 {
        return items.to_vec();
    }
    let (left, right) = items.split_at(items.len() / 2);
    let (left, right) = (merge_sort(left), merge_sort(right));
    let mut out = Vec::with_capacity(items.len());
    let (mut l, mut r) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(a), Some(b)) = (l.peek(), r.peek()) {
        let from_right = key_order(b.0, a.0) == Ordering::Less;
        out.extend(if from_right { r.next() } else { l.next() });
    }
    out.extend(l.chain(r));
    out
}

/// How two keys compare: numbers inside by value, everything else before letters.
fn key_order(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(x, y)| x != y) else { return a.len().cmp(&b.len()) };
    let (x, y) = (a[at], b[at]);
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // A zero after other digits belongs to their number and is no leading zero.
    let digits_before = a[..at].iter().rev().take_while(|c| c.is_ascii_digit());
    let inside_number = (x == '0' || y == '0') && digits_before.clone().any(|c| *c != '0');
    let run = |chars: &[char]| {
        let digits: Vec<u32> = chars[at..].iter().map_while(|c| c.to_digit(10)).collect();
        let start = i64::from(inside_number);
        let value =
            digits.iter().fold(start, |n, d| n.wrapping_mul(10).wrapping_add(i64::from(*d)));
        (value, digits.len())
    };
    run(&a).cmp(&run(&b)).then(x.cmp(&y))
}

#[cfg(test)]
mod tests;
