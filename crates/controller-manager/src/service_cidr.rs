//! The service CIDR controller: ServiceCIDRs are ready once they are known, and go when no address needs them.

use core::net::IpAddr;
use std::sync::Arc;

use api::meta::v1::Condition;
use api::networking::v1::{IPAddress, ServiceCIDR};
use api::object::{Key, Kind, KindInfo, Object};
use base::{Duration, Str, lit};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

const FINALIZER: &str = "networking.k8s.io/service-cidr-finalizer";
/// How long a deleted range waits for addresses that are being given out.
const GRACE: Duration = Duration::secs(10);

/// The controller of ServiceCIDRs.
#[derive(Clone, Default)]
pub struct ServiceCidrs;

impl Reconcile for ServiceCidrs {
    fn name(&self) -> &'static str {
        "service-cidr-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![ServiceCIDR::INFO, IPAddress::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<ServiceCIDR>() {
            queue.add(delta.key());
        }
        // Ranges wait for addresses to go, and for ranges that hold their addresses too.
        let freed = delta.is::<IPAddress>() && delta.deleted();
        if freed || delta.is::<ServiceCIDR>() && delta.before::<ServiceCIDR>().is_none() {
            for range in cx.all::<ServiceCIDR>().all() {
                if range.metadata.deletion_timestamp.is_some() {
                    queue.of(&range.metadata);
                }
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(range) = cx.all::<ServiceCIDR>().get(key) else { return plan };
        let has = range.metadata.finalizers.iter().any(|name| name == FINALIZER);
        let Some(deleted) = range.metadata.deletion_timestamp else {
            if !has {
                let mut new = range.clone();
                Arc::make_mut(&mut new.metadata).finalizers.push(FINALIZER.into());
                plan.update(Object::new(new));
            } else {
                note(&mut plan, cx, range, "True", "", "Kubernetes Service CIDR is ready");
            }
            return plan;
        };
        if !has {
            return plan;
        }
        if is_needed(cx, range) {
            let why = "There are still IPAddresses referencing the ServiceCIDR, please remove them or \
                create a new ServiceCIDR";
            note(&mut plan, cx, range, "False", "Terminating", why);
            return plan;
        }
        let free = deleted.instant() + GRACE;
        if cx.now < free {
            plan.again(free - cx.now);
            return plan;
        }
        let mut new = range.clone();
        Arc::make_mut(&mut new.metadata).finalizers.retain(|name| name != FINALIZER);
        plan.update(Object::new(new));
        plan
    }
}

/// Says in the status how the range stands, where that is new.
fn note(
    plan: &mut Plan,
    cx: &Cx<'_>,
    range: &ServiceCIDR,
    status: &'static str,
    reason: &'static str,
    message: &'static str,
) {
    let ready = range.status.conditions.iter().find(|condition| condition.type_ == "Ready");
    if ready.is_some_and(|ready| ready.status == status && ready.reason == reason) {
        return;
    }
    let condition = Condition {
        type_: lit!("Ready"),
        status: status.into(),
        reason: reason.into(),
        message: message.into(),
        last_transition_time: Some(cx.now.into()),
        ..Condition::default()
    };
    let mut new = range.clone();
    let conditions = &mut Arc::make_mut(&mut new.status).conditions;
    conditions.retain(|condition| condition.type_ != "Ready");
    conditions.push(condition);
    plan.status(new);
}

/// Whether an address lies in the range and in no other that stays.
fn is_needed(cx: &Cx<'_>, range: &ServiceCIDR) -> bool {
    let others: Vec<&Str> = cx
        .all::<ServiceCIDR>()
        .all()
        .filter(|other| other.metadata.deletion_timestamp.is_none())
        .flat_map(|other| other.spec.cidrs.iter())
        .collect();
    cx.all::<IPAddress>().all().any(|address| {
        let Ok(ip) = address.metadata.name.parse::<IpAddr>() else { return false };
        range.spec.cidrs.iter().any(|cidr| contains(cidr, ip))
            && !others.iter().any(|cidr| contains(cidr, ip))
    })
}

fn contains(cidr: &str, ip: IpAddr) -> bool {
    let Some((network, length)) = cidr.split_once('/') else { return false };
    let (Ok(network), Ok(length)) = (network.parse::<IpAddr>(), length.parse::<u32>()) else {
        return false;
    };
    let (a, b, bits) = match (network, ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    length <= bits && (length == 0 || (a ^ b) >> (bits - length) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Runner;
    use client::testing::{Bench, object};

    fn range(deleted: bool) -> ServiceCIDR {
        let deleted = match deleted {
            true => {
                r#", "finalizers": ["networking.k8s.io/service-cidr-finalizer"],
                "deletionTimestamp": "2026-01-01T00:00:00Z""#
            }
            false => "",
        };
        object(&format!(
            r#"{{"metadata": {{"name": "r"{deleted}}}, "spec": {{"cidrs": ["10.9.0.0/24"]}}}}"#
        ))
    }

    fn bench(objects: Vec<Object>) -> Bench<Runner> {
        Bench::new(Runner::new("kcm", vec![Box::new(ServiceCidrs)]), objects)
    }

    fn reason(bench: &Bench<Runner>) -> String {
        let range = bench.api.get::<ServiceCIDR>("", "r").expect("it stays");
        let ready = range.status.conditions.first().expect("a condition");
        format!("{} {}", ready.status, ready.reason)
    }

    #[test]
    fn a_range_is_protected_and_ready() {
        let bench = bench(vec![range(false).into()]);
        assert_eq!(reason(&bench), "True ");
        let range = bench.api.get::<ServiceCIDR>("", "r").expect("it stays");
        assert_eq!(range.metadata.finalizers.as_slice(), [FINALIZER]);
    }

    #[test]
    fn a_deleted_range_stays_while_an_address_needs_it() {
        let address: IPAddress = object(r#"{"metadata": {"name": "10.9.0.7"}}"#);
        let bench = bench(vec![range(true).into(), address.into()]);
        assert_eq!(reason(&bench), "False Terminating");
    }

    #[test]
    fn addresses_are_in_ranges_of_their_family() {
        let is_in = |cidr, ip: &str| contains(cidr, ip.parse().expect("an address"));
        assert!(is_in("10.96.0.0/12", "10.111.255.255"));
        assert!(!is_in("10.96.0.0/12", "10.112.0.0"));
        assert!(is_in("2001:db8::/64", "2001:db8::5"));
        assert!(!is_in("0.0.0.0/0", "2001:db8::5"));
    }
}
