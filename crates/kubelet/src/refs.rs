//! ConfigMaps, Secrets and claims that pods refer to: read when needed, kept for a while.
//!
//! Known deviations:
//! - Upstream watches every object that its pods refer to; here it is read again once it is a minute old and
//!   a pod asks for it.

use api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Secret, Service};
use api::object::{Key, Kind, Object};
use api::storage::v1::CSIDriver;
use api::wire::{Answer, ListOptions, Reply, Request, Verb};
use base::{BTreeSet, Duration, HashMap, Instant, Str};

use crate::kubelet::{Ask, Kubelet, get};

/// What a pod refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Name {
    ConfigMap(Key),
    Secret(Key),
    Claim(Key),
    Volume(Str),
    Driver(Str),
    /// All Services of a namespace.
    Services(Str),
}

impl Name {
    /// `configmap "web" not found`, as the client says it.
    pub fn not_found(&self) -> String {
        match self {
            Name::ConfigMap(key) => format!("configmap \"{}\" not found", key.name),
            Name::Secret(key) => format!("secret \"{}\" not found", key.name),
            Name::Claim(key) => format!("persistentvolumeclaim \"{}\" not found", key.name),
            Name::Volume(name) => format!("persistentvolume \"{name}\" not found"),
            Name::Driver(name) => format!("csidriver \"{name}\" not found"),
            Name::Services(_) => "services not found".to_string(),
        }
    }
}

/// What is known of it.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// The objects: one, or all Services of a namespace.
    Found(Vec<Object>),
    /// There is none.
    Missing,
    /// The API server would not say: its message.
    Failed(Str),
}

/// Everything that pods of this node refer to.
#[derive(Clone, Debug, Default)]
pub(crate) struct References {
    known: HashMap<Name, (Known, Instant)>,
    waiting: HashMap<Name, BTreeSet<Str>>,
}

/// How long an answer holds.
const FRESH: Duration = Duration::secs(60);

impl References {
    /// What was last known.
    pub fn get(&self, name: &Name) -> Option<&Known> {
        self.known.get(name).map(|(known, _)| known)
    }

    /// The object of a type, if it was found.
    pub fn object<K: Kind>(&self, name: &Name) -> Option<&K> {
        match self.get(name)? {
            Known::Found(objects) => objects.first()?.get(),
            Known::Missing | Known::Failed(_) => None,
        }
    }

    fn fresh(&self, name: &Name, now: Instant) -> bool {
        self.known.get(name).is_some_and(|(known, at)| {
            let hold = if matches!(known, Known::Found(_)) { FRESH } else { Duration::millis(1) };
            now.since(*at) < hold
        })
    }
}

impl Kubelet {
    /// Reads what is not known, or not any more. True once everything is there.
    pub(crate) fn fetch(&mut self, uid: &Str, names: BTreeSet<Name>) -> bool {
        let mut complete = true;
        for name in names {
            if self.agent.refs.fresh(&name, self.now) {
                continue;
            }
            complete = false;
            let waiting = self.agent.refs.waiting.entry(name.clone()).or_default();
            let asked = !waiting.is_empty();
            waiting.insert(uid.clone());
            if asked {
                continue;
            }
            let request = match &name {
                Name::ConfigMap(key) => get(ConfigMap::INFO, key),
                Name::Secret(key) => get(Secret::INFO, key),
                Name::Claim(key) => get(PersistentVolumeClaim::INFO, key),
                Name::Volume(name) => get(PersistentVolume::INFO, &Key::new("", name.clone())),
                Name::Driver(name) => get(CSIDriver::INFO, &Key::new("", name.clone())),
                Name::Services(namespace) => {
                    let key = Key::new(namespace.clone(), "");
                    Request::new(Service::INFO, &key, Verb::List(ListOptions::default()))
                }
            };
            self.ask(Ask::Reference(name), request);
        }
        complete
    }

    pub(crate) fn reference_answered(&mut self, name: Name, reply: Reply) {
        let known = match reply {
            Ok(Answer::Object(object, _)) => Known::Found(vec![object]),
            Ok(Answer::List(list)) => Known::Found(list.items),
            Ok(Answer::Status(_)) => Known::Missing,
            Err(status) if status.reason == "NotFound" => Known::Missing,
            Err(status) => Known::Failed(status.message.clone()),
        };
        let waiting = self.agent.refs.waiting.remove(&name).unwrap_or_default();
        self.agent.refs.known.insert(name, (known, self.now));
        for uid in waiting {
            let still = self.agent.refs.waiting.values().any(|uids| uids.contains(&uid));
            if !still {
                self.fetched(&uid);
            }
        }
    }
}
