//! Which pods a shrinking set gives up first.

use std::cmp::Ordering;

use api::core::v1::Pod;
use api::time::Time;
use base::{HashMap, Instant, Str};

use crate::pods;

const COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Pods in the order a shrinking set gives them up.
///
/// Unbound before bound, pending before running, unready before ready, cheap before costly, from crowded nodes
/// first, then young before old (in powers of two) and often restarted before others. `related` are the pods that
/// crowd a node. The order is total, or replay would diverge.
pub fn deletion_order<'a>(active: &[&'a Pod], related: &[&Pod], now: Instant) -> Vec<&'a Pod> {
    let mut crowd: HashMap<&Str, usize> = HashMap::default();
    for pod in related {
        *crowd.entry(&pod.spec.node_name).or_default() += 1;
    }
    let mut ranked: Vec<Ranked<'a>> = active
        .iter()
        .map(|pod| Ranked {
            pod,
            crowd: crowd.get(&pod.spec.node_name).copied().unwrap_or(0),
            cost: cost(pod),
            ready: pods::is_ready(pod),
            ready_since: pods::ready_since(pod),
        })
        .collect();
    base::sort::by(&mut ranked, |a, b| a.order(b, now));
    ranked.into_iter().map(|ranked| ranked.pod).collect()
}

struct Ranked<'a> {
    pod: &'a Pod,
    crowd: usize,
    cost: i32,
    ready: bool,
    ready_since: Option<Instant>,
}

impl Ranked<'_> {
    fn order(&self, other: &Ranked<'_>, now: Instant) -> Ordering {
        let (a, b) = (self.pod, other.pod);
        let bound = |pod: &Pod| !pod.spec.node_name.is_empty();
        bound(a)
            .cmp(&bound(b))
            .then_with(|| phase(a).cmp(&phase(b)))
            .then_with(|| self.ready.cmp(&other.ready))
            .then_with(|| self.cost.cmp(&other.cost))
            .then_with(|| other.crowd.cmp(&self.crowd))
            .then_with(|| by_age(self.ready_since, other.ready_since, a, b, now))
            .then_with(|| pods::restarts(b).cmp(&pods::restarts(a)))
            .then_with(|| {
                let born = |pod: &Pod| pod.metadata.creation_timestamp.map(Time::instant);
                by_age(born(a), born(b), a, b, now)
            })
            .then_with(|| a.metadata.uid.cmp(&b.metadata.uid))
            .then_with(|| a.metadata.name.cmp(&b.metadata.name))
    }
}

/// Younger first; ages within the same power of two count as equal and leave it to the uid.
fn by_age(a: Option<Instant>, b: Option<Instant>, pa: &Pod, pb: &Pod, now: Instant) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (Some(a), Some(b)) = (a, b) else { return a.is_some().cmp(&b.is_some()) };
    let power = |at: Instant| {
        let nanos = (now - at).as_micros().saturating_mul(1000);
        if nanos > 0 { i64::from(nanos.ilog2()) } else { -1 }
    };
    power(a).cmp(&power(b)).then_with(|| pa.metadata.uid.cmp(&pb.metadata.uid))
}

fn phase(pod: &Pod) -> u8 {
    match &*pod.status.phase {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    }
}

fn cost(pod: &Pod) -> i32 {
    let text = pod.metadata.annotations.text(COST).unwrap_or("0");
    let plain =
        !text.starts_with('+') && (text == "0" || !text.trim_start_matches('-').starts_with('0'));
    if plain { text.parse().unwrap_or(0) } else { 0 }
}
