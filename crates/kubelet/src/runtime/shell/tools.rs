//! Commands that talk over the network: wget, curl, nc, nslookup, ping.

use base::{Duration, Str};
use network::{Call, HttpRequest, Origin, Outcome, Payload, Response, To, Trace, What};

use super::builtin::{Done, unescape};
use super::vm::World;
use crate::runtime::server::Server;

/// The program that waits for a network call.
#[derive(Clone, Debug, PartialEq)]
pub enum Tool {
    /// wget, with its output file (`-` for standard output) and whether it is quiet.
    Wget(String, bool, String),
    /// curl, with its output file.
    Curl {
        /// The output file, if any.
        file: Option<String>,
        /// Only errors are shown of failures.
        silent: bool,
        /// Fails on HTTP errors.
        fail: bool,
        /// Shows the response's head.
        head: bool,
        /// What `-w` writes.
        format: String,
        /// Host and port as written.
        host: String,
        /// The port.
        port: u16,
    },
    /// nc, with host and port.
    Nc(String, u16, bool),
    /// nslookup and its kin.
    Lookup(String, bool),
    /// ping.
    Ping(String),
    /// The client of a well-known server, with host and port.
    Client(String, String, u16),
}

pub(super) fn call(
    world: &World<'_>,
    host: &str,
    port: u16,
    payload: Payload,
    wait: i64,
    tool: Tool,
) -> Done {
    let Some(ip) = world.ip else { return Done::fail("network is down\n", 1) };
    let to = host.parse().map_or_else(|_| To::Name(host.into()), To::Ip);
    let mut call = Call::new(Origin::Pod(ip), to, port, payload);
    call.timeout = Duration::secs(wait);
    Done::Call(Box::new(call), tool)
}

struct Url {
    tls: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

fn url(text: &str) -> Url {
    let tls = text.starts_with("https://");
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
    let default = if tls { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(']') || host.starts_with('[') => {
            (host, port.parse().unwrap_or(default))
        }
        _ => (authority, default),
    };
    let host = host.trim_matches(['[', ']']).to_string();
    Url { tls, host, port, authority: authority.to_string(), path }
}

fn request(url: &Url, method: &str, headers: Vec<(Str, Str)>, body: &str) -> Payload {
    let mut host: Str = url.authority.as_str().into();
    let mut rest = Vec::new();
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("host") {
            host = value;
        } else {
            rest.push((name, value));
        }
    }
    Payload::Http(HttpRequest {
        method: method.into(),
        tls: url.tls,
        host,
        path: url.path.as_str().into(),
        headers: rest,
        body: body.into(),
    })
}

pub(super) fn wget(args: &[&str], world: &World<'_>) -> Done {
    let (mut file, mut quiet, mut wait, mut target) = (None, false, 900, None);
    let (mut body, mut headers, mut spider) = (None, Vec::new(), false);
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        at += 1;
        match *arg {
            "--spider" => spider = true,
            "-T" | "--timeout" => {
                wait = args.get(at).and_then(|n| n.parse().ok()).unwrap_or(wait);
                at += 1;
            }
            "-O" | "-qO" | "--output-document" => {
                quiet |= *arg == "-qO";
                file = args.get(at).map(|f| f.to_string());
                at += 1;
            }
            "--header" => {
                headers.extend(args.get(at).and_then(|h| header(h)));
                at += 1;
            }
            arg if arg.starts_with("--timeout=") => wait = arg[10..].parse().unwrap_or(wait),
            arg if arg.starts_with("--header=") => headers.extend(header(&arg[9..])),
            arg if arg.starts_with("--post-data=") => body = Some(arg[12..].to_string()),
            arg if arg.starts_with("-T") => wait = arg[2..].parse().unwrap_or(wait),
            arg if arg.starts_with('-') && !arg.starts_with("--") => {
                quiet |= arg.contains('q');
                if let Some((_, name)) = arg.split_once('O') {
                    if name.is_empty() {
                        file = args.get(at).map(|f| f.to_string());
                        at += 1;
                    } else {
                        file = Some(name.to_string());
                    }
                }
            }
            arg if arg.starts_with('-') => {}
            arg => target = Some(arg),
        }
    }
    let Some(target) = target else { return Done::fail("wget: missing URL\n", 1) };
    let url = url(target);
    let last = url.path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("index.html");
    let file = file.unwrap_or_else(|| if spider { "/dev/null".into() } else { last.to_string() });
    let method = if body.is_some() { "POST" } else { "GET" };
    let payload = request(&url, method, headers, body.as_deref().unwrap_or_default());
    call(world, &url.host, url.port, payload, wait, Tool::Wget(file, quiet, url.authority.clone()))
}

fn header(text: &str) -> Option<(Str, Str)> {
    text.split_once(':').map(|(name, value)| (name.trim().into(), value.trim().into()))
}

pub(super) fn curl(args: &[&str], world: &World<'_>) -> Done {
    let (mut file, mut silent, mut fail, mut head, mut wait) = (None, false, false, false, 300);
    let (mut show, mut target, mut method, mut body) = (false, None, None, String::new());
    let (mut headers, mut format) = (Vec::new(), String::new());
    let mut at = 0;
    while let Some(arg) = args.get(at).copied() {
        at += 1;
        let mut value = || {
            at += 1;
            args.get(at - 1).copied().unwrap_or_default().to_string()
        };
        match arg {
            "-o" | "--output" => file = Some(value()),
            "-w" | "--write-out" => format = value(),
            "-H" | "--header" => headers.extend(header(&value())),
            "-X" | "--request" => method = Some(value()),
            "-d" | "--data" | "--data-raw" => body = value(),
            "-m" | "--max-time" | "--connect-timeout" => {
                wait = value().parse::<f64>().map_or(wait, |s| s.ceil() as i64)
            }
            "-A" | "-u" | "-b" | "-e" | "--retry" | "--resolve" | "--cacert" | "--retry-delay" => {
                drop(value())
            }
            "--silent" => silent = true,
            "--show-error" => show = true,
            "--fail" => fail = true,
            "--head" => (head, method) = (true, Some("HEAD".into())),
            "--include" => head = true,
            _ if arg.starts_with("--") => {}
            _ if arg.starts_with('-') && arg.len() > 1 => {
                silent |= arg.contains('s');
                show |= arg.contains('S');
                fail |= arg.contains('f');
                head |= arg.contains('i') || arg.contains('I');
                if arg.contains('I') {
                    method = Some("HEAD".into());
                }
                if arg.ends_with('o') {
                    file = Some(value());
                } else if arg.ends_with('m') {
                    wait = value().parse().unwrap_or(wait);
                } else if arg.ends_with('w') {
                    format = value();
                }
            }
            _ => target = Some(arg),
        }
    }
    let Some(target) = target else {
        return Done::fail("curl: try 'curl --help' or 'curl --manual' for more information\n", 2);
    };
    let url = url(target);
    let method = method.unwrap_or_else(|| if body.is_empty() { "GET" } else { "POST" }.to_string());
    headers.push((base::lit!("User-Agent"), base::lit!("curl/8.14.1")));
    let payload = request(&url, &method, headers, &body);
    let silent = silent && !show;
    let (host, port) = (url.host.clone(), url.port);
    let tool = Tool::Curl { file, silent, fail, head, format, host, port };
    call(world, &url.host, url.port, payload, wait, tool)
}

pub(super) fn nc(args: &[&str], world: &World<'_>) -> Done {
    if args.iter().any(|a| a.starts_with('-') && a.contains('l')) {
        let port = args.iter().rev().find_map(|a| a.trim_start_matches('-').parse().ok());
        return match port {
            Some(port) => Done::Serve(Box::new(Server::tcp(port))),
            None => Done::Forever(String::new()),
        };
    }
    let verbose = args.iter().any(|a| a.starts_with('-') && a.contains('v'));
    let mut wait = 30;
    let mut plain = Vec::new();
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        at += 1;
        if arg.starts_with('-') && arg.ends_with('w') {
            wait = args.get(at).and_then(|n| n.parse().ok()).unwrap_or(wait);
            at += 1;
        } else if !arg.starts_with('-') {
            plain.push(*arg);
        }
    }
    match plain.as_slice() {
        [host, port, ..] => {
            let port = port.parse().unwrap_or(0);
            call(
                world,
                host,
                port,
                Payload::Connect,
                wait,
                Tool::Nc(host.to_string(), port, verbose),
            )
        }
        _ => Done::fail("nc: bad address\n", 1),
    }
}

/// Default port of the server that a client program talks to, and what it prints when that answers.
const CLIENTS: &[(&str, u16, &str)] = &[
    ("redis-cli", 6379, "PONG\n"),
    ("valkey-cli", 6379, "PONG\n"),
    ("pg_isready", 5432, "/var/run/postgresql:5432 - accepting connections\n"),
    ("psql", 5432, ""),
    ("mysqladmin", 3306, "mysqld is alive\n"),
    ("mysql", 3306, ""),
    ("mariadb", 3306, ""),
    ("mariadb-admin", 3306, "mysqld is alive\n"),
    ("mongosh", 27017, "{ ok: 1 }\n"),
    ("mongo", 27017, "{ ok: 1 }\n"),
    ("rabbitmq-diagnostics", 5672, "Ping succeeded\n"),
    ("zookeeper-ready", 2181, "imok\n"),
    ("nodetool", 7199, ""),
    ("cqlsh", 9042, ""),
    ("etcdctl", 2379, "127.0.0.1:2379 is healthy\n"),
];

/// Whether a command is the client of a well-known server.
pub(super) fn is_client(name: &str) -> bool {
    CLIENTS.iter().any(|(known, ..)| *known == name)
}

/// Talks to a server: the one of its own container, or the one it is told.
pub(super) fn client(name: &str, args: &[&str], world: &World<'_>) -> Done {
    let Some((_, port, says)) = CLIENTS.iter().find(|(known, ..)| *known == name) else {
        return Done::fail("", 127);
    };
    let joined = args.iter().find_map(|arg| {
        arg.strip_prefix("--host=").or(arg.strip_prefix("-h").filter(|h| !h.is_empty()))
    });
    let apart =
        args.iter().position(|arg| matches!(*arg, "-h" | "--host")).and_then(|at| args.get(at + 1));
    let host = joined.or(apart.copied()).unwrap_or("localhost");
    if matches!(host, "localhost" | "127.0.0.1") {
        return if world.serving {
            Done::ok(*says)
        } else {
            Done::fail(refused(name, host, *port), 2)
        };
    }
    call(world, host, *port, Payload::Connect, 10, Tool::Client(name.into(), host.into(), *port))
}

fn refused(name: &str, host: &str, port: u16) -> String {
    match name {
        "pg_isready" => format!("{host}:{port} - no response\n"),
        "mysql" | "mysqladmin" | "mariadb" | "mariadb-admin" => {
            format!("ERROR 2003 (HY000): Can't connect to MySQL server on '{host}:{port}' (111)\n")
        }
        "redis-cli" | "valkey-cli" => {
            format!("Could not connect to Redis at {host}:{port}: Connection refused\n")
        }
        _ => format!("{name}: connection to {host}:{port} failed: Connection refused\n"),
    }
}

pub(super) fn lookup(name: &str, plain: &[&str], args: &[&str], world: &World<'_>) -> Done {
    let short = args.contains(&"+short") || name == "getent";
    let host = match (name, plain) {
        ("getent", [_, host, ..]) | (_, [host, ..]) => host.to_string(),
        _ => return Done::fail(format!("{name}: missing name\n"), 1),
    };
    call(world, &host.clone(), 9, Payload::Connect, 5, Tool::Lookup(host, short))
}

impl Tool {
    /// What the program prints and returns once its call has ended.
    pub fn finish(&self, trace: &Trace, world: &mut World<'_>) -> Done {
        match self {
            Tool::Wget(file, quiet, host) => finish_wget(trace, file, *quiet, host, world),
            Tool::Curl { .. } => self.finish_curl(trace, world),
            Tool::Nc(host, port, verbose) => match (&trace.outcome, verbose) {
                (_, true) if trace.connected() => Done::Text {
                    out: String::new(),
                    err: format!("{host} ({host}:{port}) open\n"),
                    status: 0,
                },
                (_, false) if trace.connected() => Done::ok(""),
                (outcome, _) => {
                    Done::fail(format!("nc: {host} ({host}:{port}): {}\n", reason(outcome)), 1)
                }
            },
            Tool::Lookup(name, short) => finish_lookup(trace, name, *short),
            Tool::Client(name, _, _) if trace.connected() => {
                let says =
                    CLIENTS.iter().find(|(known, ..)| known == name).map_or("", |(.., says)| says);
                Done::ok(says)
            }
            Tool::Client(name, host, port) => Done::fail(refused(name, host, *port), 2),
            Tool::Ping(host) => match &trace.outcome {
                Outcome::Unresolved { .. } => {
                    Done::fail(format!("ping: bad address '{host}'\n"), 1)
                }
                Outcome::ConnectTimeout(_) => Done::fail(
                    format!(
                        "PING {host}: 56 data bytes\n\n--- {host} ping statistics ---\n1 packets transmitted, 0 packets received, 100% packet loss\n"
                    ),
                    1,
                ),
                _ => Done::ok(format!(
                    "PING {host}: 56 data bytes\n64 bytes from {host}: seq=0 ttl=62 time={:.3} ms\n",
                    trace.latency.as_secs_f64() * 1e3
                )),
            },
        }
    }

    fn finish_curl(&self, trace: &Trace, world: &mut World<'_>) -> Done {
        let Tool::Curl { file, silent, fail, head, format, host, port } = self else {
            return Done::fail("", 1);
        };
        let millis = trace.latency.as_millis();
        let (mut out, mut err, mut code) = (String::new(), String::new(), 0);
        let mut status = 0;
        match &trace.outcome {
            Outcome::Answered(Response::Http(response)) => {
                status = response.status;
                if *head {
                    out += &format!("HTTP/1.1 {} {}\r\n", response.status, response.reason());
                    response.headers.iter().for_each(|(n, v)| out += &format!("{n}: {v}\r\n"));
                    out += "\r\n";
                }
                if *fail && response.status >= 400 {
                    err = format!(
                        "curl: (22) The requested URL returned error: {}\n",
                        response.status
                    );
                    code = 22;
                } else {
                    out += &response.body;
                }
            }
            Outcome::Answered(Response::Text(text)) => out += text,
            Outcome::Answered(_) => {
                err = "curl: (52) Empty reply from server\n".into();
                code = 52;
            }
            Outcome::Unresolved { name, .. } => {
                err = format!("curl: (6) Could not resolve host: {name}\n");
                code = 6;
            }
            Outcome::Refused(_) => {
                err = format!(
                    "curl: (7) Failed to connect to {host} port {port} after {millis} ms: Could not connect to server\n"
                );
                code = 7;
            }
            Outcome::Reset(_) => {
                err = "curl: (56) Recv failure: Connection reset by peer\n".into();
                code = 56;
            }
            Outcome::ConnectTimeout(_) => {
                err = format!("curl: (28) Connection timed out after {millis} milliseconds\n");
                code = 28;
            }
            Outcome::AnswerTimeout(_) => {
                err = format!(
                    "curl: (28) Operation timed out after {millis} milliseconds with 0 bytes received\n"
                );
                code = 28;
            }
        }
        if let Some(file) = file {
            let _ = world.files.write(file, &out, false);
            out.clear();
        }
        let time = format!("{:.6}", trace.latency.as_secs_f64());
        out += &unescape(format)
            .replace("%{http_code}", &format!("{status:03}"))
            .replace("%{response_code}", &format!("{status:03}"))
            .replace("%{time_total}", &time);
        if *silent {
            err.clear();
        }
        Done::Text { out, err, status: code }
    }
}

fn finish_wget(trace: &Trace, file: &str, quiet: bool, host: &str, world: &mut World<'_>) -> Done {
    let say = |text: String| if quiet { String::new() } else { text };
    let body = match &trace.outcome {
        Outcome::Answered(Response::Http(response)) if response.status < 400 => {
            response.body.clone()
        }
        Outcome::Answered(Response::Http(response)) => {
            let (status, words) = (response.status, response.reason());
            return Done::fail(
                format!("wget: server returned error: HTTP/1.1 {status} {words}\n"),
                1,
            );
        }
        Outcome::Answered(_) => return Done::fail("wget: error getting response\n", 1),
        Outcome::AnswerTimeout(_) => return Done::fail("wget: download timed out\n", 1),
        Outcome::Unresolved { name, .. } => {
            return Done::fail(format!("wget: bad address '{name}'\n"), 1);
        }
        Outcome::Reset(_) => {
            return Done::fail("wget: error getting response: Connection reset by peer\n", 1);
        }
        Outcome::Refused(at) | Outcome::ConnectTimeout(at) => {
            let why = reason(&trace.outcome);
            return Done::fail(
                format!("wget: can't connect to remote host ({}): {why}\n", at.ip()),
                1,
            );
        }
    };
    let mut err = say(format!("Connecting to {host}\n"));
    if file == "-" {
        return Done::Text { out: body.to_string(), err, status: 0 };
    }
    if let Err(why) = world.files.write(file, &body, false) {
        return Done::fail(format!("wget: can't open '{file}': {why}\n"), 1);
    }
    err += &say(format!("saving to '{file}'\n'{file}' saved\n"));
    Done::Text { out: String::new(), err, status: 0 }
}

fn reason(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Refused(_) => "Connection refused",
        Outcome::Unresolved { .. } => "bad address",
        _ => "Connection timed out",
    }
}

fn finish_lookup(trace: &Trace, name: &str, short: bool) -> Done {
    let resolve = trace.hops.iter().find_map(|hop| match &hop.what {
        What::Resolve { server, tried, found, .. } => Some((server, tried, found)),
        _ => None,
    });
    let Some((server, tried, found)) = resolve else {
        return Done::fail(format!("nslookup: can't resolve '{name}'\n"), 1);
    };
    if short {
        let out: String = found.iter().map(|ip| format!("{ip}\n")).collect();
        return Done::Text { status: i32::from(found.is_empty()), err: String::new(), out };
    }
    let mut out = String::new();
    if let Some(server) = server {
        out += &format!("Server:\t\t{}\nAddress:\t{server}\n\n", server.ip());
    }
    if found.is_empty() {
        out += &format!("** server can't find {name}: NXDOMAIN\n\n");
        return Done::Text { out, err: String::new(), status: 1 };
    }
    let full = tried.iter().rev().find(|(_, exists)| *exists);
    let full = full.map_or(name, |(full, _)| full.trim_end_matches('.'));
    found.iter().for_each(|ip| out += &format!("Name:\t{full}\nAddress: {ip}\n"));
    out.push('\n');
    Done::ok(out)
}
