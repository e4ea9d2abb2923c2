//! DefaultTolerationSeconds: pods stay five minutes on a node that is not ready or unreachable.

use api::core::v1::{Pod, Toleration};
use api::object::Object;
use base::lit;

const KEYS: [base::Str; 2] =
    [lit!("node.kubernetes.io/not-ready"), lit!("node.kubernetes.io/unreachable")];

/// Adds the two tolerations where the pod has none for these taints.
pub(super) fn admit(object: &mut Object) {
    let Some(pod) = object.get::<Pod>() else { return };
    let covers = |key: &str, toleration: &Toleration| {
        (toleration.key.is_empty() || toleration.key == key)
            && (toleration.effect.is_empty() || toleration.effect == "NoExecute")
    };
    let missing: Vec<_> = KEYS
        .into_iter()
        .filter(|key| !pod.spec.tolerations.iter().any(|toleration| covers(key, toleration)))
        .collect();
    if missing.is_empty() {
        return;
    }
    if let Some(pod) = object.edit_as::<Pod>() {
        let tolerations = &mut pod.spec.edit().tolerations;
        tolerations.extend(missing.into_iter().map(|key| Toleration {
            key,
            operator: lit!("Exists"),
            effect: lit!("NoExecute"),
            toleration_seconds: Some(300),
            ..Toleration::default()
        }));
    }
}
