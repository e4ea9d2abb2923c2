//! Jobs and CronJobs.

use api::Json;
use base::Duration;

use super::sheet::{Sheet, truth};
use super::template;
use crate::look::{Look, scalar};
use crate::text::human::{self, rfc1123};

pub(super) fn job(object: &Json, sheet: &mut Sheet) {
    let (spec, status) = (object.look("spec"), object.look("status"));
    sheet.names(object);
    if spec.has("selector") {
        sheet.field(0, "Selector", super::selector(spec.look("selector")));
    }
    sheet.labels(object);
    sheet.annotations(object);
    sheet.controlled_by(object);
    sheet.field(0, "Parallelism", spec.int("parallelism").to_string());
    let number = |value: &Json| if value.is_null() { "<unset>".into() } else { scalar(value) };
    sheet.field(0, "Completions", number(spec.look("completions")));
    sheet.field_if(0, "Completion Mode", spec.text("completionMode"));
    if spec.has("suspend") {
        sheet.field(0, "Suspend", spec.is("suspend").to_string());
    }
    if spec.has("backoffLimit") {
        sheet.field(0, "Backoff Limit", spec.int("backoffLimit").to_string());
    }
    if spec.has("ttlSecondsAfterFinished") {
        let seconds = spec.int("ttlSecondsAfterFinished").to_string();
        sheet.field(0, "TTL Seconds After Finished", seconds);
    }
    let (start, end) = (status.look("startTime"), status.look("completionTime"));
    if !start.is_null() {
        sheet.field(0, "Start Time", rfc1123(start));
    }
    if !end.is_null() {
        sheet.field(0, "Completed At", rfc1123(end));
    }
    if let (Some(start), Some(end)) = (human::instant(start), human::instant(end)) {
        sheet.field(0, "Duration", human::duration(Duration(end.0 - start.0)));
    }
    if spec.has("activeDeadlineSeconds") {
        let seconds = spec.int("activeDeadlineSeconds");
        sheet.field(0, "Active Deadline Seconds", format!("{seconds}s"));
    }
    let ready = match status.has("ready") {
        true => format!(" ({} Ready)", status.int("ready")),
        false => String::new(),
    };
    sheet.field(
        0,
        "Pods Statuses",
        format!(
            "{} Active{ready} / {} Succeeded / {} Failed",
            status.int("active"),
            status.int("succeeded"),
            status.int("failed")
        ),
    );
    if spec.text("completionMode") == "Indexed" {
        let done = status.text("completedIndexes");
        sheet.field(0, "Completed Indexes", super::sheet::or(done, "<none>"));
    }
    template::describe(spec.look("template"), sheet);
}

pub(super) fn cron_job(object: &Json, sheet: &mut Sheet) {
    let (spec, status) = (object.look("spec"), object.look("status"));
    sheet.names(object);
    sheet.labels(object);
    sheet.annotations(object);
    sheet.field(0, "Schedule", spec.text("schedule"));
    sheet.field_if(0, "Time Zone", spec.text("timeZone"));
    sheet.field(0, "Concurrency Policy", spec.text("concurrencyPolicy"));
    sheet.field(0, "Suspend", truth(spec.is("suspend")));
    let number = |value: &Json, suffix: &str| match value.is_null() {
        true => "<unset>".to_string(),
        false => scalar(value) + suffix,
    };
    sheet.field(
        0,
        "Successful Job History Limit",
        number(spec.look("successfulJobsHistoryLimit"), ""),
    );
    sheet.field(0, "Failed Job History Limit", number(spec.look("failedJobsHistoryLimit"), ""));
    sheet.field(0, "Starting Deadline Seconds", number(spec.look("startingDeadlineSeconds"), "s"));
    let job = spec.look("jobTemplate.spec");
    let selector = super::selector(job.look("selector"));
    sheet.field(0, "Selector", super::sheet::or(&selector, "<unset>"));
    sheet.field(0, "Parallelism", number(job.look("parallelism"), ""));
    sheet.field(0, "Completions", number(job.look("completions"), ""));
    if job.has("activeDeadlineSeconds") {
        sheet.field(0, "Active Deadline Seconds", number(job.look("activeDeadlineSeconds"), "s"));
    }
    template::describe(job.look("template"), sheet);
    match status.look("lastScheduleTime") {
        Json::Null => sheet.field(0, "Last Schedule Time", "<unset>"),
        time => sheet.field(0, "Last Schedule Time", rfc1123(time)),
    }
    let active: Vec<&str> = status.list("active").iter().map(|job| job.text("name")).collect();
    let active = active.join(", ");
    sheet.field(0, "Active Jobs", super::sheet::or(&active, "<none>"));
}
