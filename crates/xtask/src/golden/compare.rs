//! Two masked sets against each other: what pairs up, what is equal, and where the rest differs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::mask;

/// How much of something was equal, and what was not.
#[derive(Debug, Default, PartialEq)]
pub struct Score {
    /// What both sides have alike.
    pub equal: usize,
    /// All that there is on one side or the other.
    pub total: usize,
    /// One line a difference.
    pub differences: Vec<String>,
}

impl Score {
    /// Adds one thing to the count; it is equal where there is no difference.
    pub fn count(&mut self, differences: Vec<String>) {
        self.total += 1;
        self.equal += usize::from(differences.is_empty());
        self.differences.extend(differences);
    }

    /// Adds another score, its differences marked with where they were.
    pub fn add(&mut self, place: &str, other: Score) {
        self.equal += other.equal;
        self.total += other.total;
        self.differences.extend(other.differences.iter().map(|line| format!("{place}: {line}")));
    }
}

/// A value without the managed fields of the objects in it.
pub fn without_managed_fields(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_managed_fields).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(key, _)| *key != "managedFields")
                .map(|(key, value)| (key.clone(), without_managed_fields(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// Objects of a snapshot without their managed fields, and the managed fields alone.
pub fn objects(recorded: &[Value], ours: &[Value]) -> (Score, Score) {
    let without =
        |objects: &[Value]| -> Vec<Value> { objects.iter().map(without_managed_fields).collect() };
    let only = |objects: &[Value]| -> Vec<Value> {
        let short = |object: &Value| {
            let meta = &object["metadata"];
            serde_json::json!({"kind": object["kind"],
                "metadata": {"name": meta["name"], "managedFields": meta["managedFields"]}})
        };
        objects.iter().map(short).collect()
    };
    (paired(&without(recorded), &without(ours)), paired(&only(recorded), &only(ours)))
}

/// Recorded objects and ours, paired by kind and masked name, the likest first.
fn paired(recorded: &[Value], ours: &[Value]) -> Score {
    let mut score = Score::default();
    let (recorded, mut ours) = (by_name(recorded), by_name(ours));
    for (name, wanted) in recorded {
        let mut have = ours.remove(&name).unwrap_or_default();
        for want in wanted {
            let closest = have
                .iter()
                .enumerate()
                .map(|(at, have)| (differences(&want, have), at))
                .min_by_key(|(differences, _)| differences.len());
            match closest {
                Some((lines, at)) => {
                    have.remove(at);
                    score.count(lines.iter().map(|line| format!("{name} {line}")).collect());
                }
                None => score.count(vec![format!("{name} is missing")]),
            }
        }
        for _ in have {
            score.count(vec![format!("{name} is there once more")]);
        }
    }
    for name in ours.keys() {
        score.count(vec![format!("{name} is not in the recording")]);
    }
    score
}

fn by_name(objects: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for object in objects {
        groups.entry(name_of(object)).or_default().push(mask::object(object));
    }
    groups
}

/// Kind and name, with the random part of the name masked. Nodes keep theirs.
pub fn name_of(object: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (word(&object["kind"]), word(&object["metadata"]["name"]));
    if kind == "Node" { format!("{kind}/{name}") } else { format!("{kind}/{}", mask::name(&name)) }
}

/// The events of a snapshot as a set: type, reason, message, what they are about, who tells.
pub fn events(recorded: &[Value], ours: &[Value]) -> Score {
    let told = |events: &[Value]| -> std::collections::BTreeSet<String> {
        events.iter().map(event_line).collect()
    };
    let (recorded, ours) = (told(recorded), told(ours));
    let mut score = Score::default();
    for line in recorded.union(&ours) {
        score.count(match (recorded.contains(line), ours.contains(line)) {
            (true, true) => Vec::new(),
            (true, false) => vec![format!("- {line}")],
            _ => vec![format!("+ {line}")],
        });
    }
    score
}

fn event_line(event: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let about = &event["involvedObject"];
    let teller = match word(&event["source"]["component"]) {
        none if none.is_empty() => word(&event["reportingComponent"]),
        component => component,
    };
    let (kind, place) = (word(&about["kind"]), word(&about["fieldPath"]));
    let (about, message) =
        (mask::name(&word(&about["name"])), mask::text(&word(&event["message"])));
    let head = format!("{} {} {kind}", word(&event["type"]), word(&event["reason"]));
    match pulled(&message) {
        // Whose pod came to a node first is chance.
        Some(_) if message.starts_with("Pulling") => format!("{head} {teller}: {message}"),
        Some(image) => format!("{head}/{about} {place} {teller}: {image} is there"),
        None => format!("{head}/{about} {place} {teller}: {message}"),
    }
}

/// The image that a message says is being pulled, has been pulled or was there already.
fn pulled(message: &str) -> Option<&str> {
    ["Successfully pulled image ", "Container image ", "Pulling image "].into_iter().find_map(
        |start| {
            let rest = &message[message.find(start)? + start.len()..];
            let told = start != "Container image " || rest.contains(" already present on machine");
            rest.split(' ').next().filter(|_| told)
        },
    )
}

/// Where two values differ: `path: recorded → ours`.
pub fn differences(recorded: &Value, ours: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", recorded, ours, &mut lines);
    lines
}

fn compare(path: &str, recorded: &Value, ours: &Value, lines: &mut Vec<String>) {
    match (recorded, ours) {
        (Value::Object(want), Value::Object(have)) => {
            for (key, value) in want {
                let path = format!("{path}.{key}");
                match have.get(key) {
                    Some(ours) => compare(&path, value, ours, lines),
                    None => lines.push(format!("{path}: {} → nothing", short(value))),
                }
            }
            for (key, value) in have.iter().filter(|(key, _)| !want.contains_key(*key)) {
                lines.push(format!("{path}.{key}: nothing → {}", short(value)));
            }
        }
        (Value::Array(want), Value::Array(have)) if want.len() == have.len() => {
            for (i, (want, have)) in want.iter().zip(have).enumerate() {
                compare(&format!("{path}[{i}]"), want, have, lines);
            }
        }
        (want, have) if want == have => {}
        (want, have) => lines.push(format!("{path}: {} → {}", short(want), short(have))),
    }
}

/// A value on one line of bearable length.
pub fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The output of a command, recorded and ours. Lines of a table may come in another order, because names are
/// chance; the widths of columns too.
pub fn output(what: &str, command: &str, recorded: &str, ours: &str) -> Vec<String> {
    let (recorded, ours) = (lines_of(command, recorded), lines_of(command, ours));
    let missing = recorded.iter().filter(|line| !ours.contains(line));
    let mut lines: Vec<String> = missing.map(|line| format!("{what} - {line}")).collect();
    let added = ours.iter().filter(|line| !recorded.contains(line));
    lines.extend(added.map(|line| format!("{what} + {line}")));
    if lines.is_empty() && recorded != ours {
        lines.push(format!("{what}: {} lines → {} lines", recorded.len(), ours.len()));
    }
    lines
}

fn lines_of(command: &str, output: &str) -> Vec<String> {
    let mut lines: Vec<String> = output.lines().filter_map(line_of).collect();
    if command.contains(" rollout status ") && lines.len() > 1 {
        // How many steps were seen depends on who was quicker.
        lines.drain(..lines.len() - 1);
    }
    if command.contains(" get ") || command.contains(" describe ") {
        lines.sort();
    }
    if command.contains(" events") || command.contains(" describe ") {
        lines.dedup();
    }
    lines
}

/// A line as it is compared; `None` for what only one of the two kubectls says, or what is chance as a whole.
fn line_of(raw: &str) -> Option<String> {
    // The recorded cluster had no DNS server.
    let aside = ["Rolling back will not update", "Pulling image ", "pod/coredns-", "/coredns-"];
    if aside.iter().any(|words| raw.contains(words)) {
        return None;
    }
    let mut words: Vec<&str> = raw.split_whitespace().collect();
    // A newer kubectl names the part of the pod that an event is about, and the namespace that it deleted in.
    words.retain(|word| !(word.starts_with("spec.") && word.ends_with("}:")));
    if let [.., "deleted", "from", _, "namespace"] = words[..] {
        words.truncate(words.len() - 3);
    }
    let line = mask::text(&words.join(" "));
    if line.starts_with("resourceVersion: ") {
        return Some("resourceVersion".to_owned());
    }
    let line = match (pulled(&line), line.find("Successfully"), line.find("Container image")) {
        (Some(image), Some(at), _) | (Some(image), _, Some(at)) => {
            format!("{}{image} is there", &line[..at])
        }
        _ => line,
    };
    // An older kubectl has other words for the volume with the token, and tells where there are no events.
    if matches!(&*line, "ConfigMapOptional: <nil>" | "Optional: false" | "Events: <none>") {
        return None;
    }
    Some(match (line.find("(x"), line.find("over <duration>)")) {
        (Some(from), Some(to)) if from < to => {
            format!("{}{}", &line[..from], line[to + "over <duration>)".len()..].trim_start())
        }
        _ => line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, phase: &str) -> Value {
        json!({"kind": "Pod", "metadata": {"name": name}, "status": {"phase": phase}})
    }

    #[test]
    fn pods_pair_up_by_likeness_whatever_their_random_names() {
        let recorded = [pod("web-x7k2p", "Running"), pod("web-bbbbb", "Failed")];
        let ours = [pod("web-ccccc", "Failed"), pod("web-ddddd", "Running")];
        assert_eq!(objects(&recorded, &ours).0.equal, 2);
    }

    #[test]
    fn what_is_missing_or_too_much_counts_against_us() {
        let (score, _) = objects(&[pod("a", "Running")], &[pod("b", "Running")]);
        assert_eq!((score.equal, score.total), (0, 2));
        assert_eq!(score.differences, ["Pod/a is missing", "Pod/b is not in the recording"]);
    }

    #[test]
    fn a_difference_names_its_path() {
        let lines = differences(&pod("a", "Running"), &pod("a", "Pending"));
        assert_eq!(lines, [".status.phase: \"Running\" → \"Pending\""]);
    }

    #[test]
    fn events_are_a_set_whatever_their_count() {
        let event = |reason: &str| json!({"reason": reason, "message": "in 3s", "type": "Normal"});
        let score = events(&[event("A"), event("A"), event("B")], &[event("A"), event("C")]);
        assert_eq!((score.equal, score.total), (1, 3));
    }

    #[test]
    fn tables_are_equal_whatever_their_widths_and_order() {
        let recorded = "NAME READY AGE\nweb-x7k2p  1/1  3s\nweb-bbbbb  0/1  1m5s\n";
        let ours = "NAME READY AGE\nweb-ccccc 0/1 4s\nweb-ddddd   1/1 2s\n";
        assert!(output("stdout", "kubectl get pods", recorded, ours).is_empty());
        assert!(!output("stdout", "kubectl logs x", recorded, ours).is_empty());
    }

    #[test]
    fn counts_of_events_and_words_of_newer_kubectls_are_left_aside() {
        let recorded = "Warning BackOff 6s (x2 over 20s) kubelet spec.containers{c}: Back-off\n\
                        pod \"a\" deleted from default namespace";
        let ours = "Warning BackOff 7s kubelet Back-off\npod \"a\" deleted";
        assert_eq!(output("stdout", "kubectl describe pod a", recorded, ours), [""; 0]);
    }

    #[test]
    fn which_pod_pulled_an_image_first_is_chance() {
        let event = |name: &str, message: &str| {
            json!({"reason": "Pulled", "involvedObject": {"kind": "Pod", "name": name},
                "message": message})
        };
        let there =
            "Container image \"a:1\" already present on machine and can be accessed by the pod";
        let came = "Successfully pulled image \"a:1\" in 2s (3s including waiting). Image size: 10000 bytes.";
        let score = events(&[event("x", there)], &[event("x", came)]);
        assert_eq!((score.equal, score.total), (1, 1));
        assert_eq!(events(&[event("x", there)], &[event("y", came)]).equal, 0);
    }
}
