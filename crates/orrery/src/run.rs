//! `orrery run`: a scenario or a script from start to end, as fast as it goes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use api::Json;
use base::{Duration, Instant};
use cluster::Entry;
use scenario::{Report, Scenario, Script, Seen};

/// How far a run goes of itself.
const UNTIL: Duration = Duration::secs(300);
/// How far a replay goes behind the last thing that is known of it.
const BEHIND: Duration = Duration::secs(60);

/// `orrery run`
#[derive(clap::Args)]
pub struct Args {
    /// The scenario or lesson file, or a script (`.md`), which is played. The report of a crash holds its own.
    #[arg(required_unless_present = "replay")]
    file: Option<PathBuf>,
    /// How far to run, such as 90s, 5m or 1h30m [default: 5m, or a minute behind the end of the log].
    #[arg(long, value_parser = span)]
    until: Option<Duration>,
    /// The form of the end state.
    #[arg(short, long, default_value = "yaml")]
    output: Output,
    /// Repeats the inputs of this log, or of the report of a crash in the page.
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
    let is_script = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "md");
    if let Some(path) = args.file.as_ref().filter(is_script) {
        return play(path);
    }
    let text = match &args.replay {
        None => String::new(),
        Some(path) => {
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?
        }
    };
    let (own, seen) = Report::read(&text);
    let scenario = match (&args.file, own) {
        (Some(path), _) => read_scenario(path)?,
        (None, Some(own)) => {
            Scenario::parse(&own).map_err(|e| anyhow!("the scenario in the log: {e}"))?
        }
        (None, None) => bail!("the log does not hold its scenario: name the file as well"),
    };
    let log = cluster::read_log(&text).map_err(|e| anyhow!("{}: {e}", place(&args)))?;
    if let Some(seen) = seen {
        compare(&scenario, &log, seen)?;
    }
    let until = args.until.unwrap_or_else(|| {
        let done = log.iter().map(|entry| entry.at - Instant::START);
        let known = done.chain(seen.map(|seen| seen.at)).max();
        known.map_or(UNTIL, |known| UNTIL.max(known + BEHIND))
    });
    let outcome = scenario::run(&scenario, &log, until).map_err(|e| anyhow!("{e}"))?;
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

fn place(args: &Args) -> String {
    args.replay.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
}

/// Says whether the run is the one that was reported, up to the last moment before its crash.
fn compare(scenario: &Scenario, log: &[Entry], seen: Seen) -> Result<()> {
    let done = &log[..seen.done.min(log.len())];
    let outcome = scenario::run(scenario, done, seen.at).map_err(|e| anyhow!("{e}"))?;
    let verdict = if outcome.trace == seen.trace {
        "as reported"
    } else {
        "which is not what was reported: another build crashed"
    };
    eprintln!("trace {:016x} at {}, {verdict}", outcome.trace, outcome.at);
    Ok(())
}

/// Plays a script; exit code 1 where it prints something else than is written there.
fn play(path: &Path) -> Result<ExitCode> {
    let written =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let script =
        Script::parse(&name, &written).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    let played = script.play().map_err(|why| anyhow!("{why}"))?;
    print!("{}", played.text);
    if played.text == written {
        return Ok(ExitCode::SUCCESS);
    }
    let same = written.lines().zip(played.text.lines()).take_while(|(a, b)| a == b).count();
    eprintln!("{}: line {} is written otherwise", path.display(), same + 1);
    Ok(ExitCode::from(1))
}

fn span(text: &str) -> Result<Duration, String> {
    scenario::parse_span(text)
        .ok_or_else(|| format!("{text:?} is not a span of time such as 90s, 5m or 1h30m"))
}
