//! The pools from which Services take cluster addresses and node ports.
//!
//! Models the allocators of the API server for one IPv4 range, 10.96.0.0/12 if nothing else is said, and the node ports 30000-32767.
//!
//! Known deviations:
//! - There is no IPv6: dual-stack Services get IPv4 only, as on a single-stack cluster.
//! - Addresses are kept in memory; the `IPAddress` objects follow from the Services, not the other way round.
//! - Repair loops are not needed and absent.

use core::net::Ipv4Addr;
use std::sync::Arc;

use api::Map;
use api::core::v1::{Service, ServiceSpec};
use api::meta::v1::ObjectMeta;
use api::networking::v1::{IPAddress, IPAddressSpec, ParentReference};
use api::object::{Kind, Object};
use base::{BTreeSet, Rng, Str, list, lit};

use crate::errors::{self, Refusal, field_error};
use crate::registry;
use crate::storage;
use crate::validation::FieldError;
use crate::{ApiServer, ServiceRange, Write};

const PORT_MIN: i32 = 30_000;
const PORT_MAX: i32 = 32_767;
const PORT_STATIC_BAND: i32 = 86;
/// Dry runs make up node ports that come after this one.
const PORT_DRY_RUN: i32 = 32_768;

/// What is taken.
#[derive(Clone, Debug)]
pub struct Pools {
    range: ServiceRange,
    addresses: BTreeSet<u32>,
    ports: BTreeSet<i32>,
}

impl Pools {
    /// All of the range, and all node ports.
    pub fn new(range: ServiceRange) -> Pools {
        Pools { range, addresses: BTreeSet::new(), ports: BTreeSet::new() }
    }

    fn take_address(&mut self, rng: &mut Rng, keep: bool) -> Option<Ipv4Addr> {
        let (first, low) = (self.range.first(), self.range.static_band().max(1));
        let span = self.range.size() - 1 - low;
        let start = rng.below(u64::from(span)) as u32;
        let free = (0..span).map(|i| first + low + (start + i) % span);
        let free = free.chain(first + 1..first + low);
        let found = free.into_iter().find(|address| !self.addresses.contains(address))?;
        if keep {
            self.addresses.insert(found);
        }
        Some(Ipv4Addr::from(found))
    }

    fn take_port(&mut self, rng: &mut Rng, also: &[i32]) -> Option<i32> {
        let (low, span) = (PORT_MIN + PORT_STATIC_BAND, PORT_MAX - PORT_MIN - PORT_STATIC_BAND + 1);
        let start = rng.below(span as u64) as i32;
        let free = (0..span).map(|i| low + (start + i) % span).chain(PORT_MIN..low);
        free.into_iter().find(|port| !self.ports.contains(port) && !also.contains(port))
    }
}

/// Whether the kind of Service has a cluster address.
pub(crate) fn needs_address(spec: &ServiceSpec) -> bool {
    matches!(spec.type_.as_str(), "" | "ClusterIP" | "NodePort" | "LoadBalancer")
}

fn needs_ports(spec: &ServiceSpec) -> bool {
    spec.type_ == "NodePort"
        || (spec.type_ == "LoadBalancer" && spec.allocate_load_balancer_node_ports != Some(false))
}

/// Whether load balancers ask the nodes at a port of their own which of them have endpoints.
pub(crate) fn needs_health_port(spec: &ServiceSpec) -> bool {
    spec.type_ == "LoadBalancer" && spec.external_traffic_policy == "Local"
}

fn is_headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ip == "None"
}

fn address_of(spec: &ServiceSpec) -> Option<Ipv4Addr> {
    spec.cluster_ip.parse().ok()
}

fn ports_of(spec: &ServiceSpec) -> impl Iterator<Item = i32> {
    let ports = spec.ports.iter().map(|port| port.node_port);
    ports.chain([spec.health_check_node_port]).filter(|port| *port != 0)
}

/// Takes what a new or changed Service needs and fills it in.
pub fn reserve(
    server: &mut ApiServer,
    object: &mut Object,
    old: Option<&Object>,
    dry_run: bool,
) -> Result<(), Refusal> {
    let name = object.name().clone();
    let Some(service) = object.edit_as::<Service>() else { return Ok(()) };
    let mut spec = (*service.spec).clone();
    let before = old.and_then(|old| old.get::<Service>()).map(|old| old.spec.clone());
    if let Some(before) = &before {
        keep_allocated(&mut spec, before);
    }
    let wrong = settle_families(&mut spec);
    let taken = match wrong.as_slice() {
        [] => take(server, &mut spec, before.as_deref(), dry_run),
        _ => Ok(()),
    };
    if *service.spec != spec {
        service.spec = Arc::new(spec);
    }
    if !wrong.is_empty() {
        return Err(errors::invalid(Service::INFO, &name, &wrong));
    }
    taken.map_err(|why| match why {
        NotTaken::Field(error) => errors::invalid(Service::INFO, &name, &[error]),
        NotTaken::Internal(text) => errors::internal(&text),
    })
}

/// Why a pool gives nothing.
enum NotTaken {
    /// A field asks for what cannot be had.
    Field(FieldError),
    /// Told as an internal error, as upstream does for health check ports.
    Internal(String),
}

fn take(
    server: &mut ApiServer,
    spec: &mut ServiceSpec,
    before: Option<&ServiceSpec>,
    dry_run: bool,
) -> Result<(), NotTaken> {
    let mut pools = Pools::clone(&server.services);
    if let Some(before) = before {
        release_spec(&mut pools, before);
    }
    if needs_address(spec) && !is_headless(spec) {
        take_address(&mut pools, &mut server.draws, spec).map_err(NotTaken::Field)?;
    }
    let own = take_ports(&mut pools, &mut server.draws, spec, dry_run).map_err(NotTaken::Field)?;
    take_health_port(&mut pools, &mut server.draws, spec, &own).map_err(NotTaken::Internal)?;
    if !dry_run {
        server.services = Arc::new(pools);
    }
    Ok(())
}

fn take_address(
    pools: &mut Pools,
    rng: &mut Rng,
    spec: &mut ServiceSpec,
) -> Result<(), FieldError> {
    if spec.cluster_ip.is_empty() {
        spec.cluster_ip = spec.cluster_ips.first().cloned().unwrap_or_default();
    }
    if spec.cluster_ip.is_empty() {
        let address = pools.take_address(rng, true).ok_or_else(|| {
            let text = "failed to allocate a serviceIP: range is full";
            field_error("InternalError", "spec.clusterIPs", format!("Internal error: {text}"))
        })?;
        spec.cluster_ip = address.to_string().into();
    } else if let Some(address) = address_of(spec) {
        let number = u32::from(address);
        let refuse = |why: String| {
            let value =
                format!("Invalid value: [\"{address}\"]: failed to allocate IP {address}: {why}");
            field_error("FieldValueInvalid", "spec.clusterIPs", value)
        };
        let (first, size) = (pools.range.first(), pools.range.size());
        if number <= first || number - first >= size - 1 {
            return Err(refuse("the provided network does not match the current range".into()));
        }
        if !pools.addresses.insert(number) {
            return Err(refuse("provided IP is already allocated".into()));
        }
    }
    if spec.cluster_ips.is_empty() {
        spec.cluster_ips = list![spec.cluster_ip.clone()];
    }
    Ok(())
}

fn take_ports(
    pools: &mut Pools,
    rng: &mut Rng,
    spec: &mut ServiceSpec,
    dry_run: bool,
) -> Result<Vec<i32>, FieldError> {
    let mut own: Vec<i32> = Vec::new();
    if !needs_ports(spec) {
        own.extend(spec.ports.iter().map(|port| port.node_port).filter(|port| *port != 0));
        pools.ports.extend(own.iter().copied());
        return Ok(own);
    }
    for (i, port) in spec.ports.iter().enumerate().filter(|(_, port)| port.node_port != 0) {
        let field = format!("spec.ports[{i}].nodePort");
        let number = port.node_port;
        let refuse = |why: &str| {
            let text = format!("Invalid value: {number}: {why}");
            Err(field_error("FieldValueInvalid", &field, text))
        };
        if !(PORT_MIN..=PORT_MAX).contains(&number) {
            return refuse(
                "provided port is not in the valid range. The range of valid ports is 30000-32767",
            );
        }
        if !own.contains(&number) && !pools.ports.insert(number) {
            return refuse("provided port is already allocated");
        }
        own.push(number);
    }
    for i in 0..spec.ports.len() {
        if spec.ports[i].node_port != 0 {
            continue;
        }
        // Ports of one number, which should differ in their protocol, share a node port.
        let number = spec.ports[i].port;
        let twin = spec.ports.iter().find(|other| other.node_port != 0 && other.port == number);
        let port = match twin {
            Some(twin) => twin.node_port,
            None if dry_run => own.iter().copied().max().unwrap_or(PORT_DRY_RUN) + 1,
            None => pools.take_port(rng, &own).ok_or_else(|| {
                let field = format!("spec.ports[{i}].nodePort");
                field_error(
                    "InternalError",
                    &field,
                    "Internal error: failed to allocate a nodePort: range is full",
                )
            })?,
        };
        pools.ports.insert(port);
        own.push(port);
        spec.ports[i].node_port = port;
    }
    Ok(own)
}

/// The port at which load balancers ask the nodes: the one that is asked for, or any.
fn take_health_port(
    pools: &mut Pools,
    rng: &mut Rng,
    spec: &mut ServiceSpec,
    own: &[i32],
) -> Result<(), String> {
    if !needs_health_port(spec) {
        return Ok(());
    }
    let asked = spec.health_check_node_port;
    if asked == 0 {
        let free = pools.take_port(rng, own);
        spec.health_check_node_port = free.ok_or_else(|| {
            String::from("failed to allocate a HealthCheck NodePort 0: range is full")
        })?;
        pools.ports.insert(spec.health_check_node_port);
        return Ok(());
    }
    let refuse = |why: &str| {
        Err(format!("failed to allocate requested HealthCheck NodePort {asked}: {why}"))
    };
    if !(PORT_MIN..=PORT_MAX).contains(&asked) {
        return refuse(
            "provided port is not in the valid range. The range of valid ports is 30000-32767",
        );
    }
    if !pools.ports.insert(asked) {
        return refuse("provided port is already allocated");
    }
    Ok(())
}

/// An update that leaves allocated values out keeps them.
fn keep_allocated(spec: &mut ServiceSpec, before: &ServiceSpec) {
    if needs_address(spec) && needs_address(before) {
        if spec.cluster_ip.is_empty() && spec.cluster_ips.is_empty() {
            spec.cluster_ip = before.cluster_ip.clone();
        }
        if spec.cluster_ips.is_empty() && spec.cluster_ip == before.cluster_ip {
            spec.cluster_ips = before.cluster_ips.clone();
        }
        if spec.cluster_ip.is_empty() && spec.cluster_ips == before.cluster_ips {
            spec.cluster_ip = before.cluster_ip.clone();
        }
        // Who changes the one without knowing of the other means both.
        if spec.cluster_ip != before.cluster_ip && spec.cluster_ips == before.cluster_ips {
            spec.cluster_ips = list![spec.cluster_ip.clone()];
        }
    }
    if needs_ports(spec) && needs_ports(before) {
        for port in spec.ports.iter_mut().filter(|port| port.node_port == 0) {
            let same = before
                .ports
                .iter()
                .find(|other| other.port == port.port && other.protocol == port.protocol);
            port.node_port = same.map_or(0, |same| same.node_port);
        }
    }
    let both = needs_health_port(spec) && needs_health_port(before);
    if both && spec.health_check_node_port == 0 {
        spec.health_check_node_port = before.health_check_node_port;
    }
}

/// The address families, as a cluster with IPv4 only has them.
fn settle_families(spec: &mut ServiceSpec) -> Vec<FieldError> {
    if !needs_address(spec) {
        spec.ip_families.clear();
        spec.ip_family_policy = None;
        return Vec::new();
    }
    if is_headless(spec) && spec.cluster_ips.is_empty() {
        spec.cluster_ips = list![lit!("None")];
    }
    let bare = is_headless(spec) && spec.selector.is_empty();
    let mut wrong = Vec::new();
    if !bare && spec.ip_family_policy.as_deref() == Some("RequireDualStack") {
        let text = "Invalid value: \"RequireDualStack\": this cluster is not configured for \
            dual-stack services";
        wrong.push(field_error("FieldValueInvalid", "spec.ipFamilyPolicy", text));
    }
    for (i, family) in spec.ip_families.iter().enumerate() {
        if !bare && family == "IPv6" {
            let text = "Invalid value: \"IPv6\": not configured on this cluster";
            wrong.push(field_error("FieldValueInvalid", &format!("spec.ipFamilies[{i}]"), text));
        }
    }
    if spec.ip_family_policy.is_none() {
        spec.ip_family_policy =
            Some(if bare { lit!("RequireDualStack") } else { lit!("SingleStack") });
    }
    if spec.ip_families.is_empty() {
        spec.ip_families = list![lit!("IPv4")];
    }
    if bare
        && spec.ip_families.len() == 1
        && spec.ip_family_policy.as_deref() != Some("SingleStack")
    {
        let other = if spec.ip_families[0] == "IPv4" { lit!("IPv6") } else { lit!("IPv4") };
        spec.ip_families.push(other);
    }
    wrong
}

impl ApiServer {
    /// Brings the `IPAddress` objects in line with a Service before and after a write.
    pub(crate) fn settle_addresses(
        &mut self,
        write: &Write,
        before: Option<&Object>,
        after: Option<&Object>,
    ) -> Result<(), Refusal> {
        let address = |object: Option<&Object>| {
            let service = object?.get::<Service>()?;
            address_of(&service.spec).map(|address| address.to_string())
        };
        let (old, new) = (address(before), address(after));
        if old == new {
            return Ok(());
        }
        let row = registry::of(IPAddress::INFO).expect("registered");
        let inner = Write { verb: "create", ..write.clone() };
        if let Some(name) = old
            && let Some(object) = self.stored(row, "", &name).cloned()
        {
            self.remove(&Write { verb: "delete", ..inner.clone() }, row, &object)?;
        }
        let (Some(name), Some(service)) = (new, after) else { return Ok(()) };
        if self.stored(row, "", &name).is_some() {
            return Ok(());
        }
        let labels: Map<Str> = [
            ("ipaddress.kubernetes.io/ip-family", lit!("IPv4")),
            ("ipaddress.kubernetes.io/managed-by", lit!("ipallocator.k8s.io")),
        ]
        .into_iter()
        .collect();
        let metadata = ObjectMeta { name: name.into(), labels, ..ObjectMeta::default() };
        let parent_ref = ParentReference {
            resource: lit!("services"),
            namespace: service.namespace().clone(),
            name: service.name().clone(),
            ..ParentReference::default()
        };
        let spec = Arc::new(IPAddressSpec { parent_ref });
        let mut object = Object::new(IPAddress { metadata: Arc::new(metadata), spec });
        let uid = self.rng.uuid();
        storage::stamp_created(&mut object, uid.into(), write.now);
        self.put(&inner, row, None, object).map(|_| ())
    }
}

/// Gives back what a Service had.
pub fn release(server: &mut ApiServer, object: &Object) {
    if let Some(service) = object.get::<Service>() {
        release_spec(Arc::make_mut(&mut server.services), &service.spec);
    }
}

fn release_spec(pools: &mut Pools, spec: &ServiceSpec) {
    if let Some(address) = address_of(spec) {
        pools.addresses.remove(&u32::from(address));
    }
    for port in ports_of(spec) {
        pools.ports.remove(&port);
    }
}
