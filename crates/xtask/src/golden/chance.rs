//! Words that one run chose and that later words depend on: versions in bodies, hashes of restarted templates.

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

    /// One of our texts with the recorded words.
    pub fn recorded(&self, ours: &str) -> String {
        self.pairs.iter().fold(ours.to_owned(), |text, (theirs, ours)| text.replace(ours, theirs))
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
