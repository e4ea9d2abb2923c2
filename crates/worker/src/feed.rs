//! What the views hear of a cluster: changes of objects, writes, requests, and what runs.

use api::KindInfo;
use api::object::Key;
use api::wire::{Change as WatchChange, Interest, Trigger, WatchEvent};
use apiserver::WatchId;
use apiserver::ledger::WriteRecord;
use base::{BTreeMap, Instant};
use cluster::{Body, Cluster, Component};
use network::Family;
use protocol::Kind;
use view::{Infra, Machine, Part, Views, Write};

use scenario::History;

/// The kinds that are followed: those that are drawn, and those that lessons ask about.
const KINDS: [&str; 12] = [
    "Node",
    "Pod",
    "ReplicaSet",
    "Deployment",
    "Service",
    "EndpointSlice",
    "DaemonSet",
    "StatefulSet",
    "Job",
    "ConfigMap",
    "PersistentVolumeClaim",
    "Namespace",
];

/// More writes than this between two looks are not drawn one by one.
const WRITES_MAX: usize = 64;

/// Rules are printed while there are so many Services; the page shows so many rules.
const SERVICES_MAX: usize = 300;
const RULES_MAX: usize = 12;

/// The open watches on one cluster.
#[derive(Clone, Default)]
pub struct Feed {
    watches: Vec<WatchId>,
    revision: i64,
    /// For which Service the rules were printed last, and how often rules had been published.
    rules: Option<(Key, u64)>,
}

impl Feed {
    /// Opens the watches; what exists already comes as added.
    pub fn open(cluster: &mut Cluster) -> Feed {
        let kinds = KINDS.iter().filter_map(|kind| kind_named(kind));
        let watches = kinds.filter_map(|kind| cluster.watch(Interest::all(kind))).collect();
        Feed { watches, revision: cluster.server().revision(), rules: None }
    }

    /// Hands on everything that is new.
    pub fn drain(&mut self, cluster: &mut Cluster, views: &mut Views, history: &mut History) {
        let now = cluster.now();
        let mut events: Vec<WatchEvent> = Vec::new();
        for &watch in &self.watches {
            events.extend(cluster.take_watched(watch));
        }
        base::sort::by_key(&mut events, |event| event.revision);
        for event in &events {
            let at = cluster.server().cause_of(event.revision).map_or(now, |record| record.time);
            views.change(at, event);
            if event.change != WatchChange::Bookmark {
                history.note(at, event);
            }
        }
        let fresh: Vec<Write> = cluster
            .server()
            .writes()
            .take_while(|record| record.revision > self.revision)
            .take(WRITES_MAX)
            .map(write)
            .collect();
        for write in fresh.iter().rev() {
            views.write(write);
        }
        self.revision = cluster.server().revision();
        for heard in cluster.take_heard() {
            let (namespace, name) = heard.from;
            views.request(heard.at, &Key::new(namespace, name), &heard.trace);
        }
        views.set_infra(infra(cluster));
        self.rules(cluster, views);
    }
}

impl Feed {
    /// The packet rules about the Service on the stage, printed anew when rules were published.
    fn rules(&mut self, cluster: &Cluster, views: &mut Views) {
        let proxy = cluster.process(Component::KubeProxy, "").map(|process| &process.body);
        let (Some(Body::Proxy(proxy)), Some(service)) = (proxy, views.service_shown()) else {
            return;
        };
        let state = (service.clone(), proxy.publications());
        if self.rules.as_ref() == Some(&state) {
            return;
        }
        let node = cluster.processes().iter().find(|p| matches!(p.body, Body::Kubelet(_)));
        let node = node.map(|process| process.node.clone()).unwrap_or_default();
        if proxy.rules(&node).services() <= SERVICES_MAX
            && let Some(tables) = proxy.view(&node)
        {
            views.set_rules(rules_about(service, &tables.save(Family::V4)));
        }
        self.rules = Some(state);
    }
}

/// The lines of a node's tables that are about a Service, without their comments.
fn rules_about(service: &Key, saved: &str) -> Vec<String> {
    let name = format!("\"{}/{}", service.namespace, service.name);
    let about = |line: &&str| {
        let rest = line.split_once(&name).map(|(_, rest)| rest);
        line.starts_with("-A") && rest.is_some_and(|rest| rest.starts_with(['"', ':', ' ']))
    };
    let lines = saved.lines().filter(about);
    lines.take(RULES_MAX).map(view::bare).collect()
}

/// The kind of this name.
pub fn kind_named(kind: &str) -> Option<&'static KindInfo> {
    api::KINDS.iter().copied().find(|info| info.kind == kind)
}

/// A record of the ledger as the views take it.
pub fn write(record: &WriteRecord) -> Write {
    Write {
        revision: record.revision,
        kind: record.kind,
        key: record.key.clone(),
        verb: record.verb,
        actor: record.cause.actor.clone(),
        trigger: record.cause.trigger,
        by_hand: matches!(record.cause.trigger, Trigger::Command(_)),
        at: record.time,
    }
}

/// What runs and what is joined.
pub fn infra(cluster: &Cluster) -> Infra {
    let runs = |component: Component| {
        let replicas = cluster.processes().iter().filter(|process| process.component == component);
        replicas.map(|process| process.running).reduce(|one, other| one || other)
    };
    let mut parts = vec![
        part(Kind::ApiServer, "kube-apiserver", cluster.server_running()),
        part(Kind::Etcd, "etcd", true),
    ];
    for (component, kind) in [
        (Component::ControllerManager, Kind::ControllerManager),
        (Component::Scheduler, Kind::Scheduler),
        (Component::CloudControllerManager, Kind::CloudControllerManager),
    ] {
        parts.extend(runs(component).map(|running| part(kind, component.as_str(), running)));
    }
    let provider = cluster.cloud().map(|cloud| (cloud.provider().name(), cloud.is_reachable()));
    parts.extend(provider.map(|(name, answers)| part(Kind::Provider, name, answers)));
    let proxies = cluster.process(Component::KubeProxy, "");
    let mut machines = BTreeMap::new();
    for process in cluster.processes() {
        // Kubelets without a node are those of machines that are gone.
        if !matches!(process.body, Body::Kubelet(_)) || process.node.is_empty() {
            continue;
        }
        let machine = Machine {
            powered: cluster.has_power(&process.node),
            joined: !process.link.is_partitioned(),
            kubelet: process.running,
            kube_proxy: proxies.map(|process_all| process_all.running),
        };
        if machine != Machine::default() {
            machines.insert(process.node.clone(), machine);
        }
    }
    Infra { parts, machines }
}

fn part(kind: Kind, name: &str, running: bool) -> Part {
    Part { kind, name: name.into(), running }
}

/// Microseconds since the start.
pub fn micros(at: Instant) -> u64 {
    (at - Instant::START).0.max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_about_a_service_are_told_from_those_of_its_neighbours() {
        let saved = "\
-A KUBE-SERVICES -d 10.96.0.7/32 -m comment --comment \"default/web cluster IP\" -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.96.0.8/32 -m comment --comment \"default/web-2 cluster IP\" -j KUBE-SVC-B
-A KUBE-SVC-A -m comment --comment \"default/web:http -> 10.244.1.2:80\" -j KUBE-SEP-A
";
        assert_eq!(
            rules_about(&Key::new("default", "web"), saved),
            ["-A KUBE-SERVICES -d 10.96.0.7/32 -j KUBE-SVC-A", "-A KUBE-SVC-A -j KUBE-SEP-A"]
        );
    }
}
