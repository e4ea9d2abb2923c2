//! What a plain scalar means: YAML 1.1 as go-yaml v2 reads it.
//!
//! Known deviations:
//! - Whole numbers beyond 64 bits become floats; upstream keeps their digits until the API decodes
//!   them.

/// The value of a plain scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// `null`, `~` or nothing.
    Null,
    /// Any of the many spellings of true and false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number; may be infinite or NaN when spelled so.
    Float(f64),
    /// A date or moment, which JSON keeps as text.
    Timestamp,
    /// Anything else.
    Text,
}

/// Resolves the text of a plain scalar.
pub(crate) fn resolve(text: &str) -> Scalar {
    let first = text.bytes().next();
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Scalar::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match first {
        Some(b'.') => float(text).unwrap_or(Scalar::Text),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            if is_timestamp(text) {
                return Scalar::Timestamp;
            }
            let digits = text.replace('_', "");
            int(&digits).or_else(|| float(&digits)).unwrap_or(Scalar::Text)
        }
        _ => Scalar::Text,
    }
}

/// A whole number with Go's prefixes: `0x`, `0o`, `0b`, and a bare `0` for octal.
fn int(text: &str) -> Option<Scalar> {
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match body.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &body[2..]),
        [b'0', b'o' | b'O', ..] => (8, &body[2..]),
        [b'0', b'b' | b'B', ..] => (2, &body[2..]),
        [b'0', _, ..] => (8, &body[1..]),
        _ => (10, body),
    };
    if digits.is_empty() || !digits.bytes().all(|b| char::from(b).is_digit(radix)) {
        return None;
    }
    let value = digits.bytes().fold(0.0, |n, b| {
        n * f64::from(radix) + f64::from(char::from(b).to_digit(radix).unwrap_or(0))
    });
    let exact = i128::from_str_radix(digits, radix).ok().map(|n| if negative { -n } else { n });
    match exact.and_then(|n| i64::try_from(n).ok()) {
        Some(n) => Some(Scalar::Int(n)),
        None if radix == 10 => float(text),
        None => Some(Scalar::Float(if negative { -value } else { value })),
    }
}

/// A decimal number with optional fraction and exponent that fits a float.
fn float(text: &str) -> Option<Scalar> {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_fine =
        all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_fine = exponent.is_none_or(|e| {
        let digits = e.strip_prefix(['+', '-']).unwrap_or(e);
        !digits.is_empty() && all_digits(digits)
    });
    if !mantissa_fine || !exponent_fine {
        return None;
    }
    text.parse().ok().filter(|n: &f64| n.is_finite()).map(Scalar::Float)
}

/// Whether go-yaml takes a text for a date (`2006-1-2`) or a moment.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let year: u32 = text[..4].parse().unwrap_or(0);
    let mut rest = &text[5..];
    let Some(month) = number(&mut rest, 12).filter(|m| *m > 0) else { return false };
    if !skip(&mut rest, '-') {
        return false;
    }
    let Some(day) = number(&mut rest, 31) else { return false };
    if day == 0 || day > days_in(year, month) {
        return false;
    }
    if rest.is_empty() {
        return true;
    }
    let zoned = rest.starts_with(['T', 't']);
    if !zoned && !rest.starts_with(' ') {
        return false;
    }
    rest = &rest[1..];
    clock(&mut rest) && if zoned { zone(rest) } else { rest.is_empty() }
}

fn clock(rest: &mut &str) -> bool {
    let fine = number(rest, 23).is_some()
        && skip(rest, ':')
        && number(rest, 59).is_some()
        && skip(rest, ':')
        && number(rest, 59).is_some();
    if fine && (rest.starts_with('.') || rest.starts_with(',')) {
        let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return false;
        }
        *rest = &rest[1 + digits..];
    }
    fine
}

fn zone(rest: &str) -> bool {
    let b = rest.as_bytes();
    rest == "Z"
        || b.len() == 6
            && matches!(b[0], b'+' | b'-')
            && b[3] == b':'
            && [b[1], b[2], b[4], b[5]].iter().all(u8::is_ascii_digit)
}

/// Takes one or two digits off the front if they make at most `max`.
fn number(rest: &mut &str, max: u32) -> Option<u32> {
    let len = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let value = rest[..len].parse().ok().filter(|n| *n <= max)?;
    *rest = &rest[len..];
    Some(value)
}

fn skip(rest: &mut &str, what: char) -> bool {
    match rest.strip_prefix(what) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// Whether other YAML 1.1 readers would take a text for a number in base 60, such as `12:30`.
pub(crate) fn is_base60(text: &str) -> bool {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    let mut parts = whole.split(':');
    let head = parts.next().unwrap_or("");
    let mut tail = parts.peekable();
    head.starts_with(|c: char| c.is_ascii_digit())
        && head.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && tail.peek().is_some()
        && tail.all(|part| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']))
        && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// A number as Go's `strconv` writes it with verb `g` and the shortest exact digits.
pub(crate) fn go_g(n: f64) -> String {
    with_go_exponent(n, format!("{n:e}"), format!("{n}"))
}

/// Like [`go_g`] for a number that was cut to 32 bits, as keys of a mapping are.
pub(crate) fn go_g32(n: f64) -> String {
    let short = n as f32;
    with_go_exponent(n, format!("{short:e}"), format!("{short}"))
}

fn with_go_exponent(n: f64, scientific: String, plain: String) -> String {
    if n.is_nan() {
        return ".nan".into();
    }
    if n.is_infinite() {
        return if n > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) && exponent < 6 || n == 0.0 {
        return plain;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Scalar) {
        assert_eq!(resolve(text), expected, "resolving {text:?}");
    }

    #[test]
    fn yes_and_no_have_many_spellings() {
        for text in ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"] {
            check(text, Scalar::Bool(true));
        }
        for text in ["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"] {
            check(text, Scalar::Bool(false));
        }
        for text in ["yEs", "oN", "tRUE", "yes ", "nope"] {
            check(text, Scalar::Text);
        }
    }

    #[test]
    fn whole_numbers_have_prefixes_and_underscores() {
        check("0644", Scalar::Int(0o644));
        check("0o644", Scalar::Int(0o644));
        check("-0644", Scalar::Int(-0o644));
        check("0b101", Scalar::Int(5));
        check("0x1F", Scalar::Int(31));
        check("0X1f", Scalar::Int(31));
        check("+12", Scalar::Int(12));
        check("1_000_000", Scalar::Int(1_000_000));
        check("9223372036854775807", Scalar::Int(i64::MAX));
        check("-9223372036854775808", Scalar::Int(i64::MIN));
        check("9223372036854775808", Scalar::Float(9_223_372_036_854_775_808.0));
        check("0xFFFFFFFFFFFFFFFF", Scalar::Float(18_446_744_073_709_551_615.0));
    }

    #[test]
    fn octal_that_is_none_becomes_a_float() {
        check("08", Scalar::Float(8.0));
        check("0899", Scalar::Float(899.0));
    }

    #[test]
    fn floats_need_digits() {
        check("1.5", Scalar::Float(1.5));
        check(".5", Scalar::Float(0.5));
        check("1.", Scalar::Float(1.0));
        check("-1e3", Scalar::Float(-1000.0));
        check("1_0.5", Scalar::Float(10.5));
        check("-.inf", Scalar::Float(f64::NEG_INFINITY));
        for text in [".", "1e", "e5", "1e999", "+", "-", "0x", "1.2.3", "100m", "1Gi", "._5"] {
            check(text, Scalar::Text);
        }
    }

    #[test]
    fn times_stay_text() {
        for text in ["2026-01-02", "2026-1-2", "2026-01-02T03:04:05Z", "2026-01-02 03:04:05.25"] {
            check(text, Scalar::Timestamp);
        }
        for text in ["2026-13-02", "2026-02-30", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z"] {
            check(text, Scalar::Text);
        }
        check("12:30", Scalar::Text);
    }

    #[test]
    fn base_sixty_is_recognised() {
        for text in ["12:30", "1:2:3", "-190:20:30.15", "1_0:5"] {
            assert!(is_base60(text), "{text}");
        }
        for text in ["12:60", "a:1", "12:", ":30", "12", "nginx:1.27", "1.2:3"] {
            assert!(!is_base60(text), "{text}");
        }
    }

    #[test]
    fn numbers_are_written_as_by_go() {
        for (n, expected) in [
            (1.5, "1.5"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (123_456.5, "123456.5"),
            (1_234_567.5, "1.2345675e+06"),
            (1e21, "1e+21"),
        ] {
            assert_eq!(go_g(n), expected);
        }
        assert_eq!(go_g32(0.1), "0.1");
    }
}
