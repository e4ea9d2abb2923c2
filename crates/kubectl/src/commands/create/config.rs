//! Generators of ConfigMaps and Secrets.

use api::{Bytes, Json};

use super::{pair, plain};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::Args;
use crate::look::{Look, object, put};

/// `create configmap`
pub(super) fn config_map(cx: &mut Cx<'_>, args: &Args, name: &str) -> Result<Json> {
    let mut made = plain("v1", "ConfigMap", name);
    for (key, value) in entries(cx, args)? {
        if made.look("data").get(&key).is_some() {
            return fail(format!(
                "cannot add key \"{key}\", another key by that name already exists in Data for ConfigMap \"{name}\""
            ));
        }
        made.entry("data").set(key, value);
    }
    Ok(made)
}

/// `create secret generic|tls|docker-registry`
pub(super) fn secret<'a>(
    cx: &mut Cx<'_>,
    args: &Args,
    sub: &str,
    name: impl Fn() -> Result<&'a str>,
) -> Result<Json> {
    match sub {
        "generic" => {
            let mut made = plain("v1", "Secret", name()?);
            for (key, value) in entries(cx, args)? {
                made.entry("data").set(key, encoded(&value));
            }
            if let Some(kind) = args.text("type") {
                made.set("type", kind);
            }
            Ok(made)
        }
        "tls" => {
            let mut made = plain("v1", "Secret", name()?);
            for (flag, key) in [("cert", "tls.crt"), ("key", "tls.key")] {
                let Some(path) = args.text(flag) else {
                    return fail("key and cert must be specified");
                };
                let Some(text) = cx.server.file(path) else {
                    return fail(format!("open {path}: no such file or directory"));
                };
                made.entry("data").set(key, encoded(&text));
            }
            made.set("type", "kubernetes.io/tls");
            Ok(made)
        }
        "docker-registry" => {
            let mut made = plain("v1", "Secret", name()?);
            let part = |flag: &str| args.text(flag).unwrap_or("").to_string();
            let (user, password) = (part("docker-username"), part("docker-password"));
            if user.is_empty() || password.is_empty() {
                return fail(
                    "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required",
                );
            }
            let server = args.text("docker-server").unwrap_or("https://index.docker.io/v1/");
            let mut login = object([
                ("username", user.as_str().into()),
                ("password", password.as_str().into()),
            ]);
            if let Some(mail) = args.text("docker-email") {
                login.set("email", mail);
            }
            login.set("auth", encoded(&format!("{user}:{password}")));
            let whole = object([("auths", object([(server, login)]))]);
            put(&mut made, "type", "kubernetes.io/dockerconfigjson");
            made.entry("data").set(".dockerconfigjson", encoded(&whole.to_string()));
            Ok(made)
        }
        _ => fail("must specify one of the secret types: docker-registry, generic, tls"),
    }
}

fn entries(cx: &mut Cx<'_>, args: &Args) -> Result<Vec<(String, String)>> {
    let mut entries = Vec::new();
    for path in args.all("from-file") {
        let (key, path) = match path.split_once('=') {
            Some((key, path)) => (key, path),
            None => (path.rsplit('/').next().unwrap_or(path), path),
        };
        match cx.server.file(path) {
            Some(text) => entries.push((key.to_string(), text)),
            None => return fail(format!("error reading {path}: no such file or directory")),
        }
    }
    for literal in args.all("from-literal") {
        let (key, value) = pair(literal, "literal")?;
        let bare = |quote: char| value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote));
        let value = bare('\'').or_else(|| bare('"')).unwrap_or(value);
        entries.push((key.to_string(), value.to_string()));
    }
    for path in args.all("from-env-file") {
        let Some(text) = cx.server.file(path) else {
            return fail(format!(
                "env config file {path} cannot be read: no such file or directory"
            ));
        };
        for line in text.lines().map(str::trim) {
            if !line.is_empty() && !line.starts_with('#') {
                let (key, value) = pair(line, "env")?;
                entries.push((key.to_string(), value.to_string()));
            }
        }
    }
    Ok(entries)
}

/// Base64 as the API writes bytes.
pub(crate) fn encoded(text: &str) -> Json {
    api::Value::to_json(&Bytes(text.bytes().collect()))
}
