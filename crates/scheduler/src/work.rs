//! How the scheduler works off its queue: one cycle for each pod, and what follows from its
//! outcome.

use std::sync::Arc;

use api::core::v1::Pod;
use api::object::{Key, Kind, Object};
use api::policy::v1::PodDisruptionBudget;
use api::wire::{Request, Trigger};
use base::{Duration, Instant, Str};
use client::Outbox;

use crate::binding::Asked;
use crate::cache::Placed;
use crate::cycle::{self, Cycle, Outcome, REPORT_NODES_MAX};
use crate::decision::Decision;
use crate::memo::{Failure, Memo};
use crate::plugins::Incoming;
use crate::preemption;
use crate::queue::Waiting;
use crate::report;
use crate::scheduler::Scheduler;

/// What a cycle takes.
const CYCLE: Duration = Duration::micros(300);
/// How many pods are placed at one moment before the clock goes on.
const BATCH_MAX: usize = 64;

/// A pod with what its cycle needs.
struct Prepared {
    incoming: Incoming,
    memo: Memo,
    owner: Str,
}

impl Scheduler {
    /// Places pods until the queue is empty or the moment is full.
    pub(crate) fn work(&mut self, now: Instant, out: &mut Outbox) {
        if !self.is_synced() {
            return;
        }
        self.queue.tick(now);
        self.check_deadlines(now, out);
        let mut done = 0;
        while now >= self.busy_until && done < BATCH_MAX {
            let Some((key, waiting)) = self.queue.pop() else { break };
            self.schedule(now, &key, &waiting, out);
            done += 1;
        }
        if done > 0 {
            self.busy_until = now + CYCLE * done as i64;
        }
        let mut events = Vec::new();
        for (name, recorder) in &mut self.recorders {
            let drained = recorder.drain().into_iter();
            events.extend(drained.map(|(token, request)| (name.clone(), token, request)));
        }
        for (name, token, request) in events {
            self.send(out, Asked::Note(name, token), request);
        }
    }

    fn prepare(&mut self, pod: &Arc<Pod>) -> Prepared {
        self.cache.refresh();
        let mut incoming = Incoming::new(&mut self.cache, pod, None);
        let (spread, owner) = self.spread_selector(incoming.class, pod);
        incoming.spread = spread;
        let memo = self.memos.take(&self.cache, incoming.class, &owner);
        Prepared { incoming, memo, owner }
    }

    fn schedule(&mut self, now: Instant, key: &Key, waiting: &Waiting, out: &mut Outbox) {
        let Some(profile) = self.config.profile(&waiting.pod.spec.scheduler_name).cloned() else {
            return;
        };
        let Prepared { incoming, mut memo, owner } = self.prepare(&waiting.pod);
        if let Some(failure) = memo.failure.clone()
            && self.is_same_failure(&failure, &incoming)
        {
            self.memos.give(&self.cache, incoming.class, &owner, memo);
            return self.failed(now, key, waiting, &incoming, failure, out);
        }
        memo.failure = None;
        let report = self.cache.order.len() <= REPORT_NODES_MAX;
        let percentage = profile.percentage_of_nodes.unwrap_or(self.config.percentage_of_nodes);
        let mut cycle = Cycle {
            cache: &mut self.cache,
            profile: &profile,
            memo: &mut memo,
            percentage,
            report,
        };
        let Outcome { chosen, reports } = cycle.run(&mut self.cursor, &mut self.rng, &incoming);
        match chosen {
            Ok(node) => {
                self.memos.give(&self.cache, incoming.class, &owner, memo);
                let name = cycle::name_of(&self.cache, node).clone();
                let steps = match incoming.needs.has_volumes {
                    true => crate::plugins::volume_binding::steps(&incoming, &mut self.cache, node),
                    false => Vec::new(),
                };
                self.cache.withdraw(key);
                self.cache.place(&waiting.pod, &name);
                let message = format!("Successfully assigned {key} to {name}").into();
                let node = Some(name.clone());
                self.keep(key, Decision { at: now, node, message, nodes: reports });
                self.queue.remove(key);
                self.begin_binding(now, key, waiting, name, steps, out);
            }
            Err(diagnosis) => {
                let preempts = diagnosis.total > 0 && profile.preempts;
                let preemption = preempts.then(|| {
                    if diagnosis.before_filtering.is_some() {
                        return preemption::Outcome::Unprepared;
                    }
                    let all = self.caches.all::<PodDisruptionBudget>();
                    let budgets: Vec<&PodDisruptionBudget> = all.all().collect();
                    cycle.report = false;
                    preemption::run(&mut cycle, &incoming, &diagnosis, &budgets)
                });
                let stamp = (self.cache.generation(), self.changes);
                let diagnosis = Arc::new(diagnosis);
                let failure = Failure { stamp, diagnosis, preemption, reports };
                memo.failure = Some(failure.clone());
                self.memos.give(&self.cache, incoming.class, &owner, memo);
                self.failed(now, key, waiting, &incoming, failure, out);
            }
        }
    }

    /// Whether a pod fails like the one before it: nothing changed since, and nothing is special
    /// about the pod.
    fn is_same_failure(&self, failure: &Failure, incoming: &Incoming) -> bool {
        failure.stamp == (self.cache.generation(), self.changes)
            && matches!(
                failure.preemption,
                None | Some(preemption::Outcome::Nothing(_) | preemption::Outcome::Unprepared)
            )
            && incoming.pod.status.nominated_node_name.is_empty()
            && !incoming.needs.has_volumes
            && self.cache.nominees.is_empty()
    }

    fn failed(
        &mut self,
        now: Instant,
        key: &Key,
        waiting: &Waiting,
        incoming: &Incoming,
        failure: Failure,
        out: &mut Outbox,
    ) {
        let pod = &waiting.pod;
        let Failure { diagnosis, preemption: outcome, reports, .. } = failure;
        let mut message = diagnosis.message();
        let mut nominated = Some(Str::new());
        let mut candidate = None;
        match outcome {
            None => {
                if diagnosis.total > 0 {
                    message.push_str(" no new claims to deallocate");
                }
                nominated = None;
            }
            Some(preemption::Outcome::Nothing(why)) => {
                message = format!("{message} no new claims to deallocate, {why}");
            }
            // The claims of a pod are the first to be asked about freeing them, and are not known then.
            Some(preemption::Outcome::Unprepared) => message += " not found",
            Some(preemption::Outcome::Waits(why)) => {
                message = format!("{message} no new claims to deallocate, {why}");
                nominated = None;
            }
            Some(preemption::Outcome::Nominate(found)) => {
                nominated = Some(cycle::name_of(&self.cache, found.node).clone());
                candidate = Some(found);
            }
        }
        let text = message.as_str().into();
        self.keep(key, Decision { at: now, node: None, message: text, nodes: reports });
        self.record(
            now,
            pod,
            ("Warning", "FailedScheduling", &message),
            "Scheduling",
            waiting.trigger,
        );
        let condition = report::unschedulable(now, pod, "Unschedulable", &message);
        if let Some(request) = report::status(pod, condition, nominated.as_deref()) {
            let request = self.signed(request, pod, waiting.trigger);
            self.send(out, Asked::Other, request);
        }
        if let Some(node) = &nominated {
            self.cache.nominate(pod, node);
        }
        let plugins = diagnosis.plugins();
        self.queue.turn_away(now, key, plugins, Some(incoming.needs.clone()));
        if let Some(candidate) = candidate {
            self.demote_nominees(pod, candidate.node, waiting.trigger, out);
            let node = nominated.unwrap_or_default();
            for (victim, placed) in &candidate.victims {
                self.preempt(now, victim, placed, pod, &node, waiting.trigger, out);
            }
        }
    }

    /// Pods of lower priority that wait for room on the node have lost it.
    fn demote_nominees(&mut self, pod: &Pod, node: u32, trigger: Trigger, out: &mut Outbox) {
        let priority = pod.spec.priority.unwrap_or(0);
        let nominees = self.cache.nominees.get(&node).cloned().unwrap_or_default();
        for nominee in nominees.iter().filter(|n| n.placed.priority < priority) {
            self.cache.withdraw(&nominee.key);
            if let Some(waiting) = self.queue.get(&nominee.key) {
                let request = report::nominated(&waiting.pod, "");
                let request = self.signed(request, pod, trigger);
                self.send(out, Asked::Other, request);
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn preempt(
        &mut self,
        now: Instant,
        victim: &Key,
        placed: &Placed,
        preemptor: &Pod,
        node: &Str,
        trigger: Trigger,
        out: &mut Outbox,
    ) {
        let name = self.name_for(preemptor);
        if let Some(pod) = self.caches.object(Pod::INFO, victim).and_then(Object::arc::<Pod>) {
            if pod.metadata.deletion_timestamp.is_some() {
                return;
            }
            let condition = report::preempted(now, &pod, &name);
            if let Some(request) = report::status(&pod, condition, None) {
                let request = self.signed(request, preemptor, trigger);
                self.send(out, Asked::Other, request);
            }
            let text = format!("Preempted by pod {} on node {node}", preemptor.metadata.uid);
            let note = report::note(&pod, "Normal", "Preempted", &text);
            let related = Some(report::reference(preemptor));
            if let Some(recorder) = self.recorders.get_mut(&name) {
                recorder.record_action(now, &note, "Preempting", related, trigger);
            }
        }
        let uid = Some(placed.uid.clone());
        let preconditions = api::meta::v1::Preconditions { uid, ..Default::default() };
        let options = api::meta::v1::DeleteOptions {
            preconditions: Some(Box::new(preconditions)),
            ..Default::default()
        };
        let request = Request::delete(Pod::INFO, victim, options);
        let request = self.signed(request, preemptor, trigger);
        self.send(out, Asked::Other, request);
    }

    /// Records an event about a pod: type, reason and message.
    pub(crate) fn record(
        &mut self,
        now: Instant,
        pod: &Pod,
        (type_, reason, message): (&str, &str, &str),
        action: &str,
        trigger: Trigger,
    ) {
        let note = report::note(pod, type_, reason, message);
        let name = self.name_for(pod);
        if let Some(recorder) = self.recorders.get_mut(&name) {
            recorder.record_action(now, &note, action, None, trigger);
        }
    }

    /// What the scheduler would decide about a pod that waits, with a report on every node; for
    /// other pods the decision that is kept. Changes nothing.
    pub fn explain(&mut self, now: Instant, namespace: &str, name: &str) -> Option<Decision> {
        let key = Key::new(namespace, name);
        let Some(waiting) = self.queue.get(&key).cloned() else {
            return self.decision(namespace, name).cloned();
        };
        let profile = self.config.profile(&waiting.pod.spec.scheduler_name).cloned()?;
        let Prepared { incoming, mut memo, owner } = self.prepare(&waiting.pod);
        let mut cycle = Cycle {
            cache: &mut self.cache,
            profile: &profile,
            memo: &mut memo,
            percentage: 100,
            report: true,
        };
        let outcome = cycle.run(&mut self.cursor.clone(), &mut self.rng.clone(), &incoming);
        self.memos.give(&self.cache, incoming.class, &owner, memo);
        let (node, message) = match &outcome.chosen {
            Ok(node) => {
                let name = cycle::name_of(&self.cache, *node).clone();
                (Some(name.clone()), format!("would be assigned to {name}"))
            }
            Err(diagnosis) => (None, diagnosis.message()),
        };
        Some(Decision { at: now, node, message: message.into(), nodes: outcome.reports })
    }
}
