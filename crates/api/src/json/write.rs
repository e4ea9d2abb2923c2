//! JSON text as Go's encoder writes it: shortest floats, `<`, `>` and `&` escaped.

use super::Json;
use std::io::Write;

/// Appends `value` without any white space.
pub(super) fn compact(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                compact(item, out);
            }
            out.push(b']');
        }
        Json::Object(fields) => {
            out.push(b'{');
            for (i, (key, value)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_str(key, out);
                out.push(b':');
                compact(value, out);
            }
            out.push(b'}');
        }
        leaf => scalar(leaf, out),
    }
}

/// Appends `value` in lines, `level` levels deep already.
pub(super) fn pretty(value: &Json, level: usize, out: &mut Vec<u8>) {
    match value {
        Json::Array(items) if !items.is_empty() => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                new_line(i > 0, level + 1, out);
                pretty(item, level + 1, out);
            }
            new_line(false, level, out);
            out.push(b']');
        }
        Json::Object(fields) if !fields.is_empty() => {
            out.push(b'{');
            for (i, (key, value)) in fields.iter().enumerate() {
                new_line(i > 0, level + 1, out);
                write_str(key, out);
                out.extend_from_slice(b": ");
                pretty(value, level + 1, out);
            }
            new_line(false, level, out);
            out.push(b'}');
        }
        other => compact(other, out),
    }
}

fn new_line(comma: bool, level: usize, out: &mut Vec<u8>) {
    if comma {
        out.push(b',');
    }
    out.push(b'\n');
    out.resize(out.len() + 4 * level, b' ');
}

fn scalar(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Json::Int(n) => push_fmt(out, format_args!("{n}")),
        Json::Float(n) => write_float(*n, out),
        Json::Str(text) => write_str(text, out),
        Json::Array(_) | Json::Object(_) => unreachable!("scalars only"),
    }
}

fn push_fmt(out: &mut Vec<u8>, args: std::fmt::Arguments<'_>) {
    out.write_fmt(args).expect("writing to memory succeeds");
}

/// Appends a number as Go does: with an exponent below 1e-6 and from 1e21 on. `null` for NaN and infinities.
pub fn write_float(n: f64, out: &mut Vec<u8>) {
    let size = n.abs();
    if !n.is_finite() {
        out.extend_from_slice(b"null");
    } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{n:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        push_fmt(out, format_args!("{digits}e{sign}{exponent}"));
    } else {
        push_fmt(out, format_args!("{n}"));
    }
}

/// Appends a quoted string. `<`, `>`, `&`, U+2028 and U+2029 are escaped as Go does.
pub fn write_str(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut copied = 0;
    let mut i = 0;
    while i < bytes.len() {
        let (escape, len): (Option<&[u8]>, usize) = match bytes[i] {
            b'"' => (Some(b"\\\""), 1),
            b'\\' => (Some(b"\\\\"), 1),
            b'\n' => (Some(b"\\n"), 1),
            b'\r' => (Some(b"\\r"), 1),
            b'\t' => (Some(b"\\t"), 1),
            0x08 => (Some(b"\\b"), 1),
            0x0c => (Some(b"\\f"), 1),
            b'<' => (Some(b"\\u003c"), 1),
            b'>' => (Some(b"\\u003e"), 1),
            b'&' => (Some(b"\\u0026"), 1),
            0xe2 if bytes[i..].starts_with("\u{2028}".as_bytes()) => (Some(b"\\u2028"), 3),
            0xe2 if bytes[i..].starts_with("\u{2029}".as_bytes()) => (Some(b"\\u2029"), 3),
            c if c < 0x20 => {
                out.extend_from_slice(&bytes[copied..i]);
                push_fmt(out, format_args!("\\u{c:04x}"));
                i += 1;
                copied = i;
                continue;
            }
            _ => (None, 1),
        };
        if let Some(escape) = escape {
            out.extend_from_slice(&bytes[copied..i]);
            out.extend_from_slice(escape);
            copied = i + len;
        }
        i += len;
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}
