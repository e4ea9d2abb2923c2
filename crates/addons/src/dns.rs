//! Cluster DNS: the zone of Services and Pods, and the process that serves it.
//!
//! Models CoreDNS with the kubernetes, forward, cache and loadbalance plugins as kubeadm configures them.
//! Known deviations:
//! - Answers are not cached, so a change is seen as soon as its watch event arrives.
//! - `pods verified`, endpoint pod names, zone transfers and multi-cluster Services are not there.
//! - A reverse lookup of an endpoint's address reads all EndpointSlices.

pub mod conf;
pub mod name;
pub mod record;
pub mod zone;

use std::sync::Arc;

use api::core::v1::{Namespace, Service};
use api::discovery::v1::EndpointSlice;
use api::wire::{Change, Interest, WatchEvent};
use api::{Key, Kind, Object};
use base::{BTreeMap, Instant, Str};
use client::{Input, Outbox, Part};
use network::{DnsReply, IpAddr, Shards};

pub use record::{Answer, Code, Data, Record, Type};
pub use zone::Zone;

/// The label of an EndpointSlice that names its Service.
const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// The cluster's DNS servers. All replicas know the same, so there is one of these.
#[derive(Clone, Debug)]
pub struct Dns {
    /// What is served.
    pub zone: Zone,
    /// Names outside the cluster, fully qualified.
    pub outside: Arc<BTreeMap<Str, Vec<IpAddr>>>,
    listed: [bool; 3],
    turn: usize,
}

impl Default for Dns {
    fn default() -> Dns {
        Dns::new(Zone::default())
    }
}

impl Dns {
    /// A server that knows nothing yet.
    pub fn new(zone: Zone) -> Dns {
        Dns { zone, outside: Arc::default(), listed: [false; 3], turn: 0 }
    }

    /// Whether the server has seen the API once; until then it cannot answer for the cluster.
    pub fn is_ready(&self) -> bool {
        self.listed == [true; 3]
    }

    /// Answers a question; `name` is fully qualified.
    pub fn query(&self, name: &str, kind: Type) -> Answer {
        let name = name::normal(name);
        let ours = self.zone.serves(&name);
        if ours && !self.is_ready() {
            return Answer::of(Code::ServerFailure);
        }
        let found = self.zone.query(&name, kind, &|name, kind| self.ask_outside(name, kind));
        match found {
            Some(answer) => answer,
            None => self.ask_outside(&name, kind),
        }
    }

    /// All addresses of a name. Answers take turns in being first.
    pub fn addresses(&mut self, name: &str) -> DnsReply {
        let mut found = Vec::new();
        for kind in [Type::A, Type::Aaaa] {
            let answer = self.query(name, kind);
            match answer.code {
                Code::Success => {}
                Code::NameError => return DnsReply::NoSuchName,
                Code::ServerFailure => return DnsReply::ServerFailure,
            }
            let mut ips: Vec<IpAddr> = answer.answers.iter().filter_map(Record::ip).collect();
            if !ips.is_empty() {
                self.turn = self.turn.wrapping_add(1);
                let first = self.turn % ips.len();
                ips.rotate_left(first);
            }
            found.extend(ips);
        }
        DnsReply::Addresses(found)
    }

    /// What the servers outside say.
    fn ask_outside(&self, name: &str, kind: Type) -> Answer {
        let Some(ips) = self.outside.get(name) else { return Answer::of(Code::NameError) };
        let mut answer = Answer::of(Code::Success);
        let wanted = ips.iter().filter(|ip| kind.fits(**ip));
        let ttl = self.zone.ttl;
        answer.answers.extend(wanted.map(|ip| Record::address(name, ttl, *ip)));
        answer
    }

    fn apply(&mut self, now: Instant, watch: usize, event: WatchEvent) {
        let WatchEvent { change, object, .. } = event;
        if change == Change::Bookmark {
            return;
        }
        self.zone.serial = now.unix_seconds();
        let gone = change == Change::Deleted;
        match watch {
            SERVICES => match object.arc::<Service>() {
                Some(service) if gone => self.zone.remove_service(&Key::of(&service.metadata)),
                Some(service) => self.zone.set_service(service),
                None => {}
            },
            SLICES => match object.arc::<EndpointSlice>() {
                Some(slice) if gone => self.zone.remove_slice(&slice),
                Some(slice) => self.zone.set_slice(slice),
                None => {}
            },
            _ => self.zone.set_namespace(object.name(), !gone),
        }
    }

    fn replace(&mut self, now: Instant, watch: usize, objects: Vec<Object>) {
        match watch {
            SERVICES => self.zone.services = Shards::default(),
            SLICES => self.zone.slices = Shards::default(),
            _ => self.zone.namespaces = Arc::default(),
        }
        for object in objects {
            self.apply(now, watch, WatchEvent { change: Change::Added, object, revision: 0 });
        }
        self.listed[watch.min(2)] = true;
    }
}

const SERVICES: usize = 0;
const SLICES: usize = 1;

impl Part for Dns {
    fn name(&self) -> &str {
        "coredns"
    }

    fn interests(&self) -> Vec<Interest> {
        [Service::INFO, EndpointSlice::INFO, Namespace::INFO].map(Interest::all).to_vec()
    }

    fn handle(&mut self, now: Instant, input: Input, _: &mut Outbox) {
        match input {
            Input::Start => self.listed = [false; 3],
            Input::Listed { watch, objects, .. } => self.replace(now, watch, objects),
            Input::Watch { watch, events } => {
                for event in events {
                    self.apply(now, watch, event);
                }
            }
            Input::Wake | Input::Reply(..) | Input::Called(..) | Input::Cloud(..) => {}
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        None
    }
}

#[cfg(test)]
#[path = "dns/tests.rs"]
mod tests;
