//! `policy`.

use std::sync::Arc;

use api::object::{Kind, Object};
use api::policy::v1::{Eviction, PodDisruptionBudget, PodDisruptionBudgetStatus};

use super::{Cx, Row};

/// The rows.
pub static ROWS: &[Row] = &[
    Row { verbs: &[], ..Row::new(Eviction::INFO) },
    Row { unconditional: false, prepare_create, ..Row::with_status(PodDisruptionBudget::INFO) },
];

fn prepare_create(object: &mut Object, _: &Cx) {
    let Some(budget) = object.edit_as::<PodDisruptionBudget>() else { return };
    budget.status = Arc::new(PodDisruptionBudgetStatus {
        disruptions_allowed: Some(0),
        current_healthy: Some(0),
        desired_healthy: Some(0),
        expected_pods: Some(0),
        ..PodDisruptionBudgetStatus::default()
    });
}
