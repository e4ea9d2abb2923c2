//! The service controller: gives Services of type LoadBalancer a load balancer, and its nodes to it.
//!
//! Known deviations:
//! - Services that lost their finalizer by force leave their load balancers behind.
//! - After a restart every load balancer is ensured once more, as upstream does, but nodes are not sent again.

mod spec;
#[cfg(test)]
mod tests;
mod update;

use std::sync::Arc;

use api::core::v1::{LoadBalancerIngress, LoadBalancerStatus, Node, Service};
use api::json::Json;
use api::object::{Key, Kind, KindInfo};
use api::wire::{Patch, Subresource};
use base::{BTreeMap, Duration, Str};
use client::cloud::{BalancerAddress, CloudAnswer, CloudRequest};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile};

use crate::nodes::{TO_BE_DELETED, is_tainted};

/// Keeps a Service until its load balancer is gone.
pub const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// Nodes with this label get no traffic from load balancers.
pub const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// The key of a Service's nodes is that of the Service with this at its end; no name has a slash.
const NODES: &str = "/nodes";
/// So many nodes are named in an event.
const NAMED_MAX: usize = 20;

/// The service controller.
#[derive(Clone, Default)]
pub struct Services {
    /// The nodes that each Service's load balancer was last told of.
    told: BTreeMap<Key, Arc<[Str]>>,
    /// What changed about Services and has not been said yet.
    notes: BTreeMap<Key, Vec<Note>>,
}

impl Reconcile for Services {
    fn name(&self) -> &'static str {
        "service-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Service::INFO, Node::INFO]
    }

    fn reset(&mut self) {
        *self = Services::default();
    }

    fn workers(&self) -> usize {
        1
    }

    fn backoff(&self) -> (Duration, Duration) {
        (Duration::secs(5), Duration::secs(300))
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<Node>() {
            if matters(delta.before(), delta.after()) {
                for service in cx.services().all().filter(|service| wants_balancer(service)) {
                    let meta = &service.metadata;
                    queue.named(meta.namespace.clone(), format!("{}{NODES}", meta.name));
                }
            }
            return;
        }
        let key = delta.key();
        let Some(service) = delta.after::<Service>() else {
            self.told.remove(&key);
            self.notes.remove(&key);
            return;
        };
        let changed = match delta.before::<Service>() {
            None => wants_balancer(service),
            Some(old) => match update::needed(old, service) {
                None => false,
                Some(note) => {
                    self.notes.entry(key.clone()).or_default().extend(note);
                    true
                }
            },
        };
        if changed || needs_cleanup(service) {
            queue.add(key);
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        if let Some(name) = key.name.strip_suffix(NODES) {
            let key = Key::new(key.namespace.clone(), name);
            let service = cx.services().get(&key).filter(|service| wants_balancer(service));
            return service.map_or_else(Plan::settled, |service| self.update(cx, &key, service));
        }
        let mut plan = Plan::settled();
        let Some(service) = cx.services().get(key) else { return plan };
        self.notes.remove(key).into_iter().flatten().for_each(|note| plan.note(note));
        if needs_cleanup(service) {
            let failed =
                sync_failed(service, "failed to check if load balancer exists before cleanup");
            plan.ask(CloudRequest::FindBalancer(spec::name(service))).or_said(failed);
        } else if wants_balancer(service) {
            self.ensure(cx, key, service, &mut plan);
        }
        plan
    }

    fn answered(&mut self, cx: &Cx<'_>, key: &Key, answer: CloudAnswer) -> Plan {
        if let Some(name) = key.name.strip_suffix(NODES) {
            let key = Key::new(key.namespace.clone(), name);
            let told = self.told.get(&key);
            return match (cx.services().get(&key), answer) {
                (Some(service), CloudAnswer::Done) => updated(service, told.map_or(0, |n| n.len())),
                _ => Plan::settled(),
            };
        }
        let Some(service) = cx.services().get(key) else { return Plan::settled() };
        match answer {
            CloudAnswer::Balancer(found) if needs_cleanup(service) => {
                self.told.remove(key);
                clean_up(service, found.is_some())
            }
            CloudAnswer::Balancer(Some(address)) => ensured(service, &address),
            _ => Plan::settled(),
        }
    }
}

impl Services {
    fn ensure(&mut self, cx: &Cx<'_>, key: &Key, service: &Service, plan: &mut Plan) {
        plan.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer");
        if !has_finalizer(service) {
            plan.patch(service, finalizers("finalizers"));
        }
        let nodes = nodes_in_use(cx);
        if nodes.is_empty() {
            plan.note(unavailable(service));
        }
        self.told.insert(key.clone(), nodes.clone());
        let failed = sync_failed(service, "failed to ensure load balancer");
        let spec = Box::new(spec::of(service, nodes));
        plan.ask(CloudRequest::EnsureBalancer(spec)).or_said(failed);
    }

    /// Tells the load balancer of its nodes, if they are others than before.
    fn update(&mut self, cx: &Cx<'_>, key: &Key, service: &Service) -> Plan {
        let mut plan = Plan::settled();
        let nodes = nodes_in_use(cx);
        if self.told.get(key).is_some_and(|told| *told == nodes) {
            return plan;
        }
        self.told.insert(key.clone(), nodes.clone());
        let shown: Vec<&str> = nodes.iter().take(NAMED_MAX).map(Str::as_str).collect();
        let text = format!(
            "Error updating load balancer with new hosts [{}] [node names limited, total number of nodes: {}], \
             error: {{error}}",
            shown.join(" "),
            nodes.len()
        );
        let failed = Note::new(service, "Warning", "UpdateLoadBalancerFailed", text);
        let name = spec::name(service);
        plan.ask(CloudRequest::UpdateBalancer { name, nodes }).or_said(failed);
        plan
    }
}

/// What is said once the load balancer has its new nodes.
fn updated(service: &Service, nodes: usize) -> Plan {
    let mut plan = Plan::settled();
    if nodes == 0 {
        plan.note(unavailable(service));
    } else {
        let text = "Updated load balancer with new hosts";
        plan.event(service, "Normal", "UpdatedLoadBalancer", text);
    }
    plan
}

/// What is written once the load balancer is there.
fn ensured(service: &Service, address: &BalancerAddress) -> Plan {
    let mut plan = Plan::settled();
    plan.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer");
    let ingress = LoadBalancerIngress {
        hostname: address.hostname.clone(),
        ip: address.ip.clone(),
        ip_mode: address.ip_mode.clone(),
        ..LoadBalancerIngress::default()
    };
    let status = LoadBalancerStatus { ingress: base::list![ingress] };
    if service.status.load_balancer != status {
        plan.patch_of(service, Subresource::Status, Patch::Strategic(status_of(address)));
    }
    plan
}

/// Deletes the load balancer, if there is one, and lets the Service go.
fn clean_up(service: &Service, exists: bool) -> Plan {
    let mut plan = Plan::settled();
    if exists {
        plan.event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer");
        let failed = sync_failed(service, "failed to delete load balancer");
        plan.ask(CloudRequest::DeleteBalancer(spec::name(service))).or_said(failed);
    }
    let deleted = Note::new(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer");
    plan.patch(service, finalizers("$deleteFromPrimitiveList/finalizers")).said(deleted);
    if !service.status.load_balancer.ingress.is_empty() {
        let mut balancer = Json::object();
        balancer.set("ingress", Json::Null);
        let body = Patch::Strategic(in_status(balancer));
        // A Service that was being deleted is gone by now.
        plan.patch_of(service, Subresource::Status, body).or_failed();
    }
    plan
}

fn status_of(address: &BalancerAddress) -> Json {
    let mut one = Json::object();
    let mode = address.ip_mode.clone().unwrap_or_default();
    for (field, text) in [("hostname", &address.hostname), ("ip", &address.ip), ("ipMode", &mode)] {
        if !text.is_empty() {
            one.set(field, Json::str(text.clone()));
        }
    }
    let mut balancer = Json::object();
    balancer.set("ingress", Json::Array(vec![one]));
    in_status(balancer)
}

fn in_status(balancer: Json) -> Json {
    let mut status = Json::object();
    status.set("loadBalancer", balancer);
    let mut body = Json::object();
    body.set("status", status);
    body
}

fn finalizers(field: &'static str) -> Json {
    let mut meta = Json::object();
    meta.set(field, Json::Array(vec![Json::str(FINALIZER)]));
    let mut body = Json::object();
    body.set("metadata", meta);
    body
}

fn sync_failed(service: &Service, what: &str) -> Note {
    let text = format!("Error syncing load balancer: {what}: {{error}}");
    Note::new(service, "Warning", "SyncLoadBalancerFailed", text)
}

fn unavailable(service: &Service) -> Note {
    let text = "There are no available nodes for LoadBalancer";
    Note::new(service, "Warning", "UnAvailableLoadBalancer", text)
}

/// Whether the Service is to have a load balancer of the provider's: one with a class is somebody else's.
fn wants_balancer(service: &Service) -> bool {
    service.spec.type_ == "LoadBalancer" && service.spec.load_balancer_class.is_none()
}

fn has_finalizer(service: &Service) -> bool {
    service.metadata.finalizers.iter().any(|finalizer| finalizer == FINALIZER)
}

/// Whether a load balancer that the Service may have must go.
fn needs_cleanup(service: &Service) -> bool {
    let unwanted =
        service.metadata.deletion_timestamp.is_some() || service.spec.type_ != "LoadBalancer";
    has_finalizer(service) && unwanted
}

/// Whether load balancers send traffic to the node.
fn takes_traffic(node: &Node) -> bool {
    node.metadata.deletion_timestamp.is_none()
        && !node.metadata.labels.contains_key(EXCLUDE)
        && !is_tainted(node, TO_BE_DELETED)
}

fn nodes_in_use(cx: &Cx<'_>) -> Arc<[Str]> {
    let nodes = cx.nodes().all().filter(|node| takes_traffic(node));
    nodes.map(|node| node.metadata.name.clone()).collect()
}

/// Whether load balancers must hear of a node's change.
fn matters(old: Option<&Node>, new: Option<&Node>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return true };
    let excluded = |node: &Node| node.metadata.labels.contains_key(EXCLUDE);
    let leaves = |node: &Node| node.metadata.deletion_timestamp.is_some();
    excluded(old) != excluded(new)
        || leaves(old) != leaves(new)
        || old.spec.provider_id != new.spec.provider_id
}
