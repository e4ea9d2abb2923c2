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
