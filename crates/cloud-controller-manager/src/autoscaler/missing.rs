//! Machines that were asked for and never became nodes: how long they are waited for, and what follows.

use base::{Duration, Instant, Str};
use client::cloud::{CloudRequest, GroupFacts};
use client::{Cx, Plan};

use super::{After, Autoscaler, status_note};
use crate::nodes::is_ready;

/// A machine that is no node after so long is given back: upstream's `--max-node-provision-time`.
const PROVISION: Duration = Duration::mins(15);
/// A new node that is not ready still starts for so long.
const STARTUP: Duration = Duration::mins(15);
/// A group whose growth failed rests so long, …
const REST_MIN: Duration = Duration::mins(5);
/// … twice as long each time it fails again, up to this, …
const REST_MAX: Duration = Duration::mins(30);
/// … and as at first once so long went by without a failure.
const REST_FORGOTTEN: Duration = Duration::mins(180);

/// A group that was told to grow and does not have all its nodes yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growing {
    since: Instant,
}

/// A group that is not asked to grow for a while, because it failed to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    span: Duration,
    failed: Instant,
}

impl Autoscaler {
    /// Notes which machines are no nodes yet, and gives up those that have not been for too long.
    pub(super) fn give_up(&mut self, cx: &Cx<'_>, groups: &[GroupFacts], plan: &mut Plan) {
        let before = std::mem::take(&mut self.missing);
        for name in groups.iter().flat_map(|group| &group.nodes) {
            if cx.nodes().named("", name).is_none() {
                let since = before.get(name).copied().unwrap_or(cx.now);
                self.missing.insert(name.clone(), since);
            }
        }
        self.rests.retain(|_, rest| cx.now <= rest.failed + REST_FORGOTTEN);
        for group in groups {
            self.judge_growth(cx, group, plan);
            self.give_back_lost(cx, group, plan);
        }
    }

    /// Whether the machine has not become a node for so long that nobody counts on it any more.
    pub(super) fn is_lost(&self, now: Instant, name: &str) -> bool {
        self.missing.get(name).is_some_and(|since| now > *since + PROVISION)
    }

    /// Whether the group rests after it failed to grow.
    pub(super) fn rests(&self, now: Instant, group: &str) -> bool {
        self.rests.get(group).is_some_and(|rest| now < rest.failed + rest.span)
    }

    /// The group was told to grow.
    pub(super) fn growth_begins(&mut self, now: Instant, group: Str) {
        self.growing.insert(group, Growing { since: now });
    }

    /// The group failed to grow, and rests.
    pub(super) fn growth_failed(&mut self, now: Instant, group: Str) {
        let known = self.rests.get(&group);
        let span = known.map_or(REST_MIN, |rest| (rest.span * 2).min(REST_MAX));
        self.rests.insert(group, Rest { span, failed: now });
    }

    /// Ends the wait for a group's new nodes when they are all there, or when it takes too long.
    fn judge_growth(&mut self, cx: &Cx<'_>, group: &GroupFacts, plan: &mut Plan) {
        let Some(growing) = self.growing.get(&group.name) else { return };
        let waited = cx.now - growing.since;
        if started(cx, group) >= group.size {
            self.growing.remove(&group.name);
            self.rests.remove(&group.name);
        } else if waited > PROVISION {
            self.growing.remove(&group.name);
            let (name, waited) = (&group.name, waited.go());
            let text = format!("Nodes added to group {name} failed to register within {waited}");
            plan.note(status_note("Warning", "ScaleUpTimedOut", text));
            self.growth_failed(cx.now, group.name.clone());
        }
    }

    fn give_back_lost(&mut self, cx: &Cx<'_>, group: &GroupFacts, plan: &mut Plan) {
        let lost = group.nodes.iter().filter(|name| self.is_lost(cx.now, name));
        let lost: Vec<Str> = lost.take(group.size.saturating_sub(group.min)).cloned().collect();
        for node in lost {
            let text = format!("Failed to remove node {node}: {{error}}");
            let failed = status_note("Warning", "DeleteUnregisteredFailed", text);
            let text = format!("Removed unregistered node {node}");
            let removed = status_note("Normal", "DeleteUnregistered", text);
            plan.ask(CloudRequest::Terminate { node }).or_said(failed);
            self.after.push_back(After { notes: vec![removed], grown: None });
        }
    }
}

/// How many of the group's machines are nodes that have started, or failed to.
fn started(cx: &Cx<'_>, group: &GroupFacts) -> usize {
    let has_started = |name: &&Str| {
        cx.nodes().named("", name).is_some_and(|node| {
            let born = node.metadata.creation_timestamp;
            is_ready(node) || born.is_some_and(|at| cx.now >= at.instant() + STARTUP)
        })
    };
    group.nodes.iter().filter(has_started).count()
}
