//! Defaults of `resource.k8s.io`.
//!
//! Models the defaults of `resource/v1`.
//!
//! Known deviations:
//! - A taint without a time stays without one.

use api::Object;
use api::resource::v1::*;
use base::{Str, lit};

use super::{by_kind, part, text};

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object,
        ResourceClaim => |claim: &mut ResourceClaim| {
            part(&mut claim.spec, spec);
            part(&mut claim.status, |status| {
                let results = status.allocation.iter_mut().flat_map(|a| a.devices.results.iter_mut());
                results.for_each(|result| tolerations(&mut result.tolerations));
            });
        },
        ResourceClaimTemplate => |template: &mut ResourceClaimTemplate| {
            part(&mut template.spec, |inner| spec(&mut inner.spec));
        },
    );
}

fn spec(spec: &mut ResourceClaimSpec) {
    for request in spec.devices.requests.iter_mut() {
        if let Some(exact) = &mut request.exactly {
            count(&mut exact.allocation_mode, &mut exact.count);
            tolerations(&mut exact.tolerations);
        }
        for one in request.first_available.iter_mut() {
            count(&mut one.allocation_mode, &mut one.count);
            tolerations(&mut one.tolerations);
        }
    }
}

/// One device, if nothing else is said.
fn count(mode: &mut Str, count: &mut i64) {
    text(mode, lit!("ExactCount"));
    if mode == "ExactCount" && *count == 0 {
        *count = 1;
    }
}

fn tolerations(tolerations: &mut [DeviceToleration]) {
    tolerations.iter_mut().for_each(|one| text(&mut one.operator, lit!("Equal")));
}
