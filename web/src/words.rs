//! Times, numbers and texts as people read them.

use std::collections::BTreeMap;

use protocol::{Key, Kind, Micros, Speed, State};

/// The speeds of the timeline, slowest first.
pub const SPEEDS: [Speed; 10] = [
    Speed::Times(0.25),
    Speed::Times(0.5),
    Speed::Times(1.0),
    Speed::Times(2.0),
    Speed::Times(4.0),
    Speed::Times(8.0),
    Speed::Times(16.0),
    Speed::Times(32.0),
    Speed::Times(64.0),
    Speed::Max,
];

/// A speed in words.
pub fn speed(speed: Speed) -> String {
    match speed {
        Speed::Times(times) => format!("{times}×"),
        Speed::Max => "as fast as possible".into(),
    }
}

/// A moment: `0:04.2`, `12:34.5`, `3:02:01`.
pub fn moment(at: Micros) -> String {
    let tenths = at / 100_000;
    let (s, tenth) = (tenths / 10, tenths % 10);
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}.{tenth}", s / 60, s % 60)
    }
}

/// A short time: `0.4 ms`, `12 ms`, `1.5 s`.
pub fn duration(took: Micros) -> String {
    match took {
        0..10_000 => format!("{:.1} ms", took as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", took / 1000),
        _ => format!("{:.1} s", took as f64 / 1e6),
    }
}

/// A status in words: `Running, not ready`.
pub fn status(state: &State) -> String {
    match (state.word.as_str(), state.note.as_str()) {
        (word, "") => word.into(),
        ("", note) => note.into(),
        (word, note) => format!("{word}, {note}"),
    }
}

/// What an item is, in a word.
pub fn kind(kind: Kind) -> &'static str {
    kinds(kind).0
}

/// What one item is, and what several are.
pub fn kinds(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Client => ("client", "clients"),
        Kind::ApiServer => ("API server", "API servers"),
        Kind::Etcd => ("etcd", "etcd members"),
        Kind::ControllerManager => ("controller manager", "controller managers"),
        Kind::Scheduler => ("scheduler", "schedulers"),
        Kind::CloudControllerManager => ("cloud controller", "cloud controllers"),
        Kind::Provider => ("provider", "providers"),
        Kind::Node => ("node", "nodes"),
        Kind::Kubelet => ("kubelet", "kubelets"),
        Kind::KubeProxy => ("kube-proxy", "kube-proxies"),
        Kind::Waiting => ("lane", "lanes"),
        Kind::Pod => ("pod", "pods"),
        Kind::Container => ("container", "containers"),
        Kind::Endpoint => ("endpoint", "endpoints"),
        Kind::Rule => ("rule", "rules"),
        Kind::More => ("more", "more"),
        Kind::Deployment => ("Deployment", "Deployments"),
        Kind::ReplicaSet => ("ReplicaSet", "ReplicaSets"),
        Kind::DaemonSet => ("DaemonSet", "DaemonSets"),
        Kind::StatefulSet => ("StatefulSet", "StatefulSets"),
        Kind::Job => ("Job", "Jobs"),
        Kind::CronJob => ("CronJob", "CronJobs"),
        Kind::Service => ("Service", "Services"),
        Kind::Ingress => ("Ingress", "Ingresses"),
        Kind::ConfigMap => ("ConfigMap", "ConfigMaps"),
        Kind::Secret => ("Secret", "Secrets"),
        Kind::Volume => ("volume", "volumes"),
        Kind::Claim => ("claim", "claims"),
        Kind::StorageClass => ("storage class", "storage classes"),
        Kind::Namespace => ("namespace", "namespaces"),
        _ => ("object", "objects"),
    }
}

/// A piece of terminal output: text, or a name that selects its object.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Text.
    Text(String),
    /// A name.
    Name(String, Key),
}

/// Cuts a text at the names it mentions.
pub fn pieces(text: &str, names: &BTreeMap<String, Key>) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut plain = String::new();
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if is_name(first) {
            rest.find(|c| !is_name(c)).unwrap_or(rest.len())
        } else {
            rest.find(is_name).unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(end);
        match names.get(word) {
            Some(key) => {
                if !plain.is_empty() {
                    out.push(Piece::Text(std::mem::take(&mut plain)));
                }
                out.push(Piece::Name(word.into(), key.clone()));
            }
            None => plain.push_str(word),
        }
        rest = after;
    }
    if !plain.is_empty() {
        out.push(Piece::Text(plain));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        let names = BTreeMap::from([
            ("web-1".to_owned(), "pod/default/web-1".to_owned()),
            ("node-2".to_owned(), "node/node-2".to_owned()),
        ]);
        let cut: String = pieces(text, &names)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Name(name, _) => format!("[{name}]"),
            })
            .collect();
        assert_eq!(cut, want);
    }

    #[test]
    fn names_are_found_in_tables() {
        check("web-1   1/1   Running   node-2\n", "[web-1]   1/1   Running   [node-2]\n");
    }
    #[test]
    fn names_are_found_behind_a_slash_and_in_quotes() {
        check("pod/web-1 deleted, \"node-2\"", "pod/[web-1] deleted, \"[node-2]\"");
    }
    #[test]
    fn longer_names_are_other_names() {
        check("web-11 node-2x", "web-11 node-2x");
    }

    #[test]
    fn moments_and_durations_are_short() {
        assert_eq!(moment(4_250_000), "0:04.2");
        assert_eq!(moment(10_921_000_000), "3:02:01");
        assert_eq!(duration(450), "0.5 ms");
        assert_eq!(duration(12_300), "12 ms");
        assert_eq!(duration(1_500_000), "1.5 s");
    }
}
