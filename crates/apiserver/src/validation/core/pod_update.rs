//! What may change in the spec of a pod that is there.
//!
//! Models `ValidatePodUpdate`, `ValidatePodEphemeralContainersUpdate` and `ValidatePodResize`.
//!
//! Known deviations:
//! - Where upstream shows the difference of the specs, the names of the changed fields are shown.

use api::codec::{Record, Value};
use api::core::v1::{Container, Pod, PodSpec};
use api::wire::Subresource;
use base::{List, Str};

use crate::validation::check::{Errors, Raw};
use crate::validation::path::Path;
use api::qos;

const CHANGEABLE: &str = "pod updates may not change fields other than \
     `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
     `spec.tolerations` (only additions to existing tolerations),\
     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";

/// What is wrong with the new spec given the old one.
pub fn update(e: &mut Errors, new: &Pod, old: &Pod, subresource: Subresource) {
    let at = Path::root("spec");
    match subresource {
        Subresource::EphemeralContainers => ephemeral(e, &new.spec, &old.spec, &at),
        Subresource::Resize => resize(e, new, old, &at),
        _ => whole(e, new, old, &at),
    }
}

fn whole(e: &mut Errors, new: &Pod, old: &Pod, at: &Path) {
    let (spec, was): (&PodSpec, &PodSpec) = (&new.spec, &old.spec);
    let mut stop = false;
    for (name, now, before) in [
        ("containers", &spec.containers, &was.containers),
        ("initContainers", &spec.init_containers, &was.init_containers),
    ] {
        if now.len() != before.len() {
            e.forbidden(&at.child(name), "pod updates may not add or remove containers");
            stop = true;
        }
    }
    if stop {
        return;
    }
    if !deadline(e, spec, was, at) {
        return;
    }
    tolerations(e, spec, was, at);
    for gate in spec.scheduling_gates.iter().filter(|gate| !was.scheduling_gates.contains(gate)) {
        let why =
            format!("only deletion is allowed, but found new scheduling gate '{}'", gate.name);
        e.forbidden(&at.child("schedulingGates"), &why);
    }
    let mut given = spec.clone();
    given.active_deadline_seconds = was.active_deadline_seconds;
    given.tolerations = was.tolerations.clone();
    given.scheduling_gates = was.scheduling_gates.clone();
    keep_images(&mut given.containers, &was.containers);
    keep_images(&mut given.init_containers, &was.init_containers);
    if was.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0)
        && spec.termination_grace_period_seconds == Some(1)
    {
        given.termination_grace_period_seconds = was.termination_grace_period_seconds;
    }
    if !was.scheduling_gates.is_empty() {
        gated(e, &mut given, was, at);
    }
    if given != *was || new.spec.node_name != old.spec.node_name {
        let mut changed = changed_fields(&given, was);
        if new.spec.node_name != old.spec.node_name {
            changed.push_str("  nodeName\n");
        }
        e.forbidden(at, &format!("{CHANGEABLE}{changed}"));
    }
}

/// A deadline may be set, and shortened.
fn deadline(e: &mut Errors, spec: &PodSpec, was: &PodSpec, at: &Path) -> bool {
    let at = at.child("activeDeadlineSeconds");
    match (spec.active_deadline_seconds, was.active_deadline_seconds) {
        (Some(seconds), before) => {
            if let Some(complaint) = api::names::in_range(seconds, 0, i32::MAX.into()).first() {
                e.invalid(&at, &seconds, complaint);
                return false;
            }
            if before.is_some_and(|before| before < seconds) {
                e.invalid(&at, &seconds, "must be less than or equal to previous value");
                return false;
            }
        }
        (None, Some(_)) => {
            let why = "must not update from a positive integer to nil value";
            e.invalid(&at, &Raw("\"null\"".into()), why);
        }
        (None, None) => {}
    }
    true
}

/// Tolerations may be added, and their time changed.
fn tolerations(e: &mut Errors, spec: &PodSpec, was: &PodSpec, at: &Path) {
    let kept = was.tolerations.iter().all(|before| {
        spec.tolerations.iter().any(|now| {
            let mut timed = now.clone();
            timed.toleration_seconds = before.toleration_seconds;
            timed == *before
        })
    });
    if !kept {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        e.forbidden(&at.child("tolerations"), why);
    }
}

/// While a pod is held back by gates, where it may go can be narrowed.
fn gated(e: &mut Errors, given: &mut PodSpec, was: &PodSpec, at: &Path) {
    let narrowed = was.node_selector.iter().all(|(key, v)| given.node_selector.get(key) == Some(v));
    if narrowed {
        given.node_selector = was.node_selector.clone();
    } else {
        let why = "only additions are allowed";
        e.invalid(
            &at.child("nodeSelector"),
            &crate::validation::check::json(&given.node_selector),
            why,
        );
    }
    let of =
        |spec: &PodSpec| spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone());
    if of(was).is_none() {
        if let Some(affinity) = &mut given.affinity {
            affinity.node_affinity = None;
        }
        if was.affinity.is_none()
            && given.affinity.as_ref().is_some_and(|a| **a == Default::default())
        {
            given.affinity = None;
        }
    }
}

fn keep_images(given: &mut List<Container>, was: &List<Container>) {
    for (container, before) in given.iter_mut().zip(was.iter()) {
        container.image = before.image.clone();
    }
}

fn changed_fields(new: &PodSpec, old: &PodSpec) -> String {
    let fields = new.schema().fields.iter().enumerate();
    let changed = fields.filter(|(i, _)| !new.field(*i).same(old.field(*i)));
    changed.map(|(_, field)| format!("  {}\n", field.name)).collect()
}

/// Ephemeral containers come, and stay as they are.
fn ephemeral(e: &mut Errors, new: &PodSpec, old: &PodSpec, at: &Path) {
    let at = at.child("ephemeralContainers");
    for before in old.ephemeral_containers.iter() {
        let now = new.ephemeral_containers.iter().find(|now| now.name == before.name);
        let name = api::selector::quote(&before.name);
        match now {
            None => {
                let why = format!("existing ephemeral containers {name} may not be removed\n");
                e.forbidden(&at, &why);
            }
            Some(now) if now != before => {
                let why = format!("existing ephemeral containers {name} may not be changed\n");
                e.forbidden(&at, &why);
            }
            Some(_) => {}
        }
    }
}

/// Only what containers may take changes, and not so far that the class of the pod does.
fn resize(e: &mut Errors, new: &Pod, old: &Pod, at: &Path) {
    let (spec, was): (&PodSpec, &PodSpec) = (&new.spec, &old.spec);
    let class: Str = qos::class_of(spec);
    if class != qos::class_of(was) {
        let why = "Pod QOS Class may not change as a result of resizing";
        e.invalid(at, &class, why);
    }
    let mut given = spec.clone();
    for (list, before) in [
        (&mut given.containers, &was.containers),
        (&mut given.init_containers, &was.init_containers),
    ] {
        for (container, before) in list.iter_mut().zip(before.iter()) {
            for name in ["cpu", "memory"] {
                for (now, before) in [
                    (&mut container.resources.limits, &before.resources.limits),
                    (&mut container.resources.requests, &before.resources.requests),
                ] {
                    match before.get(name) {
                        Some(amount) => drop(now.insert(name, amount.clone())),
                        None => drop(now.remove(name)),
                    }
                }
            }
            container.resize_policy = before.resize_policy.clone();
        }
    }
    given.resources = was.resources.clone();
    if given != *was {
        let why =
            format!("only cpu and memory resources are mutable\n{}", changed_fields(&given, was));
        e.forbidden(at, &why);
    }
}
