//! Cron schedules as `robfig/cron` v3 reads and follows them, in any time zone.
//!
//! A schedule fires at each moment whose local time fits, so a local time that a clock change skips is left out and
//! one that comes twice fires twice. The search goes field by field, as upstream's: where clocks move by half an hour
//! it steps over the same moments.
//!
//! Known deviations:
//! - Zones follow their present rules at all times (see `zone`).

pub mod zone;

use base::{Duration, Instant, Str};
use thiserror::Error;
use zone::Zone;

use crate::selector::quote;
use crate::time::Civil;

/// When something recurs.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    rule: Rule,
    /// The zone that the text itself names.
    zone: Option<Zone>,
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Every(Duration),
    Fields(Fields),
}

/// One bit per value, and the star bit where the field does not restrict.
#[derive(Clone, Debug, PartialEq)]
struct Fields {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
}

/// Why a text is no schedule, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct CronError(pub String);

const STAR: u64 = 1 << 63;
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The values of a field and their names.
struct Bounds {
    min: u64,
    max: u64,
    names: &'static [&'static str],
}

const MINUTE: Bounds = Bounds { min: 0, max: 59, names: &[] };
const HOUR: Bounds = Bounds { min: 0, max: 23, names: &[] };
const DAY: Bounds = Bounds { min: 1, max: 31, names: &[] };
const MONTH: Bounds = Bounds { min: 1, max: 12, names: &MONTHS };
const WEEKDAY: Bounds = Bounds { min: 0, max: 6, names: &WEEKDAYS };

impl Schedule {
    /// Reads five fields, a descriptor such as `@daily` or `@every 90s`, and a leading `TZ=` or `CRON_TZ=`.
    pub fn parse(text: &str) -> Result<Schedule, CronError> {
        if text.is_empty() {
            return Err(CronError("empty spec string".into()));
        }
        let (mut text, mut zone) = (text, None);
        if let Some(rest) = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) {
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let bad = |error| CronError(format!("provided bad location {name}: {error}"));
            zone = Some(Zone::named(name).map_err(bad)?);
            text = rest.trim();
        }
        if text.starts_with('@') {
            return Ok(Schedule { rule: descriptor(text)?, zone });
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            let (count, words) = (fields.len(), fields.join(" "));
            return Err(CronError(format!("expected exactly 5 fields, found {count}: [{words}]")));
        };
        let fields = Fields {
            minute: field(minute, &MINUTE)?,
            hour: field(hour, &HOUR)?,
            day: field(day, &DAY)?,
            month: field(month, &MONTH)?,
            weekday: field(weekday, &WEEKDAY)?,
        };
        Ok(Schedule { rule: Rule::Fields(fields), zone })
    }

    /// The first time after `after`, in UTC where the schedule names no zone; `None` if there is none in five years.
    pub fn next(&self, after: Instant) -> Option<Instant> {
        let whole = Instant(after.0.div_euclid(SECOND) * SECOND);
        match &self.rule {
            Rule::Every(span) => Some(whole + *span),
            Rule::Fields(fields) => {
                let zone = self.zone.clone().unwrap_or_default();
                fields.next(&zone, whole + Duration(SECOND))
            }
        }
    }

    /// The same schedule in a zone, unless it names one itself.
    pub fn within(mut self, zone: Zone) -> Schedule {
        self.zone.get_or_insert(zone);
        self
    }
}

const SECOND: i64 = 1_000_000;
const MINUTE_LONG: Duration = Duration::mins(1);
const HOUR_LONG: Duration = Duration::mins(60);

/// A field that the time does not fit.
enum Misfit {
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl Fields {
    fn next(&self, zone: &Zone, start: Instant) -> Option<Instant> {
        let mut at = start;
        let year_max = zone.local(at).year + 5;
        // The first step goes to the start of the unit, for the smaller units no longer count.
        let mut is_first = true;
        loop {
            let local = zone.local(at);
            if local.year > year_max {
                return None;
            }
            let Some(misfit) = self.misfit(local) else { return Some(at) };
            let begin = std::mem::take(&mut is_first);
            let Civil { year, month, day, hour, .. } = local;
            let midnight = Civil { hour: 0, minute: 0, second: 0, micros: 0, ..local };
            at = match misfit {
                Misfit::Month => {
                    let base = if begin { Civil { day: 1, ..midnight } } else { local };
                    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                    zone.instant(Civil { year, month, ..base })
                }
                Misfit::Day => {
                    let base = if begin { midnight } else { local };
                    near_midnight(zone, zone.instant(Civil { day: day + 1, ..base }))
                }
                Misfit::Hour if begin => zone.instant(Civil { hour, ..midnight }) + HOUR_LONG,
                Misfit::Hour => at + HOUR_LONG,
                Misfit::Minute | Misfit::Second => whole_minute(at) + MINUTE_LONG,
            };
        }
    }

    fn misfit(&self, local: Civil) -> Option<Misfit> {
        let has = |bits: u64, value: u32| bits & (1 << value) != 0;
        let (day, weekday) = (has(self.day, local.day), has(self.weekday, local.weekday()));
        let any = (self.day | self.weekday) & STAR != 0;
        if !has(self.month, local.month) {
            Some(Misfit::Month)
        } else if !(if any { day && weekday } else { day || weekday }) {
            Some(Misfit::Day)
        } else if !has(self.hour, local.hour) {
            Some(Misfit::Hour)
        } else if !has(self.minute, local.minute) {
            Some(Misfit::Minute)
        } else {
            (local.second != 0).then_some(Misfit::Second)
        }
    }
}

fn whole_minute(at: Instant) -> Instant {
    Instant(at.0.div_euclid(60 * SECOND) * 60 * SECOND)
}

/// A day that begins at another hour, since clocks change at midnight, is entered by the hour nearest to midnight.
fn near_midnight(zone: &Zone, at: Instant) -> Instant {
    match i64::from(zone.local(at).hour) {
        hour @ 13.. => at + HOUR_LONG * (24 - hour),
        hour => at - HOUR_LONG * hour,
    }
}

fn descriptor(text: &str) -> Result<Rule, CronError> {
    let all = |bounds: &Bounds| bits(bounds.min, bounds.max, 1) | STAR;
    let fields = |hour, day, month, weekday| {
        Ok(Rule::Fields(Fields { minute: 1, hour, day, month, weekday }))
    };
    let (any_hour, any_day) = (all(&HOUR), all(&DAY));
    let (any_month, any_weekday) = (all(&MONTH), all(&WEEKDAY));
    match text {
        "@yearly" | "@annually" => fields(1, 2, 2, any_weekday),
        "@monthly" => fields(1, 2, any_month, any_weekday),
        "@weekly" => fields(1, any_day, any_month, 1),
        "@daily" | "@midnight" => fields(1, any_day, any_month, any_weekday),
        "@hourly" => fields(any_hour, any_day, any_month, any_weekday),
        _ => match text.strip_prefix("@every ") {
            None => Err(CronError(format!("unrecognized descriptor: {text}"))),
            Some(span) => match duration(span) {
                Some(span) => Ok(Rule::Every(Duration::secs(span.as_secs().max(1)))),
                None => {
                    let why = format!("time: invalid duration {}", quote(span));
                    Err(CronError(format!("failed to parse duration {text}: {why}")))
                }
            },
        },
    }
}

/// Reads Go's durations: `1h30m`, `1.5s`, `-2ms`.
fn duration(text: &str) -> Option<Duration> {
    let (sign, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (if text.starts_with('-') { -1.0 } else { 1.0 }, rest),
        None => (1.0, text),
    };
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut micros = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "h" => 3600e6,
            "m" => 60e6,
            "s" => 1e6,
            "ms" => 1e3,
            "us" | "µs" | "μs" => 1.0,
            "ns" => 1e-3,
            _ => return None,
        };
        micros += number * unit;
        rest = &rest[end..];
    }
    (!text.is_empty() && text != "-" && text != "+").then_some(Duration((sign * micros) as i64))
}

/// A comma-separated list of ranges.
fn field(text: &str, bounds: &Bounds) -> Result<u64, CronError> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts.map(|part| range(part, bounds)).try_fold(0, |bits, part| Ok(bits | part?))
}

/// `*`, `N`, `N-M`, each with `/STEP`.
fn range(text: &str, bounds: &Bounds) -> Result<u64, CronError> {
    let err = |message: String| Err(CronError(message));
    let (span, step) = match text.split('/').collect::<Vec<_>>()[..] {
        [span] => (span, None),
        [span, step] => (span, Some(number(step)?)),
        _ => return err(format!("too many slashes: {text}")),
    };
    let ends: Vec<&str> = span.split('-').collect();
    let is_any = matches!(ends[0], "*" | "?");
    let (start, mut end) = match ends[..] {
        _ if is_any => (bounds.min, bounds.max),
        [one] => {
            let one = value(one, bounds)?;
            (one, one)
        }
        [start, end] => (value(start, bounds)?, value(end, bounds)?),
        _ => return err(format!("too many hyphens: {text}")),
    };
    if step.is_some() && ends.len() == 1 {
        end = bounds.max;
    }
    let step = step.unwrap_or(1);
    let (min, max) = (bounds.min, bounds.max);
    if start < min {
        return err(format!("beginning of range ({start}) below minimum ({min}): {text}"));
    }
    if end > max {
        return err(format!("end of range ({end}) above maximum ({max}): {text}"));
    }
    if start > end {
        return err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if step == 0 {
        return err(format!("step of range should be a positive number: {text}"));
    }
    let star = if is_any && step == 1 { STAR } else { 0 };
    Ok(bits(start, end, step) | star)
}

fn bits(start: u64, end: u64, step: u64) -> u64 {
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    (start..=end).step_by(step).fold(0, |bits, value| bits | 1 << value)
}

fn value(text: &str, bounds: &Bounds) -> Result<u64, CronError> {
    let named = bounds.names.iter().position(|name| name.eq_ignore_ascii_case(text));
    named.map_or_else(|| number(text), |at| Ok(at as u64 + bounds.min))
}

fn number(text: &str) -> Result<u64, CronError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let why = if is_number { "value out of range" } else { "invalid syntax" };
    let number: i64 = text.parse().map_err(|_| {
        let parsing = format!("strconv.Atoi: parsing {}: {why}", quote(text));
        CronError(format!("failed to parse int from {text}: {parsing}"))
    })?;
    u64::try_from(number)
        .map_err(|_| CronError(format!("negative number ({number}) not allowed: {text}")))
}

/// The zone and the schedule of a `CronJob`: its own zone counts where the schedule's text names none.
pub fn of(schedule: &str, zone: Option<&Str>) -> Result<Schedule, CronError> {
    let parsed = Schedule::parse(schedule)?;
    let Some(name) = zone else { return Ok(parsed) };
    let bad = |error| CronError(format!("provided bad location {name}: {error}"));
    Ok(parsed.within(Zone::named(name).map_err(bad)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn check(schedule: &str, after: &str, expect: &str) {
        let schedule = Schedule::parse(schedule).expect("it is a schedule");
        let mut at = Time::parse(after).expect("a time").instant();
        let mut got = Vec::new();
        for _ in expect.split(' ') {
            match schedule.next(at) {
                Some(next) => at = next,
                None => break,
            }
            got.push(Time::from(at).to_string());
        }
        assert_eq!(got.join(" "), expect);
    }

    #[test]
    fn a_restricted_day_or_weekday_is_enough() {
        let next = "2026-02-02T00:00:00Z 2026-02-09T00:00:00Z 2026-02-13T00:00:00Z";
        check("0 0 13 * 1", "2026-02-01T00:00:00Z", next);
    }

    #[test]
    fn a_step_over_all_values_restricts_too() {
        check("0 0 */2 * 1", "2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z 2026-02-03T00:00:00Z");
    }

    #[test]
    fn what_never_comes_is_given_up() {
        let never = Schedule::parse("59 23 31 2 *").expect("it is a schedule");
        assert_eq!(never.next(Instant::START), None);
    }

    #[test]
    fn a_span_counts_from_whole_seconds() {
        let every = Schedule::parse("@every 1h30m").expect("it is a schedule");
        let at = Instant::START + Duration::millis(300);
        assert_eq!(every.next(at), Some(Instant::START + Duration::mins(90)));
    }

    #[test]
    fn a_skipped_hour_is_left_out_and_a_repeated_one_comes_twice() {
        let daily = "CRON_TZ=Europe/Paris 30 2 * * *";
        check(daily, "2025-03-29T12:00:00Z", "2025-03-31T00:30:00Z");
        check(daily, "2025-10-25T12:00:00Z", "2025-10-26T00:30:00Z 2025-10-26T01:30:00Z");
    }

    #[test]
    fn spans_that_go_cannot_read_are_refused() {
        let error = Schedule::parse("@every soon").expect_err("it is no span");
        let why = "time: invalid duration \"soon\"";
        assert_eq!(error.0, format!("failed to parse duration @every soon: {why}"));
    }
}
