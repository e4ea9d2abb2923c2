//! Names of the chains that belong to a Service port or to one of its endpoints.
//!
//! A name is a prefix and the first 16 characters of the base32 text of a SHA-256 hash, so that names fit the
//! kernel's limit and equal ports have equal chains on every node.

use base::Str;
use network::Protocol;
use sha2::{Digest, Sha256};

/// What a chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Picks one of all endpoints.
    Cluster,
    /// Picks one of the endpoints of this node.
    Local,
    /// Takes traffic from outside.
    External,
    /// Lets only some senders through to a load balancer address.
    Firewall,
}

/// The chain of a Service port: `port` is `namespace/name:port`.
pub fn service_chain(purpose: Purpose, port: &str, protocol: Protocol) -> Str {
    let prefix = match purpose {
        Purpose::Cluster => "KUBE-SVC-",
        Purpose::Local => "KUBE-SVL-",
        Purpose::External => "KUBE-EXT-",
        Purpose::Firewall => "KUBE-FW-",
    };
    format!("{prefix}{}", digest(&[port, protocol.lower()])).into()
}

/// The chain of one endpoint of a Service port: `endpoint` is `10.0.0.1:80`.
pub fn endpoint_chain(port: &str, protocol: Protocol, endpoint: &str) -> Str {
    format!("KUBE-SEP-{}", digest(&[port, protocol.lower(), endpoint])).into()
}

fn digest(parts: &[&str]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    let hash = hash.finalize();
    let bits = hash[..10].iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    (0..16).map(|i| char::from(ALPHABET[(bits >> (75 - 5 * i) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_named_as_on_a_real_node() {
        let port = "ns1/svc1:p80";
        let service = service_chain(Purpose::Cluster, port, Protocol::Tcp);
        let endpoint = endpoint_chain(port, Protocol::Tcp, "10.180.0.1:80");
        assert_eq!(service, "KUBE-SVC-XPGD46QRK7WJZT7O");
        assert_eq!(endpoint, "KUBE-SEP-SXIVWICOYRO3J4NJ");
        let dns = service_chain(Purpose::Cluster, "kube-system/kube-dns:dns", Protocol::Udp);
        assert_eq!(dns, "KUBE-SVC-TCOU7JCQXEZGVUNU");
        let api = service_chain(Purpose::Cluster, "default/kubernetes:https", Protocol::Tcp);
        assert_eq!(api, "KUBE-SVC-NPX46M4PTMTKRN6Y");
    }
}
