//! A server that only knows the objects of one snapshot.

use std::path::Path;
use std::rc::Rc;

use api::Json;
use api::selector::{FieldSelector, Selector};
use api::time::{MicroTime, Time};
use base::Instant;
use kubectl::{Response, Server};

/// The objects of a snapshot.
#[derive(Clone, Debug)]
pub struct Recorded {
    objects: Rc<Vec<Json>>,
    /// The last moment that an object of it tells of.
    pub last: Instant,
}

impl Recorded {
    /// Every snapshot of a run.
    pub fn read_all(run: &Path) -> Vec<Recorded> {
        let Ok(entries) = std::fs::read_dir(run) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix("-objects.json").map(str::to_string))
            .collect();
        names.sort();
        names.iter().map(|name| Recorded::read(run, name)).collect()
    }

    fn read(run: &Path, name: &str) -> Recorded {
        let mut objects = Vec::new();
        let mut last = Instant::START;
        for part in ["objects", "events", "cluster"] {
            let path = run.join(format!("{name}-{part}.json"));
            let text = std::fs::read(path).unwrap_or_default();
            let Ok(list) = Json::parse(&text) else { continue };
            for object in list.get("items").map(Json::items).unwrap_or_default() {
                latest(object, &mut last);
                objects.push(object.clone());
            }
        }
        Recorded { objects: Rc::new(objects), last }
    }

    fn find(&self, path: &str) -> Option<Json> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => (version.to_string(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let plural = rest.first()?;
        let kind = api::KINDS.iter().find(|k| k.plural == *plural && k.api_version() == version)?;
        let wanted = |object: &&Json| {
            text(object, &["kind"]) == kind.kind
                && text(object, &["apiVersion"]) == version
                && (namespace.is_empty() || text(object, &["metadata", "namespace"]) == namespace)
        };
        if let Some(name) = rest.get(1) {
            let named = |o: &&Json| wanted(o) && text(o, &["metadata", "name"]) == *name;
            return self.objects.iter().find(named).cloned();
        }
        let (labels, fields) = selectors(query);
        let items: Vec<Json> = self
            .objects
            .iter()
            .filter(wanted)
            .filter(|o| labels.matches(|key| o.at(&["metadata", "labels", key])?.as_str()))
            .filter(|o| fields.matches(|path| text(o, &path.split('.').collect::<Vec<_>>())))
            .cloned()
            .collect();
        let mut list = Json::object();
        list.set("items", Json::Array(items));
        Some(list)
    }
}

fn text<'a>(object: &'a Json, path: &[&str]) -> &'a str {
    object.at(path).and_then(Json::as_str).unwrap_or("")
}

fn selectors(query: &str) -> (Selector, FieldSelector) {
    let value = |name: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        decode(found.unwrap_or(""))
    };
    let labels = Selector::parse(&value("labelSelector")).expect("a label selector");
    let fields = FieldSelector::parse(&value("fieldSelector")).expect("a field selector");
    (labels, fields)
}

fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' && tail.len() >= 2 {
            let hex = std::str::from_utf8(&tail[..2]).unwrap_or("");
            bytes.push(u8::from_str_radix(hex, 16).unwrap_or(b'?'));
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Raises `last` to the latest time that the object holds.
fn latest(value: &Json, last: &mut Instant) {
    match value {
        Json::Str(text) if text.len() >= 20 && text.ends_with('Z') => {
            let at = Time::parse(text).map(Time::instant);
            let at = at.or_else(|_| MicroTime::parse(text).map(MicroTime::instant));
            if let Ok(at) = at {
                *last = (*last).max(at);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| latest(item, last)),
        Json::Object(fields) => fields.iter().for_each(|(_, item)| latest(item, last)),
        _ => {}
    }
}

impl Server for Recorded {
    fn http(
        &mut self,
        method: &str,
        path_and_query: &str,
        _body: Option<(&str, &[u8])>,
        _accept: &str,
    ) -> Response {
        let found = if method == "GET" { self.find(path_and_query) } else { None };
        match found {
            Some(json) => {
                Response { code: 200, headers: Vec::new(), body: json.to_string().into() }
            }
            None => {
                let text =
                    r#"{"kind":"Status","reason":"NotFound","message":"not found","code":404}"#;
                Response { code: 404, headers: Vec::new(), body: text.into() }
            }
        }
    }

    fn watch(&mut self, _path_and_query: &str, _accept: &str) -> Result<u64, Response> {
        Err(Response { code: 404, ..Response::default() })
    }

    fn poll_watch(&mut self, _id: u64) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn close_watch(&mut self, _id: u64) {}

    fn curl(&mut self, _from: &str, _url: &str) -> String {
        String::new()
    }
}
