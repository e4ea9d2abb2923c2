//! What an update may not change.
//!
//! Models the `Validate…Update` functions of Kubernetes, kind by kind.
//!
//! Known deviations:
//! - Where upstream shows the difference of two structs, the names of the changed fields are shown.
//! - A part that did not change is not checked again.

use api::Object;
use api::apiextensions::v1::CustomResourceDefinition;
use api::apps::v1::*;
use api::batch::v1::{Job, JobSpec};
use api::certificates::v1::CertificateSigningRequest;
use api::codec::{Record, Value};
use api::core::v1::*;
use api::discovery::v1::EndpointSlice;
use api::networking::v1::{IPAddress, IngressClass, ServiceCIDR};
use api::node::v1::RuntimeClass;
use api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef};
use api::resource::v1::{ResourceClaim, ResourceClaimTemplate, ResourceSlice};
use api::scheduling::v1::PriorityClass;
use api::storage::v1::{
    CSIDriver, CSINode, CSINodeDriver, CSIStorageCapacity, StorageClass, VolumeAttachment,
    VolumeAttributesClass,
};
use api::wire::Subresource;
use base::Str;

use super::check::{Errors, IMMUTABLE, Raw, Shown, json, json_list};
use super::path::Path;
use super::selector;
use crate::registry;

const WHEN_SET: &str = "field is immutable when `immutable` is set";

/// Whether the new object is checked as a whole: it is not where nothing that was wanted changed.
pub fn rechecks(new: &Object, old: &Object, subresource: Subresource) -> bool {
    subresource != Subresource::Finalize && !registry::same_wanted(old, new)
}

/// Whether nothing that was wanted may ever change; then nothing else is said of it.
pub fn is_frozen(object: &Object) -> bool {
    object.get::<ResourceClaim>().is_some() || object.get::<ResourceClaimTemplate>().is_some()
}

/// The names of the fields that differ, one on a line.
fn changes(new: &dyn Record, old: &dyn Record) -> String {
    let fields = new.schema().fields.iter().enumerate();
    let changed = fields.filter(|(i, _)| !new.field(*i).same(old.field(*i)));
    changed.map(|(_, field)| format!("\n  {}", field.name)).collect()
}

/// What is checked before the object as a whole.
pub fn before(e: &mut Errors, new: &Object, old: &Object) {
    if let (Some(new), Some(old)) = (new.get::<Service>(), old.get::<Service>()) {
        service(e, new, old);
    } else if let (Some(new), Some(old)) = (new.get::<ConfigMap>(), old.get::<ConfigMap>()) {
        if old.immutable == Some(true) {
            frozen(e, "immutable", new.immutable == Some(true));
            frozen(e, "data", new.data == old.data);
            frozen(e, "binaryData", new.binary_data == old.binary_data);
        }
    } else if let (Some(new), Some(old)) = (new.get::<Secret>(), old.get::<Secret>()) {
        e.immutable(&Path::root("type"), &new.type_, &old.type_);
        if old.immutable == Some(true) {
            frozen(e, "immutable", new.immutable == Some(true));
            frozen(e, "data", new.data == old.data);
        }
    }
}

fn frozen(e: &mut Errors, field: &str, same: bool) {
    if !same {
        e.forbidden(&Path::root(field), WHEN_SET);
    }
}

/// What is checked after it.
pub fn after(e: &mut Errors, new: &Object, old: &Object, subresource: Subresource) {
    let at = Path::root("spec");
    macro_rules! both {
        ($kind:ty) => {
            (new.get::<$kind>(), old.get::<$kind>())
        };
    }
    if let (Some(new), Some(old)) = both!(Pod) {
        super::core::pod_update::update(e, new, old, subresource);
    } else if let (Some(new), Some(old)) = both!(Deployment) {
        fixed_selector(e, &new.spec.selector, &old.spec.selector, &at);
    } else if let (Some(new), Some(old)) = both!(ReplicaSet) {
        fixed_selector(e, &new.spec.selector, &old.spec.selector, &at);
    } else if let (Some(new), Some(old)) = both!(DaemonSet) {
        fixed_selector(e, &new.spec.selector, &old.spec.selector, &at);
    } else if let (Some(new), Some(old)) = both!(StatefulSet) {
        stateful_set(e, &new.spec, &old.spec, &at);
    } else if let (Some(new), Some(old)) = both!(Job) {
        job(e, new, old, &at);
    } else if let (Some(new), Some(old)) = both!(PersistentVolumeClaim) {
        claim(e, new, old, &at);
    } else if let (Some(new), Some(old)) = both!(PersistentVolume) {
        volume(e, &new.spec, &old.spec, &at);
    } else if let (Some(new), Some(old)) = both!(RoleBinding) {
        role_ref(e, &new.role_ref, &old.role_ref);
    } else if let (Some(new), Some(old)) = both!(ClusterRoleBinding) {
        role_ref(e, &new.role_ref, &old.role_ref);
    } else if let (Some(new), Some(old)) = both!(ControllerRevision) {
        e.immutable(&Path::root("data"), &new.data, &old.data);
    } else if let (Some(new), Some(old)) = both!(Node) {
        node(e, new, old, &at);
    } else if let (Some(new), Some(old)) = both!(ResourceQuota) {
        if new.spec.scopes != old.spec.scopes {
            e.invalid(&at.child("scopes"), &json_list(&new.spec.scopes), IMMUTABLE);
        }
    } else if let (Some(new), Some(old)) = both!(StorageClass) {
        storage_class(e, new, old);
    } else {
        rest(e, new, old);
    }
}

fn rest(e: &mut Errors, new: &Object, old: &Object) {
    let at = Path::root("spec");
    macro_rules! both {
        ($kind:ty) => {
            (new.get::<$kind>(), old.get::<$kind>())
        };
    }
    if let (Some(new), Some(old)) = both!(EndpointSlice) {
        e.immutable(&Path::root("addressType"), &new.address_type, &old.address_type);
    } else if let (Some(new), Some(old)) = both!(IngressClass) {
        e.immutable(&at.child("controller"), &new.spec.controller, &old.spec.controller);
    } else if let (Some(new), Some(old)) = both!(RuntimeClass) {
        e.immutable(&Path::root("handler"), &new.handler, &old.handler);
    } else if let (Some(new), Some(old)) = both!(PriorityClass) {
        if new.value.unwrap_or_default() != old.value.unwrap_or_default() {
            e.forbidden(&Path::root("value"), "may not be changed in an update.");
        }
        let at = Path::root("preemptionPolicy");
        e.immutable(&at, &new.preemption_policy, &old.preemption_policy);
    } else if let (Some(new), Some(old)) = both!(CertificateSigningRequest) {
        e.immutable(&at, &new.spec, &old.spec);
    } else if let (Some(new), Some(old)) = both!(ResourceClaim) {
        e.immutable(&at, &new.spec, &old.spec);
    } else if let (Some(new), Some(old)) = both!(ResourceClaimTemplate) {
        e.immutable(&at, &new.spec, &old.spec);
    } else if let (Some(new), Some(old)) = both!(ResourceSlice) {
        let (new, old) = (&new.spec, &old.spec);
        e.immutable(&at.child("pool.name"), &new.pool.name, &old.pool.name);
        e.immutable(&at.child("driver"), &new.driver, &old.driver);
        e.immutable(&at.child("nodeName"), &new.node_name, &old.node_name);
    } else if let (Some(new), Some(old)) = both!(VolumeAttachment) {
        if new.spec != old.spec {
            e.invalid(&at, &json(&new.spec), IMMUTABLE);
        }
    } else if let (Some(new), Some(old)) = both!(CSIDriver) {
        e.immutable(
            &at.child("attachRequired"),
            &new.spec.attach_required,
            &old.spec.attach_required,
        );
        let modes = at.child("volumeLifecycleModes");
        e.immutable(&modes, &new.spec.volume_lifecycle_modes, &old.spec.volume_lifecycle_modes);
    } else {
        rarer(e, new, old);
    }
}

/// The kinds that few people write.
fn rarer(e: &mut Errors, new: &Object, old: &Object) {
    let at = Path::root("spec");
    macro_rules! both {
        ($kind:ty) => {
            (new.get::<$kind>(), old.get::<$kind>())
        };
    }
    if let (Some(new), Some(old)) = both!(ServiceCIDR) {
        service_cidr(e, &new.spec.cidrs, &old.spec.cidrs, &at.child("cidrs"));
    } else if let (Some(new), Some(old)) = both!(IPAddress) {
        if new.spec.parent_ref != old.spec.parent_ref {
            let parent = &new.spec.parent_ref;
            let fields = [
                ("Group", &parent.group),
                ("Resource", &parent.resource),
                ("Namespace", &parent.namespace),
                ("Name", &parent.name),
            ];
            let shown =
                fields.map(|(name, value)| format!("\"{name}\":{}", crate::go_quoted(value)));
            let shown = Raw(format!("{{{}}}", shown.join(",")));
            e.invalid(&at.child("parentRef"), &shown, IMMUTABLE);
        }
    } else if let (Some(new), Some(old)) = both!(CSIStorageCapacity) {
        e.immutable(&Path::root("nodeTopology"), &new.node_topology, &old.node_topology);
        let class = Path::root("storageClassName");
        e.immutable(&class, &new.storage_class_name, &old.storage_class_name);
    } else if let (Some(new), Some(old)) = both!(CSINode) {
        for driver in new.spec.drivers.iter() {
            let before = old.spec.drivers.iter().find(|before| before.name == driver.name);
            // How many volumes fit may turn out only later.
            let same = before.is_none_or(|before| {
                let mut before = before.clone();
                before.allocatable = driver.allocatable.clone();
                before == *driver
            });
            if !same {
                e.invalid(&Path::root("CSINodeDriver"), &driver_shown(driver), IMMUTABLE);
            }
        }
    } else if let (Some(new), Some(old)) = both!(VolumeAttributesClass) {
        if new.driver_name != old.driver_name {
            e.forbidden(&Path::root("driverName"), "updates to driverName are forbidden.");
        }
        if new.parameters != old.parameters {
            e.forbidden(&Path::root("parameters"), "updates to parameters are forbidden.");
        }
    } else if let (Some(new), Some(old)) = both!(CustomResourceDefinition) {
        definition(e, new, old, &at);
    }
}

/// A driver of a node with the names that its fields have inside upstream.
fn driver_shown(driver: &CSINodeDriver) -> Raw {
    let keys: Vec<String> = driver.topology_keys.iter().map(|key| crate::go_quoted(key)).collect();
    let count = driver.allocatable.as_ref().map_or("null".into(), |limits| {
        let count = limits.count.map_or("null".into(), |count| count.to_string());
        format!("{{\"Count\":{count}}}")
    });
    Raw(format!(
        "{{\"Name\":{},\"NodeID\":{},\"TopologyKeys\":[{}],\"Allocatable\":{count}}}",
        crate::go_quoted(&driver.name),
        crate::go_quoted(&driver.node_id),
        keys.join(",")
    ))
}

fn definition(
    e: &mut Errors,
    new: &CustomResourceDefinition,
    old: &CustomResourceDefinition,
    at: &Path,
) {
    let conditions = &old.status.conditions;
    if conditions.iter().any(|c| c.type_ == "Established" && c.status == "True") {
        e.immutable(&at.child("scope"), &new.spec.scope, &old.spec.scope);
        let kind = at.child("names");
        e.immutable(&kind.child("kind"), &new.spec.names.kind, &old.spec.names.kind);
    }
    e.immutable(&at.child("group"), &new.spec.group, &old.spec.group);
    let names = at.child("names");
    e.immutable(&names.child("plural"), &new.spec.names.plural, &old.spec.names.plural);
}

/// The ranges stay, but a second one may be added.
fn service_cidr(e: &mut Errors, new: &[Str], old: &[Str], at: &Path) {
    if new.len() != old.len() && (old.len(), new.len()) != (1, 2) {
        let list: Vec<String> = new.iter().map(|cidr| crate::go_quoted(cidr)).collect();
        return e.invalid(at, &Raw(format!("[{}]", list.join(","))), IMMUTABLE);
    }
    for (i, (new, old)) in new.iter().zip(old).enumerate() {
        if new != old {
            e.invalid(&at.index(i), new, IMMUTABLE);
        }
    }
}

fn fixed_selector(
    e: &mut Errors,
    new: &api::meta::v1::LabelSelector,
    old: &api::meta::v1::LabelSelector,
    at: &Path,
) {
    if new != old {
        e.invalid(&at.child("selector"), &selector::shown(new), IMMUTABLE);
    }
}

fn stateful_set(e: &mut Errors, new: &StatefulSetSpec, old: &StatefulSetSpec, at: &Path) {
    let fixed = new.service_name == old.service_name
        && new.selector == old.selector
        && new.pod_management_policy == old.pod_management_policy
        && new.volume_claim_templates.len() == old.volume_claim_templates.len()
        && new
            .volume_claim_templates
            .iter()
            .zip(old.volume_claim_templates.iter())
            .all(|(new, old)| new.metadata == old.metadata && new.spec == old.spec);
    if !fixed {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
                   'template', 'updateStrategy', 'revisionHistoryLimit', \
                   'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        e.forbidden(at, why);
    }
}

fn job(e: &mut Errors, new: &Job, old: &Job, at: &Path) {
    let (spec, was) = (&*new.spec, &*old.spec);
    let elastic = spec.completion_mode.as_deref() == Some("Indexed")
        && spec.completions == spec.parallelism
        && spec.completions.is_some();
    if !elastic {
        e.immutable(&at.child("completions"), &spec.completions, &was.completions);
    }
    if spec.selector != was.selector {
        let given = spec.selector.as_deref().cloned().unwrap_or_default();
        e.invalid(&at.child("selector"), &selector::shown(&given), IMMUTABLE);
    }
    job_template(e, spec, was, old, at);
    e.immutable(&at.child("completionMode"), &spec.completion_mode, &was.completion_mode);
    e.immutable(&at.child("podFailurePolicy"), &spec.pod_failure_policy, &was.pod_failure_policy);
    let limit = &was.backoff_limit_per_index;
    e.immutable(&at.child("backoffLimitPerIndex"), &spec.backoff_limit_per_index, limit);
    e.immutable(&at.child("managedBy"), &spec.managed_by, &was.managed_by);
    e.immutable(&at.child("successPolicy"), &spec.success_policy, &was.success_policy);
}

/// The template is fixed, but for where the pods go while the job has not begun.
fn job_template(e: &mut Errors, spec: &JobSpec, was: &JobSpec, old: &Job, at: &Path) {
    let mut given = spec.template.clone();
    if was.suspend == Some(true) && old.status.start_time.is_none() {
        let before = &was.template;
        given.metadata.labels = before.metadata.labels.clone();
        given.metadata.annotations = before.metadata.annotations.clone();
        given.spec.affinity = before.spec.affinity.clone();
        given.spec.node_selector = before.spec.node_selector.clone();
        given.spec.tolerations = before.spec.tolerations.clone();
        given.spec.scheduling_gates = before.spec.scheduling_gates.clone();
    }
    e.immutable(&at.child("template"), &given, &was.template);
}

fn service(e: &mut Errors, new: &Service, old: &Service) {
    let (spec, was) = (&new.spec, &old.spec);
    if spec.type_ == "ExternalName" || was.type_ == "ExternalName" {
        return;
    }
    let at = Path::root("spec");
    let list = at.child("clusterIPs");
    for i in 0..2 {
        match (spec.cluster_ips.get(i), was.cluster_ips.get(i)) {
            (Some(new), Some(old)) if new != old => {
                let value = json_list(&spec.cluster_ips);
                e.invalid(&list.index(i), &value, "may not change once set");
            }
            (None, Some(_)) if i == 0 => {
                let value = json_list(&spec.cluster_ips);
                e.invalid(&list.index(0), &value, "primary clusterIP can not be unset");
            }
            _ => {}
        }
    }
    let list = at.child("ipFamilies");
    if let (Some(new), Some(old)) = (spec.ip_families.first(), was.ip_families.first())
        && new != old
    {
        let value = json_list(&spec.ip_families);
        e.invalid(&list.index(0), &value, "may not change once set");
    }
    let balanced = spec.type_ == "LoadBalancer" && was.type_ == "LoadBalancer";
    if balanced && spec.load_balancer_class != was.load_balancer_class {
        let value = spec.load_balancer_class.clone().unwrap_or_default();
        e.invalid(&at.child("loadBalancerClass"), &value, "may not change once set");
    }
}

fn claim(e: &mut Errors, new: &PersistentVolumeClaim, old: &PersistentVolumeClaim, at: &Path) {
    let (mut given, was) = ((*new.spec).clone(), &*old.spec);
    let bound = old.status.phase == "Bound";
    // A claim may be given its volume, and a bound one may grow.
    if was.volume_name.is_empty() {
        given.volume_name = was.volume_name.clone();
    }
    if was.storage_class_name.is_none() && !bound {
        given.storage_class_name = None;
    }
    if bound {
        given.resources.requests = was.resources.requests.clone();
        given.volume_attributes_class_name = was.volume_attributes_class_name.clone();
    }
    if given != *was {
        let why = format!(
            "spec is immutable after creation except resources.requests and \
             volumeAttributesClassName for bound claims{}",
            changes(&given, was)
        );
        e.forbidden(at, &why);
        return;
    }
    let size = |spec: &PersistentVolumeClaimSpec| spec.resources.requests.get("storage").cloned();
    let (size, before) = (size(&new.spec), size(was));
    let capacity = old.status.capacity.get("storage");
    if size < before && bound && capacity.is_none_or(|capacity| size.as_ref() <= Some(capacity)) {
        let why = "field can not be less than status.capacity";
        e.forbidden(&at.child("resources.requests.storage"), why);
    }
}

fn volume(e: &mut Errors, new: &PersistentVolumeSpec, old: &PersistentVolumeSpec, at: &Path) {
    let mut given = new.clone();
    given.access_modes = old.access_modes.clone();
    given.capacity = old.capacity.clone();
    given.claim_ref = old.claim_ref.clone();
    given.mount_options = old.mount_options.clone();
    given.node_affinity = old.node_affinity.clone();
    given.persistent_volume_reclaim_policy = old.persistent_volume_reclaim_policy.clone();
    given.storage_class_name = old.storage_class_name.clone();
    given.volume_attributes_class_name = old.volume_attributes_class_name.clone();
    given.volume_mode = old.volume_mode.clone();
    if given != *old {
        let why = format!(
            "spec.persistentvolumesource is immutable after creation{}",
            changes(&given, old)
        );
        e.forbidden(&at.child("persistentvolumesource"), &why);
    }
    e.immutable(&at.child("volumeMode"), &new.volume_mode, &old.volume_mode);
    if old.node_affinity.is_some() && new.node_affinity != old.node_affinity {
        let value = new.node_affinity.as_ref().map_or(Raw("null".into()), |a| json(&**a));
        e.invalid(&at.child("nodeAffinity"), &value, IMMUTABLE);
    }
}

fn role_ref(e: &mut Errors, new: &RoleRef, old: &RoleRef) {
    if new != old {
        let shown = format!(
            "{{\"APIGroup\":{},\"Kind\":{},\"Name\":{}}}",
            new.api_group.show(),
            new.kind.show(),
            new.name.show()
        );
        e.invalid(&Path::root("roleRef"), &Raw(shown), "cannot change roleRef");
    }
}

fn node(e: &mut Errors, new: &Node, old: &Node, at: &Path) {
    if !old.spec.pod_cidrs.is_empty() && new.spec.pod_cidrs != old.spec.pod_cidrs {
        let why = "node updates may not change podCIDR except from \"\" to valid";
        e.forbidden(&at.child("podCIDRs"), why);
    }
    if !old.spec.provider_id.is_empty() && new.spec.provider_id != old.spec.provider_id {
        let why = "node updates may not change providerID except from \"\" to valid";
        e.forbidden(&at.child("providerID"), why);
    }
}

fn storage_class(e: &mut Errors, new: &StorageClass, old: &StorageClass) {
    if new.parameters != old.parameters {
        e.forbidden(&Path::root("parameters"), "updates to parameters are forbidden.");
    }
    if new.provisioner != old.provisioner {
        e.forbidden(&Path::root("provisioner"), "updates to provisioner are forbidden.");
    }
    if new.reclaim_policy != old.reclaim_policy {
        e.forbidden(&Path::root("reclaimPolicy"), "updates to reclaimPolicy are forbidden.");
    }
    let at = Path::root("volumeBindingMode");
    e.immutable(&at, &new.volume_binding_mode, &old.volume_binding_mode);
}

/// What a status may not say.
pub fn status(e: &mut Errors, new: &Object, old: &Object) {
    let at = Path::root("status");
    if let Some(deployment) = new.get::<Deployment>() {
        let status = &deployment.status;
        counts(
            e,
            &at,
            &[
                ("replicas", status.replicas),
                ("updatedReplicas", status.updated_replicas),
                ("readyReplicas", status.ready_replicas),
                ("availableReplicas", status.available_replicas),
                ("unavailableReplicas", status.unavailable_replicas),
            ],
        );
        at_most(e, &at, "updatedReplicas", status.updated_replicas, status.replicas);
        at_most(e, &at, "readyReplicas", status.ready_replicas, status.replicas);
        at_most(e, &at, "availableReplicas", status.available_replicas, status.replicas);
        if status.available_replicas > status.ready_replicas {
            let why = "cannot be greater than readyReplicas";
            e.invalid(&at.child("availableReplicas"), &status.available_replicas, why);
        }
        let collisions = |object: &Object| {
            object.get::<Deployment>().and_then(|deployment| deployment.status.collision_count)
        };
        if let Some(before) = collisions(old)
            && collisions(new).is_none_or(|now| now < before)
        {
            let now = collisions(new).unwrap_or_default();
            e.invalid(&at.child("collisionCount"), &now, "cannot be decremented");
        }
    } else if let Some(set) = new.get::<ReplicaSet>() {
        let status = &set.status;
        counts(
            e,
            &at,
            &[
                ("replicas", status.replicas),
                ("fullyLabeledReplicas", status.fully_labeled_replicas),
                ("readyReplicas", status.ready_replicas),
                ("availableReplicas", status.available_replicas),
            ],
        );
        at_most(e, &at, "fullyLabeledReplicas", status.fully_labeled_replicas, status.replicas);
        at_most(e, &at, "readyReplicas", status.ready_replicas, status.replicas);
        at_most(e, &at, "availableReplicas", status.available_replicas, status.replicas);
    } else if let (Some(new), Some(old)) = (new.get::<ResourceClaim>(), old.get()) {
        super::resource::status(e, new, old);
    } else if let Some(node) = new.get::<Node>() {
        super::core::node_status(e, node);
    }
}

fn counts(e: &mut Errors, at: &Path, counts: &[(&str, i32)]) {
    for (name, count) in counts {
        e.not_negative(&at.child(name), (*count).into());
    }
}

fn at_most(e: &mut Errors, at: &Path, name: &str, count: i32, replicas: i32) {
    if count > replicas {
        e.invalid(&at.child(name), &count, "cannot be greater than status.replicas");
    }
}
