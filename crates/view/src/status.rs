//! Statuses in the words that kubectl prints, and the marks that go with them.

use api::core::v1::{ContainerStatus, Node, Pod};
use protocol::{Mark, State};

/// The status of a pod: the word of kubectl's STATUS column, a mark, and what there is to add.
pub fn pod_state(pod: &Pod) -> State {
    let word = pod_word(pod);
    let mark = pod_mark(pod, &word);
    let restarts: i32 = pod.status.container_statuses.iter().map(|c| c.restart_count).sum();
    let note = match mark {
        Mark::NotReady => "not ready".into(),
        Mark::CrashLoop if restarts == 1 => "1 restart".into(),
        Mark::CrashLoop if restarts > 1 => format!("{restarts} restarts"),
        _ => String::new(),
    };
    State { mark, word, note }
}

fn pod_mark(pod: &Pod, word: &str) -> Mark {
    if pod.metadata.deletion_timestamp.is_some() {
        return if word == "Unknown" { Mark::Unknown } else { Mark::Terminating };
    }
    match (pod.status.phase.as_str(), word) {
        ("Succeeded", _) => Mark::Succeeded,
        ("Failed", _) => Mark::Failed,
        ("Unknown", _) => Mark::Unknown,
        (_, "CrashLoopBackOff" | "Error" | "OOMKilled" | "Completed") => Mark::CrashLoop,
        (_, word) if is_trouble(word) => Mark::CrashLoop,
        ("Running", _) if condition(pod, "Ready") => Mark::Ready,
        ("Running", _) => Mark::NotReady,
        _ if pod.spec.node_name.is_empty() => Mark::Pending,
        _ => Mark::Creating,
    }
}

/// A reason to wait that does not pass by itself.
fn is_trouble(word: &str) -> bool {
    let word = word.strip_prefix("Init:").unwrap_or(word);
    word.ends_with("BackOff")
        || word.starts_with("Err")
        || word.ends_with("Error")
        || word.starts_with("ExitCode:")
        || word.starts_with("Signal:")
        || matches!(word, "InvalidImageName" | "OOMKilled" | "ContainerCannotRun")
}

fn condition(pod: &Pod, type_: &str) -> bool {
    pod.status.conditions.iter().any(|c| c.type_ == type_ && c.status == "True")
}

fn pod_word(pod: &Pod) -> String {
    let status = &pod.status;
    let mut word = status.phase.to_string();
    if !status.reason.is_empty() {
        word = status.reason.to_string();
    }
    let gated = |c: &api::core::v1::PodCondition| {
        c.type_ == "PodScheduled" && c.reason == "SchedulingGated"
    };
    if status.conditions.iter().any(gated) {
        word = "SchedulingGated".into();
    }
    match init_word(pod) {
        Some(init) => word = init,
        None => {
            let mut running = false;
            for container in status.container_statuses.iter().rev() {
                match container_word(container) {
                    Some(reason) => word = reason,
                    None => running |= container.ready && container.state.running.is_some(),
                }
            }
            if word == "Completed" && running {
                word = if condition(pod, "Ready") { "Running".into() } else { "NotReady".into() };
            }
        }
    }
    let ended = matches!(status.phase.as_str(), "Succeeded" | "Failed");
    if pod.metadata.deletion_timestamp.is_some() {
        if status.reason == "NodeLost" {
            word = "Unknown".into();
        } else if !ended {
            word = "Terminating".into();
        }
    }
    word
}

/// The word while init containers are not through.
fn init_word(pod: &Pod) -> Option<String> {
    let specs = &pod.spec.init_containers;
    let is_sidecar = |name: &str| {
        specs.iter().any(|c| c.name == name && c.restart_policy.as_deref() == Some("Always"))
    };
    for (i, container) in pod.status.init_container_statuses.iter().enumerate() {
        let state = &container.state;
        if let Some(ended) = &state.terminated {
            if ended.exit_code == 0 {
                continue;
            }
            return Some(match (ended.reason.as_str(), ended.signal) {
                ("", Some(signal)) if signal != 0 => format!("Init:Signal:{signal}"),
                ("", _) => format!("Init:ExitCode:{}", ended.exit_code),
                (reason, _) => format!("Init:{reason}"),
            });
        }
        if is_sidecar(&container.name) && container.started == Some(true) {
            continue;
        }
        let waits = state.waiting.as_ref().map_or("", |waiting| waiting.reason.as_str());
        if !waits.is_empty() && waits != "PodInitializing" {
            return Some(format!("Init:{waits}"));
        }
        return Some(format!("Init:{i}/{}", specs.len()));
    }
    None
}

fn container_word(container: &ContainerStatus) -> Option<String> {
    let state = &container.state;
    if let Some(waiting) = &state.waiting
        && !waiting.reason.is_empty()
    {
        return Some(waiting.reason.to_string());
    }
    let ended = state.terminated.as_ref()?;
    Some(match (ended.reason.as_str(), ended.signal) {
        ("", Some(signal)) if signal != 0 => format!("Signal:{signal}"),
        ("", _) => format!("ExitCode:{}", ended.exit_code),
        (reason, _) => reason.into(),
    })
}

/// The status of a node: the word of kubectl's STATUS column and a mark.
pub fn node_state(node: &Node, powered: bool) -> State {
    let ready = node.status.conditions.iter().find(|c| c.type_ == "Ready");
    let (mark, word) = match ready.map(|c| c.status.as_str()) {
        Some("True") => (Mark::Ready, "Ready"),
        Some(_) => (Mark::Failed, "NotReady"),
        None => (Mark::Unknown, "Unknown"),
    };
    let cordoned = if node.spec.unschedulable { ",SchedulingDisabled" } else { "" };
    let mark = if powered { mark } else { Mark::Off };
    State { mark, word: format!("{word}{cordoned}"), note: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::{Decode, Json, Kind, Object};

    fn pod(status: &str) -> Pod {
        let text = format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p"}},"spec":{{"nodeName":"n","initContainers":[{{"name":"i"}}]}},"status":{status}}}"#
        );
        let json = Json::parse(text.as_bytes()).unwrap();
        let object = Object::decode(Pod::INFO, json, &mut Decode::new());
        object.get::<Pod>().unwrap().clone()
    }

    fn check(status: &str, word: &str, mark: Mark) {
        let state = pod_state(&pod(status));
        assert_eq!((state.word.as_str(), state.mark), (word, mark));
    }

    #[test]
    fn a_ready_pod_is_running() {
        check(
            r#"{"phase":"Running","conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"ready":true,"state":{"running":{}}}]}"#,
            "Running",
            Mark::Ready,
        );
    }
    #[test]
    fn a_running_pod_that_is_not_ready_says_so() {
        let state = pod_state(&pod(r#"{"phase":"Running"}"#));
        assert_eq!((state.word.as_str(), state.note.as_str()), ("Running", "not ready"));
        assert_eq!(state.mark, Mark::NotReady);
    }
    #[test]
    fn a_waiting_container_gives_its_reason() {
        check(
            r#"{"phase":"Pending","containerStatuses":[{"state":{"waiting":{"reason":"ContainerCreating"}}}]}"#,
            "ContainerCreating",
            Mark::Creating,
        );
        check(
            r#"{"phase":"Running","containerStatuses":[{"restartCount":2,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}"#,
            "CrashLoopBackOff",
            Mark::CrashLoop,
        );
        check(
            r#"{"phase":"Pending","containerStatuses":[{"state":{"waiting":{"reason":"ImagePullBackOff"}}}]}"#,
            "ImagePullBackOff",
            Mark::CrashLoop,
        );
    }
    #[test]
    fn init_containers_come_first() {
        check(
            r#"{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"running":{}}}]}"#,
            "Init:0/1",
            Mark::Creating,
        );
        check(
            r#"{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}"#,
            "Init:Error",
            Mark::CrashLoop,
        );
    }
    #[test]
    fn an_ended_pod_says_how() {
        check(
            r#"{"phase":"Succeeded","containerStatuses":[{"state":{"terminated":{"exitCode":0,"reason":"Completed"}}}]}"#,
            "Completed",
            Mark::Succeeded,
        );
        check(r#"{"phase":"Failed","reason":"Evicted"}"#, "Evicted", Mark::Failed);
    }
}
