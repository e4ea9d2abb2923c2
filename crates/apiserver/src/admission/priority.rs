//! Priority: turns the name of a priority class into the number that the scheduler compares.

use api::core::v1::Pod;
use api::object::{Kind, Object};
use api::scheduling::v1::PriorityClass;
use base::{Str, lit};

use crate::ApiServer;
use crate::errors::{self, Refusal};
use crate::registry;

/// Sets the pod's priority and preemption policy.
pub(super) fn admit(server: &ApiServer, object: &mut Object) -> Result<(), Refusal> {
    let Some(pod) = object.get::<Pod>() else { return Ok(()) };
    let refuse = |why: String| errors::forbidden(Pod::INFO, pod.name(), &why);
    let row = registry::of(PriorityClass::INFO).expect("registered");
    let name = &pod.spec.priority_class_name;
    let (name, value, policy) = if name.is_empty() {
        let default = server
            .objects(row, "")
            .filter_map(|object| object.get::<PriorityClass>())
            .filter(|class| class.global_default)
            .min_by_key(|class| class.value);
        default.map_or((Str::new(), 0, None), parts)
    } else {
        let class = server.stored(row, "", name).and_then(|o| o.get::<PriorityClass>());
        let Some(class) = class else {
            return Err(refuse(format!("no PriorityClass with name {name} was found")));
        };
        parts(class)
    };
    let policy = policy.unwrap_or(lit!("PreemptLowerPriority"));
    if let Some(given) = pod.spec.priority.filter(|given| *given != value) {
        return Err(refuse(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority \
             admission controller computed {value} from the given PriorityClass name"
        )));
    }
    if let Some(given) = pod.spec.preemption_policy.as_ref().filter(|given| **given != policy) {
        return Err(refuse(format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; \
             priority admission controller computed {policy} from the given PriorityClass name"
        )));
    }
    if let Some(pod) = object.edit_as::<Pod>() {
        let spec = pod.spec.edit();
        spec.priority_class_name = name;
        spec.priority = Some(value);
        spec.preemption_policy = Some(policy);
    }
    Ok(())
}

fn parts(class: &PriorityClass) -> (Str, i32, Option<Str>) {
    (class.metadata.name.clone(), class.value.unwrap_or(0), class.preemption_policy.clone())
}

trait Named {
    fn name(&self) -> &str;
}

impl Named for Pod {
    fn name(&self) -> &str {
        &self.metadata.name
    }
}

/// An update that leaves priority and preemption policy out keeps them.
pub(super) fn keep(old: &Object, new: &mut Object) {
    let Some(before) = old.get::<Pod>() else { return };
    let lost = new.get::<Pod>().is_some_and(|pod| {
        (pod.spec.priority.is_none() && before.spec.priority.is_some())
            || (pod.spec.preemption_policy.is_none() && before.spec.preemption_policy.is_some())
    });
    if lost && let Some(pod) = new.edit_as::<Pod>() {
        let spec = pod.spec.edit();
        spec.priority = spec.priority.or(before.spec.priority);
        if spec.preemption_policy.is_none() {
            spec.preemption_policy = before.spec.preemption_policy.clone();
        }
    }
}

/// One class at most is the default.
pub(super) fn check_class(server: &ApiServer, object: &Object) -> Result<(), Refusal> {
    let Some(class) = object.get::<PriorityClass>().filter(|class| class.global_default) else {
        return Ok(());
    };
    let row = registry::of(PriorityClass::INFO).expect("registered");
    let others = server.objects(row, "").filter_map(|object| object.get::<PriorityClass>());
    let mut taken =
        others.filter(|other| other.global_default && other.metadata.name != class.metadata.name);
    match taken.next() {
        None => Ok(()),
        Some(other) => {
            let why = format!(
                "PriorityClass {} is already marked as default. Only one default can exist",
                other.metadata.name
            );
            Err(errors::forbidden(PriorityClass::INFO, object.name(), &why))
        }
    }
}
