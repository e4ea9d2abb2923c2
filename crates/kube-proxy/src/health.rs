//! What a node answers on a Service's health check node port.

use base::lit;
use network::HttpResponse;

/// The answer of a node with `local` usable endpoints of a Service.
pub fn response(namespace: &str, name: &str, local: usize) -> HttpResponse {
    let status = if local == 0 { 503 } else { 200 };
    let body = format!(
        "{{\n\t\"service\": {{\n\t\t\"namespace\": \"{namespace}\",\n\t\t\"name\": \"{name}\"\n\t}},\n\t\
         \"localEndpoints\": {local},\n\t\"serviceProxyHealthy\": true\n}}"
    );
    let mut response = HttpResponse::new(status, body);
    response.headers = vec![
        (lit!("Content-Type"), lit!("application/json")),
        (lit!("X-Content-Type-Options"), lit!("nosniff")),
        (lit!("X-Load-Balancing-Endpoint-Weight"), local.to_string().into()),
    ];
    response
}
