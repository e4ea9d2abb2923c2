//! Warnings: what works, but not as its author may think.
//!
//! Models `WarningsOnCreate` and `WarningsOnUpdate` of Kubernetes.
//!
//! Known deviations:
//! - Addresses with leading zeros are not warned of.

use std::fmt::Write as _;

use api::Object;
use api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use api::batch::v1::{CronJob, Job};
use api::codec::Map;
use api::core::v1::*;
use api::meta::v1::ObjectMeta;
use api::selector::quote;
use api::{KindInfo, Quantity, names};
use base::{HashMap, HashSet, Str};

/// What a client is told whenever it asks for objects of a kind that is going out of use.
pub fn deprecation(kind: &KindInfo) -> Option<&'static str> {
    match (kind.group, kind.kind) {
        ("", "ComponentStatus") => Some("v1 ComponentStatus is deprecated in v1.19+"),
        ("", "Endpoints") => {
            Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
        }
        _ => None,
    }
}

/// What a client is told when it writes the object, in upstream's order.
pub fn warnings(new: &Object, old: Option<&Object>) -> Vec<String> {
    let mut list = Vec::new();
    if old.is_some_and(|old| old.meta().generation == new.meta().generation && has_pods(new)) {
        return list;
    }
    let created = old.is_none();
    if let Some(pod) = new.get::<Pod>() {
        let text = "metadata.name: this is used in the Pod's hostname, which can result in \
                    surprising behavior; a DNS label is recommended:";
        name(&mut list, created, &pod.metadata.name, text);
        spec(&mut list, &pod.spec, &pod.metadata, "");
    } else if let Some((template, at, named)) = template_of(new) {
        let text = "metadata.name: this is used in Pod names and hostnames, which can result in \
                    surprising behavior; a DNS label is recommended:";
        name(&mut list, created && named, new.name(), text);
        spec(&mut list, &template.spec, &template.metadata, at);
    }
    if let Some(cron) = new.get::<CronJob>()
        && cron.spec.schedule.contains("TZ")
    {
        let text = "CRON_TZ or TZ used in spec.schedule is not officially supported, see \
                    https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details";
        list.push(text.into());
    }
    storage(&mut list, new);
    if let Some(service) = new.get::<Service>() {
        self::service(&mut list, service);
    }
    if let Some(account) = new.get::<ServiceAccount>() {
        let key = "kubernetes.io/enforce-mountable-secrets";
        if account.metadata.annotations.text(key) == Some("true") {
            list.push(format!(
                "metadata.annotations[{key}]: deprecated in v1.32+; prefer separate namespaces to \
                 isolate access to mounted secrets"
            ));
        }
    }
    if let Some(node) = new.get::<Node>() {
        if !node.spec.external_id.is_empty() {
            list.push(
                "spec.externalID: this field is deprecated, and is unused by Kubernetes".into(),
            );
        }
        if node.spec.config_source.is_some() {
            list.push("spec.configSource: the feature is no longer supported".into());
        }
    }
    list
}

fn has_pods(object: &Object) -> bool {
    object.get::<Pod>().is_some() || template_of(object).is_some()
}

/// The template of a controller, where it lies, and whether the pods are named after the controller.
fn template_of(object: &Object) -> Option<(&PodTemplateSpec, &'static str, bool)> {
    let at = "spec.template.";
    if let Some(deployment) = object.get::<Deployment>() {
        return Some((&deployment.spec.template, at, true));
    }
    if let Some(set) = object.get::<ReplicaSet>() {
        return Some((&set.spec.template, at, true));
    }
    if let Some(set) = object.get::<StatefulSet>() {
        return Some((&set.spec.template, at, true));
    }
    if let Some(set) = object.get::<DaemonSet>() {
        return Some((&set.spec.template, at, false));
    }
    if let Some(controller) = object.get::<ReplicationController>() {
        return Some((&controller.spec.template, at, true));
    }
    if let Some(job) = object.get::<Job>() {
        return Some((&job.spec.template, at, true));
    }
    if let Some(cron) = object.get::<CronJob>() {
        return Some((
            &cron.spec.job_template.spec.template,
            "spec.jobTemplate.spec.template.",
            true,
        ));
    }
    let template = object.get::<PodTemplate>()?;
    Some((&template.template, "template.", false))
}

fn name(list: &mut Vec<String>, asked: bool, name: &str, text: &str) {
    let complaints = names::dns1123_label(name);
    if asked && !complaints.is_empty() {
        list.push(format!("{text} [{}]", complaints.join(" ")));
    }
}

const NODE_LABELS: &[(&str, &str, &str)] = &[
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
    ("beta.kubernetes.io/instance-type", "v1.17", "node.kubernetes.io/instance-type"),
];

fn node_label(key: &str) -> Option<String> {
    let (_, since, new) = NODE_LABELS.iter().find(|(old, ..)| *old == key)?;
    Some(format!("deprecated since {since}; use {} instead", quote(new)))
}

/// Pods and templates; `at` is what stands before `spec` and `metadata`.
fn spec(list: &mut Vec<String>, spec: &PodSpec, meta: &ObjectMeta, at: &str) {
    for key in spec.node_selector.keys() {
        if let Some(text) = node_label(key) {
            list.push(format!("{at}spec.nodeSelector[{key}]: {text}"));
        }
    }
    node_affinity(list, spec, at);
    for (i, constraint) in spec.topology_spread_constraints.iter().enumerate() {
        let place = format!("{at}spec.topologySpreadConstraints[{i}]");
        if let Some(text) = node_label(&constraint.topology_key) {
            list.push(format!("{place}.topologyKey: {} is {text}", constraint.topology_key));
        }
        if constraint.label_selector.is_none() {
            list.push(format!(
                "{place}.labelSelector: a null labelSelector results in matching no pod"
            ));
        }
    }
    annotations(list, spec, meta, at);
    volumes(list, spec, at);
    let mut aliases = HashSet::default();
    for (i, alias) in spec.host_aliases.iter().enumerate() {
        if !aliases.insert(&alias.ip) {
            list.push(format!("{at}spec.hostAliases[{i}].ip: duplicate ip {}", quote(&alias.ip)));
        }
    }
    let mut secrets = HashSet::default();
    for (i, secret) in spec.image_pull_secrets.iter().enumerate() {
        let place = format!("{at}spec.imagePullSecrets[{i}].name");
        if secret.name.is_empty() {
            list.push(format!("{place}: invalid empty name \"\""));
        } else if !secrets.insert(&secret.name) {
            list.push(format!("{place}: duplicate name {}", quote(&secret.name)));
        }
    }
    containers(list, spec, at);
    if spec.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0) {
        list.push(format!(
            "{at}spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and \
             will be treated as 1"
        ));
    }
    ports(list, spec, at);
}

fn node_affinity(list: &mut Vec<String>, spec: &PodSpec, at: &str) {
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let Some(affinity) = affinity else { return };
    let place = format!("{at}spec.affinity.nodeAffinity.");
    let mut term = |term: &NodeSelectorTerm, place: String| {
        for (i, one) in term.match_expressions.iter().enumerate() {
            if let Some(text) = node_label(&one.key) {
                list.push(format!("{place}.matchExpressions[{i}].key: {} is {text}", one.key));
            }
        }
    };
    if let Some(required) = &affinity.required_during_scheduling_ignored_during_execution {
        for (i, one) in required.node_selector_terms.iter().enumerate() {
            let which = "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
            term(one, format!("{place}{which}[{i}]"));
        }
    }
    let preferred = &affinity.preferred_during_scheduling_ignored_during_execution;
    for (i, one) in preferred.iter().enumerate() {
        let which = "preferredDuringSchedulingIgnoredDuringExecution";
        term(&one.preference, format!("{place}{which}[{i}].preference"));
    }
}

fn annotations(list: &mut Vec<String>, spec: &PodSpec, meta: &ObjectMeta, at: &str) {
    let pod = "seccomp.security.alpha.kubernetes.io/pod";
    let seccomp = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
    if meta.annotations.contains_key(pod)
        && spec.security_context.as_ref().is_none_or(|c| c.seccomp_profile.is_none())
    {
        list.push(format!("{at}metadata.annotations[{pod}]: {seccomp}"));
    }
    let containers = spec.containers.iter().chain(spec.init_containers.iter());
    for container in containers {
        let context = container.security_context.as_deref();
        let key = format!("container.seccomp.security.alpha.kubernetes.io/{}", container.name);
        if meta.annotations.contains_key(&key)
            && context.is_none_or(|c| c.seccomp_profile.is_none())
        {
            list.push(format!("{at}metadata.annotations[{key}]: {seccomp}"));
        }
        let key = format!("container.apparmor.security.beta.kubernetes.io/{}", container.name);
        if meta.annotations.contains_key(&key) {
            list.push(format!(
                "{at}metadata.annotations[{key}]: deprecated since v1.30; use the \
                 \"appArmorProfile\" field instead"
            ));
        }
    }
}

const GONE: &[(&str, &str)] = &[
    ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

fn gone(list: &mut Vec<String>, kind: &str, place: &str) {
    if let Some((_, text)) = GONE.iter().find(|(name, _)| *name == kind) {
        list.push(format!("{place}.{kind}: {text}"));
    }
}

fn volumes(list: &mut Vec<String>, spec: &PodSpec, at: &str) {
    for (i, volume) in spec.volumes.iter().enumerate() {
        let place = format!("{at}spec.volumes[{i}]");
        let old = [
            ("photonPersistentDisk", volume.photon_persistent_disk.is_some()),
            ("gitRepo", volume.git_repo.is_some()),
            ("scaleIO", volume.scale_io.is_some()),
            ("flocker", volume.flocker.is_some()),
            ("storageOS", volume.storageos.is_some()),
            ("quobyte", volume.quobyte.is_some()),
            ("glusterfs", volume.glusterfs.is_some()),
            ("cephfs", volume.cephfs.is_some()),
            ("rbd", volume.rbd.is_some()),
        ];
        for (kind, _) in old.into_iter().filter(|(_, used)| *used) {
            gone(list, kind, &place);
        }
    }
}

fn containers(list: &mut Vec<String>, spec: &PodSpec, at: &str) {
    let all = spec.init_containers.iter().enumerate().map(|(i, c)| ("initContainers", i, c));
    let all = all.chain(spec.containers.iter().enumerate().map(|(i, c)| ("containers", i, c)));
    for (kind, i, container) in all {
        let place = format!("{at}spec.{kind}[{i}]");
        fractions(list, &container.resources.limits, &format!("{place}.resources.limits"));
        fractions(list, &container.resources.requests, &format!("{place}.resources.requests"));
        let mut seen = HashSet::default();
        for (j, var) in container.env.iter().enumerate() {
            if !seen.insert(&var.name) {
                let name = quote(&var.name);
                list.push(format!(
                    "{place}.env[{j}]: hides previous definition of {name}, which may be dropped \
                     when using apply"
                ));
            }
        }
    }
}

/// Bytes come whole.
fn fractions(list: &mut Vec<String>, amounts: &Map<Quantity>, place: &str) {
    for name in ["memory", "ephemeral-storage", "storage"] {
        if let Some(amount) = amounts.get(name)
            && amount.milli_value() % 1000 != 0
        {
            let text = quote(&amount.to_string());
            list.push(format!(
                "{place}[{name}]: fractional byte value {text} is invalid, must be an integer"
            ));
        }
    }
}

fn ports(list: &mut Vec<String>, spec: &PodSpec, at: &str) {
    let mut names: HashMap<&Str, String> = HashMap::default();
    for (i, container) in spec.containers.iter().enumerate() {
        let mut seen: HashMap<(&Str, &Str, i32, i32), usize> = HashMap::default();
        for (j, port) in container.ports.iter().enumerate() {
            let place = format!("{at}spec.containers[{i}].ports[{j}]");
            let key = (&port.protocol, &port.host_ip, port.container_port, port.host_port);
            if let Some(first) = seen.get(&key) {
                list.push(format!(
                    "{place}: duplicate port definition with {at}spec.containers[{i}].ports[{first}]"
                ));
            } else {
                seen.insert(key, j);
            }
            if port.name.is_empty() {
                continue;
            }
            match names.get(&port.name) {
                Some(first) => {
                    let mut text = format!("{place}: duplicate port name {}", quote(&port.name));
                    let _ = write!(
                        text,
                        " with {first}, services and probes that select ports by name will use {first}"
                    );
                    list.push(text);
                }
                None => drop(names.insert(&port.name, place)),
            }
        }
    }
}

fn storage(list: &mut Vec<String>, object: &Object) {
    let class = "volume.beta.kubernetes.io/storage-class";
    let text = "deprecated since v1.8; use \"storageClassName\" attribute instead";
    if let Some(claim) = object.get::<PersistentVolumeClaim>() {
        if claim.metadata.annotations.contains_key(class) {
            list.push(format!("metadata.annotations[{class}]: {text}"));
        }
        fractions(list, &claim.spec.resources.requests, "spec.resources.requests");
    }
    let Some(volume) = object.get::<PersistentVolume>() else { return };
    if volume.metadata.annotations.contains_key(class) {
        list.push(format!("metadata.annotations[{class}]: {text}"));
    }
    let options = "volume.beta.kubernetes.io/mount-options";
    if volume.metadata.annotations.contains_key(options) {
        list.push(format!(
            "metadata.annotations[{options}]: deprecated since v1.31; use \"mountOptions\" \
             attribute instead"
        ));
    }
    let spec = &volume.spec;
    if spec.persistent_volume_reclaim_policy == "Recycle" {
        list.push(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, \
             the recommended approach is to use dynamic provisioning."
                .into(),
        );
    }
    let old = [
        ("photonPersistentDisk", spec.photon_persistent_disk.is_some()),
        ("scaleIO", spec.scale_io.is_some()),
        ("flocker", spec.flocker.is_some()),
        ("storageOS", spec.storageos.is_some()),
        ("quobyte", spec.quobyte.is_some()),
        ("glusterfs", spec.glusterfs.is_some()),
        ("cephfs", spec.cephfs.is_some()),
        ("rbd", spec.rbd.is_some()),
    ];
    for (kind, _) in old.into_iter().filter(|(_, used)| *used) {
        gone(list, kind, "spec");
    }
}

fn service(list: &mut Vec<String>, service: &Service) {
    let spec = &service.spec;
    if spec.type_ == "ExternalName" {
        if !spec.external_ips.is_empty() {
            list.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".into());
        }
    } else if !spec.external_name.is_empty() {
        list.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".into());
    }
    if spec.cluster_ip == "None" {
        if !spec.load_balancer_ip.is_empty() {
            list.push("spec.loadBalancerIP is ignored for headless services".into());
        }
        if !spec.external_ips.is_empty() {
            list.push("spec.externalIPs is ignored for headless services".into());
        }
        if !matches!(spec.session_affinity.as_str(), "" | "None") {
            list.push("spec.SessionAffinity is ignored for headless services".into());
        }
    }
}
