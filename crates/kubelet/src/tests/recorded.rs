//! The states that a real v1.36.2 kubelet wrote, compared field for field.
//!
//! `recorded.txt` holds pods as they were bound and every status that followed; identities, addresses and
//! times are replaced by constants.

use api::core::v1::Pod;
use api::json::Json;

use super::bench::Bench;

/// The recorded pod called `name` with its states; the flag tells those after its deletion.
fn recorded(name: &str) -> (String, Vec<(bool, Json)>) {
    let mut out: Option<(String, Vec<(bool, Json)>)> = None;
    for line in include_str!("recorded.txt").lines() {
        let (word, json) = line.split_once(' ').unwrap();
        match (word, &mut out) {
            ("pod", Some(_)) => break,
            ("pod", None) if json.contains(&format!("\"name\":\"{name}\",\"namespace\"")) => {
                out = Some((json.to_string(), Vec::new()));
            }
            ("state" | "ending", Some((_, states))) => {
                states.push((word == "ending", plain(Json::parse(json.as_bytes()).unwrap())));
            }
            _ => {}
        }
    }
    out.unwrap()
}

/// Identities and times made constant, keys in order.
fn plain(mut json: Json) -> Json {
    fn walk(json: &mut Json) {
        match json {
            Json::Array(items) => items.iter_mut().for_each(walk),
            Json::Object(entries) => entries.iter_mut().for_each(|(_, value)| walk(value)),
            Json::Str(text) => {
                let digest = text.split("sha256:").nth(1).is_some_and(|hex| hex.len() == 64);
                if text.starts_with("containerd://") {
                    *text = base::lit!("containerd://ID");
                } else if digest {
                    *text = format!("{}sha256:ID", text.split("sha256:").next().unwrap()).into();
                } else if text.len() == 20 && text.ends_with('Z') && text.contains('T') {
                    *text = base::lit!("TIME");
                }
            }
            _ => {}
        }
    }
    walk(&mut json);
    json.sorted()
}

/// Replays a recorded pod; deletes it after `delete` seconds.
fn check(name: &str, seconds: f64, delete: Option<f64>) {
    let (pod, mut want) = recorded(name);
    let mut bench = Bench::new();
    bench.put(&pod);
    bench.run(delete.unwrap_or(seconds));
    if delete.is_some() {
        bench.delete(name, 30);
        bench.run(seconds);
    } else {
        want.retain(|(ending, _)| !ending);
    }
    let mut got: Vec<(bool, Json)> = Vec::new();
    for (_, pod) in bench.states.iter().filter(|(_, pod)| pod.metadata.name == name).skip(1) {
        let state = (pod.metadata.deletion_timestamp.is_some(), plain(status(pod)));
        if got.last() != Some(&state) {
            got.push(state);
        }
    }
    got.dedup_by(|a, b| a.1 == b.1);
    // The last recorded state drops the allocation from a pod that is deleted the moment after.
    if delete.is_some() {
        want.pop();
    }
    for (i, ((_, want), (_, got))) in want.iter().zip(&got).enumerate() {
        assert_eq!(want.pretty(), got.pretty(), "state {i} of {name}");
    }
    assert_eq!(want.len(), got.len(), "states of {name}");
    assert!(want.len() > 4, "{name} is not recorded");
}

fn status(pod: &Pod) -> Json {
    use api::Value as _;
    pod.status.to_json()
}

#[test]
fn a_pod_with_init_containers_and_a_sidecar_until_its_deletion() {
    check("demo", 10.0, Some(20.0));
}

#[test]
fn a_crashing_pod() {
    check("crash", 22.0, None);
}

#[test]
fn a_pod_that_fails_once() {
    check("once", 10.0, None);
}
