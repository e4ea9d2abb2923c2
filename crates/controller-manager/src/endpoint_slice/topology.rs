//! Topology-aware routing: which zone shall use which endpoint, by the zones' shares of CPU.
//!
//! Models the heuristic `Auto` of the annotation `service.kubernetes.io/topology-mode`. Known deviations:
//! - Hints are worked out anew for all endpoints of a Service, in the order of their pods; upstream keeps what slices
//!   say that need no other change.

use api::Quantity;
use api::core::v1::{Node, Service};
use api::discovery::v1::{Endpoint, EndpointHints, ForZone};
use base::{BTreeMap, Str, list};

use super::{Groups, ZONE};

const MODE: &str = "service.kubernetes.io/topology-mode";
/// What the annotation was called once; it counts first.
const OLD_MODE: &str = "service.kubernetes.io/topology-aware-hints";
/// Nodes with these labels take no part.
const LEFT_OUT: [&str; 2] =
    ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
/// An endpoint may get so many times of what would be its share.
const LOAD_MAX: f64 = 1.2;

/// Whether the Service asks for hints by zones' shares of CPU.
pub(super) fn is_asked_for(service: &Service) -> bool {
    let annotations = &service.metadata.annotations;
    let mode = annotations.text(OLD_MODE).or_else(|| annotations.text(MODE));
    matches!(mode, Some("Auto" | "auto"))
}

/// What matters of a node: its zone and thousandths of a core, or that they are not known. `None` if it takes no part.
pub(super) fn share(node: &Node) -> Option<Option<(&Str, i64)>> {
    let labels = &node.metadata.labels;
    let ready = node.status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    if !ready || LEFT_OUT.iter().any(|label| labels.contains_key(label)) {
        return None;
    }
    let zone = labels.get(ZONE).filter(|zone| !zone.is_empty());
    let cpu = node.status.allocatable.get("cpu").map_or(0, Quantity::milli_value);
    Some(zone.filter(|_| cpu > 0).map(|zone| (zone, cpu)))
}

/// Gives each ready endpoint to a zone, or says why that cannot be done.
pub(super) fn give_hints<'a>(
    nodes: impl Iterator<Item = &'a Node>,
    groups: &mut Groups,
) -> Result<(), String> {
    let ready: Vec<&mut Endpoint> = groups
        .values_mut()
        .flatten()
        .filter(|endpoint| endpoint.conditions.ready == Some(true))
        .collect();
    let wanted = allocations(nodes, ready.len())?;
    let mut given: BTreeMap<Str, f64> = BTreeMap::new();
    for endpoint in &ready {
        let Some(zone) = endpoint.zone.clone().filter(|zone| !zone.is_empty()) else {
            return Err("One or more endpoints do not have a zone specified".to_owned());
        };
        *given.entry(zone).or_default() += 1.0;
    }
    let surplus = |zone: &Str, wanted: &f64| given.get(zone).copied().unwrap_or(0.0) - wanted;
    let (mut giving, mut receiving) = moves(wanted.iter().map(|(z, w)| (z.clone(), surplus(z, w))));
    for endpoint in ready {
        let own = endpoint.zone.clone().unwrap_or_default();
        let other = giving.get_mut(&own).filter(|left| **left > 0).and_then(|left| {
            let (zone, missing) = receiving.iter_mut().find(|(_, missing)| **missing > 0)?;
            (*left, *missing) = (*left - 1, *missing - 1);
            Some(zone.clone())
        });
        let for_zones = list![ForZone { name: other.unwrap_or(own) }];
        endpoint.hints = Some(Box::new(EndpointHints { for_zones, ..EndpointHints::default() }));
    }
    Ok(())
}

/// How many of so many endpoints each zone should have, by its share of the CPU of all.
fn allocations<'a>(
    nodes: impl Iterator<Item = &'a Node>,
    endpoints: usize,
) -> Result<BTreeMap<Str, f64>, String> {
    let mut cpu: BTreeMap<Str, i64> = BTreeMap::new();
    for known in nodes.filter_map(share) {
        let Some((zone, milli)) = known else {
            let what = "allocatable CPU or zone not specified on one or more nodes";
            return Err(format!("Insufficient Node information: {what}"));
        };
        *cpu.entry(zone.clone()).or_default() += milli;
    }
    let zones = cpu.len();
    let counts = format!("({endpoints} endpoints, {zones} zones)");
    if zones < 2 {
        return Err("Nodes only ready in one zone".to_owned());
    }
    if endpoints < zones {
        return Err(format!("Insufficient number of endpoints {counts}"));
    }
    let all = cpu.values().sum::<i64>() as f64;
    let share = |(zone, milli): (Str, i64)| (zone, endpoints as f64 * (milli as f64 / all));
    let wanted: BTreeMap<Str, f64> = cpu.into_iter().map(share).collect();
    let fewest: f64 = wanted.values().map(|wanted| (wanted / LOAD_MAX).ceil()).sum();
    if fewest > endpoints as f64 {
        return Err(format!(
            "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold {counts}"
        ));
    }
    Ok(wanted)
}

type Counts = BTreeMap<Str, u32>;

/// How many endpoints zones give away, and how many they receive, for what each has too many (or, below zero, too few).
///
/// One goes at a time, from the zone with the most to the zone that misses most, while that is at least half of one for
/// both and a whole one for either.
fn moves(surplus: impl Iterator<Item = (Str, f64)>) -> (Counts, Counts) {
    let (mut many, mut few): (Vec<(Str, f64)>, Vec<(Str, f64)>) =
        surplus.filter(|(_, n)| *n != 0.0).partition(|(_, n)| *n > 0.0);
    few.iter_mut().for_each(|(_, n)| *n = -*n);
    let (mut giving, mut receiving) = (Counts::new(), Counts::new());
    // Among equals the first by name.
    let most = |zones: &[(Str, f64)]| {
        (0..zones.len()).rev().max_by(|a, b| zones[*a].1.total_cmp(&zones[*b].1))
    };
    while let (Some(from), Some(to)) = (most(&many), most(&few)) {
        let (has, misses) = (many[from].1, few[to].1);
        if has.min(misses) < 0.5 || has.max(misses) < 1.0 {
            break;
        }
        many[from].1 -= 1.0;
        few[to].1 -= 1.0;
        *giving.entry(many[from].0.clone()).or_default() += 1;
        *receiving.entry(few[to].0.clone()).or_default() += 1;
    }
    (giving, receiving)
}
