//! What a node remembers of connections: translations, and which endpoint a client last used.
//!
//! Models the kernel's connection tracking as far as Services need it.
//! Known deviations:
//! - Only translated connections are tracked; others are not needed for an answer.
//! - A TCP connection is remembered until it has been idle for its timeout, not until it is closed.

use core::net::{IpAddr, SocketAddr};

use base::{Duration, HashMap, Instant, Str};

use crate::packet::{Packet, Protocol};

/// The moving part of a node's packet tables.
#[derive(Clone, Debug, Default)]
pub struct NodeState {
    flows: HashMap<Packet, Flow>,
    /// Client and last use, by list name: what `-m recent` keeps.
    recent: HashMap<Str, HashMap<IpAddr, Instant>>,
    next_port: u16,
    swept: Instant,
}

/// What happens to the packets of a known connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Where they are sent instead.
    pub destination: SocketAddr,
    /// The node puts its own address in place of the sender's.
    pub masquerade: bool,
    expires: Instant,
}

/// Where ephemeral ports start.
const PORT_MIN: u16 = 32768;
/// Where ephemeral ports end.
const PORT_MAX: u16 = 60999;
/// Expired entries are swept this often.
const SWEEP_EVERY: Duration = Duration::secs(60);

/// How long an idle connection is remembered.
pub const fn idle_timeout(protocol: Protocol) -> Duration {
    match protocol {
        Protocol::Tcp => Duration::secs(24 * 3600),
        Protocol::Udp => Duration::secs(30),
        Protocol::Sctp => Duration::secs(210),
    }
}

impl NodeState {
    /// The translation of a connection that is still remembered; its timeout starts anew.
    pub fn known(&mut self, packet: &Packet, now: Instant) -> Option<Flow> {
        let flow = self.flows.get_mut(packet)?;
        if flow.expires <= now {
            self.flows.remove(packet);
            return None;
        }
        flow.expires = now + idle_timeout(packet.protocol);
        Some(*flow)
    }

    /// Remembers a translation.
    pub fn remember(
        &mut self,
        packet: Packet,
        destination: SocketAddr,
        masquerade: bool,
        now: Instant,
    ) {
        self.sweep(now);
        let expires = now + idle_timeout(packet.protocol);
        self.flows.insert(packet, Flow { destination, masquerade, expires });
    }

    /// Forgets a connection that was closed.
    pub fn forget(&mut self, packet: &Packet) {
        self.flows.remove(packet);
    }

    /// Forgets datagram flows to an endpoint that is gone, as kube-proxy does when it removes one.
    pub fn forget_endpoint(&mut self, endpoint: SocketAddr, protocol: Protocol) {
        self.flows.retain(|p, flow| p.protocol != protocol || flow.destination != endpoint);
    }

    /// How many connections are remembered.
    pub fn tracked(&self) -> usize {
        self.flows.len()
    }

    /// Whether `client` is in the list `name` since at most `window`.
    pub fn seen_within(&self, name: &str, client: IpAddr, window: Duration, now: Instant) -> bool {
        let last = self.recent.get(name).and_then(|clients| clients.get(&client));
        last.is_some_and(|last| now.since(*last) < window)
    }

    /// Puts `client` in the list `name`.
    pub fn see(&mut self, name: &Str, client: IpAddr, now: Instant) {
        self.recent.entry(name.clone()).or_default().insert(client, now);
    }

    /// The next source port of a connection that leaves this node.
    pub fn next_port(&mut self) -> u16 {
        let span = PORT_MAX - PORT_MIN + 1;
        self.next_port = (self.next_port + 1) % span;
        PORT_MIN + self.next_port
    }

    fn sweep(&mut self, now: Instant) {
        if now.since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        self.flows.retain(|_, flow| flow.expires > now);
        let horizon = Duration::secs(24 * 3600);
        self.recent.retain(|_, clients| {
            clients.retain(|_, last| now.since(*last) < horizon);
            !clients.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow_after(protocol: Protocol, idle: Duration) -> bool {
        let mut state = NodeState::default();
        let ip = |s: &str| s.parse().unwrap();
        let packet = Packet::new(protocol, ip("10.0.0.1"), 40000, ip("10.96.0.10"), 53);
        state.remember(packet, "10.0.1.7:53".parse().unwrap(), false, Instant::START);
        state.known(&packet, Instant::START + idle).is_some()
    }

    #[test]
    fn datagram_flows_are_forgotten_after_half_a_minute() {
        assert!(flow_after(Protocol::Udp, Duration::secs(29)));
        assert!(!flow_after(Protocol::Udp, Duration::secs(30)));
    }

    #[test]
    fn connections_are_remembered_for_a_day() {
        assert!(flow_after(Protocol::Tcp, Duration::secs(3600)));
        assert!(!flow_after(Protocol::Tcp, Duration::secs(24 * 3600)));
    }

    #[test]
    fn a_client_is_recent_until_the_window_closes() {
        let (mut state, client) = (NodeState::default(), "10.0.0.1".parse().unwrap());
        state.see(&base::lit!("KUBE-SEP-A"), client, Instant::START);
        let seen = |s| {
            let now = Instant::START + Duration::secs(s);
            state.seen_within("KUBE-SEP-A", client, Duration::secs(10), now)
        };
        assert!(seen(9));
        assert!(!seen(10));
    }
}
