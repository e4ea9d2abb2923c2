//! Pods: what they are doing in one word.

use api::Json;
use api::core::v1::{ContainerState, ContainerStatus, Pod};
use api::object::Object;
use api::time::Time;

use super::Cx;
use super::format::{age, name, or, since};

/// The cells of a pod.
pub(super) fn cells(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    let pod = object.get::<Pod>()?;
    let told = tell(pod);
    let restarts = match told.last_restart.filter(|_| told.restarts != 0) {
        Some(at) => format!("{} ({} ago)", told.restarts, since(cx, Some(at))),
        None => told.restarts.to_string(),
    };
    let gates = &pod.spec.readiness_gates;
    let passed = gates.iter().filter(|gate| {
        let conditions = &pod.status.conditions;
        conditions.iter().any(|c| c.type_ == gate.condition_type && c.status == "True")
    });
    let gates = match gates.len() {
        0 => "<none>".to_string(),
        all => format!("{}/{all}", passed.count()),
    };
    Some(vec![
        name(object),
        format!("{}/{}", told.ready, told.total).into(),
        told.word.into(),
        restarts.into(),
        age(cx, object),
        or(pod.status.pod_ips.first().map_or(&pod.status.pod_ip, |ip| &ip.ip), "<none>"),
        or(&pod.spec.node_name, "<none>"),
        or(&pod.status.nominated_node_name, "<none>"),
        gates.into(),
    ])
}

/// What a pod's row says.
struct Told {
    word: String,
    ready: usize,
    total: usize,
    restarts: i32,
    last_restart: Option<Time>,
}

fn state(status: &ContainerStatus) -> &ContainerState {
    &status.state
}

fn ended(status: &ContainerStatus) -> Option<Time> {
    status.last_state.terminated.as_ref().and_then(|terminated| terminated.finished_at)
}

fn is_true(pod: &Pod, condition: &str) -> bool {
    pod.status.conditions.iter().any(|c| c.type_ == condition && c.status == "True")
}

fn exit_word(reason: &str, signal: i32, code: i32) -> String {
    match (reason, signal) {
        ("", 0) => format!("ExitCode:{code}"),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_string(),
    }
}

fn tell(pod: &Pod) -> Told {
    let mut told = Told {
        word: pod.status.phase.to_string(),
        ready: 0,
        total: pod.spec.containers.len(),
        restarts: 0,
        last_restart: None,
    };
    if !pod.status.reason.is_empty() {
        told.word = pod.status.reason.to_string();
    }
    let gated = |reason: &str| reason == "SchedulingGated";
    if pod.status.conditions.iter().any(|c| c.type_ == "PodScheduled" && gated(&c.reason)) {
        told.word = "SchedulingGated".into();
    }
    let (initializing, sidecars) = tell_init(pod, &mut told);
    if !initializing || is_true(pod, "Initialized") {
        (told.restarts, told.last_restart) = sidecars;
        tell_main(pod, &mut told);
    }
    if pod.metadata.deletion_timestamp.is_some() {
        let terminal = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
        if pod.status.reason == "NodeLost" {
            told.word = "Unknown".into();
        } else if !terminal {
            told.word = "Terminating".into();
        }
    }
    told
}

/// Goes through the init containers; answers whether they are not done yet, and the restarts of sidecars alone.
fn tell_init(pod: &Pod, told: &mut Told) -> (bool, (i32, Option<Time>)) {
    let is_sidecar = |name: &str| {
        let mut containers = pod.spec.init_containers.iter();
        containers.any(|c| c.name == name && c.restart_policy.as_deref() == Some("Always"))
    };
    told.total += pod.spec.init_containers.iter().filter(|c| is_sidecar(&c.name)).count();
    let mut sidecars = (0, None);
    for (i, status) in pod.status.init_container_statuses.iter().enumerate() {
        let restarts = status.restart_count;
        told.restarts += restarts;
        told.last_restart = told.last_restart.max(ended(status));
        let sidecar = is_sidecar(&status.name);
        if sidecar {
            sidecars.0 += restarts;
            sidecars.1 = sidecars.1.max(ended(status));
        }
        let state = state(status);
        match (&state.terminated, &state.waiting) {
            (Some(terminated), _) if terminated.exit_code == 0 => continue,
            _ if sidecar && status.started == Some(true) => {
                told.ready += usize::from(status.ready);
                continue;
            }
            (Some(terminated), _) => {
                let signal = terminated.signal.unwrap_or(0);
                let word = exit_word(&terminated.reason, signal, terminated.exit_code);
                told.word = format!("Init:{word}");
            }
            (None, Some(waiting))
                if !waiting.reason.is_empty() && waiting.reason != "PodInitializing" =>
            {
                told.word = format!("Init:{}", waiting.reason);
            }
            _ => told.word = format!("Init:{i}/{}", pod.spec.init_containers.len()),
        }
        return (true, sidecars);
    }
    (false, sidecars)
}

fn tell_main(pod: &Pod, told: &mut Told) {
    let mut running = false;
    for status in pod.status.container_statuses.iter().rev() {
        told.restarts += status.restart_count;
        told.last_restart = told.last_restart.max(ended(status));
        let state = state(status);
        match (&state.waiting, &state.terminated) {
            (Some(waiting), _) if !waiting.reason.is_empty() => {
                told.word = waiting.reason.to_string();
            }
            (_, Some(terminated)) => {
                let signal = terminated.signal.unwrap_or(0);
                told.word = exit_word(&terminated.reason, signal, terminated.exit_code);
            }
            _ if status.ready && state.running.is_some() => {
                running = true;
                told.ready += 1;
            }
            _ => {}
        }
    }
    if told.word == "Completed" && running {
        told.word = if is_true(pod, "Ready") { "Running" } else { "NotReady" }.into();
    }
}
