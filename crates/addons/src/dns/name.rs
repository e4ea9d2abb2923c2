//! What a name below the cluster's domain asks for.

use network::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A name of the zone, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// The zone itself.
    Apex,
    /// `svc` or `pod`, which have no records of their own.
    Branch,
    /// `namespace.svc` or `namespace.pod`.
    Namespace(&'a str),
    /// Something of a Service.
    Service {
        /// `_port._protocol` before it, without underscores; empty if not given.
        port: &'a str,
        /// The protocol; empty if not given.
        protocol: &'a str,
        /// One endpoint's host name; empty if not given.
        endpoint: &'a str,
        /// The Service.
        service: &'a str,
        /// Its namespace.
        namespace: &'a str,
    },
    /// A pod's address in dashes.
    Pod {
        /// `10-244-1-2`
        address: &'a str,
        /// The namespace.
        namespace: &'a str,
    },
    /// Nothing that the zone can have.
    Nothing,
}

/// Takes a name apart; `rest` is what stands before the zone, without the dot between.
pub fn parse(rest: &str) -> Name<'_> {
    if rest.is_empty() {
        return Name::Apex;
    }
    let labels: Vec<&str> = rest.split('.').collect();
    let (branch, labels) = labels.split_last().expect("a text has at least one part");
    let service = match *branch {
        "svc" => true,
        "pod" => false,
        _ => return Name::Nothing,
    };
    let bare = |label: &'_ str| label.strip_prefix('_').map(str::len);
    match (labels, service) {
        ([], _) => Name::Branch,
        ([namespace], _) => Name::Namespace(namespace),
        ([address, namespace], false) => Name::Pod { address, namespace },
        ([service, namespace], true) => {
            Name::Service { port: "", protocol: "", endpoint: "", service, namespace }
        }
        ([endpoint, service, namespace], true) => {
            Name::Service { port: "", protocol: "", endpoint, service, namespace }
        }
        ([port, protocol, service, namespace], true) => {
            let strip = |label| match bare(label) {
                Some(_) => &label[1..],
                None => label,
            };
            let (port, protocol) = (strip(port), strip(protocol));
            Name::Service { port, protocol, endpoint: "", service, namespace }
        }
        _ => Name::Nothing,
    }
}

/// Lower case, with the final dot.
pub fn normal(name: &str) -> String {
    let mut name = name.to_ascii_lowercase();
    if !name.ends_with('.') {
        name.push('.');
    }
    name
}

/// An address as a label: `10-244-1-2`, `5678-abcd--1`.
pub fn dashed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string().replace('.', "-"),
        IpAddr::V6(ip) => {
            let mut text = ip.to_string().replace(':', "-");
            if text.ends_with('-') {
                text.push('0');
            }
            if text.starts_with('-') {
                text.insert(0, '0');
            }
            text
        }
    }
}

/// The address that a label in dashes stands for.
pub fn undashed(label: &str) -> Option<IpAddr> {
    let v4 = label.matches('-').count() == 3 && !label.contains("--");
    label.replace('-', if v4 { "." } else { ":" }).parse().ok()
}

/// The address that a reverse name asks for: `2.1.244.10.in-addr.arpa.`
pub fn reversed(name: &str) -> Option<IpAddr> {
    if let Some(digits) = name.strip_suffix(".in-addr.arpa.") {
        let text: Vec<&str> = digits.split('.').rev().collect();
        return text.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    let digits = name.strip_suffix(".ip6.arpa.")?;
    let digits: Vec<&str> = digits.split('.').rev().collect();
    if digits.len() != 32 || digits.iter().any(|digit| digit.len() != 1) {
        return None;
    }
    let number = u128::from_str_radix(&digits.concat(), 16).ok()?;
    Some(IpAddr::V6(Ipv6Addr::from(number)))
}
