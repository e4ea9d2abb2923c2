//! A small HTTP/1.1 server of static files, on loopback only.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::build::CONTENT_SECURITY_POLICY;

const IDLE_MAX: Duration = Duration::from_secs(60);
const REQUEST_BYTES_MAX: u64 = 64 * 1024;

/// What is served, and under which address.
#[derive(Debug, Clone)]
pub struct Site {
    /// The folder of the files.
    pub dir: PathBuf,
    /// Empty, or a path such as `/sub/path` below which the files appear.
    pub prefix: String,
    /// Whether answers carry the Content-Security-Policy header too, and not just the page's `<meta>`.
    pub csp: bool,
}

/// A listening server; `address` can be given to people before `run` is called.
pub struct Server {
    listener: TcpListener,
    site: Site,
    /// Where the page is, with the slash at its end.
    pub address: String,
}

impl Server {
    /// Listens on 127.0.0.1; port 0 takes any free one.
    pub fn bind(site: Site, port: u16) -> Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("cannot listen on port {port}; `--port` takes another"))?;
        let address = format!("http://{}{}/", listener.local_addr()?, site.prefix);
        Ok(Server { listener, site, address })
    }

    /// Answers for ever, one thread a connection.
    pub fn run(self) {
        let site = Arc::new(self.site);
        for stream in self.listener.incoming().flatten() {
            let site = Arc::clone(&site);
            // A connection that breaks concerns only its browser, which asks again.
            std::thread::spawn(move || serve_connection(&stream, &site).ok());
        }
    }
}

fn serve_connection(stream: &TcpStream, site: &Site) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IDLE_MAX))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        let mut head = (&mut reader).take(REQUEST_BYTES_MAX);
        if head.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut close = false;
        loop {
            let mut header = String::new();
            if head.read_line(&mut header)? == 0 {
                return Ok(());
            }
            if header.trim_end().is_empty() {
                break;
            }
            close |= header.trim_end().eq_ignore_ascii_case("connection: close");
        }
        let answer = answer(&request, site);
        let mut stream = stream;
        stream.write_all(&answer.bytes(request.starts_with("HEAD ")))?;
        if close {
            return Ok(());
        }
    }
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn text(status: &'static str) -> Answer {
        let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
        Answer { status, headers, body: format!("{status}\n").into_bytes() }
    }

    fn bytes(&self, head_only: bool) -> Vec<u8> {
        let mut text =
            format!("HTTP/1.1 {}\r\nContent-Length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        let mut bytes = text.into_bytes();
        if !head_only {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

fn answer(request_line: &str, site: &Site) -> Answer {
    let mut words = request_line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Answer::text("400 Bad Request");
    };
    if method != "GET" && method != "HEAD" {
        return Answer::text("405 Method Not Allowed");
    }
    let path = target.split(['?', '#']).next().unwrap_or(target);
    let Some(rest) = path.strip_prefix(&site.prefix) else {
        return Answer::text("404 Not Found");
    };
    if rest.is_empty() {
        let mut answer = Answer::text("308 Permanent Redirect");
        answer.headers.push(("Location", format!("{path}/")));
        return answer;
    }
    let Some(file) = file_of(rest, &site.dir) else {
        return Answer::text("404 Not Found");
    };
    match std::fs::read(&file) {
        Ok(body) => Answer { status: "200 OK", headers: headers_of(&file, site), body },
        Err(_) => Answer::text("404 Not Found"),
    }
}

/// The file that a request path means. A path that leaves the folder, or holds anything but plain names of our
/// own making, means none.
fn file_of(path: &str, dir: &Path) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    let path = if path.is_empty() || path.ends_with('/') {
        format!("{path}index.html")
    } else {
        path.to_owned()
    };
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+@".contains(&b))
    };
    path.split('/').all(plain).then(|| dir.join(path))
}

fn headers_of(file: &Path, site: &Site) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("Content-Type", content_type(file).to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
    ];
    // Names that hold a hash never change their content; the others are asked for again each time.
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let cache = if holds_hash(&name) { "max-age=31536000, immutable" } else { "no-cache" };
    headers.push(("Cache-Control", cache.to_owned()));
    if site.csp {
        headers.push(("Content-Security-Policy", CONTENT_SECURITY_POLICY.to_owned()));
    }
    headers
}

fn holds_hash(name: &str) -> bool {
    let is_hash = |part: &str| part.len() == 16 && part.bytes().all(|b| b.is_ascii_hexdigit());
    name.split(['-', '_', '.']).any(is_hash)
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt" | "md" | "yaml") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `want` is the status and, for a file, its content type.
    fn check(request: &str, want: &str) {
        let dir = crate::process::root();
        let site = Site { dir, prefix: "/sub/path".to_owned(), csp: true };
        let answer = answer(request, &site);
        let header = |name| answer.headers.iter().find(|(key, _)| *key == name);
        let mut got = answer.status[..3].to_owned();
        let page = header("Content-Security-Policy").and(header("Content-Type"));
        if let Some((_, value)) = header("Location").or(page) {
            got += &format!(" {value}");
        }
        assert_eq!(got, want, "{request}");
    }

    #[test]
    fn serves_the_index_of_the_folder() {
        check("GET /sub/path/ HTTP/1.1", "200 text/html; charset=utf-8");
    }

    #[test]
    fn ignores_the_query() {
        check("GET /sub/path/?embed=1 HTTP/1.1", "200 text/html; charset=utf-8");
        check("GET /sub/path/package.json?v=1 HTTP/1.1", "200 application/json");
    }

    #[test]
    fn sends_the_bare_prefix_to_the_folder() {
        check("GET /sub/path HTTP/1.1", "308 /sub/path/");
    }

    #[test]
    fn serves_nothing_outside_the_prefix() {
        check("GET / HTTP/1.1", "404");
        check("GET /index.html HTTP/1.1", "404");
        check("GET /sub/pathology HTTP/1.1", "404");
    }

    #[test]
    fn serves_nothing_outside_the_folder() {
        check("GET /sub/path/../Cargo.toml HTTP/1.1", "404");
        check("GET /sub/path/%2e%2e/Cargo.toml HTTP/1.1", "404");
        check("GET /sub/path//etc/passwd HTTP/1.1", "404");
        check("GET /sub/path/.git/config HTTP/1.1", "404");
        check("GET /sub/path/crates HTTP/1.1", "404");
    }

    #[test]
    fn refuses_to_write() {
        check("POST /sub/path/ HTTP/1.1", "405");
        check("nonsense", "400");
    }

    #[test]
    fn only_hashed_names_are_kept_for_ever() {
        assert!(holds_hash("web-98304cb4c9c5cd4e_bg.wasm"));
        assert!(holds_hash("worker_loader-98304cb4c9c5cd4e.js"));
        assert!(!holds_hash("index.html"));
        assert!(!holds_hash("sw.js"));
    }
}
