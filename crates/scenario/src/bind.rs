//! A scenario as a cluster's configuration, and a cluster as the world that checks look at.

use std::collections::VecDeque;

use api::core::v1::Pod;
use api::json::Json;
use api::wire::{Change as WatchChange, Interest, WatchEvent};
use api::{Kind as _, KindInfo};
use base::{Duration, Instant, Str};
use cluster::{Cluster, Command, Component, Config, Entry, SchedulerConfig};
use kubelet::{Image as KubeletImage, Says, Server};
use network::{Outcome, Trace};

use crate::{
    Addon, Answer, Change, ChangeKind, Event, Fault, Happening, Image, Query, Scenario, World,
};

/// Changes that are remembered for checks.
const HISTORY_MAX: usize = 20_000;

impl Scenario {
    /// The cluster that the scenario starts from, before its manifests are applied.
    pub fn config(&self) -> Config {
        let usual = Config::default();
        let spec = &self.cluster;
        let mut parts = usual.parts;
        parts.dns = spec.addons.contains(&Addon::Dns);
        Config {
            seed: self.seed,
            nodes: spec.nodes as usize,
            node_cpu_milli: spec.cpu_milli.unwrap_or(usual.node_cpu_milli),
            node_memory: spec.memory.unwrap_or(usual.node_memory),
            node_pods: spec.pods.unwrap_or(usual.node_pods),
            zones: spec.zones.clone(),
            scheduler: scheduler_of(spec.scheduler.as_ref()),
            provider: spec.provider,
            machines: spec.autoscale.map(|(min, max)| (min as usize, max as usize)),
            groups: spec.groups.clone(),
            images: self.images.iter().map(image).collect(),
            pull: None,
            timeline: self.timeline.iter().filter_map(entry).collect(),
            control_plane_replicas: spec.control_plane_replicas as usize,
            parts,
            ..usual
        }
    }
}

/// The scheduler's configuration; what is wrong with it was told when the file was read.
fn scheduler_of(given: Option<&Json>) -> SchedulerConfig {
    given.and_then(|given| SchedulerConfig::from_json(given).ok()).unwrap_or_default()
}

fn image(image: &Image) -> KubeletImage {
    let says = Says::Text(format!("{}\n", image.name).into());
    let server = Server {
        starts_in: image.starts_in.unwrap_or(Duration::millis(500)),
        errors_per_mille: (image.error_rate.clamp(0.0, 1.0) * 1_000.0).round() as u32,
        ..Server::new(&image.listens, says)
    };
    let mut made = KubeletImage::server(&image.name, server);
    if let Some(memory) = image.memory {
        made.memory = memory;
    }
    made
}

fn entry(event: &Event) -> Option<Entry> {
    let command = match &event.what {
        Happening::Apply(manifests) => Command::Apply(manifests.clone()),
        Happening::Run(line) => Command::Terminal(line.clone()),
        Happening::Fail(fault) => Command::Fault(fault_of(fault, true)?),
        Happening::Mend(fault) => Command::Fault(fault_of(fault, false)?),
    };
    Some(Entry { at: Instant::START + event.at, command })
}

fn fault_of(fault: &Fault, fails: bool) -> Option<cluster::Fault> {
    use cluster::Fault as F;
    Some(match (fault, fails) {
        (Fault::Node(node), true) => F::NodeOff(node.clone()),
        (Fault::Node(node), false) => F::NodeOn(node.clone()),
        (Fault::Link(node), true) => F::CutLink(node.clone()),
        (Fault::Link(node), false) => F::MendLink(node.clone()),
        (Fault::Machine(node), true) => F::StopMachine(node.clone()),
        (Fault::Machine(node), false) => F::StartMachine(node.clone()),
        (Fault::MachineGone(node), true) => F::TerminateMachine(node.clone()),
        (Fault::Cloud, true) => F::CutCloud,
        (Fault::Cloud, false) => F::MendCloud,
        (Fault::Component(name, node), true) => F::Unplug(Component::parse(name)?, node.clone()),
        (Fault::Component(name, node), false) => F::Plug(Component::parse(name)?, node.clone()),
        (Fault::Pod { namespace, name, container, exit_code }, true) => F::Crash {
            namespace: namespace.clone(),
            pod: name.clone(),
            container: container.clone(),
            code: *exit_code,
        },
        (Fault::Pod { .. } | Fault::MachineGone(_), false) => return None,
    })
}

/// What happened to objects, oldest first; bounded.
#[derive(Clone, Debug, Default)]
pub struct History(VecDeque<(Instant, Change)>);

impl History {
    /// Notes a change.
    pub fn note(&mut self, at: Instant, event: &WatchEvent) {
        let what = match event.change {
            WatchChange::Added => ChangeKind::Added,
            WatchChange::Modified => ChangeKind::Modified,
            WatchChange::Deleted => ChangeKind::Deleted,
            WatchChange::Bookmark => return,
        };
        let meta = event.object.meta();
        let change = Change {
            event: what,
            kind: event.object.info().kind.into(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            labels: meta.labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        };
        self.0.push_back((at, change));
        if self.0.len() > HISTORY_MAX {
            self.0.pop_front();
        }
    }

    /// What happened to objects of a kind after a moment.
    pub fn of(&self, kind: &str, after: Instant) -> Vec<Change> {
        let from = self.0.partition_point(|(at, _)| *at <= after);
        self.0.range(from..).filter(|(_, c)| c.kind == kind).map(|(_, c)| c.clone()).collect()
    }
}

/// A cluster and its history, lent to checks.
pub struct Looking<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// What happened.
    pub history: &'a History,
}

impl World for Looking<'_> {
    fn now(&self) -> Instant {
        self.cluster.now()
    }

    fn objects(&self, query: &Query) -> Vec<Json> {
        let Some(info) = kind_of(query) else { return Vec::new() };
        let namespace = if info.namespaced { query.namespace.clone() } else { Str::new() };
        if !query.name.is_empty() {
            let found = self.cluster.server().get(info, &namespace, &query.name);
            return found.iter().map(|object| object.to_json()).collect();
        }
        let interest = Interest { namespace, ..Interest::all(info) };
        let list = self.cluster.server().list(&interest).map(|list| list.items).unwrap_or_default();
        list.iter().map(|object| object.to_json()).collect()
    }

    fn history(&self, kind: &str, after: Instant) -> Vec<Change> {
        self.history.of(kind, after)
    }

    fn requests(&self, from: &str, url: &str, times: u32) -> Vec<Answer> {
        let mut copy = self.cluster.clone();
        let sender = if from.is_empty() { somebody(&copy) } else { Some(Str::from(from)) };
        let Some(sender) = sender else { return Vec::new() };
        (0..times)
            .map(|_| copy.curl(&sender, url).map_or_else(problem, |trace| answer(&trace)))
            .collect()
    }
}

fn kind_of(query: &Query) -> Option<&'static KindInfo> {
    let named = |info: &&&'static KindInfo| info.kind == query.kind;
    let fits = |info: &&&'static KindInfo| {
        query.api_version.is_empty() || info.api_version() == query.api_version.as_str()
    };
    api::KINDS.iter().filter(named).find(fits).copied()
}

/// A running pod of the default namespace: somebody inside the cluster.
fn somebody(cluster: &Cluster) -> Option<Str> {
    let interest = Interest { namespace: "default".into(), ..Interest::all(Pod::INFO) };
    let pods = cluster.server().list(&interest).ok()?.items;
    pods.iter()
        .filter_map(|object| object.get::<Pod>())
        .find(|pod| pod.status.phase == "Running" && !pod.status.pod_ip.is_empty())
        .map(|pod| Str::from(format!("{}/{}", pod.metadata.namespace, pod.metadata.name)))
}

fn problem(why: String) -> Answer {
    Answer { status: None, pod: None, problem: why.into() }
}

fn answer(trace: &Trace) -> Answer {
    let pod = trace.place.as_ref().and_then(|place| place.pod.as_ref()).map(|(_, pod)| pod.clone());
    match &trace.outcome {
        Outcome::Answered(_) => {
            Answer { status: trace.http().map(|http| http.status), pod, problem: Str::new() }
        }
        other => Answer { status: None, pod: None, problem: other.to_string().into() },
    }
}
