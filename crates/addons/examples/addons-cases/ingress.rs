//! Scenarios of Ingress conformance: requests and which Service answers them.

use std::collections::BTreeSet;
use std::sync::Arc;

use addons::IngressController;
use addons::ingress::{Certificate, Config};
use api::core::v1::{LoadBalancerIngress, Secret, Service, ServicePort, ServiceSpec};
use api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use api::meta::v1::ObjectMeta;
use api::networking::v1::{Ingress, IngressBackend};
use api::wire::Verb;
use api::{Bytes, Decode, Json, Key, Kind, Object};
use base::{BTreeMap, Instant, Str};
use client::{Input, Outbox, Part};
use network::{HttpRequest, IpAddr, Reply, Response, To};

use super::{Report, strings, text};

/// Pods behind each Service.
const PODS: u16 = 10;

/// Plays every scenario of the document.
pub fn run(document: &Json, report: &mut Report<'_>) {
    for feature in document.items() {
        let mut lab = Lab::new(feature);
        for scenario in feature.get("scenarios").map(Json::items).unwrap_or_default() {
            let steps: Vec<&str> = strings(scenario, "steps").collect();
            report(text(scenario, "name"), lab.play(&steps));
        }
    }
}

/// A controller with the feature's Ingresses and a Service with ten pods for each backend.
struct Lab {
    controller: IngressController,
    published: bool,
    service_of: BTreeMap<IpAddr, String>,
}

/// What a client saw.
struct Seen {
    status: u16,
    pod: Option<IpAddr>,
    certificate: Option<Certificate>,
}

impl Lab {
    fn new(feature: &Json) -> Lab {
        let config = Config { watch_without_class: true, ..Config::default() };
        let publish = config.publish_service.clone();
        let mut lab = Lab {
            controller: IngressController::new(config),
            published: false,
            service_of: BTreeMap::new(),
        };
        let documents = feature.get("ingress").map(Json::items).unwrap_or_default();
        let ingresses: Vec<Ingress> = documents.iter().enumerate().map(ingress).collect();
        let backends = ingresses.iter().flat_map(backends_of);
        let names: BTreeSet<Str> =
            backends.filter_map(|b| Some(b.service.as_ref()?.name.clone())).collect();
        let (mut services, mut slices) = (vec![front(&publish)], Vec::new());
        for (i, name) in names.iter().enumerate() {
            let (service, slice) = lab.backend(i, name);
            services.push(Object::new(service));
            slices.push(Object::new(slice));
        }
        let secrets =
            ingresses.iter().flat_map(|i| &i.spec.tls).map(|tls| secret(&tls.secret_name));
        let lists = [
            Vec::new(),
            ingresses.iter().cloned().map(Object::new).collect(),
            services,
            slices,
            secrets.collect(),
        ];
        let mut out = Outbox::default();
        for (watch, objects) in lists.into_iter().enumerate() {
            lab.controller.handle(
                Instant::START,
                Input::Listed { watch, objects, revision: 1 },
                &mut out,
            );
        }
        lab.published = out.requests.iter().any(|(_, request)| match &request.verb {
            Verb::Update(object) => object
                .get::<Ingress>()
                .is_some_and(|ingress| !ingress.status.load_balancer.ingress.is_empty()),
            _ => false,
        });
        lab
    }

    fn backend(&mut self, i: usize, name: &str) -> (Service, EndpointSlice) {
        let port = ServicePort { name: "http".into(), port: 8080, ..ServicePort::default() };
        let spec = ServiceSpec { ports: [port].into_iter().collect(), ..ServiceSpec::default() };
        let service =
            Service { metadata: meta("test", name), spec: Arc::new(spec), ..Service::default() };
        let endpoints = (1..=PODS).map(|n| {
            let ip = format!("10.244.{i}.{n}");
            self.service_of.insert(ip.parse().expect("an address"), name.to_string());
            Endpoint { addresses: [Str::from(ip)].into_iter().collect(), ..Endpoint::default() }
        });
        let port =
            EndpointPort { name: Some("http".into()), port: Some(3000), ..EndpointPort::default() };
        let mut metadata = meta("test", &format!("{name}-1"));
        let labels = &mut Arc::make_mut(&mut metadata).labels;
        labels.insert("kubernetes.io/service-name", Str::from(name));
        let slice = EndpointSlice {
            address_type: "IPv4".into(),
            endpoints: endpoints.collect(),
            metadata,
            ports: [port].into_iter().collect(),
        };
        (service, slice)
    }

    fn play(&mut self, steps: &[&str]) -> Result<(), String> {
        if steps.iter().any(|step| step.contains("status should not contain the IP")) {
            return if self.published { Err("the status has an address".into()) } else { Ok(()) };
        }
        let rows: Vec<Vec<String>> = match steps.iter().position(|step| *step == "Examples:") {
            Some(at) => steps[at + 1..].iter().map(|row| cells(row)).collect(),
            None => vec![Vec::new(); 2],
        };
        let (head, rows) = rows.split_first().ok_or("no examples")?;
        for row in rows {
            let fill = |step: &&str| {
                let pairs = head.iter().zip(row);
                pairs.fold(step.to_string(), |text, (key, value)| {
                    text.replace(&format!("\"<{key}>\""), value).replace(&format!("<{key}>"), value)
                })
            };
            self.walk(&steps.iter().map(fill).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn walk(&mut self, steps: &[String]) -> Result<(), String> {
        let mut seen: Vec<Seen> = Vec::new();
        for step in steps {
            let url = step.find("http").map(|at| step[at..].replace('"', ""));
            let quoted = step.split('"').nth(1).unwrap_or("");
            let first = |seen: &[Seen]| seen.first().map(|s| s.status);
            if let Some(url) = url.filter(|_| step.contains("I send")) {
                let count = if step.contains("100 requests") { 100 } else { 1 };
                let method = if count == 1 { word_after(step, "send a ") } else { "GET".into() };
                seen = (0..count).map(|_| self.send(&method, &url)).collect();
            } else if let Some(want) = step.split("status-code must be ").nth(1) {
                let want: u16 = want.split(' ').next().and_then(|w| w.parse().ok()).unwrap_or(0);
                let bad = seen.iter().find(|s| s.status != want);
                if let Some(bad) = bad {
                    return Err(format!("{step}: got {}", bad.status));
                }
                if step.contains("different Kubernetes pods") {
                    let pods: BTreeSet<_> = seen.iter().filter_map(|s| s.pod).collect();
                    if pods.len() != usize::from(PODS) {
                        return Err(format!("{step}: got {}", pods.len()));
                    }
                }
            } else if step.contains("served by the") {
                let pod = seen.first().and_then(|s| s.pod);
                let service = pod.and_then(|pod| self.service_of.get(&pod));
                if service.map(String::as_str) != Some(quoted) {
                    return Err(format!("{step}: got {service:?} {:?}", first(&seen)));
                }
            } else if step.contains("secure connection must verify") {
                let secret = seen.first().and_then(|s| s.certificate.clone());
                if !matches!(secret, Some(Certificate::Secret(_))) {
                    return Err(format!("{step}: got {secret:?}"));
                }
            }
        }
        if seen.is_empty() { Err("no request was sent".into()) } else { Ok(()) }
    }

    /// Sends a request as a client that follows redirects.
    fn send(&mut self, method: &str, url: &str) -> Seen {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (host, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "/"),
        };
        let mut request = HttpRequest::get(host, path);
        request.method = method.into();
        request.tls = scheme == "https";
        let certificate = self.controller.route(&request).1;
        let client = "198.51.100.7".parse().expect("an address");
        match self.controller.answer(&request, client) {
            Reply::Forward { to: To::Ip(ip), .. } => {
                Seen { status: 200, pod: Some(ip), certificate }
            }
            Reply::Respond { response: Response::Http(response), .. } => {
                match response.header("location").cloned() {
                    Some(next) if !request.tls => self.send(method, &next),
                    _ => Seen { status: response.status, pod: None, certificate },
                }
            }
            _ => Seen { status: 0, pod: None, certificate },
        }
    }
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect()
}

fn word_after(text: &str, mark: &str) -> String {
    let rest = text.split(mark).nth(1).unwrap_or("").trim_start_matches('"');
    rest.split(['"', ' ']).next().unwrap_or("").to_string()
}

fn meta(namespace: &str, name: &str) -> Arc<ObjectMeta> {
    let (namespace, name) = (namespace.into(), name.into());
    Arc::new(ObjectMeta { namespace, name, ..ObjectMeta::default() })
}

fn ingress((i, document): (usize, &Json)) -> Ingress {
    let mut json = document.clone();
    if json.get("spec").is_none() {
        json = Json::object();
        json.set("spec", document.clone());
    }
    let decoded = Object::decode(Ingress::INFO, json, &mut Decode::new());
    let mut ingress = Ingress::clone(&decoded.arc().expect("the kind asked for"));
    let meta = Arc::make_mut(&mut ingress.metadata);
    meta.namespace = "test".into();
    if meta.name.is_empty() {
        meta.name = format!("ingress-{i}").into();
    }
    ingress
}

fn backends_of(ingress: &Ingress) -> Vec<&IngressBackend> {
    let rules = ingress.spec.rules.iter().flat_map(|rule| &rule.http);
    let paths = rules.flat_map(|http| &http.paths).map(|path| &path.backend);
    ingress.spec.default_backend.iter().map(|b| &**b).chain(paths).collect()
}

/// The Service through which the controller is reached.
fn front(key: &Key) -> Object {
    let spec = ServiceSpec { type_: "LoadBalancer".into(), ..ServiceSpec::default() };
    let mut service = Service {
        metadata: meta(&key.namespace, &key.name),
        spec: Arc::new(spec),
        ..Service::default()
    };
    let ingress = LoadBalancerIngress { ip: "203.0.113.10".into(), ..Default::default() };
    Arc::make_mut(&mut service.status).load_balancer.ingress = [ingress].into_iter().collect();
    Object::new(service)
}

fn secret(name: &str) -> Object {
    let bytes = || Bytes(b"pem".iter().copied().collect());
    let data = [("tls.crt", bytes()), ("tls.key", bytes())];
    let metadata = meta("test", name);
    Object::new(Secret { metadata, data: data.into_iter().collect(), ..Secret::default() })
}
