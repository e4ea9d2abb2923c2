//! The states that each object went through, recorded and ours.

use std::collections::BTreeMap;

use serde_json::Value;

use super::compare::{Score, differences, name_of};
use super::mask;

/// Compares the sequences of states object by object. Objects with random names pair up by likeness.
pub fn compare(kind: &str, recorded: &[Value], ours: &[Value]) -> Score {
    let mut score = Score::default();
    let (recorded, mut ours) = (sequences(recorded), sequences(ours));
    for (name, wanted) in recorded {
        let mut have = ours.remove(&name).unwrap_or_default();
        for want in wanted {
            let likest = have
                .iter()
                .enumerate()
                .map(|(at, have)| (diverge(&want, have), at))
                .max_by_key(|((equal, _), _)| *equal);
            match likest {
                Some(((_, lines), at)) => {
                    have.remove(at);
                    score.count(lines.iter().map(|line| format!("{name} {line}")).collect());
                }
                None => score.count(vec![format!("{name} never was")]),
            }
        }
        for _ in have {
            score.count(vec![format!("{name} was once more")]);
        }
    }
    for name in ours.keys() {
        score.count(vec![format!("{name} is not among the recorded {kind}")]);
    }
    score
}

/// Objects by masked name, each with its states; equal states that follow each other are one.
fn sequences(changes: &[Value]) -> BTreeMap<String, Vec<Vec<Value>>> {
    let mut by_uid: Vec<(String, String, Vec<Value>)> = Vec::new();
    for change in changes {
        let object = &change["object"];
        let uid = object["metadata"]["uid"].to_string();
        let at = by_uid.iter().position(|(seen, ..)| *seen == uid).unwrap_or_else(|| {
            by_uid.push((uid, name_of(object), Vec::new()));
            by_uid.len() - 1
        });
        let state = if change["type"] == "DELETED" { Value::from("gone") } else { state(object) };
        let states = &mut by_uid[at].2;
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
    let mut named: BTreeMap<String, Vec<Vec<Value>>> = BTreeMap::new();
    for (_, name, states) in by_uid {
        named.entry(name).or_default().push(states);
    }
    named
}

fn state(object: &Value) -> Value {
    let mut masked = mask::object(object);
    if let Some(meta) = masked.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
    }
    masked
}

/// How many states are equal from the start, and the first that is not.
fn diverge(recorded: &[Value], ours: &[Value]) -> (usize, Vec<String>) {
    let equal = recorded.iter().zip(ours).take_while(|(want, have)| want == have).count();
    let lines = match (recorded.get(equal), ours.get(equal)) {
        (None, None) => Vec::new(),
        (Some(want), Some(have)) => differences(want, have),
        (Some(want), None) => match equal.checked_sub(1).and_then(|last| recorded.get(last)) {
            Some(last) => differences(last, want).iter().map(|l| format!("then {l}")).collect(),
            None => vec!["never was".to_owned()],
        },
        (None, Some(have)) => match equal.checked_sub(1).and_then(|last| ours.get(last)) {
            Some(last) => differences(last, have).iter().map(|l| format!("more {l}")).collect(),
            None => vec!["is not recorded".to_owned()],
        },
    };
    let lines: Vec<String> = lines
        .into_iter()
        .map(|line| format!("state {} of {}/{}: {line}", equal + 1, recorded.len(), ours.len()))
        .collect();
    (equal, lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(name: &str, phases: &[&str]) -> Vec<Value> {
        let change = |phase: &&str| {
            json!({"type": "MODIFIED", "object": {"kind": "Pod",
                "metadata": {"name": name, "uid": name}, "status": {"phase": phase}}})
        };
        phases.iter().map(change).collect()
    }

    #[test]
    fn the_same_steps_count_once_however_often_they_are_told() {
        let recorded = run("web-x7k2p", &["Pending", "Running"]);
        let ours = run("web-bbbbb", &["Pending", "Pending", "Running"]);
        assert_eq!(compare("pods", &recorded, &ours).equal, 1);
    }

    #[test]
    fn a_step_that_is_left_out_is_named() {
        let recorded = run("a", &["Pending", "Running", "Failed"]);
        let score = compare("pods", &recorded, &run("a", &["Pending", "Failed"]));
        assert_eq!(
            score.differences,
            ["Pod/a state 2 of 3/2: .status.phase: \"Running\" → \"Failed\""]
        );
    }
}
