//! Runs recorded packets through kube-proxy's tables: `cases [DIR] [--show N]`.
//!
//! Prints `name passed/total`. `cargo xtask cases` calls it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use api::core::v1::{Node, NodeAddress, NodeStatus, Service};
use api::discovery::v1::EndpointSlice;
use api::meta::v1::ObjectMeta;
use api::{Decode, Json, Kind, Object};
use base::Instant;
use kube_proxy::{Config, Proxy};
use network::evaluate::{Entry, reachable};
use network::{Cidr, IpAddr, Packet, Protocol};

/// Takes the name of a case and what went wrong with it, if anything did.
pub type Report<'a> = dyn FnMut(&str, Result<(), String>) + 'a;

/// Plays every case of a document.
type Run = fn(&Json, &mut Report<'_>);

/// File names and who plays them.
const FILES: &[(&str, Run)] = &[("kubeproxy_flows", run)];

fn main() -> ExitCode {
    let mut dir = PathBuf::from("../shared/cases");
    let mut show = 0;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--show" => show = args.next().and_then(|n| n.parse().ok()).unwrap_or(usize::MAX),
            _ => dir = arg.into(),
        }
    }
    let mut all_passed = true;
    for (name, run) in FILES {
        let Ok(content) = std::fs::read(dir.join(format!("{name}.json"))) else { continue };
        let Ok(document) = Json::parse(&content) else {
            println!("{name} unreadable");
            all_passed = false;
            continue;
        };
        let (mut total, mut failures) = (0, Vec::new());
        run(&document, &mut |case, result| {
            total += 1;
            failures.extend(result.err().map(|error| format!("{case}: {error}")));
        });
        println!("{name} {}/{total}", total - failures.len());
        for failure in failures.iter().take(show) {
            println!("  {failure}");
        }
        all_passed &= failures.is_empty() && total > 0;
    }
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs every packet of the document.
fn run(document: &Json, report: &mut Report<'_>) {
    for case in document.get("cases").map(Json::items).unwrap_or_default() {
        let test = text(case, "test");
        let proxy = proxy_of(case, test);
        for flow in case.get("flows").map(Json::items).unwrap_or_default() {
            let (name, result) = (text(flow, "name"), check(case, &proxy, flow));
            report(&format!("{test}: {name}"), result);
        }
    }
}

fn check(case: &Json, proxy: &Proxy, flow: &Json) -> Result<(), String> {
    let ip = |key| text(flow, key).parse::<IpAddr>().map_err(|e| format!("{key}: {e}"));
    let (from, to) = (ip("sourceIP")?, ip("destIP")?);
    let port = flow.get("destPort").and_then(Json::as_i64).unwrap_or(0) as u16;
    let protocol = Protocol::of(&text(flow, "protocol").to_ascii_uppercase()).unwrap_or_default();
    let packet = Packet::new(protocol, from, 30000, to, port);
    let own = from.is_loopback() || strings(case, "nodeIPs").any(|ip| ip == from.to_string());
    let view = proxy.view("test-node").ok_or("the node is not known")?;
    let reach = reachable(&view, &packet, if own { Entry::Local } else { Entry::Arrived });
    let mut got: Vec<String> = reach.endpoints.iter().map(|at| at.to_string()).collect();
    if got.is_empty() {
        got.extend(reach.word.map(String::from));
    }
    let got = (got.join(", "), reach.masquerade);
    let masq = flow.get("masq").and_then(Json::as_bool).unwrap_or(false);
    let want = (text(flow, "output").to_string(), masq);
    if got == want { Ok(()) } else { Err(format!("want {want:?}, got {got:?}")) }
}

/// The proxy of a case. Block lists are not in the document; the names of the cases tell which were given.
fn proxy_of(case: &Json, test: &str) -> Proxy {
    let flag = |key| case.at(&["config", key]).and_then(Json::as_bool).unwrap_or(false);
    let blocks = |list: &[&str]| -> Vec<Cidr> {
        list.iter().map(|block| block.parse().expect("a sound block")).collect()
    };
    let node_ports: &[&str] = if test.contains("localhost_in_nodeport-addresses") {
        &["192.168.0.0/24", "127.0.0.1/32"]
    } else if test.contains("multiple_nodeport-addresses") {
        &["192.168.0.0/24", "192.168.1.0/24", "2001:db8::/64"]
    } else {
        &[]
    };
    let pods: &[&str] = if test.contains("no_LocalTrafficDetector") {
        &[]
    } else {
        &["10.0.0.0/8", "fd00:10::/64"]
    };
    let mut proxy = Proxy::new(Config {
        cluster_cidrs: blocks(pods),
        masquerade_all: flag("masqueradeAll"),
        localhost_node_ports: flag("localhostNodePorts"),
        node_port_addresses: blocks(node_ports),
        ..Config::default()
    });
    let addresses = strings(case, "nodeIPs")
        .map(|ip| NodeAddress { address: ip.into(), type_: "InternalIP".into() });
    let status = NodeStatus { addresses: addresses.collect(), ..NodeStatus::default() };
    let meta = ObjectMeta { name: "test-node".into(), ..ObjectMeta::default() };
    let (metadata, status) = (Arc::new(meta), Arc::new(status));
    proxy.set_node(&Node { metadata, status, ..Node::default() });
    for service in objects::<Service>(case, "services") {
        proxy.set_service(&service);
    }
    for slice in objects::<EndpointSlice>(case, "endpointSlices") {
        proxy.set_slice(slice);
    }
    proxy.sync(Instant::START);
    proxy
}

fn objects<K: Kind>(case: &Json, key: &str) -> Vec<Arc<K>> {
    let items = case.get(key).map(Json::items).unwrap_or_default();
    items.iter().map(object).collect()
}

/// Reads an object of a known kind.
fn object<K: Kind>(json: &Json) -> Arc<K> {
    let object = Object::decode(K::INFO, json.clone(), &mut Decode::new());
    object.arc().expect("the kind asked for")
}

/// The text at `key`, empty if there is none.
fn text<'j>(json: &'j Json, key: &str) -> &'j str {
    json.get(key).and_then(Json::as_str).unwrap_or("")
}

/// The texts in the list at `key`.
fn strings<'j>(json: &'j Json, key: &str) -> impl Iterator<Item = &'j str> {
    json.get(key).map(Json::items).unwrap_or_default().iter().filter_map(Json::as_str)
}
