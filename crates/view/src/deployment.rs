//! Deployment: one Deployment, its ReplicaSets newest first, and their pods.

use api::apps::v1::{Deployment, ReplicaSet};
use api::core::v1::PodTemplateSpec;
use api::object::Key;
use protocol::{Gauge, Item, Kind, Mark, State};

use crate::item::{fact, of_object, of_pod, plain, state};
use crate::world::World;

/// Pods of one ReplicaSet that are drawn.
const PODS_MAX: usize = 120;
/// ReplicaSets that are drawn: those with pods, and the newest of the empty ones.
const SETS_MAX: usize = 8;
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Every item of the view of a Deployment; none if there is no such Deployment.
pub fn items(world: &World, key: &Key) -> Vec<Item> {
    let Some(deployment) = world.deployments.get(key) else { return Vec::new() };
    let head = head(deployment, key);
    let parent = head.key.clone();
    let mut out = vec![head];
    let mut sets: Vec<_> = world.sets_of(key).collect();
    base::sort::by_key(&mut sets, |(key, set)| (std::cmp::Reverse(revision(set)), (*key).clone()));
    let mut room = SETS_MAX;
    for (key, set) in sets {
        let empty = set.status.replicas == 0 && set.spec.replicas.unwrap_or(1) == 0;
        let leaving = world.pods_of(key).next().is_some();
        if empty && !leaving && room == 0 {
            continue;
        }
        room = room.saturating_sub(1);
        set_items(world, key, set, &parent, &mut out);
    }
    out
}

fn head(deployment: &Deployment, key: &Key) -> Item {
    let (spec, status) = (&deployment.spec, &deployment.status);
    let wanted = spec.replicas.unwrap_or(1);
    let mut facts = vec![
        fact("ready", format!("{} of {wanted}", status.ready_replicas)),
        fact("up to date", status.updated_replicas.to_string()),
        fact("available", status.available_replicas.to_string()),
        fact("strategy", spec.strategy.type_.as_str()),
    ];
    if let Some(rolling) = &spec.strategy.rolling_update {
        let shown = |n: &Option<api::int_or_string::IntOrString>| {
            n.as_ref().map_or_else(|| "0".into(), |n| n.to_string())
        };
        let value = format!("+{} −{}", shown(&rolling.max_surge), shown(&rolling.max_unavailable));
        facts.push(fact("surge", value));
    }
    Item {
        state: deployment_state(deployment),
        gauge: Some(gauge(status.ready_replicas, wanted)),
        facts,
        ..of_object(deployment, key)
    }
}

/// The status of a Deployment, from its conditions and counts.
pub fn deployment_state(deployment: &Deployment) -> State {
    let (spec, status) = (&deployment.spec, &deployment.status);
    let wanted = spec.replicas.unwrap_or(1);
    let stuck = status
        .conditions
        .iter()
        .any(|c| c.type_ == "Progressing" && c.status == "False" && c.reason != "DeploymentPaused");
    if stuck {
        state(Mark::Failed, "stuck")
    } else if spec.paused {
        state(Mark::Pending, "paused")
    } else if deployment.metadata.deletion_timestamp.is_some() {
        state(Mark::Terminating, "Terminating")
    } else if status.updated_replicas < wanted || status.replicas > wanted {
        state(Mark::Creating, "rolling out")
    } else if status.available_replicas < wanted {
        state(Mark::NotReady, "not all ready")
    } else {
        state(Mark::Ready, "complete")
    }
}

fn gauge(value: i32, max: i32) -> Gauge {
    Gauge { value: value.max(0) as u32, max: max.max(0) as u32 }
}

fn revision(set: &ReplicaSet) -> i64 {
    set.metadata.annotations.get(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn images(template: &PodTemplateSpec) -> String {
    let images: Vec<&str> = template.spec.containers.iter().map(|c| c.image.as_str()).collect();
    images.join(", ")
}

fn set_items(world: &World, key: &Key, set: &ReplicaSet, parent: &str, out: &mut Vec<Item>) {
    let (wanted, ready) = (set.spec.replicas.unwrap_or(1), set.status.ready_replicas);
    let status = match (wanted, set.status.replicas) {
        (0, 0) => state(Mark::Succeeded, "empty"),
        (0, _) => state(Mark::Terminating, "draining"),
        _ if ready >= wanted => state(Mark::Ready, format!("{ready} of {wanted}")),
        _ => state(Mark::NotReady, format!("{ready} of {wanted}")),
    };
    let item = Item {
        parent: Some(parent.into()),
        state: status,
        rank: revision(set),
        gauge: Some(gauge(ready, wanted.max(set.status.replicas))),
        facts: vec![
            fact("revision", revision(set).to_string()),
            fact("image", images(&set.spec.template)),
        ],
        ..of_object(set, key)
    };
    let own = item.key.clone();
    out.push(item);
    let mut count = 0;
    for (_, pod) in world.pods_of(key) {
        count += 1;
        if count <= PODS_MAX {
            out.push(Item { parent: Some(own.clone()), ..of_pod(pod) });
        }
    }
    if count > PODS_MAX {
        let hidden = count - PODS_MAX;
        out.push(Item {
            parent: Some(own.clone()),
            ..plain(&format!("more/{own}"), Kind::More, &format!("+{hidden} more"))
        });
    }
}
