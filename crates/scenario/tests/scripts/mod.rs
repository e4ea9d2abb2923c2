//! The scripts in `tests/scenarios`.

use std::path::{Path, PathBuf};

use scenario::Script;

/// A script with where it comes from.
pub struct Written {
    /// The file's name without its ending.
    pub name: String,
    /// The file.
    #[allow(dead_code)]
    pub path: PathBuf,
    /// What is written there.
    #[allow(dead_code)]
    pub text: String,
    /// What that means.
    pub script: Script,
}

/// All scripts in the order of their names, or the one that `SCENARIO` names.
pub fn all() -> Vec<Written> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let files = std::fs::read_dir(folder).expect("the folder of scenarios");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    paths.sort();
    let mut all: Vec<Written> = paths.into_iter().map(read).collect();
    if let Ok(one) = std::env::var("SCENARIO") {
        all.retain(|script| script.name == one);
    }
    assert!(!all.is_empty(), "there are scenarios");
    all
}

fn read(path: PathBuf) -> Written {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(&path).expect("a scenario that can be read");
    let script = Script::parse(&name, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
    Written { name, path, text, script }
}
