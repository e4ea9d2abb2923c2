//! `kubectl events`.

use std::fmt::Write as _;

use api::Json;

use super::watch::Watch;
use super::{Command, Follow, Outcome, Pause};
use crate::cx::{Cx, JSON};
use crate::describe;
use crate::failure::{Failure, Result};
use crate::flags::{Args, Flag, switch, text};
use crate::look::Look;
use crate::resource;
use crate::server::Server;
use crate::text::human;
use crate::text::output::Format;
use crate::text::tab::Tabs;

pub(crate) const COMMAND: Command = Command {
    name: "events",
    brief: "List events",
    usage: "kubectl events [--for=TYPE/NAME] [--types=Normal,Warning] [-A] [-w]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    switch("all-namespaces").short('A'),
    text("for"),
    text("types"),
    switch("watch").short('w'),
    switch("no-headers"),
    text("output").short('o'),
    text("chunk-size"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let format = Format::parse(args.text("output"))?;
    let all = args.is("all-namespaces");
    let namespace = if all { Default::default() } else { cx.namespace.clone() };
    let mut fields = Vec::new();
    if let Some(word) = args.text("for") {
        let target = resource::targets(cx, &[word.to_string()])?.remove(0);
        fields.push(format!("involvedObject.kind={}", target.kind.kind));
        fields.push(format!("involvedObject.name={}", target.name.unwrap_or_default()));
    }
    let fields = fields.join(",");
    let kind = resource::known("events");
    let path = resource::path(&kind, &namespace, "");
    let path = resource::with_query(&path, &[("fieldSelector", &fields)]);
    let list = cx.get(&path)?;
    let types: Vec<String> = args
        .text("types")
        .unwrap_or("")
        .split(',')
        .filter(|t| !t.is_empty())
        .map(str::to_string)
        .collect();
    let wanted = |e: &&Json| {
        types.is_empty() || types.iter().any(|t| t.eq_ignore_ascii_case(e.text("type")))
    };
    let mut events: Vec<Json> = list.list("items").iter().filter(wanted).cloned().collect();
    base::sort::by_cached_key(&mut events, |event| {
        human::instant(event.look("lastTimestamp")).or(human::instant(event.look("eventTime")))
    });
    if !format.is_table() {
        for event in &mut events {
            event.set("apiVersion", "v1");
            event.set("kind", "Event");
        }
        super::get::print(cx, args, events, &format, false)?;
        return Ok(Outcome::Done);
    }
    if events.is_empty() && !args.is("watch") {
        let text = match all {
            true => "No events found.\n".to_string(),
            false => format!("No events found in {namespace} namespace.\n"),
        };
        cx.say(&text);
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    if !args.is("no-headers") {
        let first = if all { "NAMESPACE\t" } else { "" };
        let _ = writeln!(text, "{first}LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE");
    }
    for event in &events {
        row(cx, event, all, &mut text);
    }
    let mut tabs = Tabs::get();
    let text = tabs.align(&text);
    cx.say(&text);
    if !args.is("watch") {
        return Ok(Outcome::Done);
    }
    let watch = Watch::open(cx, &path, list.text("metadata.resourceVersion"), JSON)?;
    Ok(Outcome::Follow(Box::new(Watching { watch, tabs, all, types })))
}

fn row(cx: &Cx<'_>, event: &Json, all: bool, out: &mut String) {
    if all {
        let _ = write!(out, "{}\t", event.text("metadata.namespace"));
    }
    let object =
        format!("{}/{}", event.text("involvedObject.kind"), event.text("involvedObject.name"));
    let _ = writeln!(
        out,
        "{}\t{}\t{}\t{object}\t{}",
        describe::interval(cx, event),
        event.text("type"),
        event.text("reason"),
        event.text("message").trim().replace(['\n', '\t'], " ")
    );
}

/// `events -w`
#[derive(Clone, Debug)]
struct Watching {
    watch: Watch,
    tabs: Tabs,
    all: bool,
    types: Vec<String>,
}

impl Follow for Watching {
    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Pause> {
        let mut text = String::new();
        for event in self.watch.events(cx.server) {
            match event.change.as_str() {
                "BOOKMARK" | "DELETED" => continue,
                "ERROR" => return Err(Failure::Status(Box::new(event.object))),
                _ => {}
            }
            let kind = event.object.text("type");
            if self.types.is_empty() || self.types.iter().any(|t| t.eq_ignore_ascii_case(kind)) {
                row(cx, &event.object, self.all, &mut text);
            }
        }
        if !text.is_empty() {
            let text = self.tabs.align(&text);
            cx.say(&text);
        }
        Ok(if cx.out.is_full() { Pause::Over } else { Pause::Events })
    }

    fn close(&mut self, server: &mut dyn Server) {
        self.watch.close(server);
    }

    fn copy(&self) -> Box<dyn Follow> {
        Box::new(self.clone())
    }
}
