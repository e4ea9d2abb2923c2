//! `admissionregistration.k8s.io`: webhooks and admission policies.
//!
//! Models the defaults of `admissionregistration/v1`.
//!
//! Known deviations: none.

use api::Object;
use api::admissionregistration::v1::*;
use base::{List, lit};

use super::{by_kind, missing, part, text};

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object,
        ValidatingWebhookConfiguration => |c: &mut ValidatingWebhookConfiguration| {
            c.webhooks.iter_mut().for_each(validating);
        },
        MutatingWebhookConfiguration => |c: &mut MutatingWebhookConfiguration| {
            c.webhooks.iter_mut().for_each(mutating);
        },
        ValidatingAdmissionPolicy => |p: &mut ValidatingAdmissionPolicy| {
            part(&mut p.spec, |spec| {
                missing(&mut spec.failure_policy, lit!("Fail"));
                spec.match_constraints.iter_mut().for_each(|m| resources(m));
            });
        },
        MutatingAdmissionPolicy => |p: &mut MutatingAdmissionPolicy| {
            part(&mut p.spec, |spec| {
                missing(&mut spec.failure_policy, lit!("Fail"));
                text(&mut spec.reinvocation_policy, lit!("Never"));
                spec.match_constraints.iter_mut().for_each(|m| resources(m));
            });
        },
        ValidatingAdmissionPolicyBinding => |b: &mut ValidatingAdmissionPolicyBinding| {
            part(&mut b.spec, |spec| spec.match_resources.iter_mut().for_each(|m| resources(m)));
        },
        MutatingAdmissionPolicyBinding => |b: &mut MutatingAdmissionPolicyBinding| {
            part(&mut b.spec, |spec| spec.match_resources.iter_mut().for_each(|m| resources(m)));
        },
    );
}

fn validating(hook: &mut ValidatingWebhook) {
    missing(&mut hook.failure_policy, lit!("Fail"));
    missing(&mut hook.match_policy, lit!("Equivalent"));
    missing(&mut hook.namespace_selector, Box::default());
    missing(&mut hook.object_selector, Box::default());
    missing(&mut hook.timeout_seconds, 10);
    client(&mut hook.client_config);
    rules(&mut hook.rules);
}

fn mutating(hook: &mut MutatingWebhook) {
    missing(&mut hook.failure_policy, lit!("Fail"));
    missing(&mut hook.match_policy, lit!("Equivalent"));
    missing(&mut hook.namespace_selector, Box::default());
    missing(&mut hook.object_selector, Box::default());
    missing(&mut hook.timeout_seconds, 10);
    missing(&mut hook.reinvocation_policy, lit!("Never"));
    client(&mut hook.client_config);
    rules(&mut hook.rules);
}

fn client(config: &mut WebhookClientConfig) {
    if let Some(service) = &mut config.service {
        missing(&mut service.port, 443);
    }
}

fn rules(rules: &mut List<RuleWithOperations>) {
    rules.iter_mut().for_each(|rule| missing(&mut rule.scope, lit!("*")));
}

fn resources(of: &mut MatchResources) {
    missing(&mut of.match_policy, lit!("Equivalent"));
    missing(&mut of.namespace_selector, Box::default());
    missing(&mut of.object_selector, Box::default());
    let rules = of.resource_rules.iter_mut().chain(of.exclude_resource_rules.iter_mut());
    rules.for_each(|rule| missing(&mut rule.scope, lit!("*")));
}
