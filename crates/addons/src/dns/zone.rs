//! The zone of a cluster: which records its Services and Pods have.

use std::sync::Arc;

use api::Key;
use api::core::v1::Service;
use api::discovery::v1::EndpointSlice;
use base::{BTreeMap, BTreeSet, Str, lit};
use network::{IpAddr, Shards};

use super::SERVICE_NAME_LABEL;
use super::name::{Name, dashed, parse, reversed, undashed};
use super::record::{Answer, Code, Data, Record, Type};

/// Version of the naming scheme, as `dns-version` tells it.
const SCHEMA_VERSION: &str = "1.1.0";
/// How long the version may be kept.
const SCHEMA_TTL: u32 = 28_800;
/// A chain of aliases is followed so far.
const ALIASES_MAX: usize = 8;

/// Asks servers outside the zone.
pub type Outside<'a> = &'a dyn Fn(&str, Type) -> Answer;

/// Everything that is served, by name. A copy is cheap.
#[derive(Clone, Debug)]
pub struct Zone {
    /// The domain with its final dot: `cluster.local.`
    pub domain: Str,
    /// Seconds for which answers may be kept.
    pub ttl: u32,
    /// The only namespaces served; all if `None`.
    pub exposed: Option<Arc<BTreeSet<Str>>>,
    /// When the zone last changed, in seconds.
    pub serial: i64,
    pub(super) services: Shards<Key, Arc<Service>>,
    pub(super) slices: Shards<Key, Arc<BTreeMap<Str, Arc<EndpointSlice>>>>,
    pub(super) namespaces: Arc<BTreeSet<Str>>,
}

impl Default for Zone {
    fn default() -> Zone {
        Zone {
            domain: lit!("cluster.local."),
            ttl: 30,
            exposed: None,
            serial: 0,
            services: Shards::default(),
            slices: Shards::default(),
            namespaces: Arc::default(),
        }
    }
}

/// One thing that a name stands for.
struct Found {
    /// Its own name.
    name: String,
    host: Host,
    /// `None` where the endpoint has no port.
    port: Option<u16>,
}

enum Host {
    Ip(IpAddr),
    Alias(String),
}

/// What the zone knows of a name.
enum Known {
    /// The name exists, with these.
    Here(Vec<Found>),
    /// There is no such name.
    Nothing,
}

impl Zone {
    /// Adds or changes a Service.
    pub fn set_service(&mut self, service: Arc<Service>) {
        self.services.insert(Key::of(&service.metadata), service);
    }

    /// Removes a Service.
    pub fn remove_service(&mut self, key: &Key) {
        self.services.remove(key);
    }

    /// Adds or changes an EndpointSlice.
    pub fn set_slice(&mut self, slice: Arc<EndpointSlice>) {
        let Some(key) = service_of(&slice) else { return };
        let mut slices = self.slices.get(&key).cloned().unwrap_or_default();
        Arc::make_mut(&mut slices).insert(slice.metadata.name.clone(), slice);
        self.slices.insert(key, slices);
    }

    /// Removes an EndpointSlice.
    pub fn remove_slice(&mut self, slice: &EndpointSlice) {
        let Some(key) = service_of(slice) else { return };
        let Some(mut slices) = self.slices.remove(&key) else { return };
        Arc::make_mut(&mut slices).remove(&slice.metadata.name);
        if !slices.is_empty() {
            self.slices.insert(key, slices);
        }
    }

    /// Adds or removes a namespace.
    pub fn set_namespace(&mut self, name: &Str, there: bool) {
        let namespaces = Arc::make_mut(&mut self.namespaces);
        if there {
            namespaces.insert(name.clone());
        } else {
            namespaces.remove(name);
        }
    }

    /// Whether a name is in the zone.
    pub fn serves(&self, name: &str) -> bool {
        self.before_domain(name).is_some()
    }

    /// Answers a question; `None` where servers outside must be asked.
    pub fn query(&self, name: &str, kind: Type, outside: Outside<'_>) -> Option<Answer> {
        let Some(rest) = self.before_domain(name) else {
            let ip = reversed(name)?;
            return self.pointers(name, ip, kind);
        };
        let special = match (rest, kind) {
            ("", Type::Soa) => vec![self.authority()],
            ("", Type::Ns) => vec![self.name_server()],
            ("dns-version", Type::Txt) => vec![Record {
                name: name.into(),
                ttl: SCHEMA_TTL,
                data: Data::Text(lit!(SCHEMA_VERSION)),
            }],
            _ => Vec::new(),
        };
        if !special.is_empty() {
            return Some(Answer { answers: special, ..Answer::of(Code::Success) });
        }
        let mut answer = match self.known(rest) {
            Known::Nothing => Answer::of(Code::NameError),
            Known::Here(found) => self.answer(name, kind, &found, outside, 0),
        };
        if answer.answers.is_empty() {
            answer.authority.push(self.authority());
        }
        Some(answer)
    }

    /// What stands before the domain, without the dot between.
    fn before_domain<'n>(&self, name: &'n str) -> Option<&'n str> {
        let rest = name.strip_suffix(self.domain.as_str())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_suffix('.') }
    }

    fn is_exposed(&self, namespace: &str) -> bool {
        let exposed = self.exposed.as_ref().is_none_or(|names| names.contains(namespace));
        exposed && self.namespaces.contains(namespace)
    }

    fn authority(&self) -> Record {
        let data = Data::Authority { zone: self.domain.clone(), serial: self.serial };
        Record { name: self.domain.clone(), ttl: self.ttl, data }
    }

    fn name_server(&self) -> Record {
        let data = Data::NameServer(format!("ns.dns.{}", self.domain).into());
        Record { name: self.domain.clone(), ttl: self.ttl, data }
    }

    fn known(&self, rest: &str) -> Known {
        let nothing_there = Known::Here(Vec::new());
        match parse(rest) {
            Name::Apex | Name::Branch => nothing_there,
            Name::Namespace(namespace) if self.is_exposed(namespace) => nothing_there,
            Name::Pod { address, namespace } if self.is_exposed(namespace) => {
                let ip = undashed(address);
                ip.map_or(Known::Nothing, |ip| {
                    let name = format!("{rest}.{}", self.domain);
                    Known::Here(vec![Found { name, host: Host::Ip(ip), port: None }])
                })
            }
            Name::Service { port, protocol, endpoint, service, namespace }
                if self.is_exposed(namespace) =>
            {
                self.service(namespace, service, endpoint, (port, protocol))
            }
            _ => Known::Nothing,
        }
    }

    fn service(&self, namespace: &str, name: &str, endpoint: &str, port: (&str, &str)) -> Known {
        let key = Key::new(namespace, name);
        let Some(service) = self.services.get(&key) else { return Known::Nothing };
        let spec = &*service.spec;
        let own_name = self.name_of(&key);
        let found: Vec<Found> = if spec.type_ == "ExternalName" {
            let plain = endpoint.is_empty() && port == ("", "");
            let alias = plain.then(|| super::name::normal(&spec.external_name));
            let host = alias.map(Host::Alias).into_iter();
            host.map(|host| Found { name: own_name.clone(), host, port: Some(0) }).collect()
        } else if spec.cluster_ip == "None" || !endpoint.is_empty() {
            let all = self.endpoints(&key);
            let wanted = all.into_iter().filter(|e| endpoint.is_empty() || e.hostname == endpoint);
            wanted.flat_map(|e| e.found(&own_name, port)).collect()
        } else {
            let ips = cluster_ips(service);
            let ports = spec.ports.iter().filter(|p| fits(port, &p.name, or_tcp(&p.protocol)));
            let each = ports.flat_map(|p| ips.iter().map(|ip| (u16::try_from(p.port).ok(), *ip)));
            each.map(|(port, ip)| Found { name: own_name.clone(), host: Host::Ip(ip), port })
                .collect()
        };
        if found.is_empty() { Known::Nothing } else { Known::Here(found) }
    }

    fn name_of(&self, key: &Key) -> String {
        format!("{}.{}.svc.{}", key.name, key.namespace, self.domain)
    }

    /// Ready endpoints of a Service, in the order of slices.
    fn endpoints(&self, key: &Key) -> Vec<Endpoint> {
        let slices = self.slices.get(key);
        slices.iter().flat_map(|slices| slices.values()).flat_map(|s| endpoints_of(s)).collect()
    }

    fn answer(
        &self,
        name: &str,
        kind: Type,
        found: &[Found],
        outside: Outside<'_>,
        depth: usize,
    ) -> Answer {
        let mut answer = Answer::of(Code::Success);
        match kind {
            Type::A | Type::Aaaa => self.addresses(name, kind, found, outside, depth, &mut answer),
            Type::Cname => {
                let alias = found.iter().find_map(|f| match &f.host {
                    Host::Alias(alias) => Some(self.alias(name, alias)),
                    Host::Ip(_) => None,
                });
                answer.answers.extend(alias);
            }
            Type::Srv => self.services_at(name, found, outside, &mut answer),
            Type::Ptr | Type::Txt | Type::Ns | Type::Soa => {}
        }
        answer
    }

    fn alias(&self, name: &str, to: &str) -> Record {
        Record { name: name.into(), ttl: self.ttl, data: Data::Alias(to.into()) }
    }

    /// A and AAAA records, following aliases inside and outside of the zone.
    fn addresses(
        &self,
        name: &str,
        kind: Type,
        found: &[Found],
        outside: Outside<'_>,
        depth: usize,
        answer: &mut Answer,
    ) {
        let mut seen = BTreeSet::new();
        for thing in found {
            match &thing.host {
                Host::Ip(ip) if kind.fits(*ip) && seen.insert(*ip) => {
                    answer.answers.push(Record::address(name, self.ttl, *ip));
                }
                Host::Ip(_) => {}
                Host::Alias(to) if depth < ALIASES_MAX && to != name => {
                    let next = match self.before_domain(to) {
                        Some(rest) => match self.known(rest) {
                            Known::Here(found) => self.answer(to, kind, &found, outside, depth + 1),
                            Known::Nothing => continue,
                        },
                        None => outside(to, kind),
                    };
                    answer.answers.push(self.alias(name, to));
                    answer.answers.extend(next.answers);
                }
                Host::Alias(_) => {}
            }
        }
    }

    /// SRV records with the addresses of their hosts.
    fn services_at(&self, name: &str, found: &[Found], outside: Outside<'_>, answer: &mut Answer) {
        let weight = (100 / found.len().max(1)) as u16;
        let mut hosts = BTreeSet::new();
        for thing in found {
            let Some(port) = thing.port else { continue };
            let target: &str = match &thing.host {
                Host::Ip(_) => &thing.name,
                Host::Alias(to) => to,
            };
            let data = Data::Service { weight, port, target: target.into() };
            let record = Record { name: name.into(), ttl: self.ttl, data };
            if !answer.answers.contains(&record) {
                answer.answers.push(record);
            }
            match &thing.host {
                Host::Ip(ip) if hosts.insert((target.to_string(), Some(*ip))) => {
                    answer.extra.push(Record::address(target, self.ttl, *ip));
                }
                Host::Alias(to) if hosts.insert((to.clone(), None)) => {
                    answer.extra.extend(outside(to, Type::A).answers);
                }
                _ => {}
            }
        }
    }

    /// PTR records of an address: its Service, or else the endpoints that have it.
    fn pointers(&self, name: &str, ip: IpAddr, kind: Type) -> Option<Answer> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for (key, service) in self.services.iter() {
            if self.is_exposed(&key.namespace) && cluster_ips(service).contains(&ip) {
                names.insert(self.name_of(key));
            }
        }
        if names.is_empty() {
            for (key, slices) in self.slices.iter().filter(|(k, _)| self.is_exposed(&k.namespace)) {
                let endpoints = slices.values().flat_map(|slice| endpoints_of(slice));
                let here = endpoints.filter(|endpoint| endpoint.ip == ip);
                names.extend(here.map(|e| format!("{}.{}", e.hostname, self.name_of(key))));
            }
        }
        if names.is_empty() {
            return None;
        }
        let mut answer = Answer::of(Code::Success);
        if kind == Type::Ptr {
            answer.answers.extend(names.into_iter().map(|target| Record {
                name: name.into(),
                ttl: self.ttl,
                data: Data::Pointer(target.into()),
            }));
        }
        Some(answer)
    }
}

/// A ready endpoint with its name.
struct Endpoint {
    hostname: String,
    ip: IpAddr,
    /// Name, protocol and number of each port.
    ports: Vec<(Str, Str, Option<u16>)>,
}

impl Endpoint {
    /// What this endpoint adds to the answers for its Service.
    fn found(&self, service: &str, port: (&str, &str)) -> Vec<Found> {
        let fitting = self.ports.iter().filter(|(name, protocol, _)| fits(port, name, protocol));
        let name = format!("{}.{service}", self.hostname);
        let each = fitting.map(|(.., number)| Found {
            name: name.clone(),
            host: Host::Ip(self.ip),
            port: *number,
        });
        each.collect()
    }
}

fn endpoints_of(slice: &EndpointSlice) -> Vec<Endpoint> {
    let mut ports: Vec<(Str, Str, Option<u16>)> = slice.ports.iter().map(port_of).collect();
    if ports.is_empty() {
        ports.push((Str::new(), Str::new(), None));
    }
    let ready = slice.endpoints.iter().filter(|e| e.conditions.ready.unwrap_or(true));
    let each = ready.flat_map(|endpoint| {
        endpoint.addresses.iter().filter_map(|ip| {
            let ip: IpAddr = ip.parse().ok()?;
            let given = endpoint.hostname.as_ref().filter(|name| !name.is_empty());
            let hostname = given.map_or_else(|| dashed(ip), |name| name.to_ascii_lowercase());
            Some(Endpoint { hostname, ip, ports: ports.clone() })
        })
    });
    each.collect()
}

fn port_of(port: &api::discovery::v1::EndpointPort) -> (Str, Str, Option<u16>) {
    let name = port.name.clone().unwrap_or_default();
    let protocol = or_tcp(port.protocol.as_deref().unwrap_or("")).into();
    (name, protocol, port.port.and_then(|number| u16::try_from(number).ok()))
}

/// A port without a protocol is a TCP port.
fn or_tcp(protocol: &str) -> &str {
    if protocol.is_empty() { "TCP" } else { protocol }
}

/// Whether a port has the name and protocol asked for; empty ones fit all.
fn fits((port, protocol): (&str, &str), name: &str, of: &str) -> bool {
    let equal = |want: &str, have: &str| want.is_empty() || want.eq_ignore_ascii_case(have);
    equal(port, name) && equal(protocol, of)
}

fn cluster_ips(service: &Service) -> Vec<IpAddr> {
    let spec = &*service.spec;
    let all: Vec<IpAddr> = spec.cluster_ips.iter().filter_map(|ip| ip.parse().ok()).collect();
    if all.is_empty() { spec.cluster_ip.parse().ok().into_iter().collect() } else { all }
}

fn service_of(slice: &EndpointSlice) -> Option<Key> {
    let name = slice.metadata.labels.get(SERVICE_NAME_LABEL)?;
    Some(Key::new(slice.metadata.namespace.clone(), name.clone()))
}
