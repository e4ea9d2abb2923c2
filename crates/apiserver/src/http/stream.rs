//! Watches over HTTP: one JSON document a line.

use api::Json;
use api::object::{KindInfo, Object};
use api::wire::{Change, WatchEvent};
use base::{Duration, Instant};

use super::negotiate::{self, Format};
use super::path::ResourcePath;
use super::query::Query;
use super::{HttpRequest, render, resource, status_json};
use crate::errors::Refusal;
use crate::registry::Row;
use crate::{ApiServer, WatchId, table};

/// An open watch over HTTP.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The watch to take events from.
    pub id: WatchId,
    /// The kind as the client sees it.
    pub kind: &'static KindInfo,
    /// The form of the objects.
    pub format: Format,
    /// What comes before the first event.
    pub first: Vec<u8>,
    /// The client wants bookmarks.
    pub bookmarks: bool,
    /// How long the stream may live.
    pub timeout: Option<Duration>,
    /// When the next bookmark is due.
    pub(crate) bookmark_at: Option<Instant>,
    pub(crate) ends: Option<Instant>,
    pub(crate) include: table::Include,
}

/// A stream that asked for bookmarks gets one so often, …
const BOOKMARK_EVERY: Duration = Duration::secs(60);
/// … and one so long before its end.
const BOOKMARK_BEFORE_END: Duration = Duration::secs(2);

impl Stream {
    /// Plans the next bookmark.
    fn plan_bookmark(&mut self, now: Instant) {
        let last = self.ends.map(|end| Instant(end.0 - BOOKMARK_BEFORE_END.0));
        let next = now + BOOKMARK_EVERY;
        self.bookmark_at = match last {
            Some(last) if last <= now => None,
            Some(last) => Some(last.min(next)),
            None => Some(next),
        };
    }

    /// Whether a bookmark is due; the next one is planned then.
    pub(super) fn takes_bookmark(&mut self, now: Instant) -> bool {
        let due = self.bookmarks && self.bookmark_at.is_some_and(|at| at <= now);
        if due {
            self.plan_bookmark(now);
        }
        due
    }
}

/// Opens a watch.
pub(super) fn open(
    server: &mut ApiServer,
    now: Instant,
    request: &HttpRequest,
    row: &'static Row,
    path: &ResourcePath,
    query: &Query,
) -> Result<Stream, Refusal> {
    if !row.verbs.contains(&"watch") {
        return Err(super::method_not_allowed());
    }
    let format = negotiate::format(request)?;
    let interest = resource::interest(row, path, query)?;
    let bookmarks = query.flag("allowWatchBookmarks");
    let include = render::include(query);
    let initial = query.flag("sendInitialEvents");
    let revision = query.int("resourceVersion")?;
    let seconds = query.int("timeoutSeconds")?;
    let timeout = (seconds > 0).then(|| Duration::secs(seconds));
    let mut stream = Stream {
        id: WatchId(0),
        kind: row.info,
        format,
        first: Vec::new(),
        bookmarks,
        timeout,
        bookmark_at: None,
        ends: timeout.map(|timeout| now + timeout),
        include,
    };
    stream.plan_bookmark(now);
    let from = if query.has("sendInitialEvents") && !initial && revision == 0 {
        Some(server.revision())
    } else {
        (revision > 0 && !initial).then_some(revision)
    };
    match from {
        Some(revision) => match server.watch(interest, Some(revision)) {
            Ok(id) => stream.id = id,
            // What is too old to be watched is said inside the stream.
            Err(status) if status.code == Some(410) => {
                let id = server
                    .watch(super::resource::interest(row, path, query)?, Some(server.revision()))?;
                let mut event = Json::object();
                event.set("type", "ERROR");
                event.set("object", status_json(&status));
                event.write(&mut stream.first);
                stream.first.push(b'\n');
                stream.timeout = Some(Duration::ZERO);
                stream.id = id;
            }
            Err(status) => return Err(status),
        },
        None => {
            let (id, list) = server.list_and_watch(interest)?;
            stream.id = id;
            for object in list.items {
                let event = WatchEvent { change: Change::Added, object, revision: list.revision };
                let line = frame(now, &stream, &event);
                stream.first.extend(line);
            }
            if initial && bookmarks {
                stream.first.extend(bookmark(row.info, list.revision, true));
            }
        }
    }
    Ok(stream)
}

/// One event as a line.
pub(super) fn frame(now: Instant, stream: &Stream, event: &WatchEvent) -> Vec<u8> {
    let object = match stream.format {
        Format::Whole => {
            let mut line = Vec::with_capacity(1024);
            line.extend_from_slice(b"{\"type\":\"");
            line.extend_from_slice(event.change.as_str().as_bytes());
            line.extend_from_slice(b"\",\"object\":");
            event.object.write(&mut line);
            line.extend_from_slice(b"}\n");
            return line;
        }
        Format::Metadata => render::metadata_only(&event.object),
        Format::Table => table_of(now, stream, &event.object),
    };
    line(event.change, object)
}

fn table_of(now: Instant, stream: &Stream, object: &Object) -> Json {
    let mut meta = Json::object();
    meta.set("resourceVersion", object.meta().resource_version.clone());
    table::of(now, stream.kind, std::slice::from_ref(object), meta, stream.include, true)
}

fn line(change: Change, object: Json) -> Vec<u8> {
    let mut event = Json::object();
    event.set("type", change.as_str());
    event.set("object", object);
    let mut line = Vec::new();
    event.write(&mut line);
    line.push(b'\n');
    line
}

/// A bookmark; the one after the initial events says so.
pub(super) fn bookmark(kind: &'static KindInfo, revision: i64, ends_initial: bool) -> Vec<u8> {
    let mut object = (kind.new)(kind);
    let meta = object.edit().meta_mut();
    meta.resource_version = revision.to_string().into();
    if ends_initial {
        meta.annotations.insert("k8s.io/initial-events-end", base::lit!("true"));
    }
    line(Change::Bookmark, object.to_json())
}
