//! Workloads: deployments and what is below them, jobs, autoscalers, budgets.

use api::Json;
use api::apps::v1::*;
use api::autoscaling::v2::{HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget};
use api::batch::v1::{CronJob, Job};
use api::core::v1::{PodTemplate, ReplicationController};
use api::object::Object;
use api::policy::v1::PodDisruptionBudget;

use super::Cx;
use super::format::*;

/// The cells of a workload.
pub(super) fn cells(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(deployment) = object.get::<Deployment>() {
        let (spec, status) = (&deployment.spec, &deployment.status);
        let [names, images] = containers(&spec.template.spec.containers);
        let ready = format!("{}/{}", status.ready_replicas, spec.replicas.unwrap_or(0));
        return Some(vec![
            name(object),
            ready.into(),
            status.updated_replicas.into(),
            status.available_replicas.into(),
            age(cx, object),
            names,
            images,
            selector(&spec.selector),
        ]);
    }
    if let Some(set) = object.get::<ReplicaSet>() {
        let (spec, status) = (&set.spec, &set.status);
        let [names, images] = containers(&spec.template.spec.containers);
        return Some(vec![
            name(object),
            spec.replicas.unwrap_or(0).into(),
            status.replicas.into(),
            status.ready_replicas.into(),
            age(cx, object),
            names,
            images,
            selector(&spec.selector),
        ]);
    }
    if let Some(controller) = object.get::<ReplicationController>() {
        let (spec, status) = (&controller.spec, &controller.status);
        let [names, images] = containers(&spec.template.spec.containers);
        return Some(vec![
            name(object),
            spec.replicas.unwrap_or(0).into(),
            status.replicas.into(),
            status.ready_replicas.into(),
            age(cx, object),
            names,
            images,
            labels(spec.selector.iter()),
        ]);
    }
    sets(cx, object).or_else(|| jobs(cx, object)).or_else(|| policies(cx, object))
}

fn sets(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(set) = object.get::<StatefulSet>() {
        let [names, images] = containers(&set.spec.template.spec.containers);
        let ready = format!("{}/{}", set.status.ready_replicas, set.spec.replicas.unwrap_or(0));
        return Some(vec![name(object), ready.into(), age(cx, object), names, images]);
    }
    if let Some(set) = object.get::<DaemonSet>() {
        let (spec, status) = (&set.spec, &set.status);
        let [names, images] = containers(&spec.template.spec.containers);
        return Some(vec![
            name(object),
            status.desired_number_scheduled.into(),
            status.current_number_scheduled.into(),
            status.number_ready.into(),
            status.updated_number_scheduled.into(),
            status.number_available.into(),
            labels(spec.template.spec.node_selector.iter()),
            age(cx, object),
            names,
            images,
            selector(&spec.selector),
        ]);
    }
    if let Some(template) = object.get::<PodTemplate>() {
        let [names, images] = containers(&template.template.spec.containers);
        let own = labels(template.template.metadata.labels.iter());
        return Some(vec![name(object), names, images, own]);
    }
    if let Some(revision) = object.get::<ControllerRevision>() {
        let owners = &object.meta().owner_references;
        let owner = owners.iter().find(|owner| owner.controller == Some(true));
        let owner = owner.map_or("<none>".to_string(), |owner| {
            let kind = owner.kind.to_lowercase();
            match owner.api_version.rsplit_once('/') {
                Some((group, _)) => format!("{kind}.{group}/{}", owner.name),
                None => format!("{kind}/{}", owner.name),
            }
        });
        let number: i64 = revision.revision;
        return Some(vec![name(object), owner.into(), number.into(), age(cx, object)]);
    }
    None
}

fn jobs(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(job) = object.get::<Job>() {
        let [names, images] = containers(&job.spec.template.spec.containers);
        let done = job.status.succeeded;
        let completions = match (job.spec.completions, job.spec.parallelism.unwrap_or(0)) {
            (Some(wanted), _) => format!("{done}/{wanted}"),
            (None, many) if many > 1 => format!("{done}/1 of {many}"),
            (None, _) => format!("{done}/1"),
        };
        let took = match (job.status.start_time, job.status.completion_time) {
            (None, _) => String::new(),
            (Some(from), Some(to)) => between(from.instant(), to.instant()),
            (Some(from), None) => between(from.instant(), cx.now),
        };
        let own = job.spec.selector.as_deref().map_or("<none>".into(), selector);
        return Some(vec![
            name(object),
            job_word(job).into(),
            completions.into(),
            took.into(),
            age(cx, object),
            names,
            images,
            own,
        ]);
    }
    let cron = object.get::<CronJob>()?;
    let spec = &cron.spec;
    let job = &spec.job_template.spec;
    let [names, images] = containers(&job.template.spec.containers);
    let last = cron.status.last_schedule_time;
    let truth = |value: Option<bool>| match value {
        None => "<unset>",
        Some(true) => "True",
        Some(false) => "False",
    };
    Some(vec![
        name(object),
        Json::Str(spec.schedule.clone()),
        or(spec.time_zone.as_deref().unwrap_or_default(), "<none>"),
        truth(spec.suspend).into(),
        (cron.status.active.len() as i64).into(),
        last.map_or("<none>".to_string(), |at| since(cx, Some(at))).into(),
        age(cx, object),
        names,
        images,
        job.selector.as_deref().map_or("<none>".into(), selector),
    ])
}

fn job_word(job: &Job) -> &'static str {
    let is =
        |name: &str| job.status.conditions.iter().any(|c| c.type_ == name && c.status == "True");
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if job.metadata.deletion_timestamp.is_some() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn policies(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(budget) = object.get::<PodDisruptionBudget>() {
        let text = |value: &Option<api::int_or_string::IntOrString>| {
            value.as_ref().map_or("N/A".to_string(), ToString::to_string)
        };
        return Some(vec![
            name(object),
            text(&budget.spec.min_available).into(),
            text(&budget.spec.max_unavailable).into(),
            budget.status.disruptions_allowed.unwrap_or(0).into(),
            age(cx, object),
        ]);
    }
    let scaler = object.get::<HorizontalPodAutoscaler>()?;
    let target = &scaler.spec.scale_target_ref;
    let least = scaler.spec.min_replicas;
    Some(vec![
        name(object),
        format!("{}/{}", target.kind, target.name).into(),
        targets(scaler).into(),
        least.map_or("<unset>".to_string(), |n| n.to_string()).into(),
        scaler.spec.max_replicas.into(),
        scaler.status.current_replicas.into(),
        age(cx, object),
    ])
}

/// Each metric as `name: now/wanted`, two of them at most.
fn targets(scaler: &HorizontalPodAutoscaler) -> String {
    let specs = &scaler.spec.metrics;
    if specs.is_empty() {
        return "<none>".into();
    }
    let shown: Vec<String> = specs
        .iter()
        .enumerate()
        .map(|(i, spec)| target_of(spec, scaler.status.current_metrics.get(i)))
        .collect();
    match shown.len() {
        0..=2 => shown.join(", "),
        more => format!("{} + {} more...", shown[..2].join(", "), more - 2),
    }
}

fn target_of(spec: &MetricSpec, status: Option<&MetricStatus>) -> String {
    let show =
        |target: &MetricTarget, now: Option<&api::autoscaling::v2::MetricValueStatus>| -> String {
            let unknown = "<unknown>".to_string();
            if let Some(wanted) = &target.average_value {
                let now = now.and_then(|now| now.average_value.as_ref());
                format!("{}/{wanted} (avg)", now.map_or(unknown, ToString::to_string))
            } else if let Some(wanted) = target.average_utilization {
                let now = now.and_then(|now| now.average_utilization);
                format!("{}/{wanted}%", now.map_or(unknown, |now| format!("{now}%")))
            } else if let Some(wanted) = &target.value {
                let now = now.and_then(|now| now.value.as_ref());
                format!("{}/{wanted}", now.map_or(unknown, ToString::to_string))
            } else {
                "<unknown>/<auto>".into()
            }
        };
    if let Some(own) = &spec.resource {
        let now = status.and_then(|s| s.resource.as_deref()).map(|s| &s.current);
        let text = show(&own.target, now).replace(" (avg)", "");
        return format!("{}: {text}", own.name);
    }
    if let Some(own) = &spec.container_resource {
        let now = status.and_then(|s| s.container_resource.as_deref()).map(|s| &s.current);
        let text = show(&own.target, now).replace(" (avg)", "");
        return format!("{}: {text}", own.name);
    }
    if let Some(own) = &spec.pods {
        let now = status.and_then(|s| s.pods.as_deref()).map(|s| &s.current);
        return show(&own.target, now).replace(" (avg)", "");
    }
    if let Some(own) = &spec.object {
        return show(&own.target, status.and_then(|s| s.object.as_deref()).map(|s| &s.current));
    }
    if let Some(own) = &spec.external {
        return show(&own.target, status.and_then(|s| s.external.as_deref()).map(|s| &s.current));
    }
    "<unknown type>".into()
}
