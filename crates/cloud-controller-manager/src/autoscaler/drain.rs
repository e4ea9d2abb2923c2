//! Which pods of a node would have to move, and which forbid it.

use api::core::v1::Pod;
use api::policy::v1::PodDisruptionBudget;
use api::selector::Selector;
use base::BTreeMap;
use client::Cx;
use client::owner::{controller_of, selects};

use super::has_ended;

const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
const SAFE_VOLUMES: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";
const MIRROR: &str = "kubernetes.io/config.mirror";

/// The pods that would have to move from a node, in order; `None` if one of them must stay.
pub(super) fn movable<'a>(cx: &Cx<'a>, node: &str) -> Option<Vec<&'a Pod>> {
    let pods: Vec<&Pod> = to_move(cx, node).collect();
    let free = |pod: &&Pod| !pod_stays(cx, pod);
    (pods.iter().all(free) && budgets_allow(cx, &pods)).then_some(pods)
}

/// The pods of a node that neither stay nor go with it.
pub(super) fn to_move<'a>(cx: &Cx<'a>, node: &str) -> impl Iterator<Item = &'a Pod> {
    cx.pods().on_node(node).filter(|pod| !has_ended(pod) && !goes_with_its_node(pod))
}

fn goes_with_its_node(pod: &Pod) -> bool {
    pod.metadata.annotations.contains_key(MIRROR)
        || controller_of(&pod.metadata).is_some_and(|owner| owner.kind == "DaemonSet")
}

/// Whether the pod keeps its node, by its annotations, owner, namespace or volumes.
fn pod_stays(cx: &Cx<'_>, pod: &Pod) -> bool {
    let meta = &pod.metadata;
    if meta.deletion_timestamp.is_some() {
        return false;
    }
    match meta.annotations.text(SAFE_TO_EVICT) {
        Some("true") => return false,
        Some("false") => return true,
        _ => {}
    }
    let unmanaged = controller_of(meta).is_none();
    let system = meta.namespace == "kube-system" && budgets_of(cx, pod).next().is_none();
    unmanaged || system || has_local_storage(pod)
}

fn has_local_storage(pod: &Pod) -> bool {
    let safe = pod.metadata.annotations.text(SAFE_VOLUMES).unwrap_or("");
    pod.spec.volumes.iter().any(|volume| {
        let local = volume.empty_dir.is_some() || volume.host_path.is_some();
        local && !safe.split(',').any(|name| name.trim() == volume.name.as_str())
    })
}

fn budgets_of<'a>(
    cx: &Cx<'a>,
    pod: &'a Pod,
) -> impl Iterator<Item = &'a PodDisruptionBudget> + use<'a> {
    let all = cx.all::<PodDisruptionBudget>().in_namespace(&pod.metadata.namespace);
    all.filter(|budget| {
        let selector = Selector::of_optional(budget.spec.selector.as_deref());
        selector.is_ok_and(|selector| selects(&selector, &pod.metadata))
    })
}

/// Whether all these pods may be evicted together.
fn budgets_allow(cx: &Cx<'_>, pods: &[&Pod]) -> bool {
    let mut taken: BTreeMap<(&str, &str), i32> = BTreeMap::new();
    for pod in pods {
        for budget in budgets_of(cx, pod) {
            let key = (budget.metadata.namespace.as_str(), budget.metadata.name.as_str());
            let taken = taken.entry(key).or_default();
            *taken += 1;
            if *taken > budget.status.disruptions_allowed.unwrap_or(0) {
                return false;
            }
        }
    }
    true
}
