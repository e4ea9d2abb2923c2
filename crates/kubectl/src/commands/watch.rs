//! Watches as commands hold them.

use api::Json;

use crate::cx::{Cx, JSON, of_response};
use crate::failure::Result;
use crate::look::Look;
use crate::resource;
use crate::server::Server;

/// An open watch.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Option<u64>);

/// One event of a watch.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub change: String,
    pub object: Json,
}

impl Watch {
    /// Opens a watch of what a list was read from, from its revision on.
    pub fn open(cx: &mut Cx<'_>, path: &str, revision: &str, accept: &str) -> Result<Watch> {
        let query = [("watch", "true"), ("resourceVersion", revision)];
        let path = resource::with_query(path, &query);
        match cx.server.watch(&path, accept) {
            Ok(id) => Ok(Watch(Some(id))),
            Err(response) => {
                Err(of_response(&response).err().unwrap_or(crate::failure::Failure::Code(1)))
            }
        }
    }

    /// Opens a watch of one object, from a revision on.
    pub fn of_one(cx: &mut Cx<'_>, collection: &str, name: &str, revision: &str) -> Result<Watch> {
        let field = format!("metadata.name={name}");
        let path = resource::with_query(collection, &[("fieldSelector", &field)]);
        Watch::open(cx, &path, revision, JSON)
    }

    /// The events since the last call.
    pub fn events(&self, server: &mut dyn Server) -> Vec<Event> {
        let Some(id) = self.0 else { return Vec::new() };
        let lines = server.poll_watch(id);
        let events = lines.iter().filter_map(|line| Json::parse(line).ok());
        events
            .map(|mut event| {
                let object = std::mem::take(event.entry("object"));
                Event { change: event.text("type").to_string(), object }
            })
            .collect()
    }

    /// Ends it.
    pub fn close(&mut self, server: &mut dyn Server) {
        if let Some(id) = self.0.take() {
            server.close_watch(id);
        }
    }
}
