//! The EndpointSlice mirroring controller: shows Endpoints that people wrote for a Service as slices.

use core::net::IpAddr;
use std::sync::Arc;

use api::core::v1::{EndpointAddress, EndpointSubset, Endpoints, Service};
use api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, KindInfo};
use api::wire::Request;
use base::{Str, list, lit};
use client::owner::controller_reference;
use client::{Cx, Delta, Enqueue, Plan, Reconcile, Write};

use crate::endpoint_slice::{MANAGED_BY, SERVICE_NAME};

const US: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// So many addresses of a subset are shown.
const ADDRESSES_MAX: usize = 1000;

/// The EndpointSlice mirroring controller.
#[derive(Clone, Default)]
pub struct EndpointSliceMirroring;

impl Reconcile for EndpointSliceMirroring {
    fn name(&self) -> &'static str {
        "endpoint-slice-mirroring-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Endpoints::INFO, Service::INFO, EndpointSlice::INFO]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if !delta.is::<EndpointSlice>() {
            return queue.add(delta.key());
        }
        let labels = &delta.meta().labels;
        if delta.deleted()
            && labels.text(MANAGED_BY) == Some(US)
            && let Some(service) = labels.get(SERVICE_NAME)
        {
            queue.named(delta.meta().namespace.clone(), service.clone());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let endpoints = cx.endpoints().get(key);
        let service = cx.services().get(key).filter(|service| service.spec.selector.is_empty());
        let Some(endpoints) = endpoints else { return plan };
        let known: Vec<&EndpointSlice> = cx
            .endpoint_slices()
            .owned_by(&endpoints.metadata.uid)
            .filter(|slice| slice.metadata.labels.text(MANAGED_BY) == Some(US))
            .collect();
        let wanted = if service.is_some() && is_mirrored(endpoints) {
            slices(endpoints, &mut plan)
        } else {
            Vec::new()
        };
        plan.batch(fit(known, wanted));
        plan
    }
}

fn is_mirrored(endpoints: &Endpoints) -> bool {
    let meta = &endpoints.metadata;
    meta.labels.text(SKIP) != Some("true") && !meta.annotations.contains_key(LEADER)
}

/// Makes the known slices into the wanted ones; those of the same ports stay the same objects.
fn fit(mut known: Vec<&EndpointSlice>, wanted: Vec<EndpointSlice>) -> Vec<Write> {
    let mut writes = Vec::new();
    for mut new in wanted {
        let fits =
            |old: &&EndpointSlice| old.address_type == new.address_type && old.ports == new.ports;
        let Some(at) = known.iter().position(fits) else {
            writes.push(Write::create(new));
            continue;
        };
        let old = known.remove(at);
        let mut meta = (*old.metadata).clone();
        meta.labels = new.metadata.labels.clone();
        meta.annotations = new.metadata.annotations.clone();
        new.metadata = Arc::new(meta);
        if new != *old {
            writes.push(Write::new(Request::update(new.into())));
        }
    }
    writes.extend(known.into_iter().map(|old| Write::delete(old, Default::default())));
    writes
}

/// The slices for all subsets; says what of them is not shown.
fn slices(endpoints: &Endpoints, plan: &mut Plan) -> Vec<EndpointSlice> {
    let mut slices = Vec::new();
    let (mut invalid, mut skipped) = (0, 0);
    for subset in &endpoints.subsets {
        let all = addresses(subset);
        let valid = all.iter().filter(|shown| shown.ip.is_some()).count();
        invalid += all.len() - valid;
        skipped += all.len() - valid.min(ADDRESSES_MAX);
        for (family, is_v4) in [("IPv4", true), ("IPv6", false)] {
            let valid = all.iter().filter_map(|shown| Some((shown.ip?, shown)));
            let found: Vec<Endpoint> = valid
                .take(ADDRESSES_MAX)
                .filter(|(ip, _)| ip.is_ipv4() == is_v4)
                .map(|(_, shown)| endpoint(shown.address, shown.ready))
                .collect();
            if !found.is_empty() {
                slices.push(slice(endpoints, subset, family, found));
            }
        }
    }
    if invalid > 0 {
        let message = format!("Skipped {invalid} invalid IPs when mirroring to EndpointSlices");
        plan.event(endpoints, "Warning", "InvalidIPAddress", message);
    }
    if skipped > invalid {
        let message = format!(
            "A max of {ADDRESSES_MAX} addresses can be mirrored to EndpointSlices per Endpoints subset. \
             {skipped} addresses were skipped"
        );
        plan.event(endpoints, "Warning", "TooManyAddressesToMirror", message);
    }
    slices
}

/// An address of a subset.
struct Shown<'a> {
    address: &'a EndpointAddress,
    ready: bool,
    /// `None` if it is no address.
    ip: Option<IpAddr>,
}

fn addresses(subset: &EndpointSubset) -> Vec<Shown<'_>> {
    let ready = subset.addresses.iter().map(|address| (address, true));
    let unready = subset.not_ready_addresses.iter().map(|address| (address, false));
    ready
        .chain(unready)
        .map(|(address, ready)| Shown { address, ready, ip: address.ip.parse().ok() })
        .collect()
}

fn endpoint(address: &EndpointAddress, ready: bool) -> Endpoint {
    Endpoint {
        addresses: list![address.ip.clone()],
        conditions: EndpointConditions { ready: Some(ready), ..EndpointConditions::default() },
        hostname: Some(address.hostname.clone()).filter(|name| !name.is_empty()),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

fn slice(
    endpoints: &Endpoints,
    subset: &EndpointSubset,
    family: &'static str,
    found: Vec<Endpoint>,
) -> EndpointSlice {
    let from = &endpoints.metadata;
    let mut labels = from.labels.clone();
    labels.insert(SERVICE_NAME, from.name.clone());
    labels.insert(MANAGED_BY, Str::from(US));
    let mut annotations = from.annotations.clone();
    annotations.remove(LAST_APPLIED);
    let port = |port: &api::core::v1::EndpointPort| EndpointPort {
        name: Some(port.name.clone()),
        port: Some(port.port),
        protocol: Some(if port.protocol.is_empty() { lit!("TCP") } else { port.protocol.clone() }),
        app_protocol: port.app_protocol.clone(),
    };
    EndpointSlice {
        address_type: family.into(),
        endpoints: found.into_iter().collect(),
        metadata: Arc::new(ObjectMeta {
            generate_name: format!("{}-", from.name).into(),
            namespace: from.namespace.clone(),
            labels,
            annotations,
            owner_references: list![controller_reference(endpoints)],
            ..ObjectMeta::default()
        }),
        ports: subset.ports.iter().map(port).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Runner;
    use client::testing::{Bench, object};

    fn service(selector: &str) -> Service {
        object(&format!(
            r#"{{"metadata": {{"name": "db", "namespace": "d"}}, "spec": {{"selector": {{{selector}}}}}}}"#
        ))
    }

    fn endpoints(labels: &str, ips: &str) -> Endpoints {
        let ips: Vec<String> =
            ips.split_whitespace().map(|ip| format!(r#"{{"ip": "{ip}"}}"#)).collect();
        object(&format!(
            r#"{{"metadata": {{"name": "db", "namespace": "d", "labels": {{{labels}}}}}, "subsets":
            [{{"addresses": [{}], "ports": [{{"port": 5432}}]}}]}}"#,
            ips.join(",")
        ))
    }

    /// The slices as `family[addresses]`.
    fn describe(bench: &Bench<Runner>) -> String {
        let slices = bench.api.all::<EndpointSlice>();
        let slices = slices.iter().map(|slice| {
            let ips: Vec<&str> = slice.endpoints.iter().map(|e| &*e.addresses[0]).collect();
            format!("{}[{}]", slice.address_type, ips.join(" "))
        });
        slices.collect::<Vec<_>>().join(" ")
    }

    fn check(selector: &str, labels: &str, ips: &str, expect: &str) -> Bench<Runner> {
        let runner = Runner::new("kcm", vec![Box::new(EndpointSliceMirroring)]);
        let objects = [service(selector).into(), endpoints(labels, ips).into()];
        let bench = Bench::new(runner, objects);
        assert_eq!(describe(&bench), expect);
        bench
    }

    #[test]
    fn endpoints_of_a_service_without_selector_are_mirrored() {
        check("", "", "10.0.0.1 10.0.0.2", "IPv4[10.0.0.1 10.0.0.2]");
        check("", "", "10.0.0.1 fd00::1", "IPv4[10.0.0.1] IPv6[fd00::1]");
    }

    #[test]
    fn others_are_not() {
        check(r#""app": "x""#, "", "10.0.0.1", "");
        check("", r#""endpointslice.kubernetes.io/skip-mirror": "true""#, "10.0.0.1", "");
    }

    #[test]
    fn what_is_not_shown_is_told() {
        let mut bench = check("", "", "10.0.0.1 nowhere", "IPv4[10.0.0.1]");
        let told =
            "Warning InvalidIPAddress: Skipped 1 invalid IPs when mirroring to EndpointSlices";
        assert_eq!(bench.take_events(), told);
        let many: Vec<String> =
            (0..1002).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect();
        bench.put(endpoints("", &many.join(" ")));
        bench.run(base::Duration::secs(1));
        assert_eq!(bench.api.all::<EndpointSlice>()[0].endpoints.len(), 1000);
        let told = "Warning TooManyAddressesToMirror: A max of 1000 addresses can be mirrored to \
                    EndpointSlices per Endpoints subset. 2 addresses were skipped";
        assert!(bench.take_events().contains(told));
    }

    #[test]
    fn a_change_goes_into_the_same_slice() {
        let mut bench = check("", "", "10.0.0.1", "IPv4[10.0.0.1]");
        bench.take_log();
        bench.put(endpoints("", "10.0.0.9"));
        bench.run(base::Duration::secs(1));
        assert!(bench.take_log().starts_with("~EndpointSlice db-"));
        assert_eq!(describe(&bench), "IPv4[10.0.0.9]");
    }
}
