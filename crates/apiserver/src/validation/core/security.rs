//! Security contexts of pods and containers.
//!
//! Models `ValidateSecurityContext` and `validatePodSpecSecurityContext`.
//!
//! Known deviations:
//! - Of the Windows options only the user's name is checked.

use api::core::v1::{
    AppArmorProfile, PodSpec, SeccompProfile, SecurityContext, WindowsSecurityContextOptions,
};
use api::names;

use super::volume::relative_path;
use crate::validation::check::{Errors, Raw, Shown, json};
use crate::validation::path::Path;

const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];

fn id(e: &mut Errors, value: Option<i64>, at: &Path) {
    let Some(value) = value else { return };
    for complaint in names::in_range(value, 0, i32::MAX.into()) {
        e.invalid(at, &value, &complaint);
    }
}

/// The security context of a container.
pub fn of_container(e: &mut Errors, context: &SecurityContext, spec: &PodSpec, at: &Path) {
    id(e, context.run_as_user, &at.child("runAsUser"));
    id(e, context.run_as_group, &at.child("runAsGroup"));
    if let Some(mount) = &context.proc_mount {
        let at = at.child("procMount");
        e.one_of_if(&at, Some(mount), &["Default", "Unmasked"]);
        if mount == "Unmasked" && spec.host_users != Some(false) {
            e.invalid(&at, mount, "`hostUsers` must be false to use `Unmasked`");
        }
    }
    seccomp(e, context.seccomp_profile.as_deref(), &at.child("seccompProfile"));
    if context.allow_privilege_escalation == Some(false) {
        if context.privileged == Some(true) {
            let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            e.invalid(at, &shown(context), why);
        }
        let adds = context.capabilities.as_ref().map(|capabilities| &capabilities.add);
        if adds.is_some_and(|adds| adds.iter().any(|add| add == "CAP_SYS_ADMIN")) {
            let why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` \
                       CAP_SYS_ADMIN";
            e.invalid(at, &shown(context), why);
        }
    }
    windows(e, context.windows_options.as_deref(), &at.child("windowsOptions"));
    apparmor(e, context.app_armor_profile.as_deref(), &at.child("appArmorProfile"));
}

/// The user of a container on Windows, perhaps with a domain before a backslash.
fn windows(e: &mut Errors, options: Option<&WindowsSecurityContextOptions>, at: &Path) {
    let Some(name) = options.and_then(|options| options.run_as_user_name.as_ref()) else { return };
    let at = at.child("runAsUserName");
    let parts: Vec<&str> = name.split('\\').collect();
    if name.is_empty() {
        e.invalid(&at, name, "runAsUserName cannot be an empty string");
    } else if name.chars().any(char::is_control) {
        e.invalid(&at, name, "runAsUserName cannot contain control characters");
    } else if parts.len() > 2 {
        e.invalid(&at, name, "runAsUserName cannot contain more than one backslash");
    } else {
        let user = parts[parts.len() - 1];
        if parts.len() == 2 && parts[0].len() >= 256 {
            let why = "runAsUserName's Domain length must be under 256 characters";
            e.invalid(&at, name, why);
        }
        if user.is_empty() {
            e.invalid(&at, name, "runAsUserName's User cannot be empty");
        } else if user.len() > 104 {
            let why = "runAsUserName's User length must not be longer than 104 characters";
            e.invalid(&at, name, why);
        }
    }
}

/// A container's context as errors show it: every field, in the order of upstream's struct.
fn shown(context: &SecurityContext) -> Raw {
    fn or_null<T: Shown>(value: &Option<T>) -> String {
        value.as_ref().map_or("null".into(), Shown::show)
    }
    let capabilities = context.capabilities.as_ref().map_or("null".into(), |capabilities| {
        let list = crate::validation::check::json_list;
        let (add, drop) = (list(&capabilities.add).0, list(&capabilities.drop).0);
        format!("{{\"Add\":{add},\"Drop\":{drop}}}")
    });
    let options = context.se_linux_options.as_ref().map_or("null".into(), |options| {
        format!(
            "{{\"User\":{},\"Role\":{},\"Type\":{},\"Level\":{}}}",
            options.user.show(),
            options.role.show(),
            options.type_.show(),
            options.level.show()
        )
    });
    let windows = context.windows_options.as_ref().map_or("null".into(), |o| json(&**o).0);
    let seccomp = context.seccomp_profile.as_ref().map_or("null".into(), |p| shown_profile(p).0);
    let apparmor = context.app_armor_profile.as_ref().map_or("null".into(), |profile| {
        let at = or_null(&profile.localhost_profile);
        format!("{{\"Type\":{},\"LocalhostProfile\":{at}}}", profile.type_.show())
    });
    Raw(format!(
        "{{\"Capabilities\":{capabilities},\"Privileged\":{},\"SELinuxOptions\":{options},\
         \"WindowsOptions\":{windows},\"RunAsUser\":{},\"RunAsGroup\":{},\"RunAsNonRoot\":{},\
         \"ReadOnlyRootFilesystem\":{},\"AllowPrivilegeEscalation\":{},\"ProcMount\":{},\
         \"SeccompProfile\":{seccomp},\"AppArmorProfile\":{apparmor}}}",
        or_null(&context.privileged),
        or_null(&context.run_as_user),
        or_null(&context.run_as_group),
        or_null(&context.run_as_non_root),
        or_null(&context.read_only_root_filesystem),
        or_null(&context.allow_privilege_escalation),
        or_null(&context.proc_mount),
    ))
}

fn shown_profile(profile: &SeccompProfile) -> Raw {
    let at = profile.localhost_profile.as_ref().map_or("null".into(), Shown::show);
    Raw(format!("{{\"Type\":{},\"LocalhostProfile\":{at}}}", profile.type_.show()))
}

fn seccomp(e: &mut Errors, profile: Option<&SeccompProfile>, at: &Path) {
    let Some(profile) = profile else { return };
    if profile.type_.is_empty() {
        e.required(&at.child("type"), "type is required when seccompProfile is set");
    } else if !PROFILES.contains(&profile.type_.as_str()) {
        e.unsupported(&at.child("type"), &profile.type_, PROFILES);
    }
    let at = at.child("localhostProfile");
    match (&profile.localhost_profile, profile.type_ == "Localhost") {
        (None, true) => e.required(&at, "must be set when seccomp type is Localhost"),
        (Some(path), true) => relative_path(e, path, &at),
        (Some(_), false) => {
            let why = "can only be set when seccomp type is Localhost";
            e.invalid(&at, &shown_profile(profile), why);
        }
        (None, false) => {}
    }
}

fn apparmor(e: &mut Errors, profile: Option<&AppArmorProfile>, at: &Path) {
    let Some(profile) = profile else { return };
    let local = at.child("localhostProfile");
    match profile.type_.as_str() {
        "Localhost" => match &profile.localhost_profile {
            None => e.required(&local, "must be set when AppArmor type is Localhost"),
            Some(name) => {
                if name.trim() != *name {
                    e.invalid(&local, name, "must not be padded with whitespace");
                } else if name.is_empty() {
                    e.required(&local, "must be set when AppArmor type is Localhost");
                }
                if name.len() > 4095 {
                    e.too_long(&local, 4095);
                }
            }
        },
        "RuntimeDefault" | "Unconfined" => {
            if let Some(name) = &profile.localhost_profile {
                let why = "can only be set when AppArmor type is Localhost";
                e.invalid(&local, name, why);
            }
        }
        "" => e.required(&at.child("type"), "type is required when appArmorProfile is set"),
        other => e.unsupported(&at.child("type"), other, PROFILES),
    }
}

/// The security context of a pod.
pub fn of_pod(e: &mut Errors, spec: &PodSpec, at: &Path) {
    let Some(context) = &spec.security_context else { return };
    let at = at.child("securityContext");
    id(e, context.fs_group, &at.child("fsGroup"));
    id(e, context.run_as_user, &at.child("runAsUser"));
    id(e, context.run_as_group, &at.child("runAsGroup"));
    for (i, group) in context.supplemental_groups.iter().enumerate() {
        id(e, Some(*group), &at.child("supplementalGroups").index(i));
    }
    if spec.host_pid && spec.share_process_namespace == Some(true) {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        e.invalid(&at.child("shareProcessNamespace"), &true, why);
    }
    sysctls(e, spec, &at.child("sysctls"));
    let policy = context.fs_group_change_policy.as_ref();
    e.one_of_if(&at.child("fsGroupChangePolicy"), policy, &["Always", "OnRootMismatch"]);
    seccomp(e, context.seccomp_profile.as_deref(), &at.child("seccompProfile"));
    windows(e, context.windows_options.as_deref(), &at.child("windowsOptions"));
    apparmor(e, context.app_armor_profile.as_deref(), &at.child("appArmorProfile"));
    let policy = context.supplemental_groups_policy.as_ref();
    e.one_of_if(&at.child("supplementalGroupsPolicy"), policy, &["Merge", "Strict"]);
    let policy = context.se_linux_change_policy.as_ref();
    e.one_of_if(&at.child("seLinuxChangePolicy"), policy, &["MountOption", "Recursive"]);
}

fn sysctls(e: &mut Errors, spec: &PodSpec, list: &Path) {
    let Some(context) = &spec.security_context else { return };
    let mut seen = base::HashSet::default();
    for (i, sysctl) in context.sysctls.iter().enumerate() {
        let at = list.index(i);
        let at = at.child("name");
        if sysctl.name.is_empty() {
            e.required(&at, "");
        } else if !is_sysctl(&sysctl.name) {
            let why = "must have at most 253 characters and match regex \
                       ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
            e.invalid(&at, &sysctl.name, why);
        } else if !seen.insert(&sysctl.name) {
            e.duplicate(&at, &sysctl.name);
        }
        let name = sysctl.name.replace('/', ".");
        if spec.host_network && name.starts_with("net.") {
            e.invalid(&at, &sysctl.name, "may not be specified when 'hostNetwork' is true");
        }
        let ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|p| name.starts_with(p));
        if spec.host_ipc && (ipc || name == "kernel.sem") {
            e.invalid(&at, &sysctl.name, "may not be specified when 'hostIPC' is true");
        }
    }
}

fn is_sysctl(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let part = |part: &str| {
        part.bytes().next().is_some_and(word)
            && part.bytes().last().is_some_and(word)
            && part.bytes().all(|b| word(b) || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split(['.', '/']).all(part)
}
