//! What `cron_job` promises, as tests.

use base::Duration;
use client::Runner;
use client::testing::{Bench, object};

use super::*;

type World = Bench<Runner>;

fn world(spec: &str) -> World {
    let cron: CronJob = object(&format!(
        r#"{{"metadata": {{"name": "tick", "namespace": "d"}}, "spec": {{"schedule": "* * * * *", {spec}
        "jobTemplate": {{"metadata": {{"labels": {{"a": "b"}}}}, "spec": {{"template": {{"spec": {{"containers":
        []}}}}}}}}}}}}"#
    ));
    Bench::new(Runner::new("kcm", vec![Box::new(CronJobs)]), [cron.into()])
}

/// Ends the Job of the `minute`th minute of the model's time.
fn end(world: &mut World, minute: i64, type_: &str) {
    let at = Time::from(world.now);
    let name = format!("tick-{}", Instant::START.unix_seconds() / 60 + minute);
    world.edit::<Job>("d", &name, |job| {
        let status = Arc::make_mut(&mut job.status);
        status.completion_time = Some(at).filter(|_| type_ == "Complete");
        status.start_time = Some(at);
        status.conditions.push(api::batch::v1::JobCondition {
            type_: type_.into(),
            status: lit!("True"),
            ..Default::default()
        });
    });
}

/// Runs a CronJob for some seconds, with a Job ended after each word `SECOND=MINUTE:TYPE`, and compares its events.
fn check(spec: &str, script: &str, seconds: i64, expect: &[&str]) {
    let mut world = world(spec);
    for word in script.split_whitespace() {
        let (second, what) = word.split_once('=').expect("SECOND=MINUTE:TYPE");
        let (minute, type_) = what.split_once(':').expect("MINUTE:TYPE");
        let until = Instant::START + Duration::secs(second.parse().expect("a number"));
        world.run(until - world.now);
        end(&mut world, minute.parse().expect("a number"), type_);
    }
    world.run(Instant::START + Duration::secs(seconds) - world.now);
    assert_eq!(world.take_events().split("; ").collect::<Vec<_>>(), expect, "{spec} {script}");
}

const FIRST: &str = "Normal SuccessfulCreate: Created job tick-29453761";
const SECOND: &str = "Normal SuccessfulCreate: Created job tick-29453762";

#[test]
fn a_job_is_made_every_minute_and_noted() {
    check("", "", 59, &[""]);
    check("", "", 130, &[FIRST, SECOND]);
    let mut world = world("");
    world.run(Duration::secs(61));
    assert_eq!(world.take_log(), "+Job tick-29453761; ~CronJob/status tick");
    let job = &world.api.all::<Job>()[0];
    assert_eq!(job.metadata.annotations.text(SCHEDULED), Some("2026-01-01T00:01:00Z"));
    assert_eq!(job.metadata.labels.text("a"), Some("b"));
    let cron = world.api.get::<CronJob>("d", "tick").expect("it is there");
    assert_eq!(cron.status.active[0].name, job.metadata.name);
    assert_eq!(
        cron.status.last_schedule_time.map(|at| at.to_string()).as_deref(),
        Some("2026-01-01T00:01:00Z")
    );
}

#[test]
fn the_end_of_a_job_is_seen() {
    let seen = "Normal SawCompletedJob: Saw completed job: tick-29453761, condition: Complete";
    check("", "70=1:Complete", 100, &[FIRST, seen]);
}

#[test]
fn a_job_that_runs_forbids_the_next() {
    let no = "Normal JobAlreadyActive: Not starting job because prior execution is running and \
              concurrency policy is Forbid";
    check(r#""concurrencyPolicy": "Forbid","#, "", 130, &[FIRST, no]);
}

#[test]
fn a_job_that_runs_is_replaced() {
    let gone = "Normal SuccessfulDelete: Deleted job tick-29453761";
    check(r#""concurrencyPolicy": "Replace","#, "", 130, &[FIRST, gone, SECOND]);
}

#[test]
fn old_jobs_go_when_there_are_too_many() {
    let seen = |minute: i64, end: &str| {
        format!("Normal SawCompletedJob: Saw completed job: tick-2945376{minute}, condition: {end}")
    };
    let (one, two) = (seen(1, "Complete"), seen(2, "Failed"));
    let limits = r#""successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 0,"#;
    let gone = "Normal SuccessfulDelete: Deleted job tick-29453762";
    check(limits, "70=1:Complete 130=2:Failed", 150, &[FIRST, &one, SECOND, &two, gone]);
}

#[test]
fn a_suspended_schedule_rests() {
    check(r#""suspend": true,"#, "", 200, &[""]);
}

#[test]
fn a_job_of_someone_else_is_pointed_out() {
    let mut world = world("");
    let cron = world.api.get::<CronJob>("d", "tick").expect("it is there");
    let mut job: Job =
        object(r#"{"metadata": {"name": "other", "namespace": "d"}, "spec": {"template": {}}}"#);
    Arc::make_mut(&mut job.metadata).owner_references = list![controller_reference(&*cron)];
    world.put(job);
    let text = "Saw a job that the controller did not create or forgot: other";
    assert_eq!(world.take_events(), format!("Warning UnexpectedJob: {text}"));
}

#[test]
fn a_job_that_is_gone_is_missed() {
    let mut world = world("");
    world.run(Duration::secs(61));
    world.remove::<Job>("d", "tick-29453761");
    let missing = "Normal MissingJob: Active job went missing: tick-29453761";
    assert_eq!(world.take_events(), format!("{FIRST}; {missing}"));
}

#[test]
fn a_start_that_comes_too_late_is_given_up() {
    let mut world = world(r#""startingDeadlineSeconds": 10, "suspend": true,"#);
    world.run(Duration::secs(90));
    world.edit::<CronJob>("d", "tick", |cron| Arc::make_mut(&mut cron.spec).suspend = None);
    assert_eq!(world.take_events(), "");
    world.run(Duration::secs(31));
    assert_eq!(world.take_events(), SECOND);
}

#[test]
fn a_bad_zone_or_schedule_is_told() {
    let zone =
        "Warning UnknownTimeZone: invalid timeZone: \"Mars/Base\": unknown time zone Mars/Base";
    check(r#""timeZone": "Mars/Base","#, "", 100, &[zone]);
    let mut world = world(r#""suspend": true,"#);
    world.edit::<CronJob>("d", "tick", |cron| {
        let spec = Arc::make_mut(&mut cron.spec);
        (spec.suspend, spec.schedule) = (None, "x * * * *".into());
    });
    let why = "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax";
    let text = format!("Warning UnparseableSchedule: unparseable schedule: \"x * * * *\" : {why}");
    assert_eq!(world.take_events(), text);
}

#[test]
fn a_schedule_that_missed_too_many_starts_says_so() {
    let mut world = world(r#""suspend": true,"#);
    world.run(Duration::mins(200));
    world.edit::<CronJob>("d", "tick", |cron| Arc::make_mut(&mut cron.spec).suspend = None);
    let events = world.take_events();
    let text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check \
                clock skew";
    assert_eq!(
        events,
        format!(
            "Warning TooManyMissedTimes: {text}; Normal SuccessfulCreate: Created job tick-29453960"
        )
    );
}

#[test]
fn a_schedule_follows_its_time_zone() {
    // 09:30 in Kolkata is 04:00 of universal time.
    let mut world = world(r#""timeZone": "Asia/Kolkata", "suspend": true,"#);
    world.edit::<CronJob>("d", "tick", |cron| {
        let spec = Arc::make_mut(&mut cron.spec);
        (spec.suspend, spec.schedule) = (None, "30 9 * * *".into());
    });
    world.run(Duration::mins(4 * 60 - 1));
    assert_eq!(world.api.all::<Job>().len(), 0);
    world.run(Duration::mins(2));
    let job = &world.api.all::<Job>()[0];
    assert_eq!(job.metadata.annotations.text(SCHEDULED), Some("2026-01-01T09:30:00+05:30"));
}
