//! `rbac.authorization.k8s.io`: bindings.
//!
//! Models the defaults of `rbac/v1`.
//!
//! Known deviations: none.

use api::Object;
use api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use base::{List, lit};

use super::{by_kind, text};

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object,
        RoleBinding => |b: &mut RoleBinding| binding(&mut b.role_ref, &mut b.subjects),
        ClusterRoleBinding => |b: &mut ClusterRoleBinding| binding(&mut b.role_ref, &mut b.subjects),
    );
}

fn binding(role: &mut RoleRef, subjects: &mut List<Subject>) {
    text(&mut role.api_group, lit!("rbac.authorization.k8s.io"));
    for subject in subjects.iter_mut().filter(|s| s.kind == "User" || s.kind == "Group") {
        text(&mut subject.api_group, lit!("rbac.authorization.k8s.io"));
    }
}
