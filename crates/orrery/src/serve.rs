//! `orrery serve`: the cluster behind HTTP on loopback, paced by the wall clock.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration as Wall, Instant as WallInstant};

use anyhow::{Context as _, Result};
use apiserver::WatchId;
use apiserver::http::HttpRequest;
use base::{Duration, Instant};
use bytes::Bytes;
use cluster::{Cluster, HttpAnswer};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::protobuf;

/// `orrery serve`
#[derive(clap::Args)]
pub struct Args {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 6443)]
    port: u16,
    /// How many nodes the cluster starts with.
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// Virtual seconds for each second on the wall.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Where chance comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Whose machines the nodes are: none, aws or digitalocean.
    #[arg(long)]
    provider: Option<String>,
    /// A group of other machines beside the nodes, as a scenario file gives it, such as
    /// '{name: memory, type: r5.xlarge, max: 3, labels: {disk: ssd}}'. May be given several times.
    #[arg(long, value_name = "GROUP")]
    node_group: Vec<String>,
    /// A scenario file to start from.
    #[arg(long)]
    scenario: Option<PathBuf>,
    /// A KubeSchedulerConfiguration in YAML or JSON.
    #[arg(long)]
    scheduler_config: Option<PathBuf>,
    /// How many controller managers and schedulers there are; of several one leads.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=7))]
    control_plane_replicas: Option<u8>,
    /// The only parts to run, such as `apiserver` or `apiserver,kube-scheduler`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Lets every image be pulled in so many virtual milliseconds, whatever its size.
    #[arg(long)]
    pull_ms: Option<u32>,
    /// Admission plugins to leave out, such as `ServiceAccount,LimitRanger`.
    #[arg(long, alias = "disable-admission-plugins", value_name = "NAME", value_delimiter = ',')]
    disable_admission: Vec<String>,
    /// The block from which Services get their addresses; 10.96.0.0/12 if it is not given.
    #[arg(long, alias = "service-cluster-ip-range", value_name = "BLOCK")]
    service_cidr: Option<String>,
    /// The block from which nodes get the addresses of their pods; 10.244.0.0/16 for up to 256 nodes.
    #[arg(long, value_name = "BLOCK")]
    cluster_cidr: Option<String>,
    /// Who decides what users may do; RBAC, but AlwaysAllow, as kube-apiserver by itself, with `--only apiserver`.
    #[arg(long, value_name = "RBAC|AlwaysAllow")]
    authorization_mode: Option<String>,
    /// Writes a kubeconfig for this server.
    #[arg(long)]
    kubeconfig_out: Option<PathBuf>,
}

/// A body larger than this is not read further; the API server refuses it.
const BODY_MAX: usize = 3 * 1024 * 1024 + 1;
/// How long the model may work before waiting connections are looked at.
const SLICE: Wall = Wall::from_millis(10);

/// Runs until it is interrupted.
pub fn main(args: Args) -> Result<ExitCode> {
    anyhow::ensure!(
        args.speed.is_finite() && args.speed > 0.0,
        "--speed must be a positive number, not {}",
        args.speed
    );
    let config = config_of(&args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, serve(args, config))
}

fn config_of(args: &Args) -> Result<cluster::Config> {
    let mut config = match &args.scenario {
        Some(path) => crate::run::read_scenario(path)?.config(),
        None => cluster::Config { nodes: args.nodes, ..cluster::Config::default() },
    };
    config.seed = if args.scenario.is_some() && args.seed == 1 { config.seed } else { args.seed };
    if let Some(path) = &args.scheduler_config {
        config.scheduler = scheduler_config(path)?;
    }
    if let Some(name) = &args.provider {
        let known: Vec<&str> = cluster::Provider::ALL.iter().map(|(name, _)| *name).collect();
        config.provider = cluster::Provider::parse(name).with_context(|| {
            format!("--provider: there is no {name:?}; use {}", known.join(", "))
        })?;
    }
    for text in &args.node_group {
        let group = node_group(text, config.provider)
            .map_err(|why| anyhow::anyhow!("--node-group {text:?}: {why}"))?;
        anyhow::ensure!(
            config.groups.iter().all(|known| known.name != group.name),
            "--node-group: there are two groups called {:?}",
            group.name
        );
        config.groups.push(group);
    }
    if let Some(replicas) = args.control_plane_replicas {
        config.control_plane_replicas = replicas.into();
    }
    config.pull = args.pull_ms.map(|ms| Duration::millis(ms.into()));
    if !args.only.is_empty() {
        config.restrict_to(&args.only).map_err(|unknown| {
            anyhow::anyhow!(
                "--only: there is no part called {unknown:?}; use {}",
                cluster::Config::PART_NAMES
            )
        })?;
    }
    config.api_server = api_server_options(args)?;
    if let Some(text) = &args.cluster_cidr {
        config.cluster_range = Some(cluster_range(text, config.nodes)?);
    }
    Ok(config)
}

fn node_group(text: &str, provider: cluster::Provider) -> Result<cluster::NodeGroup, String> {
    let documents = manifest::parse(text).map_err(|why| why.to_string())?;
    match &documents[..] {
        [one] => cluster::NodeGroup::from_json(&one.value, provider),
        _ => Err("one group is wanted".to_owned()),
    }
}

fn scheduler_config(path: &std::path::Path) -> Result<cluster::SchedulerConfig> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {name}"))?;
    let documents = manifest::parse(&text).with_context(|| format!("{name}"))?;
    anyhow::ensure!(
        documents.len() == 1,
        "{name}: one document is wanted, not {}",
        documents.len()
    );
    cluster::SchedulerConfig::from_json(&documents[0].value)
        .map_err(|why| anyhow::anyhow!("{name}: {why}"))
}

fn api_server_options(args: &Args) -> Result<apiserver::Options> {
    let disabled = apiserver::admission::Plugins::named(&args.disable_admission)
        .map_err(|name| anyhow::anyhow!("--disable-admission: plugin {name:?} is unknown"))?;
    let service_range = match args.service_cidr.as_deref() {
        None => apiserver::ServiceRange::default(),
        Some(text) => apiserver::ServiceRange::parse(text).with_context(|| {
            format!("--service-cidr must be a block of at least 16 IPv4 addresses, not {text:?}")
        })?,
    };
    let is_bare = args.only.iter().all(|name| name.ends_with("apiserver")) && !args.only.is_empty();
    let authorization = match args.authorization_mode.as_deref() {
        Some("RBAC" | "Node,RBAC") => apiserver::Authorization::Rbac,
        Some("AlwaysAllow") => apiserver::Authorization::AlwaysAllow,
        Some(other) => anyhow::bail!("--authorization-mode: no mode {other:?}"),
        None if is_bare => apiserver::Authorization::AlwaysAllow,
        None => apiserver::Authorization::Rbac,
    };
    Ok(apiserver::Options { disabled, service_range, authorization })
}

/// The network of a node has 24 bits, so the block must have room for all nodes.
fn cluster_range(text: &str, nodes: usize) -> Result<network::Cidr> {
    let block: Option<network::Cidr> = text.parse().ok();
    let room = |block: &network::Cidr| match block.family() {
        network::Family::V4 if block.bits() <= 24 => 1 << (24 - block.bits()),
        _ => 0,
    };
    block.filter(|block| room(block) >= nodes.max(1)).with_context(|| {
        format!("--cluster-cidr must be an IPv4 block with a /24 for each of {nodes} nodes, not {text:?}")
    })
}

async fn serve(args: Args, config: cluster::Config) -> Result<ExitCode> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)))
        .await
        .with_context(|| format!("port {} on 127.0.0.1", args.port))?;
    let address = listener.local_addr()?;
    let mut cluster = Cluster::new(config);
    cluster.set_field_order(protobuf::order::declared);
    if let Some(path) = &args.scenario {
        let scenario = crate::run::read_scenario(path)?;
        cluster.apply_start(&scenario.manifests).map_err(|why| anyhow::anyhow!(why))?;
    }
    if let Some(path) = &args.kubeconfig_out {
        std::fs::write(path, kubeconfig(address))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    println!("serving the Kubernetes API on http://{address}");
    let host = Host::new(cluster, args.speed);
    let pace = tokio::task::spawn_local(pace(host.clone()));
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let _ = stream.set_nodelay(true);
                tokio::task::spawn_local(connection(host.clone(), stream));
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    pace.abort();
    Ok(ExitCode::SUCCESS)
}

fn kubeconfig(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: orrery\n  cluster:\n    server: http://{address}\n\
         contexts:\n- name: orrery\n  context:\n    cluster: orrery\n    user: admin\n\
         current-context: orrery\nusers:\n- name: admin\n  user: {{}}\n"
    )
}

/// The cluster with its clock's relation to the wall, shared by all connections of the one thread.
struct Host {
    cluster: Cluster,
    watches: HashMap<WatchId, mpsc::UnboundedSender<Bytes>>,
    speed: f64,
    wall_start: WallInstant,
    virtual_start: Instant,
}

type Shared = Rc<RefCell<Host>>;

impl Host {
    fn new(cluster: Cluster, speed: f64) -> Shared {
        let virtual_start = cluster.now();
        Rc::new(RefCell::new(Host {
            cluster,
            watches: HashMap::new(),
            speed,
            wall_start: WallInstant::now(),
            virtual_start,
        }))
    }

    /// The virtual time that it is by the wall clock.
    fn due(&self) -> Instant {
        let micros = self.wall_start.elapsed().as_secs_f64() * 1e6 * self.speed;
        self.virtual_start + Duration::micros(micros as i64)
    }

    /// Lets the model catch up with the wall clock, for one slice at most; true if it did.
    fn catch_up(&mut self) -> bool {
        let due = self.due();
        let begun = WallInstant::now();
        let mut caught_up = true;
        while self.cluster.step_before(due) {
            if begun.elapsed() > SLICE {
                caught_up = false;
                break;
            }
        }
        if caught_up {
            self.cluster.run_until(due);
        } else {
            // The model cannot keep up: virtual time falls behind instead of jumping later.
            self.virtual_start = self.cluster.now();
            self.wall_start = WallInstant::now();
        }
        self.flush();
        caught_up
    }

    /// Sends what the watches have seen.
    fn flush(&mut self) {
        for (watch, lines) in self.cluster.take_outside() {
            let open =
                self.watches.get(&watch).is_some_and(|sender| sender.send(lines.into()).is_ok());
            if !open {
                self.watches.remove(&watch);
                self.cluster.close_outside(watch);
            }
        }
    }
}

async fn pace(host: Shared) {
    loop {
        let wait = {
            let mut host = host.borrow_mut();
            if host.catch_up() { Wall::from_millis(2) } else { Wall::ZERO }
        };
        if wait.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(wait).await;
        }
    }
}

async fn connection(host: Shared, stream: TcpStream) {
    let service = hyper::service::service_fn(move |request| answer(host.clone(), request));
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // A client that goes away in the middle of an answer is nothing to report.
    drop(served);
}

async fn answer(host: Shared, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = match http_body_util::Limited::new(body, BODY_MAX).collect().await {
        Ok(collected) => collected.to_bytes().to_vec(),
        Err(_) => vec![b' '; BODY_MAX],
    };
    let uri = parts.uri;
    let headers = parts.headers.iter().map(|(name, value)| {
        (name.as_str().into(), String::from_utf8_lossy(value.as_bytes()).into_owned().into())
    });
    let mut request = HttpRequest {
        method: parts.method.as_str().into(),
        path: uri.path().into(),
        query: uri.query().unwrap_or("").into(),
        headers: headers.collect(),
        body,
        command: 0,
    };
    let readable = protobuf::to_json(&mut request);
    let form = protobuf::openapi::negotiate(&mut request);
    let mut shared = host.borrow_mut();
    shared.catch_up();
    let answered = match readable {
        Ok(()) => shared.cluster.http(request),
        Err(status) => HttpAnswer::Response(apiserver::http::refusal(&request, &status)),
    };
    Ok(match answered {
        HttpAnswer::Response(mut answer) => {
            shared.flush();
            if let Some(form) = form {
                form.shape(&mut answer);
            }
            let mut response = Response::builder().status(answer.code);
            for (name, value) in &answer.headers {
                response = response.header(name.as_str(), value.as_str());
            }
            finish(response, Answer::Whole(Some(answer.body.into())))
        }
        HttpAnswer::Watch(watch) => {
            let (sender, receiver) = mpsc::unbounded_channel();
            if !watch.first.is_empty() {
                let _ = sender.send(watch.first.into());
            }
            shared.watches.insert(watch.id, sender);
            shared.flush();
            let end = watch.timeout.map(|seconds| {
                Box::pin(tokio::time::sleep(Wall::from_secs_f64(
                    seconds as f64 / shared.speed.max(1.0),
                )))
            });
            let response =
                Response::builder().status(200).header("content-type", watch.content_type.as_str());
            let host = host.clone();
            finish(response, Answer::Stream(Stream { host, id: watch.id, receiver, end }))
        }
    })
}

fn finish(response: hyper::http::response::Builder, body: Answer) -> Response<Answer> {
    response.body(body).unwrap_or_else(|_| {
        let mut broken =
            Response::new(Answer::Whole(Some(Bytes::from_static(b"a header could not be sent"))));
        *broken.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}

/// The body of an answer.
enum Answer {
    /// All at once.
    Whole(Option<Bytes>),
    /// A watch: line after line until it ends.
    Stream(Stream),
}

struct Stream {
    host: Shared,
    id: WatchId,
    receiver: mpsc::UnboundedReceiver<Bytes>,
    end: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The client went away, or the time is up. While the host is busy it notices by itself.
        if let Ok(mut host) = self.host.try_borrow_mut() {
            host.watches.remove(&self.id);
            host.cluster.close_outside(self.id);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Answer::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Answer::Stream(stream) => {
                if let Poll::Ready(bytes) = stream.receiver.poll_recv(cx) {
                    return Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))));
                }
                match stream.end.as_mut().map(|end| end.as_mut().poll(cx)) {
                    Some(Poll::Ready(())) => Poll::Ready(None),
                    _ => Poll::Pending,
                }
            }
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Answer::Whole(bytes) => {
                hyper::body::SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Answer::Stream(_) => hyper::body::SizeHint::default(),
        }
    }
}
