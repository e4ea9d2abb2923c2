//! `orrery bench api`: the API server alone, in process and over HTTP on loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant as WallInstant;

use anyhow::{Context as _, Result};
use api::core::v1::{Container, ContainerPort, Pod, PodSpec, ServiceAccount};
use api::meta::v1::ObjectMeta;
use api::wire::Request;
use api::{PlacedSpec, Quantity};
use apiserver::ApiServer;
use base::{Instant, Str, list, lit};

/// `orrery bench api`
#[derive(clap::Args)]
pub struct Args {
    /// Pods to create in process.
    #[arg(long, default_value_t = 100_000)]
    creates: usize,
    /// Pods that are listed over HTTP.
    #[arg(long, default_value_t = 10_000)]
    pods: usize,
    /// GETs of one pod over HTTP.
    #[arg(long, default_value_t = 40_000)]
    gets: usize,
    /// Prints one JSON line and nothing else.
    #[arg(long)]
    json: bool,
}

/// GETs under way at once.
const CONNECTIONS: usize = 8;
/// How often the list is asked for; the median counts.
const LISTS: usize = 5;

/// Measures and prints.
pub fn main(args: &Args) -> Result<()> {
    let creates_per_s = typed_creates(args.creates)?;
    let server = Server::start()?;
    let posts_per_s = server.fill(args.pods)?;
    let gets = server.gets(args.gets)?;
    let (list_ms, list_bytes) = server.list(args.pods)?;
    if !args.json {
        eprintln!(
            "{creates_per_s:.0} typed creates/s; over HTTP {posts_per_s:.0} POSTs/s, {:.0} GETs/s ({:.1} µs \
             of the server's core each), LIST of {} pods {list_ms:.0} ms, {:.1} MB",
            gets.per_s,
            gets.cpu_us,
            args.pods,
            list_bytes as f64 / 1e6
        );
    }
    let line = serde_json::json!({
        "bench": "api",
        "creates_per_s": creates_per_s.round(),
        "posts_per_s": posts_per_s.round(),
        "gets_per_s": gets.per_s.round(),
        "get_cpu_us": (gets.cpu_us * 10.0).round() / 10.0,
        "list_pods": args.pods,
        "list_ms": (list_ms * 10.0).round() / 10.0,
        "list_bytes": list_bytes,
    });
    println!("{line}");
    Ok(())
}

/// A pod as people write them, each with a spec of its own.
fn pod(number: usize) -> Pod {
    let labels = [("app", lit!("web")), ("tier", lit!("front"))].into_iter().collect();
    let requests = [("cpu", Quantity::millis(100)), ("memory", Quantity::bytes(64 << 20))];
    let mut container = Container {
        name: lit!("nginx"),
        image: lit!("nginx:1.27"),
        ports: list![ContainerPort { container_port: 80, ..ContainerPort::default() }],
        ..Container::default()
    };
    container.resources.requests = requests.into_iter().collect();
    let spec = PodSpec { containers: list![container], ..PodSpec::default() };
    let metadata = ObjectMeta {
        name: Str::from(format!("web-{number}")),
        namespace: lit!("default"),
        labels,
        ..ObjectMeta::default()
    };
    Pod { metadata: Arc::new(metadata), spec: PlacedSpec::new(Arc::new(spec)), ..Pod::default() }
}

/// Creates a second in process, as the parts of the cluster make them.
fn typed_creates(count: usize) -> Result<f64> {
    let mut server = ApiServer::new(1);
    server.bootstrap(Instant::START);
    let name =
        ObjectMeta { name: lit!("default"), namespace: lit!("default"), ..ObjectMeta::default() };
    let account = ServiceAccount { metadata: Arc::new(name), ..ServiceAccount::default() };
    let mut ask = |request| match server.handle(Instant::START, request) {
        Ok(_) => Ok(()),
        Err(status) => Err(anyhow::anyhow!("{}", status.message)),
    };
    ask(Request::create(account.into()))?;
    let pods: Vec<Pod> = (0..count).map(pod).collect();
    let begun = WallInstant::now();
    for pod in pods {
        ask(Request::create(pod.into()))?;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// What GETs cost.
struct Gets {
    per_s: f64,
    /// Processor time of the server for each.
    cpu_us: f64,
}

/// An `orrery serve` with the API server alone, in a process of its own.
struct Server {
    process: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start() -> Result<Server> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", "--port", "0", "--only", "apiserver"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = process.stdout.take().context("its output is a pipe")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().rsplit("http://").next().unwrap_or_default().to_owned();
        let server = Server { process, address };
        let account = "/api/v1/namespaces/default/serviceaccounts/default";
        let end = WallInstant::now() + std::time::Duration::from_secs(10);
        while server.connect()?.ask("GET", account, b"")?.0 != 200 {
            anyhow::ensure!(WallInstant::now() < end, "the server has no service account");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Ok(server)
    }

    fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        Ok(Connection { reader: BufReader::with_capacity(1 << 16, stream), body: Vec::new() })
    }

    /// Creates pods over HTTP; how many a second.
    fn fill(&self, count: usize) -> Result<f64> {
        let mut connection = self.connect()?;
        let bodies: Vec<Vec<u8>> = (0..count)
            .map(|number| {
                let mut body = Vec::new();
                api::Object::from(pod(number)).to_json().write(&mut body);
                body
            })
            .collect();
        let begun = WallInstant::now();
        for body in &bodies {
            let (code, _) = connection.ask("POST", "/api/v1/namespaces/default/pods", body)?;
            anyhow::ensure!(code == 201, "{}", String::from_utf8_lossy(&connection.body));
        }
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    }

    fn gets(&self, count: usize) -> Result<Gets> {
        let mut connections =
            (0..CONNECTIONS).map(|_| self.connect()).collect::<Result<Vec<_>>>()?;
        let path = "/api/v1/namespaces/default/pods/web-7";
        let (begun, cpu) = (WallInstant::now(), self.cpu_s());
        for _ in 0..count / CONNECTIONS {
            for connection in &mut connections {
                connection.send("GET", path, b"")?;
            }
            for connection in &mut connections {
                let (code, _) = connection.receive()?;
                anyhow::ensure!(code == 200, "GET {path}: {code}");
            }
        }
        let done = (count / CONNECTIONS * CONNECTIONS) as f64;
        let (wall, cpu) = (begun.elapsed().as_secs_f64(), self.cpu_s() - cpu);
        Ok(Gets { per_s: done / wall, cpu_us: cpu / done * 1e6 })
    }

    /// Milliseconds and bytes of a list of all pods.
    fn list(&self, count: usize) -> Result<(f64, usize)> {
        let mut connection = self.connect()?;
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..LISTS {
            let begun = WallInstant::now();
            let (code, length) =
                connection.ask("GET", "/api/v1/pods", b"").context("the list of pods")?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            let items = connection.body.windows(10).filter(|w| *w == b"\"metadata\"").count();
            anyhow::ensure!(code == 200 && items > count, "{items} items for {count} pods");
            bytes = length;
        }
        times.sort_by(f64::total_cmp);
        Ok((times[times.len() / 2], bytes))
    }

    /// Processor time that the server has taken; 0 where the system does not tell.
    fn cpu_s(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.process.id());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
        // User and system time, in hundredths of a second.
        (ticks(12) + ticks(13)) / 100.0
    }
}

/// One kept-alive connection.
struct Connection {
    reader: BufReader<TcpStream>,
    /// The body of the last answer.
    body: Vec<u8>,
}

impl Connection {
    fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Result<(u16, usize)> {
        self.send(method, path, body)?;
        self.receive()
    }

    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<()> {
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nhost: orrery\r\naccept: application/json\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        text.extend_from_slice(body);
        Ok(self.reader.get_mut().write_all(&text)?)
    }

    /// The code and the length of an answer.
    fn receive(&mut self) -> Result<(u16, usize)> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let code = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let code = code.context("an answer without a code")?;
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        }
        self.body.resize(length, 0);
        self.reader.read_exact(&mut self.body)?;
        Ok((code, length))
    }
}
