//! Packets, addresses, iptables-shaped tables with their evaluation, and conntrack.
