//! eviction: deletes a pod where no disruption budget forbids it.
//!
//! Known deviations:
//! - A budget whose controller has not looked at it yet refuses as upstream does, without its retry loop.

use std::sync::Arc;

use api::core::v1::{Pod, PodCondition};
use api::meta::v1::{DeleteOptions, Status, StatusCause, StatusDetails};
use api::object::{Kind, Object};
use api::policy::v1::{Eviction, PodDisruptionBudget};
use api::selector::Selector;
use api::wire::{Answer, Reply, Subresource, not_found};
use base::lit;

use crate::errors::{self, Refusal};
use crate::registry::{self, Row};
use crate::{ApiServer, Write};

const BLOCKED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

/// Evicts a pod.
pub(super) fn create(
    server: &mut ApiServer,
    write: &mut Write,
    row: &'static Row,
    namespace: &str,
    name: &str,
    object: &Object,
) -> Reply {
    let Some(eviction) = object.get::<Eviction>() else {
        return Err(errors::bad_request("expected input object type to be Eviction"));
    };
    super::check_posted(write, object, namespace, name)?;
    let Some(stored) = server.stored(row, namespace, name).cloned() else {
        return Err(not_found(row.info, name));
    };
    let Some(pod) = stored.get::<Pod>() else { return Err(errors::internal("not a pod")) };
    let options: DeleteOptions = eviction.delete_options.as_deref().cloned().unwrap_or_default();
    let done = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed" | "Pending");
    if !done && pod.metadata.deletion_timestamp.is_none() {
        charge_budget(server, write, pod)?;
    }
    if !write.dry_run {
        mark(server, write, row, &stored)?;
    }
    let inner = &mut Write { subresource: Subresource::None, ..write.clone() };
    server.delete(inner, row, namespace, name, &options)?;
    let status = Status { status: lit!("Success"), code: Some(201), ..Status::default() };
    Ok(Answer::Status(Box::new(status)))
}

/// Shows in the pod's conditions why it goes.
fn mark(
    server: &mut ApiServer,
    write: &Write,
    row: &'static Row,
    stored: &Object,
) -> Result<(), Refusal> {
    let mut new = stored.clone();
    let Some(pod) = new.edit_as::<Pod>() else { return Ok(()) };
    let condition = PodCondition {
        type_: lit!("DisruptionTarget"),
        status: lit!("True"),
        reason: lit!("EvictionByEvictionAPI"),
        message: lit!("Eviction API: evicting"),
        last_transition_time: Some(write.now.into()),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    };
    let conditions = &mut Arc::make_mut(&mut pod.status).conditions;
    match conditions.iter_mut().find(|known| known.type_ == condition.type_) {
        Some(known) if known.status == condition.status => {
            let since = known.last_transition_time;
            *known = PodCondition { last_transition_time: since, ..condition };
        }
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
    let write = Write { subresource: Subresource::Status, verb: "status", ..write.clone() };
    server.put(&write, row, Some(stored), new).map(|_| ())
}

/// Takes one disruption from the pod's budget.
fn charge_budget(server: &mut ApiServer, write: &Write, pod: &Pod) -> Result<(), Refusal> {
    let row = registry::of(PodDisruptionBudget::INFO).expect("registered");
    let covers = |object: &&Object| {
        object.get::<PodDisruptionBudget>().is_some_and(|budget| {
            Selector::of_optional(budget.spec.selector.as_deref())
                .is_ok_and(|selector| selector.matches(|key| pod.metadata.labels.text(key)))
        })
    };
    let found: Vec<Object> =
        server.objects(row, &pod.metadata.namespace).filter(covers).cloned().collect();
    let object = match found.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        _ => {
            let text = "This pod has more than one PodDisruptionBudget, which the eviction \
                subresource does not support.";
            return Err(errors::internal(text));
        }
    };
    let mut new = object.clone();
    let Some(budget) = new.edit_as::<PodDisruptionBudget>() else { return Ok(()) };
    let is_ready = pod.status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    let policy = budget.spec.unhealthy_pod_eviction_policy.as_deref();
    let enough = healthy(budget) >= desired(budget) && desired(budget) > 0;
    if !is_ready && (policy == Some("AlwaysAllow") || enough) {
        return Ok(());
    }
    let name = budget.metadata.name.clone();
    if budget.status.observed_generation < budget.metadata.generation {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(refusal(&why, 10));
    }
    if allowed(budget) <= 0 {
        let why = format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            desired(budget),
            healthy(budget)
        );
        return Err(refusal(&why, 0));
    }
    if write.dry_run {
        return Ok(());
    }
    let left = allowed(budget) - 1;
    let status = Arc::make_mut(&mut budget.status);
    status.disruptions_allowed = Some(left);
    status.disrupted_pods.insert(pod.metadata.name.clone(), write.now.into());
    let write = Write { subresource: Subresource::Status, verb: "status", ..write.clone() };
    server.put(&write, row, Some(&object), new).map(|_| ())
}

fn allowed(budget: &PodDisruptionBudget) -> i32 {
    budget.status.disruptions_allowed.unwrap_or(0)
}

fn healthy(budget: &PodDisruptionBudget) -> i32 {
    budget.status.current_healthy.unwrap_or(0)
}

fn desired(budget: &PodDisruptionBudget) -> i32 {
    budget.status.desired_healthy.unwrap_or(0)
}

fn refusal(why: &str, retry_seconds: i32) -> Refusal {
    let mut status = errors::too_many_requests(BLOCKED);
    status.details = Some(Box::new(StatusDetails {
        causes: [StatusCause {
            reason: lit!("DisruptionBudget"),
            message: why.into(),
            ..StatusCause::default()
        }]
        .into_iter()
        .collect(),
        retry_after_seconds: (retry_seconds > 0).then_some(retry_seconds),
        ..StatusDetails::default()
    }));
    status
}
