//! `flowcontrol.apiserver.k8s.io`: flow schemas and priority levels.
//!
//! Models the defaults of `flowcontrol/v1`.
//!
//! Known deviations: none.

use api::Object;
use api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};

use super::{by_kind, missing, number, part};

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object,
        FlowSchema => |s: &mut FlowSchema| {
            part(&mut s.spec, |spec| number(&mut spec.matching_precedence, 1000));
        },
        PriorityLevelConfiguration => level,
    );
}

fn level(level: &mut PriorityLevelConfiguration) {
    part(&mut level.spec, |spec| {
        if spec.type_ == "Exempt" {
            missing(&mut spec.exempt, Box::default());
        }
        if let Some(exempt) = &mut spec.exempt {
            missing(&mut exempt.nominal_concurrency_shares, 0);
            missing(&mut exempt.lendable_percent, 0);
        }
        if let Some(limited) = &mut spec.limited {
            missing(&mut limited.nominal_concurrency_shares, 30);
            missing(&mut limited.lendable_percent, 0);
            if let Some(response) = &mut limited.limit_response
                && let Some(queuing) = &mut response.queuing
            {
                number(&mut queuing.hand_size, 8);
                number(&mut queuing.queues, 64);
                number(&mut queuing.queue_length_limit, 50);
            }
        }
    });
}
