//! The conditions of a pod.

use api::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus};
use api::time::Time;
use base::{Instant, List, Str};

use crate::worker::is_sidecar;

/// What the conditions are made from.
pub(crate) struct View<'a> {
    pub pod: &'a Pod,
    pub old: &'a PodStatus,
    pub init: &'a List<ContainerStatus>,
    pub main: &'a List<ContainerStatus>,
    pub phase: &'a str,
    pub sandbox: bool,
    pub now: Instant,
}

/// The conditions that the kubelet decides, in the order in which it writes them.
pub(crate) const OWN: [&str; 5] =
    ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/// Whether nobody but the kubelet decides a condition.
pub(crate) fn is_own(type_: &str) -> bool {
    OWN.contains(&type_) || matches!(type_, "PodResizePending" | "PodResizeInProgress")
}

type Verdict = (bool, &'static str, String);

/// All conditions: those of others first, as they are, then the kubelet's own.
pub(crate) fn all(view: &View<'_>) -> List<PodCondition> {
    let others = view.pod.status.conditions.iter().filter(|c| !is_own(&c.type_));
    let mut out: List<PodCondition> = others.cloned().collect();
    let containers = containers_ready(view);
    let ready = ready(view, &containers);
    let verdicts: [Verdict; 5] = [
        (view.sandbox, "", String::new()),
        initialized(view),
        ready,
        containers,
        (true, "", String::new()),
    ];
    for (type_, (status, reason, message)) in OWN.into_iter().zip(verdicts) {
        let status: Str = if status { "True".into() } else { "False".into() };
        let old = view.old.conditions.iter().find(|c| c.type_ == type_);
        let since = old.filter(|old| old.status == status).and_then(|old| old.last_transition_time);
        out.push(PodCondition {
            type_: type_.into(),
            observed_generation: view.pod.metadata.generation,
            status,
            reason: reason.into(),
            message: message.into(),
            last_transition_time: since.or(Some(Time::from(view.now))),
            last_probe_time: None,
        });
    }
    out
}

fn initialized(view: &View<'_>) -> Verdict {
    let specs = &view.pod.spec.init_containers;
    let incomplete: Vec<&str> = view
        .init
        .iter()
        .zip(specs)
        .filter(|(status, spec)| {
            let complete =
                if is_sidecar(spec) { status.started == Some(true) } else { status.ready };
            !complete
        })
        .map(|(status, _)| status.name.as_str())
        .collect();
    let begun = view.main.iter().any(|status| !status.container_id.is_empty());
    if view.phase == "Succeeded" {
        return (true, "PodCompleted", String::new());
    }
    if incomplete.is_empty() || begun {
        return (true, "", String::new());
    }
    if view.phase == "Failed" && view.init.iter().all(|status| status.container_id.is_empty()) {
        return (false, "PodFailed", String::new());
    }
    let message = format!("containers with incomplete status: [{}]", incomplete.join(" "));
    (false, "ContainersNotInitialized", message)
}

fn containers_ready(view: &View<'_>) -> Verdict {
    match view.phase {
        "Succeeded" => return (false, "PodCompleted", String::new()),
        "Failed" => return (false, "PodFailed", String::new()),
        _ => {}
    }
    let sidecars = view.init.iter().zip(&view.pod.spec.init_containers);
    let sidecars = sidecars.filter(|(_, spec)| is_sidecar(spec)).map(|(status, _)| status);
    let unready: Vec<&str> = sidecars
        .chain(view.main)
        .filter(|status| !status.ready)
        .map(|status| status.name.as_str())
        .collect();
    if unready.is_empty() {
        return (true, "", String::new());
    }
    let message = format!("containers with unready status: [{}]", unready.join(" "));
    (false, "ContainersNotReady", message)
}

fn ready(view: &View<'_>, containers: &Verdict) -> Verdict {
    if !containers.0 {
        return containers.clone();
    }
    let mut missing = Vec::new();
    for gate in &view.pod.spec.readiness_gates {
        let type_ = &gate.condition_type;
        match view.pod.status.conditions.iter().find(|c| c.type_ == *type_) {
            None => missing.push(format!(
                "corresponding condition of pod readiness gate \"{type_}\" does not exist."
            )),
            Some(c) if c.status != "True" => missing.push(format!(
                "the status of pod readiness gate \"{type_}\" is not \"True\", but {}",
                c.status
            )),
            Some(_) => {}
        }
    }
    if missing.is_empty() {
        return (true, "", String::new());
    }
    (false, "ReadinessGatesNotReady", missing.join(", "))
}
