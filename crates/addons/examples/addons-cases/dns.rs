//! Questions to the cluster's DNS and the records that answer them.

use std::sync::Arc;

use addons::Dns;
use addons::dns::name::normal;
use addons::dns::{Answer, Code, Record, Type, Zone};
use api::core::v1::{Namespace, Service, ServicePort, ServiceSpec};
use api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use api::meta::v1::ObjectMeta;
use api::{Json, Object};
use base::{Instant, Str};
use client::{Input, Outbox, Part};

use super::{Report, strings, text};

/// The serial number in the expected answers.
const SERIAL: i64 = 1_499_347_823;

/// Asks every question of the document.
pub fn run(document: &Json, report: &mut Report<'_>) {
    let dns = server(document);
    for case in document.get("cases").map(Json::items).unwrap_or_default() {
        let (name, kind) = (text(case, "qname"), text(case, "qtype"));
        report(&format!("{name} {kind}"), check(&dns, case, name, kind));
    }
}

fn check(dns: &Dns, case: &Json, name: &str, kind: &str) -> Result<(), String> {
    let kind = Type::parse(kind).ok_or("unknown type")?;
    let Answer { code, answers, authority, extra } = dns.query(name, kind);
    let code = match code {
        Code::Success => "Success",
        Code::NameError => "NameError",
        Code::ServerFailure => "ServerFailure",
    };
    same("code", &[code.to_string()], &[text(case, "rcode").to_string()])?;
    for (section, records) in [("answer", answers), ("ns", authority), ("extra", extra)] {
        let got: Vec<String> = records.iter().map(Record::to_string).map(|r| line(&r)).collect();
        let want: Vec<String> = strings(case, section).map(line).collect();
        same(section, &got, &want)?;
    }
    Ok(())
}

fn same(what: &str, got: &[String], want: &[String]) -> Result<(), String> {
    let (mut got, mut want) = (got.to_vec(), want.to_vec());
    got.sort();
    want.sort();
    if got == want { Ok(()) } else { Err(format!("{what}: want {want:?}, got {got:?}")) }
}

/// A record with its name normalised and without quotes.
fn line(record: &str) -> String {
    let (name, rest) = record.split_once(' ').unwrap_or((record, ""));
    format!("{} {}", normal(name), rest.replace('"', ""))
}

fn server(document: &Json) -> Dns {
    let exposed = strings(document, "exposedNamespaces").map(Str::from).collect();
    let mut zone = Zone::default();
    zone.domain = text(document, "zone").into();
    zone.ttl = document.get("ttl").and_then(Json::as_i64).unwrap_or(0) as u32;
    zone.exposed = Some(Arc::new(exposed));
    let mut dns = Dns::new(zone);
    let names = [("ext.interwebs.test.".into(), vec!["1.2.3.4".parse().expect("an address")])];
    dns.outside = Arc::new(names.into_iter().collect());
    let services: Vec<Service> = lists(document, "services").map(service).collect();
    let slices = lists(document, "endpoints").flat_map(slices_of).map(Object::new).collect();
    let mut namespaces: Vec<Str> =
        services.iter().map(|service| service.metadata.namespace.clone()).collect();
    namespaces.sort();
    namespaces.dedup();
    let namespaces = namespaces
        .iter()
        .map(|name| Namespace { metadata: meta(name, ""), ..Namespace::default() });
    let lists = [
        services.into_iter().map(Object::new).collect(),
        slices,
        namespaces
            .map(|mut namespace| {
                let meta = Arc::make_mut(&mut namespace.metadata);
                meta.name = std::mem::take(&mut meta.namespace);
                Object::new(namespace)
            })
            .collect(),
    ];
    for (watch, objects) in lists.into_iter().enumerate() {
        let input = Input::Listed { watch, objects, revision: 1 };
        dns.handle(Instant(SERIAL * 1_000_000), input, &mut Outbox::default());
    }
    dns.zone.serial = SERIAL;
    dns
}

fn lists<'j>(document: &'j Json, key: &str) -> impl Iterator<Item = &'j Json> {
    let groups = document.get(key).map(Json::fields).unwrap_or_default();
    groups.iter().flat_map(|(_, list)| list.items())
}

fn meta(namespace: &str, name: &str) -> Arc<ObjectMeta> {
    let (namespace, name) = (namespace.into(), name.into());
    Arc::new(ObjectMeta { namespace, name, ..ObjectMeta::default() })
}

fn number(json: &Json, key: &str) -> Option<i32> {
    json.get(key).and_then(Json::as_i64).and_then(|n| i32::try_from(n).ok())
}

fn service(json: &Json) -> Service {
    let external = text(json, "Type").ends_with("ExternalName");
    let ip = |ip: &str| if ip.ends_with("None") { Str::from("None") } else { ip.into() };
    let ips: base::List<Str> = strings(json, "ClusterIPs").map(ip).collect();
    let ports = json.get("Ports").map(Json::items).unwrap_or_default().iter();
    let ports = ports.map(|port| ServicePort {
        name: text(port, "Name").into(),
        protocol: text(port, "Protocol").to_ascii_uppercase().into(),
        port: number(port, "Port").unwrap_or(0),
        ..ServicePort::default()
    });
    let spec = ServiceSpec {
        type_: if external { "ExternalName".into() } else { "ClusterIP".into() },
        cluster_ip: ips.first().cloned().unwrap_or_default(),
        cluster_ips: ips,
        external_name: text(json, "ExternalName").into(),
        ports: ports.collect(),
        ..ServiceSpec::default()
    };
    let metadata = meta(text(json, "Namespace"), text(json, "Name"));
    Service { metadata, spec: Arc::new(spec), ..Service::default() }
}

fn slices_of(json: &Json) -> Vec<EndpointSlice> {
    let index = text(json, "Index").split('"').nth(1).unwrap_or("").to_string();
    let subsets = json.get("Subsets").map(Json::items).unwrap_or_default().iter().enumerate();
    let slices = subsets.map(|(i, subset)| {
        let addresses = subset.get("Addresses").map(Json::items).unwrap_or_default().iter();
        let endpoints = addresses.map(|address| Endpoint {
            addresses: [Str::from(text(address, "IP"))].into_iter().collect(),
            hostname: Some(text(address, "Hostname").into()),
            ..Endpoint::default()
        });
        let ports = subset.get("Ports").map(Json::items).unwrap_or_default().iter();
        let ports = ports.filter(|port| number(port, "Port").is_some());
        let ports = ports.map(|port| EndpointPort {
            name: Some(text(port, "Name").into()),
            protocol: Some(text(port, "Protocol").to_ascii_uppercase().into()),
            port: number(port, "Port"),
            ..EndpointPort::default()
        });
        let name = format!("{}-{i}", text(json, "Name"));
        let mut metadata = meta(text(json, "Namespace"), &name);
        let labels = &mut Arc::make_mut(&mut metadata).labels;
        labels.insert("kubernetes.io/service-name", Str::from(index.as_str()));
        EndpointSlice {
            address_type: "IPv4".into(),
            endpoints: endpoints.collect(),
            metadata,
            ports: ports.collect(),
        }
    });
    slices.collect()
}
