//! `node.k8s.io`, `coordination.k8s.io` and `scheduling.k8s.io`.

use api::coordination::v1::Lease;
use api::node::v1::RuntimeClass;
use api::object::Kind;
use api::scheduling::v1::PriorityClass;

use super::Row;

/// The rows.
pub static ROWS: &[Row] = &[
    Row { unconditional: false, create_on_update: true, ..Row::new(Lease::INFO) },
    Row { unconditional: false, ..Row::new(RuntimeClass::INFO) },
    Row { generation: true, ..Row::new(PriorityClass::INFO) },
];
