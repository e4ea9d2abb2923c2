//! Cluster DNS, ingress controller, metrics server.
