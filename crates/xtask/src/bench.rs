//! `cargo xtask bench`: how fast pods are scheduled and run, natively or in Chromium.

use anyhow::Result;
use lexopt::prelude::*;

use crate::server::{Server, Site};
use crate::{build, process, tools};

/// Creates the nodes and pods, waits until all run, and prints the figures.
pub fn run(mut args: lexopt::Parser) -> Result<()> {
    let (mut nodes, mut pods, mut browser, mut json) = (100_u32, 1000_u32, false, false);
    while let Some(arg) = args.next()? {
        match arg {
            Long("browser") => browser = true,
            Long("json") => json = true,
            Long("nodes") => nodes = args.value()?.parse()?,
            Long("pods") => pods = args.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let (nodes, pods) = (nodes.to_string(), pods.to_string());
    if browser {
        return in_chromium(&nodes, &pods);
    }
    let mut orrery = process::cargo(["run", "--quiet", "--release", "--package", "orrery", "--"]);
    orrery.args(["bench", "scale", "--nodes", &nodes, "--pods", &pods]);
    process::run(orrery.args(json.then_some("--json")))
}

fn in_chromium(nodes: &str, pods: &str) -> Result<()> {
    tools::node_packages()?;
    let chromium = tools::chromium()?;
    build::page()?;
    let address = serve_in_background()?;
    let mut node = process::command("node");
    node.args(["tests/browser/bench.mjs", &address, nodes, pods]).env("CHROME", chromium);
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
