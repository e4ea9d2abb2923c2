//! The objects that diagrams are made of, indexed by what they are asked for.

use std::sync::Arc;

use api::Object;
use api::apps::v1::{Deployment, ReplicaSet};
use api::core::v1::{Node, Pod, Service};
use api::discovery::v1::EndpointSlice;
use api::object::Key;
use api::wire::{Change, WatchEvent};
use base::{BTreeMap, BTreeSet, HashMap, Str};

use crate::infra::Infra;
use crate::item::owner;

/// The label that names a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The newest state of everything that is drawn.
#[derive(Clone, Default)]
pub struct World {
    /// Pods.
    pub pods: BTreeMap<Key, Arc<Pod>>,
    /// Nodes.
    pub nodes: BTreeMap<Str, Arc<Node>>,
    /// Deployments.
    pub deployments: BTreeMap<Key, Arc<Deployment>>,
    /// ReplicaSets.
    pub sets: BTreeMap<Key, Arc<ReplicaSet>>,
    /// Services.
    pub services: BTreeMap<Key, Arc<Service>>,
    /// EndpointSlices.
    pub slices: BTreeMap<Key, Arc<EndpointSlice>>,
    /// Machines and parts.
    pub infra: Infra,
    pods_of_set: HashMap<Key, BTreeSet<Key>>,
    sets_of_deployment: HashMap<Key, BTreeSet<Key>>,
    slices_of_service: HashMap<Key, BTreeSet<Key>>,
}

/// What a change was about, for those who keep items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// A pod.
    Pod(Key),
    /// A node.
    Node(Str),
    /// A Deployment.
    Deployment(Key),
    /// A ReplicaSet.
    Set(Key),
    /// A Service, by itself or by one of its slices.
    Service(Key),
    /// Nothing that is drawn.
    Nothing,
}

impl World {
    /// Takes in a change; the object before it is handed to `before`.
    pub fn apply(&mut self, event: &WatchEvent) -> Touched {
        let gone = match event.change {
            Change::Bookmark => return Touched::Nothing,
            Change::Deleted => true,
            Change::Added | Change::Modified => false,
        };
        let object = &event.object;
        let key = Key::of(object.meta());
        match object.info().kind {
            "Pod" => self.pod(key, object, gone),
            "Node" => {
                set(&mut self.nodes, key.name.clone(), object.arc::<Node>(), gone);
                Touched::Node(key.name)
            }
            "Deployment" => {
                set(&mut self.deployments, key.clone(), object.arc::<Deployment>(), gone);
                Touched::Deployment(key)
            }
            "ReplicaSet" => self.replica_set(key, object, gone),
            "Service" => {
                set(&mut self.services, key.clone(), object.arc::<Service>(), gone);
                Touched::Service(key)
            }
            "EndpointSlice" => self.slice(key, object, gone),
            _ => Touched::Nothing,
        }
    }

    fn pod(&mut self, key: Key, object: &Object, gone: bool) -> Touched {
        let Some(pod) = object.arc::<Pod>() else { return Touched::Nothing };
        if let Some(set) = owner(&*pod, "ReplicaSet") {
            link(&mut self.pods_of_set, set, &key, gone);
        }
        set(&mut self.pods, key.clone(), Some(pod), gone);
        Touched::Pod(key)
    }

    fn replica_set(&mut self, key: Key, object: &Object, gone: bool) -> Touched {
        let replica_set = object.arc::<ReplicaSet>();
        if let Some(deployment) = replica_set.as_ref().and_then(|s| owner(&**s, "Deployment")) {
            link(&mut self.sets_of_deployment, deployment, &key, gone);
        }
        set(&mut self.sets, key.clone(), replica_set, gone);
        Touched::Set(key)
    }

    fn slice(&mut self, key: Key, object: &Object, gone: bool) -> Touched {
        let slice = object.arc::<EndpointSlice>();
        let service = slice.as_ref().and_then(|s| s.metadata.labels.get(SERVICE_NAME).cloned());
        set(&mut self.slices, key.clone(), slice, gone);
        let Some(service) = service else { return Touched::Nothing };
        let service = Key::new(key.namespace.clone(), service);
        link(&mut self.slices_of_service, service.clone(), &key, gone);
        Touched::Service(service)
    }

    /// The pods of a ReplicaSet, by name.
    pub fn pods_of<'a>(
        &'a self,
        set: &Key,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Pod>)> + use<'a> {
        let keys = self.pods_of_set.get(set).into_iter().flatten();
        keys.filter_map(|key| self.pods.get_key_value(key))
    }

    /// The ReplicaSets of a Deployment, by name.
    pub fn sets_of<'a>(
        &'a self,
        deployment: &Key,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<ReplicaSet>)> + use<'a> {
        let keys = self.sets_of_deployment.get(deployment).into_iter().flatten();
        keys.filter_map(|key| self.sets.get_key_value(key))
    }

    /// The slices of a Service, by name.
    pub fn slices_of<'a>(
        &'a self,
        service: &Key,
    ) -> impl Iterator<Item = &'a Arc<EndpointSlice>> + use<'a> {
        let keys = self.slices_of_service.get(service).into_iter().flatten();
        keys.filter_map(|key| self.slices.get(key))
    }
}

fn set<K: Ord, T>(map: &mut BTreeMap<K, Arc<T>>, key: K, object: Option<Arc<T>>, gone: bool) {
    match object {
        Some(object) if !gone => {
            map.insert(key, object);
        }
        _ => {
            map.remove(&key);
        }
    }
}

fn link(index: &mut HashMap<Key, BTreeSet<Key>>, owner: Key, key: &Key, gone: bool) {
    if gone {
        if let Some(keys) = index.get_mut(&owner) {
            keys.remove(key);
            if keys.is_empty() {
                index.remove(&owner);
            }
        }
    } else {
        index.entry(owner).or_default().insert(key.clone());
    }
}
