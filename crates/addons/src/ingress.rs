//! The ingress controller: routes HTTP requests from outside to Services, as Ingresses say.
//!
//! Models ingress-nginx.
//! Known deviations:
//! - Of its annotations only `rewrite-target`, `ssl-redirect`, `force-ssl-redirect` and `backend-protocol` count.
//! - Paths are not regular expressions, apart from the usual `/path(/|$)(.*)` with `/$2`.
//! - Certificates are named, not read: the Secret only has to hold a certificate and a key.
//! - One replica's round-robin is shared by all replicas.

pub mod page;
pub mod rewrite;
pub mod routes;

use std::sync::Arc;

use api::core::v1::{ObjectReference, Secret, Service};
use api::discovery::v1::EndpointSlice;
use api::networking::v1::{Ingress, IngressClass, IngressLoadBalancerIngress};
use api::wire::{Cause, Change, Interest, Request, Trigger, WatchEvent};
use api::{Key, Kind, Object};
use base::{BTreeMap, Duration, HashMap, Instant, Str, lit};
use client::{Input, Note, Outbox, Part, Recorder};
use network::{HttpRequest, HttpResponse, IpAddr, Payload, Reply, Response, Shards, To};

pub use routes::{Backend, Certificate, PortRef, Route, Routes};

/// The label of an EndpointSlice that names its Service.
const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
/// How Ingresses named their class before there was a field for it.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// After a failed write the status is tried again this much later.
const RETRY_AFTER: Duration = Duration::secs(5);
/// Working time for one request.
const WORK: Duration = Duration::micros(400);
/// Numbers of requests for events have this bit.
const EVENT_BIT: u64 = 1 << 63;

/// Settings of the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// IngressClasses with this controller are served.
    pub controller: Str,
    /// The class name that Ingresses may give in an annotation.
    pub class: Str,
    /// Ingresses without any class are served, too.
    pub watch_without_class: bool,
    /// The Service whose addresses are written into the status of Ingresses.
    pub publish_service: Key,
    /// Plain requests to hosts with a certificate are sent to HTTPS.
    pub ssl_redirect: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            controller: lit!("k8s.io/ingress-nginx"),
            class: lit!("nginx"),
            watch_without_class: false,
            publish_service: Key::new("ingress-nginx", "ingress-nginx-controller"),
            ssl_redirect: true,
        }
    }
}

/// The ingress controller. A copy is cheap.
#[derive(Clone, Debug)]
pub struct IngressController {
    config: Config,
    classes: BTreeMap<Str, Arc<IngressClass>>,
    ingresses: BTreeMap<Key, Arc<Ingress>>,
    services: Shards<Key, Arc<Service>>,
    slices: Shards<Key, Arc<BTreeMap<Str, Arc<EndpointSlice>>>>,
    secrets: Shards<Key, bool>,
    routes: Arc<Routes>,
    stale: bool,
    turns: HashMap<Backend, usize>,
    recorder: Recorder,
    /// Ingresses whose status may have to be written.
    unsure: BTreeMap<Key, Trigger>,
    in_flight: BTreeMap<u64, Key>,
    sent: u64,
    retry_at: Option<Instant>,
}

impl IngressController {
    /// A controller that knows nothing yet.
    pub fn new(config: Config) -> IngressController {
        IngressController {
            config,
            classes: BTreeMap::new(),
            ingresses: BTreeMap::new(),
            services: Shards::default(),
            slices: Shards::default(),
            secrets: Shards::default(),
            routes: Arc::default(),
            stale: false,
            turns: HashMap::default(),
            recorder: Recorder::new("nginx-ingress-controller", "", "nginx-ingress-controller"),
            unsure: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            sent: 0,
            retry_at: None,
        }
    }

    /// Where requests go.
    pub fn routes(&self) -> &Arc<Routes> {
        &self.routes
    }

    /// What becomes of a request: the route and the certificate shown.
    pub fn route(&self, request: &HttpRequest) -> (Option<Route>, Option<Certificate>) {
        let host = request.hostname();
        let usable = |key: &Key| self.secrets.get(key).copied().unwrap_or(false);
        let certificate = request.tls.then(|| self.routes.certificate(host, &usable));
        (self.routes.find(host, request.bare_path()), certificate)
    }

    /// Handles a request that arrived at one of the controller's pods.
    pub fn answer(&mut self, request: &HttpRequest, client: IpAddr) -> Reply {
        let (route, _) = self.route(request);
        let Some(route) = route else { return respond(page::error(404)) };
        if self.redirects(request, &route) {
            let to = format!("https://{}{}", request.hostname(), request.path);
            let mut response = page::error(308);
            response.headers.push((lit!("Location"), to.into()));
            return respond(response);
        }
        let Some((to, port)) = self.pick(&route.backend) else { return respond(page::error(503)) };
        let mut next = request.clone();
        next.tls = route.https;
        next.path = rewrite::apply(&route, &request.path);
        let proto = if request.tls { lit!("https") } else { lit!("http") };
        let client = Str::from(client.to_string());
        next.headers.extend([
            (lit!("X-Real-IP"), client.clone()),
            (lit!("X-Forwarded-For"), client),
            (lit!("X-Forwarded-Host"), request.host.clone()),
            (lit!("X-Forwarded-Port"), if request.tls { lit!("443") } else { lit!("80") }),
            (lit!("X-Forwarded-Proto"), proto.clone()),
            (lit!("X-Forwarded-Scheme"), proto.clone()),
            (lit!("X-Scheme"), proto),
        ]);
        Reply::Forward { after: WORK, to, port, payload: Payload::Http(next) }
    }

    fn redirects(&self, request: &HttpRequest, route: &Route) -> bool {
        let secured = self.routes.has_certificate(request.hostname());
        let wanted = route.ssl_redirect.unwrap_or(self.config.ssl_redirect);
        !request.tls && (wanted && secured || route.force_ssl_redirect)
    }

    /// The next endpoint of a backend, in turn.
    fn pick(&mut self, backend: &Backend) -> Option<(To, u16)> {
        let service = self.services.get(&backend.service)?;
        let port = service.spec.ports.iter().find(|port| match &backend.port {
            PortRef::Number(number) => port.port == i32::from(*number),
            PortRef::Name(name) => port.name == *name,
        });
        if service.spec.type_ == "ExternalName" {
            let number = match (&backend.port, port) {
                (PortRef::Number(number), _) => *number,
                (_, Some(port)) => u16::try_from(port.port).ok()?,
                _ => return None,
            };
            return Some((To::Name(service.spec.external_name.clone()), number));
        }
        let endpoints = self.endpoints(&backend.service, &port?.name);
        let turn = self.turns.entry(backend.clone()).or_default();
        let (ip, port) = *endpoints.get(*turn % endpoints.len().max(1))?;
        *turn = turn.wrapping_add(1);
        Some((To::Ip(ip), port))
    }

    /// Ready endpoints of a Service's port, in order.
    fn endpoints(&self, service: &Key, port: &str) -> Vec<(IpAddr, u16)> {
        let mut found = Vec::new();
        for slice in self.slices.get(service).iter().flat_map(|slices| slices.values()) {
            let named = slice.ports.iter().find(|p| p.name.as_deref().unwrap_or("") == port);
            let number = named.and_then(|p| u16::try_from(p.port?).ok());
            let Some(number) = number else { continue };
            let ready = slice.endpoints.iter().filter(|e| e.conditions.ready.unwrap_or(true));
            let ips = ready.filter_map(|e| e.addresses.first()?.parse().ok());
            found.extend(ips.map(|ip: IpAddr| (ip, number)));
        }
        base::sort::naturally(&mut found);
        found.dedup();
        found
    }

    /// Whether an Ingress is of a class that this controller serves.
    fn is_ours(&self, ingress: &Ingress) -> bool {
        if let Some(class) = &ingress.spec.ingress_class_name {
            let class = self.classes.get(class);
            return class.is_some_and(|class| class.spec.controller == self.config.controller);
        }
        match ingress.metadata.annotations.get(CLASS_ANNOTATION) {
            Some(class) => *class == self.config.class,
            None => self.config.watch_without_class,
        }
    }

    fn apply(&mut self, now: Instant, watch: usize, event: WatchEvent) {
        let WatchEvent { change, object, revision } = event;
        if change == Change::Bookmark {
            return;
        }
        let gone = change == Change::Deleted;
        let (key, trigger) = (Key::of(object.meta()), Trigger::Revision(revision));
        match watch {
            CLASSES => {
                self.classes.remove(&key.name);
                if let Some(class) = object.arc::<IngressClass>().filter(|_| !gone) {
                    self.classes.insert(key.name, class);
                }
                self.all_unsure(trigger);
            }
            INGRESSES => self.apply_ingress(now, key, object.arc().filter(|_| !gone), trigger),
            SERVICES => {
                if key == self.config.publish_service {
                    self.all_unsure(trigger);
                }
                self.services.remove(&key);
                if let Some(service) = object.arc::<Service>().filter(|_| !gone) {
                    self.services.insert(key, service);
                }
            }
            SLICES => {
                if let Some(slice) = object.arc::<EndpointSlice>() {
                    self.apply_slice(slice, gone);
                }
            }
            _ => {
                self.secrets.remove(&key);
                if let Some(secret) = object.get::<Secret>().filter(|_| !gone) {
                    let has = |name: &str| secret.data.get(name).is_some_and(|d| !d.0.is_empty());
                    self.secrets.insert(key, has("tls.crt") && has("tls.key"));
                }
            }
        }
    }

    fn apply_ingress(
        &mut self,
        now: Instant,
        key: Key,
        ingress: Option<Arc<Ingress>>,
        trigger: Trigger,
    ) {
        let old = self.ingresses.remove(&key);
        self.stale = true;
        let Some(ingress) = ingress else { return };
        let changed = old.is_none_or(|old| {
            old.spec != ingress.spec || old.metadata.annotations != ingress.metadata.annotations
        });
        if changed && self.is_ours(&ingress) {
            let note = Note {
                about: reference(&ingress),
                type_: lit!("Normal"),
                reason: lit!("Sync"),
                message: lit!("Scheduled for sync"),
            };
            self.recorder.record(now, &note, trigger);
        }
        self.unsure.insert(key.clone(), trigger);
        self.ingresses.insert(key, ingress);
    }

    fn apply_slice(&mut self, slice: Arc<EndpointSlice>, gone: bool) {
        let Some(service) = slice.metadata.labels.get(SERVICE_NAME_LABEL) else { return };
        let key = Key::new(slice.metadata.namespace.clone(), service.clone());
        let mut slices = self.slices.remove(&key).unwrap_or_default();
        let own = Arc::make_mut(&mut slices);
        if gone {
            own.remove(&slice.metadata.name);
        } else {
            own.insert(slice.metadata.name.clone(), slice);
        }
        if !slices.is_empty() {
            self.slices.insert(key, slices);
        }
    }

    fn all_unsure(&mut self, trigger: Trigger) {
        self.stale = true;
        let keys = self.ingresses.keys().cloned();
        self.unsure.extend(keys.map(|key| (key, trigger)));
    }

    fn replace(&mut self, now: Instant, watch: usize, objects: Vec<Object>, revision: i64) {
        match watch {
            CLASSES => self.classes.clear(),
            INGRESSES => self.ingresses.clear(),
            SERVICES => self.services = Shards::default(),
            SLICES => self.slices = Shards::default(),
            _ => self.secrets = Shards::default(),
        }
        self.stale = true;
        for object in objects {
            self.apply(now, watch, WatchEvent { change: Change::Added, object, revision });
        }
    }

    /// Makes the routes anew if something changed that they are made of.
    fn refresh(&mut self) {
        if std::mem::take(&mut self.stale) {
            let ours = self.ingresses.values().filter(|ingress| self.is_ours(ingress));
            self.routes = Arc::new(Routes::new(ours.map(|ingress| &**ingress)));
        }
    }

    /// The addresses at which the controller is reached.
    fn published(&self) -> Vec<IngressLoadBalancerIngress> {
        let Some(service) = self.services.get(&self.config.publish_service) else {
            return Vec::new();
        };
        let at = |ip: &Str| IngressLoadBalancerIngress { ip: ip.clone(), ..Default::default() };
        let spec = &*service.spec;
        match spec.type_.as_str() {
            "LoadBalancer" => {
                let given = service.status.load_balancer.ingress.iter();
                let given = given.map(|i| IngressLoadBalancerIngress {
                    hostname: i.hostname.clone(),
                    ip: i.ip.clone(),
                    ..Default::default()
                });
                given.chain(spec.external_ips.iter().map(at)).collect()
            }
            "NodePort" if !spec.external_ips.is_empty() => {
                spec.external_ips.iter().map(at).collect()
            }
            "ClusterIP" | "NodePort" => vec![at(&spec.cluster_ip)],
            _ => Vec::new(),
        }
    }

    /// Writes the status of Ingresses that have another one than they should.
    fn write_status(&mut self, out: &mut Outbox) {
        if self.unsure.is_empty() || self.retry_at.is_some() {
            return;
        }
        let wanted: Vec<_> = self.published();
        for (key, trigger) in std::mem::take(&mut self.unsure) {
            let Some(ingress) = self.ingresses.get(&key) else { continue };
            let is_equal = ingress.status.load_balancer.ingress.iter().eq(&wanted);
            if is_equal || !self.is_ours(ingress) {
                continue;
            }
            if self.in_flight.values().any(|busy| *busy == key) {
                self.unsure.insert(key, trigger);
                continue;
            }
            let mut new = Ingress::clone(ingress);
            let status = Arc::make_mut(&mut new.status);
            status.load_balancer.ingress = wanted.iter().cloned().collect();
            let cause = Cause { actor: lit!("nginx-ingress-controller"), trigger };
            let request = Request::update_status(Object::new(new));
            self.sent += 1;
            self.in_flight.insert(self.sent, key);
            out.send(self.sent, request.by("nginx-ingress-controller", cause));
        }
    }

    fn replied(&mut self, now: Instant, id: u64, reply: &api::wire::Reply) {
        if id & EVENT_BIT != 0 {
            self.recorder.answered(id & !EVENT_BIT, reply);
            return;
        }
        let Some(key) = self.in_flight.remove(&id) else { return };
        if reply.is_err() {
            self.unsure.insert(key, Trigger::Timer);
            self.retry_at = Some(now + RETRY_AFTER);
        }
    }
}

fn respond(response: HttpResponse) -> Reply {
    Reply::Respond { after: WORK, response: Response::Http(response) }
}

fn reference(ingress: &Ingress) -> ObjectReference {
    let meta = &ingress.metadata;
    ObjectReference {
        api_version: Ingress::INFO.api_version().into(),
        kind: Ingress::INFO.kind.into(),
        name: meta.name.clone(),
        namespace: meta.namespace.clone(),
        resource_version: meta.resource_version.clone(),
        uid: meta.uid.clone(),
        ..ObjectReference::default()
    }
}

const CLASSES: usize = 0;
const INGRESSES: usize = 1;
const SERVICES: usize = 2;
const SLICES: usize = 3;

impl Part for IngressController {
    fn name(&self) -> &str {
        "nginx-ingress-controller"
    }

    fn interests(&self) -> Vec<Interest> {
        let kinds =
            [IngressClass::INFO, Ingress::INFO, Service::INFO, EndpointSlice::INFO, Secret::INFO];
        kinds.map(Interest::all).to_vec()
    }

    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        match input {
            Input::Start => *self = IngressController::new(self.config.clone()),
            Input::Listed { watch, objects, revision } => {
                self.replace(now, watch, objects, revision);
            }
            Input::Watch { watch, events } => {
                for event in events {
                    self.apply(now, watch, event);
                }
            }
            Input::Reply(id, reply) => self.replied(now, id, &reply),
            Input::Wake => self.retry_at = self.retry_at.filter(|at| *at > now),
            Input::Called(..) | Input::Cloud(..) => {}
        }
        self.refresh();
        self.write_status(out);
        for (token, request) in self.recorder.drain() {
            out.send(token | EVENT_BIT, request);
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        self.retry_at
    }
}

#[cfg(test)]
#[path = "ingress/tests.rs"]
mod tests;
