//! Role-based access: which rules a user has, and whether one of them covers an action.

use api::authentication::v1::UserInfo;
use api::meta::v1::StatusDetails;
use api::object::{Kind, Object};
use api::rbac::v1::*;
use api::wire::failure;
use base::Str;

use crate::errors::Refusal;
use crate::registry;
use crate::{ApiServer, Authorization};

/// What somebody wants to do: with a resource, or with a path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Action<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
    /// A path that is no resource; then only the verb counts besides.
    pub path: &'a str,
}

/// Whether it is allowed, and by what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decision {
    pub allowed: bool,
    pub reason: String,
}

impl ApiServer {
    /// Decides by the roles that are bound to the user, unless everything is allowed.
    pub(crate) fn decide(&self, user: &UserInfo, action: &Action<'_>) -> Decision {
        let open = self.options.authorization == Authorization::AlwaysAllow;
        if open || user.groups.iter().any(|group| group == "system:masters") {
            return Decision { allowed: true, reason: String::new() };
        }
        let mut decision = Decision::default();
        self.rules_of(user, action.namespace, &mut |rule, reason| {
            let covers = covers(rule, action);
            if covers {
                decision = Decision { allowed: true, reason: reason() };
            }
            !covers
        });
        decision
    }

    /// Decides, and words the refusal.
    pub(crate) fn demand(&self, user: &UserInfo, action: &Action<'_>) -> Result<(), Refusal> {
        if self.decide(user, action).allowed {
            return Ok(());
        }
        let (who, verb) = (crate::go_quoted(&user.username), action.verb);
        if !action.path.is_empty() {
            let path = crate::go_quoted(action.path);
            let text = format!("forbidden: User {who} cannot {verb} path {path}");
            let mut status = failure(403, "Forbidden", text);
            status.details = Some(Box::default());
            return Err(status);
        }
        let kind = match action.group {
            "" => action.resource.to_string(),
            group => format!("{}.{group}", action.resource),
        };
        let subject = match action.name {
            "" => kind,
            name => format!("{kind} {}", crate::go_quoted(name)),
        };
        let resource = match action.subresource {
            "" => action.resource.to_string(),
            part => format!("{}/{part}", action.resource),
        };
        let place = match action.namespace {
            "" => "at the cluster scope".to_string(),
            name => format!("in the namespace {}", crate::go_quoted(name)),
        };
        let text = format!(
            "{subject} is forbidden: User {who} cannot {verb} resource {} in API group {} {place}",
            crate::go_quoted(&resource),
            crate::go_quoted(action.group)
        );
        let mut status = failure(403, "Forbidden", text);
        status.details = Some(Box::new(StatusDetails {
            name: action.name.into(),
            group: action.group.into(),
            kind: action.resource.into(),
            ..StatusDetails::default()
        }));
        Err(status)
    }

    /// Shows the user's rules, cluster-wide ones first, until `look` answers false.
    pub(crate) fn rules_of(
        &self,
        user: &UserInfo,
        namespace: &str,
        look: &mut dyn FnMut(&PolicyRule, &dyn Fn() -> String) -> bool,
    ) {
        let row = registry::of(ClusterRoleBinding::INFO).expect("registered");
        for binding in self.objects(row, "").filter_map(|o| o.get::<ClusterRoleBinding>()) {
            let Some(subject) = subject_of(&binding.subjects, user, "") else { continue };
            let name = &binding.metadata.name;
            let reason = || told("ClusterRoleBinding", name, &binding.role_ref, &subject);
            if !self.show(&binding.role_ref, "", &reason, look) {
                return;
            }
        }
        if namespace.is_empty() {
            return;
        }
        let row = registry::of(RoleBinding::INFO).expect("registered");
        for binding in self.objects(row, namespace).filter_map(|o| o.get::<RoleBinding>()) {
            let Some(subject) = subject_of(&binding.subjects, user, namespace) else { continue };
            let name = format!("{}/{namespace}", binding.metadata.name);
            let reason = || told("RoleBinding", &name, &binding.role_ref, &subject);
            if !self.show(&binding.role_ref, namespace, &reason, look) {
                return;
            }
        }
    }

    fn show(
        &self,
        role: &RoleRef,
        namespace: &str,
        reason: &dyn Fn() -> String,
        look: &mut dyn FnMut(&PolicyRule, &dyn Fn() -> String) -> bool,
    ) -> bool {
        let info = if role.kind == "Role" { Role::INFO } else { ClusterRole::INFO };
        let space = if role.kind == "Role" { namespace } else { "" };
        let row = registry::of(info).expect("registered");
        let Some(object) = self.stored(row, space, &role.name) else { return true };
        rules(object).iter().all(|rule| look(rule, reason))
    }
}

fn rules(object: &Object) -> &[PolicyRule] {
    let cluster = object.get::<ClusterRole>().map(|role| &role.rules);
    cluster.or_else(|| object.get::<Role>().map(|role| &role.rules)).map_or(&[], |rules| rules)
}

fn told(kind: &str, name: &str, role: &RoleRef, subject: &str) -> String {
    let name = crate::go_quoted(name);
    let role = format!("{} {}", role.kind, crate::go_quoted(&role.name));
    format!("RBAC: allowed by {kind} {name} of {role} to {subject}")
}

/// How the user is named among the subjects.
fn subject_of(subjects: &[Subject], user: &UserInfo, namespace: &str) -> Option<String> {
    subjects.iter().find_map(|subject| match subject.kind.as_str() {
        "User" => (subject.name == user.username)
            .then(|| format!("User {}", crate::go_quoted(&subject.name))),
        "Group" => user
            .groups
            .contains(&subject.name)
            .then(|| format!("Group {}", crate::go_quoted(&subject.name))),
        "ServiceAccount" => {
            let space: &str =
                if subject.namespace.is_empty() { namespace } else { &subject.namespace };
            let name = format!("system:serviceaccount:{space}:{}", subject.name);
            (name == *user.username).then(|| {
                format!("ServiceAccount {}", crate::go_quoted(&format!("{}/{space}", subject.name)))
            })
        }
        _ => None,
    })
}

fn has(list: &[Str], wanted: &str) -> bool {
    list.iter().any(|own| own == "*" || own == wanted)
}

/// Whether a rule covers an action.
fn covers(rule: &PolicyRule, action: &Action<'_>) -> bool {
    if !has(&rule.verbs, action.verb) {
        return false;
    }
    if !action.path.is_empty() {
        return rule.non_resource_urls.iter().any(|own| match own.strip_suffix('*') {
            Some(prefix) => action.path.starts_with(prefix),
            None => *own == *action.path,
        });
    }
    let resource = match action.subresource {
        "" => has(&rule.resources, action.resource),
        part => rule.resources.iter().any(|own| {
            own == "*"
                || own.strip_prefix("*/") == Some(part)
                || own.split_once('/') == Some((action.resource, part))
        }),
    };
    let named =
        rule.resource_names.is_empty() || rule.resource_names.iter().any(|n| n == action.name);
    has(&rule.api_groups, action.group) && resource && named
}
