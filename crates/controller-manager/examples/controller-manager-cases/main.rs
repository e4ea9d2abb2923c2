//! Runs recorded answers of real controllers against ours: `controller-manager-cases [DIR] [--show N]`.
//!
//! Prints `name passed/total` for every file it knows and finds in DIR. `cargo xtask cases` calls it.

mod cron;
mod deployment;
mod hpa;

use std::path::PathBuf;
use std::process::ExitCode;

use api::Json;
use api::time::Time;
use base::Instant;

/// What one case got wrong: the input, what was expected, what came out.
pub struct Failure {
    input: String,
    expected: String,
    got: String,
}

/// Checks one recorded case.
type Check = fn(&Json) -> Result<(), Failure>;

/// File name, the field that holds the cases (none if the file is a list), and the check.
const FILES: &[(&str, Option<&str>, Check)] = &[
    ("cron_next", None, cron::next),
    ("cron_timezone", None, cron::next),
    ("cronjob_controller", Some("cases"), cron::controller),
    ("deployment_scale", None, deployment::scale),
    ("hpa_replica_calculator", Some("cases"), hpa::replicas),
];

/// Compares one aspect of a case.
pub fn same(input: &Json, expected: &str, got: &str) -> Result<(), Failure> {
    if expected == got {
        return Ok(());
    }
    Err(Failure { input: input.to_string(), expected: expected.into(), got: got.into() })
}

/// The text of a field; empty where it is missing or no text.
pub fn text<'a>(case: &'a Json, field: &str) -> &'a str {
    case.get(field).and_then(Json::as_str).unwrap_or("")
}

/// The moment in a field.
pub fn moment(case: &Json, field: &str) -> Option<Instant> {
    Time::parse(case.get(field)?.as_str()?).ok().map(Time::instant)
}

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
    for (name, field, check) in FILES {
        let Ok(content) = std::fs::read(dir.join(format!("{name}.json"))) else { continue };
        let document = match Json::parse(&content) {
            Ok(document) => document,
            Err(error) => {
                println!("{name} unreadable: {error}");
                all_passed = false;
                continue;
            }
        };
        let cases = field.and_then(|f| document.get(f)).unwrap_or(&document).items();
        let failures: Vec<Failure> = cases.iter().filter_map(|case| check(case).err()).collect();
        println!("{name} {}/{}", cases.len() - failures.len(), cases.len());
        for Failure { input, expected, got } in failures.iter().take(show) {
            println!("  {input}\n    expected {expected}\n    got      {got}");
        }
        all_passed &= failures.is_empty();
    }
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
