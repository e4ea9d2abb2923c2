//! `networking.k8s.io`: network policies and ingress classes.
//!
//! Models the defaults of `networking/v1`.
//!
//! Known deviations: none.

use api::Object;
use api::networking::v1::{IngressClass, NetworkPolicy};
use base::{list, lit};

use super::{by_kind, missing, part, text};

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object, NetworkPolicy => policy, IngressClass => class);
}

fn policy(policy: &mut NetworkPolicy) {
    part(&mut policy.spec, |spec| {
        if spec.policy_types.is_empty() {
            spec.policy_types = list![lit!("Ingress")];
            if !spec.egress.is_empty() {
                spec.policy_types.push(lit!("Egress"));
            }
        }
        let ports = spec.ingress.iter_mut().flat_map(|rule| rule.ports.iter_mut());
        let ports = ports.chain(spec.egress.iter_mut().flat_map(|rule| rule.ports.iter_mut()));
        for port in ports {
            missing(&mut port.protocol, lit!("TCP"));
        }
    });
}

fn class(class: &mut IngressClass) {
    part(&mut class.spec, |spec| {
        if let Some(parameters) = &mut spec.parameters {
            text(&mut parameters.scope, lit!("Cluster"));
        }
    });
}
