//! Shrinking: which nodes are not needed, for how long, and how they are emptied and given back.

use std::sync::Arc;

use api::core::v1::{Node, Pod};
use api::object::{Key, Kind, Object};
use api::policy::v1::Eviction;
use api::wire::{Request, Subresource, Verb};
use base::{BTreeMap, Duration, Str};
use client::cloud::{CloudRequest, GroupFacts};
use client::resources::{Resources, of_pod};
use client::{Cx, Note, Plan, Write};

use super::drain::{movable, to_move};
use super::room::Room;
use super::{After, Autoscaler, Leaving, has_ended, status_note};
use crate::nodes::{TO_BE_DELETED, UNINITIALIZED, is_ready, is_tainted, tainted, untainted};

/// A node is removed after it was not needed for so long …
const UNNEEDED: Duration = Duration::mins(10);
/// … or, where it is not ready, so long.
const UNREADY: Duration = Duration::mins(20);
/// No node is removed for so long after the group grew …
const AFTER_GROWTH: Duration = Duration::mins(10);
/// … or a removal failed.
const AFTER_FAILURE: Duration = Duration::mins(3);
/// A node that is used less than this may not be needed.
const UTILISATION: f64 = 0.5;
/// So many empty nodes are removed at once.
const EMPTY_MAX: usize = 10;
/// How long evictions may be refused …
const EVICTION_PATIENCE: Duration = Duration::mins(2);
/// … and how long pods may take to end.
const END_PATIENCE: Duration = Duration::mins(10);
const DISABLED: &str = "cluster-autoscaler.kubernetes.io/scale-down-disabled";

impl Autoscaler {
    /// Goes on with the nodes that are being removed.
    pub(super) fn let_go(&mut self, cx: &Cx<'_>, groups: &[GroupFacts], plan: &mut Plan) {
        // Marks of an earlier life of this process are taken back.
        for node in cx.nodes().all().filter(|node| is_tainted(node, TO_BE_DELETED)) {
            let name = &node.metadata.name;
            let is_ours = groups.iter().any(|group| group.nodes.contains(name));
            if !self.leaving.contains_key(name) && is_ours {
                plan.update(untainted(node, TO_BE_DELETED)).or_failed();
            }
        }
        for name in self.leaving.keys().cloned().collect::<Vec<_>>() {
            let leaving = &self.leaving[&name];
            let Some(node) = cx.nodes().named("", &name) else { continue };
            if leaving.handed_over {
                continue;
            }
            let pods: Vec<&Pod> = to_move(cx, &name).collect();
            let waited = cx.now - leaving.since;
            let refused = pods.iter().any(|pod| pod.metadata.deletion_timestamp.is_none());
            if pods.is_empty() {
                self.hand_over(node, plan);
            } else if waited > END_PATIENCE || refused && waited > EVICTION_PATIENCE {
                self.leaving.remove(&name);
                self.failed = Some(cx.now);
                let text = "failed to drain the node, aborting ScaleDown";
                plan.event(node, "Warning", "ScaleDownFailed", text);
                plan.update(untainted(node, TO_BE_DELETED)).or_failed();
            } else {
                evict(pods, plan);
            }
        }
    }

    /// Finds out which nodes are not needed, and removes those that have not been for long.
    pub(super) fn shrink(&mut self, cx: &Cx<'_>, groups: &[GroupFacts], plan: &mut Plan) {
        // Groups that may lose machines, with how many that is.
        let mut budgets: Vec<(&GroupFacts, usize)> = groups
            .iter()
            .map(|group| (group, self.budget(group)))
            .filter(|(_, n)| *n > 0)
            .collect();
        let found = self.find_unneeded(cx, &budgets);
        let before = std::mem::take(&mut self.unneeded);
        for (name, _) in &found {
            let since = before.get(name).copied().unwrap_or(cx.now);
            self.unneeded.insert(name.clone(), since);
        }
        let rests = |at: Option<base::Instant>, pause| at.is_some_and(|at| cx.now < at + pause);
        if rests(self.grown, AFTER_GROWTH) || rests(self.failed, AFTER_FAILURE) {
            return;
        }
        let ripe = |name: &Str| {
            let node = cx.nodes().named("", name)?;
            let wait = if is_ready(node) { UNNEEDED } else { UNREADY };
            (cx.now >= self.unneeded[name] + wait).then_some(node)
        };
        let ripe: Vec<(&Node, usize)> =
            found.iter().filter_map(|(name, pods)| Some((ripe(name)?, *pods))).collect();
        let mut may_go = |node: &&Node| {
            let own =
                |(group, _): &&mut (&GroupFacts, usize)| group.nodes.contains(&node.metadata.name);
            let left = budgets.iter_mut().find(own).filter(|(_, left)| *left > 0);
            left.map(|(_, left)| *left -= 1).is_some()
        };
        let empty = ripe.iter().filter(|(_, pods)| *pods == 0).map(|(node, _)| *node);
        let empty: Vec<&Node> = empty.filter(&mut may_go).take(EMPTY_MAX).collect();
        let draining = self.leaving.values().any(|leaving| !leaving.empty);
        for node in &empty {
            self.mark(cx, node, true, plan);
        }
        if empty.is_empty()
            && !draining
            && let Some((node, _)) = ripe.first()
        {
            self.mark(cx, node, false, plan);
        }
    }

    /// How many machines the group may lose beside those that are on their way.
    fn budget(&self, group: &GroupFacts) -> usize {
        let leaves =
            |name: &&Str| self.leaving.get(*name).is_some_and(|leaving| !leaving.handed_over);
        let leaving = group.nodes.iter().filter(leaves).count();
        group.size.saturating_sub(group.min + leaving)
    }

    /// The nodes of the groups that are hardly used and whose pods have room elsewhere, with how many pods that is.
    fn find_unneeded(&self, cx: &Cx<'_>, groups: &[(&GroupFacts, usize)]) -> Vec<(Str, usize)> {
        let mut found: Vec<(Str, usize)> = Vec::new();
        let mut rooms: Option<BTreeMap<Str, Room<'_>>> = None;
        for name in groups.iter().flat_map(|(group, _)| &group.nodes) {
            let Some(node) = cx.nodes().named("", name) else { continue };
            let candidate = !self.leaving.contains_key(name)
                && !is_tainted(node, UNINITIALIZED)
                && node.metadata.annotations.text(DISABLED) != Some("true")
                && used(cx, node).2 < UTILISATION;
            let Some(pods) = movable(cx, name).filter(|_| candidate) else { continue };
            if pods.is_empty() {
                found.push((name.clone(), 0));
                if let Some(rooms) = &mut rooms {
                    rooms.remove(name);
                }
                continue;
            }
            let rooms = rooms.get_or_insert_with(|| self.rooms(cx, &found));
            let own = rooms.remove(name);
            let count = pods.len();
            if place_all(pods, rooms) {
                found.push((name.clone(), count));
            } else {
                rooms.extend(own.map(|room| (name.clone(), room)));
            }
        }
        found
    }

    /// What ready nodes have room for, apart from those that go.
    fn rooms<'a>(&self, cx: &Cx<'a>, without: &[(Str, usize)]) -> BTreeMap<Str, Room<'a>> {
        let stays = |node: &&Node| {
            let name = &node.metadata.name;
            is_ready(node)
                && !self.leaving.contains_key(name)
                && !without.iter().any(|(gone, _)| gone == name)
        };
        let nodes = cx.nodes().all().filter(stays);
        nodes.map(|node| (node.metadata.name.clone(), Room::of(cx, node))).collect()
    }

    /// Begins to remove a node.
    fn mark(&mut self, cx: &Cx<'_>, node: &Node, empty: bool, plan: &mut Plan) {
        let name = &node.metadata.name;
        self.unneeded.remove(name);
        let leaving = Leaving { since: cx.now, empty, handed_over: false };
        self.leaving.insert(name.clone(), leaving);
        let pods: Vec<&Pod> = to_move(cx, name).collect();
        if empty {
            let text = format!("Scale-down: removing empty node {name:?}");
            plan.note(status_note("Normal", "ScaleDownEmpty", text));
        } else {
            let (cpu, memory, most) = used(cx, node);
            let resource = if cpu > memory { "cpu" } else { "memory" };
            let names: Vec<&str> = pods.iter().map(|pod| pod.metadata.name.as_str()).collect();
            let text = format!(
                "Scale-down: removing node {name}, utilization: {{{cpu} {memory} 0 0 {resource} {most}}}, \
                 pods to reschedule: {}",
                names.join(",")
            );
            plan.note(status_note("Normal", "ScaleDown", text));
        }
        let since = cx.now.unix_seconds().to_string();
        let text = "marked the node as toBeDeleted/unschedulable";
        let marked = Note::new(node, "Normal", "ScaleDown", text);
        let text = "failed to mark the node as toBeDeleted/unschedulable: {error}";
        let failed = Note::new(node, "Warning", "ScaleDownFailed", text);
        let node_marked = tainted(node, TO_BE_DELETED, since.into(), None);
        plan.update(node_marked).said(marked).or_said(failed);
        if empty {
            self.hand_over(node, plan);
        } else {
            evict(pods, plan);
        }
    }

    /// Gives a node's machine back to the provider.
    fn hand_over(&mut self, node: &Node, plan: &mut Plan) {
        let name = &node.metadata.name;
        let Some(leaving) = self.leaving.get_mut(name) else { return };
        leaving.handed_over = true;
        let text = "failed to delete the node: {error}";
        let failed = Note::new(node, "Warning", "ScaleDownFailed", text);
        plan.ask(CloudRequest::Terminate { node: name.clone() }).or_said(failed);
        let (reason, text) = match leaving.empty {
            true => ("ScaleDownEmpty", format!("Scale-down: empty node {name} removed")),
            false => ("ScaleDown", format!("Scale-down: node {name} removed with drain")),
        };
        let own = Note::new(node, "Normal", "ScaleDown", "node removed by cluster autoscaler");
        let notes = vec![own, status_note("Normal", reason, text)];
        self.after.push_back(After { notes, grown: None });
    }
}

/// Gives all pods a place, or none.
fn place_all<'a>(pods: Vec<&'a Pod>, rooms: &mut BTreeMap<Str, Room<'a>>) -> bool {
    let mut placed = Vec::new();
    for pod in pods {
        match rooms.iter_mut().find_map(|(name, room)| room.takes(pod).then(|| name.clone())) {
            Some(name) => placed.push(name),
            None => {
                for name in placed.iter().rev() {
                    rooms.get_mut(name).expect("it took a pod").give_back();
                }
                return false;
            }
        }
    }
    true
}

/// Evicts the pods that are not on their way out yet.
fn evict(pods: Vec<&Pod>, plan: &mut Plan) {
    for pod in pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let mut eviction = Eviction::default();
        let meta = Arc::make_mut(&mut eviction.metadata);
        meta.name = pod.metadata.name.clone();
        meta.namespace = pod.metadata.namespace.clone();
        let key = Key::of(&pod.metadata);
        let request = Request::new(Pod::INFO, &key, Verb::Create(Object::new(eviction)));
        let mut write = Write::new(request);
        let text = "deleting pod for node scale down";
        write.on(Subresource::Eviction).or_failed();
        write.said(Note::new(pod, "Normal", "ScaleDown", text));
        plan.batch(vec![write]);
    }
}

/// How much of a node's CPU and memory pods ask for, and the larger share.
fn used(cx: &Cx<'_>, node: &Node) -> (f64, f64, f64) {
    let mut sum = Resources::default();
    for pod in cx.pods().on_node(&node.metadata.name).filter(|pod| !has_ended(pod)) {
        sum.add(&of_pod(&pod.spec, false));
    }
    let all = Resources::of(&node.status.allocatable);
    let share = |used: i64, all: i64| if all > 0 { used as f64 / all as f64 } else { 0.0 };
    let (cpu, memory) = (share(sum.cpu, all.cpu), share(sum.memory, all.memory));
    (cpu, memory, cpu.max(memory))
}
