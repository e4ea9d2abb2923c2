//! `kubectl get`: one or many resources, as a table or as documents.
//!
//! Known deviations:
//! - `--raw`, `-o go-template`, `--chunk-size` other than the default, and `--subresource` are partial: only `--raw`
//!   of a GET and the subresources `status` and `scale` are answered.

use api::Json;

use super::watch::Watch;
use super::{Command, Follow, Outcome, Pause};
use crate::cx::{CHUNK, Cx, JSON, OBJECTS_MAX, TABLE, unable};
use crate::failure::{Failure, Result, usage};
use crate::flags::{Args, Flag, switch, text};
use crate::look::{Look, object};
use crate::resource::{self, Kind, Target};
use crate::server::Server;
use crate::text::output::{self, Format};
use crate::text::sort;
use crate::text::table::{Options, Printer};

pub(crate) const COMMAND: Command = Command {
    name: "get",
    brief: "Display one or many resources",
    usage: "kubectl get TYPE[,TYPE] [NAME...] [-l LABELS] [-o wide|yaml|json|name|jsonpath=...|custom-columns=...] [-w]\n\
            kubectl get TYPE/NAME ...",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("output").short('o'),
    switch("all-namespaces").short('A'),
    text("selector").short('l'),
    text("field-selector"),
    switch("watch").short('w'),
    switch("watch-only"),
    switch("output-watch-events"),
    switch("show-labels"),
    switch("show-kind"),
    switch("show-managed-fields"),
    text("label-columns").short('L'),
    switch("no-headers"),
    text("sort-by"),
    switch("ignore-not-found"),
    text("raw"),
    text("chunk-size"),
    text("subresource"),
    switch("server-print"),
    switch("allow-missing-template-keys"),
    text("filename").short('f'),
];

const HINT: &str = "You must specify the type of resource to get. Use \"kubectl api-resources\" for \
    a complete list of supported resources.\n\n";

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    if let Some(path) = args.text("raw") {
        let text = cx.raw(path)?;
        cx.say(&text);
        return Ok(Outcome::Done);
    }
    let format = Format::parse(args.text("output"))?;
    if args.has("filename") {
        return of_files(cx, args, &format);
    }
    if args.words.is_empty() {
        cx.say(HINT);
        return usage(
            "get",
            "Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed \
             description of that resource (e.g. kubectl explain pods).",
        );
    }
    let targets = resource::targets(cx, &args.words)?;
    check(args, &targets)?;
    if args.is("watch") || args.is("watch-only") {
        return watch(cx, args, &targets, format);
    }
    match &format {
        Format::Table { wide } => tables(cx, args, &targets, *wide),
        format => documents(cx, args, &targets, format),
    }
}

/// `get -f`: the objects that a manifest names.
fn of_files(cx: &mut Cx<'_>, args: &Args, format: &Format) -> Result<Outcome> {
    let (loaded, failures) = crate::load::load(cx, args)?;
    let named = loaded
        .into_iter()
        .map(|l| Target { kind: l.kind, name: Some(l.name.into()) })
        .collect::<Vec<_>>();
    for failure in &failures {
        let text = failure.text();
        cx.say(&text);
    }
    match format {
        Format::Table { wide } => tables(cx, args, &named, *wide),
        format => documents(cx, args, &named, format),
    }
}

fn check(args: &Args, targets: &[Target]) -> Result<()> {
    let is_named = targets.iter().any(|target| target.name.is_some());
    if is_named && args.is("all-namespaces") {
        return crate::failure::fail(
            "a resource cannot be retrieved by name across all namespaces",
        );
    }
    if is_named && args.has("selector") {
        return crate::failure::fail("name cannot be provided when a selector is specified");
    }
    Ok(())
}

/// The namespace of a kind's requests: empty for all of them.
fn scope(cx: &Cx<'_>, args: &Args) -> String {
    if args.is("all-namespaces") { String::new() } else { cx.namespace.to_string() }
}

fn path_of(cx: &Cx<'_>, args: &Args, target: &Target) -> String {
    let mut path =
        resource::path(&target.kind, &scope(cx, args), target.name.as_deref().unwrap_or(""));
    if let Some(subresource) = args.text("subresource") {
        path = format!("{path}/{subresource}");
    }
    let query = match target.name {
        Some(_) => vec![],
        None => vec![
            ("labelSelector", args.text("selector").unwrap_or("")),
            ("fieldSelector", args.text("field-selector").unwrap_or("")),
        ],
    };
    resource::with_query(&path, &query)
}

fn options(args: &Args, wide: bool) -> Options {
    let label_columns = args.all("label-columns");
    Options {
        wide,
        no_headers: args.is("no-headers"),
        namespaces: false,
        show_labels: args.is("show-labels"),
        label_columns: label_columns
            .iter()
            .flat_map(|list| list.split(','))
            .map(str::to_string)
            .collect(),
        prefix: None,
        events: args.is("output-watch-events"),
    }
}

/// All pages of a list; each is given to `page` as it comes.
fn pages(
    cx: &mut Cx<'_>,
    kind: Kind,
    path: &str,
    is_list: bool,
    accept: &str,
    mut page: impl FnMut(&mut Cx<'_>, Json) -> bool,
) -> Result<()> {
    if !is_list {
        let answer = cx.request("GET", path, None, accept)?;
        page(cx, answer);
        return Ok(());
    }
    let mut token = String::new();
    let limit = CHUNK.to_string();
    loop {
        let path = resource::with_query(path, &[("limit", &limit), ("continue", &token)]);
        let answer = cx.request("GET", &path, None, accept);
        let answer = answer.map_err(|failure| unable(failure, &kind, &path))?;
        let next = answer.text("metadata.continue").to_string();
        let goes_on = page(cx, answer);
        if next.is_empty() || next == token || cx.out.is_full() || !goes_on {
            return Ok(());
        }
        token = next;
    }
}

fn tables(cx: &mut Cx<'_>, args: &Args, targets: &[Target], wide: bool) -> Result<Outcome> {
    let mut groups: Vec<(Kind, Vec<&Target>)> = Vec::new();
    for target in targets {
        match groups.last_mut() {
            Some((kind, group)) if *kind == target.kind => group.push(target),
            _ => groups.push((target.kind, vec![target])),
        }
    }
    let many = groups.len() > 1;
    let (mut printed, mut failures) = (false, Vec::new());
    for (kind, group) in &groups {
        let mut set = options(args, wide);
        set.namespaces = args.is("all-namespaces") && kind.namespaced;
        set.prefix = (many || args.is("show-kind")).then(|| kind.word());
        let mut printer = Printer::new(set);
        let mut rows = Vec::new();
        for target in group {
            let is_list = target.name.is_none();
            let sorted = args.has("sort-by");
            // Objects asked for by name share their columns.
            let gathered = sorted || group.len() > 1;
            let mut path = path_of(cx, args, target);
            if sorted {
                path = resource::with_query(&path, &[("includeObject", "Object")]);
            }
            let mut first = true;
            let outcome = pages(cx, *kind, &path, is_list, TABLE, |cx, mut table| {
                let has_rows = !table.list("rows").is_empty();
                if gathered {
                    rows.append(&mut take_rows(&mut table));
                    if rows.len() <= CHUNK {
                        printer.columns_of(&table);
                    }
                } else if has_rows {
                    if first && printed && many && !printer.is_started() {
                        cx.say("\n");
                    }
                    first = false;
                    printed = true;
                    let text = printer.print(&table, "");
                    cx.say(&text);
                }
                rows.len() < OBJECTS_MAX
            });
            match outcome {
                Ok(()) => {}
                Err(failure) if failure.is_not_found() && args.is("ignore-not-found") => {
                    printed = true;
                }
                Err(failure) => failures.push(failure),
            }
        }
        if !rows.is_empty() {
            if let Some(path) = args.text("sort-by") {
                sort::sort(&mut rows, path, |row| row.look("object"))?;
            }
            if printed && many {
                cx.say("\n");
            }
            printed = true;
            let mut table = Json::object();
            table.set("rows", Json::Array(rows));
            let text = printer.print(&table, "");
            cx.say(&text);
        }
    }
    if !printed && failures.is_empty() && !args.is("ignore-not-found") {
        let namespaced = groups.iter().any(|(kind, _)| kind.namespaced);
        say_empty(cx, namespaced && !args.is("all-namespaces"));
    }
    end(cx, failures)
}

fn take_rows(table: &mut Json) -> Vec<Json> {
    table.entry("rows").as_array_mut().map(std::mem::take).unwrap_or_default()
}

pub(crate) fn say_empty(cx: &mut Cx<'_>, in_namespace: bool) {
    let text = if in_namespace {
        format!("No resources found in {} namespace.\n", cx.namespace)
    } else {
        "No resources found\n".to_string()
    };
    cx.say(&text);
}

/// Prints failures; the command then ends with code 1.
pub(crate) fn end(cx: &mut Cx<'_>, failures: Vec<Failure>) -> Result<Outcome> {
    if failures.is_empty() {
        return Ok(Outcome::Done);
    }
    for failure in &failures {
        let text = failure.text();
        cx.say(&text);
    }
    Err(Failure::Code(1))
}

fn documents(cx: &mut Cx<'_>, args: &Args, targets: &[Target], format: &Format) -> Result<Outcome> {
    let (mut objects, mut failures) = (Vec::<Json>::new(), Vec::new());
    for target in targets {
        let path = path_of(cx, args, target);
        let (version, kind) = (target.kind.api_version(), target.kind.kind);
        let outcome =
            pages(cx, target.kind, &path, target.name.is_none(), JSON, |_, mut answer| {
                let Some(items) = answer.get_mut("items").and_then(Json::as_array_mut) else {
                    objects.push(answer);
                    return true;
                };
                for item in std::mem::take(items) {
                    let mut whole = match format {
                        Format::Name if !args.has("sort-by") => {
                            let name = item.text("metadata.name");
                            object([("metadata", object([("name", name.into())]))])
                        }
                        _ => item,
                    };
                    whole.set("apiVersion", version.clone());
                    whole.set("kind", kind);
                    objects.push(whole);
                }
                objects.len() < OBJECTS_MAX || matches!(format, Format::Name)
            });
        match outcome {
            Ok(()) => {}
            Err(failure) if failure.is_not_found() && args.is("ignore-not-found") => {}
            Err(failure) => failures.push(failure),
        }
    }
    if !args.is("show-managed-fields") {
        objects.iter_mut().for_each(output::without_managed_fields);
    }
    if let Some(path) = args.text("sort-by") {
        sort::sort(&mut objects, path, |object| object)?;
    }
    let single = targets.len() == 1 && targets[0].name.is_some();
    if objects.is_empty() && (!failures.is_empty() || single) {
        return end(cx, failures);
    }
    print(cx, args, objects, format, single)?;
    end(cx, failures)
}

/// Prints whole objects.
pub(crate) fn print(
    cx: &mut Cx<'_>,
    args: &Args,
    objects: Vec<Json>,
    format: &Format,
    single: bool,
) -> Result<()> {
    let text = match format {
        Format::Name => objects.iter().map(|o| format!("{}\n", output::name_of(o))).collect(),
        Format::Columns(columns) => columns.print(&objects, !args.is("no-headers"))?,
        Format::Json => output::document(&output::gather(objects, single), false),
        Format::Yaml => output::document(&output::gather(objects, single), true),
        Format::JsonPath(template) => match template.print(&output::gather(objects, single)) {
            Ok(text) => text,
            Err(why) => return crate::failure::fail(format!("error executing jsonpath: {why}")),
        },
        Format::Table { .. } => String::new(),
    };
    cx.say(&text);
    Ok(())
}

fn watch(cx: &mut Cx<'_>, args: &Args, targets: &[Target], format: Format) -> Result<Outcome> {
    let [target] = targets else {
        return crate::failure::fail("you may only specify a single resource type");
    };
    let mut all = target.clone();
    let name = all.name.take();
    let mut path = path_of(cx, args, &all);
    if let Some(name) = &name {
        // The object has to be there; then it is watched by its name.
        cx.object(&target.kind, &cx.namespace.clone(), name)?;
        let field = format!("metadata.name={name}");
        path = resource::with_query(
            &resource::path(&target.kind, &scope(cx, args), ""),
            &[("fieldSelector", &field)],
        );
    }
    let wide = matches!(format, Format::Table { wide: true });
    let mut set = options(args, wide);
    set.namespaces = args.is("all-namespaces") && target.kind.namespaced;
    set.prefix = args.is("show-kind").then(|| target.kind.word());
    let accept = if format.is_table() { TABLE } else { JSON };
    let list = cx.request("GET", &path, None, accept)?;
    let revision = list.text("metadata.resourceVersion").to_string();
    let mut follow = Watching { watch: None, printer: Printer::new(set), format };
    if !args.is("watch-only") {
        if follow.format.is_table() {
            if !list.list("rows").is_empty() {
                let text = follow.printer.print(&list, "ADDED");
                cx.say(&text);
            }
        } else {
            for item in list.list("items") {
                let mut item = item.clone();
                item.set("apiVersion", target.kind.api_version());
                item.set("kind", target.kind.kind);
                follow.show(cx, "ADDED", &item)?;
            }
        }
    }
    follow.watch = Some(Watch::open(cx, &path, &revision, accept)?);
    Ok(Outcome::Follow(Box::new(follow)))
}

/// `get -w`
#[derive(Clone, Debug)]
struct Watching {
    watch: Option<Watch>,
    printer: Printer,
    format: Format,
}

impl Watching {
    fn show(&mut self, cx: &mut Cx<'_>, change: &str, object: &Json) -> Result<()> {
        if self.format.is_table() {
            let text = self.printer.print(object, change);
            cx.say(&text);
            return Ok(());
        }
        let mut object = object.clone();
        output::without_managed_fields(&mut object);
        let text = match &self.format {
            Format::Yaml => format!("---\n{}", output::document(&object, true)),
            format => {
                let mut text = output::changed(format, &object, "")?;
                if matches!(format, Format::JsonPath(_)) && !text.ends_with('\n') {
                    text.push('\n');
                }
                text
            }
        };
        cx.say(&text);
        Ok(())
    }
}

impl Follow for Watching {
    fn step(&mut self, cx: &mut Cx<'_>) -> Result<Pause> {
        let Some(watch) = &self.watch else { return Ok(Pause::Over) };
        for event in watch.events(cx.server) {
            match event.change.as_str() {
                "BOOKMARK" => {}
                "ERROR" => return Err(Failure::Status(Box::new(event.object))),
                change => self.show(cx, change, &event.object)?,
            }
        }
        if cx.out.is_full() {
            return Ok(Pause::Over);
        }
        Ok(Pause::Events)
    }

    fn close(&mut self, server: &mut dyn Server) {
        if let Some(watch) = &mut self.watch {
            watch.close(server);
        }
    }

    fn copy(&self) -> Box<dyn Follow> {
        Box::new(self.clone())
    }
}
