//! `cargo xtask tidy`: the rules of the house that no compiler checks.

mod files;
mod layers;
mod sources;

use anyhow::{Result, bail};

use crate::process;

/// A broken rule: where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    place: String,
    message: String,
}

/// The subcommand.
pub fn run(mut args: lexopt::Parser) -> Result<()> {
    if let Some(arg) = args.next()? {
        return Err(arg.unexpected().into());
    }
    check()
}

/// Prints every broken rule, and fails where there is one.
pub fn check() -> Result<()> {
    let root = process::root();
    let mut problems = layers::check()?;
    let mut count = 0;
    for path in files::tracked()? {
        let Ok(content) = std::fs::read(root.join(&path)) else { continue }; // deleted, not yet committed
        count += 1;
        let Ok(text) = String::from_utf8(content) else { continue }; // an image
        problems.extend(files::check(&path, &text));
        if path.ends_with(".rs") {
            problems.extend(sources::check(&path, &text));
        }
    }
    problems.sort();
    for Problem { place, message } in &problems {
        println!("{place}: {message}");
    }
    if !problems.is_empty() {
        bail!("{} untidy places", problems.len());
    }
    println!("{count} files are tidy");
    Ok(())
}
