//! Service: who asks, the virtual address, the endpoints and the pods behind them.

use api::core::v1::Service;
use api::object::Key;
use base::BTreeMap;
use protocol::{Item, Kind, Mark, Tie};

use crate::item::{fact, key_of, of_object, of_pod, pairs, plain, state};
use crate::world::World;

/// Endpoints that are drawn.
const ENDPOINTS_MAX: usize = 60;

/// The key of an endpoint.
pub fn endpoint_key(service: &Key, ip: &str) -> String {
    format!("endpoint/{}/{}/{ip}", service.namespace, service.name)
}

/// Every item of the view of a Service; none if there is no such Service.
///
/// `clients` are the pods that sent it a request not long ago; `rules` are the packet rules about
/// it.
pub fn items(world: &World, key: &Key, clients: &[Key], rules: &[String]) -> Vec<Item> {
    let Some(service) = world.services.get(key) else { return Vec::new() };
    let mut head = head(service, key);
    let parent = head.key.clone();
    let mut out = Vec::new();
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    let mut hidden = 0;
    for slice in world.slices_of(key) {
        for endpoint in &slice.endpoints {
            let Some(ip) = endpoint.addresses.first() else { continue };
            if seen.insert(ip, ()).is_some() {
                continue;
            }
            if seen.len() > ENDPOINTS_MAX {
                hidden += 1;
                continue;
            }
            let conditions = &endpoint.conditions;
            let ready = conditions.ready != Some(false);
            let status = match (ready, conditions.terminating == Some(true)) {
                (_, true) => state(Mark::Terminating, "terminating"),
                (true, _) => state(Mark::Ready, "ready"),
                (false, _) => state(Mark::NotReady, "not ready"),
            };
            let own = endpoint_key(key, ip);
            head.ties.push(Tie { to: own.clone(), word: String::new(), live: ready });
            let pod = endpoint.target_ref.as_ref().filter(|target| target.kind == "Pod").and_then(
                |target| world.pods.get(&Key::new(key.namespace.clone(), target.name.clone())),
            );
            let mut item = Item {
                parent: Some(parent.clone()),
                spoken: format!("endpoint {ip}"),
                state: status,
                ..plain(&own, Kind::Endpoint, ip)
            };
            if let Some(pod) = pod {
                let pod = Item { parent: Some(parent.clone()), ..of_pod(pod) };
                item.ties.push(Tie { to: pod.key.clone(), word: String::new(), live: ready });
                out.push(pod);
            }
            out.push(item);
        }
    }
    if hidden > 0 {
        out.push(Item {
            parent: Some(parent.clone()),
            ..plain(&format!("more/{parent}"), Kind::More, &format!("+{hidden} more"))
        });
    }
    out.extend(clients.iter().filter_map(|key| world.pods.get(key)).map(|pod| Item {
        key: client_key(&Key::of(&pod.metadata)),
        kind: Kind::Client,
        ..of_pod(pod)
    }));
    out.extend(rules.iter().enumerate().map(|(i, rule)| Item {
        parent: Some(parent.clone()),
        ..plain(&format!("rule/{i}"), Kind::Rule, rule)
    }));
    out.push(head);
    out
}

/// The key of a pod in its part as a client: it may be a backend as well.
pub fn client_key(pod: &Key) -> String {
    format!("client/{}/{}", pod.namespace, pod.name)
}

fn head(service: &Service, key: &Key) -> Item {
    let spec = &service.spec;
    let mut facts = vec![fact("type", spec.type_.as_str())];
    if !spec.cluster_ip.is_empty() {
        facts.push(fact("address", spec.cluster_ip.as_str()));
    }
    for port in &spec.ports {
        let target =
            port.target_port.as_ref().map_or_else(|| port.port.to_string(), |t| t.to_string());
        let mut value = format!("{} → {target}", port.port);
        if port.node_port != 0 {
            value.push_str(&format!(", node {}", port.node_port));
        }
        facts.push(fact("port", value));
    }
    if !spec.selector.is_empty() {
        facts.push(fact("selector", pairs(spec.selector.iter())));
    }
    Item { facts, ..of_object(service, key) }
}

/// The key of a Service's item.
pub fn service_key(key: &Key) -> String {
    key_of(<Service as api::Kind>::INFO, key)
}
