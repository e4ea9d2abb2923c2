//! Probes and lifecycle handlers.
//!
//! Models `validateProbe`, `validateHandler` and `validateLifecycle`.
//!
//! Known deviations:
//! - Stop signals are not checked against the operating system.

use api::core::v1::{
    Container, ExecAction, GRPCAction, HTTPGetAction, PodSpec, Probe, SleepAction, TCPSocketAction,
};
use api::names;

use crate::validation::check::Errors;
use crate::validation::path::Path;

/// The probes and the lifecycle of a container that runs for long.
pub fn of_container(e: &mut Errors, container: &Container, spec: &PodSpec, at: &Path) {
    let grace = spec.termination_grace_period_seconds;
    if let Some(probe) = &container.liveness_probe {
        let at = at.child("livenessProbe");
        one(e, probe, grace, &at);
        once(e, probe, &at);
    }
    if let Some(probe) = &container.readiness_probe {
        let at = at.child("readinessProbe");
        one(e, probe, grace, &at);
        if let Some(seconds) = probe.termination_grace_period_seconds {
            let why = "must not be set for readinessProbes";
            e.invalid(&at.child("terminationGracePeriodSeconds"), &seconds, why);
        }
    }
    if let Some(probe) = &container.startup_probe {
        let at = at.child("startupProbe");
        one(e, probe, grace, &at);
        once(e, probe, &at);
    }
    if let Some(lifecycle) = &container.lifecycle {
        let at = at.child("lifecycle");
        for (name, handler) in
            [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)]
        {
            let Some(handler) = handler else { continue };
            let actions = Actions {
                exec: handler.exec.as_deref(),
                http: handler.http_get.as_deref(),
                tcp: handler.tcp_socket.as_deref(),
                grpc: None,
                sleep: handler.sleep.as_deref(),
            };
            actions.check(e, grace, &at.child(name));
        }
    }
}

fn once(e: &mut Errors, probe: &Probe, at: &Path) {
    if probe.success_threshold != 1 {
        e.invalid(&at.child("successThreshold"), &probe.success_threshold, "must be 1");
    }
}

fn one(e: &mut Errors, probe: &Probe, grace: Option<i64>, at: &Path) {
    let actions = Actions {
        exec: probe.exec.as_deref(),
        http: probe.http_get.as_deref(),
        tcp: probe.tcp_socket.as_deref(),
        grpc: probe.grpc.as_deref(),
        sleep: None,
    };
    actions.check(e, grace, at);
    let numbers = [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ];
    for (name, number) in numbers {
        e.not_negative(&at.child(name), number.into());
    }
    if let Some(seconds) = probe.termination_grace_period_seconds.filter(|seconds| *seconds <= 0) {
        let why = "must be greater than 0";
        e.invalid(&at.child("terminationGracePeriodSeconds"), &seconds, why);
    }
}

/// What a probe or a handler may do, of which it does one.
struct Actions<'a> {
    exec: Option<&'a ExecAction>,
    http: Option<&'a HTTPGetAction>,
    tcp: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

impl Actions<'_> {
    fn check(&self, e: &mut Errors, grace: Option<i64>, at: &Path) {
        let mut given = 0;
        let mut is_first = |e: &mut Errors, name: &str| {
            given += 1;
            if given > 1 {
                e.forbidden(&at.child(name), "may not specify more than 1 handler type");
            }
            given == 1
        };
        if let Some(exec) = self.exec
            && is_first(e, "exec")
            && exec.command.is_empty()
        {
            e.required(&at.child("exec").child("command"), "");
        }
        if let Some(http) = self.http
            && is_first(e, "httpGet")
        {
            http_get(e, http, &at.child("httpGet"));
        }
        if let Some(tcp) = self.tcp
            && is_first(e, "tcpSocket")
        {
            e.port(&at.child("tcpSocket").child("port"), &tcp.port);
        }
        if let Some(grpc) = self.grpc
            && is_first(e, "grpc")
        {
            e.port_number(&at.child("grpc").child("port"), grpc.port);
        }
        if let Some(sleep) = self.sleep
            && is_first(e, "sleep")
            && (sleep.seconds < 0 || grace.is_some_and(|grace| sleep.seconds > grace))
        {
            let grace = grace.unwrap_or_default();
            let why = format!(
                "must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            );
            e.invalid(&at.child("sleep"), &sleep.seconds, &why);
        }
        if given == 0 {
            e.required(at, "must specify a handler type");
        }
    }
}

fn http_get(e: &mut Errors, get: &HTTPGetAction, at: &Path) {
    if get.path.is_empty() {
        e.required(&at.child("path"), "");
    }
    e.port(&at.child("port"), &get.port);
    if !matches!(get.scheme.as_str(), "HTTP" | "HTTPS") {
        e.unsupported(&at.child("scheme"), &get.scheme, &["HTTP", "HTTPS"]);
    }
    for header in get.http_headers.iter() {
        let complaints = names::http_header_name(&header.name);
        e.complaints(&at.child("httpHeaders"), &header.name, complaints);
    }
}
