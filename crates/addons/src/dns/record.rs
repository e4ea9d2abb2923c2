//! DNS records and answers, and how they are written.

use std::fmt;

use base::Str;
use network::IpAddr;

/// Record types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Another name.
    Cname,
    /// Port and host of a service.
    Srv,
    /// The name of an address.
    Ptr,
    /// Text.
    Txt,
    /// Name server.
    Ns,
    /// Start of authority.
    Soa,
}

impl Type {
    /// The type that is written `name`.
    pub fn parse(name: &str) -> Option<Type> {
        let all = [
            Type::A,
            Type::Aaaa,
            Type::Cname,
            Type::Srv,
            Type::Ptr,
            Type::Txt,
            Type::Ns,
            Type::Soa,
        ];
        all.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// The type as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Type::A => "A",
            Type::Aaaa => "AAAA",
            Type::Cname => "CNAME",
            Type::Srv => "SRV",
            Type::Ptr => "PTR",
            Type::Txt => "TXT",
            Type::Ns => "NS",
            Type::Soa => "SOA",
        }
    }

    /// Whether an address belongs in records of this type.
    pub fn fits(self, ip: IpAddr) -> bool {
        match self {
            Type::A => ip.is_ipv4(),
            Type::Aaaa => ip.is_ipv6(),
            _ => false,
        }
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its name, with the final dot.
    pub name: Str,
    /// Seconds for which it may be kept.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A or AAAA.
    Address(IpAddr),
    /// CNAME.
    Alias(Str),
    /// SRV.
    Service {
        /// Share of the traffic, as a weight.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: Str,
    },
    /// PTR.
    Pointer(Str),
    /// TXT.
    Text(Str),
    /// NS.
    NameServer(Str),
    /// SOA of the zone.
    Authority {
        /// The zone.
        zone: Str,
        /// Serial number: when the zone last changed, in seconds.
        serial: i64,
    },
}

/// How a question was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The name exists (perhaps without such a record).
    Success,
    /// There is no such name.
    NameError,
    /// The server cannot tell.
    ServerFailure,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The code.
    pub code: Code,
    /// What was asked for.
    pub answers: Vec<Record>,
    /// Who is responsible.
    pub authority: Vec<Record>,
    /// What goes with it.
    pub extra: Vec<Record>,
}

impl Answer {
    /// An answer without records.
    pub fn of(code: Code) -> Answer {
        Answer { code, answers: Vec::new(), authority: Vec::new(), extra: Vec::new() }
    }
}

impl Record {
    /// A or AAAA.
    pub fn address(name: &str, ttl: u32, ip: IpAddr) -> Record {
        Record { name: name.into(), ttl, data: Data::Address(ip) }
    }

    /// The address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.data {
            Data::Address(ip) => Some(ip),
            _ => None,
        }
    }

    /// The type.
    pub fn kind(&self) -> Type {
        match self.data {
            Data::Address(IpAddr::V4(_)) => Type::A,
            Data::Address(IpAddr::V6(_)) => Type::Aaaa,
            Data::Alias(_) => Type::Cname,
            Data::Service { .. } => Type::Srv,
            Data::Pointer(_) => Type::Ptr,
            Data::Text(_) => Type::Txt,
            Data::NameServer(_) => Type::Ns,
            Data::Authority { .. } => Type::Soa,
        }
    }
}

impl Code {
    /// The code as `dig` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Code::Success => "NOERROR",
            Code::NameError => "NXDOMAIN",
            Code::ServerFailure => "SERVFAIL",
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} IN {} ", self.name, self.ttl, self.kind().name())?;
        match &self.data {
            Data::Address(ip) => write!(f, "{ip}"),
            Data::Alias(name) | Data::Pointer(name) | Data::NameServer(name) => write!(f, "{name}"),
            Data::Service { weight, port, target } => write!(f, "0 {weight} {port} {target}"),
            Data::Text(text) => write!(f, "\"{text}\""),
            Data::Authority { zone, serial } => {
                let ttl = self.ttl;
                write!(f, "ns.dns.{zone} hostmaster.{zone} {serial} 7200 1800 86400 {ttl}")
            }
        }
    }
}
