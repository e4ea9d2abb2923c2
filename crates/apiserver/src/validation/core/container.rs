//! Containers of all three kinds.
//!
//! Models `validateContainers`, `validateInitContainers` and `validateEphemeralContainers`.
//!
//! Known deviations: none.

use api::codec::Value;
use api::core::v1::{
    Container, ContainerPort, EphemeralContainer, PodSpec, VolumeDevice, VolumeMount,
};
use api::{Decode, names};
use base::{HashSet, Str};

use super::volume::{Volumes, no_backsteps, relative_path};
use super::{env, probe, resources, security};
use crate::validation::check::Errors;
use crate::validation::path::Path;

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

/// The containers that make up a pod.
pub fn containers(e: &mut Errors, spec: &PodSpec, volumes: &Volumes, at: &Path) {
    if spec.containers.is_empty() {
        e.required(at, "");
        return;
    }
    let mut seen = HashSet::default();
    for (i, container) in spec.containers.iter().enumerate() {
        let at = at.index(i);
        common(e, container, spec, volumes, &at);
        if !seen.insert(&container.name) {
            e.duplicate(&at.child("name"), &container.name);
        }
        probe::of_container(e, container, spec, &at);
        resize_policy(e, container, spec, &at);
        restart_rules(e, container, &at);
    }
    host_port_conflicts(e, &spec.containers, at, 0);
}

/// The containers that run before, or, if they always restart, beside the others.
pub fn init_containers(e: &mut Errors, spec: &PodSpec, volumes: &Volumes, list: &Path) {
    let mut seen: HashSet<&Str> = spec.containers.iter().map(|container| &container.name).collect();
    for (i, container) in spec.init_containers.iter().enumerate() {
        let at = list.index(i);
        common(e, container, spec, volumes, &at);
        restart_rules(e, container, &at);
        if seen.contains(&container.name) {
            e.duplicate(&at.child("name"), &container.name);
        } else if !container.name.is_empty() {
            seen.insert(&container.name);
        }
        host_port_conflicts(e, std::slice::from_ref(container), list, i);
        if container.restart_policy.as_deref() == Some("Always") {
            probe::of_container(e, container, spec, &at);
            resize_policy(e, container, spec, &at);
            continue;
        }
        let not_allowed = [
            ("lifecycle", container.lifecycle.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
        ];
        for (name, _) in not_allowed.into_iter().filter(|(_, set)| *set) {
            let why = "may not be set for init containers without restartPolicy=Always";
            e.forbidden(&at.child(name), why);
        }
        resize_policy(e, container, spec, &at);
    }
}

/// The containers added while the pod runs.
pub fn ephemeral_containers(e: &mut Errors, spec: &PodSpec, volumes: &Volumes, list: &Path) {
    let others = spec.containers.iter().chain(spec.init_containers.iter());
    let others: HashSet<&Str> = others.map(|container| &container.name).collect();
    let mut seen = others.clone();
    for (i, ephemeral) in spec.ephemeral_containers.iter().enumerate() {
        let at = list.index(i);
        let container = as_container(ephemeral);
        common(e, &container, spec, volumes, &at);
        if !seen.insert(&ephemeral.name) {
            e.duplicate(&at.child("name"), &ephemeral.name);
        }
        let target = &ephemeral.target_container_name;
        if !target.is_empty() && !others.contains(target) {
            e.not_found(&at.child("targetContainerName"), target);
        }
        let not_allowed = [
            ("ports", !ephemeral.ports.is_empty()),
            ("livenessProbe", ephemeral.liveness_probe.is_some()),
            ("readinessProbe", ephemeral.readiness_probe.is_some()),
            ("startupProbe", ephemeral.startup_probe.is_some()),
            ("lifecycle", ephemeral.lifecycle.is_some()),
            ("resources", !ephemeral.resources.is_zero()),
            ("resizePolicy", !ephemeral.resize_policy.is_empty()),
        ];
        for (name, _) in not_allowed.into_iter().filter(|(_, set)| *set) {
            e.forbidden(&at.child(name), "cannot be set for an Ephemeral Container");
        }
        for (j, mount) in ephemeral.volume_mounts.iter().enumerate() {
            let mounts = at.child("volumeMounts");
            let why = "cannot be set for an Ephemeral Container";
            for (name, value) in
                [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)]
            {
                if !value.is_empty() {
                    e.forbidden(&mounts.index(j).child(name), why);
                }
            }
        }
    }
}

/// An ephemeral container's fields are those of a container.
fn as_container(ephemeral: &EphemeralContainer) -> Container {
    let mut container = Container::default();
    container.take(ephemeral.to_json(), &mut Decode::new());
    container
}

fn common(e: &mut Errors, c: &Container, spec: &PodSpec, volumes: &Volumes, at: &Path) {
    if c.name.is_empty() {
        e.required(&at.child("name"), "");
    } else {
        e.label_name(&at.child("name"), &c.name);
    }
    if c.image.is_empty() {
        e.required(&at.child("image"), "");
    }
    let policies = ["File", "FallbackToLogsOnError"];
    e.one_of(&at.child("terminationMessagePolicy"), &c.termination_message_policy, &policies);
    ports(e, &c.ports, &at.child("ports"));
    env::vars(e, &c.env, &at.child("env"));
    env::sources(e, &c.env_from, &at.child("envFrom"));
    mounts(e, c, volumes, &at.child("volumeMounts"));
    devices(e, &c.volume_devices, &c.volume_mounts, volumes, &at.child("volumeDevices"));
    let policies = ["Always", "IfNotPresent", "Never"];
    e.one_of(&at.child("imagePullPolicy"), &c.image_pull_policy, &policies);
    resources::of_container(e, &c.resources, spec, &at.child("resources"));
    if let Some(context) = &c.security_context {
        security::of_container(e, context, spec, &at.child("securityContext"));
    }
}

fn ports(e: &mut Errors, ports: &[ContainerPort], list: &Path) {
    let mut seen = HashSet::default();
    for (i, port) in ports.iter().enumerate() {
        let at = list.index(i);
        if !port.name.is_empty() {
            let complaints = names::port_name(&port.name);
            if !complaints.is_empty() {
                e.complaints(&at.child("name"), &port.name, complaints);
            } else if !seen.insert(&port.name) {
                e.duplicate(&at.child("name"), &port.name);
            }
        }
        if port.container_port == 0 {
            e.required(&at.child("containerPort"), "");
        } else {
            e.port_number(&at.child("containerPort"), port.container_port);
        }
        if port.host_port != 0 {
            e.port_number(&at.child("hostPort"), port.host_port);
        }
        e.one_of(&at.child("protocol"), &port.protocol, PROTOCOLS);
    }
}

/// A port of the host belongs to one container. `first` is the position of the first container.
fn host_port_conflicts(e: &mut Errors, containers: &[Container], list: &Path, first: usize) {
    let mut seen = HashSet::default();
    for (i, container) in containers.iter().enumerate() {
        for (j, port) in container.ports.iter().enumerate().filter(|(_, p)| p.host_port != 0) {
            let key = format!("{}/{}/{}", port.protocol, port.host_ip, port.host_port);
            if seen.contains(&key) {
                let at = list.index(first + i);
                let ports = at.child("ports");
                e.duplicate(&ports.index(j).child("hostPort"), key.as_str());
            } else {
                seen.insert(key);
            }
        }
    }
}

fn mounts(e: &mut Errors, container: &Container, volumes: &Volumes, list: &Path) {
    let mut seen = HashSet::default();
    for (i, mount) in container.volume_mounts.iter().enumerate() {
        let at = list.index(i);
        if mount.name.is_empty() {
            e.required(&at.child("name"), "");
        }
        if !volumes.contains_key(&mount.name) {
            e.not_found(&at.child("name"), &mount.name);
        }
        if mount.mount_path.is_empty() {
            e.required(&at.child("mountPath"), "");
        }
        if !seen.insert(&mount.mount_path) {
            e.invalid(&at.child("mountPath"), &mount.mount_path, "must be unique");
        }
        if container.volume_devices.iter().any(|device| device.name == mount.name) {
            let why = "must not already exist in volumeDevices";
            e.invalid(&at.child("name"), &mount.name, why);
        }
        if container.volume_devices.iter().any(|d| d.device_path == mount.mount_path) {
            let why = "must not already exist as a path in volumeDevices";
            e.invalid(&at.child("mountPath"), &mount.mount_path, why);
        }
        if !mount.sub_path.is_empty() {
            relative_path(e, &mount.sub_path, &list.child("subPath"));
        }
        if !mount.sub_path_expr.is_empty() {
            if !mount.sub_path.is_empty() {
                let why = "subPathExpr and subPath are mutually exclusive";
                e.invalid(&at.child("subPathExpr"), &mount.sub_path_expr, why);
            }
            relative_path(e, &mount.sub_path_expr, &list.child("subPathExpr"));
        }
        propagation(e, mount, container, list);
    }
}

fn propagation(e: &mut Errors, mount: &VolumeMount, container: &Container, list: &Path) {
    let at = list.child("mountPropagation");
    let modes = ["Bidirectional", "HostToContainer", "None"];
    e.one_of_if(&at, mount.mount_propagation.as_ref(), &modes);
    let privileged =
        container.security_context.as_ref().is_some_and(|context| context.privileged == Some(true));
    if mount.mount_propagation.as_deref() == Some("Bidirectional") && !privileged {
        let why = "Bidirectional mount propagation is available only to privileged containers";
        e.forbidden(&at, why);
    }
    let Some(mode) = mount.recursive_read_only.as_deref() else { return };
    let at = list.child("recursiveReadOnly");
    match mode {
        "Disabled" => {}
        "IfPossible" | "Enabled" => {
            if !mount.read_only {
                e.forbidden(&at, "may only be specified when readOnly is true");
            }
            if !matches!(mount.mount_propagation.as_deref(), None | Some("None")) {
                let why = "may only be specified when mountPropagation is None or not specified";
                e.forbidden(&at, why);
            }
        }
        other => e.unsupported(&at, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

fn devices(
    e: &mut Errors,
    devices: &[VolumeDevice],
    mounts: &[VolumeMount],
    volumes: &Volumes,
    list: &Path,
) {
    let (mut paths, mut seen) = (HashSet::default(), HashSet::default());
    for (i, device) in devices.iter().enumerate() {
        let at = list.index(i);
        let name = at.child("name");
        let path = at.child("devicePath");
        if device.name.is_empty() {
            e.required(&name, "");
        }
        if !seen.insert(&device.name) {
            e.invalid(&name, &device.name, "must be unique");
        }
        match volumes.get(&device.name) {
            None => e.not_found(&name, &device.name),
            Some(volume)
                if volume.persistent_volume_claim.is_none() && volume.ephemeral.is_none() =>
            {
                let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                e.invalid(&name, &device.name, why);
            }
            Some(_) => {}
        }
        if device.device_path.is_empty() {
            e.required(&path, "");
        }
        if !paths.insert(&device.device_path) {
            e.invalid(&path, &device.device_path, "must be unique");
        }
        if !device.device_path.is_empty() && !no_backsteps(&device.device_path) {
            e.invalid(&path, &device.device_path, "can not contain backsteps ('..')");
        }
        if mounts.iter().any(|mount| mount.name == device.name) {
            e.invalid(&name, &device.name, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|mount| mount.mount_path == device.device_path) {
            let why = "must not already exist as a path in volumeMounts";
            e.invalid(&path, &device.device_path, why);
        }
    }
}

fn resize_policy(e: &mut Errors, container: &Container, spec: &PodSpec, at: &Path) {
    let at = at.child("resizePolicy");
    let mut seen = HashSet::default();
    for policy in container.resize_policy.iter() {
        if !seen.insert(&policy.resource_name) {
            e.duplicate(&at, &policy.resource_name);
        }
        match policy.resource_name.as_str() {
            "cpu" | "memory" => {}
            "" => e.required(&at, ""),
            other => e.unsupported(&at, other, &["cpu", "memory"]),
        }
        match policy.restart_policy.as_str() {
            "NotRequired" | "RestartContainer" => {}
            "" => e.required(&at, ""),
            other => e.unsupported(&at, other, &["NotRequired", "RestartContainer"]),
        }
        if spec.restart_policy == "Never" && policy.restart_policy != "NotRequired" {
            let why = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            e.invalid(&at, &policy.restart_policy, why);
        }
    }
}

fn restart_rules(e: &mut Errors, container: &Container, at: &Path) {
    let policies = ["Always", "Never", "OnFailure"];
    e.one_of_if(&at.child("restartPolicy"), container.restart_policy.as_ref(), &policies);
    let rules = &container.restart_policy_rules;
    if rules.is_empty() {
        return;
    }
    if container.restart_policy.is_none() {
        let why = "must specify restartPolicy when restart rules are used";
        e.required(&at.child("restartPolicy"), why);
    }
    let list = at.child("restartPolicyRules");
    if rules.len() > 20 {
        e.too_many(&list, rules.len(), 20);
    }
    for (i, rule) in rules.iter().enumerate() {
        let at = list.index(i);
        if !matches!(rule.action.as_str(), "Restart" | "RestartAllContainers") {
            let supported = ["Restart", "RestartAllContainers"];
            e.unsupported(&at.child("action"), &rule.action, &supported);
        }
        let Some(codes) = &rule.exit_codes else {
            e.required(&at.child("exitCodes"), "must be specified");
            continue;
        };
        let at = at.child("exitCodes");
        if !matches!(codes.operator.as_str(), "In" | "NotIn") {
            e.unsupported(&at.child("operator"), &codes.operator, &["In", "NotIn"]);
        }
        if codes.values.len() > 255 {
            e.too_many(&at.child("values"), codes.values.len(), 255);
        }
    }
}
