//! What a Deployment writes into the annotations of its sets.

use std::sync::Arc;

use api::apps::v1::{Deployment, ReplicaSet};
use base::Str;

/// The revision of a rollout.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// Earlier revisions of a set that came back, parted by commas.
pub const HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The Deployment's replica count when the set was last sized.
pub const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// The same with the surge.
pub const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// The revision history grows no longer than this.
const HISTORY_LEN_MAX: usize = 2000;

/// Annotations that are not copied from the Deployment to its sets.
const SKIPPED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
];

/// An annotation's number.
pub fn number(set: &ReplicaSet, annotation: &str) -> Option<i32> {
    set.metadata.annotations.text(annotation)?.parse().ok()
}

/// The set's revision; 0 if it has none.
pub fn revision(set: &ReplicaSet) -> i64 {
    set.metadata.annotations.text(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Writes the counts that a set follows; false if they were so already.
pub fn set_counts(set: &mut ReplicaSet, desired: i32, max: i32) -> bool {
    let desired = write(set, DESIRED, desired.to_string().into());
    write(set, MAX, max.to_string().into()) || desired
}

/// Copies the Deployment's annotations and gives the set its revision; false if nothing changed.
pub fn refresh(deployment: &Deployment, set: &mut ReplicaSet, new_revision: i64) -> bool {
    let mut changed = false;
    for (key, value) in deployment.metadata.annotations.iter() {
        if !SKIPPED.contains(&&**key) {
            changed |= write(set, key, value.clone());
        }
    }
    let before: Option<Str> = set.metadata.annotations.get(REVISION).cloned();
    let number = before.as_deref().and_then(|text| text.parse::<i64>().ok());
    if before.is_some() && number.is_none() || number.unwrap_or(0) >= new_revision {
        return changed;
    }
    write(set, REVISION, new_revision.to_string().into());
    if let Some(before) = before {
        remember(set, &before);
    }
    true
}

fn remember(set: &mut ReplicaSet, revision: &str) {
    let history = set.metadata.annotations.text(HISTORY).unwrap_or("");
    let mut entries: Vec<&str> = history.split(',').filter(|entry| !entry.is_empty()).collect();
    if entries.contains(&revision) {
        return;
    }
    entries.push(revision);
    let mut text = entries.join(",");
    while text.len() > HISTORY_LEN_MAX && entries.len() > 1 {
        entries.remove(0);
        text = entries.join(",");
    }
    write(set, HISTORY, text.into());
}

fn write(set: &mut ReplicaSet, key: &str, value: Str) -> bool {
    if set.metadata.annotations.get(key) == Some(&value) {
        return false;
    }
    Arc::make_mut(&mut set.metadata).annotations.insert(key, value);
    true
}
