//! `kubectl expose`.

use api::Json;

use super::create::{plain, submit};
use super::{Command, Outcome};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::DryRun;
use crate::look::{Look, object, put, scalar, texts};
use crate::text::output::{self, Format};

pub(crate) const COMMAND: Command = Command {
    name: "expose",
    brief: "Take a workload, Service or Pod and expose it as a new Service",
    usage: "kubectl expose TYPE NAME [--port=P] [--target-port=P] [--name=NAME] [--type=ClusterIP|NodePort|LoadBalancer]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("port"),
    text("target-port"),
    text("name"),
    text("type"),
    text("protocol"),
    text("selector"),
    text("labels").short('l'),
    text("cluster-ip"),
    text("external-ip"),
    text("load-balancer-ip"),
    text("session-affinity"),
    text("filename").short('f'),
    text("field-manager"),
    text("overrides"),
    switch("save-config"),
    text("output").short('o'),
    optional("dry-run", "unchanged"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let format = Format::parse(args.text("output"))?;
    let dry_run = DryRun::of(args)?;
    let targets = super::scale::named(cx, args)?;
    if targets.is_empty() {
        return fail("You must provide one or more resources by argument or filename.");
    }
    for target in &targets {
        let name = target.name.as_deref().unwrap_or("");
        let namespace = cx.namespace.clone();
        let current = cx.object(&target.kind, &namespace, name)?;
        let made = service(args, target.kind.kind, &current)?;
        let made = submit(cx, args, made, dry_run, "kubectl-expose")?;
        let text = output::changed(&format, &made, &dry_run.note("exposed"))?;
        cx.say(&text);
    }
    Ok(Outcome::Done)
}

fn service(args: &Args, kind: &str, from: &Json) -> Result<Json> {
    let pods = match kind {
        "Pod" => from.look("spec"),
        _ => from.look("spec.template.spec"),
    };
    let name = args.text("name").unwrap_or(from.text("metadata.name"));
    let selector = selector(args, kind, from)?;
    let target = args
        .text("target-port")
        .map(|text| text.parse::<i64>().map_or_else(|_| Json::from(text), Json::from));
    let protocol = args.text("protocol").unwrap_or("TCP");
    let given: Vec<(i64, String)> = match args.text("port") {
        Some(ports) => {
            let number = |text: &str| match text.parse() {
                Ok(number) => Ok((number, protocol.to_string())),
                Err(_) => fail(format!("strconv.Atoi: parsing \"{text}\": invalid syntax")),
            };
            ports.split(',').map(number).collect::<Result<_>>()?
        }
        None => {
            let list = match kind {
                "Service" => from.list("spec.ports").iter().collect::<Vec<_>>(),
                _ => pods.list("containers").iter().flat_map(|c| c.list("ports")).collect(),
            };
            let number = |port: &Json| port.int("containerPort").max(port.int("port"));
            let protocol =
                |port: &Json| port.look("protocol").as_str().unwrap_or("TCP").to_string();
            list.into_iter().map(|port| (number(port), protocol(port))).collect()
        }
    };
    if given.is_empty() {
        return fail("couldn't find port via --port flag or introspection");
    }
    let many = given.len() > 1;
    let ports = given.into_iter().enumerate().map(|(i, (number, protocol))| {
        let mut port = object([
            ("port", number.into()),
            ("protocol", protocol.into()),
            ("targetPort", target.clone().unwrap_or(Json::Int(number))),
        ]);
        if many {
            port.set("name", format!("port-{}", i + 1));
        }
        port
    });
    let mut made = plain("v1", "Service", name);
    let labels = match args.text("labels") {
        Some(text) => pairs(text)?,
        None => from.look("metadata.labels").clone(),
    };
    if !labels.fields().is_empty() {
        put(&mut made, "metadata.labels", labels);
    }
    put(&mut made, "spec.ports", Json::Array(ports.collect()));
    put(&mut made, "spec.selector", selector);
    for (flag, field) in [
        ("type", "type"),
        ("cluster-ip", "clusterIP"),
        ("load-balancer-ip", "loadBalancerIP"),
        ("session-affinity", "sessionAffinity"),
    ] {
        if let Some(value) = args.text(flag) {
            made.entry("spec").set(field, value);
        }
    }
    if let Some(ip) = args.text("external-ip") {
        put(&mut made, "spec.externalIPs", texts([ip]));
    }
    Ok(made)
}

fn selector(args: &Args, kind: &str, from: &Json) -> Result<Json> {
    if let Some(text) = args.text("selector") {
        return pairs(text);
    }
    match kind {
        "Pod" if from.look("metadata.labels").fields().is_empty() => fail(
            "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed",
        ),
        "Pod" => Ok(from.look("metadata.labels").clone()),
        "Service" | "ReplicationController" => Ok(from.look("spec.selector").clone()),
        "Deployment" | "ReplicaSet" => {
            if !from.list("spec.selector.matchExpressions").is_empty() {
                return fail(
                    "couldn't retrieve selectors via --selector flag or introspection: couldn't convert expressions",
                );
            }
            Ok(from.look("spec.selector.matchLabels").clone())
        }
        other => fail(format!("cannot expose a {}", scalar(&Json::from(other)))),
    }
}

/// `a=b,c=d`
pub(super) fn pairs(text: &str) -> Result<Json> {
    let mut pairs = Json::object();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some((key, value)) => pairs.set(key, value),
            None => return fail(format!("unexpected label spec: {part}")),
        }
    }
    Ok(pairs)
}
