//! Which crate may import which: the layers of the architecture.

use anyhow::Result;
use serde_json::Value;

use super::Problem;
use crate::process;

/// From this layer up a crate may touch the operating system or the browser.
pub const LAYER_OF_HOSTS: u8 = 7;

/// The parts of Kubernetes that meet through API objects only.
const LAYER_OF_PARTS: u8 = 4;

/// Every crate and its layer. `base` is below all others of its layer too.
const LAYERS: &[(&str, u8)] = &[
    ("base", 0),
    ("sim", 0),
    ("api", 1),
    ("network", 1),
    ("protocol", 1),
    ("etcd", 2),
    ("manifest", 2),
    ("apiserver", 3),
    ("client", 3),
    ("controller-manager", 4),
    ("scheduler", 4),
    ("cloud-controller-manager", 4),
    ("kubelet", 4),
    ("kube-proxy", 4),
    ("addons", 4),
    ("kubectl", 4),
    ("cluster", 5),
    ("scenario", 6),
    ("view", 6),
    ("worker", 7),
    ("orrery", 7),
    ("web", 7),
    ("xtask", 7),
];

/// What the page may import: no Kubernetes logic.
const SEEN_BY_WEB: &[&str] = &["base", "protocol"];

/// What parts of the cluster never import: they send requests, through `client`.
const HIDDEN_FROM_PARTS: &[&str] = &["apiserver", "etcd"];

/// Crates that bring the machine, its clock or its randomness along.
const HOST_ONLY: &[&str] = &[
    "getrandom",
    "gloo-timers",
    "hyper",
    "js-sys",
    "rand",
    "tokio",
    "wasm-bindgen",
    "wasm-bindgen-futures",
    "web-sys",
    "web-time",
];

/// JSON and YAML appear at the edges.
const FORMATS: &[(&str, &[&str])] = &[
    ("serde_yaml", &["manifest"]),
    (
        "serde_json",
        &["api", "apiserver", "manifest", "kubectl", "scenario", "worker", "orrery", "xtask"],
    ),
];

/// The layer of a crate.
pub fn layer_of(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

/// Reads `cargo metadata` and checks every edge.
pub fn check() -> Result<Vec<Problem>> {
    let mut cargo = process::cargo(["metadata", "--format-version=1", "--no-deps", "--offline"]);
    let metadata: Value = serde_json::from_str(&process::output(&mut cargo)?)?;
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let mut complain = |message| {
            problems.push(Problem { place: format!("crate {name}"), message });
        };
        if layer_of(name).is_none() {
            complain("has no layer; give it one in crates/xtask/src/tidy/layers.rs".to_owned());
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let for_tests = dependency["kind"].as_str() == Some("dev");
            if let Some(message) = fault(name, on, for_tests) {
                complain(message);
            }
        }
    }
    Ok(problems)
}

/// What is wrong with `name` importing `on`. Tests may use anything lower, hosts' crates included.
fn fault(name: &str, on: &str, for_tests: bool) -> Option<String> {
    let layer = layer_of(name)?;
    let Some(other) = layer_of(on) else {
        return if for_tests { None } else { outside_fault(name, layer, on) };
    };
    let lower = other < layer || (on == "base" && name != "base");
    if name == "web" && !SEEN_BY_WEB.contains(&on) {
        return Some(format!("imports {on}; the page sees only {}", SEEN_BY_WEB.join(" and ")));
    }
    if !lower {
        return Some(format!("of layer {layer} imports {on} of layer {other}"));
    }
    if layer == LAYER_OF_PARTS && !for_tests && HIDDEN_FROM_PARTS.contains(&on) {
        return Some(format!("imports {on}; parts meet through API objects, by way of client"));
    }
    None
}

fn outside_fault(name: &str, layer: u8, on: &str) -> Option<String> {
    if layer < LAYER_OF_HOSTS && HOST_ONLY.contains(&on) {
        return Some(format!("imports {on}, which belongs to the hosts of layer {LAYER_OF_HOSTS}"));
    }
    let (_, users) = FORMATS.iter().find(|(format, _)| *format == on)?;
    let message = format!("imports {on}, which only {} may", users.join(", "));
    (!users.contains(&name)).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, on: &str, allowed: bool) {
        assert_eq!(fault(name, on, false).is_none(), allowed, "{name} imports {on}");
    }

    #[test]
    fn lower_layers_may_be_imported() {
        check("sim", "base", true);
        check("kubectl", "manifest", true);
        check("cluster", "apiserver", true);
        check("orrery", "tokio", true);
    }

    #[test]
    fn equal_and_higher_layers_may_not() {
        check("base", "sim", false);
        check("api", "network", false);
        check("client", "apiserver", false);
        check("cluster", "view", false);
    }

    #[test]
    fn parts_meet_through_api_objects() {
        check("kubelet", "scheduler", false);
        check("scheduler", "apiserver", false);
        check("scheduler", "etcd", false);
        check("scheduler", "client", true);
    }

    #[test]
    fn tests_of_a_part_may_use_the_api_server() {
        assert_eq!(fault("kubectl", "apiserver", true), None);
        assert!(fault("kubectl", "cluster", true).is_some());
    }

    #[test]
    fn the_page_sees_the_protocol_only() {
        check("web", "protocol", true);
        check("web", "api", false);
        check("web", "view", false);
    }

    #[test]
    fn the_machine_stays_outside() {
        check("cluster", "getrandom", false);
        check("protocol", "wasm-bindgen", false);
        check("worker", "wasm-bindgen", true);
    }

    #[test]
    fn formats_stay_at_the_edges() {
        check("scenario", "serde_yaml", false);
        check("manifest", "serde_yaml", true);
        check("scheduler", "serde_json", false);
    }
}
