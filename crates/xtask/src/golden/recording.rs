//! A recorded run as it lies in its folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// One folder: manifests, commands, snapshots and watches.
pub struct Recording {
    pub name: String,
    pub manifests: PathBuf,
    /// Seconds from the making of its first node until the start.
    pub age: f64,
    pub steps: Vec<Step>,
    /// Snapshots with the number of steps that came before.
    pub snapshots: Vec<(usize, Snapshot)>,
    /// Watched kinds by the name of their file, with all states in their order.
    pub watches: BTreeMap<String, Vec<Value>>,
}

/// A command or a bare request, and what it was answered with.
pub struct Step {
    /// Seconds since the start.
    pub at: f64,
    pub action: Action,
}

/// What a step does.
pub enum Action {
    Command { line: String, code: i64, stdout: String, stderr: String },
    Request { method: String, path: String, media_type: String, body: String, answer: Value },
}

/// Three lists taken at the same moment.
#[derive(Default)]
pub struct Snapshot {
    pub name: String,
    pub objects: Vec<Value>,
    pub events: Vec<Value>,
    pub cluster: Vec<Value>,
}

/// Taking a snapshot took at least this long, beside a sleep of whole or half seconds.
const SNAPSHOT_SECONDS_MIN: f64 = 0.19;
/// The recording's sleeps are multiples of this.
const SLEEP_STEP_SECONDS: f64 = 0.5;

/// Reads a folder.
pub fn read(folder: &Path) -> Result<Recording> {
    let steps = read_lines(&folder.join("transcript.jsonl"))?;
    let steps = steps.iter().map(step).collect::<Result<Vec<_>>>()?;
    let mut watches = BTreeMap::new();
    for file in sorted(&folder.join("watch"))? {
        let mut changes = read_lines(&file)?;
        changes.retain(|change| {
            let namespace = &change["object"]["metadata"]["namespace"];
            namespace.is_null() || namespace == "default"
        });
        watches.insert(stem(&file), changes);
    }
    let start =
        first_creation(&watches).unwrap_or_default() - steps.first().map_or(0.0, |step| step.at);
    let mut snapshots: Vec<Snapshot> = Vec::new();
    for file in sorted(folder)? {
        if let Some(name) = stem(&file).strip_suffix("-objects") {
            snapshots.push(snapshot(folder, name)?);
        }
    }
    let placed = snapshots.into_iter().map(|shot| (place(&shot, &steps, start), shot));
    let mut snapshots: Vec<(usize, Snapshot)> = placed.collect();
    snapshots.sort_by_key(|(before, _)| *before);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let manifests = folder.join("manifests");
    let age = first_node(&snapshots).map_or(0.0, |node| start - node);
    Ok(Recording { name, manifests, age, steps, snapshots, watches })
}

/// The body of an answer: JSON, the objects of a stream, or text.
pub fn parsed(text: &str) -> Value {
    if let Ok(object) = serde_json::from_str(text) {
        return object;
    }
    let objects: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    match objects {
        Ok(objects) if !objects.is_empty() => Value::Array(objects),
        _ => Value::from(text),
    }
}

fn step(line: &Value) -> Result<Step> {
    let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let action = if line["cmd"].is_string() {
        let code = line["rc"].as_i64().context("a command without rc")?;
        Action::Command { line: word("cmd"), code, stdout: word("stdout"), stderr: word("stderr") }
    } else {
        let body = match &line["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        let told = line["response"].as_str().map_or_else(|| line["response"].clone(), parsed);
        let answer = serde_json::json!({"code": line["status"], "body": told});
        Action::Request {
            method: word("method"),
            path: word("path"),
            media_type: word("ctype"),
            body,
            answer,
        }
    };
    Ok(Step { at: line["t"].as_f64().context("a step without t")?, action })
}

fn snapshot(folder: &Path, name: &str) -> Result<Snapshot> {
    let items = |part: &str| -> Result<Vec<Value>> {
        let file = folder.join(format!("{name}-{part}.json"));
        let text = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        let list: Value = serde_json::from_str(&text)?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    };
    Ok(Snapshot {
        name: name.to_owned(),
        objects: items("objects")?,
        events: items("events")?,
        cluster: items("cluster")?,
    })
}

/// How many steps came before a snapshot: it lies in the first pause that is longer than a sleep alone and ends
/// after the latest time in it. `settled` is the last.
fn place(snapshot: &Snapshot, steps: &[Step], start: f64) -> usize {
    if snapshot.name == "settled" {
        return steps.len();
    }
    let lists = [&snapshot.objects, &snapshot.events, &snapshot.cluster];
    let latest = lists.into_iter().flatten().filter_map(latest_second).fold(0.0, f64::max);
    let pauses = steps.windows(2).position(|pair| match pair {
        [before, after] => {
            let beside_sleep = (after.at - before.at) % SLEEP_STEP_SECONDS;
            beside_sleep >= SNAPSHOT_SECONDS_MIN && after.at >= latest - start
        }
        _ => false,
    });
    pauses.map_or(steps.len(), |before| before + 1)
}

/// The second in which the first object of the run was made.
fn first_creation(watches: &BTreeMap<String, Vec<Value>>) -> Option<f64> {
    let own = |name: &str| !matches!(name, "kubernetes" | "kube-root-ca.crt" | "default");
    watches
        .iter()
        .filter(|(kind, _)| !matches!(kind.as_str(), "nodes" | "namespaces" | "events"))
        .flat_map(|(_, changes)| changes)
        .filter(|change| change["object"]["metadata"]["namespace"] == "default")
        .filter(|change| own(change["object"]["metadata"]["name"].as_str().unwrap_or_default()))
        .filter_map(|change| second(change["object"]["metadata"]["creationTimestamp"].as_str()?))
        .reduce(f64::min)
}

/// The second in which the first node was made.
fn first_node(snapshots: &[(usize, Snapshot)]) -> Option<f64> {
    let objects = snapshots.iter().flat_map(|(_, shot)| &shot.cluster);
    objects
        .filter(|object| object["kind"] == "Node")
        .filter_map(|node| second(node["metadata"]["creationTimestamp"].as_str()?))
        .reduce(f64::min)
}

fn latest_second(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => second(text),
        Value::Array(items) => items.iter().filter_map(latest_second).reduce(f64::max),
        Value::Object(fields) => fields.values().filter_map(latest_second).reduce(f64::max),
        _ => None,
    }
}

/// The second of a day and month that a timestamp names; runs do not last over the end of a month.
fn second(text: &str) -> Option<f64> {
    let text = text.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let day: f64 = date.rsplit('-').next()?.parse().ok()?;
    let mut parts = time.split(':').map(str::parse::<f64>);
    let (hour, minute, second) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some(((day * 24.0 + hour) * 60.0 + minute) * 60.0 + second)
}

fn read_lines(file: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    text.lines().map(|line| serde_json::from_str(line).context("a line is no JSON")).collect()
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn steps(moments: &[f64]) -> Vec<Step> {
        let command = |at: &f64| step(&json!({"t": at, "cmd": "kubectl get pods", "rc": 0}));
        moments.iter().map(|at| command(at).expect("a step")).collect()
    }

    #[test]
    fn a_snapshot_lies_in_the_first_pause_after_what_it_shows_that_is_no_mere_sleep() {
        let shown = json!({"metadata": {"creationTimestamp": "2026-11-22T14:13:05Z"}});
        let start = second("2026-11-22T14:13:00Z").expect("a time");
        let shot = Snapshot { name: "made".into(), objects: vec![shown], ..Snapshot::default() };
        assert_eq!(place(&shot, &steps(&[0.6, 1.2, 5.0, 5.1, 5.4, 7.0]), start), 2);
        assert_eq!(place(&shot, &steps(&[0.6, 1.2, 6.25, 6.35, 6.65, 7.0]), start), 4);
        let settled = Snapshot { name: "settled".into(), ..Snapshot::default() };
        assert_eq!(place(&settled, &steps(&[0.6, 1.2]), start), 2);
    }

    #[test]
    fn a_step_is_a_command_or_a_request() {
        let get = json!({"t": 1, "method": "GET", "path": "/x", "status": 404, "response": "no"});
        assert!(matches!(step(&get).expect("a step").action, Action::Request { .. }));
        assert!(step(&json!({"cmd": "kubectl get pods", "rc": 0})).is_err());
    }
}
