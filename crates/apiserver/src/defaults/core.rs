//! The core group, but for pods.
//!
//! Models `SetDefaults_Service`, `SetDefaults_LimitRangeItem` and their kin of `core/v1`.
//!
//! Known deviations: none.

use api::Object;
use api::codec::Value;
use api::core::v1::*;
use api::int_or_string::IntOrString;
use base::{Str, list, lit};

use super::{amounts, by_kind, missing, part, pod, template, text, volume};

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object,
        Pod => pod::pod,
        Service => service,
        Endpoints => endpoints,
        Secret => secret,
        PodTemplate => |t: &mut PodTemplate| template::spec(&mut t.template.spec),
        ReplicationController => replication_controller,
        PersistentVolumeClaim => claim,
        PersistentVolume => persistent_volume,
        Namespace => namespace,
        Node => node,
        LimitRange => limit_range,
        ResourceQuota => |q: &mut ResourceQuota| part(&mut q.spec, |s| amounts(&mut s.hard)),
    );
}

fn service(service: &mut Service) {
    part(&mut service.spec, |spec| {
        text(&mut spec.session_affinity, lit!("None"));
        if spec.session_affinity == "None" {
            spec.session_affinity_config = None;
        }
        if spec.session_affinity == "ClientIP" {
            let config = spec.session_affinity_config.get_or_insert_default();
            missing(&mut config.client_ip.get_or_insert_default().timeout_seconds, 10_800);
        }
        text(&mut spec.type_, lit!("ClusterIP"));
        for port in spec.ports.iter_mut() {
            text(&mut port.protocol, lit!("TCP"));
            let target = port.target_port.as_ref();
            let given = target
                .is_some_and(|t| *t != IntOrString::Int(0) && *t != IntOrString::Str(Str::new()));
            if !given {
                port.target_port = Some(IntOrString::Int(port.port));
            }
        }
        let inside = matches!(spec.type_.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer");
        let outside = matches!(spec.type_.as_str(), "NodePort" | "LoadBalancer")
            || (spec.type_ == "ClusterIP" && !spec.external_ips.is_empty());
        if outside {
            text(&mut spec.external_traffic_policy, lit!("Cluster"));
        }
        if inside {
            missing(&mut spec.internal_traffic_policy, lit!("Cluster"));
        }
        if spec.type_ == "LoadBalancer" {
            missing(&mut spec.allocate_load_balancer_node_ports, true);
        }
    });
    if service.spec.type_ == "LoadBalancer"
        && service
            .status
            .load_balancer
            .ingress
            .iter()
            .any(|at| !at.ip.is_empty() && at.ip_mode.is_none())
    {
        part(&mut service.status, |status| {
            for at in status.load_balancer.ingress.iter_mut().filter(|at| !at.ip.is_empty()) {
                missing(&mut at.ip_mode, lit!("VIP"));
            }
        });
    }
}

fn endpoints(endpoints: &mut Endpoints) {
    for subset in endpoints.subsets.iter_mut() {
        subset.ports.iter_mut().for_each(|port| text(&mut port.protocol, lit!("TCP")));
    }
}

fn secret(secret: &mut Secret) {
    text(&mut secret.type_, lit!("Opaque"));
    // What was written as text is kept as bytes.
    let plain = std::mem::take(&mut secret.string_data);
    for (key, value) in plain.iter() {
        secret.data.insert(key.clone(), api::Bytes(value.bytes().collect()));
    }
}

fn replication_controller(controller: &mut ReplicationController) {
    let labels = controller.spec.template.metadata.labels.clone();
    if controller.metadata.labels.is_empty() && !labels.is_empty() {
        std::sync::Arc::make_mut(&mut controller.metadata).labels = labels.clone();
    }
    part(&mut controller.spec, |spec| {
        if spec.selector.is_empty() {
            spec.selector = labels;
        }
        missing(&mut spec.replicas, 1);
        // A template that was left out stays so, and is refused.
        if !spec.template.is_zero() {
            template::spec(&mut spec.template.spec);
        }
    });
}

/// Fills in what a claim leaves out.
pub fn claim(claim: &mut PersistentVolumeClaim) {
    part(&mut claim.spec, volume::claim);
    if claim.status.phase.is_empty() {
        part(&mut claim.status, |status| status.phase = lit!("Pending"));
    }
}

fn persistent_volume(volume: &mut PersistentVolume) {
    part(&mut volume.spec, |spec| {
        text(&mut spec.persistent_volume_reclaim_policy, lit!("Retain"));
        missing(&mut spec.volume_mode, lit!("Filesystem"));
        amounts(&mut spec.capacity);
        if let Some(host) = &mut spec.host_path {
            missing(&mut host.type_, Str::new());
        }
        if let Some(iscsi) = &mut spec.iscsi {
            text(&mut iscsi.iscsi_interface, lit!("default"));
        }
        if let Some(rbd) = &mut spec.rbd {
            text(&mut rbd.pool, lit!("rbd"));
            text(&mut rbd.user, lit!("admin"));
            text(&mut rbd.keyring, lit!("/etc/ceph/keyring"));
        }
        if let Some(disk) = &mut spec.azure_disk {
            missing(&mut disk.caching_mode, lit!("ReadWrite"));
            missing(&mut disk.kind, lit!("Shared"));
            missing(&mut disk.fs_type, lit!("ext4"));
            missing(&mut disk.read_only, false);
        }
        if let Some(scale) = &mut spec.scale_io {
            text(&mut scale.storage_mode, lit!("ThinProvisioned"));
            text(&mut scale.fs_type, lit!("xfs"));
        }
    });
    if volume.status.phase.is_empty() {
        part(&mut volume.status, |status| status.phase = lit!("Pending"));
    }
}

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

fn namespace(namespace: &mut Namespace) {
    let name = namespace.metadata.name.clone();
    if !name.is_empty() && namespace.metadata.labels.get(NAME_LABEL) != Some(&name) {
        std::sync::Arc::make_mut(&mut namespace.metadata).labels.insert(NAME_LABEL, name);
    }
    if namespace.status.phase.is_empty() {
        part(&mut namespace.status, |status| status.phase = lit!("Active"));
    }
}

fn node(node: &mut Node) {
    if node.status.allocatable.is_empty() && !node.status.capacity.is_empty() {
        part(&mut node.status, |status| status.allocatable = status.capacity.clone());
    }
    // The first of the pod ranges has a field of its own.
    if !node.spec.pod_cidr.is_empty() && node.spec.pod_cidrs.first() != Some(&node.spec.pod_cidr) {
        part(&mut node.spec, |spec| spec.pod_cidrs = list![spec.pod_cidr.clone()]);
    } else if node.spec.pod_cidr.is_empty() && !node.spec.pod_cidrs.is_empty() {
        part(&mut node.spec, |spec| spec.pod_cidr = spec.pod_cidrs[0].clone());
    }
}

fn limit_range(range: &mut LimitRange) {
    part(&mut range.spec, |spec| spec.limits.iter_mut().for_each(limits));
}

fn limits(item: &mut LimitRangeItem) {
    amounts(&mut item.max);
    amounts(&mut item.min);
    amounts(&mut item.default_);
    amounts(&mut item.default_request);
    amounts(&mut item.max_limit_request_ratio);
    if item.type_ != "Container" {
        return;
    }
    for (name, amount) in item.max.iter() {
        if !item.default_.contains_key(name) {
            item.default_.insert(name.clone(), amount.clone());
        }
    }
    for (name, amount) in item.default_.iter().chain(item.min.iter()) {
        if !item.default_request.contains_key(name) {
            item.default_request.insert(name.clone(), amount.clone());
        }
    }
}
