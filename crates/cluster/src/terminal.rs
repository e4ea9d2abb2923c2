//! Terminal sessions: command lines that run inside virtual time.

use apiserver::WatchId;
use apiserver::http::HttpRequest;
use base::BTreeMap;

use crate::Cluster;
use crate::edge::HttpAnswer;
use crate::engine::Event;

/// Text that a terminal session printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalOutput {
    /// The session: the first one of a cluster is 0.
    pub session: usize,
    /// What it printed.
    pub text: String,
    /// Its exit code, if it has ended.
    pub done: Option<i32>,
}

/// A command line that runs or has run.
#[derive(Clone)]
pub(crate) struct Session {
    command: u32,
    state: Option<kubectl::Session>,
    wake: Option<sim::Ticket>,
    watches: BTreeMap<u64, WatchId>,
    watches_opened: u64,
}

impl Cluster {
    pub(crate) fn open_session(&mut self, line: &str) {
        let number = self.sessions.len();
        self.sessions.push(Session {
            command: self.commands,
            state: Some(kubectl::Session::start(line)),
            wake: None,
            watches: BTreeMap::new(),
            watches_opened: 0,
        });
        self.advance_session(number);
    }

    /// How many terminal sessions were opened. The next one gets this number.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Ends a session, as Ctrl-C does.
    pub(crate) fn interrupt(&mut self, number: usize) {
        if self.sessions.get(number).is_some_and(|session| session.state.is_some()) {
            let Some(mut state) = self.sessions[number].state.take() else { return };
            let progress = state.interrupt(&mut Desk { cluster: self, number });
            self.printed.push(TerminalOutput {
                session: number,
                text: progress.text,
                done: progress.done,
            });
            self.end_session(number);
        }
    }

    /// Takes what the sessions have printed.
    pub fn take_printed(&mut self) -> Vec<TerminalOutput> {
        std::mem::take(&mut self.printed)
    }

    pub(crate) fn advance_session(&mut self, number: usize) {
        let now = self.now;
        let Some(mut state) = self.sessions[number].state.take() else { return };
        self.sessions[number].wake = None;
        let progress = state.advance(now, &mut Desk { cluster: self, number });
        if !progress.text.is_empty() || progress.done.is_some() {
            let output =
                TerminalOutput { session: number, text: progress.text, done: progress.done };
            self.printed.push(output);
        }
        if progress.done.is_some() {
            return self.end_session(number);
        }
        self.sessions[number].state = Some(state);
        let next = progress.next.unwrap_or(now).max(now + base::Duration::millis(50));
        let ticket = self.queue.schedule(next, Event::Session(number));
        self.sessions[number].wake = Some(ticket);
    }

    fn end_session(&mut self, number: usize) {
        let session = &mut self.sessions[number];
        session.state = None;
        let watches = std::mem::take(&mut session.watches);
        let wake = session.wake.take();
        for watch in watches.into_values() {
            self.close_outside(watch);
        }
        if let Some(ticket) = wake {
            self.queue.cancel(ticket);
        }
    }
}

/// What a session sees of the cluster.
struct Desk<'a> {
    cluster: &'a mut Cluster,
    number: usize,
}

impl Desk<'_> {
    fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &[u8])>,
        accept: &str,
    ) -> HttpRequest {
        let mut request = HttpRequest::new(method, path)
            .header("user-agent", "kubectl/v1.36.2")
            .header("accept", accept);
        if let Some((content_type, bytes)) = body {
            request = request.header("content-type", content_type).body(bytes);
        }
        request.command = self.cluster.sessions[self.number].command;
        request
    }
}

impl kubectl::Server for Desk<'_> {
    fn http(
        &mut self,
        method: &str,
        path_and_query: &str,
        body: Option<(&str, &[u8])>,
        accept: &str,
    ) -> kubectl::Response {
        if !self.cluster.server_running {
            return kubectl::Response::default();
        }
        let request = self.request(method, path_and_query, body, accept);
        match self.cluster.http_unlogged(&request) {
            HttpAnswer::Response(response) => {
                self.cluster.pump();
                kubectl::Response {
                    code: response.code,
                    headers: response.headers,
                    body: response.body,
                }
            }
            HttpAnswer::Watch(watch) => {
                self.cluster.close_outside(watch.id);
                kubectl::Response { code: 500, headers: Vec::new(), body: Vec::new() }
            }
        }
    }

    fn watch(&mut self, path_and_query: &str, accept: &str) -> Result<u64, kubectl::Response> {
        let request = self.request("GET", path_and_query, None, accept);
        match self.cluster.http_unlogged(&request) {
            HttpAnswer::Watch(watch) => {
                let session = &mut self.cluster.sessions[self.number];
                session.watches_opened += 1;
                session.watches.insert(session.watches_opened, watch.id);
                Ok(session.watches_opened)
            }
            HttpAnswer::Response(response) => Err(kubectl::Response {
                code: response.code,
                headers: Vec::new(),
                body: response.body,
            }),
        }
    }

    fn poll_watch(&mut self, id: u64) -> Vec<Vec<u8>> {
        let Some(watch) = self.cluster.sessions[self.number].watches.get(&id).copied() else {
            return Vec::new();
        };
        self.cluster.take_lines(watch)
    }

    fn close_watch(&mut self, id: u64) {
        if let Some(watch) = self.cluster.sessions[self.number].watches.remove(&id) {
            self.cluster.close_outside(watch);
        }
    }

    fn file(&mut self, path: &str) -> Option<String> {
        self.cluster.files.get(path).map(|text| text.to_string())
    }

    fn curl(&mut self, from: &str, url: &str) -> String {
        let trace = match self.cluster.curl(from, url) {
            Ok(trace) => trace,
            Err(why) => return format!("curl: {why}\n"),
        };
        match (trace.http(), trace.outcome.error()) {
            (Some(response), _) => format!("{}\n", response.body.trim_end()),
            (None, Some(error)) => format!("curl: {error}\n"),
            (None, None) => "connected\n".into(),
        }
    }
}

impl Cluster {
    /// The events of an outside watch as finished lines.
    fn take_lines(&mut self, watch: WatchId) -> Vec<Vec<u8>> {
        let Some(stream) = self.streams.get(&watch) else { return Vec::new() };
        let events = self.outside.get_mut(&watch).map(std::mem::take).unwrap_or_default();
        events.iter().map(|event| self.server.frame(self.now, stream, event)).collect()
    }
}
