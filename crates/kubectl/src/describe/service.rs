//! A Service's description.

use api::Json;

use super::sheet::{Sheet, or};
use crate::cx::Cx;
use crate::failure::Result;
use crate::look::{Look, scalar};
use crate::resource;

pub(super) fn describe(cx: &mut Cx<'_>, object: &Json, sheet: &mut Sheet) -> Result<()> {
    let spec = object.look("spec");
    sheet.names(object);
    sheet.labels(object);
    sheet.annotations(object);
    sheet.field(0, "Selector", crate::text::table::labels(spec.look("selector")));
    sheet.field(0, "Type", spec.text("type"));
    let joined = |key: &str| {
        let all: Vec<String> = spec.list(key).iter().map(scalar).collect();
        if all.is_empty() { "<none>".to_string() } else { all.join(",") }
    };
    sheet.field_if(0, "IP Family Policy", spec.text("ipFamilyPolicy"));
    sheet.field(0, "IP Families", joined("ipFamilies"));
    sheet.field(0, "IP", spec.text("clusterIP"));
    sheet.field(0, "IPs", joined("clusterIPs"));
    if !spec.list("externalIPs").is_empty() {
        sheet.field(0, "External IPs", joined("externalIPs"));
    }
    sheet.field_if(0, "Desired LoadBalancer IP", spec.text("loadBalancerIP"));
    sheet.field_if(0, "External Name", spec.text("externalName"));
    let ingress: Vec<String> = object
        .list("status.loadBalancer.ingress")
        .iter()
        .map(|point| match point.text("ip") {
            "" => point.text("hostname").to_string(),
            ip if point.has("ipMode") => format!("{ip} ({})", point.text("ipMode")),
            ip => ip.to_string(),
        })
        .collect();
    if !ingress.is_empty() {
        sheet.field(0, "LoadBalancer Ingress", ingress.join(", "));
    }
    let slices = slices(cx, object)?;
    for port in spec.list("ports") {
        let name = or(port.text("name"), "<unset>");
        let protocol = or(port.text("protocol"), "TCP");
        sheet.line(0, format!("Port:\t{name}\t{}/{protocol}", port.int("port")));
        sheet.field(0, "TargetPort", format!("{}/{protocol}", scalar(port.look("targetPort"))));
        if port.int("nodePort") != 0 {
            sheet.line(0, format!("NodePort:\t{name}\t{}/{protocol}", port.int("nodePort")));
        }
        sheet.field(0, "Endpoints", endpoints(&slices, port.text("name")));
    }
    sheet.field(0, "Session Affinity", spec.text("sessionAffinity"));
    sheet.field_if(0, "External Traffic Policy", spec.text("externalTrafficPolicy"));
    sheet.field_if(0, "Internal Traffic Policy", spec.text("internalTrafficPolicy"));
    sheet.field_if(0, "Traffic Distribution", spec.text("trafficDistribution"));
    if spec.int("healthCheckNodePort") != 0 {
        sheet.field(0, "HealthCheck NodePort", spec.int("healthCheckNodePort").to_string());
    }
    if !spec.list("loadBalancerSourceRanges").is_empty() {
        sheet.field(0, "LoadBalancer Source Ranges", joined("loadBalancerSourceRanges"));
    }
    Ok(())
}

/// The slices of a Service.
pub(super) fn slices(cx: &mut Cx<'_>, service: &Json) -> Result<Vec<Json>> {
    let selector = format!("kubernetes.io/service-name={}", service.text("metadata.name"));
    let namespace = service.text("metadata.namespace");
    let query = [("labelSelector", selector.as_str())];
    cx.list(&resource::known("endpointslices"), namespace, &query)
}

/// How many addresses are written before the rest is counted.
const SHOWN_MAX: usize = 3;

/// The ready addresses behind a port: `10.0.0.1:80,10.0.0.2:80 + 2 more...`
pub(super) fn endpoints(slices: &[Json], port_name: &str) -> String {
    let mut all = Vec::new();
    for slice in slices {
        for port in slice.list("ports").iter().filter(|p| p.text("name") == port_name) {
            for endpoint in slice.list("endpoints") {
                let is_ready = endpoint.look("conditions.ready").as_bool().unwrap_or(true);
                for address in endpoint.list("addresses").iter().filter(|_| is_ready) {
                    let address = scalar(address);
                    let port = port.int("port");
                    all.push(match address.contains(':') {
                        true => format!("[{address}]:{port}"),
                        false => format!("{address}:{port}"),
                    });
                }
            }
        }
    }
    if all.is_empty() {
        return "<none>".into();
    }
    let shown = all[..all.len().min(SHOWN_MAX)].join(",");
    match all.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}
