//! The cluster's outer edge: HTTP to the API server, commands from a person, faults.

use api::object::Key;
use apiserver::WatchId;
use apiserver::http::{Forward, HttpRequest, Response, Stream};
use base::{Instant, Str, lit};
use kubelet::runtime::LogOptions;

use crate::engine::Route;
use crate::{Body, Cluster, Command, Component, Entry, Fault};

/// What an HTTP request is answered with.
#[derive(Debug)]
pub enum HttpAnswer {
    /// A complete response.
    Response(Response),
    /// A watch that goes on: see [`Cluster::take_outside`].
    Watch(HttpWatch),
}

/// A watch over HTTP.
#[derive(Debug)]
pub struct HttpWatch {
    /// Its number.
    pub id: WatchId,
    /// The type of the stream.
    pub content_type: Str,
    /// What comes before the first event.
    pub first: Vec<u8>,
    /// After so many seconds the stream ends.
    pub timeout: Option<i64>,
}

/// How long a start waits for its nodes at most.
const NODES_WAIT_MAX: base::Duration = base::Duration::secs(30);

impl Cluster {
    /// Answers a request over HTTP, as somebody outside makes it. Writes are logged.
    pub fn http(&mut self, mut request: HttpRequest) -> HttpAnswer {
        if !self.server_running {
            return HttpAnswer::Response(refused());
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            request.command = self.note(logged(&request));
        }
        let answer = self.http_unlogged(&request);
        self.pump();
        answer
    }

    pub(crate) fn http_unlogged(&mut self, request: &HttpRequest) -> HttpAnswer {
        match self.server.http(self.now, request) {
            apiserver::http::HttpAnswer::Response(response) => {
                self.pump();
                HttpAnswer::Response(response)
            }
            apiserver::http::HttpAnswer::Watch(stream) => {
                HttpAnswer::Watch(self.open_stream(stream))
            }
            apiserver::http::HttpAnswer::Kubelet(forward) => {
                HttpAnswer::Response(self.ask_kubelet(&forward))
            }
        }
    }

    fn open_stream(&mut self, mut stream: Stream) -> HttpWatch {
        let id = stream.id;
        let first = std::mem::take(&mut stream.first);
        let timeout = stream.timeout.map(|t| t.as_secs());
        self.routes.insert(id, Route::Outside);
        self.streams.insert(id, stream);
        self.pump();
        HttpWatch { id, content_type: lit!("application/json"), first, timeout }
    }

    /// Takes what the open HTTP watches have to send, as finished bytes.
    pub fn take_outside(&mut self) -> Vec<(WatchId, Vec<u8>)> {
        let mut lines = Vec::new();
        for (id, events) in &mut self.outside {
            let Some(stream) = self.streams.get(id) else { continue };
            if events.is_empty() {
                continue;
            }
            let mut text = Vec::new();
            for event in std::mem::take(events) {
                text.extend_from_slice(&self.server.frame(self.now, stream, &event));
            }
            lines.push((*id, text));
        }
        for (id, stream) in &mut self.streams {
            lines.extend(self.server.bookmark(self.now, stream).map(|mark| (*id, mark)));
        }
        lines
    }

    /// Ends an outside watch.
    pub fn close_outside(&mut self, id: WatchId) {
        self.routes.remove(&id);
        self.outside.remove(&id);
        self.streams.remove(&id);
        self.server.unwatch(id);
    }

    fn ask_kubelet(&mut self, forward: &Forward) -> Response {
        let plain = |code: u16, body: String| Response {
            code,
            headers: vec![("content-type".into(), "text/plain".into())],
            body: body.into_bytes(),
        };
        let Some(pid) = self.nodes.get(&forward.node).copied() else {
            return plain(404, format!("node {:?} not found", forward.node));
        };
        let process = &mut self.processes[pid];
        if !process.running || process.link.is_partitioned() {
            let host = &forward.node;
            return plain(
                500,
                format!(
                    "Get \"https://{host}:10250/containerLogs/{}\": dial tcp: connect: connection refused",
                    forward.pod
                ),
            );
        }
        match &mut process.body {
            Body::Kubelet(kubelet) if forward.what == "log" => {
                let (container, options) = log_options(&forward.query);
                match kubelet.logs(&forward.pod.namespace, &forward.pod.name, &container, &options)
                {
                    Ok(text) => plain(200, text),
                    Err(error) => plain(400, error),
                }
            }
            _ => plain(501, format!("{} is not modelled", forward.what)),
        }
    }

    /// Applies what a scenario starts with; the log does not hold it. What is refused is the error, as kubectl prints it.
    ///
    /// Waits for the nodes first, as somebody who sets up a cluster does: else every pod would go to the one
    /// that happened to be ready before the others.
    pub fn apply_start(&mut self, yaml: &str) -> Result<(), String> {
        if yaml.trim().is_empty() {
            return Ok(());
        }
        let deadline = self.now + NODES_WAIT_MAX;
        while self.nodes_ready() < self.nodes.len() && self.now < deadline {
            self.run_for(base::Duration::millis(100));
        }
        let number = self.sessions();
        self.run(&Command::Apply(yaml.into()));
        let mut text = String::new();
        let mut failed = false;
        for output in self.take_printed() {
            text.push_str(&output.text);
            failed |= output.session == number && output.done.is_some_and(|code| code != 0);
        }
        if failed { Err(text) } else { Ok(()) }
    }

    fn nodes_ready(&self) -> usize {
        use api::Kind as _;
        use api::core::v1::Node;
        let list = self.server.list(&api::wire::Interest::all(Node::INFO));
        let nodes = list.map(|list| list.items).unwrap_or_default();
        let ready = |node: &Node| {
            node.status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
        };
        nodes.iter().filter(|object| object.get::<Node>().is_some_and(ready)).count()
    }

    /// Sends a GET (or opens a connection, for `tcp://`) as a pod (`namespace/name`), as a node, or from outside.
    pub fn curl(&mut self, from: &str, url: &str) -> Result<network::Trace, String> {
        let origin =
            self.origin(from).ok_or_else(|| format!("there is nobody called {from} to ask"))?;
        let call = crate::traffic::call_of(url)
            .ok_or_else(|| format!("{url} is not a URL that can be asked"))?;
        Ok(self.request(&network::Call { from: origin, ..call }))
    }

    /// The same for a person who watches: it is noted in the log, since it draws on the network's chance.
    pub fn ask(&mut self, from: &str, url: &str) -> Result<network::Trace, String> {
        self.note(Command::Request { from: from.into(), url: url.into() });
        self.curl(from, url)
    }

    /// Takes a command: notes it in the log and carries it out now.
    pub fn command(&mut self, command: Command) {
        self.note(command.clone());
        self.run(&command);
    }

    fn note(&mut self, command: Command) -> u32 {
        self.log.push(Entry { at: self.now, command });
        self.commands += 1;
        self.commands
    }

    /// Repeats a log from the cluster's start on, and leaves the clock at the last entry.
    pub fn replay(&mut self, log: &[Entry]) {
        for Entry { at, command } in log {
            self.run_until(*at);
            self.command(command.clone());
        }
    }

    /// Carries out a command without noting it: the cluster's start and its timeline do so.
    pub(crate) fn run(&mut self, command: &Command) {
        match command {
            Command::Apply(yaml) => self.open_session(&format!("kubectl apply -f -\n{yaml}")),
            Command::Terminal(line) => self.open_session(line),
            Command::File { name, text } => drop(self.files.insert(name.clone(), text.clone())),
            Command::Interrupt(session) => self.interrupt(*session),
            Command::Panic(why) => panic!("{why}"),
            Command::Fault(fault) => self.break_or_mend(fault),
            Command::Request { from, url } => {
                // Who asked has been told the outcome; here only its effects on the model count.
                let _ = self.curl(from, url);
            }
            Command::Http { method, path, content_type, body } => {
                let mut request = HttpRequest::new(method, path).body(body.as_bytes());
                if !content_type.is_empty() {
                    request = request.header("content-type", content_type);
                }
                request.command = self.commands;
                self.http_unlogged(&request);
                self.pump();
            }
        }
    }

    fn break_or_mend(&mut self, fault: &Fault) {
        let now = self.now;
        match fault {
            Fault::NodeOff(node) => self.power_off(node),
            Fault::NodeOn(node) => match &self.cloud {
                Some(cloud) if cloud.is_stopped(node) => self.change_cloud(fault),
                _ => self.power_on(node),
            },
            Fault::StopMachine(_)
            | Fault::StartMachine(_)
            | Fault::TerminateMachine(_)
            | Fault::CutCloud
            | Fault::MendCloud => self.change_cloud(fault),
            Fault::CutLink(node) | Fault::MendLink(node) => {
                let cut = matches!(fault, Fault::CutLink(_));
                let Some(pid) = self.pid_of(Component::Kubelet, node) else { return };
                self.processes[pid].link.set_partitioned(cut);
                self.fabric.links.set_isolated(node, cut);
                if !cut {
                    self.reconnect(pid);
                }
            }
            Fault::Unplug(Component::ApiServer, _) => self.server_running = false,
            Fault::Plug(Component::ApiServer, _) => self.server_running = true,
            Fault::Unplug(Component::KubeProxy, node) if !node.is_empty() => {
                self.with_proxy(|proxy| proxy.stop(node));
            }
            Fault::Plug(Component::KubeProxy, node) if !node.is_empty() => {
                self.with_proxy(|proxy| proxy.resume(node));
            }
            Fault::ShutDown(component, node) => {
                let running = |pid: &usize| self.processes[*pid].running;
                let pids: Vec<_> =
                    self.pids_of(*component, node).into_iter().filter(running).collect();
                for pid in pids {
                    let mut out = client::Outbox::default();
                    self.processes[pid].body.part().shut_down(now, &mut out);
                    self.take_up(pid, out);
                }
                self.break_or_mend(&Fault::Unplug(*component, node.clone()));
            }
            Fault::Unplug(component, node) => {
                self.pids_of(*component, node).into_iter().for_each(|pid| self.stop(pid));
            }
            Fault::Plug(component, node) => {
                if !self.off.contains_key(node) {
                    self.pids_of(*component, node).into_iter().for_each(|pid| self.start(pid));
                }
            }
            Fault::Crash { namespace, pod, container, code } => {
                let key = Key::new(namespace.clone(), pod.clone());
                if let Some(pid) = self.node_of(&key) {
                    self.with_kubelet(pid, |kubelet| {
                        kubelet.crash(now, namespace, pod, container, *code);
                    });
                    self.take_up(pid, client::Outbox::default());
                }
            }
        }
    }

    /// A node's machine loses its power.
    pub(crate) fn power_off(&mut self, node: &Str) {
        let Some(pid) = self.pid_of(Component::Kubelet, node) else { return };
        self.stop(pid);
        self.off.insert(node.clone(), ());
        self.with_kubelet(pid, |kubelet| kubelet.power_off());
        self.network_changed(pid);
    }

    /// A node's machine comes back.
    pub(crate) fn power_on(&mut self, node: &Str) {
        let Some(pid) = self.pid_of(Component::Kubelet, node) else { return };
        self.off.remove(node);
        self.start(pid);
    }

    /// The kubelet's process that runs a pod.
    fn node_of(&self, pod: &Key) -> Option<usize> {
        use api::Kind as _;
        let object = self.server.get(api::core::v1::Pod::INFO, &pod.namespace, &pod.name)?;
        let node = object.get::<api::core::v1::Pod>()?.spec.node_name.clone();
        self.nodes.get(&node).copied()
    }

    fn with_kubelet(&mut self, pid: usize, act: impl FnOnce(&mut kubelet::Kubelet)) {
        if let Body::Kubelet(kubelet) = &mut self.processes[pid].body {
            act(kubelet);
        }
    }

    fn with_proxy(&mut self, act: impl FnOnce(&mut kube_proxy::Proxy)) {
        for process in &mut self.processes {
            if let Body::Proxy(proxy) = &mut process.body {
                return act(proxy);
            }
        }
    }

    /// A moment of the cluster's own time, counted from its start.
    pub fn since_start(&self) -> base::Duration {
        self.now - Instant::START
    }
}

/// The container and the options in a log request's query.
fn log_options(query: &[(Str, Str)]) -> (Str, LogOptions) {
    let value = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    let flag = |key: &str| value(key).is_some_and(|v| v.as_str() == "true" || v.as_str() == "1");
    let options = LogOptions {
        tail: value("tailLines").and_then(|v| v.parse().ok()),
        previous: flag("previous"),
        timestamps: flag("timestamps"),
        ..LogOptions::default()
    };
    (value("container").cloned().unwrap_or_default(), options)
}

/// A write over HTTP, as the log keeps it.
fn logged(request: &HttpRequest) -> Command {
    let path = match request.query.is_empty() {
        true => request.path.clone(),
        false => format!("{}?{}", request.path, request.query).into(),
    };
    Command::Http {
        method: request.method.clone(),
        path,
        content_type: request.value("content-type").unwrap_or("").into(),
        body: String::from_utf8_lossy(&request.body).into_owned().into(),
    }
}

fn refused() -> Response {
    Response {
        code: 503,
        headers: vec![("content-type".into(), "text/plain".into())],
        body: b"the API server is not running".to_vec(),
    }
}
