//! `cargo xtask test`: all that CI checks, as named steps.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use lexopt::prelude::*;

use crate::{bench, build, cases, process, size, tidy, tools};

struct Step {
    name: &'static str,
    /// Returns the lines worth repeating at the end, besides the outcome.
    run: fn() -> (Vec<String>, Result<()>),
}

/// Cheap checks first; `size` and `browser` look at what `build` leaves.
const STEPS: &[Step] = &[
    Step { name: "fmt", run: || quiet(&["fmt", "--all", "--check"]) },
    Step {
        name: "clippy",
        run: || quiet(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    },
    Step { name: "tidy", run: || (Vec::new(), tidy::check()) },
    Step { name: "deny", run: deny },
    Step { name: "native", run: native },
    Step { name: "cases", run: recorded_cases },
    Step { name: "clients", run: clients },
    Step { name: "wasm", run: wasm },
    Step { name: "build", run: || (Vec::new(), build::page()) },
    Step { name: "size", run: || (Vec::new(), size::check()) },
    Step { name: "browser", run: browser },
];

struct Outcome {
    step: &'static str,
    took: Duration,
    lines: Vec<String>,
    result: Result<()>,
}

/// Runs the chosen steps, every one even after a failure, and sums up.
pub fn run(mut args: lexopt::Parser) -> Result<()> {
    let (mut only, mut skip, mut fail_fast) = (Vec::new(), Vec::new(), false);
    while let Some(arg) = args.next()? {
        match arg {
            Long("only") => only.extend(step_names(&args.value()?.string()?)?),
            Long("skip") => skip.extend(step_names(&args.value()?.string()?)?),
            Long("fail-fast") => fail_fast = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for Step { name, run } in STEPS {
        if (!only.is_empty() && !only.contains(name)) || skip.contains(name) {
            continue;
        }
        let failed = |step: &str| outcomes.iter().any(|o| o.step == step && o.result.is_err());
        if fail_fast && outcomes.iter().any(|outcome| outcome.result.is_err()) {
            break;
        }
        if ["size", "browser"].contains(name) && failed("build") {
            continue; // they would look at the page of an earlier build
        }
        println!("\n==> {name}");
        let start = Instant::now();
        let (lines, result) = run();
        if let Err(error) = &result {
            println!("{name}: {error:#}");
        }
        outcomes.push(Outcome { step: name, took: start.elapsed(), lines, result });
    }
    sum_up(&outcomes)
}

fn sum_up(outcomes: &[Outcome]) -> Result<()> {
    println!("\n==> summary");
    for Outcome { step, took, lines, result } in outcomes {
        for line in lines {
            println!("{line}");
        }
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{step:<8} {word:<7} {:>7.1} s", took.as_secs_f64());
    }
    let failed: Vec<_> = outcomes.iter().filter(|o| o.result.is_err()).map(|o| o.step).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn step_names(list: &str) -> Result<Vec<&'static str>> {
    let find = |name: &str| match STEPS.iter().find(|step| step.name == name) {
        Some(step) => Ok(step.name),
        None => bail!("no step `{name}`; there are {}", names()),
    };
    list.split(',').map(find).collect()
}

fn names() -> String {
    STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ")
}

fn quiet(args: &[&str]) -> (Vec<String>, Result<()>) {
    (Vec::new(), process::run(&mut process::cargo(args)))
}

/// Without advisories, which need a network and change by themselves.
fn deny() -> (Vec<String>, Result<()>) {
    let check = ["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"];
    let run = || {
        tools::cargo_deny()?;
        process::run(&mut process::cargo(check))
    };
    (Vec::new(), run())
}

fn native() -> (Vec<String>, Result<()>) {
    let all = ["--workspace", "--no-fail-fast"];
    if process::find(&["cargo-nextest"]).is_none() {
        return tests(process::cargo(["test"]).args(all));
    }
    let (mut lines, result) =
        tests(process::cargo(["nextest", "run", "--no-tests=pass"]).args(all));
    // nextest leaves out the examples in the documentation.
    let (more, examples) = tests(process::cargo(["test", "--doc"]).args(all));
    lines.extend(more);
    (lines, result.and(examples))
}

/// Where the recorded answers of a real cluster are at hand; the repository does not hold them.
fn recorded_cases() -> (Vec<String>, Result<()>) {
    let dir = process::root().join(cases::DIR);
    if !dir.is_dir() {
        return (vec![format!("cases: {} is not there, none were run", cases::DIR)], Ok(()));
    }
    (Vec::new(), cases::check(&dir, "0"))
}

/// The integration test `wasm` of every crate that has one, in Node.
fn wasm() -> (Vec<String>, Result<()>) {
    let mut packages = Vec::new();
    for dir in std::fs::read_dir(process::root().join("crates")).into_iter().flatten().flatten() {
        if dir.path().join("tests/wasm.rs").is_file() {
            packages.push(dir.file_name().to_string_lossy().into_owned());
        }
    }
    packages.sort();
    if let Err(error) = tools::for_wasm_tests() {
        return (Vec::new(), Err(error));
    }
    if packages.is_empty() {
        return (Vec::new(), Err(anyhow::anyhow!("no crate has a file tests/wasm.rs")));
    }
    let mut cargo = process::cargo(["test", "--target", tools::WASM_TARGET, "--test", "wasm"]);
    cargo.arg("--no-fail-fast");
    // For tests that ask for a browser with `run_in_browser`.
    cargo.env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", process::root().join("webdriver.json"));
    if let Some(driver) = process::find(&["chromedriver"]) {
        cargo.env("CHROMEDRIVER", driver);
    }
    for package in &packages {
        cargo.args(["--package", package]);
    }
    tests(&mut cargo)
}

/// Clients in other languages, against `orrery serve`.
fn clients() -> (Vec<String>, Result<()>) {
    let prepare = || {
        tools::node_packages()?;
        process::run(&mut process::cargo(["build", "--package", "orrery"]))?;
        node_tests("tests/clients")
    };
    let files = match prepare() {
        Ok(files) => files,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let program = process::root().join(target).join("debug/orrery");
    let mut node = process::command("node");
    node.args(["--test", "--test-reporter=spec"]).args(files);
    tests(node.env("ORRERY", program))
}

fn browser() -> (Vec<String>, Result<()>) {
    let prepare = || {
        tools::node_packages()?;
        Ok((tools::chromium()?, bench::serve_in_background()?, node_tests("tests/browser")?))
    };
    let (chromium, address, files) = match prepare() {
        Ok(ready) => ready,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut node = process::command("node");
    node.args(["--test", "--test-reporter=spec", "--test-concurrency=1"]).args(files);
    tests(node.env("CHROME", chromium).env("ORRERY_URL", address))
}

/// Listed by us: Node 20 knows no patterns, and later ones take no folder.
fn node_tests(folder: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(process::root().join(folder))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Runs a test runner, keeping the lines in which it counts.
fn tests(command: &mut std::process::Command) -> (Vec<String>, Result<()>) {
    process::run_keeping(command, |line| {
        let line = line.trim_start();
        let counted = line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed");
        let node = ["ℹ tests ", "ℹ pass ", "ℹ fail "].iter().any(|start| line.starts_with(start));
        counted || node || line.starts_with("Summary [") || line.starts_with("FAIL ")
    })
}
