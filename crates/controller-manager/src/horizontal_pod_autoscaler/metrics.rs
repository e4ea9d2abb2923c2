//! Where the autoscaler gets its measured values: the model's stand-in for the metrics APIs.
//!
//! A pod's use is what its annotation `metrics.orrery.dev/cpu` (or `…/memory`) says. Without it, the pod has its share
//! of the load that the annotation `load.orrery.dev/cpu` of the scaled object says, spread over all its ready pods, so
//! that more pods have less to do each. Where neither is set, the cluster is one without a metrics server.
//!
//! Metrics of other names are read in the same way: those of pods from pods, those of an object from the object, and
//! external ones from the namespace.
//!
//! Known deviations:
//! - The use of a pod is spread evenly over its containers.
//! - Selectors of metrics are not looked at.

use api::core::v1::Pod;
use api::meta::v1::ObjectMeta;
use api::quantity::Quantity;
use base::{Duration, Instant};

use super::calculator::{Sample, Samples};
use crate::pods;

/// Prefix of the annotation with a pod's use of a resource.
pub const USE: &str = "metrics.orrery.dev/";
/// Prefix of the annotation with the load of a whole set.
pub const LOAD: &str = "load.orrery.dev/";

/// The value that an object, or a namespace for what is outside, has for a metric, in thousandths.
pub fn of_object(object: &ObjectMeta, metric: &str) -> Option<i64> {
    let text = object.annotations.text(&format!("{USE}{metric}"))?;
    Some(Quantity::parse(text).ok()?.milli_value())
}

/// What the pods use of a resource, or why that is not known.
pub fn of_resource(
    now: Instant,
    target: &ObjectMeta,
    pods: &[&Pod],
    resource: &str,
    container: Option<&str>,
) -> Result<Samples, String> {
    let read = |meta: &ObjectMeta, prefix: &str| {
        let text = meta.annotations.text(&format!("{prefix}{resource}"))?;
        Some(Quantity::parse(text).ok()?.milli_value())
    };
    let measured = |pod: &&&Pod| pod.status.phase == "Running";
    let load = read(target, LOAD);
    let ready = pods.iter().filter(|pod| pods::is_ready(pod)).count().max(1) as i64;
    let mut samples = Samples::new();
    for pod in pods.iter().filter(measured) {
        let share = || load.map(|load| if pods::is_ready(pod) { load / ready } else { 0 });
        let Some(mut milli) = read(&pod.metadata, USE).or_else(share) else { continue };
        if let Some(container) = container {
            if pod.spec.containers.iter().all(|known| known.name != container) {
                let name = &pod.metadata.name;
                return Err(format!("container {container} not present in metrics for pod {name}"));
            }
            milli /= pod.spec.containers.len() as i64;
        }
        let sample = Sample { milli, at: now, window: Duration::ZERO };
        samples.insert(pod.metadata.name.clone(), sample);
    }
    if !samples.is_empty() {
        return Ok(samples);
    }
    let known = load.is_some() || pods.iter().any(|pod| read(&pod.metadata, USE).is_some());
    let why = match known {
        true => "no metrics returned from resource metrics API",
        false => {
            "unable to fetch metrics from resource metrics API: the server could not find the \
             requested resource (get pods.metrics.k8s.io)"
        }
    };
    Err(format!("unable to get metrics for resource {resource}: {why}"))
}
