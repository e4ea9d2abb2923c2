//! Growing: which pods wait for a machine, and how many machines help them.

use api::core::v1::Pod;
use api::object::Key;
use base::{BTreeMap, Duration, Str};
use client::cloud::{CloudRequest, GroupFacts};
use client::{Cx, Note, Plan};

use super::room::{Room, is_choosy};
use super::{Autoscaler, status_note};
use crate::nodes::{UNINITIALIZED, is_ready, is_tainted};

/// The scheduler may need so long to use a node that has just come up.
const SETTLING: Duration = Duration::secs(60);
/// The same is not said again of a pod for so long.
const SAY_AGAIN: Duration = Duration::mins(5);
const AT_MAX: &str = "max node group size reached";

impl Autoscaler {
    /// Adds machines for the pods that fit nowhere; true if there are any now.
    pub(super) fn grow(&mut self, cx: &Cx<'_>, group: &GroupFacts, plan: &mut Plan) -> bool {
        let waiting: Vec<&Pod> =
            cx.pods().on_node("").filter(|pod| is_unschedulable(pod)).collect();
        if waiting.is_empty() {
            return false;
        }
        let empty = Room::new_machine(cx, group);
        let waiting = without_those_that_will_fit(cx, group, &empty, waiting);
        let mut fresh: Vec<Room<'_>> = Vec::new();
        let (mut helped, mut refused) = (Vec::new(), Vec::new());
        let free = group.max.saturating_sub(group.size);
        for pod in waiting {
            if fresh.iter_mut().any(|room| room.takes(pod)) {
                helped.push(pod);
                continue;
            }
            let mut room = empty.clone();
            let reasons = room.refusals(pod);
            if !reasons.is_empty() {
                refused.push((pod, counted(reasons)));
            } else if fresh.len() < free {
                room.take(pod);
                fresh.push(room);
                helped.push(pod);
            } else if free == 0 {
                refused.push((pod, format!("1 {AT_MAX}")));
            }
        }
        for (pod, reasons) in refused {
            let text = format!("pod didn't trigger scale-up: {reasons}");
            self.say_seldom(cx, pod, text, plan);
        }
        if !fresh.is_empty() {
            self.ask_for(cx, group, fresh.len(), &helped, plan);
        }
        !fresh.is_empty()
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
        self.after.push_back(notes);
        self.grown = Some(cx.now);
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

/// The pods for which neither nodes that are there nor machines under way have room, largest first.
fn without_those_that_will_fit<'a>(
    cx: &Cx<'a>,
    group: &GroupFacts,
    empty: &Room<'a>,
    mut pods: Vec<&'a Pod>,
) -> Vec<&'a Pod> {
    let (mut coming, mut settled) = (Vec::new(), Vec::new());
    let known: BTreeMap<&str, _> =
        cx.nodes().all().map(|n| (n.metadata.name.as_str(), n)).collect();
    for name in &group.nodes {
        if !known.contains_key(name.as_str()) {
            coming.push(empty.clone());
        }
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
    base::sort::by_key(&mut pods, |pod| {
        let needs = client::resources::of_pod(&pod.spec, false);
        let share = |need: i64, of: i64| need.saturating_mul(1_000) / of.max(1);
        -(share(needs.cpu, group.cpu_milli) + share(needs.memory, group.memory))
    });
    pods.retain(|pod| {
        let soon = coming.iter_mut().any(|room| room.takes(pod));
        // Of pods that must fit in with others the scheduler knows more.
        !soon && (is_choosy(pod) || !settled.iter_mut().any(|room| room.takes(pod)))
    });
    pods
}

/// Whether the scheduler has found no node for the pod.
fn is_unschedulable(pod: &Pod) -> bool {
    let placed = pod.status.conditions.iter().find(|c| c.type_ == "PodScheduled");
    pod.metadata.deletion_timestamp.is_none()
        && placed.is_some_and(|c| c.status == "False" && c.reason == "Unschedulable")
}

fn counted(mut reasons: Vec<String>) -> String {
    base::sort::naturally(&mut reasons);
    let counted: Vec<String> = reasons.into_iter().map(|reason| format!("1 {reason}")).collect();
    counted.join(", ")
}
