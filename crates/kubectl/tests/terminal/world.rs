//! A terminal on a real API server: scripts of commands and what they print.

use apiserver::http::{HttpAnswer, HttpRequest, Stream};
use apiserver::{ApiServer, WatchId};
use base::{BTreeMap, Duration, Instant};
use kubectl::{Response, Server, Session};

/// An API server, a clock, the open watches, and some files.
struct World {
    server: ApiServer,
    now: Instant,
    streams: BTreeMap<u64, (Stream, Vec<Vec<u8>>)>,
    opened: u64,
    files: BTreeMap<String, String>,
}

/// Runs a script and compares what it prints with what it says.
///
/// `$ COMMAND` runs a command, with a here-document below it if it has one; what follows is its output, with
/// `(exit N)` at the end where it fails. `$& COMMAND` leaves it running: what it prints later stands behind `| `.
/// `@ SECONDS` lets time pass. `# TEXT` is a remark.
pub fn check(script: &str) {
    let mut world = World::new();
    let mut background: Option<Session> = None;
    let mut told = String::new();
    let mut lines = script.trim_start_matches('\n').lines().peekable();
    while let Some(line) = lines.next() {
        let is_quiet = line.starts_with('#') || line.trim().is_empty();
        if !(is_quiet
            || line.starts_with("$ ")
            || line.starts_with("$& ")
            || line.starts_with("@ "))
        {
            continue;
        }
        told.push_str(line);
        told.push('\n');
        if let Some(seconds) = line.strip_prefix("@ ") {
            world.now += Duration::secs(seconds.parse().expect("seconds"));
        } else if let Some(command) = line.strip_prefix("$& ") {
            let mut session = Session::start(command);
            told.push_str(&session.advance(world.now, &mut world).text);
            background = Some(session);
            continue;
        } else if let Some(first) = line.strip_prefix("$ ") {
            let mut command = first.to_string();
            if first.contains("<<EOF") {
                for line in lines.by_ref() {
                    told.push_str(line);
                    told.push('\n');
                    command.push('\n');
                    command.push_str(line);
                    if line == "EOF" {
                        break;
                    }
                }
            }
            told.push_str(&world.run(&command));
            if !told.ends_with('\n') {
                told.push('\n');
            }
        }
        if let Some(session) = &mut background {
            let progress = session.advance(world.now, &mut world);
            for line in progress.text.lines() {
                told.push_str(&format!("| {line}\n"));
            }
            if progress.done.is_some() {
                background = None;
            }
        }
    }
    let squeeze = |text: &str| {
        text.trim_start_matches('\n').lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    let (told, wanted) = (squeeze(&told), squeeze(script));
    let without_gaps =
        |text: &str| text.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert!(
        without_gaps(&told) == without_gaps(&wanted),
        "\n--- wanted\n{wanted}\n--- told\n{told}\n"
    );
}

impl World {
    fn new() -> World {
        let mut server = ApiServer::new(1);
        server.bootstrap(Instant::START);
        let mut world = World {
            server,
            now: Instant::START,
            streams: BTreeMap::new(),
            opened: 0,
            files: BTreeMap::new(),
        };
        for name in ["default", "kube-system"] {
            let body = format!(r#"{{"metadata":{{"name":"{name}"}}}}"#);
            world.http(
                "POST",
                "/api/v1/namespaces",
                Some(("application/json", body.as_bytes())),
                "",
            );
        }
        let account = r#"{"metadata":{"name":"default"}}"#;
        let path = "/api/v1/namespaces/default/serviceaccounts";
        world.http("POST", path, Some(("application/json", account.as_bytes())), "");
        world.files.insert("app.conf".into(), "mode=fast\n".into());
        world.now += Duration::secs(60);
        world
    }

    /// Runs a command until it ends, for a virtual minute at most.
    fn run(&mut self, command: &str) -> String {
        let mut session = Session::start(command);
        let (mut text, end) = (String::new(), self.now + Duration::secs(60));
        loop {
            let progress = session.advance(self.now, self);
            text.push_str(&progress.text);
            if progress.clear {
                text.push_str("(clear)\n");
            }
            if let Some(namespace) = progress.namespace {
                text.push_str(&format!("(namespace {namespace})\n"));
            }
            match progress.done {
                Some(0) => return text,
                Some(code) => return format!("{text}(exit {code})\n"),
                None => self.now = progress.next.expect("a command that goes on says when"),
            }
            if self.now >= end {
                return text + "(does not end)\n";
            }
        }
    }

    fn request(method: &str, path: &str, accept: &str) -> HttpRequest {
        HttpRequest::new(method, path).header("user-agent", "kubectl").header("accept", accept)
    }
}

impl Server for World {
    fn http(
        &mut self,
        method: &str,
        path_and_query: &str,
        body: Option<(&str, &[u8])>,
        accept: &str,
    ) -> Response {
        let mut request = World::request(method, path_and_query, accept);
        if let Some((content_type, bytes)) = body {
            request = request.header("content-type", content_type).body(bytes);
        }
        match self.server.http(self.now, &request) {
            HttpAnswer::Response(response) => {
                Response { code: response.code, headers: response.headers, body: response.body }
            }
            HttpAnswer::Kubelet(forward) => {
                let text = format!("2026-01-01T00:01:00.000000000Z log of {}\n", forward.pod);
                let has_times = forward.query.iter().any(|(k, v)| k == "timestamps" && v == "true");
                let body = if has_times { text.as_str() } else { &text[31..] };
                Response { code: 200, headers: Vec::new(), body: body.into() }
            }
            HttpAnswer::Watch(_) => panic!("a watch is opened by Server::watch"),
        }
    }

    fn watch(&mut self, path_and_query: &str, accept: &str) -> Result<u64, Response> {
        match self.server.http(self.now, &World::request("GET", path_and_query, accept)) {
            HttpAnswer::Watch(stream) => {
                self.opened += 1;
                let first = stream.first.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec);
                let first = first.collect();
                self.streams.insert(self.opened, (stream, first));
                Ok(self.opened)
            }
            HttpAnswer::Response(response) => {
                Err(Response { code: response.code, headers: Vec::new(), body: response.body })
            }
            other => panic!("{other:?}"),
        }
    }

    fn poll_watch(&mut self, id: u64) -> Vec<Vec<u8>> {
        for (watch, event) in self.server.take_events() {
            let found = self.streams.values_mut().find(|(stream, _)| stream.id == watch);
            if let Some((stream, lines)) = found {
                lines.push(self.server.frame(self.now, stream, &event));
            }
        }
        self.streams.get_mut(&id).map(|(_, lines)| std::mem::take(lines)).unwrap_or_default()
    }

    fn close_watch(&mut self, id: u64) {
        if let Some((stream, _)) = self.streams.remove(&id) {
            let watch: WatchId = stream.id;
            self.server.unwatch(watch);
        }
    }

    fn curl(&mut self, from: &str, url: &str) -> String {
        format!("{url} asked from {:?}\n", from)
    }

    fn file(&mut self, path: &str) -> Option<String> {
        self.files.get(path).cloned()
    }
}
