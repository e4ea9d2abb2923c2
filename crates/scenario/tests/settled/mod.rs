//! The state of a cluster without what chance and the clock decide.

use api::core::v1::Node;
use api::wire::Interest;
use api::{Json, Kind as _};
use base::{BTreeMap, BTreeSet, Str};
use cluster::Cluster;

/// What comes and goes by itself, or says when something happened.
const LEFT_OUT: &[&str] = &["Event", "Lease"];
/// Fields that say when, or that are drawn by chance.
const MASKED: &[&str] = &[
    "uid",
    "resourceVersion",
    "managedFields",
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "observedGeneration",
    "podIP",
    "podIPs",
    "ip",
    "addresses",
    "containerID",
    "imageID",
    "nodeName",
    "hostIP",
    "hostIPs",
    "restartCount",
    "images",
    "bootID",
    "lastState",
    "timeAdded",
];

/// All objects, each in one line, without what may differ.
#[derive(Debug, PartialEq)]
pub struct Settled(Vec<String>);

impl Settled {
    /// The state of a cluster now.
    pub fn of(cluster: &Cluster) -> Settled {
        let kinds = api::KINDS.iter().filter(|kind| !LEFT_OUT.contains(&kind.kind));
        let stored = kinds
            .filter(|kind| apiserver::registry::of(kind).is_some_and(|row| row.stored.is_none()));
        let mut objects: Vec<Json> = Vec::new();
        for kind in stored {
            let list = cluster.server().list(&Interest::all(kind)).map(|list| list.items);
            objects.extend(list.unwrap_or_default().iter().map(|object| object.to_json().sorted()));
        }
        let names = Names::of(&objects, &ranges(cluster));
        let mut lines: Vec<String> = objects.iter().map(|object| names.line(object)).collect();
        lines.sort();
        Settled(lines)
    }
}

/// The ranges of pod addresses of nodes, by their UIDs.
pub type Ranges = BTreeMap<Str, Str>;

/// Which range of pod addresses each node has now.
pub fn ranges(cluster: &Cluster) -> Ranges {
    let list = cluster.server().list(&Interest::all(Node::INFO)).map(|list| list.items);
    let range = |node: &Node| (node.metadata.uid.clone(), node.spec.pod_cidr.clone());
    let nodes = list.unwrap_or_default();
    nodes.iter().filter_map(|node| node.get::<Node>().map(range)).collect()
}

/// The first objects that differ.
pub fn difference(expected: &Settled, found: &Settled) -> Option<String> {
    let count = |lines: &[String]| {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        lines.iter().for_each(|line| *counts.entry(line.clone()).or_default() += 1);
        counts
    };
    let (a, b) = (count(&expected.0), count(&found.0));
    let only = |here: &BTreeMap<String, i64>, there: &BTreeMap<String, i64>| -> Vec<String> {
        let missing = here.iter().filter(|(line, n)| there.get(*line).unwrap_or(&0) < n);
        missing.map(|(line, _)| line.clone()).collect()
    };
    let (gone, new) = (only(&a, &b), only(&b, &a));
    if gone.is_empty() && new.is_empty() {
        return None;
    }
    let mut text = String::new();
    for (gone, new) in gone.iter().zip(&new).take(2) {
        let at = gone.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
        let around = |line: &str| {
            let (from, to) = (at.saturating_sub(60), (at + 160).min(line.len()));
            let head: String = line.chars().take(90).collect();
            format!("{head} … {}", String::from_utf8_lossy(&line.as_bytes()[from..to]))
        };
        text.push_str(&format!("\n  - {}\n  + {}", around(gone), around(new)));
    }
    let rest = |lines: &[String], from: usize, sign: char| -> String {
        let heads = lines.iter().skip(from).take(3);
        heads
            .map(|line| format!("\n  {sign} {}", line.chars().take(300).collect::<String>()))
            .collect()
    };
    let paired = gone.len().min(new.len());
    text.push_str(&rest(&gone, paired, '-'));
    text.push_str(&rest(&new, paired, '+'));
    Some(text)
}

/// Names that chance had a part in, longest first, with what stands for them.
struct Names(Vec<(String, String)>);

impl Names {
    fn of(objects: &[Json], ranges: &Ranges) -> Names {
        let mut drawn: BTreeSet<(usize, String, String)> = BTreeSet::new();
        for object in objects {
            let Some(meta) = object.get("metadata") else { continue };
            let text =
                |key: &str| meta.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
            let (name, prefix, uid) = (text("name"), text("generateName"), text("uid"));
            if object.get("kind").and_then(Json::as_str) == Some("Node") {
                drawn.insert((usize::MAX - name.len(), name.clone(), "NODE".to_string()));
                let spec = |key: &str| object.get("spec")?.get(key)?.as_str().map(str::to_string);
                let machine = spec("providerID").unwrap_or_default();
                if let Some((_, id)) = machine.rsplit_once('/') {
                    drawn.insert((usize::MAX - id.len(), id.to_string(), "MACHINE".to_string()));
                }
                // Which of the free ranges a new node gets, depends on what was given out since the controller
                // manager started. That nobody else has it, does not.
                if let Some(range) = spec("podCIDR")
                    && ranges.iter().filter(|(_, known)| **known == range).count() == 1
                {
                    drawn.insert((usize::MAX - range.len(), range, "RANGE".to_string()));
                }
            }
            if !uid.is_empty() {
                drawn.insert((usize::MAX - uid.len(), uid, "UID".to_string()));
            }
            if !prefix.is_empty() && name.starts_with(&prefix) {
                drawn.insert((usize::MAX - name.len(), name, format!("{prefix}?")));
            }
        }
        Names(drawn.into_iter().map(|(_, name, mask)| (name, mask)).collect())
    }

    fn line(&self, object: &Json) -> String {
        let mut text = masked(object).to_string();
        for (name, mask) in &self.0 {
            if text.contains(name.as_str()) {
                text = text.replace(name.as_str(), mask);
            }
        }
        text
    }
}

/// The object without the fields that may differ.
fn masked(value: &Json) -> Json {
    match value {
        Json::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| {
                let key: &str = key;
                let is_time = ["Time", "-time", "At"].iter().any(|end| key.ends_with(end));
                !MASKED.contains(&key) && !is_time
            });
            let mut kept: Vec<_> = kept.map(|(key, value)| (key.clone(), masked(value))).collect();
            kept.retain(|(_, value)| *value != Json::object());
            if is_crashing(value) {
                kept.retain(|(key, _)| *key != "state");
                kept.push(("state".into(), Json::str("CRASHING")));
            }
            Json::Object(kept)
        }
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(masked).collect();
            items.sort_by_cached_key(|item| item.to_string());
            Json::Array(items)
        }
        other => other.clone(),
    }
}

/// Whether this is the status of a container that ends again and again. When it does depends on when its pod was
/// placed: a moment shows it just ended, or waiting to be started again for a time that grows.
fn is_crashing(value: &Json) -> bool {
    let again = value.get("restartCount").and_then(Json::as_i64).is_some_and(|count| count > 0);
    let waits = value.at(&["state", "waiting", "reason"]).and_then(Json::as_str);
    let ended = value.at(&["state", "terminated", "exitCode"]).and_then(Json::as_i64);
    again && (waits == Some("CrashLoopBackOff") || ended.is_some_and(|code| code != 0))
}
