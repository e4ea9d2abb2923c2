//! `cargo xtask serve-dist`: a folder of static files under any sub-path, with the policy header if wanted.

use anyhow::{Result, bail};
use lexopt::prelude::*;

use crate::server::{Server, Site};

/// Serves until it is ended; prints the address first.
pub fn run(mut args: lexopt::Parser) -> Result<()> {
    let mut site = Site { dir: "dist".into(), prefix: String::new(), csp: false };
    let mut port = 0;
    while let Some(arg) = args.next()? {
        match arg {
            Long("port") => port = args.value()?.parse()?,
            Long("prefix") => site.prefix = args.value()?.string()?,
            Long("csp") => site.csp = true,
            Value(dir) => site.dir = dir.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    site.prefix.truncate(site.prefix.trim_end_matches('/').len());
    if !site.prefix.is_empty() && !site.prefix.starts_with('/') {
        bail!("--prefix starts with a slash");
    }
    if !site.dir.join("index.html").is_file() {
        bail!("{} holds no index.html; `cargo xtask build` makes dist/", site.dir.display());
    }
    let server = Server::bind(site, port)?;
    println!("{}", server.address);
    server.run();
    Ok(())
}
