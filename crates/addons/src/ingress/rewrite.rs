//! The path under which a backend sees a request.

use base::Str;

use super::routes::Route;

/// The tail that makes a path take everything below it and hand on the rest.
const REST: &str = "(/|$)(.*)";

/// Splits the usual pattern `/path(/|$)(.*)` into the plain path, if it is one.
pub fn plain_path(path: &str) -> (&str, bool) {
    if let Some(plain) = path.strip_suffix(REST) {
        return (plain, true);
    }
    match path.strip_suffix("/(.*)") {
        Some(plain) => (plain, true),
        None => (path, false),
    }
}

/// Rewrites a request's path as the route's annotation wants it.
pub fn apply(route: &Route, path: &Str) -> Str {
    let Some(target) = &route.rewrite else { return path.clone() };
    let (bare, query) = match path.split_once('?') {
        Some((bare, query)) => (bare, Some(query)),
        None => (path.as_str(), None),
    };
    let (plain, captures) = plain_path(&route.path);
    let rest = bare.strip_prefix(plain).unwrap_or("").trim_start_matches('/');
    let mut new = if captures {
        let slash = if bare.len() > plain.len() { "/" } else { "" };
        if route.path.ends_with(REST) {
            target.replace("$1", slash).replace("$2", rest)
        } else {
            target.replace("$1", rest)
        }
    } else {
        target.to_string()
    };
    if !new.starts_with('/') {
        new.insert(0, '/');
    }
    if let Some(query) = query {
        new = format!("{new}?{query}");
    }
    new.into()
}
