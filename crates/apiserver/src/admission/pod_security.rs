//! PodSecurity: the security standard that a namespace's labels ask for.
//!
//! Models the PodSecurity plugin with the levels `privileged`, `baseline` and `restricted`, in modes `enforce`
//! and `warn`.
//!
//! Known deviations:
//! - Every version label means the newest standard; audit annotations are not kept.
//! - The SELinux and Windows host-process checks are missing.

use api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use api::batch::v1::{CronJob, Job};
use api::core::v1::*;
use api::object::{Kind, Object};
use base::Str;

use crate::ApiServer;
use crate::errors::{self, Refusal};

const PREFIX: &str = "pod-security.kubernetes.io/";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Privileged,
    Baseline,
    Restricted,
}

/// Refuses pods below the enforced level. Answers with the warnings for the level that is warned of.
pub(super) fn validate(server: &ApiServer, object: &Object) -> Result<Vec<String>, Refusal> {
    let Some(namespace) = server.namespace(object.namespace()) else { return Ok(Vec::new()) };
    let labels = &namespace.metadata.labels;
    let asked = |mode: &str| {
        let version = labels.text(&format!("{PREFIX}{mode}-version")).unwrap_or("latest");
        let level = match labels.text(&format!("{PREFIX}{mode}")) {
            Some("restricted") => Level::Restricted,
            Some("baseline") => Level::Baseline,
            _ => Level::Privileged,
        };
        (level, version.to_string())
    };
    let (enforce, warn) = (asked("enforce"), asked("warn"));
    if enforce.0 == Level::Privileged && warn.0 == Level::Privileged {
        return Ok(Vec::new());
    }
    let Some(spec) = spec_of(object) else { return Ok(Vec::new()) };
    let text = |(level, version): &(Level, String)| -> Option<String> {
        let wrong = violations(spec, *level);
        let name = if *level == Level::Restricted { "restricted" } else { "baseline" };
        (!wrong.is_empty())
            .then(|| format!("violate PodSecurity \"{name}:{version}\": {}", wrong.join(", ")))
    };
    if object.get::<Pod>().is_some()
        && let Some(text) = text(&enforce)
    {
        let text = text.replacen("violate", "violates", 1);
        return Err(errors::forbidden(Pod::INFO, object.name(), &text));
    }
    // What is enforced is warned of where a template cannot be refused yet.
    Ok(text(&warn).map(|text| format!("would {text}")).into_iter().collect())
}

fn spec_of(object: &Object) -> Option<&PodSpec> {
    if let Some(pod) = object.get::<Pod>() {
        return Some(&pod.spec);
    }
    let template = object
        .get::<Deployment>()
        .map(|o| &o.spec.template)
        .or_else(|| object.get::<ReplicaSet>().map(|o| &o.spec.template))
        .or_else(|| object.get::<StatefulSet>().map(|o| &o.spec.template))
        .or_else(|| object.get::<DaemonSet>().map(|o| &o.spec.template))
        .or_else(|| object.get::<Job>().map(|o| &o.spec.template))
        .or_else(|| object.get::<CronJob>().map(|o| &o.spec.job_template.spec.template))
        .or_else(|| object.get::<ReplicationController>().map(|o| &o.spec.template))?;
    Some(&template.spec)
}

/// A container of any sort, as far as security goes.
struct Part<'a> {
    name: &'a Str,
    context: Option<&'a SecurityContext>,
    ports: &'a [ContainerPort],
}

fn parts(spec: &PodSpec) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for container in spec.init_containers.iter().chain(&spec.containers) {
        parts.push(Part {
            name: &container.name,
            context: container.security_context.as_deref(),
            ports: &container.ports,
        });
    }
    for container in &spec.ephemeral_containers {
        parts.push(Part {
            name: &container.name,
            context: container.security_context.as_deref(),
            ports: &container.ports,
        });
    }
    parts
}

/// What is wrong, check by check in the order of their names.
fn violations(spec: &PodSpec, level: Level) -> Vec<String> {
    if level == Level::Privileged {
        return Vec::new();
    }
    let parts = parts(spec);
    let restricted = level == Level::Restricted;
    let checks = [
        restricted.then(|| escalation(&parts)).flatten(),
        if restricted { capabilities_restricted(&parts) } else { capabilities(&parts) },
        host_namespaces(spec),
        (!restricted).then(|| host_paths(spec)).flatten(),
        host_ports(&parts),
        privileged(&parts),
        proc_mount(&parts),
        restricted.then(|| volumes(spec)).flatten(),
        restricted.then(|| non_root(spec, &parts)).flatten(),
        restricted.then(|| root_user(spec, &parts)).flatten(),
        if restricted { seccomp_restricted(spec, &parts) } else { seccomp(spec, &parts) },
        sysctls(spec),
    ];
    checks.into_iter().flatten().collect()
}

/// `container "a"` or `containers "a", "b"` of the parts that `bad` picks.
fn named(parts: &[Part<'_>], bad: impl Fn(&Part<'_>) -> bool) -> Option<String> {
    let names: Vec<String> = parts
        .iter()
        .filter(|part| bad(part))
        .map(|part| format!("{:?}", part.name.as_str()))
        .collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("container {one}")),
        many => Some(format!("containers {}", many.join(", "))),
    }
}

fn quoted(mut texts: Vec<String>) -> String {
    base::sort::naturally(&mut texts);
    texts.dedup();
    texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ")
}

fn escalation(parts: &[Part<'_>]) -> Option<String> {
    let bad = |part: &Part<'_>| {
        part.context.and_then(|context| context.allow_privilege_escalation) != Some(false)
    };
    let who = named(parts, bad)?;
    Some(format!(
        "allowPrivilegeEscalation != false ({who} must set securityContext.allowPrivilegeEscalation=false)"
    ))
}

fn added<'a>(part: &'a Part<'_>) -> impl Iterator<Item = &'a Str> {
    let capabilities = part.context.and_then(|context| context.capabilities.as_deref());
    capabilities.into_iter().flat_map(|capabilities| capabilities.add.iter())
}

fn capabilities_restricted(parts: &[Part<'_>]) -> Option<String> {
    let keeps = |part: &Part<'_>| {
        let capabilities = part.context.and_then(|context| context.capabilities.as_deref());
        !capabilities.is_some_and(|c| c.drop.iter().any(|name| name == "ALL"))
    };
    let adds = |part: &Part<'_>| added(part).any(|name| name != "NET_BIND_SERVICE");
    let mut texts = Vec::new();
    if let Some(who) = named(parts, keeps) {
        texts.push(format!("{who} must set securityContext.capabilities.drop=[\"ALL\"]"));
    }
    if let Some(who) = named(parts, adds) {
        let names = parts.iter().flat_map(added).filter(|name| *name != "NET_BIND_SERVICE");
        let names = quoted(names.map(Str::to_string).collect());
        texts.push(format!("{who} must not include {names} in securityContext.capabilities.add"));
    }
    (!texts.is_empty()).then(|| format!("unrestricted capabilities ({})", texts.join("; ")))
}

const DEFAULT_CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn capabilities(parts: &[Part<'_>]) -> Option<String> {
    let odd = |name: &&Str| !DEFAULT_CAPABILITIES.contains(&name.as_str());
    let who = named(parts, |part| added(part).any(|name| odd(&name)))?;
    let names = quoted(parts.iter().flat_map(added).filter(odd).map(Str::to_string).collect());
    Some(format!(
        "non-default capabilities ({who} must not include {names} in securityContext.capabilities.add)"
    ))
}

fn host_namespaces(spec: &PodSpec) -> Option<String> {
    let all = [
        (spec.host_network, "hostNetwork=true"),
        (spec.host_pid, "hostPID=true"),
        (spec.host_ipc, "hostIPC=true"),
    ];
    let texts: Vec<&str> = all.into_iter().filter(|(set, _)| *set).map(|(_, text)| text).collect();
    (!texts.is_empty()).then(|| format!("host namespaces ({})", texts.join(", ")))
}

fn host_paths(spec: &PodSpec) -> Option<String> {
    let names: Vec<String> = spec
        .volumes
        .iter()
        .filter(|volume| volume.host_path.is_some())
        .map(|volume| format!("{:?}", volume.name.as_str()))
        .collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("hostPath volumes (volume {one})")),
        many => Some(format!("hostPath volumes (volumes {})", many.join(", "))),
    }
}

fn host_ports(parts: &[Part<'_>]) -> Option<String> {
    let uses = |part: &Part<'_>| part.ports.iter().any(|port| port.host_port != 0);
    let who = named(parts, uses)?;
    let ports = parts.iter().flat_map(|part| part.ports).filter(|port| port.host_port != 0);
    let mut ports: Vec<String> = ports.map(|port| port.host_port.to_string()).collect();
    base::sort::naturally(&mut ports);
    ports.dedup();
    let verb = if who.starts_with("containers") { "use" } else { "uses" };
    let noun = if ports.len() == 1 { "hostPort" } else { "hostPorts" };
    Some(format!("hostPort ({who} {verb} {noun} {})", ports.join(", ")))
}

fn privileged(parts: &[Part<'_>]) -> Option<String> {
    let bad = |part: &Part<'_>| part.context.and_then(|c| c.privileged) == Some(true);
    let who = named(parts, bad)?;
    Some(format!("privileged ({who} must not set securityContext.privileged=true)"))
}

fn proc_mount(parts: &[Part<'_>]) -> Option<String> {
    let mount = |part: &Part<'_>| -> String {
        part.context.and_then(|c| c.proc_mount.as_deref()).unwrap_or("Default").to_string()
    };
    let who = named(parts, |part| mount(part) != "Default")?;
    let kinds = quoted(parts.iter().map(mount).filter(|kind| kind != "Default").collect());
    Some(format!("procMount ({who} must not set securityContext.procMount to {kinds})"))
}

fn volumes(spec: &PodSpec) -> Option<String> {
    let mut names = Vec::new();
    let mut types = Vec::new();
    for volume in &spec.volumes {
        let json = api::Value::to_json(volume);
        let source = json.fields().iter().find(|(key, _)| key != "name");
        let Some((source, _)) = source else { continue };
        let allowed = matches!(
            source.as_str(),
            "configMap"
                | "csi"
                | "downwardAPI"
                | "emptyDir"
                | "ephemeral"
                | "image"
                | "persistentVolumeClaim"
                | "projected"
                | "secret"
        );
        if !allowed {
            names.push(format!("{:?}", volume.name.as_str()));
            types.push(source.to_string());
        }
    }
    let (noun, verb) = if names.len() == 1 { ("volume", "uses") } else { ("volumes", "use") };
    let many = if types.len() == 1 { "type" } else { "types" };
    (!names.is_empty()).then(|| {
        format!(
            "restricted volume types ({noun} {} {verb} restricted volume {many} {})",
            names.join(", "),
            quoted(types)
        )
    })
}

fn non_root(spec: &PodSpec, parts: &[Part<'_>]) -> Option<String> {
    let whole = spec.security_context.as_deref().and_then(|context| context.run_as_non_root);
    let own = |part: &Part<'_>| part.context.and_then(|context| context.run_as_non_root);
    let mut texts = Vec::new();
    if whole == Some(false) {
        texts.push("pod must not set securityContext.runAsNonRoot=false".to_string());
    }
    if let Some(who) = named(parts, |part| own(part) == Some(false)) {
        texts.push(format!("{who} must not set securityContext.runAsNonRoot=false"));
    }
    if texts.is_empty()
        && whole.is_none()
        && let Some(who) = named(parts, |part| own(part).is_none())
    {
        texts.push(format!("pod or {who} must set securityContext.runAsNonRoot=true"));
    }
    (!texts.is_empty()).then(|| format!("runAsNonRoot != true ({})", texts.join(" and ")))
}

fn root_user(spec: &PodSpec, parts: &[Part<'_>]) -> Option<String> {
    let mut texts = Vec::new();
    if spec.security_context.as_deref().and_then(|context| context.run_as_user) == Some(0) {
        texts.push("pod must not set runAsUser=0".to_string());
    }
    let bad = |part: &Part<'_>| part.context.and_then(|context| context.run_as_user) == Some(0);
    if let Some(who) = named(parts, bad) {
        texts.push(format!("{who} must not set runAsUser=0"));
    }
    (!texts.is_empty()).then(|| format!("runAsUser=0 ({})", texts.join(" and ")))
}

fn profile(profile: Option<&SeccompProfile>) -> Option<String> {
    profile.map(|profile| profile.type_.to_string())
}

fn seccomp_restricted(spec: &PodSpec, parts: &[Part<'_>]) -> Option<String> {
    let whole = spec.security_context.as_deref();
    let whole = profile(whole.and_then(|context| context.seccomp_profile.as_deref()));
    let own = |part: &Part<'_>| {
        profile(part.context.and_then(|context| context.seccomp_profile.as_deref()))
    };
    let good = |kind: &str| matches!(kind, "RuntimeDefault" | "Localhost");
    let mut texts = Vec::new();
    if let Some(kind) = whole.as_deref().filter(|kind| !good(kind)) {
        texts.push(format!("pod must not set securityContext.seccompProfile.type to {kind:?}"));
    }
    if let Some(who) = named(parts, |part| own(part).is_some_and(|kind| !good(&kind))) {
        let kinds = quoted(parts.iter().filter_map(own).filter(|kind| !good(kind)).collect());
        texts.push(format!("{who} must not set securityContext.seccompProfile.type to {kinds}"));
    }
    if texts.is_empty()
        && whole.is_none()
        && let Some(who) = named(parts, |part| own(part).is_none())
    {
        texts.push(format!(
            "pod or {who} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\""
        ));
    }
    (!texts.is_empty()).then(|| format!("seccompProfile ({})", texts.join(" and ")))
}

fn seccomp(spec: &PodSpec, parts: &[Part<'_>]) -> Option<String> {
    let whole = spec.security_context.as_deref();
    let whole = profile(whole.and_then(|context| context.seccomp_profile.as_deref()));
    let own = |part: &Part<'_>| {
        profile(part.context.and_then(|context| context.seccomp_profile.as_deref()))
    };
    let mut texts = Vec::new();
    if whole.as_deref() == Some("Unconfined") {
        let text = "pod must not set securityContext.seccompProfile.type to \"Unconfined\"";
        texts.push(text.to_string());
    }
    if let Some(who) = named(parts, |part| own(part).as_deref() == Some("Unconfined")) {
        texts.push(format!(
            "{who} must not set securityContext.seccompProfile.type to \"Unconfined\""
        ));
    }
    (!texts.is_empty()).then(|| format!("seccompProfile ({})", texts.join(" and ")))
}

const SAFE_SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

fn sysctls(spec: &PodSpec) -> Option<String> {
    let context = spec.security_context.as_deref()?;
    let odd = context.sysctls.iter().filter(|sysctl| !SAFE_SYSCTLS.contains(&sysctl.name.as_str()));
    let names: Vec<&str> = odd.map(|sysctl| sysctl.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("forbidden sysctls ({})", names.join(", ")))
}
