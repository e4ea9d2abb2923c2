//! Moments as the API writes them: `Time` in seconds and `MicroTime` in microseconds, always UTC.
//!
//! Known deviations:
//! - Times outside the years 0 to 9999 cannot be written.

use base::Instant;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::num::NonZeroU64;

/// A moment in whole seconds (`metav1.Time`).
///
/// An `Option<Time>` takes 8 bytes. The order is that of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Moment);

/// A moment in microseconds (`metav1.MicroTime`), used by leases and events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroTime(Moment);

/// Why a text is no moment; reads as Go's `time.ParseError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TimeError(pub String);

/// Microseconds since the epoch with the sign bit turned, which keeps the order; zero would lie
/// 292,000 years ago and is what `None` uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Moment(NonZeroU64);

const SIGN: u64 = 1 << 63;

impl Moment {
    fn new(micros: i64) -> Moment {
        Moment(NonZeroU64::new(micros as u64 ^ SIGN).unwrap_or(NonZeroU64::MIN))
    }

    fn micros(self) -> i64 {
        (self.0.get() ^ SIGN) as i64
    }
}

impl Time {
    /// Reads RFC 3339 text with any offset; a fraction of a second is dropped.
    pub fn parse(text: &str) -> Result<Time, TimeError> {
        parse(text, Layout::Seconds).map(Time::from)
    }

    /// The moment in seconds since the Unix epoch.
    pub fn from_unix(seconds: i64) -> Time {
        Time(Moment::new(seconds.saturating_mul(1_000_000)))
    }

    /// The virtual instant.
    pub fn instant(self) -> Instant {
        Instant(self.0.micros())
    }

    /// Seconds since the Unix epoch.
    pub fn unix_seconds(self) -> i64 {
        self.instant().unix_seconds()
    }
}

impl MicroTime {
    /// Reads RFC 3339 text with six decimals and any offset.
    pub fn parse(text: &str) -> Result<MicroTime, TimeError> {
        parse(text, Layout::Micros).map(MicroTime::from)
    }

    /// The virtual instant.
    pub fn instant(self) -> Instant {
        Instant(self.0.micros())
    }
}

impl From<Instant> for Time {
    fn from(at: Instant) -> Time {
        Time::from_unix(at.unix_seconds())
    }
}

impl From<Instant> for MicroTime {
    fn from(at: Instant) -> MicroTime {
        MicroTime(Moment::new(at.unix_micros()))
    }
}

impl From<MicroTime> for Time {
    fn from(at: MicroTime) -> Time {
        Time::from(at.instant())
    }
}

impl From<Time> for MicroTime {
    fn from(at: Time) -> MicroTime {
        MicroTime(at.0)
    }
}

impl From<Time> for Instant {
    fn from(at: Time) -> Instant {
        at.instant()
    }
}

impl From<MicroTime> for Instant {
    fn from(at: MicroTime) -> Instant {
        at.instant()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", Civil::from(self.instant()))
    }
}

impl fmt::Display for MicroTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = Civil::from(self.instant());
        write!(f, "{civil}.{:06}Z", civil.micros)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for MicroTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for MicroTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        Time::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for MicroTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MicroTime, D::Error> {
        MicroTime::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A moment taken apart, in the proleptic Gregorian calendar and UTC. Shows as `2026-01-31T23:59:59`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// The year.
    pub year: i32,
    /// The month, from 1.
    pub month: u32,
    /// The day of the month, from 1.
    pub day: u32,
    /// The hour, 0 to 23.
    pub hour: u32,
    /// The minute.
    pub minute: u32,
    /// The second.
    pub second: u32,
    /// Microseconds of the second.
    pub micros: u32,
}

impl Civil {
    /// The moment. A month or day beyond the end of its year or month counts on.
    pub fn instant(self) -> Instant {
        let days = days_from_civil(self.year.into(), self.month, self.day);
        let seconds = i64::from(self.hour * 3600 + self.minute * 60 + self.second);
        Instant((days * 86_400 + seconds) * 1_000_000 + i64::from(self.micros))
    }

    /// The day of the week, 0 for Sunday.
    pub fn weekday(self) -> u32 {
        (days_from_civil(self.year.into(), self.month, self.day) + 4).rem_euclid(7) as u32
    }
}

impl From<Instant> for Civil {
    fn from(at: Instant) -> Civil {
        let (seconds, micros) = (at.0.div_euclid(1_000_000), at.0.rem_euclid(1_000_000) as u32);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        Civil { year, month, day, hour, minute, second, micros }
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, .. } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// How many days a month has.
pub fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01; years are counted from March, so that the leap day ends one.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = i64::from((month + 9) % 12);
    let of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i32, u32, u32) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

#[derive(Clone, Copy, PartialEq)]
enum Layout {
    Seconds,
    Micros,
}

impl Layout {
    fn text(self) -> &'static str {
        match self {
            Layout::Seconds => "2006-01-02T15:04:05Z07:00",
            Layout::Micros => "2006-01-02T15:04:05.000000Z07:00",
        }
    }
}

fn parse(text: &str, layout: Layout) -> Result<Instant, TimeError> {
    let mut scan = Scan { all: text, rest: text, layout };
    let year = scan.year()? as i32;
    scan.literal("-")?;
    let month = scan.number("01", true)?;
    if !(1..=12).contains(&month) {
        return Err(scan.out_of_range("month"));
    }
    scan.literal("-")?;
    let day = scan.number("02", true)?;
    scan.literal("T")?;
    let hour = scan.number("15", false)?;
    if hour >= 24 {
        return Err(scan.out_of_range("hour"));
    }
    scan.literal(":")?;
    let minute = scan.number("04", true)?;
    if minute >= 60 {
        return Err(scan.out_of_range("minute"));
    }
    scan.literal(":")?;
    let second = scan.number("05", true)?;
    if second >= 60 {
        return Err(scan.out_of_range("second"));
    }
    let micros = scan.fraction()?;
    let offset = scan.zone()?;
    if !scan.rest.is_empty() {
        let (all, rest) = (quote(text), quote(scan.rest));
        return Err(TimeError(format!("parsing time {all}: extra text: {rest}")));
    }
    if day < 1 || day > days_in_month(year, month) {
        return Err(scan.out_of_range("day"));
    }
    let local = Civil { year, month, day, hour, minute, second, micros }.instant();
    Ok(Instant(local.0 - offset * 1_000_000))
}

struct Scan<'a> {
    all: &'a str,
    rest: &'a str,
    layout: Layout,
}

impl Scan<'_> {
    fn cannot(&self, element: &str) -> TimeError {
        let (all, rest, layout) = (quote(self.all), quote(self.rest), self.layout.text());
        TimeError(format!(
            "parsing time {all} as \"{layout}\": cannot parse {rest} as \"{element}\""
        ))
    }

    fn out_of_range(&self, what: &str) -> TimeError {
        TimeError(format!("parsing time {}: {what} out of range", quote(self.all)))
    }

    fn literal(&mut self, text: &str) -> Result<(), TimeError> {
        self.rest = self.rest.strip_prefix(text).ok_or_else(|| self.cannot(text))?;
        Ok(())
    }

    fn digit(&self, at: usize) -> Option<u32> {
        self.rest.as_bytes().get(at).and_then(|b| char::from(*b).to_digit(10))
    }

    fn year(&mut self) -> Result<u32, TimeError> {
        let digits = [0, 1, 2, 3].map(|at| self.digit(at));
        let mut year = 0;
        for digit in digits {
            year = year * 10 + digit.ok_or_else(|| self.cannot("2006"))?;
        }
        self.rest = &self.rest[4..];
        Ok(year)
    }

    /// One or two digits; exactly two if `fixed`.
    fn number(&mut self, element: &str, fixed: bool) -> Result<u32, TimeError> {
        let first = self.digit(0).ok_or_else(|| self.cannot(element))?;
        let (number, len) = match self.digit(1) {
            Some(second) => (first * 10 + second, 2),
            None if fixed => return Err(self.cannot(element)),
            None => (first, 1),
        };
        self.rest = &self.rest[len..];
        Ok(number)
    }

    /// Microseconds: six decimals where the layout has them, else whatever decimals there are.
    fn fraction(&mut self) -> Result<u32, TimeError> {
        let starts = matches!(self.rest.as_bytes().first(), Some(b'.' | b','));
        let digits = (1..).take_while(|at| starts && self.digit(*at).is_some()).count();
        let take = match self.layout {
            Layout::Seconds => digits,
            Layout::Micros if digits >= 6 => 6,
            Layout::Micros => return Err(self.cannot(".000000")),
        };
        if take == 0 {
            return Ok(0);
        }
        let micros = (1..=6)
            .fold(0, |n, at| n * 10 + if at <= take { self.digit(at).unwrap_or(0) } else { 0 });
        self.rest = &self.rest[1 + take..];
        Ok(micros)
    }

    /// Seconds east of Greenwich.
    fn zone(&mut self) -> Result<i64, TimeError> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let bytes = self.rest.as_bytes();
        let sign = match bytes.first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(self.cannot("Z07:00")),
        };
        let digits = [1, 2, 4, 5].map(|at| self.digit(at));
        let ([Some(a), Some(b), Some(c), Some(d)], Some(b':')) = (digits, bytes.get(3)) else {
            return Err(self.cannot("Z07:00"));
        };
        let (hours, minutes) = (a * 10 + b, c * 10 + d);
        if hours > 24 {
            return Err(self.out_of_range("time zone offset hour"));
        }
        if minutes > 60 {
            return Err(self.out_of_range("time zone offset minute"));
        }
        self.rest = &self.rest[6..];
        Ok(sign * i64::from(hours * 3600 + minutes * 60))
    }
}

/// Go's quoting in time errors: everything outside printable ASCII as bytes.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            0x20..0x7f => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        let got = Time::parse(text).map_or_else(|e| e.to_string(), |t| t.to_string());
        assert_eq!(got, expected, "parsing {text:?}");
    }

    #[test]
    fn offsets_become_utc_and_fractions_vanish() {
        check("2026-02-28T23:59:59Z", "2026-02-28T23:59:59Z");
        check("2024-02-29T01:30:00+02:00", "2024-02-28T23:30:00Z");
        check("2024-02-29T01:30:00.999-00:30", "2024-02-29T02:00:00Z");
        check("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z");
        check("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
    }

    #[test]
    fn errors_read_as_in_go() {
        let as_layout = |text: &str, rest: &str, element: &str| {
            let layout = "2006-01-02T15:04:05Z07:00";
            let start = format!("parsing time \"{text}\" as \"{layout}\"");
            check(text, &format!("{start}: cannot parse \"{rest}\" as \"{element}\""));
        };
        as_layout("", "", "2006");
        as_layout("today", "today", "2006");
        as_layout("2026/01/02", "/01/02", "-");
        as_layout("2026-1-02", "1-02", "01");
        as_layout("2026-01-02", "", "T");
        as_layout("2026-01-02T10:11:12", "", "Z07:00");
        as_layout("2026-01-02 10:11:12Z", " 10:11:12Z", "T");
        check("2026-13-01T00:00:00Z", "parsing time \"2026-13-01T00:00:00Z\": month out of range");
        check("2026-02-29T00:00:00Z", "parsing time \"2026-02-29T00:00:00Z\": day out of range");
        check("2026-02-28T24:00:00Z", "parsing time \"2026-02-28T24:00:00Z\": hour out of range");
        check("2026-02-28T20:00:00Zx", "parsing time \"2026-02-28T20:00:00Zx\": extra text: \"x\"");
    }

    #[test]
    fn micro_times_have_six_decimals() {
        let at = MicroTime::parse("2026-01-01T00:00:00.000120+00:00").unwrap();
        assert_eq!(at.to_string(), "2026-01-01T00:00:00.000120Z");
        assert_eq!(at.instant(), Instant(Instant::START.0 + 120));
        let error = MicroTime::parse("2026-01-01T00:00:00Z").unwrap_err();
        assert!(error.0.ends_with("cannot parse \"Z\" as \".000000\""), "{error}");
    }

    #[test]
    fn an_optional_time_takes_eight_bytes() {
        assert_eq!(size_of::<Option<Time>>(), 8);
        assert_eq!(size_of::<Option<MicroTime>>(), 8);
    }

    #[test]
    fn the_first_day_of_the_epoch_was_a_thursday() {
        assert_eq!(Civil::from(Instant(0)).weekday(), 4);
        assert_eq!(Civil::from(Instant(-1)).weekday(), 3);
        assert_eq!(Time::from(Instant::START).to_string(), "2026-01-01T00:00:00Z");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(micros in -62_167_219_200_000_000i64..253_402_300_800_000_000) {
            let at = MicroTime::from(Instant(micros));
            prop_assert_eq!(MicroTime::parse(&at.to_string()).unwrap(), at);
            let at = Time::from(Instant(micros));
            prop_assert_eq!(Time::parse(&at.to_string()).unwrap(), at);
            prop_assert_eq!(Civil::from(Instant(micros)).instant(), Instant(micros));
        }

        #[test]
        fn later_is_greater(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (a.max(i64::MIN + 1), b.max(i64::MIN + 1));
            prop_assert_eq!(
                MicroTime::from(Instant(a)).cmp(&MicroTime::from(Instant(b))),
                a.cmp(&b)
            );
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", cut in 0usize..30) {
            let _ = Time::parse(&text);
            let mixed = format!("{}{text}", &"2026-01-02T03:04:05.123456Z"[..cut.min(27)]);
            let _ = Time::parse(&mixed);
            let _ = MicroTime::parse(&mixed);
        }
    }
}
