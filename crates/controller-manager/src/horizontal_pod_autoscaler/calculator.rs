//! How many replicas a measured load calls for.

use api::core::v1::Pod;
use api::time::Time;
use base::{BTreeMap, BTreeSet, Duration, Instant, Str};

use crate::pods;

/// A measured value of one pod, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The value.
    pub milli: i64,
    /// When it was taken.
    pub at: Instant,
    /// Over which time before that.
    pub window: Duration,
}

/// Measured values by pod.
pub type Samples = BTreeMap<Str, Sample>;

/// How far a ratio may be from 1 before anything is done.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Below 1.
    pub down: f64,
    /// Above 1.
    pub up: f64,
}

impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance { down: 0.1, up: 0.1 }
    }
}

impl Tolerance {
    fn allows(self, ratio: f64) -> bool {
        (1.0 - self.down..=1.0 + self.up).contains(&ratio)
    }
}

/// From when on the processor time of a young pod counts.
#[derive(Clone, Copy, Debug)]
pub struct Youth {
    /// Until this age a pod counts only while it is ready and was so all the time it was measured.
    pub initialization: Duration,
    /// A pod that was last ready within this age never really was.
    pub initial_readiness: Duration,
}

impl Default for Youth {
    fn default() -> Youth {
        Youth { initialization: Duration::mins(5), initial_readiness: Duration::secs(30) }
    }
}

/// What all calculations need to know.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The moment.
    pub now: Instant,
    /// The present replica count.
    pub replicas: i32,
    /// What is left as it is.
    pub tolerance: Tolerance,
    /// What is too young to count.
    pub youth: Youth,
}

/// The replica count for a resource: with it the present utilization in percent and the average value.
pub fn utilization(
    setting: &Setting,
    target: i32,
    samples: Samples,
    pods: &[&Pod],
    resource: &str,
    container: Option<&str>,
) -> Result<(i32, i32, i64), String> {
    let mut groups = Groups::new(setting, pods, samples, resource)?;
    let requests = requests(pods, resource, container)?;
    let (ratio, percent, average) = ratio_to_requests(&groups.samples, &requests, target)?;
    let found = |replicas| Ok((replicas, percent, average));
    if groups.are_complete(ratio) {
        return found(groups.by_ready(setting, ratio));
    }
    // What is missing is taken to make the change smaller.
    let full = i64::from(target.max(100));
    groups.fill(ratio, |pod| requests.get(pod).copied().unwrap_or(0) * full / 100);
    let (new, ..) = ratio_to_requests(&groups.samples, &requests, target)?;
    found(groups.cautious(setting, ratio, new))
}

/// The replica count for a value per pod, and the present average value.
pub fn average(
    setting: &Setting,
    target: i64,
    samples: Samples,
    pods: &[&Pod],
    resource: &str,
) -> Result<(i32, i64), String> {
    let mut groups = Groups::new(setting, pods, samples, resource)?;
    let (ratio, usage) = ratio_to_target(&groups.samples, target);
    if groups.are_complete(ratio) {
        return Ok((groups.by_ready(setting, ratio), usage));
    }
    groups.fill(ratio, |_| target);
    let (new, _) = ratio_to_target(&groups.samples, target);
    Ok((groups.cautious(setting, ratio, new), usage))
}

/// The replica count for one value of all pods together.
pub fn total(setting: &Setting, usage: i64, target: i64, pods: &[&Pod]) -> i32 {
    let ratio = usage as f64 / target as f64;
    if setting.replicas == 0 {
        return ratio.ceil() as i32;
    }
    if setting.tolerance.allows(ratio) {
        return setting.replicas;
    }
    let is_ready = |pod: &&&Pod| pod.status.phase == "Running" && pods::is_ready(pod);
    let ready = pods.iter().filter(is_ready).count();
    (ratio * ready as f64).ceil() as i32
}

/// The replica count for one value that is shared by all pods, and the present share. `replicas` is what there is.
pub fn share(setting: &Setting, replicas: i32, usage: i64, target: i64) -> (i32, i64) {
    let ratio = usage as f64 / (target as f64 * f64::from(replicas));
    let wanted = match setting.tolerance.allows(ratio) {
        true => replicas,
        false => (usage as f64 / target as f64).ceil() as i32,
    };
    (wanted, (usage as f64 / f64::from(replicas)).ceil() as i64)
}

/// Pods by what is known of them.
struct Groups {
    /// The values of the pods that count.
    samples: Samples,
    ready: usize,
    unready: BTreeSet<Str>,
    missing: BTreeSet<Str>,
}

impl Groups {
    fn new(
        setting: &Setting,
        pods: &[&Pod],
        mut samples: Samples,
        resource: &str,
    ) -> Result<Groups, String> {
        if pods.is_empty() {
            return Err("no pods returned by selector while calculating replica count".into());
        }
        let (mut ready, mut unready, mut missing) = (0, BTreeSet::new(), BTreeSet::new());
        for pod in pods {
            let name = pod.metadata.name.clone();
            if pod.metadata.deletion_timestamp.is_some() || pod.status.phase == "Failed" {
                samples.remove(&name);
                continue;
            }
            let sample = samples.get(&name);
            if pod.status.phase == "Pending"
                || resource == "cpu" && sample.is_some_and(|known| is_unready(setting, pod, known))
            {
                samples.remove(&name);
                unready.insert(name);
            } else if sample.is_none() {
                missing.insert(name);
            } else {
                ready += 1;
            }
        }
        if samples.is_empty() {
            let why = "did not receive metrics for targeted pods (pods might be unready)";
            return Err(why.into());
        }
        Ok(Groups { samples, ready, unready, missing })
    }

    fn are_complete(&self, ratio: f64) -> bool {
        self.missing.is_empty() && (self.unready.is_empty() || ratio <= 1.0)
    }

    fn by_ready(&self, setting: &Setting, ratio: f64) -> i32 {
        match setting.tolerance.allows(ratio) {
            true => setting.replicas,
            false => (ratio * self.ready as f64).ceil() as i32,
        }
    }

    /// Adds values for the pods that have none: `full` where the set would shrink, 0 where it would grow.
    fn fill(&mut self, ratio: f64, full: impl Fn(&Str) -> i64) {
        let at = Instant::START;
        let mut put = |pod: &Str, milli| {
            self.samples.insert(pod.clone(), Sample { milli, at, window: Duration::ZERO });
        };
        for pod in self.missing.iter().filter(|_| ratio != 1.0) {
            put(pod, if ratio < 1.0 { full(pod) } else { 0 });
        }
        for pod in self.unready.iter().filter(|_| ratio > 1.0) {
            put(pod, 0);
        }
    }

    /// The count by the filled-in values, unless that would turn the direction of the change.
    fn cautious(&self, setting: &Setting, before: f64, ratio: f64) -> i32 {
        let turns = before < 1.0 && ratio > 1.0 || before > 1.0 && ratio < 1.0;
        if setting.tolerance.allows(ratio) || turns {
            return setting.replicas;
        }
        let wanted = (ratio * self.samples.len() as f64).ceil() as i32;
        let turns =
            ratio < 1.0 && wanted > setting.replicas || ratio > 1.0 && wanted < setting.replicas;
        if turns { setting.replicas } else { wanted }
    }
}

/// Whether the processor time of a running pod does not count yet.
fn is_unready(setting: &Setting, pod: &Pod, sample: &Sample) -> bool {
    let Some(ready) = pods::condition(pod, "Ready") else { return true };
    let Some(start) = pod.status.start_time.map(Time::instant) else { return true };
    let since = ready.last_transition_time.map(Time::instant).unwrap_or(Instant(i64::MIN));
    let is_ready = ready.status != "False";
    if start + setting.youth.initialization > setting.now {
        return !is_ready || sample.at < since + sample.window;
    }
    !is_ready && start + setting.youth.initial_readiness > since
}

/// What the pods ask of a resource, in thousandths.
fn requests(
    pods: &[&Pod],
    resource: &str,
    container: Option<&str>,
) -> Result<BTreeMap<Str, i64>, String> {
    let mut requests = BTreeMap::new();
    for pod in pods {
        let sidecars = pod.spec.init_containers.iter();
        let sidecars = sidecars.filter(|init| init.restart_policy.as_deref() == Some("Always"));
        let mut sum = 0i64;
        for one in pod.spec.containers.iter().chain(sidecars) {
            if container.is_some_and(|name| one.name != name) {
                continue;
            }
            let Some(request) = one.resources.requests.get(resource) else {
                let (container, pod) = (&one.name, &pod.metadata.name);
                let what = format!("{resource} in container {container} of Pod {pod}");
                return Err(format!("missing request for {what}"));
            };
            sum = sum.saturating_add(request.milli_value());
        }
        requests.insert(pod.metadata.name.clone(), sum);
    }
    Ok(requests)
}

/// The ratio of use to target, the use in percent of what is asked for, and the average use.
fn ratio_to_requests(
    samples: &Samples,
    requests: &BTreeMap<Str, i64>,
    target: i32,
) -> Result<(f64, i32, i64), String> {
    let known = samples.iter().filter_map(|(pod, sample)| Some((sample.milli, requests.get(pod)?)));
    let (used, asked, count) =
        known.fold((0i64, 0i64, 0), |(used, asked, count), (milli, request)| {
            (used.saturating_add(milli), asked.saturating_add(*request), count + 1)
        });
    if asked == 0 {
        return Err("no metrics returned matched known pods".into());
    }
    let percent = (used.saturating_mul(100) / asked) as i32;
    Ok((f64::from(percent) / f64::from(target), percent, used / count))
}

fn ratio_to_target(samples: &Samples, target: i64) -> (f64, i64) {
    let sum = samples.values().fold(0i64, |sum, sample| sum.saturating_add(sample.milli));
    let usage = sum / samples.len() as i64;
    (usage as f64 / target as f64, usage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::testing::object;

    const NOW: Instant = Instant(3_600_000_000);

    /// A pod from a sentence such as `a=600`, `b:pending`, `c=900:young`, `d=1:dying`, with what it uses.
    fn pod(text: &str) -> (Pod, Option<Sample>) {
        let (known, words) = text.split_once(':').unwrap_or((text, ""));
        let (name, milli) = known.split_once('=').unwrap_or((known, ""));
        let mut pod: Pod = object(&format!(
            r#"{{"metadata": {{"name": "{name}"}}, "spec": {{"containers": [{{"name": "c", "resources": {{"requests":
            {{"cpu": "1", "memory": "1"}}}}}}]}}, "status": {{"phase": "Running", "conditions": [{{"type": "Ready",
            "status": "True"}}]}}}}"#
        ));
        let status = std::sync::Arc::make_mut(&mut pod.status);
        // Its first measurement reaches back to before it was ready.
        let age = Duration::secs(if words == "young" { 60 } else { 3000 });
        status.start_time = Some(Time::from(NOW - age));
        status.conditions.iter_mut().for_each(|ready| {
            ready.last_transition_time = Some(Time::from(NOW - age + Duration::secs(30)));
        });
        match words {
            "pending" => status.phase = "Pending".into(),
            "failed" => status.phase = "Failed".into(),
            "dying" => {
                let meta = std::sync::Arc::make_mut(&mut pod.metadata);
                meta.deletion_timestamp = Some(Time::from(NOW));
            }
            _ => {}
        }
        let sample = milli.parse().ok();
        (pod, sample.map(|milli| Sample { milli, at: NOW, window: Duration::secs(60) }))
    }

    /// The count for half of what is asked for, by the utilization and by the value of 500m.
    fn check(resource: &str, pods: &str, expect: i32) {
        let pods: Vec<(Pod, Option<Sample>)> = pods.split_whitespace().map(pod).collect();
        let samples: Samples = pods
            .iter()
            .filter_map(|(pod, sample)| Some((pod.metadata.name.clone(), (*sample)?)))
            .collect();
        let pods: Vec<&Pod> = pods.iter().map(|(pod, _)| pod).collect();
        let setting = Setting {
            now: NOW,
            replicas: pods.len() as i32,
            tolerance: Tolerance::default(),
            youth: Youth::default(),
        };
        let found = utilization(&setting, 50, samples.clone(), &pods, resource, None);
        assert_eq!(found.map(|(count, ..)| count), Ok(expect), "{samples:?}");
    }

    #[test]
    fn all_pods_that_are_measured_count() {
        check("cpu", "a=600 b=1000 c=800", 5);
        check("cpu", "a=100 b=100 c=100", 1);
        check("cpu", "a=540 b=540", 2);
    }

    #[test]
    fn what_is_not_measured_counts_as_idle_for_growth_and_as_full_for_shrinking() {
        check("cpu", "a=1000 b=500 c", 3);
        check("cpu", "a=100 b=100 c=100 d", 3);
    }

    #[test]
    fn what_is_not_running_yet_counts_as_idle_for_growth_and_not_at_all_for_shrinking() {
        check("cpu", "a=600 b:pending c:pending d:pending", 4);
        check("cpu", "a=200 b:pending c:pending d:pending", 1);
    }

    #[test]
    fn the_processor_time_of_a_pods_first_moments_does_not_count_and_its_memory_does() {
        check("cpu", "a=600 b=900:young c=900:young d=900:young", 4);
        check("memory", "a=600 b=900:young c=900:young d=900:young", 7);
    }

    #[test]
    fn pods_that_failed_or_are_going_do_not_count() {
        check("cpu", "a=1000 b=1000:dying c=1000:failed", 2);
    }

    #[test]
    fn without_any_measured_pod_there_is_no_count() {
        let (pod, _) = pod("a");
        let setting = Setting {
            now: NOW,
            replicas: 1,
            tolerance: Tolerance::default(),
            youth: Youth::default(),
        };
        let found = average(&setting, 500, Samples::new(), &[&pod], "cpu");
        let why = "did not receive metrics for targeted pods (pods might be unready)";
        assert_eq!(found, Err(why.into()));
    }
}
