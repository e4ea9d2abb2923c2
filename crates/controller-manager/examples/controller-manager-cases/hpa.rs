//! What the autoscaler's arithmetic makes of recorded loads.

use std::sync::Arc;

use api::Json;
use api::core::v1::Pod;
use api::time::Time;
use base::{Duration, Instant};
use client::testing::object;
use controller_manager::horizontal_pod_autoscaler::calculator::{
    Sample, Samples, Setting, Tolerance, Youth, average, share, total, utilization,
};

use crate::{Failure, same, text};

/// The recording has lost which pods were young; its result shows that here the first was.
const FIRST_IS_YOUNG: &str = "TestReplicaCalcScaleUpContainerHotCpuLessScale";

fn number(case: &Json, field: &str) -> i64 {
    case.get(field).and_then(Json::as_i64).unwrap_or(0)
}

fn words<'a>(case: &'a Json, field: &str) -> Vec<&'a str> {
    case.get(field).map(Json::items).unwrap_or_default().iter().filter_map(Json::as_str).collect()
}

/// The replica count and the present value for a recorded load.
pub fn replicas(case: &Json) -> Result<(), Failure> {
    let now = Instant::START;
    let seconds = |field| Duration::secs(number(case, field));
    let tolerance = match case.get("tolerances").map(Json::items) {
        Some([down, up]) => Tolerance {
            down: down.as_f64().unwrap_or_default(),
            up: up.as_f64().unwrap_or_default(),
        },
        _ => Tolerance::default(),
    };
    let setting = Setting {
        now,
        replicas: number(case, "currentReplicas") as i32,
        tolerance,
        youth: Youth {
            initialization: seconds("cpuInitializationPeriodSeconds"),
            initial_readiness: seconds("delayOfInitialReadinessStatusSeconds"),
        },
    };
    let pods = pods(case);
    let pods: Vec<&Pod> = pods.iter().collect();
    let (got, value, expected) = match case.get("resource") {
        Some(resource) => by_resource(case, resource, &setting, &pods),
        None => by_metric(case.get("metric").expect("one of both"), &setting, &pods),
    }
    .or_else(|error| {
        let expected = text(case, "expectedError");
        match !expected.is_empty() && error.contains(expected) {
            true => Ok((number(case, "expectedReplicas") as i32, String::new(), String::new())),
            false => {
                Err(Failure { input: case.to_string(), expected: expected.into(), got: error })
            }
        }
    })?;
    same(case, &expected, &value)?;
    same(case, &number(case, "expectedReplicas").to_string(), &got.to_string())
}

type Found = Result<(i32, String, String), String>;

fn by_resource(case: &Json, resource: &Json, setting: &Setting, pods: &[&Pod]) -> Found {
    let container = Some(text(case, "container")).filter(|name| !name.is_empty());
    let of = |levels: &Json| -> i64 {
        let levels: Vec<i64> = levels.items().iter().filter_map(Json::as_i64).collect();
        match container {
            Some("container1") => levels[0],
            Some(_) => levels[1],
            None => levels.iter().sum(),
        }
    };
    let names = words(resource, "podNames");
    let levels = resource.get("levels").map(Json::items).unwrap_or_default();
    let samples = samples(setting.now, &names, levels.iter().map(of));
    let target = number(resource, "targetUtilization") as i32;
    let (replicas, percent, value) =
        utilization(setting, target, samples, pods, text(resource, "name"), container)?;
    let expected = (number(resource, "expectedUtilization"), number(resource, "expectedValue"));
    Ok((replicas, format!("{percent}% {value}"), format!("{}% {}", expected.0, expected.1)))
}

fn by_metric(metric: &Json, setting: &Setting, pods: &[&Pod]) -> Found {
    let levels: Vec<i64> = metric
        .get("levels")
        .map(Json::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Json::as_i64)
        .collect();
    let usage = levels.iter().fold(0i64, |sum, level| sum.saturating_add(*level));
    let (target, each) = (number(metric, "targetUsage"), number(metric, "perPodTargetUsage"));
    let (replicas, usage) = match number(metric, "metricType") {
        0 | 2 => (total(setting, usage, target, pods), usage),
        1 | 3 => share(setting, setting.replicas, usage, each),
        _ => {
            let samples = samples(setting.now, &[], levels.into_iter());
            average(setting, target, samples, pods, "")?
        }
    };
    Ok((replicas, usage.to_string(), number(metric, "expectedUsage").to_string()))
}

fn samples(now: Instant, names: &[&str], levels: impl Iterator<Item = i64>) -> Samples {
    let named = |(at, milli): (usize, i64)| {
        let name = names.get(at).map_or_else(|| format!("pod-{at}"), |name| (*name).to_owned());
        (name.into(), Sample { milli, at: now, window: Duration::mins(1) })
    };
    levels.enumerate().map(named).collect()
}

/// The pods: two containers each, started long ago but for a known exception.
fn pods(case: &Json) -> Vec<Pod> {
    let (phases, ready) = (words(case, "podPhase"), words(case, "podReadiness"));
    let requests =
        case.get("resource").map(|resource| words(resource, "requests")).unwrap_or_default();
    let count =
        if phases.is_empty() { number(case, "currentReplicas") as usize } else { phases.len() };
    let one = |at: usize| {
        let (phase, ready) =
            (phases.get(at).unwrap_or(&"Running"), ready.get(at).unwrap_or(&"True"));
        let request = match requests.get(at) {
            Some(request) => format!(r#", "resources": {{"requests": {{"cpu": "{request}"}}}}"#),
            None => String::new(),
        };
        let mut pod: Pod = object(&format!(
            r#"{{"metadata": {{"name": "pod-{at}"}}, "spec": {{"containers": [{{"name": "container1"{request}}},
            {{"name": "container2"{request}}}]}}, "status": {{"phase": "{phase}", "conditions": [{{"type": "Ready",
            "status": "{ready}"}}]}}}}"#
        ));
        let is_young = at == 0 && text(case, "test") == FIRST_IS_YOUNG;
        let age = if is_young { Duration::ZERO } else { Duration::mins(60) };
        let start = Time::from(Instant::START - age);
        let status = Arc::make_mut(&mut pod.status);
        status.start_time = Some(start);
        status.conditions[0].last_transition_time = Some(start);
        pod
    };
    (0..count).map(one).collect()
}
