//! What travels: packets, and the requests and responses inside.

use core::net::{IpAddr, SocketAddr};
use std::fmt;

use base::Str;

/// Transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Protocol {
    /// Transmission Control Protocol.
    #[default]
    Tcp,
    /// User Datagram Protocol.
    Udp,
    /// Stream Control Transmission Protocol.
    Sctp,
}

impl Protocol {
    /// The protocol that the API calls `name`; empty means TCP.
    pub fn of(name: &str) -> Option<Protocol> {
        Some(match name {
            "" | "TCP" => Protocol::Tcp,
            "UDP" => Protocol::Udp,
            "SCTP" => Protocol::Sctp,
            _ => return None,
        })
    }

    /// Name in lower case, as iptables and DNS write it.
    pub const fn lower(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }

    /// Name as the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        }
    }
}

/// The first packet of a connection, or a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Sender.
    pub src: SocketAddr,
    /// Receiver.
    pub dst: SocketAddr,
    /// Protocol.
    pub protocol: Protocol,
}

impl Packet {
    /// A packet between the two addresses.
    pub fn new(
        protocol: Protocol,
        src: IpAddr,
        src_port: u16,
        dst: IpAddr,
        dst_port: u16,
    ) -> Packet {
        Packet {
            src: SocketAddr::new(src, src_port),
            dst: SocketAddr::new(dst, dst_port),
            protocol,
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → {}", self.protocol.lower(), self.src, self.dst)
    }
}

/// What a caller says once connected.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Payload {
    /// Nothing: it only opens a connection.
    #[default]
    Connect,
    /// An HTTP request.
    Http(HttpRequest),
    /// A gRPC health check of a service; empty for the server as a whole.
    GrpcHealth(Str),
    /// Any other text.
    Text(Str),
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: Str,
    /// Sent over TLS; the server name indication is `host` without its port.
    pub tls: bool,
    /// The Host header.
    pub host: Str,
    /// Path and query.
    pub path: Str,
    /// Other headers, in order.
    pub headers: Vec<(Str, Str)>,
    /// The body.
    pub body: Str,
}

impl HttpRequest {
    /// `GET path` of `host`.
    pub fn get(host: impl Into<Str>, path: impl Into<Str>) -> HttpRequest {
        HttpRequest {
            method: base::lit!("GET"),
            host: host.into(),
            path: path.into(),
            ..HttpRequest::default()
        }
    }

    /// The Host header without its port.
    pub fn hostname(&self) -> &str {
        if self.host.starts_with('[') {
            return self.host.find(']').map_or(&self.host, |end| &self.host[1..end]);
        }
        self.host.rsplit_once(':').map_or(&self.host, |(host, _)| host)
    }

    /// The path without its query.
    pub fn bare_path(&self) -> &str {
        self.path.split(['?', '#']).next().unwrap_or("/")
    }

    /// The first header called `name`, whatever its case.
    pub fn header(&self, name: &str) -> Option<&Str> {
        find_header(&self.headers, name)
    }
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers, in order.
    pub headers: Vec<(Str, Str)>,
    /// The body.
    pub body: Str,
}

impl HttpResponse {
    /// A response with a status and a body.
    pub fn new(status: u16, body: impl Into<Str>) -> HttpResponse {
        HttpResponse { status, headers: Vec::new(), body: body.into() }
    }

    /// The first header called `name`, whatever its case.
    pub fn header(&self, name: &str) -> Option<&Str> {
        find_header(&self.headers, name)
    }

    /// The words that go with a status code.
    pub fn reason(&self) -> &'static str {
        match self.status {
            200 => "OK",
            201 => "Created",
            202 => "Accepted",
            204 => "No Content",
            301 => "Moved Permanently",
            302 => "Found",
            304 => "Not Modified",
            307 => "Temporary Redirect",
            308 => "Permanent Redirect",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            409 => "Conflict",
            413 => "Request Entity Too Large",
            429 => "Too Many Requests",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            _ => "",
        }
    }
}

fn find_header<'a>(headers: &'a [(Str, Str)], name: &str) -> Option<&'a Str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
