//! The environment of a container.
//!
//! Known deviations:
//! - Variables of Services are made only where a command could look at them.
//! - `fileKeyRef` is not read.

use base::BTreeSet;

use api::core::v1::{ConfigMap, Container, EnvVar, Pod, ResourceFieldSelector, Secret, Service};
use api::expansion::expand;
use api::object::Key;
use api::{Map, Quantity};
use base::Str;

use crate::refs::{Known, Name, References};
use crate::runtime::shell::vm::Env;
use crate::worker::container;

/// What downward references look up.
pub(crate) struct Source<'a> {
    pub pod: &'a Pod,
    pub refs: &'a References,
    pub pod_ip: Str,
    pub host_ip: Str,
    pub allocatable: Map<Quantity>,
}

/// What the environments of a pod's containers refer to.
pub(crate) fn references(pod: &Pod) -> BTreeSet<Name> {
    let mut out = BTreeSet::new();
    let key = |name: &Str| Key::new(pod.metadata.namespace.clone(), name.clone());
    for spec in pod.spec.init_containers.iter().chain(&pod.spec.containers) {
        for from in &spec.env_from {
            out.extend(from.config_map_ref.as_ref().map(|r| Name::ConfigMap(key(&r.name))));
            out.extend(from.secret_ref.as_ref().map(|r| Name::Secret(key(&r.name))));
        }
        for source in spec.env.iter().filter_map(|var| var.value_from.as_deref()) {
            out.extend(source.config_map_key_ref.as_ref().map(|r| Name::ConfigMap(key(&r.name))));
            out.extend(source.secret_key_ref.as_ref().map(|r| Name::Secret(key(&r.name))));
        }
    }
    if wants_services(pod) {
        out.insert(Name::Services(pod.metadata.namespace.clone()));
        out.insert(Name::Services(base::lit!("default")));
    }
    out
}

/// Whether some command could look at variables of Services.
fn wants_services(pod: &Pod) -> bool {
    let looks = |text: &Str| {
        text.contains("_SERVICE_")
            || text.contains("_PORT")
            || text
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|w| matches!(w, "env" | "printenv" | "set"))
    };
    pod.spec.init_containers.iter().chain(&pod.spec.containers).any(|spec| {
        spec.command.iter().chain(&spec.args).any(looks)
            || spec.env.iter().any(|var| looks(&var.value))
    })
}

/// The environment of a container, or why it cannot be made.
pub(crate) fn environment(source: &Source<'_>, index: usize) -> Result<Env, String> {
    let spec = container(source.pod, index);
    let services = service_variables(source);
    let mut env = Env::new();
    for from in &spec.env_from {
        let key = |name: &Str| Key::new(source.pod.metadata.namespace.clone(), name.clone());
        let mut add = |name: &Str, value: Str| {
            env.insert(format!("{}{name}", from.prefix).into(), value);
        };
        if let Some(reference) = &from.config_map_ref {
            let name = Name::ConfigMap(key(&reference.name));
            if let Some(map) = read::<ConfigMap>(source, &name, reference.optional)? {
                map.data.iter().for_each(|(name, value)| add(name, value.clone()));
            }
        }
        if let Some(reference) = &from.secret_ref {
            let name = Name::Secret(key(&reference.name));
            if let Some(secret) = read::<Secret>(source, &name, reference.optional)? {
                secret.data.iter().for_each(|(name, value)| add(name, text(&value.0)));
            }
        }
    }
    for var in &spec.env {
        let value = match &var.value_from {
            None => {
                let look = |name: &str| env.get(name).or(services.get(name)).map(Str::as_str);
                Some(Str::from(expand(&var.value, look)))
            }
            Some(_) => reference(source, spec, var)?,
        };
        if let Some(value) = value {
            env.insert(var.name.clone(), value);
        }
    }
    for (name, value) in services {
        env.entry(name).or_insert(value);
    }
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    env.entry(base::lit!("PATH")).or_insert(path.into());
    env.entry(base::lit!("HOME")).or_insert(base::lit!("/root"));
    if !spec.working_dir.is_empty() {
        env.entry(base::lit!("PWD")).or_insert(spec.working_dir.clone());
    }
    Ok(env)
}

fn read<'a, K: api::Kind>(
    source: &'a Source<'_>,
    name: &Name,
    optional: Option<bool>,
) -> Result<Option<&'a K>, String> {
    match source.refs.get(name) {
        Some(Known::Found(objects)) => Ok(objects.first().and_then(|object| object.get())),
        _ if optional == Some(true) => Ok(None),
        Some(Known::Failed(message)) => Err(message.to_string()),
        _ => Err(name.not_found()),
    }
}

fn reference(source: &Source<'_>, spec: &Container, var: &EnvVar) -> Result<Option<Str>, String> {
    let Some(from) = var.value_from.as_deref() else { return Ok(None) };
    let namespace = &source.pod.metadata.namespace;
    if let Some(field) = &from.field_ref {
        return field_value(source, &field.field_path).map(Some);
    }
    if let Some(field) = &from.resource_field_ref {
        return resource_value(source, spec, field).map(Some);
    }
    if let Some(r) = &from.config_map_key_ref {
        let name = Name::ConfigMap(Key::new(namespace.clone(), r.name.clone()));
        let Some(map) = read::<ConfigMap>(source, &name, r.optional)? else { return Ok(None) };
        return match map.data.get(&r.key) {
            Some(value) => Ok(Some(value.clone())),
            None if r.optional == Some(true) => Ok(None),
            None => Err(format!("couldn't find key {} in ConfigMap {namespace}/{}", r.key, r.name)),
        };
    }
    if let Some(r) = &from.secret_key_ref {
        let name = Name::Secret(Key::new(namespace.clone(), r.name.clone()));
        let Some(secret) = read::<Secret>(source, &name, r.optional)? else { return Ok(None) };
        return match secret.data.get(&r.key) {
            Some(value) => Ok(Some(text(&value.0))),
            None if r.optional == Some(true) => Ok(None),
            None => Err(format!("couldn't find key {} in Secret {namespace}/{}", r.key, r.name)),
        };
    }
    Ok(Some(Str::new()))
}

/// Bytes as text.
pub(crate) fn text(bytes: &[u8]) -> Str {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// The value of a downward field.
pub(crate) fn field_value(source: &Source<'_>, path: &str) -> Result<Str, String> {
    let pod = source.pod;
    let keyed = |map: &Map<Str>, inner: &str| {
        map.get(inner.trim_matches(['[', ']', '\'', '"'])).cloned().unwrap_or_default()
    };
    Ok(match path {
        "metadata.name" => pod.metadata.name.clone(),
        "metadata.namespace" => pod.metadata.namespace.clone(),
        "metadata.uid" => pod.metadata.uid.clone(),
        "metadata.labels" => lines(&pod.metadata.labels),
        "metadata.annotations" => lines(&pod.metadata.annotations),
        "spec.nodeName" => pod.spec.node_name.clone(),
        "spec.serviceAccountName" => pod.spec.service_account_name.clone(),
        "status.hostIP" | "status.hostIPs" => source.host_ip.clone(),
        "status.podIP" | "status.podIPs" => source.pod_ip.clone(),
        path => {
            if let Some(inner) = path.strip_prefix("metadata.labels") {
                keyed(&pod.metadata.labels, inner)
            } else if let Some(inner) = path.strip_prefix("metadata.annotations") {
                keyed(&pod.metadata.annotations, inner)
            } else {
                return Err(format!("unsupported fieldPath: {path}"));
            }
        }
    })
}

fn lines(map: &Map<Str>) -> Str {
    let lines: Vec<String> = map.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    lines.join("\n").into()
}

/// The value of a downward resource: what a container is limited to, or else what the node has.
pub(crate) fn resource_value(
    source: &Source<'_>,
    own: &Container,
    field: &ResourceFieldSelector,
) -> Result<Str, String> {
    let all = source.pod.spec.init_containers.iter().chain(&source.pod.spec.containers);
    let spec = match field.container_name.as_str() {
        "" => own,
        name => match { all }.find(|spec| spec.name == name) {
            Some(spec) => spec,
            None => return Err(format!("container {name} not found")),
        },
    };
    let (kind, name) = field.resource.split_once('.').unwrap_or(("", &field.resource));
    let amount = match kind {
        "limits" => spec.resources.limits.get(name).or(source.allocatable.get(name)),
        "requests" => spec.resources.requests.get(name),
        _ => return Err(format!("unsupported container resource : {}", field.resource)),
    };
    let amount = amount.cloned().unwrap_or_default();
    let by_thousandths = name == "cpu";
    let units = |q: &Quantity| if by_thousandths { q.milli_value() } else { q.value() };
    let divisor = match units(&field.divisor) {
        0 => units(&Quantity::units(1)),
        some => some,
    };
    Ok((units(&amount) + divisor - 1).div_euclid(divisor).to_string().into())
}

fn service_variables(source: &Source<'_>) -> Env {
    let mut out = Env::new();
    let own = &source.pod.metadata.namespace;
    let links = source.pod.spec.enable_service_links != Some(false);
    for namespace in ["default", own.as_str()] {
        let Some(Known::Found(objects)) = source.refs.get(&Name::Services(namespace.into())) else {
            continue;
        };
        for service in objects.iter().filter_map(|object| object.get::<Service>()) {
            let master = namespace == "default" && service.metadata.name == "kubernetes";
            if master || links && namespace == own {
                one_service(service, &mut out);
            }
        }
    }
    out
}

fn one_service(service: &Service, out: &mut Env) {
    let ip = &service.spec.cluster_ip;
    if ip.is_empty() || ip == "None" {
        return;
    }
    let upper = |text: &str| text.to_uppercase().replace('-', "_");
    let name = upper(&service.metadata.name);
    let mut set = |suffix: String, value: String| {
        out.insert(format!("{name}_{suffix}").into(), value.into());
    };
    set("SERVICE_HOST".into(), ip.to_string());
    for (i, port) in service.spec.ports.iter().enumerate() {
        let number = port.port;
        let protocol = if port.protocol.is_empty() { "TCP" } else { port.protocol.as_str() };
        let url = format!("{}://{ip}:{number}", protocol.to_lowercase());
        if i == 0 {
            set("SERVICE_PORT".into(), number.to_string());
            set("PORT".into(), url.clone());
        }
        if !port.name.is_empty() {
            set(format!("SERVICE_PORT_{}", upper(&port.name)), number.to_string());
        }
        let prefix = format!("PORT_{number}_{protocol}");
        set(prefix.clone(), url);
        set(format!("{prefix}_PROTO"), protocol.to_lowercase());
        set(format!("{prefix}_PORT"), number.to_string());
        set(format!("{prefix}_ADDR"), ip.to_string());
    }
}
