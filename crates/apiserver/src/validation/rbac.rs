//! `rbac.authorization.k8s.io`: roles and bindings.
//!
//! Models `pkg/apis/rbac/validation` of Kubernetes.
//!
//! Known deviations: none.

use api::Object;
use api::names;
use api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use super::check::{Errors, json_list};
use super::path::Path;
use super::selector;

const GROUP: &str = "rbac.authorization.k8s.io";

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(role) = object.get::<Role>() {
        rules(e, &role.rules, true);
    } else if let Some(role) = object.get::<ClusterRole>() {
        rules(e, &role.rules, false);
        let Some(aggregation) = &role.aggregation_rule else { return };
        let list = Path::root("aggregationRule.clusterRoleSelectors");
        if aggregation.cluster_role_selectors.is_empty() {
            let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            e.required(&list, why);
        }
        for (i, selector) in aggregation.cluster_role_selectors.iter().enumerate() {
            selector::check(e, &list.index(i), selector);
        }
    } else if let Some(bound) = object.get::<RoleBinding>() {
        binding(e, &bound.role_ref, &bound.subjects, &["Role", "ClusterRole"]);
    } else if let Some(bound) = object.get::<ClusterRoleBinding>() {
        binding(e, &bound.role_ref, &bound.subjects, &["ClusterRole"]);
    }
}

fn rules(e: &mut Errors, rules: &[PolicyRule], namespaced: bool) {
    let list = Path::root("rules");
    for (i, rule) in rules.iter().enumerate() {
        let at = list.index(i);
        if rule.verbs.is_empty() {
            e.required(&at.child("verbs"), "verbs must contain at least one value");
        }
        if !rule.non_resource_urls.is_empty() {
            let (at, urls) = (at.child("nonResourceURLs"), json_list(&rule.non_resource_urls));
            if namespaced {
                let why = "namespaced rules cannot apply to non-resource URLs";
                e.invalid(&at, &urls, why);
            }
            let both = !rule.api_groups.is_empty()
                || !rule.resources.is_empty()
                || !rule.resource_names.is_empty();
            if both {
                let why = "rules cannot apply to both regular resources and non-resource URLs";
                e.invalid(&at, &urls, why);
            }
            continue;
        }
        if rule.api_groups.is_empty() {
            let why = "resource rules must supply at least one api group";
            e.required(&at.child("apiGroups"), why);
        }
        if rule.resources.is_empty() {
            let why = "resource rules must supply at least one resource";
            e.required(&at.child("resources"), why);
        }
    }
}

/// A binding; only one in a namespace may name either kind of role.
fn binding(e: &mut Errors, role: &RoleRef, subjects: &[Subject], kinds: &[&str]) {
    let at = Path::root("roleRef");
    if role.api_group != GROUP {
        e.unsupported(&at.child("apiGroup"), &role.api_group, &[GROUP]);
    }
    e.one_of_if(&at.child("kind"), Some(&role.kind), kinds);
    if role.name.is_empty() {
        e.required(&at.child("name"), "");
    } else {
        e.complaints(&at.child("name"), &role.name, names::path_segment(&role.name, false));
    }
    let list = Path::root("subjects");
    for (i, subject) in subjects.iter().enumerate() {
        self::subject(e, subject, kinds.len() > 1, &list.index(i));
    }
}

fn subject(e: &mut Errors, subject: &Subject, namespaced: bool, at: &Path) {
    if subject.name.is_empty() {
        e.required(&at.child("name"), "");
    }
    match subject.kind.as_str() {
        "ServiceAccount" => {
            if !subject.name.is_empty() {
                e.subdomain(&at.child("name"), &subject.name);
            }
            if !subject.api_group.is_empty() {
                e.unsupported(&at.child("apiGroup"), &subject.api_group, &[""]);
            }
            if !namespaced && subject.namespace.is_empty() {
                e.required(&at.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if subject.api_group != GROUP {
                e.unsupported(&at.child("apiGroup"), &subject.api_group, &[GROUP]);
            }
        }
        other => {
            e.unsupported(&at.child("kind"), other, &["ServiceAccount", "User", "Group"]);
        }
    }
}
