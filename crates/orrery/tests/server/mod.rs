//! An `orrery serve` for a test, ended with it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
pub struct Server {
    process: Child,
    /// `127.0.0.1:` and its port.
    pub address: String,
    /// A directory of its own, with the kubeconfig in it; removed in the end.
    pub dir: PathBuf,
}

impl Server {
    /// Starts a server whose time goes twenty times as fast, and waits until it is ready.
    pub fn start(name: &str, flags: &[&str]) -> Server {
        let own = format!("orrery-{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(own);
        std::fs::create_dir_all(&dir).expect("a directory for the test");
        let mut process = Command::new(env!("CARGO_BIN_EXE_orrery"))
            .args(["serve", "--port", "0", "--speed", "20", "--kubeconfig-out"])
            .arg(dir.join("kubeconfig"))
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let out = process.stdout.take().expect("its output is a pipe");
        BufReader::new(out).read_line(&mut line).expect("it says where it serves");
        let address = line.trim().rsplit("http://").next().unwrap_or_default().to_owned();
        let server = Server { process, address, dir };
        let end = Instant::now() + Duration::from_secs(60);
        while !server.is_ready() {
            assert!(Instant::now() < end, "not ready after a minute");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn is_ready(&self) -> bool {
        self.ask("GET", "/readyz", b"").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// The head and the body of an answer.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let (host, length) = (&self.address, body.len());
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n")?;
        write!(stream, "content-type: application/json\r\nconnection: close\r\n\r\n")?;
        stream.write_all(body)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
