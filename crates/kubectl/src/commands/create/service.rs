//! Generators of Services and Ingresses.

use api::Json;

use super::plain;
use crate::failure::{Result, fail};
use crate::flags::Args;
use crate::look::{Look, object, put};

/// `create service TYPE NAME`; gives the object and how its failure begins.
pub(super) fn service<'a>(
    args: &Args,
    sub: &str,
    name: impl Fn() -> Result<&'a str>,
) -> Result<(Json, &'static str)> {
    let (kind, failed) = match sub {
        "clusterip" => ("ClusterIP", "failed to create ClusterIP service:"),
        "nodeport" => ("NodePort", "failed to create NodePort service:"),
        "loadbalancer" => ("LoadBalancer", "failed to create LoadBalancer service:"),
        "externalname" => ("ExternalName", "failed to create ExternalName service:"),
        _ => {
            return fail(
                "must specify one of the service types: clusterip, externalname, loadbalancer, nodeport",
            );
        }
    };
    let name = name()?;
    let mut ports = Vec::new();
    for text in args.all("tcp").iter().flat_map(|list| list.split(',')) {
        ports.push(port(text, args.int("node-port")?, kind == "NodePort")?);
    }
    let is_headless = args.text("clusterip") == Some("None");
    if ports.is_empty() && kind != "ExternalName" && !is_headless {
        return fail("at least one tcp port specifier must be provided");
    }
    let mut made = plain("v1", "Service", name);
    let labels = object([("app", name.into())]);
    put(&mut made, "metadata.labels", labels.clone());
    if !ports.is_empty() {
        put(&mut made, "spec.ports", Json::Array(ports));
    }
    put(&mut made, "spec.selector", labels);
    put(&mut made, "spec.type", kind);
    if let Some(ip) = args.text("clusterip") {
        put(&mut made, "spec.clusterIP", ip);
    }
    if kind == "ExternalName" {
        let Some(host) = args.text("external-name") else {
            return fail("required flag(s) \"external-name\" not set");
        };
        put(&mut made, "spec.externalName", host);
    }
    Ok((made, failed))
}

/// `PORT[:TARGET]`
fn port(text: &str, node_port: Option<i64>, is_node_port: bool) -> Result<Json> {
    let (port, target) = text.split_once(':').unwrap_or((text, text));
    let Ok(number) = port.parse::<i64>() else {
        return fail(format!("invalid port: {port}"));
    };
    let target = target.parse::<i64>().map_or_else(|_| Json::from(target), Json::from);
    let mut made = object([
        ("name", text.replace(':', "-").into()),
        ("port", number.into()),
        ("protocol", "TCP".into()),
        ("targetPort", target),
    ]);
    if let Some(number) = node_port.filter(|n| is_node_port && *n != 0) {
        made.set("nodePort", number);
    }
    Ok(made)
}

/// `create ingress NAME --rule=HOST/PATH[*]=SERVICE:PORT[,tls[=SECRET]]`
pub(super) fn ingress(args: &Args, name: &str) -> Result<Json> {
    let mut made = plain("networking.k8s.io/v1", "Ingress", name);
    for annotation in args.all("annotation") {
        let (key, value) = super::pair(annotation, "annotation")?;
        made.entry("metadata").entry("annotations").set(key, value);
    }
    if let Some(class) = args.text("class") {
        put(&mut made, "spec.ingressClassName", class);
    }
    if let Some(text) = args.text("default-backend") {
        put(&mut made, "spec.defaultBackend", backend(text)?);
    }
    let rules = args.all("rule");
    if rules.is_empty() && !args.has("default-backend") {
        return fail(
            "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)",
        );
    }
    let (mut hosts, mut secrets): (Vec<(String, Vec<Json>)>, Vec<Json>) = Default::default();
    for rule in rules {
        let (rule, tls) = match rule.split_once(",tls") {
            Some((rule, tls)) => (rule, Some(tls.strip_prefix('=').unwrap_or(""))),
            None => (rule, None),
        };
        let Some((place, target)) = rule.split_once('=') else {
            return fail(format!(
                "rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
            ));
        };
        let (host, path) = place.split_once('/').unwrap_or((place, ""));
        let (path, kind) = match path.strip_suffix('*') {
            Some(path) => (format!("/{path}"), "Prefix"),
            None => (format!("/{path}"), "Exact"),
        };
        let path = object([
            ("backend", backend(target)?),
            ("path", path.into()),
            ("pathType", kind.into()),
        ]);
        match hosts.iter_mut().find(|(known, _)| known == host) {
            Some((_, paths)) => paths.push(path),
            None => hosts.push((host.to_string(), vec![path])),
        }
        if let Some(secret) = tls {
            let mut entry = Json::object();
            if !host.is_empty() {
                entry.set("hosts", Json::Array(vec![host.into()]));
            }
            if !secret.is_empty() {
                entry.set("secretName", secret);
            }
            secrets.push(entry);
        }
    }
    if !secrets.is_empty() {
        put(&mut made, "spec.tls", Json::Array(secrets));
    }
    let rules = hosts.into_iter().map(|(host, paths)| {
        let mut rule = Json::object();
        if !host.is_empty() {
            rule.set("host", host);
        }
        put(&mut rule, "http.paths", Json::Array(paths));
        rule
    });
    let rules: Vec<Json> = rules.collect();
    if !rules.is_empty() {
        put(&mut made, "spec.rules", Json::Array(rules));
    }
    debug_assert!(made.has("spec"));
    Ok(made)
}

/// `SERVICE:PORT`
fn backend(text: &str) -> Result<Json> {
    let Some((service, port)) = text.split_once(':') else {
        return fail(format!("{text} is invalid and should be in format svcname:svcport"));
    };
    let port = match port.parse::<i64>() {
        Ok(number) => object([("number", number.into())]),
        Err(_) => object([("name", port.into())]),
    };
    Ok(object([("service", object([("name", service.into()), ("port", port)]))]))
}
