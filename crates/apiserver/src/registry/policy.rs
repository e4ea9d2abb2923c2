//! `policy`.

use api::object::Kind;
use api::policy::v1::{Eviction, PodDisruptionBudget};

use super::Row;

/// The rows.
pub static ROWS: &[Row] = &[
    Row { verbs: &[], ..Row::new(Eviction::INFO) },
    Row { unconditional: false, ..Row::with_status(PodDisruptionBudget::INFO) },
];
