//! Groups with one or two kinds that have defaults.
//!
//! Models the defaults of `discovery/v1`, `scheduling/v1`, `apiregistration/v1` and `node/v1`.
//!
//! Known deviations: none.

use api::Object;
use api::apiregistration::v1::APIService;
use api::discovery::v1::EndpointSlice;
use api::node::v1::RuntimeClass;
use api::scheduling::v1::PriorityClass;
use base::{Str, lit};

use super::{amounts, by_kind, missing, part};

/// Fills in what an object of these groups leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object,
        EndpointSlice => slice,
        PriorityClass => |c: &mut PriorityClass| {
            missing(&mut c.preemption_policy, lit!("PreemptLowerPriority"));
        },
        APIService => service,
        RuntimeClass => |c: &mut RuntimeClass| {
            c.overhead.iter_mut().for_each(|o| amounts(&mut o.pod_fixed));
        },
    );
}

fn slice(slice: &mut EndpointSlice) {
    for port in slice.ports.iter_mut() {
        missing(&mut port.name, Str::new());
        missing(&mut port.protocol, lit!("TCP"));
    }
}

fn service(service: &mut APIService) {
    part(&mut service.spec, |spec| {
        if let Some(service) = &mut spec.service {
            missing(&mut service.port, 443);
        }
    });
}
