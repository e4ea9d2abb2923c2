//! `resource.k8s.io`: device classes, claims, templates and slices.

use api::Json;
use api::object::{Kind, Object};
use api::resource::v1::*;

use super::Cx;
use super::format::*;

/// The cells of an object of the group.
pub(super) fn cells(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(claim) = object.get::<ResourceClaim>() {
        return Some(vec![name(object), state(claim).into(), age(cx, object)]);
    }
    if let Some(slice) = object.get::<ResourceSlice>() {
        let spec = &slice.spec;
        return Some(vec![
            name(object),
            spec.node_name.as_deref().unwrap_or_default().into(),
            Json::Str(spec.driver.clone()),
            Json::Str(spec.pool.name.clone()),
            age(cx, object),
        ]);
    }
    (object.info().group == DeviceClass::INFO.group).then(|| vec![name(object), age(cx, object)])
}

fn state(claim: &ResourceClaim) -> String {
    let is_going = claim.metadata.deletion_timestamp.is_some();
    let mut words = Vec::new();
    if is_going {
        words.push("deleted");
    }
    if claim.status.allocation.is_some() {
        words.push("allocated");
        words.extend((!claim.status.reserved_for.is_empty()).then_some("reserved"));
    } else if !is_going {
        words.push("pending");
    }
    words.join(",")
}
