//! Clusters in few words, for tests.
//!
//! A node: `a cpu=4 zone=x taint=k=v:NoSchedule image=nginx:1=500 cordoned`. A pod: `p on=a cpu=1
//! app=web priority=5 port=80 ns=other`, followed by ` | ` and JSON for its spec where needed.

use std::sync::Arc;

use api::core::v1::{Container, ContainerImage, ContainerPort, Node, Pod, PodSpec, Taint};
use api::{Decode, Json, PlacedSpec, Quantity, Value as _};
use base::{Rng, Str};

use crate::cache::Cache;
use crate::cycle::{Cursor, Cycle, Outcome};
use crate::memo::Memo;
use crate::plugins::{Incoming, Plugin, Prepared, State};
use crate::profile::Profile;

/// Reads a node.
pub fn node(text: &str) -> Node {
    let mut words = text.split_whitespace();
    let mut node = Node::default();
    let name = words.next().expect("a name");
    let meta = Arc::make_mut(&mut node.metadata);
    meta.name = name.into();
    meta.labels.insert("kubernetes.io/hostname", name.into());
    let spec = Arc::make_mut(&mut node.spec);
    let status = Arc::make_mut(&mut node.status);
    status.allocatable.insert("pods", quantity("110"));
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "cordoned" => spec.unschedulable = true,
            "cpu" | "memory" | "pods" => {
                status.allocatable.insert(key, quantity(value));
            }
            "taint" => {
                let (rest, effect) = value.split_once(':').expect("an effect");
                let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
                spec.taints.push(Taint {
                    key: key.into(),
                    value: value.into(),
                    effect: effect.into(),
                    ..Taint::default()
                });
            }
            "image" => {
                let (name, mebibytes) = value.split_once('=').expect("a size");
                let size = mebibytes.parse::<i64>().expect("a size") << 20;
                let names = base::list![Str::from(name)];
                status.images.push(ContainerImage { names, size_bytes: Some(size) });
            }
            "zone" => {
                meta.labels.insert("topology.kubernetes.io/zone", value.into());
            }
            _ if key.contains('/') => {
                status.allocatable.insert(key, quantity(value));
            }
            _ => {
                meta.labels.insert(key, value.into());
            }
        }
    }
    node
}

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).expect("a quantity")
}

/// Reads a pod.
pub fn pod(text: &str) -> Pod {
    let (words, json) = text.split_once(" | ").unwrap_or((text, "{}"));
    let mut spec = PodSpec::default();
    let mut cx = Decode::new();
    spec.take(Json::parse(json.as_bytes()).expect("JSON"), &mut cx);
    assert!(cx.error.is_none() && cx.strict.is_empty(), "{:?} {:?}", cx.error, cx.strict);
    if spec.containers.is_empty() {
        spec.containers.push(Container { image: "app:1".into(), ..Container::default() });
    }
    let mut pod = Pod::default();
    let mut on = Str::new();
    let meta = Arc::make_mut(&mut pod.metadata);
    meta.namespace = "default".into();
    let mut words = words.split_whitespace();
    meta.name = words.next().expect("a name").into();
    meta.uid = format!("uid-{}", meta.name).into();
    for word in words {
        let (key, value) = word.split_once('=').expect("key=value");
        match key {
            "on" => on = value.into(),
            "ns" => meta.namespace = value.into(),
            "priority" => spec.priority = Some(value.parse().expect("a number")),
            "port" => spec.containers[0].ports.push(ContainerPort {
                container_port: 80,
                host_port: value.parse().expect("a port"),
                ..ContainerPort::default()
            }),
            "image" => spec.containers[0].image = value.into(),
            "cpu" | "memory" => {
                spec.containers[0].resources.requests.insert(key, quantity(value));
            }
            _ if key.contains('/') => {
                spec.containers[0].resources.requests.insert(key, quantity(value));
            }
            _ => {
                meta.labels.insert(key, value.into());
            }
        }
    }
    pod.spec = PlacedSpec::new(Arc::new(spec));
    pod.spec.node_name = on;
    pod
}

/// A cluster of nodes and pods.
pub fn cluster(nodes: &[&str], pods: &[&str]) -> Cache {
    let mut cache = Cache::default();
    for text in nodes {
        cache.set_node(Arc::new(node(text)));
    }
    for text in pods {
        let pod = pod(text);
        cache.place(&pod, &pod.spec.node_name);
    }
    cache.refresh();
    cache
}

/// What a default plugin says of each node: `a:ok b:Insufficient cpu`, `!` after what taking pods
/// away cannot help.
pub fn verdicts(plugin: &str, nodes: &[&str], pods: &[&str], incoming: &str) -> String {
    verdicts_in(plugin, &mut cluster(nodes, pods), incoming)
}

/// The same in a cluster that is there.
pub fn verdicts_in(plugin: &str, cache: &mut Cache, incoming: &str) -> String {
    let standard = Profile::standard("default-scheduler".into());
    let slot = standard.slots.iter().find(|slot| slot.plugin.name() == plugin).expect("a plugin");
    let incoming = Incoming::new(cache, &Arc::new(pod(incoming)), None);
    let mut state = State::default();
    let prepared = slot.plugin.pre_filter(&incoming, cache, &mut state);
    let mut words = Vec::new();
    for id in by_name(cache) {
        let verdict = match &prepared {
            Prepared::Skip => crate::plugins::Verdict::Pass,
            Prepared::Only(ids) if !ids.contains(&id) => {
                words.push(format!("{}:-", cache.nodes[id as usize].name));
                continue;
            }
            Prepared::Reject(verdict) => verdict.clone(),
            _ => slot.plugin.filter(&incoming, cache, id, &state),
        };
        let mark = match &verdict {
            crate::plugins::Verdict::Unresolvable(_) => "!",
            _ => "",
        };
        let reasons = verdict.reasons().join("+");
        let text = if reasons.is_empty() { "ok".into() } else { reasons };
        words.push(format!("{}:{text}{mark}", cache.nodes[id as usize].name));
    }
    words.join(" ")
}

fn by_name(cache: &Cache) -> Vec<crate::cache::NodeId> {
    cache.by_name.values().copied().collect()
}

/// The normalised score that a default plugin gives each node: `a:100 b:0`; nothing if it does not
/// score.
pub fn scores(plugin: &str, nodes: &[&str], pods: &[&str], incoming: &str) -> String {
    let standard = Profile::standard("default-scheduler".into());
    let slot = standard.slots.iter().find(|slot| slot.plugin.name() == plugin).expect("a plugin");
    scores_by(&*slot.plugin, &mut cluster(nodes, pods), incoming)
}

/// The same by a plugin with arguments.
pub fn scores_by(plugin: &dyn Plugin, cache: &mut Cache, incoming: &str) -> String {
    let incoming = Incoming::new(cache, &Arc::new(pod(incoming)), None);
    scores_for(plugin, cache, &incoming)
}

/// The same for a pod that is worked out.
pub fn scores_for(plugin: &dyn Plugin, cache: &Cache, incoming: &Incoming) -> String {
    let mut state = State::default();
    let nodes = by_name(cache);
    plugin.pre_filter(incoming, cache, &mut state);
    if !plugin.pre_score(incoming, cache, &nodes, &mut state) {
        return String::new();
    }
    let mut scores: Vec<i64> =
        nodes.iter().map(|id| plugin.score(incoming, cache, *id, &state)).collect();
    plugin.normalize(&nodes, &mut scores, &state);
    let words = nodes.iter().zip(scores);
    let words = words.map(|(id, score)| format!("{}:{score}", cache.nodes[*id as usize].name));
    words.collect::<Vec<_>>().join(" ")
}

/// One cycle with a memory, without moving the cursor or using up chance.
pub fn cycle(cache: &mut Cache, memo: &mut Memo, incoming: &Incoming, seed: u64) -> Outcome {
    let profile = Profile::standard("default-scheduler".into());
    let mut cycle = Cycle { cache, profile: &profile, memo, percentage: 0, report: true };
    cycle.run(&mut Cursor::default(), &mut Rng::new(seed), incoming)
}
