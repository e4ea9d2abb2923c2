//! `cargo xtask cases`: recorded answers of a real cluster against the rules that our crates model.

use std::path::Path;

use anyhow::{Result, bail};
use lexopt::prelude::*;

use crate::process;

/// Crates and the example of each, which takes a folder and `--show N` and prints `name passed/total`
/// for every file that it knows.
const PACKAGES: &[(&str, &str)] = &[
    ("api", "cases"),
    ("kube-proxy", "kube-proxy-cases"),
    ("addons", "addons-cases"),
    ("controller-manager", "controller-manager-cases"),
    ("kubectl", "kubectl-cases"),
    ("scheduler", "scheduler-cases"),
];

/// Where they lie, seen from the root.
pub const DIR: &str = "../shared/cases";

/// Runs every crate's cases; fails where one case fails.
pub fn run(mut args: lexopt::Parser) -> Result<()> {
    let (mut dir, mut show) = (DIR.into(), "0".to_owned());
    while let Some(arg) = args.next()? {
        match arg {
            Long("show") => show = args.value()?.string()?,
            Value(path) => dir = path,
            other => return Err(other.unexpected().into()),
        }
    }
    check(Path::new(&dir), &show)
}

/// The same, printing at most so many failed ones of each file.
pub fn check(dir: &Path, show: &str) -> Result<()> {
    let mut failed = Vec::new();
    for (package, example) in PACKAGES {
        let mut cargo = process::cargo(["run", "--quiet", "--package", package]);
        cargo.args(["--example", example, "--"]).arg(dir).args(["--show", show]);
        if process::run(&mut cargo).is_err() {
            failed.push(*package);
        }
    }
    if !failed.is_empty() {
        bail!("cases of {} failed; --show N prints them", failed.join(", "));
    }
    Ok(())
}
