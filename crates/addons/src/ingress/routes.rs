//! Which backend a host and a path belong to.

use api::Key;
use api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend};
use base::{BTreeMap, Str};

use super::rewrite::plain_path;

/// All routes of a controller.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// By host in lower case: plain names, `*.example.com`, and the empty name for all hosts.
    hosts: BTreeMap<Str, Host>,
    /// Secrets with certificates by host, plain or wildcard.
    certificates: BTreeMap<Str, Key>,
    /// Where requests go that no rule is for.
    fallback: Option<Route>,
}

#[derive(Clone, Debug, Default)]
struct Host {
    paths: Vec<Route>,
    fallback: Option<Route>,
}

/// A path of a host and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The Ingress.
    pub ingress: Key,
    /// The rule's host; empty for all.
    pub host: Str,
    /// The rule's path; empty for a default backend.
    pub path: Str,
    /// How it is compared.
    pub kind: PathKind,
    /// Where it leads.
    pub backend: Backend,
    /// The path under which the backend sees it.
    pub rewrite: Option<Str>,
    /// The Ingress wants plain requests sent to HTTPS, or does not.
    pub ssl_redirect: Option<bool>,
    /// Plain requests go to HTTPS even without a certificate.
    pub force_ssl_redirect: bool,
    /// The backend speaks TLS.
    pub https: bool,
}

/// How a path is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathKind {
    /// The whole path.
    Exact,
    /// The first elements between slashes.
    Prefix,
    /// The first characters.
    ImplementationSpecific,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Backend {
    /// The Service.
    pub service: Key,
    /// The port.
    pub port: PortRef,
}

/// How a backend names its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PortRef {
    /// By number.
    Number(u16),
    /// By name.
    Name(Str),
}

/// The certificate that a client sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// The one in this Secret.
    Secret(Key),
    /// The controller's own, which no client trusts.
    Fake,
}

impl Routes {
    /// The routes of these Ingresses. Where two claim the same path of a host, the older one has it.
    pub fn new<'a>(ingresses: impl Iterator<Item = &'a Ingress>) -> Routes {
        let mut all: Vec<&Ingress> = ingresses.collect();
        base::sort::by_key(&mut all, |i| (i.metadata.creation_timestamp, Key::of(&i.metadata)));
        let mut routes = Routes::default();
        for ingress in all {
            routes.add(ingress);
        }
        for host in routes.hosts.values_mut() {
            base::sort::by_key(&mut host.paths, |r| {
                (std::cmp::Reverse(plain_path(&r.path).0.len()), r.kind)
            });
        }
        routes
    }

    fn add(&mut self, ingress: &Ingress) {
        let namespace = &ingress.metadata.namespace;
        let fallback =
            ingress.spec.default_backend.as_ref().and_then(|b| default_route(ingress, b));
        for rule in &ingress.spec.rules {
            let name: Str = rule.host.to_ascii_lowercase().into();
            let host = self.hosts.entry(name).or_default();
            if host.fallback.is_none() {
                host.fallback = fallback.clone();
            }
            for path in rule.http.iter().flat_map(|http| &http.paths) {
                let Some(route) = route(ingress, &rule.host, path) else { continue };
                let taken = |r: &Route| r.path == route.path && r.kind == route.kind;
                if !host.paths.iter().any(taken) {
                    host.paths.push(route);
                }
            }
        }
        if ingress.spec.rules.is_empty() && self.fallback.is_none() {
            self.fallback = fallback;
        }
        for tls in &ingress.spec.tls {
            let secret = Key::new(namespace.clone(), tls.secret_name.clone());
            for host in &tls.hosts {
                let host = host.to_ascii_lowercase().into();
                self.certificates.entry(host).or_insert_with(|| secret.clone());
            }
        }
    }

    /// The route of a request: the host's own rules, a wildcard's, those for all hosts, then default backends.
    pub fn find(&self, host: &str, path: &str) -> Option<Route> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let path = if path.is_empty() { "/" } else { path };
        let found = [Some(host.clone()), wildcard(&host), Some(String::new())];
        let found = found.into_iter().flatten().find_map(|name| self.hosts.get(name.as_str()));
        let route = found.and_then(|host| {
            let exact = host.paths.iter().find(|r| r.kind == PathKind::Exact && r.fits(path));
            let first = || host.paths.iter().find(|r| r.fits(path));
            exact.or_else(first).or(host.fallback.as_ref())
        });
        route.or(self.fallback.as_ref()).cloned()
    }

    /// The certificate for a host, if its Secret is `usable`.
    pub fn certificate(&self, host: &str, usable: &dyn Fn(&Key) -> bool) -> Certificate {
        match self.secret(host).filter(|secret| usable(secret)) {
            Some(secret) => Certificate::Secret(secret.clone()),
            None => Certificate::Fake,
        }
    }

    /// Whether an Ingress names a certificate for the host.
    pub fn has_certificate(&self, host: &str) -> bool {
        self.secret(host).is_some()
    }

    /// All routes, by host and in the order in which they are tried.
    pub fn all(&self) -> impl Iterator<Item = &Route> {
        let hosts = self.hosts.values().flat_map(|h| h.paths.iter().chain(&h.fallback));
        hosts.chain(&self.fallback)
    }

    fn secret(&self, host: &str) -> Option<&Key> {
        let host = host.to_ascii_lowercase();
        let own = self.certificates.get(host.as_str());
        own.or_else(|| self.certificates.get(wildcard(&host)?.as_str()))
    }
}

impl Route {
    /// Whether a request's path is of this route.
    pub fn fits(&self, path: &str) -> bool {
        let (own, _) = plain_path(&self.path);
        match self.kind {
            PathKind::Exact => path == own,
            PathKind::Prefix => is_below(path, own),
            PathKind::ImplementationSpecific if own.len() < self.path.len() => is_below(path, own),
            PathKind::ImplementationSpecific => path.starts_with(own),
        }
    }
}

/// Whether `path` starts with the elements of `prefix`; a slash at the end of either does not count.
fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The wildcard that covers a host: it stands for exactly one label.
fn wildcard(host: &str) -> Option<String> {
    let (label, rest) = host.split_once('.')?;
    (!label.is_empty()).then(|| format!("*.{rest}"))
}

fn route(ingress: &Ingress, host: &Str, path: &HTTPIngressPath) -> Option<Route> {
    let kind = match path.path_type.as_deref() {
        Some("Exact") => PathKind::Exact,
        Some("Prefix") => PathKind::Prefix,
        _ => PathKind::ImplementationSpecific,
    };
    let slash = base::lit!("/");
    let text = if path.path.is_empty() { slash } else { path.path.clone() };
    let base = default_route(ingress, &path.backend)?;
    Some(Route { host: host.clone(), path: text, kind, ..base })
}

fn default_route(ingress: &Ingress, backend: &IngressBackend) -> Option<Route> {
    let service = backend.service.as_ref()?;
    let port = match service.port.number.and_then(|number| u16::try_from(number).ok()) {
        Some(number) if number != 0 => PortRef::Number(number),
        _ => PortRef::Name(service.port.name.clone()),
    };
    let meta = &ingress.metadata;
    let note =
        |name: &str| meta.annotations.get(&format!("nginx.ingress.kubernetes.io/{name}")).cloned();
    let flag = |name: &str| note(name).map(|value| value == "true");
    Some(Route {
        ingress: Key::of(meta),
        host: Str::new(),
        path: Str::new(),
        kind: PathKind::Prefix,
        backend: Backend { service: Key::new(meta.namespace.clone(), service.name.clone()), port },
        rewrite: note("rewrite-target"),
        ssl_redirect: flag("ssl-redirect"),
        force_ssl_redirect: flag("force-ssl-redirect").unwrap_or(false),
        https: note("backend-protocol").is_some_and(|p| p.eq_ignore_ascii_case("https")),
    })
}
