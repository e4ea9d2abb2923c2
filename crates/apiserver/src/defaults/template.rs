//! Pod specs, in pods and in templates.
//!
//! Models `SetDefaults_PodSpec`, `SetDefaults_Container`, `SetDefaults_Probe` and their kin.
//!
//! Known deviations: none.

use api::core::v1::{
    Container, ContainerPort, EnvVar, EphemeralContainer, HTTPGetAction, Lifecycle,
    LifecycleHandler, PodSpec, Probe,
};
use api::int_or_string::IntOrString;
use base::{List, Str, lit};

use super::{amounts, image, missing, number, text, volume};

/// Fills in what a pod spec leaves out.
pub fn spec(spec: &mut PodSpec) {
    text(&mut spec.dns_policy, lit!("ClusterFirst"));
    text(&mut spec.restart_policy, lit!("Always"));
    text(&mut spec.scheduler_name, lit!("default-scheduler"));
    missing(&mut spec.security_context, Box::default());
    missing(&mut spec.termination_grace_period_seconds, 30);
    // The deprecated name of the service account follows the current one.
    if spec.service_account_name.is_empty() {
        spec.service_account_name = spec.service_account.clone();
    } else {
        spec.service_account = spec.service_account_name.clone();
    }
    amounts(&mut spec.overhead);
    if let Some(resources) = &mut spec.resources {
        amounts(&mut resources.limits);
        amounts(&mut resources.requests);
    }
    spec.volumes.iter_mut().for_each(volume::volume);
    spec.init_containers.iter_mut().for_each(container);
    spec.containers.iter_mut().for_each(container);
    spec.ephemeral_containers.iter_mut().for_each(ephemeral);
}

/// Whether [`spec`] would find nothing to do in the parts that every decoded spec lacks.
///
/// A quick look before a shared spec is copied.
pub fn looks_complete(spec: &PodSpec) -> bool {
    !spec.dns_policy.is_empty()
        && !spec.restart_policy.is_empty()
        && !spec.scheduler_name.is_empty()
        && spec.security_context.is_some()
        && spec.termination_grace_period_seconds.is_some()
        && spec.service_account == spec.service_account_name
}

fn container(c: &mut Container) {
    image_fields(
        &c.image,
        &mut c.image_pull_policy,
        &mut c.termination_message_path,
        &mut c.termination_message_policy,
    );
    c.ports.iter_mut().for_each(port);
    env(&mut c.env);
    let probes = [&mut c.liveness_probe, &mut c.readiness_probe, &mut c.startup_probe];
    probes.into_iter().flatten().for_each(|p| probe(p));
    c.lifecycle.iter_mut().for_each(|l| lifecycle(l));
    amounts(&mut c.resources.limits);
    amounts(&mut c.resources.requests);
}

fn ephemeral(c: &mut EphemeralContainer) {
    image_fields(
        &c.image,
        &mut c.image_pull_policy,
        &mut c.termination_message_path,
        &mut c.termination_message_policy,
    );
    c.ports.iter_mut().for_each(port);
    env(&mut c.env);
    let probes = [&mut c.liveness_probe, &mut c.readiness_probe, &mut c.startup_probe];
    probes.into_iter().flatten().for_each(|p| probe(p));
    c.lifecycle.iter_mut().for_each(|l| lifecycle(l));
    amounts(&mut c.resources.limits);
    amounts(&mut c.resources.requests);
}

fn image_fields(image: &Str, pull: &mut Str, path: &mut Str, policy: &mut Str) {
    if pull.is_empty() {
        *pull = image::pull_policy(image);
    }
    text(path, lit!("/dev/termination-log"));
    text(policy, lit!("File"));
}

fn port(port: &mut ContainerPort) {
    text(&mut port.protocol, lit!("TCP"));
}

fn env(list: &mut List<EnvVar>) {
    let sources = list.iter_mut().filter_map(|var| var.value_from.as_deref_mut());
    for field in sources.filter_map(|from| from.field_ref.as_deref_mut()) {
        text(&mut field.api_version, lit!("v1"));
    }
}

fn probe(probe: &mut Probe) {
    number(&mut probe.timeout_seconds, 1);
    number(&mut probe.period_seconds, 10);
    number(&mut probe.success_threshold, 1);
    number(&mut probe.failure_threshold, 3);
    probe.http_get.iter_mut().for_each(|get| http_get(get));
    if let Some(grpc) = &mut probe.grpc {
        missing(&mut grpc.service, Str::new());
    }
}

fn lifecycle(lifecycle: &mut Lifecycle) {
    let handlers = [&mut lifecycle.post_start, &mut lifecycle.pre_stop];
    for handler in handlers.into_iter().flatten() {
        let handler: &mut LifecycleHandler = handler;
        handler.http_get.iter_mut().for_each(|get| http_get(get));
    }
}

fn http_get(get: &mut HTTPGetAction) {
    text(&mut get.path, lit!("/"));
    text(&mut get.scheme, lit!("HTTP"));
    if get.port == IntOrString::Str(Str::new()) {
        get.port = IntOrString::Int(0);
    }
}
