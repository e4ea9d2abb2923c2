//! Schedules, and what the CronJob controller makes of them.

use std::sync::Arc;

use api::Json;
use api::batch::v1::CronJob;
use api::cron;
use api::time::Time;
use base::{Instant, Str};
use controller_manager::cron_job::missed::{Missed, most_recent, until_next};

use crate::{Failure, moment, same, text};

/// The next times of a schedule, or why it is none.
pub fn next(case: &Json) -> Result<(), Failure> {
    let zone = case.get("timeZone").and_then(Json::as_str).map(Str::from);
    let schedule = match cron::of(text(case, "schedule"), zone.as_ref()) {
        Ok(schedule) => schedule,
        Err(error) => return same(case, text(case, "error"), &error.to_string()),
    };
    same(case, "", text(case, "error"))?;
    for run in case.get("runs").map(Json::items).unwrap_or_default() {
        let mut at = moment(run, "after").expect("a time");
        let expected: Vec<&str> = run
            .get("next")
            .map(Json::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Json::as_str)
            .collect();
        let mut got = Vec::new();
        for _ in 0..expected.len().max(1) {
            let Some(next) = schedule.next(at) else { break };
            got.push(Time::from(next).to_string());
            at = next;
        }
        same(run, &expected.join(" "), &got.join(" "))?;
    }
    Ok(())
}

/// The last start that a CronJob should have had, or how long it waits for the next.
pub fn controller(case: &Json) -> Result<(), Failure> {
    let mut cron = CronJob::default();
    let spec = case.get("spec").expect("it has a spec");
    Arc::make_mut(&mut cron.metadata).creation_timestamp =
        moment(case, "creationTimestamp").map(Time::from);
    Arc::make_mut(&mut cron.status).last_schedule_time =
        moment(case, "lastScheduleTime").map(Time::from);
    Arc::make_mut(&mut cron.spec).starting_deadline_seconds =
        spec.get("startingDeadlineSeconds").and_then(Json::as_i64);
    let schedule = cron::of(text(spec, "schedule"), None).expect("it is a schedule");
    let now = moment(case, "now").expect("a time");
    if text(case, "kind") == "nextScheduleTimeDuration" {
        let wait = until_next(&cron, &cron.status, now, &schedule).map(|wait| wait.as_secs_f64());
        let expected = case.get("durationSeconds").and_then(Json::as_f64);
        return same(case, &format!("{expected:?}"), &format!("{wait:?}"));
    }
    let deadline = case.get("includeStartingDeadline").and_then(Json::as_bool) == Some(true);
    let found = most_recent(&cron, &cron.status, now, &schedule, deadline);
    let error = found.as_ref().map_or_else(|error| error.to_string(), |_| "<nil>".into());
    same(case, text(case, "err"), &error)?;
    let Ok(found) = found else { return Ok(()) };
    let print = |at: Option<Instant>| at.map(|at| Time::from(at).to_string()).unwrap_or_default();
    let missed = match found.missed {
        Missed::None => 0,
        Missed::Few => 1,
        Missed::Many => 2,
    };
    let got = format!("{} {} {missed}", print(Some(found.earliest)), print(found.time));
    let missed = case.get("missed").and_then(Json::as_i64).expect("a number");
    same(case, &format!("{} {} {missed}", text(case, "earliest"), text(case, "recent")), &got)
}
