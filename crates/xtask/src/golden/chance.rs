//! Words that one run chose and that later words depend on: versions in bodies, hashes of restarted templates, and
//! which of several like pods got a place that later commands meet.

use std::collections::BTreeMap;

use serde_json::Value;

/// Recorded words and ours that stand for the same thing.
#[derive(Default)]
pub struct Pairs {
    pairs: Vec<(String, String)>,
}

impl Pairs {
    /// Learns the version, uid and time of an object from what both sides were answered.
    pub fn learn(&mut self, recorded: &Value, ours: &Value) {
        for key in ["resourceVersion", "uid", "creationTimestamp"] {
            let word = |answer: &Value| Some(answer["body"]["metadata"][key].as_str()?.to_owned());
            if let (Some(recorded), Some(ours)) = (word(recorded), word(ours)) {
                let quoted = |word: &str| format!("\"{key}\":\"{word}\"");
                self.pairs.insert(0, (quoted(&recorded), quoted(&ours)));
            }
        }
    }

    /// A recorded text with our words.
    pub fn ours(&self, recorded: &str) -> String {
        let mut text = recorded.to_owned();
        for (theirs, ours) in &self.pairs {
            if text.contains(theirs.as_str()) {
                text = text.replace(theirs.as_str(), ours);
            }
        }
        text
    }

    /// Pairs the hashes of templates that hold the time of a restart, in the order in which they came.
    pub fn of_restarts<'a>(
        recorded: &BTreeMap<String, Vec<Value>>,
        ours: impl Fn(&str) -> Vec<Value> + 'a,
    ) -> Pairs {
        let mut pairs = Vec::new();
        for kind in ["replicasets", "controllerrevisions"] {
            let Some(changes) = recorded.get(kind) else { continue };
            pairs.extend(restarted(changes).into_iter().zip(restarted(&ours(kind))));
        }
        Pairs { pairs }
    }

    /// Pairs pods that are alike but for their names by the node that they got: equal nodes are chosen by lot.
    pub fn with_places(mut self, recorded: &[Value], ours: &[Value]) -> Pairs {
        let (recorded, ours) = (placed(recorded), placed(ours));
        for (_, spec, _) in recorded.iter().filter(|pod| first_of_its_kind(pod, &recorded)) {
            let mut free: Vec<&Placed> = ours.iter().filter(|pod| pod.1 == *spec).collect();
            let alike = recorded.iter().filter(|pod| pod.1 == *spec);
            let seats: Option<Vec<_>> = alike
                .map(|(name, _, node)| {
                    let at = free.iter().position(|pod| pod.2 == *node)?;
                    Some((name.clone(), free.remove(at).0.clone()))
                })
                .collect();
            // Without the same nodes on both sides it is no mere lot: then the names stay.
            let moved = seats.into_iter().flatten().filter(|(theirs, ours)| theirs != ours);
            self.pairs.extend(moved);
        }
        self
    }

    /// One of our texts with the recorded words.
    pub fn recorded(&self, ours: &str) -> String {
        // Two pods may have changed places: no word is replaced twice.
        let mark = |number: usize| format!("\u{1}{number}\u{2}");
        let pairs = || self.pairs.iter().enumerate();
        let marked =
            pairs().fold(ours.to_owned(), |text, (i, pair)| text.replace(&pair.1, &mark(i)));
        pairs().fold(marked, |text, (i, pair)| text.replace(&mark(i), &pair.0))
    }

    /// Our values with the recorded words.
    pub fn recorded_values(&self, ours: &[Value]) -> Vec<Value> {
        let renamed = |value: &Value| {
            let text = value.to_string();
            serde_json::from_str(&self.recorded(&text)).unwrap_or_else(|_| value.clone())
        };
        if self.pairs.is_empty() { ours.to_vec() } else { ours.iter().map(renamed).collect() }
    }
}

/// A pod made by hand: its name, its spec as it was asked for, its node.
type Placed = (String, Value, String);

fn first_of_its_kind(pod: &Placed, all: &[Placed]) -> bool {
    all.iter().find(|other| other.1 == pod.1).is_some_and(|first| std::ptr::eq(first, pod))
}

fn placed(changes: &[Value]) -> Vec<Placed> {
    let mut out: Vec<Placed> = Vec::new();
    for change in changes {
        let pod = &change["object"];
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let Some(node) = pod["spec"]["nodeName"].as_str() else { continue };
        let is_owned = pod["metadata"].get("ownerReferences").is_some();
        if !is_owned && !out.iter().any(|seen| seen.0 == name) {
            // What admission adds has a name of its own in each pod.
            let spec: Vec<Value> = ["containers", "initContainers"]
                .map(|part| without_mounts(&pod["spec"][part]))
                .into_iter()
                .chain(["affinity", "nodeSelector", "tolerations"].map(|k| pod["spec"][k].clone()))
                .collect();
            out.push((name.to_owned(), Value::Array(spec), node.to_owned()));
        }
    }
    out
}

fn without_mounts(containers: &Value) -> Value {
    let mut containers = containers.clone();
    for container in containers.as_array_mut().into_iter().flatten() {
        if let Some(fields) = container.as_object_mut() {
            fields.remove("volumeMounts");
        }
    }
    containers
}

fn restarted(changes: &[Value]) -> Vec<String> {
    let mut hashes: Vec<String> = Vec::new();
    for change in changes {
        let object = &change["object"];
        let template = [&object["spec"], &object["data"]["spec"]].into_iter().find_map(|spec| {
            spec["template"]["metadata"]["annotations"].get("kubectl.kubernetes.io/restartedAt")
        });
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let Some((_, hash)) = name.rsplit_once('-').filter(|_| template.is_some()) else {
            continue;
        };
        if !hashes.iter().any(|seen| seen == hash) {
            hashes.push(hash.to_owned());
        }
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_asks_for_the_version_that_we_gave() {
        let answer = |version: &str| json!({"body": {"metadata": {"resourceVersion": version}}});
        let mut pairs = Pairs::default();
        pairs.learn(&answer("7"), &answer("9"));
        let body = r#"{"metadata":{"resourceVersion":"7"}}"#;
        assert_eq!(pairs.ours(body), r#"{"metadata":{"resourceVersion":"9"}}"#);
    }

    #[test]
    fn like_pods_that_changed_places_are_called_as_recorded() {
        let pod = |name: &str, node: &str, image: &str| {
            json!({"object": {"metadata": {"name": name},
                "spec": {"nodeName": node, "containers": [{"image": image}]}}})
        };
        let recorded = [pod("a", "n1", "x"), pod("b", "n2", "x"), pod("c", "n3", "y")];
        let ours = [pod("a", "n2", "x"), pod("b", "n1", "x"), pod("c", "n1", "y")];
        let pairs = Pairs::default().with_places(&recorded, &ours);
        assert_eq!(pairs.recorded("a b c"), "b a c");
    }

    #[test]
    fn hashes_of_restarted_templates_are_paired_in_their_order() {
        let set = |hash: &str| {
            json!({"object": {"metadata": {"name": format!("web-{hash}")}, "spec": {"template":
                {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}})
        };
        let recorded = BTreeMap::from([("replicasets".to_owned(), vec![set("aa"), set("bb")])]);
        let pairs = Pairs::of_restarts(&recorded, |_| vec![set("cc"), set("cc"), set("dd")]);
        assert_eq!(pairs.recorded("web-cc web-dd"), "web-aa web-bb");
    }
}
