//! What the controllers of endpoints share: which pods a Service means, at which ports, since when.

use api::core::v1::{Pod, Service, ServicePort};
use api::int_or_string::IntOrString;
use api::meta::v1::ObjectMeta;
use api::object::Key;
use api::time::Time;
use base::{BTreeMap, Str};
use client::{Cx, Delta, Enqueue};

use crate::pods;

/// Set on slices and Endpoints for the time it takes to program the network.
pub const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// Marks what belongs to a Service without an address of its own.
pub const HEADLESS: &str = "service.kubernetes.io/headless";

/// Enqueues the Services that a change of a pod or a Service concerns.
pub fn concerned(cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
    if delta.is::<Service>() {
        return queue.add(delta.key());
    }
    let Some(pod) = delta.of::<Pod>() else { return };
    let before = delta.before::<Pod>();
    let same = !delta.deleted() && before.is_some_and(|old| view(old) == view(pod));
    if same || pod.status.pod_ip.is_empty() && before.is_none_or(|old| old.status.pod_ip.is_empty())
    {
        return;
    }
    for service in cx.services().in_namespace(&pod.metadata.namespace) {
        if selects(service, &pod.metadata)
            || before.is_some_and(|old| selects(service, &old.metadata))
        {
            queue.of(&service.metadata);
        }
    }
}

/// All that endpoints show of a pod.
fn view(pod: &Pod) -> impl PartialEq + '_ {
    let (meta, spec, status) = (&pod.metadata, &pod.spec, &pod.status);
    (
        (&status.pod_ip, &status.pod_ips, pods::is_ready(pod), pods::is_terminal(pod)),
        (&meta.labels, meta.deletion_timestamp.is_some()),
        (&spec.node_name, &spec.hostname, &spec.subdomain),
    )
}

/// Whether the Service's selector means an object with this metadata.
pub fn selects(service: &Service, meta: &ObjectMeta) -> bool {
    let selector = &service.spec.selector;
    !selector.is_empty() && selector.iter().all(|(key, value)| meta.labels.text(key) == Some(value))
}

/// Whether the Service has endpoints that follow pods.
pub fn follows_pods(service: &Service) -> bool {
    !service.spec.selector.is_empty() && service.spec.type_ != "ExternalName"
}

/// Whether the Service has no address of its own.
pub fn is_headless(service: &Service) -> bool {
    matches!(&*service.spec.cluster_ip, "None" | "")
}

/// The number of the pod's port that the Service's port leads to.
pub fn target_port(pod: &Pod, port: &ServicePort) -> Option<i32> {
    let name = match &port.target_port {
        None | Some(IntOrString::Int(0)) => return Some(port.port),
        Some(IntOrString::Int(number)) => return Some(*number),
        Some(IntOrString::Str(name)) => name,
    };
    let sidecars = pod
        .spec
        .init_containers
        .iter()
        .filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let ports = pod.spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
    let same = |found: &&api::core::v1::ContainerPort| {
        found.name == *name && protocol(&found.protocol) == protocol(&port.protocol)
    };
    ports.into_iter().find(same).map(|found| found.container_port)
}

/// The protocol, TCP where none is given.
pub fn protocol(given: &str) -> &str {
    if given.is_empty() { "TCP" } else { given }
}

/// The name by which the Service's DNS domain knows the pod.
pub fn hostname<'a>(service: &Service, pod: &'a Pod) -> Option<&'a Str> {
    let named = !pod.spec.hostname.is_empty()
        && pod.spec.subdomain == service.metadata.name
        && pod.metadata.namespace == service.metadata.namespace;
    named.then_some(&pod.spec.hostname)
}

/// Remembers what was seen of Services and pods, to tell when a change that has to be shown began.
#[derive(Clone, Debug, Default)]
pub struct TriggerTimes {
    services: BTreeMap<Key, (Option<Time>, BTreeMap<Str, Time>)>,
}

impl TriggerTimes {
    /// The earliest change among the Service and its pods since the last call.
    pub fn changed(&mut self, service: &Service, pods: &[&Pod]) -> Option<Time> {
        let state = self.services.entry(Key::of(&service.metadata)).or_default();
        let mut changed = None;
        let mut earliest =
            |at: Time| changed = Some(changed.map_or(at, |known: Time| known.min(at)));
        let born = service.metadata.creation_timestamp;
        if let Some(at) = born.filter(|at| state.0.is_none_or(|known| *at > known)) {
            earliest(at);
        }
        let mut seen = BTreeMap::new();
        for pod in pods {
            let ready = pods::condition(pod, "Ready").and_then(|ready| ready.last_transition_time);
            let Some(at) = ready else { continue };
            if state.1.get(&pod.metadata.name).is_none_or(|known| at > *known) {
                earliest(at);
            }
            seen.insert(pod.metadata.name.clone(), at);
        }
        *state = (born, seen);
        changed
    }

    /// Forgets a Service.
    pub fn forget(&mut self, key: &Key) {
        self.services.remove(key);
    }
}
