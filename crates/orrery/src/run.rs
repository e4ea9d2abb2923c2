//! `orrery run`: a scenario from start to end, as fast as it goes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use api::Json;
use base::Duration;
use scenario::Scenario;

/// `orrery run`
#[derive(clap::Args)]
pub struct Args {
    /// The scenario or lesson file.
    file: PathBuf,
    /// How far to run, such as 90s, 5m or 1h30m.
    #[arg(long, default_value = "5m", value_parser = span)]
    until: Duration,
    /// The form of the end state.
    #[arg(short, long, default_value = "yaml")]
    output: Output,
    /// Repeats the inputs of this log.
    #[arg(long)]
    replay: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Output {
    Json,
    Yaml,
    Table,
}

/// Reads a scenario file, or says where it is wrong.
pub fn read_scenario(path: &Path) -> Result<Scenario> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Scenario::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

/// Runs and prints; exit code 1 where a check fails.
pub fn main(args: Args) -> Result<ExitCode> {
    let scenario = read_scenario(&args.file)?;
    let log = match &args.replay {
        None => Vec::new(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("reading {}", path.display()))?;
            cluster::read_log(&text).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?
        }
    };
    let outcome = scenario::run(&scenario, &log, args.until).map_err(|e| anyhow::anyhow!("{e}"))?;
    let list = Json::Object(vec![
        ("apiVersion".into(), Json::Str("v1".into())),
        ("kind".into(), Json::Str("List".into())),
        ("items".into(), Json::Array(outcome.objects)),
    ]);
    match args.output {
        Output::Json => println!("{}", list.pretty()),
        Output::Yaml => print!("{}", manifest::to_yaml(&list)),
        Output::Table => print!("{}", outcome.table),
    }
    eprintln!("trace {:016x} at {}", outcome.trace, outcome.at);
    for failed in &outcome.failed {
        eprintln!("check failed: {failed}");
    }
    Ok(if outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn span(text: &str) -> Result<Duration, String> {
    scenario::parse_span(text)
        .ok_or_else(|| format!("{text:?} is not a span of time such as 90s, 5m or 1h30m"))
}
