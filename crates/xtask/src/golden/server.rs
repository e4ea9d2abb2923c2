//! A fresh `orrery serve` for one run, and plain HTTP requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long a cluster may take until its nodes are Ready, in virtual seconds.
const READY_SECONDS_MAX: f64 = 120.0;

/// The settings of all runs.
pub struct Settings {
    pub binary: PathBuf,
    pub kubectl: String,
    pub port: u16,
    pub speed: f64,
    pub seed: u64,
}

/// A running server, killed when dropped.
pub struct Server<'a> {
    pub settings: &'a Settings,
    child: Child,
    started: Instant,
    /// A folder of its own: the kubeconfig and the manifests.
    pub dir: PathBuf,
    watches: Vec<(String, Arc<Mutex<Vec<Value>>>)>,
}

impl Server<'_> {
    /// Starts a server with so many nodes and waits until all are Ready.
    pub fn start<'a>(settings: &'a Settings, nodes: usize, name: &str) -> Result<Server<'a>> {
        let dir = std::env::temp_dir().join(format!("golden-{}-{name}", settings.port));
        std::fs::create_dir_all(&dir)?;
        let mut command = Command::new(&settings.binary);
        command.args(["serve", "--port", &settings.port.to_string()]);
        command.args(["--nodes", &nodes.to_string(), "--speed", &settings.speed.to_string()]);
        command.args(["--seed", &settings.seed.to_string()]);
        // The recorded nodes pulled every image in this time.
        command.args(["--pull-ms", "200"]);
        command.arg("--kubeconfig-out").arg(dir.join("kubeconfig")).stdout(Stdio::null());
        let child = command.spawn().context("starting the server")?;
        let started = Instant::now();
        let server = Server { settings, child, started, dir, watches: Vec::new() };
        while server.ready_nodes() < nodes {
            if started.elapsed().as_secs_f64() * settings.speed > READY_SECONDS_MAX {
                bail!("the nodes did not become Ready");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    /// Waits until the cluster has run for so many virtual seconds.
    pub fn wait_for_age(&self, seconds: f64) {
        let ahead = seconds / self.settings.speed - self.started.elapsed().as_secs_f64();
        if ahead > 0.0 {
            std::thread::sleep(Duration::from_secs_f64(ahead));
        }
    }

    fn ready_nodes(&self) -> usize {
        let Ok(answer) = self.request("GET", "/api/v1/nodes", "", "") else { return 0 };
        let nodes = answer["body"]["items"].as_array().map_or(&[][..], Vec::as_slice);
        let ready = json!("True");
        let is_ready = |node: &&Value| {
            let conditions = node["status"]["conditions"].as_array();
            conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == ready)
        };
        nodes.iter().filter(is_ready).count()
    }

    /// A request and its answer: `{"code": 404, "body": …}`, the body as JSON where it is some.
    pub fn request(&self, method: &str, path: &str, media_type: &str, body: &str) -> Result<Value> {
        let mut stream = self.send(method, path, media_type, body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        let code: u64 = head.split(' ').nth(1).context("no status code")?.parse()?;
        Ok(json!({"code": code, "body": super::recording::parsed(body)}))
    }

    fn send(&self, method: &str, path: &str, media_type: &str, body: &str) -> Result<TcpStream> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.settings.port))?;
        // The old version of HTTP, so that answers come whole and end with the connection.
        let mut head = format!("{method} {path} HTTP/1.0\r\nUser-Agent: curl/8.5.0\r\n");
        head += "Accept: */*\r\n";
        if !body.is_empty() {
            head += &format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", body.len());
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
        Ok(stream)
    }

    /// Keeps all changes of a collection from now on.
    pub fn watch(&mut self, name: &str, path: &str) -> Result<()> {
        let stream = self.send("GET", &format!("{path}?watch=true"), "", "")?;
        let changes = Arc::new(Mutex::new(Vec::new()));
        self.watches.push((name.to_owned(), Arc::clone(&changes)));
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                if let (Ok(change), Ok(mut changes)) = (serde_json::from_str(&line), changes.lock())
                {
                    changes.push(change);
                }
            }
        });
        Ok(())
    }

    /// What a watch has brought so far.
    pub fn watched(&self, name: &str) -> Vec<Value> {
        let found = self.watches.iter().find(|(watch, _)| watch == name);
        found
            .and_then(|(_, changes)| changes.lock().ok().map(|changes| changes.clone()))
            .unwrap_or_default()
    }

    /// Runs a shell line that calls kubectl, in a folder.
    pub fn shell(&self, line: &str, folder: &Path) -> Result<(i64, String, String)> {
        let line = match line.strip_prefix("kubectl ") {
            Some(rest) => format!("{} {rest}", self.settings.kubectl),
            None => line.to_owned(),
        };
        let output = Command::new("sh")
            .args(["-c", &line])
            .current_dir(folder)
            .env("KUBECONFIG", self.dir.join("kubeconfig"))
            .env("HOME", &self.dir)
            .stdin(Stdio::null())
            .output()
            .context("starting sh")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().map_or(-1, i64::from);
        Ok((code, text(&output.stdout), text(&output.stderr)))
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
