//! `policy`: disruption budgets.
//!
//! Models `pkg/apis/policy/validation` of Kubernetes.
//!
//! Known deviations: none.

use api::Object;
use api::policy::v1::PodDisruptionBudget;

use super::check::{Errors, json};
use super::path::Path;
use super::selector;

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    let Some(budget) = object.get::<PodDisruptionBudget>() else { return };
    let (spec, at) = (&budget.spec, Path::root("spec"));
    if spec.min_available.is_some() && spec.max_unavailable.is_some() {
        let why = "minAvailable and maxUnavailable cannot be both set";
        e.invalid(&at, &json(&**spec), why);
    }
    for (name, count) in
        [("minAvailable", &spec.min_available), ("maxUnavailable", &spec.max_unavailable)]
    {
        let Some(count) = count else { continue };
        e.count_or_percent(&at.child(name), count);
        e.at_most_all(&at.child(name), count);
    }
    selector::check_if(e, &at.child("selector"), spec.selector.as_deref());
    let policies = ["AlwaysAllow", "IfHealthyBudget"];
    let policy = spec.unhealthy_pod_eviction_policy.as_ref();
    e.one_of_if(&at.child("unhealthyPodEvictionPolicy"), policy, &policies);
}
