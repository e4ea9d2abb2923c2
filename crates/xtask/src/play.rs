//! `cargo xtask play`: the page, built and served, with nothing to install by hand.

use anyhow::Result;
use lexopt::prelude::*;

use crate::server::{Server, Site};
use crate::{build, process};

const PORT: u16 = 8080;

/// Builds the release page and serves it until it is ended.
pub fn run(mut args: lexopt::Parser) -> Result<()> {
    let mut port = PORT;
    while let Some(arg) = args.next()? {
        match arg {
            Long("port") => port = args.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    // Bound before the build: a busy port is told at once, not after minutes.
    let dir = process::root().join("dist");
    let server = Server::bind(Site { dir, prefix: String::new(), csp: false }, port)?;
    build::page()?;
    println!("\nOrrery is at {}  (Ctrl-C ends it)", server.address);
    server.run();
    Ok(())
}
