//! The cloud controllers on the fake API server, with a cloud beside it.

use std::sync::Arc;

use api::core::v1::{Node, Service};
use base::{BTreeMap, BTreeSet, Duration, Instant, Str};
use client::Runner;
use client::cloud::{CloudReply, CloudRequest};
use client::testing::{Bench, object};

use crate::{Change, Cloud, Options, Provider, Setup, runner};

/// All cloud controllers and their provider.
pub struct World {
    /// The controllers on the fake API server.
    pub bench: Bench<Runner>,
    /// The provider.
    pub cloud: Cloud,
    /// What the cloud asked the cluster to do, health checks aside.
    pub changes: Vec<Change>,
    /// Nodes that fail their health checks.
    pub sick: BTreeSet<Str>,
    under_way: BTreeMap<(Instant, u64), Letter>,
}

enum Letter {
    Request(CloudRequest),
    Reply(CloudReply),
}

impl World {
    /// A cloud with so many machines, of which at most 4 more may be made, and an empty API server.
    pub fn new(provider: Provider, machines: usize) -> World {
        let setup = Setup {
            provider,
            seed: 7,
            machines,
            min: machines,
            max: machines + 4,
            cpu_milli: 4_000,
            memory: 8 << 30,
            pods: 110,
            zones: Vec::new(),
            groups: Vec::new(),
            node_ip: |number| [10, 0, 0, number as u8].into(),
        };
        let part = runner(&Options { provider, identity: None });
        World {
            bench: Bench::new(part, []),
            cloud: Cloud::new(setup),
            changes: Vec::new(),
            sick: BTreeSet::new(),
            under_way: BTreeMap::new(),
        }
    }

    /// Adds the ready node of a machine.
    pub fn add_node(&mut self, number: usize, uninitialized: bool) {
        let taints = match uninitialized {
            true => {
                r#""taints": [{"key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true",
                "effect": "NoSchedule"}]"#
            }
            false => "",
        };
        let node: Node = object(&format!(
            r#"{{"metadata": {{"name": "node-{number}", "labels": {{"kubernetes.io/hostname": "node-{number}"}}}},
            "spec": {{{taints}}}, "status": {{"allocatable": {{"cpu": "4", "memory": "8Gi", "pods": "110"}},
            "conditions": [{{"type": "Ready", "status": "True"}}]}}}}"#
        ));
        // Labels of an empty map would differ from none.
        let mut node = node;
        if uninitialized {
            Arc::make_mut(&mut node.metadata).labels = Default::default();
        }
        self.bench.put(node);
    }

    /// The stored node.
    pub fn node(&self, name: &str) -> Arc<Node> {
        self.bench.api.get::<Node>("", name).expect("the node is there")
    }

    /// The stored Service of namespace `d`.
    pub fn service(&self, name: &str) -> Arc<Service> {
        self.bench.api.get::<Service>("d", name).expect("the Service is there")
    }

    /// Sets a node's Ready condition.
    pub fn set_ready(&mut self, node: &str, status: &str) {
        self.bench.edit::<Node>("", node, |node| {
            let conditions = &mut Arc::make_mut(&mut node.status).conditions;
            let ready = conditions.iter_mut().find(|c| c.type_ == "Ready");
            ready.expect("it has one").status = status.into();
        });
    }

    /// Lets time pass for both sides.
    pub fn run(&mut self, span: Duration) {
        let end = self.bench.now + span;
        loop {
            self.post();
            let first = self.under_way.first_key_value().map(|((at, _), _)| *at);
            let wakes = [first, self.cloud.next_wake(), client::Part::next_wake(&self.bench.part)];
            let next = wakes.into_iter().flatten().min().filter(|at| *at <= end);
            let Some(next) = next.map(|at| at.max(self.bench.now)) else { break };
            self.bench.run(next - self.bench.now);
            self.post();
            self.cloud.advance(next);
            self.carry(next);
            self.follow();
        }
        self.bench.run(end - self.bench.now);
    }

    fn post(&mut self) {
        for (id, request) in std::mem::take(&mut self.bench.asked) {
            let at = self.bench.now + self.cloud.call_delay();
            self.under_way.insert((at, id), Letter::Request(request));
        }
    }

    fn carry(&mut self, now: Instant) {
        while let Some(first) = self.under_way.first_entry()
            && first.key().0 <= now
        {
            let id = first.key().1;
            match first.remove() {
                Letter::Request(request) => {
                    let (after, reply) = self.cloud.handle(now, request);
                    self.under_way.insert((now + after, id), Letter::Reply(reply));
                }
                Letter::Reply(reply) => self.bench.told(id, reply),
            }
            self.post();
        }
    }

    fn follow(&mut self) {
        for change in self.cloud.take_changes() {
            if let Change::Check { balancer, probes } = &change {
                let judge = |node: &Str| (node.clone(), !self.sick.contains(node));
                let results: Vec<_> = probes.iter().map(|probe| judge(&probe.node)).collect();
                self.cloud.checked(balancer, &results);
            } else {
                self.changes.push(change);
            }
        }
    }
}
