//! Machines: they boot, run, stop and go, and cost money while they are there.

use core::net::{IpAddr, Ipv4Addr};

use base::{Instant, Str};
use client::cloud::{CloudAnswer, CloudError, CloudReply, GroupFacts, MachineFacts};

use super::{Change, Cloud, Due, Group};
use crate::group::NodeGroup;
use crate::provider::MachineType;

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its ID: `i-0123`.
    pub id: Str,
    /// Its node's name.
    pub name: Str,
    /// Counts machines from 1.
    pub number: usize,
    /// Of what type it is.
    pub type_: &'static MachineType,
    /// Which group it belongs to, the first being 0.
    pub group: usize,
    /// Its zone; empty where the provider has none.
    pub zone: Str,
    /// Its address in the cluster's network.
    pub internal_ip: IpAddr,
    /// Its address in the world.
    pub external_ip: IpAddr,
    /// What it does.
    pub state: MachineState,
    /// Since when it is paid for; `None` while it is stopped.
    pub paid_since: Option<Instant>,
}

/// What a machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineState {
    /// It boots.
    Pending,
    /// It runs.
    Running,
    /// It goes down, to come back some day.
    Stopping,
    /// It is down.
    Stopped,
    /// It goes down for good.
    ShuttingDown,
}

impl Cloud {
    /// The machines, by the names of their nodes.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values()
    }

    /// The machine of a node.
    pub fn machine(&self, node: &str) -> Option<&Machine> {
        self.machines.get(node)
    }

    /// Whether a node's machine is stopped.
    pub fn is_stopped(&self, node: &str) -> bool {
        self.machine(node).is_some_and(|machine| machine.state == MachineState::Stopped)
    }

    /// What all machines have cost so far, in millionths of a dollar.
    pub fn spent_micros(&self, now: Instant) -> i64 {
        let running = self.machines.values().map(|machine| self.cost(machine, now));
        self.spent_micros + running.sum::<i64>()
    }

    /// What an hour costs as things are, in millionths of a dollar.
    pub fn hourly_micros(&self) -> i64 {
        let paid = self.machines.values().filter(|machine| machine.paid_since.is_some());
        paid.map(|machine| machine.type_.price_micros).sum()
    }

    fn cost(&self, machine: &Machine, now: Instant) -> i64 {
        let Some(since) = machine.paid_since else { return 0 };
        // Machines are paid for by the second.
        now.since(since).as_secs() * machine.type_.price_micros / 3_600
    }

    pub(super) fn add_machine(&mut self, now: Instant, group: usize, state: MachineState) -> Str {
        self.numbers += 1;
        let number = self.numbers;
        let nth = self.groups[group].made;
        self.groups[group].made += 1;
        let name = Str::from(format!("node-{number}"));
        let machine = Machine {
            id: self.model.machine_id(&mut self.rng).into(),
            name: name.clone(),
            number,
            type_: self.groups[group].type_,
            group,
            zone: self.zone(group, nth),
            internal_ip: (self.setup.node_ip)(number),
            external_ip: external_ip(number),
            state,
            paid_since: Some(now),
        };
        self.machines.insert(name.clone(), machine);
        name
    }

    /// The zones that a group was given; none for the provider's own.
    fn zones_of<'a>(&'a self, group: &'a Group) -> &'a [Str] {
        let own = &group.known.zones;
        if own.is_empty() { &self.setup.zones } else { own }
    }

    fn zone(&self, group: usize, nth: usize) -> Str {
        let (own, usual) = (self.zones_of(&self.groups[group]), self.model.zones());
        match (own.len(), usual.len()) {
            (0, 0) => Str::new(),
            (0, count) => usual[nth % count].into(),
            (count, _) => own[nth % count].clone(),
        }
    }

    pub(super) fn facts(&self, provider_id: &str, node: &str) -> Option<MachineFacts> {
        let machine = self.machines.get(node)?;
        let id = self.model.provider_id(machine);
        if !provider_id.is_empty() && provider_id != id {
            return None;
        }
        Some(MachineFacts {
            provider_id: id.into(),
            instance_type: machine.type_.name.into(),
            region: self.model.region().into(),
            zone: machine.zone.clone(),
            addresses: self.model.addresses(machine),
            labels: self.model.labels(machine),
            stopped: matches!(machine.state, MachineState::Stopping | MachineState::Stopped),
        })
    }

    pub(super) fn groups(&self) -> Vec<GroupFacts> {
        let known = self.groups.iter().enumerate();
        known
            .filter(|(_, group)| !group.known.name.is_empty())
            .map(|(i, g)| self.group(i, g))
            .collect()
    }

    fn group(&self, number: usize, group: &Group) -> GroupFacts {
        let stays = |machine: &&Machine| {
            machine.group == number && machine.state != MachineState::ShuttingDown
        };
        let nodes = self.machines.values().filter(stays).map(|machine| machine.name.clone());
        let NodeGroup { name, min, max, taints, .. } = &group.known;
        let mut labels = group.known.labels.clone();
        labels.insert("node.kubernetes.io/instance-type", group.type_.name.into());
        labels.insert("topology.kubernetes.io/region", self.model.region().into());
        // Of several zones nobody knows which one the next machine comes up in.
        if let [zone] = self.zones_of(group) {
            labels.insert("topology.kubernetes.io/zone", zone.clone());
        }
        GroupFacts {
            name: name.clone(),
            size: group.size,
            min: *min,
            max: *max,
            nodes: nodes.collect(),
            cpu_milli: group.type_.cpu_milli,
            memory: group.type_.memory,
            pods: self.setup.pods,
            labels,
            taints: taints.clone(),
        }
    }

    pub(super) fn grow(&mut self, now: Instant, name: &str, size: usize) -> CloudReply {
        let found = self.groups.iter().position(|group| group.known.name == name);
        let Some(group) = found.filter(|_| !name.is_empty()) else {
            return Err(CloudError::new(format!("there is no group called {name:?}")));
        };
        let max = self.groups[group].known.max;
        if size > max {
            let text = format!("size increase too large - desired:{size} max:{max}");
            return Err(CloudError::new(text));
        }
        while self.groups[group].size < size {
            self.groups[group].size += 1;
            let node = self.add_machine(now, group, MachineState::Pending);
            let at = now + self.draw(self.model.times().boot);
            self.plan(at, Due::Up(node));
        }
        Ok(CloudAnswer::Done)
    }

    /// Stops a node's machine, as somebody at the provider's console does.
    pub fn stop(&mut self, now: Instant, node: &str) {
        self.halt(now, node, MachineState::Stopping);
    }

    /// Ends a node's machine for good, as the autoscaler or somebody at the provider's console does: its group is
    /// smaller then.
    pub fn end(&mut self, now: Instant, node: &str) {
        let Some(machine) = self.machines.get(node) else { return };
        if machine.state != MachineState::ShuttingDown {
            let group = &mut self.groups[machine.group];
            group.size = group.size.saturating_sub(1);
            self.halt(now, node, MachineState::ShuttingDown);
        }
    }

    fn halt(&mut self, now: Instant, node: &str, state: MachineState) {
        let Some(machine) = self.machines.get_mut(node) else { return };
        let known = machine.state;
        let ends = state == MachineState::ShuttingDown;
        if known == state || known == MachineState::ShuttingDown {
            return;
        }
        if !ends && known != MachineState::Running {
            return;
        }
        machine.state = state;
        let at = now + self.draw(self.model.times().halt);
        self.plan(at, Due::Down(node.into()));
    }

    /// Starts a stopped machine.
    pub fn start(&mut self, now: Instant, node: &str) {
        let Some(machine) = self.machines.get_mut(node) else { return };
        if machine.state != MachineState::Stopped {
            return;
        }
        machine.state = MachineState::Pending;
        machine.paid_since = Some(now);
        let at = now + self.draw(self.model.times().boot);
        self.plan(at, Due::Up(node.into()));
    }

    pub(super) fn booted(&mut self, _: Instant, node: &str) {
        let Some(machine) = self.machines.get_mut(node) else { return };
        if machine.state == MachineState::Pending {
            machine.state = MachineState::Running;
            self.changes.push(Change::Up(Box::new(machine.clone())));
        }
    }

    pub(super) fn halted(&mut self, now: Instant, node: &str) {
        let Some(machine) = self.machines.get(node) else { return };
        let cost = self.cost(machine, now);
        match machine.state {
            MachineState::Stopping => {
                self.spent_micros += cost;
                let machine = self.machines.get_mut(node).expect("it was just seen");
                machine.state = MachineState::Stopped;
                machine.paid_since = None;
                self.changes.push(Change::Down(node.into()));
            }
            MachineState::ShuttingDown => {
                self.spent_micros += cost;
                self.machines.remove(node);
                self.release_disks(node);
                self.changes.push(Change::Gone(node.into()));
            }
            _ => {}
        }
    }
}

/// Public addresses count up from 198.19.0.1.
fn external_ip(number: usize) -> IpAddr {
    let [a, b, c] = [198, 19, (number / 256 % 256) as u8];
    IpAddr::V4(Ipv4Addr::new(a, b, c, (number % 256) as u8))
}
