//! How fast a wanted replica count may be followed: stabilization, policies, and the bounds.

use api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscalerBehavior};
use base::{Duration, Instant};

/// Without a behaviour, a set shrinks to the most that was wanted in this time.
const WINDOW_DOWN: Duration = Duration::mins(5);

/// What happened to one autoscaler's target.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Replica counts that were wanted.
    wanted: Vec<(Instant, i32)>,
    /// Changes up and down, by how many replicas.
    ups: Vec<(Instant, i32)>,
    downs: Vec<(Instant, i32)>,
}

/// A replica count with the reason and the message of the condition that explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The count.
    pub replicas: i32,
    /// The reason.
    pub reason: &'static str,
    /// The message.
    pub message: &'static str,
}

/// The bounds of a target.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// No fewer replicas.
    pub min: i32,
    /// No more replicas.
    pub max: i32,
    /// What there is.
    pub current: i32,
}

const LOWER: &str =
    "recent recommendations were lower than current one, applying the lowest recent recommendation";
const HIGHER: &str = "recent recommendations were higher than current one, applying the highest recent recommendation";
const TOO_MANY: (&str, &str) =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FEW: (&str, &str) =
    ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const TOO_FAST_UP: (&str, &str) =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const TOO_FAST_DOWN: (&str, &str) = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);

impl History {
    /// Notes what there was at first, as if it had been wanted.
    pub fn begin(&mut self, now: Instant, replicas: i32) {
        if self.wanted.is_empty() {
            self.wanted.push((now, replicas));
        }
    }

    /// Notes a change of the target.
    pub fn changed(&mut self, now: Instant, from: i32, to: i32) {
        let (list, by) =
            if to > from { (&mut self.ups, to - from) } else { (&mut self.downs, from - to) };
        list.push((now, by));
    }

    /// Smooths a wanted count by those of the recent past, and notes it.
    pub fn stabilize(
        &mut self,
        now: Instant,
        wanted: i32,
        current: i32,
        behavior: Option<&HorizontalPodAutoscalerBehavior>,
    ) -> Choice {
        let window = |rules: Option<&HPAScalingRules>| {
            let seconds = rules.and_then(|rules| rules.stabilization_window_seconds);
            Duration::secs(seconds.unwrap_or(0).into())
        };
        let (up, down) = match behavior {
            None => (None, WINDOW_DOWN),
            Some(behavior) => {
                (Some(window(behavior.scale_up.as_deref())), window(behavior.scale_down.as_deref()))
            }
        };
        let since = |span: Duration| {
            self.wanted.iter().filter(move |(at, _)| *at > now - span).map(|(_, count)| *count)
        };
        let most = since(down).max().unwrap_or(wanted).max(wanted);
        let replicas = match up {
            None => most,
            Some(up) => {
                let least = since(up).min().unwrap_or(wanted).min(wanted);
                current.max(least).min(most)
            }
        };
        let oldest = now - up.unwrap_or_default().max(down);
        self.wanted.retain(|(at, _)| *at > oldest);
        self.wanted.push((now, wanted));
        let (reason, message) = match (replicas == wanted, behavior.is_some() && wanted >= current)
        {
            (true, _) => ("ReadyForNewScale", "recommended size matches current size"),
            (_, true) => ("ScaleUpStabilized", LOWER),
            _ => ("ScaleDownStabilized", HIGHER),
        };
        Choice { replicas, reason, message }
    }

    /// Keeps a wanted count within the bounds and the speed that is allowed.
    pub fn limit(
        &self,
        now: Instant,
        wanted: i32,
        bounds: Bounds,
        behavior: Option<&HorizontalPodAutoscalerBehavior>,
    ) -> Choice {
        let Bounds { min, max, current } = bounds;
        let choice = |replicas, (reason, message)| Choice { replicas, reason, message };
        let (fastest_up, fastest_down) = match behavior {
            None => ((current * 2).max(4), min),
            Some(behavior) => (
                self.fastest(now, current, behavior.scale_up.as_deref(), true).max(current),
                self.fastest(now, current, behavior.scale_down.as_deref(), false).min(current),
            ),
        };
        if (behavior.is_none() || wanted > current) && wanted > max.min(fastest_up) {
            let why = if max > fastest_up { TOO_FAST_UP } else { TOO_MANY };
            return choice(max.min(fastest_up), why);
        }
        if (behavior.is_none() || wanted < current) && wanted < min.max(fastest_down) {
            let why = if min < fastest_down { TOO_FAST_DOWN } else { TOO_FEW };
            return choice(min.max(fastest_down), why);
        }
        choice(wanted, ("DesiredWithinRange", "the desired count is within the acceptable range"))
    }

    /// The furthest count that the policies of one direction allow.
    fn fastest(
        &self,
        now: Instant,
        current: i32,
        rules: Option<&HPAScalingRules>,
        up: bool,
    ) -> i32 {
        let Some(rules) = rules else { return if up { i32::MAX } else { i32::MIN } };
        let select = rules.select_policy.as_deref().unwrap_or("Max");
        if select == "Disabled" {
            return current;
        }
        let recent = |list: &[(Instant, i32)], seconds: i32| -> i32 {
            let from = now - Duration::secs(seconds.into());
            list.iter().filter(|(at, _)| *at > from).map(|(_, by)| by).sum()
        };
        let allowed = rules.policies.iter().map(|policy| {
            let period = policy.period_seconds;
            let start = current - recent(&self.ups, period) + recent(&self.downs, period);
            let part = f64::from(policy.value) / 100.0;
            match (&*policy.type_, up) {
                ("Pods", true) => start.saturating_add(policy.value),
                ("Pods", false) => start.saturating_sub(policy.value),
                (_, true) => (f64::from(start) * (1.0 + part)).ceil() as i32,
                (_, false) => (f64::from(start) * (1.0 - part)) as i32,
            }
        });
        // The greatest change is the highest count upwards and the lowest downwards.
        let highest = up == (select != "Min");
        let found = if highest { allowed.max() } else { allowed.min() };
        found.unwrap_or(if highest { i32::MIN } else { i32::MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::testing::object;

    const BOUNDS: Bounds = Bounds { min: 1, max: 100, current: 10 };

    fn behavior(json: &str) -> HorizontalPodAutoscalerBehavior {
        let hpa: api::autoscaling::v2::HorizontalPodAutoscaler = object(&format!(
            r#"{{"metadata": {{}}, "spec": {{"maxReplicas": 9, "scaleTargetRef": {{"kind": "Deployment", "name":
            "x"}}, "behavior": {json}}}}}"#
        ));
        hpa.spec.behavior.as_deref().cloned().unwrap_or_default()
    }

    /// What becomes of a wanted count, with the reason.
    fn check(rules: &str, wanted: i32, expect: &str) {
        let behavior = Some(rules).filter(|rules| !rules.is_empty()).map(behavior);
        let mut history = History::default();
        history.changed(Instant::START - Duration::secs(30), 8, 10);
        let choice = history.limit(Instant::START, wanted, BOUNDS, behavior.as_ref());
        assert_eq!(format!("{} {}", choice.replicas, choice.reason), expect, "{rules} {wanted}");
    }

    #[test]
    fn without_a_behaviour_a_set_at_most_doubles() {
        check("", 15, "15 DesiredWithinRange");
        check("", 25, "20 ScaleUpLimit");
        check("", 0, "1 TooFewReplicas");
    }

    #[test]
    fn policies_count_what_was_changed_in_their_period() {
        let pods =
            r#"{"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}"#;
        check(pods, 20, "12 ScaleUpLimit");
        let percent = r#"{"scaleUp": {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}}"#;
        check(percent, 200, "20 ScaleUpLimit");
        let down = r#"{"scaleDown": {"policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}}"#;
        check(down, 1, "7 ScaleDownLimit");
    }

    #[test]
    fn the_smallest_change_may_be_chosen_or_none() {
        let policies = r#""policies": [{"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15}]"#;
        check(&format!(r#"{{"scaleUp": {{{policies}}}}}"#), 50, "20 ScaleUpLimit");
        check(
            &format!(r#"{{"scaleUp": {{"selectPolicy": "Min", {policies}}}}}"#),
            50,
            "14 ScaleUpLimit",
        );
        check(r#"{"scaleUp": {"selectPolicy": "Disabled"}}"#, 50, "10 ScaleUpLimit");
    }

    #[test]
    fn a_set_shrinks_to_the_most_that_was_wanted_of_late() {
        let mut history = History::default();
        let mut stabilize = |seconds: i64, wanted: i32| {
            let now = Instant::START + Duration::secs(seconds);
            history.stabilize(now, wanted, 10, None).replicas
        };
        assert_eq!([stabilize(0, 10), stabilize(15, 4), stabilize(200, 6)], [10, 10, 10]);
        assert_eq!([stabilize(301, 3), stabilize(400, 3), stabilize(501, 3)], [6, 6, 3]);
    }

    #[test]
    fn windows_of_both_directions_hold_back_what_was_not_wanted_all_the_time() {
        let rules = behavior(
            r#"{"scaleUp": {"stabilizationWindowSeconds": 60}, "scaleDown": {"stabilizationWindowSeconds": 120}}"#,
        );
        let mut history = History::default();
        let mut check = |seconds: i64, wanted: i32, current: i32, expect: &str| {
            let now = Instant::START + Duration::secs(seconds);
            let choice = history.stabilize(now, wanted, current, Some(&rules));
            assert_eq!(
                format!("{} {}", choice.replicas, choice.reason),
                expect,
                "after {seconds} s"
            );
        };
        check(0, 10, 10, "10 ReadyForNewScale");
        check(15, 20, 10, "10 ScaleUpStabilized");
        check(61, 20, 10, "20 ReadyForNewScale");
        check(70, 5, 20, "20 ScaleDownStabilized");
        check(180, 5, 20, "20 ScaleDownStabilized");
        check(182, 5, 20, "5 ReadyForNewScale");
    }
}
