//! `networking.k8s.io` and `discovery.k8s.io`.

use api::discovery::v1::EndpointSlice;
use api::networking::v1::*;
use api::object::Kind;

use super::Row;

/// The rows.
pub static ROWS: &[Row] = &[
    Row { generation: true, create_on_update: true, ..Row::new(EndpointSlice::INFO) },
    Row::new(IPAddress::INFO),
    Row { prefix: "ingress", ..Row::with_status(Ingress::INFO) },
    Row { generation: true, ..Row::new(IngressClass::INFO) },
    Row { generation: true, ..Row::new(NetworkPolicy::INFO) },
    Row { generation: false, ..Row::with_status(ServiceCIDR::INFO) },
];
