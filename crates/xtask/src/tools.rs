//! The pinned tools, and how a fresh machine with rustup, git and Node gets them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// A command-line tool from crates.io.
struct Tool {
    package: &'static str,
    binary: &'static str,
    version: &'static str,
    flags: &'static [&'static str],
}

const TRUNK: Tool = Tool {
    package: "trunk",
    binary: "trunk",
    version: "0.21.14",
    flags: &["--locked", "--no-default-features"],
};

/// Without `--locked`: the lock file of this release names a crate that was withdrawn. The version is that
/// of the `wasm-bindgen` crate, exactly.
const WASM_BINDGEN: Tool =
    Tool { package: "wasm-bindgen-cli", binary: "wasm-bindgen", version: "0.2.130", flags: &[] };

const CARGO_DENY: Tool =
    Tool { package: "cargo-deny", binary: "cargo-deny", version: "0.20.2", flags: &["--locked"] };

const NODE_MAJOR_MIN: u32 = 20;
/// The target of the page and the worker.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// All that a build of the page needs.
pub fn for_page() -> Result<()> {
    wasm_target()?;
    node_packages()?;
    install(&WASM_BINDGEN)?;
    install(&TRUNK)
}

/// All that tests on wasm in Node need.
pub fn for_wasm_tests() -> Result<()> {
    wasm_target()?;
    node()?;
    install(&WASM_BINDGEN)
}

/// The checker of licences, bans and sources.
pub fn cargo_deny() -> Result<()> {
    install(&CARGO_DENY)
}

/// Installs a tool below `target/` unless the machine has just this version, which leaves alone whatever other
/// version a developer uses elsewhere. Built with light optimization: it runs seconds, and compiles minutes.
fn install(tool: &Tool) -> Result<()> {
    let Tool { package, binary, version, flags } = *tool;
    if version_of(process::command(binary).arg("--version")).as_deref() == Some(version) {
        return Ok(());
    }
    println!("installing {package} {version} (once; a few minutes)");
    let root = process::tools_dir();
    let mut install = process::cargo(["install", package, "--version", version, "--root"]);
    install.arg(root).args(flags);
    for (key, value) in [("LTO", "off"), ("OPT_LEVEL", "1"), ("CODEGEN_UNITS", "16")] {
        install.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    process::run(&mut install)
}

/// The version that a tool prints behind its name, as `trunk 0.21.14`.
fn version_of(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.split_whitespace().nth(1)?.to_owned())
}

fn wasm_target() -> Result<()> {
    let sysroot = process::output(process::command("rustc").args(["--print", "sysroot"]))?;
    if PathBuf::from(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).is_dir() {
        return Ok(());
    }
    process::run(process::command("rustup").args(["target", "add", WASM_TARGET]))
        .context("the wasm target of Rust is missing; rustup installs it")
}

fn node() -> Result<()> {
    let advice = format!("Node {NODE_MAJOR_MIN} or later is needed; see https://nodejs.org");
    let output = process::command("node").arg("--version").output();
    let output = output.with_context(|| advice.clone())?;
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let major = version.trim().trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= NODE_MAJOR_MIN => Ok(()),
        _ => bail!("{advice} (found {})", version.trim()),
    }
}

/// The packages of `package-lock.json`, installed again whenever that file changes.
pub fn node_packages() -> Result<()> {
    node()?;
    let root = process::root();
    let lock = std::fs::read(root.join("package-lock.json"))?;
    let stamp = root.join("node_modules/.installed-lock.json");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    process::run(process::command("npm").args(["ci", "--loglevel=error"]))?;
    Ok(std::fs::write(stamp, lock)?)
}

/// The Chromium or Chrome for the browser tests: `$CHROME`, else one on PATH, else, for root on a machine with
/// apt, the package of the distribution.
pub fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHROME").map(PathBuf::from) {
        if !path.is_file() {
            bail!("CHROME names {}, which is no file", path.display());
        }
        return Ok(path);
    }
    if let Some(path) = installed_chromium() {
        return Ok(path);
    }
    let advice = "no Chromium or Chrome found: install `chromium` with the system's package manager, or set \
                  CHROME to the path of a browser";
    if process::find(&["apt-get"]).is_none() || !is_root() {
        bail!(advice);
    }
    println!("installing chromium with apt-get");
    let apt = |args: &[&str]| {
        let mut command = process::command("apt-get");
        process::run(command.args(args).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"])?;
    apt(&["install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"])?;
    installed_chromium().context(advice)
}

fn installed_chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
    let mac = PathBuf::from("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
    process::find(&names).or_else(|| Some(mac).filter(|path| path.is_file()))
}

fn is_root() -> bool {
    process::command("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
