//! `cargo xtask build`: the release page, as plain static files in `dist/`.
//!
//! Trunk compiles and binds both wasm binaries; what it leaves is then laid out for gzip ([`order`]) and made fit
//! for a strict Content-Security-Policy, for caches and for a cut network:
//! - the inline start script moves to a file of its own, so that `script-src` needs no exception;
//! - the worker's files get a hash in their names, as Trunk gives to the page's only;
//! - a service worker keeps every file, so that a reload works without a network;
//! - the page learns its build id, a hash of all files.
//!
//! Every address stays relative, so the folder works below any path.

mod order;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;

use crate::{process, tools};

/// What a page may load: its own files, and nothing that is written inline but style attributes.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
     worker-src 'self'; connect-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
     img-src 'self' data: blob:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'";

const SERVICE_WORKER: &str = include_str!("build/service-worker.js");

/// File names relative to the folder, and contents.
type Files = BTreeMap<String, Vec<u8>>;

/// What `--quick` changes in the profile of the page: a build to look at, larger and slower than the one that
/// is published.
const QUICK_PROFILE: [(&str, &str); 4] =
    [("LTO", "off"), ("OPT_LEVEL", "1"), ("CODEGEN_UNITS", "16"), ("INCREMENTAL", "true")];

/// The subcommand.
pub fn run(mut args: lexopt::Parser) -> Result<()> {
    let mut quick = false;
    while let Some(arg) = args.next()? {
        match arg {
            Long("quick") => quick = true,
            other => return Err(other.unexpected().into()),
        }
    }
    build(quick)
}

/// Installs what is missing and builds `dist/`.
pub fn page() -> Result<()> {
    build(false)
}

fn build(quick: bool) -> Result<()> {
    tools::for_page()?;
    // Trunk builds without a network, so that it never asks for tools of its own choice.
    process::run(&mut process::cargo(["fetch", "--locked"]))?;
    let staged = process::root().join("target/trunk");
    let mut trunk = process::command("trunk");
    trunk.arg("build");
    if quick {
        // Without `--release` Trunk leaves wasm-opt out, which takes longer than a changed crate.
        trunk.envs(QUICK_PROFILE.map(|(key, value)| (format!("CARGO_PROFILE_PAGE_{key}"), value)));
    } else {
        trunk.arg("--release");
    }
    process::run(trunk.arg("--dist").arg(&staged))?;

    let mut files = Files::new();
    read_into(&mut files, &staged, "")?;
    if !quick {
        for (name, content) in files.iter_mut().filter(|(name, _)| name.ends_with(".wasm")) {
            *content = order::for_gzip(name, content)?;
        }
    }
    let build_id = finish(&mut files)?;
    let dist = process::root().join("dist");
    write_out(&files, &dist)?;
    println!("dist/ holds build {build_id}, {} files", files.len());
    Ok(())
}

/// Turns what Trunk left into what is published; returns the build id.
fn finish(files: &mut Files) -> Result<String> {
    let mut page = text_of(files, "index.html")?;
    hash_worker(files, &mut page)?;
    extract_start_script(files, &mut page)?;
    page = replace_once(
        &page,
        "<meta charset=\"utf-8\">",
        &format!(
            "<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{CONTENT_SECURITY_POLICY}\">"
        ),
    )?;
    let build_id = hash_all(files, &page);
    page = replace_once(
        &page,
        "name=\"orrery-build\" content=\"dev\"",
        &format!("name=\"orrery-build\" content=\"{build_id}\""),
    )?;
    check_self_contained(files, &page)?;
    files.remove("index.html");
    let names = serde_json::to_string(&files.keys().collect::<Vec<_>>())?;
    let service_worker = replace_once(SERVICE_WORKER, "\"BUILD_ID\"", &format!("\"{build_id}\""))?;
    let service_worker = replace_once(&service_worker, "[\"FILES\"]", &names)?;
    files.insert("sw.js".to_owned(), service_worker.into_bytes());
    files.insert("index.html".to_owned(), page.into_bytes());
    Ok(build_id)
}

/// Renames `worker.js`, `worker_bg.wasm` and `worker_loader.js` and whatever refers to them.
fn hash_worker(files: &mut Files, page: &mut String) -> Result<()> {
    let mut take = |name: &str| files.remove(name).with_context(|| format!("Trunk left no {name}"));
    let (script, wasm, loader) =
        (take("worker.js")?, take("worker_bg.wasm")?, take("worker_loader.js")?);
    let hash = hash_of([&script[..], &wasm, &loader]);
    let script = replace_once(
        &String::from_utf8(script)?,
        "new URL('worker_bg.wasm'",
        &format!("new URL('worker-{hash}_bg.wasm'"),
    )?;
    let loader =
        replace_once(&String::from_utf8(loader)?, "./worker.js", &format!("./worker-{hash}.js"))?;
    *page = replace_once(page, "./worker_loader.js", &format!("./worker-{hash}_loader.js"))?;
    files.insert(format!("worker-{hash}.js"), script.into_bytes());
    files.insert(format!("worker-{hash}_bg.wasm"), wasm);
    files.insert(format!("worker-{hash}_loader.js"), loader.into_bytes());
    Ok(())
}

/// Moves the module script that starts the page into a file.
fn extract_start_script(files: &mut Files, page: &mut String) -> Result<()> {
    const OPEN: &str = "<script type=\"module\">";
    const CLOSE: &str = "</script>";
    let start = page.find(OPEN).context("index.html has no start script")?;
    let length = page[start..].find(CLOSE).context("the start script does not end")?;
    let mut script = page[start + OPEN.len()..start + length].trim().to_owned();
    // Nothing depends on the service worker: a browser that refuses it just needs its network.
    script += "\nnavigator.serviceWorker?.register('./sw.js').catch(() => {});\n";
    let name = format!("start-{}.js", hash_of([script.as_bytes()]));
    let tag = format!("<script type=\"module\" src=\"./{name}\"></script>");
    page.replace_range(start..start + length + CLOSE.len(), &tag);
    files.insert(name, script.into_bytes());
    Ok(())
}

/// Fails where the page has an inline script, or names another host.
fn check_self_contained(files: &Files, page: &str) -> Result<()> {
    for tag in page.split("<script").skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        ensure!(tag.contains(" src=\""), "index.html holds an inline script: <script{tag}>");
    }
    for attribute in ["src=\"", "href=\""] {
        for value in page.split(attribute).skip(1) {
            let value = value.split('"').next().unwrap_or_default();
            let foreign = value.starts_with('/') || value.contains("://");
            ensure!(!foreign, "index.html refers to {value}; every address is relative");
        }
    }
    for (name, content) in files.iter().filter(|(name, _)| name.ends_with(".css")) {
        let style = String::from_utf8_lossy(content);
        for value in style.split("url(").skip(1) {
            let value = value.trim_start_matches(['"', '\'', ' ']);
            let foreign = value.starts_with("http") || value.starts_with('/');
            ensure!(!foreign, "{name} loads something from outside the folder");
        }
    }
    Ok(())
}

fn replace_once(text: &str, from: &str, to: &str) -> Result<String> {
    let count = text.matches(from).count();
    if count != 1 {
        bail!("`{from}` appears {count} times where once was expected");
    }
    Ok(text.replacen(from, to, 1))
}

fn text_of(files: &Files, name: &str) -> Result<String> {
    let content = files.get(name).with_context(|| format!("Trunk left no {name}"))?;
    Ok(String::from_utf8(content.clone())?)
}

fn hash_all(files: &Files, page: &str) -> String {
    let others = files.iter().filter(|(name, _)| *name != "index.html");
    let parts = others.flat_map(|(name, content)| [name.as_bytes(), content.as_slice()]);
    hash_of(parts.chain([page.as_bytes()]))
}

/// FNV-1a, 16 hexadecimal digits: names that differ where contents do, not a defence.
fn hash_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.into_iter().flatten() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

fn read_into(files: &mut Files, dir: &Path, prefix: &str) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if name.starts_with('.') {
            continue; // Trunk's own staging
        }
        if entry.file_type()?.is_dir() {
            read_into(files, &entry.path(), &format!("{name}/"))?;
        } else {
            files.insert(name, std::fs::read(entry.path())?);
        }
    }
    Ok(())
}

fn write_out(files: &Files, dist: &Path) -> Result<()> {
    if dist.exists() {
        std::fs::remove_dir_all(dist)?;
    }
    for (name, content) in files {
        let path = dist.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(dist))?;
        std::fs::write(path, content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<head>\n<meta charset=\"utf-8\">\n\
        <meta name=\"orrery-worker\" content=\"./worker_loader.js\">\n\
        <meta name=\"orrery-build\" content=\"dev\">\n\
        <script type=\"module\">\nimport init from './web-1.js';\n</script></head>";

    fn trunk_output(page: &str) -> Files {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        Files::from([
            file("index.html", page),
            file("web-1.js", "export default 1"),
            file("worker.js", "u = new URL('worker_bg.wasm', import.meta.url);"),
            file("worker_bg.wasm", "\0asm"),
            file("worker_loader.js", "import init from './worker.js';await init();"),
        ])
    }

    fn finished() -> (Files, String) {
        let mut files = trunk_output(PAGE);
        finish(&mut files).unwrap();
        let page = text_of(&files, "index.html").unwrap();
        (files, page)
    }

    fn refuses(page: &str, because: &str) {
        let error = finish(&mut trunk_output(page)).unwrap_err().to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn every_name_that_the_page_refers_to_exists() {
        let (files, page) = finished();
        for part in page.split("\"./").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(files.contains_key(name), "{name}");
        }
        let loader = files.keys().find(|name| name.ends_with("_loader.js")).unwrap();
        let loader = text_of(&files, loader).unwrap();
        let worker = loader.split('\'').nth(1).unwrap().trim_start_matches("./");
        let worker = text_of(&files, worker).unwrap();
        assert!(files.contains_key(worker.split('\'').nth(1).unwrap()), "{worker}");
    }

    #[test]
    fn no_script_stays_inline() {
        let (_, page) = finished();
        assert!(!page.contains("import init"), "{page}");
        assert!(page.contains("script-src 'self' 'wasm-unsafe-eval';"), "{page}");
    }

    #[test]
    fn another_worker_gets_another_name() {
        let (before, _) = finished();
        let mut after = trunk_output(PAGE);
        after.insert("worker_bg.wasm".to_owned(), b"other".to_vec());
        finish(&mut after).unwrap();
        let same = before.keys().filter(|name| after.contains_key(*name)).cloned();
        let same: Vec<_> = same.filter(|name| !name.starts_with("start-")).collect();
        assert_eq!(same, ["index.html", "sw.js", "web-1.js"]);
    }

    #[test]
    fn the_same_files_give_the_same_build() {
        assert_eq!(finished(), finished());
    }

    #[test]
    fn the_service_worker_keeps_every_other_file() {
        let (files, _) = finished();
        let service_worker = text_of(&files, "sw.js").unwrap();
        for name in files.keys().filter(|name| !["index.html", "sw.js"].contains(&name.as_str())) {
            assert!(service_worker.contains(&format!("\"{name}\"")), "{name}");
        }
    }

    #[test]
    fn a_page_that_needs_another_host_is_refused() {
        refuses(
            &PAGE.replace("</head>", "<link href=\"https://a.example/x.css\"></head>"),
            "a.example",
        );
        refuses(&PAGE.replace("</head>", "<link href=\"/x.css\"></head>"), "/x.css");
    }

    #[test]
    fn a_second_inline_script_is_refused() {
        refuses(&PAGE.replace("</head>", "<script>1</script></head>"), "inline script");
    }
}
