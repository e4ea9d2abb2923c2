//! Time zones by their names, as the tz database has them (release 2025b).
//!
//! Known deviations:
//! - A zone follows its present rule at all times: what it did before its last change of rules is not known, nor are
//!   the days on which Morocco suspends its clock change.

use base::Instant;

use crate::time::Civil;

/// `=RULE` in the notation of POSIX, followed by the names of the zones that follow it.
const ZONES: &str = include_str!("zones.txt");

/// A time zone; by default UTC.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zone {
    /// Seconds east of UTC in standard time.
    standard: i64,
    /// Seconds east of UTC in summer, when that begins, and when it ends.
    summer: Option<(i64, Day, Day)>,
}

/// A moment of the year in local time: the `week`th (or the last, 5) weekday of a month, and seconds from its start.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Day {
    month: u32,
    week: u32,
    weekday: u32,
    seconds: i64,
}

impl Zone {
    /// The zone of this name; an error in upstream's words.
    pub fn named(name: &str) -> Result<Zone, String> {
        if name.is_empty() {
            return Ok(Zone::default());
        }
        let mut rule = "";
        for word in ZONES.split_ascii_whitespace() {
            match word.strip_prefix('=') {
                Some(new) => rule = new,
                None if word == name => {
                    return Ok(Zone::parse(rule).expect("the table holds sound rules"));
                }
                None => {}
            }
        }
        Err(format!("unknown time zone {name}"))
    }

    /// Reads a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    fn parse(rule: &str) -> Option<Zone> {
        let mut parts = rule.split(',');
        let rest = skip_name(parts.next()?)?;
        let (standard, rest) = offset(rest)?;
        let standard = -standard;
        if rest.is_empty() {
            return Some(Zone { standard, summer: None });
        }
        let (summer, _) = match skip_name(rest)? {
            "" => (standard + 3600, ""),
            rest => offset(rest).map(|(west, rest)| (-west, rest))?,
        };
        let (start, end) = (Day::parse(parts.next()?)?, Day::parse(parts.next()?)?);
        Some(Zone { standard, summer: Some((summer, start, end)) })
    }

    /// Seconds east of UTC at a moment.
    pub fn offset(&self, at: Instant) -> i64 {
        let Some((summer, start, end)) = self.summer else { return self.standard };
        let utc = at.unix_seconds();
        let year = Civil::from(seconds(utc + self.standard)).year;
        let (start, end) = (start.of(year) - self.standard, end.of(year) - summer);
        let is_summer = match start < end {
            true => (start..end).contains(&utc),
            false => !(end..start).contains(&utc),
        };
        if is_summer { summer } else { self.standard }
    }

    /// The local date and time of a moment.
    pub fn local(&self, at: Instant) -> Civil {
        Civil::from(Instant(at.0 + self.offset(at) * 1_000_000))
    }

    /// The moment of a local date and time. One that does not exist or comes twice is taken by one of both offsets,
    /// the same as Go takes.
    pub fn instant(&self, local: Civil) -> Instant {
        let naive = local.instant();
        let shift = |offset: i64| Instant(naive.0 - offset * 1_000_000);
        let first = shift(self.offset(naive));
        shift(self.offset(first))
    }

    /// The moment as RFC 3339 text with the zone's offset.
    pub fn format(&self, at: Instant) -> String {
        let offset = self.offset(at);
        if offset == 0 {
            return format!("{}Z", self.local(at));
        }
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.abs() / 60;
        format!("{}{sign}{:02}:{:02}", self.local(at), minutes / 60, minutes % 60)
    }
}

fn seconds(unix: i64) -> Instant {
    Instant(unix * 1_000_000)
}

fn skip_name(text: &str) -> Option<&str> {
    match text.strip_prefix('<') {
        Some(rest) => rest.split_once('>').map(|(_, rest)| rest),
        None => {
            let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
            (end > 0).then(|| &text[end..])
        }
    }
}

/// Reads `[-]H[:MM[:SS]]`, in seconds.
fn offset(text: &str) -> Option<(i64, &str)> {
    let (sign, text) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (if text.starts_with('-') { -1 } else { 1 }, rest),
        None => (1, text),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(text.len());
    let mut total = 0;
    for (part, unit) in text[..end].split(':').zip([3600, 60, 1]) {
        total += part.parse::<i64>().ok()? * unit;
    }
    Some((sign * total, &text[end..]))
}

impl Day {
    /// Reads `Mm.w.d[/time]`.
    fn parse(text: &str) -> Option<Day> {
        let (day, time) = text.split_once('/').unwrap_or((text, "2"));
        let mut parts = day.strip_prefix('M')?.split('.').map(|part| part.parse().ok());
        let (month, week, weekday) = (parts.next()??, parts.next()??, parts.next()??);
        Some(Day { month, week, weekday, seconds: offset(time)?.0 })
    }

    /// The local time in seconds since the epoch, as if it were UTC.
    fn of(self, year: i32) -> i64 {
        let first =
            Civil { year, month: self.month, day: 1, hour: 0, minute: 0, second: 0, micros: 0 };
        let ahead = (7 + self.weekday - first.weekday()) % 7;
        let mut day = 1 + ahead + (self.week - 1) * 7;
        while day > crate::time::days_in_month(year, self.month) {
            day -= 7;
        }
        Civil { day, ..first }.instant().unix_seconds() + self.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn check(zone: &str, at: &str, expect: &str) {
        let at = Time::parse(at).expect("a time").instant();
        let zone = Zone::named(zone).expect("it is known");
        assert_eq!(zone.format(at), expect);
    }

    #[test]
    fn a_local_time_that_comes_twice_is_the_first() {
        let zone = Zone::named("America/New_York").expect("it is known");
        for at in ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"] {
            let at = zone.local(Time::parse(at).expect("a time").instant());
            assert_eq!(Time::from(zone.instant(at)).to_string(), "2026-11-01T05:30:00Z");
        }
    }

    #[test]
    fn clocks_change_when_the_law_says() {
        check("Europe/Paris", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00");
        check("Europe/Paris", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00");
        check("America/New_York", "2026-11-01T06:00:00Z", "2026-11-01T01:00:00-05:00");
        check("Australia/Lord_Howe", "2026-01-01T00:00:00Z", "2026-01-01T11:00:00+11:00");
        check("Australia/Lord_Howe", "2026-07-01T00:00:00Z", "2026-07-01T10:30:00+10:30");
    }

    #[test]
    fn the_irish_keep_standard_time_in_summer() {
        check("Europe/Dublin", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00+01:00");
        check("Europe/Dublin", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z");
    }

    #[test]
    fn names_are_those_of_the_tz_database() {
        assert!(Zone::named("Asia/Kolkata").is_ok() && Zone::named("Etc/UTC").is_ok());
        assert_eq!(Zone::named("Mars/Base").unwrap_err(), "unknown time zone Mars/Base");
        assert_eq!(Zone::named("europe/paris").unwrap_err(), "unknown time zone europe/paris");
    }

    #[test]
    fn every_rule_of_the_table_can_be_read() {
        let rules = ZONES.split_ascii_whitespace().filter_map(|word| word.strip_prefix('='));
        let bad: Vec<&str> = rules.filter(|rule| Zone::parse(rule).is_none()).collect();
        assert!(bad.is_empty(), "{bad:?}");
    }
}
