//! `storage.k8s.io`: storage classes, CSI drivers and nodes, attachments.
//!
//! Models `pkg/apis/storage/validation` of Kubernetes.
//!
//! Known deviations: none.

use api::Object;
use api::codec::Map;
use api::storage::v1::*;
use base::{HashSet, Str};

use super::check::Errors;
use super::core::volume::driver_name;
use super::path::Path;
use super::selector;

const PARAMETERS_MAX: usize = 512;
const PARAMETER_BYTES_MAX: usize = 256 * 1024;

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(class) = object.get::<StorageClass>() {
        self::class(e, class);
    } else if let Some(driver) = object.get::<CSIDriver>() {
        self::driver(e, driver);
    } else if let Some(node) = object.get::<CSINode>() {
        self::node(e, node);
    } else if let Some(attachment) = object.get::<VolumeAttachment>() {
        self::attachment(e, attachment);
    } else if let Some(class) = object.get::<VolumeAttributesClass>() {
        provisioner(e, &class.driver_name, &Path::root("driverName"));
        parameters(e, &class.parameters, &Path::root("parameters"));
    } else if let Some(capacity) = object.get::<CSIStorageCapacity>() {
        e.subdomain(&Path::root("storageClassName"), &capacity.storage_class_name);
        if let Some(topology) = &capacity.node_topology {
            selector::check(e, &Path::root("nodeTopology"), topology);
        }
        for (name, amount) in
            [("capacity", &capacity.capacity), ("maximumVolumeSize", &capacity.maximum_volume_size)]
        {
            if let Some(amount) = amount {
                e.amount(&Path::root(name), amount);
            }
        }
    }
}

fn provisioner(e: &mut Errors, name: &str, at: &Path) {
    if name.is_empty() {
        e.required(at, "");
    } else {
        e.qualified(at, &name.to_lowercase());
    }
}

fn parameters(e: &mut Errors, parameters: &Map<Str>, at: &Path) {
    if parameters.len() > PARAMETERS_MAX {
        let max = PARAMETERS_MAX;
        e.too_many(at, parameters.len(), max);
        return;
    }
    let mut size = 0;
    for (key, value) in parameters.iter() {
        if key.is_empty() {
            e.invalid(at, key, "field can not be empty.");
        }
        size += key.len() + value.len();
    }
    if size > PARAMETER_BYTES_MAX {
        e.too_long(at, PARAMETER_BYTES_MAX);
    }
}

fn class(e: &mut Errors, class: &StorageClass) {
    provisioner(e, &class.provisioner, &Path::root("provisioner"));
    parameters(e, &class.parameters, &Path::root("parameters"));
    if let Some(policy) = class.reclaim_policy.as_ref().filter(|policy| !policy.is_empty()) {
        e.one_of_if(&Path::root("reclaimPolicy"), Some(policy), &["Delete", "Retain"]);
    }
    let at = Path::root("volumeBindingMode");
    match &class.volume_binding_mode {
        None => e.required(&at, ""),
        mode => e.one_of_if(&at, mode.as_ref(), &["Immediate", "WaitForFirstConsumer"]),
    }
    let list = Path::root("allowedTopologies");
    for (i, term) in class.allowed_topologies.iter().enumerate() {
        let at = list.index(i);
        let mut seen = HashSet::default();
        for (j, one) in term.match_label_expressions.iter().enumerate() {
            let at = at.child("matchLabelExpressions");
            let at = at.index(j);
            if one.values.is_empty() {
                e.required(&at.child("values"), "");
            }
            e.qualified(&at.child("key"), &one.key);
            if !seen.insert(&one.key) {
                e.duplicate(&at.child("key"), &one.key);
            }
        }
    }
}

fn driver(e: &mut Errors, driver: &CSIDriver) {
    let (spec, at) = (&driver.spec, Path::root("spec"));
    driver_name(e, &driver.metadata.name, &Path::root("metadata.name"));
    for (name, given) in [
        ("attachRequired", spec.attach_required),
        ("podInfoOnMount", spec.pod_info_on_mount),
        ("storageCapacity", spec.storage_capacity),
    ] {
        if given.is_none() {
            e.required(&at.child(name), "");
        }
    }
    let policies = ["File", "None", "ReadWriteOnceWithFSType"];
    e.one_of_if(&at.child("fsGroupPolicy"), spec.fs_group_policy.as_ref(), &policies);
    let mut seen = HashSet::default();
    for (i, request) in spec.token_requests.iter().enumerate() {
        let at = at.child("tokenRequests");
        let at = at.index(i);
        if !seen.insert(&request.audience) {
            e.duplicate(&at.child("audience"), &request.audience);
        }
        if let Some(seconds) = request.expiration_seconds.filter(|seconds| *seconds < 600) {
            let why = "may not specify a duration less than 10 minutes";
            e.invalid(&at.child("expirationSeconds"), &seconds, why);
        }
    }
    for mode in spec.volume_lifecycle_modes.iter() {
        let at = at.child("volumeLifecycleModes");
        e.one_of_if(&at, Some(mode), &["Ephemeral", "Persistent"]);
    }
}

fn node(e: &mut Errors, node: &CSINode) {
    let list = Path::root("spec.drivers");
    let mut seen = HashSet::default();
    for (i, driver) in node.spec.drivers.iter().enumerate() {
        let at = list.index(i);
        driver_name(e, &driver.name, &at.child("name"));
        if driver.node_id.is_empty() {
            e.required(&at.child("nodeID"), "");
        } else if driver.node_id.len() > 256 {
            let why = "must be 256 characters or less";
            e.invalid(&at.child("nodeID"), &driver.node_id, why);
        }
        if let Some(count) = driver.allocatable.as_ref().and_then(|a| a.count) {
            e.not_negative(&at.child("allocatable.count"), count.into());
        }
        for key in driver.topology_keys.iter() {
            e.qualified(&at.child("topologyKeys"), key);
        }
        if !seen.insert(&driver.name) {
            e.duplicate(&at.child("name"), &driver.name);
        }
    }
}

fn attachment(e: &mut Errors, attachment: &VolumeAttachment) {
    let (spec, at) = (&attachment.spec, Path::root("spec"));
    driver_name(e, &spec.attacher, &at.child("attacher"));
    let source = at.child("source");
    match (&spec.source.persistent_volume_name, &spec.source.inline_volume_spec) {
        (None, None) => e.required(
            &source,
            "must specify exactly one of inlineVolumeSpec and persistentVolumeName",
        ),
        (Some(_), Some(_)) => {
            e.forbidden(
                &source,
                "must specify exactly one of inlineVolumeSpec and persistentVolumeName",
            );
        }
        (Some(name), None) if name.is_empty() => {
            e.required(
                &source.child("persistentVolumeName"),
                "must specify non empty persistentVolumeName",
            );
        }
        _ => {}
    }
    e.subdomain(&at.child("nodeName"), &spec.node_name);
}
