//! `kubectl api-resources`, `api-versions` and `cluster-info`.

use std::fmt::Write as _;

use api::Json;

use super::{Command, Outcome};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, switch, text};
use crate::look::{Look, scalar};
use crate::resource;
use crate::text::tab::Tabs;

pub(crate) const RESOURCES: Command = Command {
    name: "api-resources",
    brief: "Print the supported API resources on the server",
    usage: "kubectl api-resources [--api-group=GROUP] [--namespaced=true|false] [--verbs=list,get] [-o name|wide]",
    flags: &[
        text("api-group"),
        switch("namespaced"),
        text("verbs"),
        text("categories"),
        text("sort-by"),
        switch("no-headers"),
        switch("cached"),
        text("output").short('o'),
    ],
    run: resources,
};

pub(crate) const VERSIONS: Command = Command {
    name: "api-versions",
    brief: "Print the supported API versions on the server",
    usage: "kubectl api-versions",
    flags: NO_FLAGS,
    run: versions,
};

pub(crate) const INFO: Command = Command {
    name: "cluster-info",
    brief: "Display cluster information",
    usage: "kubectl cluster-info",
    flags: NO_FLAGS,
    run: info,
};

const NO_FLAGS: &[Flag] = &[];

/// The group versions that clients prefer, in the order of discovery; the core group first.
fn preferred(cx: &mut Cx<'_>) -> Result<Vec<String>> {
    let groups = cx.get("/apis")?;
    let mut all = vec!["v1".to_string()];
    all.extend(
        groups.list("groups").iter().map(|g| g.text("preferredVersion.groupVersion").to_string()),
    );
    Ok(all)
}

struct Row {
    group_version: String,
    resource: Json,
}

fn resources(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let mut rows = Vec::new();
    for group_version in preferred(cx)? {
        let group = group_version.split_once('/').map_or("", |(group, _)| group);
        if args.text("api-group").is_some_and(|wanted| wanted != group) {
            continue;
        }
        let path = match group {
            "" => format!("/api/{group_version}"),
            _ => format!("/apis/{group_version}"),
        };
        for resource in cx.get(&path)?.list("resources") {
            let has_all = |flag: &str, field: &str| {
                let have: Vec<&str> =
                    resource.list(field).iter().filter_map(Json::as_str).collect();
                args.text(flag).is_none_or(|list| list.split(',').all(|word| have.contains(&word)))
            };
            let is_asked = !resource.text("name").contains('/')
                && !resource.list("verbs").is_empty()
                && has_all("verbs", "verbs")
                && has_all("categories", "categories")
                && (!args.has("namespaced") || resource.is("namespaced") == args.is("namespaced"));
            if is_asked {
                let resource = resource.clone();
                rows.push(Row { group_version: group_version.clone(), resource });
            }
        }
    }
    let group_of =
        |row: &Row| row.group_version.split_once('/').map_or(String::new(), |(g, _)| g.to_string());
    match args.text("sort-by") {
        Some("name") => {
            base::sort::by_cached_key(&mut rows, |row| row.resource.text("name").to_string())
        }
        Some("kind") => {
            base::sort::by_cached_key(&mut rows, |row| row.resource.text("kind").to_string())
        }
        None | Some("") => {
            base::sort::by_cached_key(&mut rows, |row| {
                (group_of(row), row.resource.text("name").to_string())
            });
        }
        Some(_) => return fail("--sort-by accepts only name or kind"),
    }
    let text = match args.text("output") {
        Some("name") => rows
            .iter()
            .map(|row| match group_of(row).as_str() {
                "" => format!("{}\n", row.resource.text("name")),
                group => format!("{}.{group}\n", row.resource.text("name")),
            })
            .collect(),
        None | Some("" | "wide") => {
            table(&rows, args.text("output") == Some("wide"), !args.is("no-headers"))
        }
        Some(other) => return fail(format!("--output {other} is not available")),
    };
    cx.say(&text);
    Ok(Outcome::Done)
}

fn table(rows: &[Row], wide: bool, headers: bool) -> String {
    let mut text = String::new();
    if headers {
        text.push_str("NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND");
        text.push_str(if wide { "\tVERBS\tCATEGORIES\n" } else { "\n" });
    }
    for Row { group_version, resource } in rows {
        let joined =
            |field: &str| resource.list(field).iter().map(scalar).collect::<Vec<_>>().join(",");
        let _ = write!(
            text,
            "{}\t{}\t{group_version}\t{}\t{}",
            resource.text("name"),
            joined("shortNames"),
            resource.is("namespaced"),
            resource.text("kind")
        );
        if wide {
            let _ = write!(text, "\t{}\t{}", joined("verbs"), joined("categories"));
        }
        text.push('\n');
    }
    Tabs::get().align(&text)
}

fn versions(cx: &mut Cx<'_>, _args: &Args) -> Result<Outcome> {
    let groups = cx.get("/apis")?;
    let mut all: Vec<String> = groups
        .list("groups")
        .iter()
        .flat_map(|group| group.list("versions"))
        .map(|version| version.text("groupVersion").to_string())
        .collect();
    all.push("v1".into());
    base::sort::naturally(&mut all);
    cx.say(&(all.join("\n") + "\n"));
    Ok(Outcome::Done)
}

fn info(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    if args.words.first().is_some_and(|word| word == "dump") {
        return fail(
            "cluster-info dump is not part of this terminal; use `kubectl get all -A -o yaml`",
        );
    }
    let versions = cx.get("/api")?;
    let address = versions
        .list("serverAddressByClientCIDRs")
        .first()
        .map_or("", |entry| entry.text("serverAddress"));
    let url = format!("https://{address}");
    cx.say(&format!("Kubernetes control plane is running at {url}\n"));
    let services = resource::known("services");
    let query = [("labelSelector", "kubernetes.io/cluster-service=true")];
    for service in cx.list(&services, "kube-system", &query)? {
        let name = service.text("metadata.name");
        let labels = service.look("metadata.labels");
        let shown = labels.get("kubernetes.io/name").and_then(Json::as_str).unwrap_or(name);
        let port = service.list("spec.ports").first();
        let port = match port.map_or("", |port| port.text("name")) {
            "" => String::new(),
            port => format!(":{port}"),
        };
        let path = resource::path(&services, "kube-system", name);
        cx.say(&format!("{shown} is running at {url}{path}{port}/proxy\n"));
    }
    cx.say("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n");
    Ok(Outcome::Done)
}
