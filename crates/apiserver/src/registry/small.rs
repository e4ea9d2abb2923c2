//! `rbac.authorization.k8s.io` and `flowcontrol.apiserver.k8s.io`: stored and shown, never enforced.

use api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use api::object::{Kind, KindInfo};
use api::rbac::v1::*;

use super::Row;

const fn role(info: &'static KindInfo) -> Row {
    Row { create_on_update: true, ..Row::new(info) }
}

/// The rows.
pub static ROWS: &[Row] = &[
    Row::with_status(FlowSchema::INFO),
    Row::with_status(PriorityLevelConfiguration::INFO),
    role(ClusterRole::INFO),
    role(ClusterRoleBinding::INFO),
    role(Role::INFO),
    role(RoleBinding::INFO),
];
