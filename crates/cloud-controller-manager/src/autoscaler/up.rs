//! Growing: which pods wait for a machine, and how many machines help them.

use api::core::v1::Pod;
use api::object::Key;
use base::{BTreeMap, Duration, Str};
use client::cloud::{CloudRequest, GroupFacts};
use client::resources::{Resources, of_pod};
use client::{Cx, Note, Plan};

use super::room::{Room, is_choosy};
use super::{After, Autoscaler, status_note};
use crate::nodes::{UNINITIALIZED, is_ready, is_tainted};

/// The scheduler may need so long to use a node that has just come up.
const SETTLING: Duration = Duration::secs(60);
/// The same is not said again of a pod for so long.
const SAY_AGAIN: Duration = Duration::mins(5);
const AT_MAX: &str = "max node group size reached";
const RESTS: &str = "in backoff after failed scale-up";

/// What comes of it if a group grows.
struct Growth<'g, 'a> {
    group: &'g GroupFacts,
    /// So many machines are added.
    count: usize,
    /// The pods that have room then.
    helped: Vec<&'a Pod>,
    /// The share of the new machines that nobody has asked for: that of CPU and that of memory together.
    waste: f64,
}

impl Autoscaler {
    /// Adds machines for the pods that fit nowhere; true if there are any now.
    ///
    /// One group grows at a time. Pods that it does not help wait for the next round.
    pub(super) fn grow(&mut self, cx: &Cx<'_>, groups: &[GroupFacts], plan: &mut Plan) -> bool {
        let waiting: Vec<&Pod> =
            cx.pods().on_node("").filter(|pod| is_unschedulable(pod)).collect();
        if waiting.is_empty() {
            return false;
        }
        let rooms: Vec<Room<'_>> =
            groups.iter().map(|group| Room::new_machine(cx, group)).collect();
        let waiting = self.without_those_that_will_fit(cx, groups, &rooms, waiting);
        let mut best: Option<Growth<'_, '_>> = None;
        // Why each pod is helped by no group, and whether one would do.
        let mut verdicts: Vec<(Vec<String>, bool)> = vec![Default::default(); waiting.len()];
        for (group, room) in groups.iter().zip(&rooms) {
            if self.rests(cx.now, &group.name) {
                verdicts.iter_mut().for_each(|(reasons, _)| reasons.push(RESTS.to_owned()));
                continue;
            }
            let growth = estimate(group, room, &waiting, &mut verdicts);
            let is_better = best.as_ref().is_none_or(|best| growth.waste < best.waste);
            if growth.count > 0 && is_better {
                best = Some(growth);
            }
        }
        for (pod, (reasons, _)) in waiting.iter().zip(verdicts).filter(|(_, (_, helped))| !helped) {
            if !reasons.is_empty() {
                let text = format!("pod didn't trigger scale-up: {}", counted(reasons));
                self.say_seldom(cx, pod, text, plan);
            }
        }
        if let Some(Growth { group, count, helped, .. }) = &best {
            self.ask_for(cx, group, *count, helped, plan);
        }
        best.is_some()
    }

    fn ask_for(
        &mut self,
        cx: &Cx<'_>,
        group: &GroupFacts,
        count: usize,
        helped: &[&Pod],
        plan: &mut Plan,
    ) {
        let GroupFacts { name, size: old, max, .. } = group;
        let new = old + count;
        let sizes = format!("{new} instead of {old} (max: {max})");
        let text = format!("Scale-up: setting group {name} size to {sizes}");
        plan.note(status_note("Normal", "ScaledUpGroup", text));
        let text = format!("Scale-up failed for group {name}: {{error}}");
        let failed = status_note("Warning", "FailedToScaleUpGroup", text);
        let request = CloudRequest::Grow { group: name.clone(), size: new };
        plan.ask(request).or_said(failed);
        let text = format!("Scale-up: group {name} size set to {sizes}");
        let mut notes = vec![status_note("Normal", "ScaledUpGroup", text)];
        let text =
            Str::from(format!("pod triggered scale-up: [{{{name} {old}->{new} (max: {max})}}]"));
        let note = |pod: &&Pod| Note::new(*pod, "Normal", "TriggeredScaleUp", text.clone());
        notes.extend(helped.iter().map(note));
        self.after.push_back(After { notes, grown: Some(name.clone()) });
        self.grown = Some(cx.now);
    }

    /// The pods for which neither nodes that are there nor machines under way have room.
    fn without_those_that_will_fit<'a>(
        &self,
        cx: &Cx<'a>,
        groups: &[GroupFacts],
        empty: &[Room<'a>],
        pods: Vec<&'a Pod>,
    ) -> Vec<&'a Pod> {
        let (mut coming, mut settled) = (Vec::new(), Vec::new());
        let known: BTreeMap<&str, _> =
            cx.nodes().all().map(|n| (n.metadata.name.as_str(), n)).collect();
        for (group, empty) in groups.iter().zip(empty) {
            let comes =
                |name: &&Str| !known.contains_key(name.as_str()) && !self.is_lost(cx.now, name);
            let booting = group.nodes.iter().filter(comes);
            coming.extend(booting.map(|_| empty.clone()));
        }
        for node in known.into_values() {
            let born = node.metadata.creation_timestamp;
            let young = born.is_none_or(|at| cx.now < at.instant() + SETTLING);
            let starts = is_tainted(node, UNINITIALIZED) || young;
            if starts {
                coming.push(Room::of(cx, node));
            } else if is_ready(node) {
                settled.push(Room::of(cx, node));
            }
        }
        let Some(first) = groups.first() else { return Vec::new() };
        let mut pods: Vec<&Pod> = by_size(first, &pods).into_iter().map(|(_, pod)| pod).collect();
        pods.retain(|pod| {
            let soon = coming.iter_mut().any(|room| room.takes(pod));
            // Of pods that must fit in with others the scheduler knows more.
            !soon && (is_choosy(pod) || !settled.iter_mut().any(|room| room.takes(pod)))
        });
        pods
    }

    fn say_seldom(&mut self, cx: &Cx<'_>, pod: &Pod, text: String, plan: &mut Plan) {
        let (key, text) = (Key::of(&pod.metadata), Str::from(text));
        let known = self.said.get(&key);
        if known.is_some_and(|(said, at)| *said == text && cx.now < *at + SAY_AGAIN) {
            return;
        }
        plan.event(pod, "Normal", "NotTriggerScaleUp", text.clone());
        self.said.insert(key, (text, cx.now));
    }
}

/// How many machines of the group would help which pods, as far as it may grow.
fn estimate<'g, 'a>(
    group: &'g GroupFacts,
    empty: &Room<'a>,
    waiting: &[&'a Pod],
    verdicts: &mut [(Vec<String>, bool)],
) -> Growth<'g, 'a> {
    let free = group.max.saturating_sub(group.size);
    let mut fresh: Vec<Room<'_>> = Vec::new();
    let mut helped = Vec::new();
    let mut needs = Resources::default();
    for (at, pod) in by_size(group, waiting) {
        let (reasons, is_helped) = &mut verdicts[at];
        if free == 0 {
            reasons.push(AT_MAX.to_owned());
            continue;
        }
        let mut room = empty.clone();
        let refusals = room.refusals(pod);
        if !refusals.is_empty() {
            reasons.extend(refusals);
            continue;
        }
        *is_helped = true;
        if !fresh.iter_mut().any(|room| room.takes(pod)) {
            if fresh.len() == free {
                continue;
            }
            room.take(pod);
            fresh.push(room);
        }
        needs.add(&of_pod(&pod.spec, false));
        helped.push(pod);
    }
    let count = fresh.len();
    let idle = |need: i64, of: i64| {
        let all = (of * count as i64).max(1) as f64;
        (all - need as f64) / all
    };
    let waste = idle(needs.cpu, group.cpu_milli) + idle(needs.memory, group.memory);
    Growth { group, count, helped, waste }
}

/// Pods with their places in the list, those first that take the largest share of a machine.
fn by_size<'a>(group: &GroupFacts, pods: &[&'a Pod]) -> Vec<(usize, &'a Pod)> {
    let mut pods: Vec<(usize, &Pod)> = pods.iter().copied().enumerate().collect();
    base::sort::by_key(&mut pods, |(_, pod)| {
        let needs = of_pod(&pod.spec, false);
        let share = |need: i64, of: i64| need.saturating_mul(1_000) / of.max(1);
        -(share(needs.cpu, group.cpu_milli) + share(needs.memory, group.memory))
    });
    pods
}

/// Whether the scheduler has found no node for the pod.
fn is_unschedulable(pod: &Pod) -> bool {
    let placed = pod.status.conditions.iter().find(|c| c.type_ == "PodScheduled");
    pod.metadata.deletion_timestamp.is_none()
        && placed.is_some_and(|c| c.status == "False" && c.reason == "Unschedulable")
}

/// How many groups have each reason: `1 Insufficient cpu, 2 max node group size reached`.
fn counted(reasons: Vec<String>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    reasons.into_iter().for_each(|reason| *counts.entry(reason).or_default() += 1);
    let mut counted: Vec<String> =
        counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    base::sort::naturally(&mut counted);
    counted.join(", ")
}
