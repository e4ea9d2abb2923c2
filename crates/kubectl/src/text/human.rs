//! Times and spans as people read them.
//!
//! Models `apimachinery/pkg/util/duration` and how Go reads durations.
//!
//! Known deviations: none.

use api::Json;
use api::time::{Civil, MicroTime, Time};
use base::{Duration, Instant};

/// A span in at most two units: `59s`, `2m5s`, `3h`, `2d4h`, `5y`.
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_micros() / 1_000_000;
    if seconds < -1 {
        return "<invalid>".into();
    }
    if seconds < 0 {
        return "0s".into();
    }
    let two = |big: i64, unit: &str, small: i64, sub: &str| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit}{small}{sub}"),
    };
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 192 => two(days, "d", hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () if days < 2920 => two(days / 365, "y", days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

/// The instant of a `Time` or `MicroTime` in JSON.
pub(crate) fn instant(value: &Json) -> Option<Instant> {
    let text = value.as_str().filter(|text| !text.is_empty())?;
    match Time::parse(text) {
        Ok(time) if !text.contains('.') => Some(time.instant()),
        _ => MicroTime::parse(text).map(MicroTime::instant).ok(),
    }
}

/// How long ago a time was: `5m`, or `<unknown>` where there is none.
pub(crate) fn since(now: Instant, value: &Json) -> String {
    match instant(value) {
        Some(at) => duration(Duration(now.0 - at.0)),
        None => "<unknown>".into(),
    }
}

/// A time as `describe` writes it: `Sun, 22 Nov 2026 14:13:05 +0000`.
pub(crate) fn rfc1123(value: &Json) -> String {
    let Some(at) = instant(value) else { return "Mon, 01 Jan 0001 00:00:00 +0000".into() };
    let civil = Civil::from(at);
    let day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][civil.weekday() as usize];
    let month =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            [(civil.month - 1) as usize];
    format!(
        "{day}, {:02} {month} {:04} {:02}:{:02}:{:02} +0000",
        civil.day, civil.year, civil.hour, civil.minute, civil.second
    )
}

/// A span as Go writes it, in whole seconds: `12s`, `1m30s`.
pub(crate) fn go_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Reads a span as Go writes it: `60s`, `1m30s`, `1.5h`, `0`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut micros = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let units = [
            ("ms", 1e3),
            ("us", 1.0),
            ("µs", 1.0),
            ("ns", 1e-3),
            ("h", 3.6e9),
            ("m", 6e7),
            ("s", 1e6),
        ];
        let (unit, size) = units.iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        micros += number * size;
    }
    let micros = micros as i64;
    Some(Duration::micros(if negative { -micros } else { micros }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, text: &str) {
        assert_eq!(duration(Duration::secs(seconds)), text);
    }

    #[test]
    fn spans_are_rounded_to_one_or_two_units() {
        check(-5, "<invalid>");
        check(-1, "0s");
        check(0, "0s");
        check(119, "119s");
        check(120, "2m");
        check(125, "2m5s");
        check(599, "9m59s");
        check(600, "10m");
        check(10_799, "179m");
        check(10_800, "3h");
        check(3 * 3600 + 25 * 60, "3h25m");
        check(8 * 3600 + 59 * 60, "8h");
        check(47 * 3600, "47h");
        check(48 * 3600, "2d");
        check(7 * 86_400 + 3600, "7d1h");
        check(8 * 86_400, "8d");
        check(729 * 86_400, "729d");
        check(730 * 86_400, "2y");
        check(800 * 86_400, "2y70d");
        check(2920 * 86_400, "8y");
    }

    #[test]
    fn go_durations_are_written() {
        let written = |seconds| go_duration(Duration::secs(seconds));
        assert_eq!(written(12), "12s");
        assert_eq!(written(90), "1m30s");
        assert_eq!(written(300), "5m0s");
        assert_eq!(written(7_205), "2h0m5s");
    }

    #[test]
    fn go_durations_are_read() {
        let read = |text: &str| parse_duration(text).map(Duration::as_millis);
        assert_eq!(read("60s"), Some(60_000));
        assert_eq!(read("1m30s"), Some(90_000));
        assert_eq!(read("1.5h"), Some(5_400_000));
        assert_eq!(read("250ms"), Some(250));
        assert_eq!(read("-1s"), Some(-1_000));
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("5"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn times_are_written_as_in_mail() {
        assert_eq!(rfc1123(&Json::from("2026-11-22T14:13:05Z")), "Sun, 22 Nov 2026 14:13:05 +0000");
    }

    #[test]
    fn an_age_counts_from_either_form_of_time() {
        let now = Time::parse("2026-01-01T00:01:00Z").expect("a time").instant();
        assert_eq!(since(now, &Json::from("2026-01-01T00:00:00Z")), "60s");
        assert_eq!(since(now, &Json::from("2026-01-01T00:00:00.500000Z")), "59s");
        assert_eq!(since(now, &Json::Null), "<unknown>");
    }
}
