//! `cargo xtask size`: what a visitor downloads, compressed, against the budgets.

use anyhow::{Result, bail};

use crate::process;

/// Kilobytes of 1,000 bytes after gzip.
const PAGE_KB_MAX: usize = 400;
const WORKER_KB_MAX: usize = 1500;

/// The bytes that gzip adds around a deflate stream.
const GZIP_FRAME: usize = 18;
const LEVEL: u8 = 9;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Page,
    Worker,
    Later,
}

/// Prints a row a file and fails where a budget is exceeded.
pub fn run(mut args: lexopt::Parser) -> Result<()> {
    if let Some(arg) = args.next()? {
        return Err(arg.unexpected().into());
    }
    check()
}

/// The same, as a step of `cargo xtask test`.
pub fn check() -> Result<()> {
    let mut rows = Vec::new();
    collect(&process::root().join("dist"), "", &mut rows)?;
    rows.sort();
    let mut over = Vec::new();
    for (part, title, kb_max) in [
        (Part::Page, "page", PAGE_KB_MAX),
        (Part::Worker, "worker", WORKER_KB_MAX),
        (Part::Later, "loaded on first use", usize::MAX),
    ] {
        let mut total = 0;
        for (_, name, raw, gzip) in rows.iter().filter(|row| row.0 == part) {
            println!("{:>9} {:>9}  {name}", kb(*raw), kb(*gzip));
            total += gzip;
        }
        let budget = if kb_max == usize::MAX { String::new() } else { format!(" of {kb_max} KB") };
        println!("{:>9} {:>9}  = {title}, gzip{budget}\n", "", kb(total));
        if total > kb_max.saturating_mul(1000) {
            over.push(format!("{title}: {} of {kb_max} KB", kb(total)));
        }
        if total == 0 && part != Part::Later {
            bail!("dist/ holds no file of the {title}; `cargo xtask build` makes it");
        }
    }
    if !over.is_empty() {
        bail!("over budget: {}", over.join(", "));
    }
    Ok(())
}

type Row = (Part, String, usize, usize);

fn collect(dir: &std::path::Path, prefix: &str, rows: &mut Vec<Row>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        bail!("there is no dist/; `cargo xtask build` makes it");
    };
    for entry in entries {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), rows)?;
        } else if let Some(part) = part_of(&name) {
            let content = std::fs::read(entry.path())?;
            let gzip = miniz_oxide::deflate::compress_to_vec(&content, LEVEL).len() + GZIP_FRAME;
            rows.push((part, name, content.len(), gzip));
        }
    }
    Ok(())
}

/// Scripts and wasm only; whatever belongs neither to the page's start nor to the worker is loaded later.
fn part_of(name: &str) -> Option<Part> {
    let code = name.ends_with(".js") || name.ends_with(".wasm");
    let at_start = ["web-", "start-", "snippets/", "sw.js"];
    match name {
        _ if !code => None,
        _ if name.starts_with("worker-") => Some(Part::Worker),
        _ if at_start.iter().any(|prefix| name.starts_with(prefix)) => Some(Part::Page),
        _ => Some(Part::Later),
    }
}

fn kb(bytes: usize) -> String {
    format!("{}.{} KB", bytes / 1000, bytes % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_where_they_are_loaded() {
        assert_eq!(part_of("web-98304cb4c9c5cd4e_bg.wasm"), Some(Part::Page));
        assert_eq!(part_of("snippets/gloo-1/inline0.js"), Some(Part::Page));
        assert_eq!(part_of("worker-98304cb4c9c5cd4e_loader.js"), Some(Part::Worker));
        assert_eq!(part_of("editor-98304cb4c9c5cd4e.js"), Some(Part::Later));
        assert_eq!(part_of("index.html"), None);
    }
}
