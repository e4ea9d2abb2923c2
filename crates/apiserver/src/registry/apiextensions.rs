//! `apiextensions.k8s.io` and `apiregistration.k8s.io`.
//!
//! Known deviations:
//! - Custom resources themselves are not served yet; their definitions are stored.

use std::sync::Arc;

use api::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionStatus};
use api::apiregistration::v1::APIService;
use api::object::{Kind, Object};

use super::{Cx, Row};

/// The rows.
pub static ROWS: &[Row] = &[
    Row {
        prefix: "apiextensions.k8s.io/customresourcedefinitions",
        unconditional: false,
        prepare_create,
        ..Row::with_status(CustomResourceDefinition::INFO)
    },
    Row {
        prefix: "apiregistration.k8s.io/apiservices",
        unconditional: false,
        generation: false,
        ..Row::with_status(APIService::INFO)
    },
];

fn prepare_create(object: &mut Object, _: &Cx) {
    let Some(definition) = object.edit_as::<CustomResourceDefinition>() else { return };
    let stored = definition.spec.versions.iter().filter(|version| version.storage);
    let stored_versions = stored.map(|version| version.name.clone()).collect();
    definition.status = Arc::new(CustomResourceDefinitionStatus {
        stored_versions,
        ..CustomResourceDefinitionStatus::default()
    });
}
