//! The CronJob controller: creates Jobs on a schedule.
//!
//! Known deviations:
//! - The new Job is noted among the active ones when the cache shows it, not by the answer to its creation.
//! - A Job that the cache does not show counts as missing without another look at the API server.

use std::sync::Arc;

use api::batch::v1::{CronJob, CronJobStatus, Job};
use api::core::v1::ObjectReference;
use api::cron::{self, Schedule, zone::Zone};
use api::meta::v1::{DeleteOptions, ObjectMeta};
use api::object::{Key, Kind, KindInfo};
use api::time::Time;
use base::{HashSet, Instant, Str, list, lit};
use client::owner::{controller_reference, reference_to};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile, Write};

use crate::claim::is_kind;
use crate::job::finished_condition;
use missed::{Missed, most_recent};

pub mod missed;

/// The annotation with the time for which a Job was made.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// The CronJob controller.
#[derive(Clone, Default)]
pub struct CronJobs;

impl Reconcile for CronJobs {
    fn name(&self) -> &'static str {
        "cronjob-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![CronJob::INFO, Job::INFO]
    }

    fn on_delta(&mut self, _cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<CronJob>() {
            return queue.add(delta.key());
        }
        let owner = client::owner::controller_of(delta.meta());
        if let Some(owner) =
            owner.filter(|owner| is_kind::<CronJob>(&owner.kind, &owner.api_version))
        {
            queue.named(delta.meta().namespace.clone(), owner.name.clone());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(cron) = cx.cron_jobs().get(key) else { return Plan::settled() };
        let mut jobs: Vec<&Job> = cx.jobs().owned_by(&cron.metadata.uid).collect();
        base::sort::by_key(&mut jobs, |job| job.metadata.creation_timestamp);
        let mut sync = Sync {
            cx: *cx,
            cron,
            status: (*cron.status).clone(),
            deleted: HashSet::default(),
            plan: Plan::settled(),
            jobs,
        };
        let schedule = sync.parse();
        sync.follow(schedule.as_ref());
        if let Some(schedule) = schedule.filter(|_| cron.metadata.deletion_timestamp.is_none()) {
            sync.start(&schedule);
        }
        sync.clean_up();
        if *cron.status != sync.status {
            let status = Arc::new(sync.status);
            sync.plan.status(CronJob { status, ..cron.clone() });
        }
        sync.plan
    }
}

/// One look at one CronJob.
struct Sync<'a> {
    cx: Cx<'a>,
    cron: &'a CronJob,
    status: CronJobStatus,
    /// Its Jobs, oldest first.
    jobs: Vec<&'a Job>,
    /// Uids of the Jobs that the plan deletes.
    deleted: HashSet<Str>,
    plan: Plan,
}

impl Sync<'_> {
    /// Reads the schedule; says what is wrong with it.
    fn parse(&mut self) -> Option<Schedule> {
        let (cron, spec) = (self.cron, &self.cron.spec);
        if cron.metadata.deletion_timestamp.is_some() || spec.suspend == Some(true) {
            return None;
        }
        if let Some(name) = &spec.time_zone
            && let Err(error) = Zone::named(name)
        {
            let message = format!("invalid timeZone: {name:?}: {error}");
            self.plan.event(cron, "Warning", "UnknownTimeZone", message);
            return None;
        }
        if spec.schedule.contains("TZ") {
            let link = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/";
            let message = format!(
                "CRON_TZ or TZ used in schedule {:?} is not officially supported, see {link} for more details",
                spec.schedule
            );
            self.plan.event(cron, "Warning", "UnsupportedSchedule", message);
        }
        match cron::of(&spec.schedule, spec.time_zone.as_ref()) {
            Ok(schedule) => Some(schedule),
            Err(error) => {
                let message = format!("unparseable schedule: {:?} : {error}", spec.schedule);
                self.plan.event(cron, "Warning", "UnparseableSchedule", message);
                None
            }
        }
    }

    fn position(&self, job: &ObjectMeta) -> Option<usize> {
        self.status.active.iter().position(|active| active.uid == job.uid)
    }

    /// Brings the list of active Jobs in line with the Jobs.
    fn follow(&mut self, schedule: Option<&Schedule>) {
        let due = schedule.and_then(|schedule| self.due(schedule, false));
        for job in self.jobs.clone() {
            match (self.position(&job.metadata), finished_condition(job)) {
                (Some(at), Some(end)) => {
                    self.status.active.remove(at);
                    let (name, end) = (&job.metadata.name, &end.type_);
                    let message = format!("Saw completed job: {name}, condition: {end}");
                    self.plan.event(self.cron, "Normal", "SawCompletedJob", message);
                }
                (None, Some(end)) if end.type_ == "Complete" => {
                    let last = &mut self.status.last_successful_time;
                    *last = (*last).max(job.status.completion_time);
                }
                (None, None) => match due {
                    Some(at) if job.metadata.name == self.job_name(at) => {
                        self.note_started(job, at)
                    }
                    _ => {
                        let message = format!(
                            "Saw a job that the controller did not create or forgot: {}",
                            job.metadata.name
                        );
                        self.plan.event(self.cron, "Warning", "UnexpectedJob", message);
                    }
                },
                _ => {}
            }
        }
        let known: HashSet<Str> = self.jobs.iter().map(|job| job.metadata.uid.clone()).collect();
        let gone = self.status.active.iter().filter(|active| !known.contains(&active.uid));
        for name in gone.map(|active| active.name.clone()).collect::<Vec<_>>() {
            let message = format!("Active job went missing: {name}");
            self.plan.event(self.cron, "Normal", "MissingJob", message);
        }
        self.status.active.retain(|active| known.contains(&active.uid));
    }

    /// The Job that an earlier plan created has come: it is active from now on.
    fn note_started(&mut self, job: &Job, at: Instant) {
        let reference = reference_to(job);
        self.status.active.push(ObjectReference { ..reference });
        self.status.last_schedule_time = Some(Time::from(at));
    }

    /// The latest time for which a Job should have been started; with `tell` also what is wrong.
    fn due(&mut self, schedule: &Schedule, tell: bool) -> Option<Instant> {
        let cron = self.cron;
        match most_recent(cron, &self.status, self.cx.now, schedule, true) {
            Ok(recent) => {
                let at = recent.time.filter(|at| *at <= self.cx.now)?;
                if tell && recent.missed == Missed::Many {
                    let message = "too many missed start times. Set or decrease \
                                   .spec.startingDeadlineSeconds or check clock skew";
                    self.plan.event(cron, "Warning", "TooManyMissedTimes", message);
                }
                Some(at)
            }
            Err(error) => {
                if tell {
                    let text = &cron.spec.schedule;
                    let message = format!("invalid schedule schedule: {text} : {error}");
                    self.plan.event(cron, "Warning", "InvalidSchedule", message);
                }
                None
            }
        }
    }

    /// Starts the Job that is due and plans the next look.
    fn start(&mut self, schedule: &Schedule) {
        let (cron, now) = (self.cron, self.cx.now);
        let Some(at) = self.due(schedule, true) else {
            if most_recent(cron, &self.status, now, schedule, true).is_ok() {
                self.look_again(schedule);
            }
            return;
        };
        // A start before the deadline is not found to begin with, so that upstream's event MissSchedule never comes up.
        let name = self.job_name(at);
        let is_done = self.status.active.iter().any(|active| active.name == name)
            || self.status.last_schedule_time == Some(Time::from(at));
        if is_done {
            // The Job of this time has been started before.
        } else if cron.spec.concurrency_policy == "Forbid" && !self.status.active.is_empty() {
            let message = "Not starting job because prior execution is running and concurrency \
                           policy is Forbid";
            self.plan.event(cron, "Normal", "JobAlreadyActive", message);
        } else {
            self.create(at, name);
        }
        self.look_again(schedule);
    }

    fn look_again(&mut self, schedule: &Schedule) {
        if let Some(wait) = missed::until_next(self.cron, &self.status, self.cx.now, schedule) {
            self.plan.again(wait);
        }
    }

    fn create(&mut self, at: Instant, name: Str) {
        let cron = self.cron;
        if cron.spec.concurrency_policy == "Replace" {
            let active: HashSet<Str> =
                self.status.active.iter().map(|active| active.uid.clone()).collect();
            for job in self.jobs.clone() {
                if active.contains(&job.metadata.uid) {
                    self.delete(job);
                }
            }
        }
        let known = self.cx.jobs().named(&cron.metadata.namespace, &name);
        if known.is_some() {
            // Made by someone else: it is theirs to note.
            return;
        }
        let write = self.plan.create(job_for(cron, at, name));
        write.said(Note::new(cron, "Normal", "SuccessfulCreate", "Created job {name}"));
        write.or_said(Note::new(cron, "Warning", "FailedCreate", "Error creating job: {error}"));
    }

    fn delete(&mut self, job: &Job) {
        if !self.deleted.insert(job.metadata.uid.clone()) {
            return;
        }
        if let Some(at) = self.position(&job.metadata) {
            self.status.active.remove(at);
        }
        let background = Some(lit!("Background"));
        let options = DeleteOptions { propagation_policy: background, ..Default::default() };
        let mut write = Write::delete(job, options);
        let message = format!("Deleted job {}", job.metadata.name);
        write.said(Note::new(self.cron, "Normal", "SuccessfulDelete", message));
        write.or_said(Note::new(self.cron, "Warning", "FailedDelete", "Deleted job: {error}"));
        self.plan.batch(vec![write]);
    }

    /// Deletes the oldest finished Jobs beyond the limits of the history.
    fn clean_up(&mut self) {
        let spec = &self.cron.spec;
        let limits = [
            ("Complete", spec.successful_jobs_history_limit),
            ("Failed", spec.failed_jobs_history_limit),
        ];
        for (end, limit) in limits {
            let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { continue };
            let mut ended: Vec<&Job> = self.jobs.clone();
            ended.retain(|job| finished_condition(job).is_some_and(|known| known.type_ == end));
            base::sort::by_key(&mut ended, |job| {
                let start = job.status.start_time;
                (start.is_none(), start, job.metadata.name.clone())
            });
            let surplus = ended.len().saturating_sub(limit);
            ended.truncate(surplus);
            ended.into_iter().for_each(|job| self.delete(job));
        }
    }

    fn job_name(&self, at: Instant) -> Str {
        format!("{}-{}", self.cron.metadata.name, at.unix_seconds() / 60).into()
    }
}

/// The Job of a scheduled time.
fn job_for(cron: &CronJob, at: Instant, name: Str) -> Job {
    let template = &cron.spec.job_template;
    let zone = cron.spec.time_zone.as_ref().and_then(|name| Zone::named(name).ok());
    let mut annotations = template.metadata.annotations.clone();
    annotations.insert(SCHEDULED, zone.unwrap_or_default().format(at).into());
    Job {
        metadata: Arc::new(ObjectMeta {
            name,
            namespace: cron.metadata.namespace.clone(),
            labels: template.metadata.labels.clone(),
            annotations,
            owner_references: list![controller_reference(cron)],
            ..ObjectMeta::default()
        }),
        spec: Arc::new(template.spec.clone()),
        ..Job::default()
    }
}

#[cfg(test)]
mod tests;
