//! `cargo xtask bench`: how fast pods are scheduled and run, natively or in Chromium.

use anyhow::Result;
use lexopt::prelude::*;

use crate::server::{Server, Site};
use crate::{build, process, tools};

/// The sizes of the README's tables.
const SIZES: [(u32, u32); 5] =
    [(10, 100), (50, 1_000), (100, 3_000), (500, 5_000), (1_000, 30_000)];

/// Creates the nodes and pods, waits until all run, and prints the figures; of several sizes as a table.
pub fn run(mut args: lexopt::Parser) -> Result<()> {
    let (mut nodes, mut pods, mut browser, mut json) = (None, None, false, false);
    while let Some(arg) = args.next()? {
        match arg {
            Long("browser") => browser = true,
            Long("json") => json = true,
            Long("nodes") => nodes = Some(args.value()?.parse::<u32>()?),
            Long("pods") => pods = Some(args.value()?.parse::<u32>()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let sizes = match (nodes, pods) {
        (None, None) => SIZES.to_vec(),
        (nodes, pods) => vec![(nodes.unwrap_or(100), pods.unwrap_or(1_000))],
    };
    if browser {
        return in_chromium(&sizes);
    }
    let mut orrery = process::cargo(["run", "--quiet", "--release", "--package", "orrery", "--"]);
    orrery.arg("bench");
    if let [(nodes, pods)] = sizes[..] {
        orrery.args(["scale", "--nodes", &nodes.to_string(), "--pods", &pods.to_string()]);
        orrery.args(json.then_some("--json"));
    }
    process::run(&mut orrery)
}

fn in_chromium(sizes: &[(u32, u32)]) -> Result<()> {
    tools::node_packages()?;
    let chromium = tools::chromium()?;
    build::page()?;
    let address = serve_in_background()?;
    let mut node = process::command("node");
    node.args(["tests/browser/bench.mjs", &address]).env("CHROME", chromium);
    node.args(sizes.iter().map(|(nodes, pods)| format!("{nodes}/{pods}")));
    process::run(&mut node)
}

/// Serves `dist/` below a sub-path and with the policy header until the process ends; returns the address.
pub fn serve_in_background() -> Result<String> {
    let dir = process::root().join("dist");
    let site = Site { dir, prefix: "/sub/path".to_owned(), csp: true };
    let server = Server::bind(site, 0)?;
    let address = server.address.clone();
    std::thread::spawn(|| server.run());
    Ok(address)
}
