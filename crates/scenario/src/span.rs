//! Spans of time as people write them: `90s`, `1h30m`, `1.5s`, `250ms`.

use base::Duration;

const UNITS: &[(&str, i64)] =
    &[("ms", 1_000), ("us", 1), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)];

/// Reads a span: numbers with units, one after the other, as in Go. A bare `0` needs no unit.
pub fn parse_span(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    if text.is_empty() {
        return None;
    }
    let (mut rest, mut total) = (text, 0i64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, after) = rest.split_at(digits);
        let (unit, micros) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        if number.is_empty() || number == "." || fraction.contains('.') {
            return None;
        }
        let part = fraction.bytes().take(6).fold((0i64, *micros), |(sum, unit), digit| {
            (sum + i64::from(digit - b'0') * (unit / 10), unit / 10)
        });
        total = total.checked_add(whole.checked_mul(*micros)?)?.checked_add(part.0)?;
        rest = &after[unit.len()..];
    }
    Some(Duration(total))
}

/// Writes a span the short way: `1h30m`, `1.5s`, `0s`.
pub fn format_span(span: Duration) -> String {
    let mut micros = span.as_micros().max(0);
    let mut text = String::new();
    for (unit, size) in [("h", 3_600_000_000), ("m", 60_000_000)] {
        if micros >= size {
            text.push_str(&format!("{}{unit}", micros / size));
            micros %= size;
        }
    }
    if micros > 0 || text.is_empty() {
        let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        text.push_str(seconds.trim_end_matches('0').trim_end_matches('.'));
        text.push('s');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, micros: i64, back: &str) {
        assert_eq!(parse_span(text), Some(Duration(micros)), "{text}");
        assert_eq!(format_span(Duration(micros)), back);
    }

    #[test]
    fn spans_are_read_and_written() {
        check("0", 0, "0s");
        check("30s", 30_000_000, "30s");
        check("90s", 90_000_000, "1m30s");
        check("1h30m", 5_400_000_000, "1h30m");
        check("1.5s", 1_500_000, "1.5s");
        check(".25s", 250_000, "0.25s");
        check("250ms", 250_000, "0.25s");
        check("1m0.000001s", 60_000_001, "1m0.000001s");
    }

    #[test]
    fn other_texts_are_no_spans() {
        for text in ["", "30", "s", "-1s", "1x", "1s ", "1..5s", ".s", "99999999999999h"] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }
}
