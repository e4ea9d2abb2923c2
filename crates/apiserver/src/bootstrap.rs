//! What a fresh cluster holds before anything else starts.
//!
//! Known deviations:
//! - No flow schemas are made.

use std::sync::Arc;

use api::Map;
use api::core::v1::*;
use api::discovery::v1::{Endpoint, EndpointConditions, EndpointSlice};
use api::int_or_string::IntOrString;
use api::meta::v1::ObjectMeta;
use api::networking::v1::{ServiceCIDR, ServiceCIDRSpec};
use api::object::{Key, Object};
use api::scheduling::v1::PriorityClass;
use api::wire::{Cause, Request};
use base::{Instant, Str, list, lit};

use crate::{ApiServer, access};

/// Where the API server listens, as the `kubernetes` Service's endpoints say.
pub const ADDRESS: &str = "172.18.0.2";

impl ApiServer {
    /// Makes what the API server makes when it first starts. What is there already is left alone.
    pub fn bootstrap(&mut self, now: Instant) {
        for name in ["kube-system", "kube-public", "kube-node-lease", "default"] {
            self.make(now, Namespace { metadata: named("", name), ..Namespace::default() });
        }
        let classes = [
            (
                "system-node-critical",
                2_000_001_000,
                "Used for system critical pods that must not be moved from their current node.",
            ),
            (
                "system-cluster-critical",
                2_000_000_000,
                "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
            ),
        ];
        for (name, value, description) in classes {
            self.make(
                now,
                PriorityClass {
                    metadata: named("", name),
                    value: Some(value),
                    description: description.into(),
                    ..PriorityClass::default()
                },
            );
        }
        let range = self.options.service_range;
        self.make(
            now,
            ServiceCIDR {
                metadata: named("", "kubernetes"),
                spec: Arc::new(ServiceCIDRSpec { cidrs: list![Str::from(range.to_string())] }),
                ..ServiceCIDR::default()
            },
        );
        for object in access::defaults() {
            self.make_object(now, object);
        }
        self.make(now, kubernetes_service(&range.api_server().to_string()));
        self.make(now, kubernetes_endpoints());
        self.make(now, kubernetes_slice());
    }

    fn make<K: api::object::Kind>(&mut self, now: Instant, object: K) {
        self.make_object(now, Object::new(object));
    }

    fn make_object(&mut self, now: Instant, object: Object) {
        let key = Key::of(object.meta());
        if self.get(object.info(), &key.namespace, &key.name).is_some() {
            return;
        }
        let request = Request::create(object)
            .by("kube-apiserver", Cause { actor: lit!("kube-apiserver"), ..Cause::default() });
        if let Err(status) = self.handle(now, request) {
            panic!("bootstrap of {key}: {}", status.message);
        }
    }
}

fn named(namespace: &str, name: &str) -> Arc<ObjectMeta> {
    Arc::new(ObjectMeta { namespace: namespace.into(), name: name.into(), ..ObjectMeta::default() })
}

fn labelled(labels: &[(&str, &str)]) -> Arc<ObjectMeta> {
    let labels: Map<Str> = labels.iter().map(|(key, value)| (*key, Str::from(*value))).collect();
    Arc::new(ObjectMeta {
        namespace: lit!("default"),
        name: lit!("kubernetes"),
        labels,
        ..ObjectMeta::default()
    })
}

fn kubernetes_service(address: &str) -> Service {
    Service {
        metadata: labelled(&[("component", "apiserver"), ("provider", "kubernetes")]),
        spec: Arc::new(ServiceSpec {
            cluster_ip: address.into(),
            type_: lit!("ClusterIP"),
            session_affinity: lit!("None"),
            internal_traffic_policy: Some(lit!("Cluster")),
            ports: list![ServicePort {
                name: lit!("https"),
                port: 443,
                protocol: lit!("TCP"),
                target_port: Some(IntOrString::Int(6443)),
                ..ServicePort::default()
            }],
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn kubernetes_endpoints() -> Endpoints {
    let address = EndpointAddress { ip: ADDRESS.into(), ..EndpointAddress::default() };
    let port = EndpointPort {
        name: lit!("https"),
        port: 6443,
        protocol: lit!("TCP"),
        ..EndpointPort::default()
    };
    Endpoints {
        metadata: labelled(&[("endpointslice.kubernetes.io/skip-mirror", "true")]),
        subsets: list![EndpointSubset {
            addresses: list![address],
            ports: list![port],
            ..EndpointSubset::default()
        }],
    }
}

fn kubernetes_slice() -> EndpointSlice {
    let port = api::discovery::v1::EndpointPort {
        name: Some(lit!("https")),
        port: Some(6443),
        protocol: Some(lit!("TCP")),
        ..Default::default()
    };
    EndpointSlice {
        metadata: labelled(&[("kubernetes.io/service-name", "kubernetes")]),
        address_type: lit!("IPv4"),
        endpoints: list![Endpoint {
            addresses: list![Str::from(ADDRESS)],
            conditions: EndpointConditions { ready: Some(true), ..Default::default() },
            ..Endpoint::default()
        }],
        ports: list![port],
    }
}
