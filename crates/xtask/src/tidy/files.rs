//! Rules for every tracked file, whatever its language.

use anyhow::Result;

use super::Problem;
use crate::process;

/// Words that tell of one machine. Written in two halves, so that this file passes too.
const MACHINE_PATHS: &[(&str, &str)] =
    &[("/ro", "ot/"), ("/ho", "me/"), ("/wo", "rk/"), ("/tmp/ba", "sh"), ("/Use", "rs/")];

/// The only place that packages come from, as Cargo writes it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Paths of all files that are tracked, or would be after `git add`.
pub fn tracked() -> Result<Vec<String>> {
    let mut git = process::command("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = process::output(&mut git)?;
    Ok(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// Checks one file.
pub fn check(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(message) = line_fault(path, line) {
            problems.push(Problem { place: format!("{path}:{number}"), message });
        }
    }
    problems
}

fn line_fault(path: &str, line: &str) -> Option<String> {
    let machine = MACHINE_PATHS.iter().map(|(a, b)| format!("{a}{b}"));
    if let Some(word) = machine.into_iter().find(|word| starts_path(line, word)) {
        return Some(format!("names `{word}`, a path of one machine"));
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let line = line.trim();
    let foreign = match name {
        "Cargo.lock" => line.starts_with("source =") && !line.contains(CRATES_IO),
        "package-lock.json" => line.starts_with("\"resolved\":"),
        ".npmrc" => line.starts_with("registry") || line.contains("_auth"),
        "config.toml" => line.starts_with("[source.") || line.starts_with("[registries."),
        _ => false,
    };
    foreign.then(|| "names a host that packages come from".to_owned())
}

/// Whether `word` stands in the line as the start of an absolute path, and not inside of a longer one.
fn starts_path(line: &str, word: &str) -> bool {
    let before = |at: usize| line[..at].chars().next_back();
    line.match_indices(word)
        .any(|(at, _)| !before(at).is_some_and(|c| c.is_alphanumeric() || "./-_}~".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, line: &str, tidy: bool) {
        assert_eq!(line_fault(path, line).is_none(), tidy, "{path}: {line}");
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let path = format!("{}{}", "/ho", "me/ann/orrery");
        check("README.md", &format!("cd {path}"), false);
        check("a.rs", &format!("\"{path}\""), false);
        check("a.rs", &format!("shared{path}"), true);
    }

    #[test]
    fn only_the_public_registry_is_a_source() {
        check("Cargo.lock", &format!("source = \"{CRATES_IO}\""), true);
        check("Cargo.lock", "source = \"registry+https://mirror.example/index\"", false);
        check("package-lock.json", "\"resolved\": \"https://mirror.example/a.tgz\",", false);
        check(".npmrc", "registry=https://mirror.example", false);
    }
}
