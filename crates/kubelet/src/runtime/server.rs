//! Programs that listen: what they answer, how long they take, and how they end.

use base::{Duration, Instant, Rng, Str};
use network::{HttpRequest, HttpResponse, IpAddr, Payload, Protocol, Reply, Response};

use super::files::Files;
use super::log::Log;

/// A program that listens and runs until it is ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// The ports on which it listens.
    pub ports: Vec<(u16, Protocol)>,
    /// What it answers.
    pub says: Says,
    /// Time from its start until it listens.
    pub starts_in: Duration,
    /// What it prints once it listens.
    pub greeting: Vec<Str>,
    /// What it does on the termination signal.
    pub term: Term,
    /// It ends by itself so long after its start, with this code.
    pub ends: Option<(Duration, i32)>,
    /// Requests, in a thousand, that it answers with an error.
    pub errors_per_mille: u32,
    /// Shortest and longest working time of a request.
    pub work: (Duration, Duration),
    /// Processor time of a request.
    pub cost: Duration,
    /// Memory that it takes, if not that of its image.
    pub memory: Option<i64>,
    /// Processors, in thousandths, that it keeps busy.
    pub load: i64,
    /// It takes connections and never answers: a fault.
    pub hangs: bool,
}

/// What a program does on the termination signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Term {
    /// It ends with this code after this time.
    Ends(i32, Duration),
    /// Nothing: it has to be killed.
    Ignores,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// The same text to every HTTP request.
    Text(Str),
    /// Files below a directory, or else a welcome page; the second text is the server's name.
    Files(Str, Str, Str),
    /// The test image agnhost in its mode `netexec` or `serve-hostname`.
    Agnhost(bool),
    /// A greeting with version and host name.
    HelloApp(Str),
    /// The request as the server saw it.
    Echo,
    /// HTTP 200 to everything.
    Fine,
    /// Nothing: it only takes connections.
    Connects,
    /// PONG.
    Redis,
    /// gRPC health: serving.
    Grpc,
    /// Healthy for some time, then not: the liveness example.
    Liveness(Duration),
}

impl Server {
    /// A server on TCP ports.
    pub fn new(ports: &[u16], says: Says) -> Server {
        Server {
            ports: ports.iter().map(|port| (*port, Protocol::Tcp)).collect(),
            says,
            starts_in: Duration::millis(50),
            greeting: Vec::new(),
            term: Term::Ends(0, Duration::millis(60)),
            ends: None,
            errors_per_mille: 0,
            work: (Duration::micros(300), Duration::micros(1_500)),
            cost: Duration::micros(800),
            memory: None,
            load: 0,
            hangs: false,
        }
    }

    /// A server that only takes connections.
    pub fn tcp(port: u16) -> Server {
        Server { term: Term::Ignores, ..Server::new(&[port], Says::Connects) }
    }

    /// The same with another start time.
    pub fn starts(mut self, millis: i64) -> Server {
        self.starts_in = Duration::millis(millis);
        self
    }

    /// The same with lines printed at the start.
    pub fn greets(mut self, lines: &[&str]) -> Server {
        self.greeting = lines.iter().map(|line| Str::from(*line)).collect();
        self
    }

    /// The same with another reaction to the termination signal.
    pub fn on_term(mut self, term: Term) -> Server {
        self.term = term;
        self
    }

    /// Whether it listens on a port.
    pub fn listens(&self, port: u16, protocol: Protocol) -> bool {
        self.ports.contains(&(port, protocol))
    }

    /// Whether a probe would always see the same.
    pub fn steady(&self) -> bool {
        self.errors_per_mille == 0 && !self.hangs && !matches!(self.says, Says::Liveness(_))
    }

    /// What it does with a request. Prints to the log as the real program does.
    pub fn answer(&self, payload: &Payload, at: &mut Desk<'_>) -> Reply {
        if self.hangs {
            return Reply::Hang;
        }
        let (low, high) = (self.work.0.as_micros(), self.work.1.as_micros());
        let after = Duration::micros(at.rng.between(low, high.max(low)));
        let response = match payload {
            Payload::Connect => Response::Connected,
            Payload::Http(request) => {
                let failing = self.errors_per_mille > 0
                    && at.rng.below(1_000) < u64::from(self.errors_per_mille);
                let response = if failing {
                    HttpResponse::new(500, "Internal Server Error\n")
                } else {
                    match self.http(request, at) {
                        Some(response) => response,
                        None => return Reply::Reset,
                    }
                };
                self.access_log(request, &response, at);
                Response::Http(response)
            }
            Payload::GrpcHealth(_) => match self.says {
                Says::Grpc | Says::Fine | Says::Agnhost(_) => {
                    Response::GrpcHealth(base::lit!("SERVING"))
                }
                _ => return Reply::Reset,
            },
            Payload::Text(text) => match &self.says {
                Says::Redis => Response::Text(if text.trim().eq_ignore_ascii_case("ping") {
                    base::lit!("+PONG\r\n")
                } else {
                    base::lit!("+OK\r\n")
                }),
                Says::Echo => Response::Text(text.clone()),
                Says::Agnhost(_) if text.trim() == "hostname" => Response::Text(at.hostname.into()),
                _ => Response::Text(Str::new()),
            },
        };
        Reply::Respond { after, response }
    }

    fn http(&self, request: &HttpRequest, at: &mut Desk<'_>) -> Option<HttpResponse> {
        let typed = |status: u16, kind: &'static str, body: Str| {
            let mut response = HttpResponse::new(status, body);
            response.headers.push((base::lit!("Content-Type"), kind.into()));
            response
        };
        let plain = |body: String| typed(200, "text/plain; charset=utf-8", body.into());
        Some(match &self.says {
            Says::Text(text) => plain(text.to_string()),
            Says::Files(root, welcome, name) => self.file(request, root, welcome, name, at),
            Says::Agnhost(exec) => agnhost(request, *exec, at),
            Says::HelloApp(version) => {
                plain(format!("Hello, world!\nVersion: {version}\nHostname: {}\n", at.hostname))
            }
            Says::Echo => plain(echo(request, at)),
            Says::Fine => plain("OK\n".into()),
            Says::Liveness(healthy) => {
                if at.now.since(at.started) > *healthy && request.bare_path() == "/healthz" {
                    let error = format!("error: {}", at.now.since(at.started).as_secs_f64());
                    typed(500, "text/plain; charset=utf-8", error.into())
                } else {
                    plain("ok".into())
                }
            }
            Says::Connects | Says::Redis | Says::Grpc => return None,
        })
    }

    fn file(
        &self,
        request: &HttpRequest,
        root: &str,
        welcome: &Str,
        name: &Str,
        at: &mut Desk<'_>,
    ) -> HttpResponse {
        let path = request.bare_path();
        let full = format!("{root}{path}{}", if path.ends_with('/') { "index.html" } else { "" });
        let mounted = at.files.mounts.iter().any(|mount| mount.path == root);
        let found = at.files.read(&full);
        let (status, body) = match found {
            Some(text) => (200, text),
            None if matches!(path, "/" | "/index.html") && !mounted => (200, welcome.clone()),
            None if path.ends_with('/') && mounted && path == "/" => {
                (403, error_page(403, "Forbidden", name))
            }
            None => (404, error_page(404, "Not Found", name)),
        };
        let mut response = HttpResponse::new(status, body);
        response.headers.push((base::lit!("Server"), name.clone()));
        response.headers.push((base::lit!("Content-Type"), base::lit!("text/html")));
        response
    }

    fn access_log(&self, request: &HttpRequest, response: &HttpResponse, at: &mut Desk<'_>) {
        let Says::Files(_, _, name) = &self.says else { return };
        let c = api::time::Civil::from(at.now);
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let agent = request.header("User-Agent").map_or("-", |agent| agent.as_str());
        let head = format!(
            "{} - - [{:02}/{}/{}:{:02}:{:02}:{:02} +0000] \"{} {} HTTP/1.1\" {} {}",
            at.client,
            c.day,
            MONTHS[(c.month as usize + 11) % 12],
            c.year,
            c.hour,
            c.minute,
            c.second,
            request.method,
            request.path,
            response.status,
            response.body.len()
        );
        let line = if name.starts_with("nginx") {
            format!("{head} \"-\" \"{agent}\" \"-\"")
        } else {
            head
        };
        at.log.line(at.now, line);
    }
}

/// What a server has at hand when it answers.
pub struct Desk<'a> {
    /// The moment.
    pub now: Instant,
    /// When its container started.
    pub started: Instant,
    /// Who asks.
    pub client: IpAddr,
    /// Chance.
    pub rng: &'a mut Rng,
    /// Its files.
    pub files: Files<'a>,
    /// Its log.
    pub log: &'a mut Log,
    /// The pod's host name.
    pub hostname: &'a str,
    /// The pod's address.
    pub ip: Option<IpAddr>,
}

fn error_page(status: u16, reason: &str, name: &str) -> Str {
    format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} \
         {reason}</h1></center>\r\n<hr><center>{name}</center>\r\n</body>\r\n</html>\r\n"
    )
    .into()
}

fn agnhost(request: &HttpRequest, exec: bool, at: &Desk<'_>) -> HttpResponse {
    let body = match request.bare_path() {
        _ if !exec => at.hostname.to_string(),
        "/hostname" | "/hostName" => at.hostname.to_string(),
        "/clientip" => format!("{}:40000", at.client),
        "/healthz" => String::new(),
        "/header" => String::new(),
        "/echo" => {
            let query = request.path.split_once("msg=").map_or("", |(_, msg)| msg);
            query.split('&').next().unwrap_or_default().to_string()
        }
        _ => format!("NOW: {}Z", api::time::Civil::from(at.now)),
    };
    HttpResponse::new(200, body)
}

fn echo(request: &HttpRequest, at: &Desk<'_>) -> String {
    let ip = at.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let mut out = format!(
        "Hostname: {}\nIP: 127.0.0.1\nIP: {ip}\nRemoteAddr: {}:40000\n{} {} HTTP/1.1\nHost: {}\n",
        at.hostname, at.client, request.method, request.path, request.host
    );
    for (name, value) in &request.headers {
        out += &format!("{name}: {value}\n");
    }
    out
}
