//! Schedules of CronJobs: five fields or a descriptor.
//!
//! Models the words of the parser that Kubernetes uses.
//!
//! Known deviations:
//! - The duration of `@every` is checked for its shape only.

const MONTHS: &[&str] =
    &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DESCRIPTORS: &[&str] =
    &["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

struct Bounds {
    min: u32,
    max: u32,
    names: &'static [&'static str],
    first: u32,
}

const BOUNDS: [Bounds; 5] = [
    Bounds { min: 0, max: 59, names: &[], first: 0 },
    Bounds { min: 0, max: 23, names: &[], first: 0 },
    Bounds { min: 1, max: 31, names: &[], first: 0 },
    Bounds { min: 1, max: 12, names: MONTHS, first: 1 },
    Bounds { min: 0, max: 6, names: DAYS, first: 0 },
];

/// What is wrong with a schedule.
pub fn parse(schedule: &str) -> Result<(), String> {
    if schedule.is_empty() {
        return Err("empty spec string".into());
    }
    let mut rest = schedule;
    if rest.starts_with("TZ=") || rest.starts_with("CRON_TZ=") {
        rest = rest.split_once(' ').map_or("", |(_, rest)| rest.trim());
    }
    if rest.starts_with('@') {
        return descriptor(rest);
    }
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if fields.len() != BOUNDS.len() {
        let list = fields.join(" ");
        return Err(format!("expected exactly 5 fields, found {}: [{list}]", fields.len()));
    }
    fields.iter().zip(&BOUNDS).try_for_each(|(text, bounds)| field(text, bounds))
}

fn descriptor(text: &str) -> Result<(), String> {
    if DESCRIPTORS.contains(&text) {
        return Ok(());
    }
    if let Some(duration) = text.strip_prefix("@every ") {
        let fits = duration.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
            && duration.starts_with(|c: char| c.is_ascii_digit())
            && duration.ends_with(['s', 'm', 'h']);
        return match fits {
            true => Ok(()),
            false => Err(format!(
                "failed to parse duration {text}: time: invalid duration {}",
                api::selector::quote(duration)
            )),
        };
    }
    Err(format!("unrecognized descriptor: {text}"))
}

fn field(text: &str, bounds: &Bounds) -> Result<(), String> {
    text.split(',').filter(|part| !part.is_empty()).try_for_each(|part| range(part, bounds))
}

fn range(text: &str, bounds: &Bounds) -> Result<(), String> {
    let mut halves = text.split('/');
    let span = halves.next().unwrap_or_default();
    let step = halves.next();
    let ends: Vec<&str> = span.split('-').collect();
    let (mut start, mut end) = (bounds.min, bounds.max);
    let star = ends[0] == "*" || ends[0] == "?";
    if !star {
        start = number(ends[0], bounds)?;
        end = match ends.as_slice() {
            [_] => start,
            [_, last] => number(last, bounds)?,
            _ => return Err(format!("too many hyphens: {text}")),
        };
    }
    let mut every = 1;
    if let Some(step) = step {
        if halves.next().is_some() {
            return Err(format!("too many slashes: {text}"));
        }
        every = plain(step)?;
        if ends.len() == 1 && !star {
            end = bounds.max;
        }
    }
    if start < bounds.min {
        let min = bounds.min;
        return Err(format!("beginning of range ({start}) below minimum ({min}): {text}"));
    }
    if end > bounds.max {
        return Err(format!("end of range ({end}) above maximum ({}): {text}", bounds.max));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if every == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    Ok(())
}

fn number(text: &str, bounds: &Bounds) -> Result<u32, String> {
    let lower = text.to_lowercase();
    if let Some(at) = bounds.names.iter().position(|name| *name == lower) {
        return Ok(at as u32 + bounds.first);
    }
    plain(text)
}

fn plain(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {text}")),
        Ok(number) => Ok(number.min(u32::MAX.into()) as u32),
        Err(_) => {
            let quoted = api::selector::quote(text);
            Err(format!(
                "failed to parse int from {text}: strconv.Atoi: parsing {quoted}: invalid syntax"
            ))
        }
    }
}
