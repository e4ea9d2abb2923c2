//! What several controllers ask of pods.

use api::core::v1::{Pod, PodCondition};
use base::{Duration, Instant};

/// Whether the pod has ended, for good.
pub fn is_terminal(pod: &Pod) -> bool {
    matches!(&*pod.status.phase, "Succeeded" | "Failed")
}

/// Whether the pod still counts: it has neither ended nor is it being deleted.
pub fn is_active(pod: &Pod) -> bool {
    !is_terminal(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// Whether the pod is being deleted and has not yet ended.
pub fn is_terminating(pod: &Pod) -> bool {
    !is_terminal(pod) && pod.metadata.deletion_timestamp.is_some()
}

/// The condition of this type.
pub fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the pod is ready.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Since when the pod has been ready.
pub fn ready_since(pod: &Pod) -> Option<Instant> {
    let ready = condition(pod, "Ready").filter(|ready| ready.status == "True")?;
    ready.last_transition_time.map(|time| time.instant())
}

/// Whether the pod has been ready for long enough.
pub fn is_available(pod: &Pod, min_ready_seconds: i32, now: Instant) -> bool {
    is_ready(pod) && available_in(pod, min_ready_seconds, now).is_none()
}

/// How long until a ready pod counts as available; `None` if it does, or is not ready.
pub fn available_in(pod: &Pod, min_ready_seconds: i32, now: Instant) -> Option<Duration> {
    if min_ready_seconds == 0 {
        return None;
    }
    let at = ready_since(pod)? + Duration::secs(min_ready_seconds.into());
    (at > now).then(|| at - now)
}

/// The highest restart count of the pod's containers.
pub fn restarts(pod: &Pod) -> i32 {
    pod.status.container_statuses.iter().map(|status| status.restart_count).max().unwrap_or(0)
}
