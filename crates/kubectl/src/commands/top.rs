//! `kubectl top`.

use std::fmt::Write as _;

use api::{Json, Quantity};

use super::{Command, Outcome};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, switch, text};
use crate::look::{Look, scalar};
use crate::resource;
use crate::text::tab::Tabs;

pub(crate) const COMMAND: Command = Command {
    name: "top",
    brief: "Display resource (CPU/memory) usage",
    usage: "kubectl top node|pod [NAME] [-l LABELS] [-A] [--containers] [--sort-by=cpu|memory]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("selector").short('l'),
    text("field-selector"),
    switch("all-namespaces").short('A'),
    switch("containers"),
    switch("no-headers"),
    text("sort-by"),
    switch("sum"),
    switch("show-capacity"),
];

const METRICS: &str = "/apis/metrics.k8s.io/v1beta1";

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    match args.words.first().map(String::as_str) {
        Some("node" | "nodes" | "no") => nodes(cx, args),
        Some("pod" | "pods" | "po") => pods(cx, args),
        None => super::help::of(cx, &COMMAND),
        Some(other) => fail(format!("unknown command \"{other}\" for \"kubectl top\"")),
    }
}

/// The measurements at a path; without a metrics server there are none.
fn measured(cx: &mut Cx<'_>, args: &Args, collection: &str) -> Result<Vec<Json>> {
    let name = args.words.get(1).map(|name| format!("/{name}")).unwrap_or_default();
    let query = [("labelSelector", args.text("selector").unwrap_or(""))];
    if cx.get(METRICS).is_err() {
        return fail("Metrics API not available");
    }
    let answer = cx.get(&resource::with_query(&format!("{collection}{name}"), &query))?;
    let mut items = match answer.look("items").as_array() {
        Some(items) => items.to_vec(),
        None => vec![answer],
    };
    match args.text("sort-by") {
        Some("cpu") => base::sort::by_key(&mut items, |item| -usage(item, "cpu").milli_value()),
        Some("memory") => base::sort::by_key(&mut items, |item| -usage(item, "memory").value()),
        _ => base::sort::by_cached_key(&mut items, |item| {
            (item.text("metadata.namespace").to_string(), item.text("metadata.name").to_string())
        }),
    }
    Ok(items)
}

/// The usage of a node, a container, or all containers of a pod.
fn usage(item: &Json, resource: &str) -> Quantity {
    let read = |usage: &Json| Quantity::parse(usage.text(resource)).unwrap_or(Quantity::ZERO);
    if item.has("usage") {
        return read(item.look("usage"));
    }
    let mut sum = Quantity::ZERO;
    item.list("containers").iter().for_each(|c| sum.add(&read(c.look("usage"))));
    sum
}

fn amounts(item: &Json) -> (i64, i64) {
    (usage(item, "cpu").milli_value(), usage(item, "memory").value())
}

fn nodes(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let items = measured(cx, args, &format!("{METRICS}/nodes"))?;
    let nodes = cx.list(&resource::known("nodes"), "", &[])?;
    let mut text = String::new();
    if !args.is("no-headers") {
        text.push_str("NAME\tCPU(cores)\tCPU(%)\tMEMORY(bytes)\tMEMORY(%)\n");
    }
    for item in &items {
        let name = item.text("metadata.name");
        let (cpu, memory) = amounts(item);
        let node = nodes.iter().find(|node| node.text("metadata.name") == name);
        let total = |key: &str| {
            let text = node.map(|node| scalar(node.look("status.allocatable").look(key)));
            Quantity::parse(&text.unwrap_or_default()).unwrap_or(Quantity::ZERO)
        };
        let share = |used: i64, total: i64| if total > 0 { used * 100 / total } else { 0 };
        let _ = writeln!(
            text,
            "{name}\t{cpu}m\t{}%\t{}Mi\t{}%",
            share(cpu, total("cpu").milli_value()),
            memory >> 20,
            share(memory, total("memory").value())
        );
    }
    cx.say(&Tabs::get().align(&text));
    Ok(Outcome::Done)
}

fn pods(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let all = args.is("all-namespaces");
    let path = match all {
        true => format!("{METRICS}/pods"),
        false => format!("{METRICS}/namespaces/{}/pods", cx.namespace),
    };
    let items = measured(cx, args, &path)?;
    if items.is_empty() {
        super::get::say_empty(cx, !all);
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    if !args.is("no-headers") {
        text.push_str(if all { "NAMESPACE\t" } else { "" });
        text.push_str(if args.is("containers") { "POD\tNAME\t" } else { "NAME\t" });
        text.push_str("CPU(cores)\tMEMORY(bytes)\n");
    }
    for item in &items {
        let place =
            if all { format!("{}\t", item.text("metadata.namespace")) } else { String::new() };
        let name = item.text("metadata.name");
        let parts: Vec<(String, &Json)> = match args.is("containers") {
            true => item
                .list("containers")
                .iter()
                .map(|c| (format!("{name}\t{}", c.text("name")), c))
                .collect(),
            false => vec![(name.to_string(), item)],
        };
        for (label, part) in parts {
            let (cpu, memory) = amounts(part);
            let _ = writeln!(text, "{place}{label}\t{cpu}m\t{}Mi", memory >> 20);
        }
    }
    cx.say(&Tabs::get().align(&text));
    Ok(Outcome::Done)
}
