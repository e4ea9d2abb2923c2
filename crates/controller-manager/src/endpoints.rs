//! The Endpoints controller: shows the pods of a Service in the older form, one object for each Service.
//!
//! Known deviations:
//! - Subsets are ordered by their ports, not by hash.

use std::sync::Arc;

use api::core::v1::{
    EndpointAddress, EndpointPort, EndpointSubset, Endpoints as Object, Pod, Service,
};
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, KindInfo};
use api::selector::Selector;
use base::{BTreeMap, List, Str, lit};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use crate::endpoint_slice::target;
use crate::pods;
use crate::services::{self, HEADLESS, TRIGGER_TIME};

/// An object shows at most so many addresses.
const ADDRESSES_MAX: usize = 1000;
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";

/// The Endpoints controller.
#[derive(Clone, Default)]
pub struct Endpoints {
    times: services::TriggerTimes,
}

impl Reconcile for Endpoints {
    fn name(&self) -> &'static str {
        "endpoint-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Service::INFO, Pod::INFO, Object::INFO]
    }

    fn reset(&mut self) {
        *self = Endpoints::default();
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if !delta.is::<Object>() {
            services::concerned(cx, delta, queue);
        } else if delta.deleted() {
            queue.add(delta.key());
        }
    }

    /// A Service may have gone while nobody looked: its Endpoints are left over.
    fn on_start(&mut self, cx: &Cx<'_>, queue: &mut Enqueue) {
        cx.endpoints().all().for_each(|known| queue.of(&known.metadata));
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let known = cx.endpoints().get(key);
        let Some(service) = cx.services().get(key) else {
            self.times.forget(key);
            if let Some(known) = known.filter(|known| is_ours(known)) {
                plan.delete(known, Default::default());
            }
            return plan;
        };
        if !services::follows_pods(service) {
            return plan;
        }
        let selector = Selector::from_labels(service.spec.selector.iter());
        let pods: Vec<&Pod> = cx.pods().selected(&key.namespace, &selector).collect();
        let changed_at = self.times.changed(service, &pods);
        let mut subsets = subsets(service, &pods);
        let truncated = truncate(&mut subsets);
        let mut meta = match known {
            Some(known) => (*known.metadata).clone(),
            None => ObjectMeta {
                name: key.name.clone(),
                namespace: key.namespace.clone(),
                ..ObjectMeta::default()
            },
        };
        meta.labels = service.metadata.labels.clone();
        meta.labels.insert(MANAGED_BY, lit!("endpoint-controller"));
        if services::is_headless(service) {
            meta.labels.insert(HEADLESS, Str::new());
        }
        let same = known.is_some_and(|known| {
            known.subsets == subsets
                && known.metadata.labels == meta.labels
                && known.metadata.annotations.contains_key(OVER_CAPACITY) == truncated
        });
        if same {
            return plan;
        }
        let mut note = |name: &'static str, value: Option<Str>| match value {
            Some(value) => drop(meta.annotations.insert(name, value)),
            None => drop(meta.annotations.remove(name)),
        };
        note(TRIGGER_TIME, changed_at.map(|at| at.to_string().into()));
        note(OVER_CAPACITY, truncated.then_some(lit!("truncated")));
        let new = Object { metadata: Arc::new(meta), subsets };
        if known.is_some() {
            plan.update(new)
        } else {
            plan.create(new)
        };
        plan
    }
}

fn is_ours(endpoints: &Object) -> bool {
    endpoints.metadata.labels.text(MANAGED_BY) == Some("endpoint-controller")
}

type Ports = Vec<(Str, i32, Str, Option<Str>)>;

fn subsets(service: &Service, pods: &[&Pod]) -> List<EndpointSubset> {
    let publish = service.spec.publish_not_ready_addresses;
    let mut by_ports: BTreeMap<Ports, (Vec<EndpointAddress>, Vec<EndpointAddress>)> =
        BTreeMap::new();
    for pod in pods {
        let going = pod.metadata.deletion_timestamp.is_some() && !publish;
        if pod.status.pod_ip.is_empty() || pods::is_terminal(pod) || going {
            continue;
        }
        let ports = ports(service, pod);
        if ports.is_empty() && !service.spec.ports.is_empty() {
            continue;
        }
        let address = EndpointAddress {
            ip: pod.status.pod_ip.clone(),
            hostname: services::hostname(service, pod).cloned().unwrap_or_default(),
            node_name: Some(pod.spec.node_name.clone()),
            target_ref: Some(Box::new(target(pod))),
        };
        let subset = by_ports.entry(ports).or_default();
        if publish || pods::is_ready(pod) { subset.0.push(address) } else { subset.1.push(address) }
    }
    let sorted = |mut addresses: Vec<EndpointAddress>| {
        base::sort::by(&mut addresses, |a, b| a.ip.cmp(&b.ip));
        addresses.into_iter().collect()
    };
    let subset = |(ports, (ready, unready)): (Ports, _)| EndpointSubset {
        addresses: sorted(ready),
        not_ready_addresses: sorted(unready),
        ports: ports
            .into_iter()
            .map(|(name, port, protocol, app_protocol)| EndpointPort {
                app_protocol,
                name,
                port,
                protocol,
            })
            .collect(),
    };
    by_ports.into_iter().map(subset).collect()
}

/// The ports in the Service's own order, as this older form keeps them.
fn ports(service: &Service, pod: &Pod) -> Ports {
    let of = |port: &api::core::v1::ServicePort| {
        let number = services::target_port(pod, port)?;
        let protocol = services::protocol(&port.protocol).into();
        Some((port.name.clone(), number, protocol, port.app_protocol.clone()))
    };
    service.spec.ports.iter().filter_map(of).collect()
}

/// Cuts to the limit, the unready first; says whether anything was cut.
fn truncate(subsets: &mut List<EndpointSubset>) -> bool {
    let ready: usize = subsets.iter().map(|subset| subset.addresses.len()).sum();
    let unready: usize = subsets.iter().map(|subset| subset.not_ready_addresses.len()).sum();
    if ready + unready <= ADDRESSES_MAX {
        return false;
    }
    let (mut ready_left, mut unready_left) = (ADDRESSES_MAX, ADDRESSES_MAX.saturating_sub(ready));
    for subset in subsets.iter_mut() {
        subset.addresses.truncate(ready_left);
        subset.not_ready_addresses.truncate(unready_left);
        ready_left -= subset.addresses.len();
        unready_left -= subset.not_ready_addresses.len();
    }
    subsets.retain(|subset| !subset.addresses.is_empty() || !subset.not_ready_addresses.is_empty());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Runner;
    use client::testing::{Bench, object};

    fn bench() -> Bench<Runner> {
        let service: Service = object(
            r#"{"metadata": {"name": "web", "namespace": "d", "uid": "s", "labels": {"x": "y"}}, "spec":
            {"clusterIP": "10.96.0.9", "selector": {"app": "web"}, "ports": [{"port": 80}]}}"#,
        );
        Bench::new(Runner::new("kcm", vec![Box::new(Endpoints::default())]), [service.into()])
    }

    fn pod(number: usize, ready: bool) -> Pod {
        object(&format!(
            r#"{{"metadata": {{"name": "p{number}", "namespace": "d", "labels": {{"app": "web"}}}},
            "spec": {{"nodeName": "n1", "containers": []}}, "status": {{"phase": "Running",
            "podIP": "10.0.0.{number}", "conditions": [{{"type": "Ready", "status": "{}"}}]}}}}"#,
            if ready { "True" } else { "False" }
        ))
    }

    /// Adds the pods (`1` ready, `!2` not) and compares `ready|unready`.
    fn check(pods: &str, expect: &str) {
        let mut bench = bench();
        for text in pods.split_whitespace() {
            let number = text.trim_start_matches('!').parse().expect("a number");
            bench.put(pod(number, !text.starts_with('!')));
        }
        let stored = bench.api.get::<Object>("d", "web").expect("it is there");
        let show = |addresses: &List<EndpointAddress>| {
            addresses.iter().map(|address| address.ip.to_string()).collect::<Vec<_>>().join(" ")
        };
        let text = match stored.subsets.first() {
            Some(subset) => {
                format!("{}|{}", show(&subset.addresses), show(&subset.not_ready_addresses))
            }
            None => "none".into(),
        };
        assert_eq!(text, expect);
        assert_eq!(stored.metadata.labels.text("x"), Some("y"));
    }

    #[test]
    fn what_a_service_left_behind_while_nobody_looked_is_deleted_at_the_start() {
        let left = |name: &str, labels: &str| -> Object {
            object(&format!(
                r#"{{"metadata": {{"name": "{name}", "namespace": "d", "labels": {{{labels}}}}}}}"#
            ))
        };
        let ours = left("gone", r#""endpoints.kubernetes.io/managed-by": "endpoint-controller""#);
        let runner = Runner::new("kcm", vec![Box::new(Endpoints::default())]);
        let bench = Bench::new(runner, [ours.into(), left("own", "").into()]);
        assert!(bench.api.get::<Object>("d", "gone").is_none());
        assert!(bench.api.get::<Object>("d", "own").is_some(), "somebody else made it");
    }

    #[test]
    fn addresses_are_sorted_and_told_apart_by_readiness() {
        check("2 1 !3", "10.0.0.1 10.0.0.2|10.0.0.3");
    }

    #[test]
    fn a_service_without_pods_has_no_subset() {
        check("", "none");
    }

    #[test]
    fn endpoints_go_with_their_service() {
        let mut bench = bench();
        bench.take_log();
        bench.remove::<Service>("d", "web");
        assert_eq!(bench.take_log(), "-Endpoints web");
    }

    #[test]
    fn a_service_may_publish_pods_that_are_not_ready_or_are_going() {
        let mut bench = bench();
        let mut going = pod(3, true);
        Arc::make_mut(&mut going.metadata).deletion_timestamp = Some(base::Instant::START.into());
        bench.put(pod(1, true));
        bench.put(pod(2, false));
        bench.put(going);
        let counts = |bench: &Bench<Runner>| {
            let stored = bench.api.get::<Object>("d", "web").expect("it is there");
            let subset = &stored.subsets[0];
            (subset.addresses.len(), subset.not_ready_addresses.len())
        };
        assert_eq!(counts(&bench), (1, 1));
        bench.edit::<Service>("d", "web", |service| {
            Arc::make_mut(&mut service.spec).publish_not_ready_addresses = true;
        });
        assert_eq!(counts(&bench), (3, 0));
    }

    #[test]
    fn more_than_a_thousand_addresses_are_cut_and_that_is_noted_until_they_fit() {
        let number = |n: usize, ready: bool| {
            let mut pod = pod(n, ready);
            let status = Arc::make_mut(&mut pod.status);
            status.pod_ip = format!("10.0.{}.{}", n / 250, n % 250 + 1).into();
            pod.into()
        };
        let service: api::object::Object =
            bench().api.get::<Service>("d", "web").expect("it is there").as_ref().clone().into();
        let pods = (0..998).map(|n| number(n, true)).chain((998..1010).map(|n| number(n, false)));
        let runner = Runner::new("kcm", vec![Box::new(Endpoints::default())]);
        let mut bench = Bench::new(runner, pods.chain([service]));
        let check = |bench: &Bench<Runner>, expect: (usize, usize, Option<&str>)| {
            let stored = bench.api.get::<Object>("d", "web").expect("it is there");
            let subset = &stored.subsets[0];
            let note = stored.metadata.annotations.text(OVER_CAPACITY);
            let got = (subset.addresses.len(), subset.not_ready_addresses.len(), note);
            assert_eq!(got, expect);
        };
        check(&bench, (998, 2, Some("truncated")));
        (0..20).for_each(|n| bench.remove::<Pod>("d", &format!("p{n}")));
        check(&bench, (978, 12, None));
    }
}
