//! Which start a CronJob should have had last, and when the next is.

use api::batch::v1::{CronJob, CronJobStatus};
use api::cron::Schedule;
use api::time::Time;
use base::{Duration, Instant};

/// How many starts were missed, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// None, or just the one that is due.
    None,
    /// Up to a hundred.
    Few,
    /// More.
    Many,
}

/// The starts up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recent {
    /// From when on starts count.
    pub earliest: Instant,
    /// The last of them, if any.
    pub time: Option<Instant>,
    /// How many there were.
    pub missed: Missed,
}

/// The schedule never comes to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time difference between two schedules is less than 1 second")]
pub struct Never;

/// So much after a start the controller looks.
const DELAY: Duration = Duration::millis(100);

/// More missed starts than these are many.
const FEW_MAX: i64 = 100;

/// Finds the last start before now; with `deadline` none before the starting deadline.
///
/// The number of missed starts is an estimate from the first two; for uneven schedules the last start may be missed.
pub fn most_recent(
    cron: &CronJob,
    status: &CronJobStatus,
    now: Instant,
    schedule: &Schedule,
    deadline: bool,
) -> Result<Recent, Never> {
    let born = cron.metadata.creation_timestamp.map(Time::instant).unwrap_or_default();
    let mut earliest = status.last_schedule_time.map_or(born, Time::instant);
    if let Some(seconds) = cron.spec.starting_deadline_seconds.filter(|_| deadline) {
        earliest = earliest.max(now - Duration::secs(seconds));
    }
    let found = |time, missed| Ok(Recent { earliest, time, missed });
    let first = schedule.next(earliest).ok_or(Never)?;
    if now < first {
        return found(None, Missed::None);
    }
    let second = schedule.next(first);
    if second.is_some_and(|second| now < second) {
        return found(Some(first), Missed::None);
    }
    let gap = (second.ok_or(Never)? - first).as_secs();
    if gap < 1 {
        return Err(Never);
    }
    let count = (now - first).as_secs() / gap + 1;
    let mut time = None;
    let mut next = schedule.next(first + Duration::secs((count - 2) * gap));
    while let Some(at) = next.filter(|at| *at <= now) {
        time = Some(at);
        next = schedule.next(at);
    }
    let missed = if count > FEW_MAX { Missed::Many } else { Missed::Few };
    found(time, missed)
}

/// How long until the controller must look again; `None` if no start ever comes.
pub fn until_next(
    cron: &CronJob,
    status: &CronJobStatus,
    now: Instant,
    schedule: &Schedule,
) -> Option<Duration> {
    let from = match most_recent(cron, status, now, schedule, false) {
        Ok(Recent { time: Some(time), .. }) => time,
        Ok(Recent { earliest, missed: Missed::None, .. }) => earliest,
        _ => now,
    };
    Some(schedule.next(from)? + DELAY - now)
}
