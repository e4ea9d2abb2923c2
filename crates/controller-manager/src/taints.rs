//! Taints that controllers put on nodes, and what pods tolerate.

use api::core::v1::{Taint, Toleration};
use api::node_fit::tolerates;
use base::Duration;

/// The node does not report ready.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// The node is not heard of.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// The node is shut down and will not come back by itself.
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// The node is cordoned.
pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// How long pods with these tolerations may stay under NoExecute taints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// For good.
    Forever,
    /// For a while.
    For(Duration),
    /// Some taint is not tolerated at all.
    No,
}

/// How long a pod may stay under the NoExecute taints among `taints`.
pub fn stay(taints: &[Taint], tolerations: &[Toleration]) -> Stay {
    let mut shortest: Option<i64> = None;
    for taint in taints.iter().filter(|taint| taint.effect == "NoExecute") {
        let mut used =
            tolerations.iter().filter(|toleration| tolerates(toleration, taint)).peekable();
        if used.peek().is_none() {
            return Stay::No;
        }
        let limit = used.filter_map(|toleration| toleration.toleration_seconds).min();
        shortest = [shortest, limit].into_iter().flatten().min();
    }
    match shortest {
        None => Stay::Forever,
        Some(seconds) if seconds <= 0 => Stay::No,
        Some(seconds) => Stay::For(Duration::secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `taints` are `key:effect`, `tolerations` `key`, `key=seconds` or `*`.
    fn check(taints: &str, tolerations: &str, expect: Stay) {
        let taint = |text: &str| {
            let (key, effect) = text.split_once(':').expect("key:effect");
            Taint { key: key.into(), effect: effect.into(), ..Taint::default() }
        };
        let toleration = |text: &str| {
            let (key, seconds) = text.split_once('=').unwrap_or((text, ""));
            Toleration {
                key: key.trim_matches('*').into(),
                operator: "Exists".into(),
                toleration_seconds: seconds.parse().ok(),
                ..Toleration::default()
            }
        };
        let taints: Vec<Taint> = taints.split_whitespace().map(taint).collect();
        let tolerations: Vec<Toleration> = tolerations.split_whitespace().map(toleration).collect();
        assert_eq!(stay(&taints, &tolerations), expect);
    }

    #[test]
    fn only_no_execute_taints_drive_pods_away() {
        check("a:NoSchedule", "", Stay::Forever);
        check("a:NoExecute", "", Stay::No);
        check("a:NoExecute", "b", Stay::No);
    }

    #[test]
    fn the_shortest_stay_counts() {
        check("a:NoExecute b:NoExecute", "a=300 b=20", Stay::For(Duration::secs(20)));
        check("a:NoExecute", "*", Stay::Forever);
        check("a:NoExecute", "a=0", Stay::No);
    }
}
