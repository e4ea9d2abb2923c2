//! Running other programs from the root of the repository, with the pinned tools first on PATH.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The root of the repository.
pub fn root() -> PathBuf {
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest_dir.ancestors().nth(2).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where `cargo install` puts the pinned tools that the machine does not have.
pub fn tools_dir() -> PathBuf {
    root().join("target/tools")
}

/// A program to be run in the root of the repository. Its PATH starts with the npm packages, because
/// distributions ship a `wasm-opt` that is too old, and the tools installed below `target/`.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env("PATH", search_path());
    // Trunk takes `NO_COLOR=1` for the value of a flag that only knows `true` and `false`.
    command.env_remove("NO_COLOR");
    command
}

/// `cargo` with the given words.
pub fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = command("cargo");
    command.args(args);
    command
}

/// Runs to the end with our own output, and fails where the program does.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", words(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", words(command));
    }
    Ok(())
}

/// Runs to the end and returns what the program printed; its errors go to ours.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting {}", words(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", words(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs to the end, showing the output as it comes, and returns the lines for which `keep` holds together
/// with the outcome.
pub fn run_keeping(command: &mut Command, keep: fn(&str) -> bool) -> (Vec<String>, Result<()>) {
    let mut child = match command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            return (
                Vec::new(),
                Err(error).with_context(|| format!("starting {}", words(command))),
            );
        }
    };
    let stderr = child.stderr.take();
    let errors = std::thread::spawn(move || {
        stderr.map_or_else(Vec::new, |pipe| copy_keeping(pipe, &mut std::io::stderr(), keep))
    });
    let mut kept = child
        .stdout
        .take()
        .map_or_else(Vec::new, |pipe| copy_keeping(pipe, &mut std::io::stdout(), keep));
    kept.extend(errors.join().unwrap_or_default());
    let outcome = match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(anyhow::anyhow!("`{}` failed: {status}", words(command))),
        Err(error) => Err(error.into()),
    };
    (kept, outcome)
}

fn copy_keeping(pipe: impl Read, to: &mut impl Write, keep: fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    let mut lines = BufReader::new(pipe);
    let mut line = Vec::new();
    while matches!(lines.read_until(b'\n', &mut line), Ok(n) if n > 0) {
        // A closed terminal must not stop the tests; the outcome is in the exit code.
        let _ = to.write_all(&line);
        let text = String::from_utf8_lossy(&line);
        if keep(text.trim_end()) {
            kept.push(text.trim_end().to_owned());
        }
        line.clear();
    }
    kept
}

/// The first of `names` found on PATH, npm packages and own tools included.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let path = search_path();
    let candidates = names.iter().flat_map(|name| {
        std::env::split_paths(&path).map(move |dir| dir.join(name)).collect::<Vec<_>>()
    });
    candidates.into_iter().find(|file| file.is_file())
}

fn search_path() -> OsString {
    let own = [root().join("node_modules/.bin"), tools_dir().join("bin")];
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let all = own.into_iter().chain(std::env::split_paths(&inherited));
    std::env::join_paths(all).unwrap_or(inherited)
}

fn words(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text += " ";
        text += &arg.to_string_lossy();
    }
    text
}
