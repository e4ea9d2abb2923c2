//! Objects from manifests: `-f FILE`, `-f -`.
//!
//! Known deviations:
//! - URLs, directories and `-k` are refused; files are what the host gives.

use api::Json;

use crate::custom;
use crate::cx::Cx;
use crate::failure::{Failure, Result, fail};
use crate::flags::Args;
use crate::look::{Look, put};
use crate::resource::{self, Kind};

/// One object of a manifest.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub kind: Kind,
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    pub name: String,
    pub object: Json,
    /// The file it is from, as messages name it.
    pub source: String,
}

impl Loaded {
    /// The path of its collection.
    pub fn collection(&self) -> String {
        resource::path(&self.kind, &self.namespace, "")
    }

    /// Its own path.
    pub fn path(&self) -> String {
        resource::path(&self.kind, &self.namespace, &self.name)
    }
}

/// All objects that `-f` names, and what could not be read.
pub(crate) fn load(cx: &mut Cx<'_>, args: &Args) -> Result<(Vec<Loaded>, Vec<Failure>)> {
    let files: Vec<&str> = args.all("filename").iter().flat_map(|list| list.split(',')).collect();
    if files.is_empty() {
        return fail("must specify one of -f and -k");
    }
    let (mut objects, mut failures) = (Vec::new(), Vec::new());
    for file in files {
        let (text, source) = match file {
            "-" => match &args.stdin {
                Some(text) => (text.clone(), "STDIN"),
                None => return fail("no objects passed to ".to_string() + &args.command),
            },
            url if url.starts_with("http://") || url.starts_with("https://") => {
                return fail(format!(
                    "unable to read URL \"{url}\": the page asks nobody outside; put the manifest below the command: kubectl {} -f - <<EOF",
                    args.command
                ));
            }
            path => match cx.server.file(path) {
                Some(text) => (text, path),
                None => return fail(format!("the path \"{path}\" does not exist")),
            },
        };
        for document in manifest::documents(&text) {
            match document {
                Ok(document) => read(cx, args, document.value, source, &mut objects, &mut failures),
                Err(error) => {
                    failures.push(Failure::Plain(error.in_file(source)));
                    break;
                }
            }
        }
    }
    if objects.is_empty() && failures.is_empty() {
        return fail(format!("no objects passed to {}", args.command));
    }
    Ok((objects, failures))
}

fn read(
    cx: &mut Cx<'_>,
    args: &Args,
    value: Json,
    source: &str,
    objects: &mut Vec<Loaded>,
    failures: &mut Vec<Failure>,
) {
    if value.text("kind").ends_with("List") && value.look("items").as_array().is_some() {
        for item in value.list("items") {
            read(cx, args, item.clone(), source, objects, failures);
        }
        return;
    }
    match one(cx, args, value, source) {
        Ok(loaded) => objects.push(loaded),
        Err(failure) => failures.push(failure),
    }
}

fn one(cx: &mut Cx<'_>, args: &Args, mut value: Json, source: &str) -> Result<Loaded> {
    let missing: Vec<&str> =
        ["apiVersion", "kind"].into_iter().filter(|key| value.text(key).is_empty()).collect();
    if !missing.is_empty() {
        let words: Vec<String> = missing.iter().map(|key| format!("{key} not set")).collect();
        let words = match words.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        return fail(format!(
            "error validating \"{source}\": error validating data: {words}; if you choose to \
             ignore these errors, turn validation off with --validate=false"
        ));
    }
    let (version, kind) = (value.text("apiVersion").to_string(), value.text("kind").to_string());
    let name = value.text("metadata.name").to_string();
    let own = value.text("metadata.namespace").to_string();
    let Some(kind) = custom::of_object(cx, &version, &kind) else {
        return fail(format!(
            "resource mapping not found for name: \"{name}\" namespace: \"{own}\" from \
             \"{source}\": no matches for kind \"{kind}\" in version \"{version}\"\nensure CRDs \
             are installed first"
        ));
    };
    if !kind.namespaced {
        return Ok(Loaded {
            kind,
            namespace: String::new(),
            name,
            object: value,
            source: source.into(),
        });
    }
    if !own.is_empty() && args.has("namespace") && own != *cx.namespace {
        return fail(format!(
            "the namespace from the provided object \"{own}\" does not match the namespace \
             \"{}\". You must pass '--namespace={own}' to perform this operation.",
            cx.namespace
        ));
    }
    let namespace = if own.is_empty() { cx.namespace.to_string() } else { own };
    put(&mut value, "metadata.namespace", namespace.as_str());
    Ok(Loaded { kind, namespace, name, object: value, source: source.into() })
}

/// What a dry run is to be: not at all, only here, or on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DryRun {
    No,
    Client,
    Server,
}

impl DryRun {
    /// Reads `--dry-run`.
    pub fn of(args: &Args) -> Result<DryRun> {
        Ok(match args.text("dry-run") {
            None | Some("none" | "false") => DryRun::No,
            Some("client" | "true" | "unchanged") => DryRun::Client,
            Some("server") => DryRun::Server,
            Some(other) => {
                return fail(format!(
                    "Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\"."
                ));
            }
        })
    }

    /// The query parameter's value.
    pub fn query(self) -> &'static str {
        if self == DryRun::Server { "All" } else { "" }
    }

    /// `created`, with a note of the dry run.
    pub fn note(self, what: &str) -> String {
        match self {
            DryRun::No => what.into(),
            DryRun::Client => format!("{what} (dry run)"),
            DryRun::Server => format!("{what} (server dry run)"),
        }
    }
}

/// What the server is to do with unknown fields, by `--validate`.
pub(crate) fn validation(args: &Args) -> Result<&'static str> {
    Ok(match args.text("validate") {
        None | Some("true" | "strict" | "") => "Strict",
        Some("warn") => "Warn",
        Some("false" | "ignore") => "Ignore",
        Some(other) => return fail(format!("invalid - validate option \"{other}\"")),
    })
}
