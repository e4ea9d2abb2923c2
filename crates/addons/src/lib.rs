//! Cluster DNS and the ingress controller: parts of a cluster that usually run as pods.

pub mod dns;
pub mod ingress;

pub use dns::Dns;
pub use ingress::IngressController;
