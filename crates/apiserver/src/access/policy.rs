//! The roles and bindings that every cluster begins with.
//!
//! Known deviations:
//! - Of the roles for the cluster's own parts only those that people meet are there; the parts themselves are
//!   trusted without them.

use std::sync::Arc;

use api::Map;
use api::meta::v1::ObjectMeta;
use api::object::Object;
use api::rbac::v1::*;
use base::{List, Str, list, lit};

/// A role: its name, and rules of the form `verbs; groups; resources` or `verbs; /paths`, with commas between.
/// The core group is written `core`.
const ROLES: &[(&str, &[&str])] = &[
    ("cluster-admin", &["*; *; *", "*; /*"]),
    (
        "system:discovery",
        &[
            "get; /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/",
        ],
    ),
    ("system:public-info-viewer", &["get; /healthz,/livez,/readyz,/version,/version/"]),
    (
        "system:monitoring",
        &["get; /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*"],
    ),
    (
        "system:basic-user",
        &[
            "create; authorization.k8s.io; selfsubjectaccessreviews,selfsubjectrulesreviews",
            "create; authentication.k8s.io; selfsubjectreviews",
        ],
    ),
    ("view", VIEW),
    // These two include others: see `rules`.
    ("edit", &[]),
    ("admin", &[]),
    (
        "system:auth-delegator",
        &[
            "create; authentication.k8s.io; tokenreviews",
            "create; authorization.k8s.io; subjectaccessreviews",
        ],
    ),
    ("system:kube-scheduler", SCHEDULER),
    ("system:kube-controller-manager", MANAGER),
    ("system:kube-dns", &["list,watch; core; endpoints,services"]),
    (
        "system:node-proxier",
        &[
            "list,watch; core; endpoints,services",
            "get,list,watch; core; nodes",
            "create,patch,update; core,events.k8s.io; events",
            "list,watch; discovery.k8s.io; endpointslices",
            "list,watch; networking.k8s.io; servicecidrs",
        ],
    ),
    (
        "system:persistent-volume-provisioner",
        &[
            "create,delete,get,list,watch; core; persistentvolumes",
            "get,list,update,watch; core; persistentvolumeclaims",
            "get,list,watch; storage.k8s.io; storageclasses",
            "watch; core; events",
            "create,list,patch,update,watch; core,events.k8s.io; events",
        ],
    ),
];

const VIEW: &[&str] = &[
    "get,list,watch; core; configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,\
     replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status",
    "get,list,watch; core; bindings,events,limitranges,namespaces/status,pods/log,pods/status,\
     replicationcontrollers/status,resourcequotas,resourcequotas/status",
    "get,list,watch; core; namespaces",
    "get,list,watch; discovery.k8s.io; endpointslices",
    "get,list,watch; apps; controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,\
     deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,\
     statefulsets/status",
    "get,list,watch; autoscaling; horizontalpodautoscalers,horizontalpodautoscalers/status",
    "get,list,watch; batch; cronjobs,cronjobs/status,jobs,jobs/status",
    "get,list,watch; policy; poddisruptionbudgets,poddisruptionbudgets/status",
    "get,list,watch; networking.k8s.io; ingresses,ingresses/status,networkpolicies",
];

/// What `edit` has beyond `view`.
const EDIT_MORE: &[&str] = &[
    "get,list,watch; core; pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy",
    "impersonate; core; serviceaccounts",
    "create,delete,deletecollection,patch,update; core; pods,pods/attach,pods/exec,pods/portforward,pods/proxy",
    "create; core; pods/eviction",
    "create,delete,deletecollection,patch,update; core; configmaps,events,persistentvolumeclaims,\
     replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy",
    "create; core; serviceaccounts/token",
    "create,delete,deletecollection,patch,update; apps; daemonsets,deployments,deployments/rollback,\
     deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale",
    "create,delete,deletecollection,patch,update; autoscaling; horizontalpodautoscalers",
    "create,delete,deletecollection,patch,update; batch; cronjobs,jobs",
    "create,delete,deletecollection,patch,update; policy; poddisruptionbudgets",
    "create,delete,deletecollection,patch,update; networking.k8s.io; ingresses,networkpolicies",
    "create,delete,deletecollection,get,list,patch,update,watch; coordination.k8s.io; leases",
];

/// What `admin` has beyond `edit`.
const ADMIN_MORE: &[&str] = &[
    "create; authorization.k8s.io; localsubjectaccessreviews",
    "create,delete,deletecollection,get,list,patch,update,watch; rbac.authorization.k8s.io; rolebindings,roles",
];

const SCHEDULER: &[&str] = &[
    "create,patch,update; core,events.k8s.io; events",
    "create; coordination.k8s.io; leases",
    "get,list,update,watch; coordination.k8s.io; leases",
    "get,list,watch; core; nodes",
    "delete,get,list,watch; core; pods",
    "create; core; bindings,pods/binding",
    "patch,update; core; pods/status",
    "get,list,watch; core; replicationcontrollers,services",
    "get,list,watch; apps; replicasets,statefulsets",
    "get,list,watch; policy; poddisruptionbudgets",
    "get,list,patch,update,watch; core; persistentvolumeclaims,persistentvolumes",
    "create; authentication.k8s.io; tokenreviews",
    "create; authorization.k8s.io; subjectaccessreviews",
    "get,list,watch; storage.k8s.io; csinodes,csidrivers,csistoragecapacities,storageclasses,volumeattachments",
];

const MANAGER: &[&str] = &[
    "create,patch,update; core,events.k8s.io; events",
    "create,get,list,update,watch; coordination.k8s.io; leases",
    "create; core; secrets,serviceaccounts",
    "delete; core; secrets",
    "get; core; configmaps,namespaces,secrets,serviceaccounts",
    "update; core; secrets,serviceaccounts",
    "create; authentication.k8s.io; tokenreviews",
    "create; authorization.k8s.io; subjectaccessreviews",
    "list,watch; *; *",
    "create; core; serviceaccounts/token",
];

/// A binding of a cluster role: its name (and the role's), the kind of its subjects, and they.
const BINDINGS: &[(&str, &str, &[&str])] = &[
    ("cluster-admin", "Group", &["system:masters"]),
    ("system:discovery", "Group", &["system:authenticated"]),
    ("system:basic-user", "Group", &["system:authenticated"]),
    ("system:public-info-viewer", "Group", &["system:authenticated", "system:unauthenticated"]),
    ("system:monitoring", "Group", &["system:monitoring"]),
    ("system:kube-scheduler", "User", &["system:kube-scheduler"]),
    ("system:kube-controller-manager", "User", &["system:kube-controller-manager"]),
    ("system:node-proxier", "User", &["system:kube-proxy"]),
];

const GROUP: Str = lit!("rbac.authorization.k8s.io");

/// The default roles and bindings.
pub(crate) fn defaults() -> Vec<Object> {
    let roles = ROLES.iter().map(|(name, _)| {
        Object::new(ClusterRole {
            metadata: meta(name),
            rules: rules(name).iter().map(|text| rule(text)).collect(),
            aggregation_rule: None,
        })
    });
    let bindings = BINDINGS.iter().map(|(name, kind, subjects)| {
        let subject = |own: &&str| Subject {
            api_group: GROUP,
            kind: (*kind).into(),
            name: (*own).into(),
            namespace: Str::new(),
        };
        let role_ref =
            RoleRef { api_group: GROUP, kind: lit!("ClusterRole"), name: (*name).into() };
        let subjects = subjects.iter().map(subject).collect();
        Object::new(ClusterRoleBinding { metadata: meta(name), role_ref, subjects })
    });
    roles.chain(bindings).collect()
}

/// The texts of a role's rules, with those that it includes.
fn rules(name: &str) -> Vec<&'static str> {
    match name {
        "edit" => [VIEW, EDIT_MORE].concat(),
        "admin" => [VIEW, EDIT_MORE, ADMIN_MORE].concat(),
        _ => ROLES.iter().find(|(own, _)| *own == name).map_or(Vec::new(), |(_, r)| r.to_vec()),
    }
}

fn meta(name: &str) -> Arc<ObjectMeta> {
    let labels: Map<Str> =
        [("kubernetes.io/bootstrapping", lit!("rbac-defaults"))].into_iter().collect();
    let annotations: Map<Str> =
        [("rbac.authorization.kubernetes.io/autoupdate", lit!("true"))].into_iter().collect();
    Arc::new(ObjectMeta { name: name.into(), labels, annotations, ..ObjectMeta::default() })
}

fn rule(text: &str) -> PolicyRule {
    let parts: Vec<&str> = text.split(';').map(str::trim).collect();
    let list = |part: &str| -> List<Str> {
        part.split(',').map(|word| if word == "core" { Str::new() } else { word.into() }).collect()
    };
    match parts.as_slice() {
        [verbs, paths] => PolicyRule {
            verbs: list(verbs),
            non_resource_urls: match *paths {
                "/*" => list!["*".into()],
                paths => list(paths),
            },
            ..PolicyRule::default()
        },
        [verbs, groups, resources] => PolicyRule {
            verbs: list(verbs),
            api_groups: list(groups),
            resources: list(resources),
            ..PolicyRule::default()
        },
        _ => unreachable!("rules have two or three parts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_edit_may_view_and_who_administers_may_edit() {
        let (view, edit, admin) = (rules("view"), rules("edit"), rules("admin"));
        assert!(view.iter().all(|rule| edit.contains(rule)));
        assert!(edit.iter().all(|rule| admin.contains(rule)));
        assert!(edit.len() > view.len() && admin.len() > edit.len());
    }
}
