//! Runs recorded questions to cluster DNS and Ingress scenarios: `cases [DIR] [--show N]`.
//!
//! Prints `name passed/total` for every file it knows and finds in DIR. `cargo xtask cases` calls it.

mod dns;
mod ingress;

use std::path::PathBuf;
use std::process::ExitCode;

use api::Json;

/// Takes the name of a case and what went wrong with it, if anything did.
pub type Report<'a> = dyn FnMut(&str, Result<(), String>) + 'a;

/// Plays every case of a document.
type Run = fn(&Json, &mut Report<'_>);

/// File names and who plays them.
const FILES: &[(&str, Run)] = &[("dns_coredns", dns::run), ("ingress_conformance", ingress::run)];

fn main() -> ExitCode {
    let mut dir = PathBuf::from("../shared/cases");
    let mut show = 0;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--show" => show = args.next().and_then(|n| n.parse().ok()).unwrap_or(usize::MAX),
            _ => dir = arg.into(),
        }
    }
    let mut all_passed = true;
    for (name, run) in FILES {
        let Ok(content) = std::fs::read(dir.join(format!("{name}.json"))) else { continue };
        let Ok(document) = Json::parse(&content) else {
            println!("{name} unreadable");
            all_passed = false;
            continue;
        };
        let (mut total, mut failures) = (0, Vec::new());
        run(&document, &mut |case, result| {
            total += 1;
            failures.extend(result.err().map(|error| format!("{case}: {error}")));
        });
        println!("{name} {}/{total}", total - failures.len());
        for failure in failures.iter().take(show) {
            println!("  {failure}");
        }
        all_passed &= failures.is_empty() && total > 0;
    }
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The text at `key`, empty if there is none.
pub fn text<'j>(json: &'j Json, key: &str) -> &'j str {
    json.get(key).and_then(Json::as_str).unwrap_or("")
}

/// The texts in the list at `key`.
pub fn strings<'j>(json: &'j Json, key: &str) -> impl Iterator<Item = &'j str> {
    json.get(key).map(Json::items).unwrap_or_default().iter().filter_map(Json::as_str)
}
