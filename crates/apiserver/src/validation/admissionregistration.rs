//! `admissionregistration.k8s.io`: webhooks and admission policies.
//!
//! Models `pkg/apis/admissionregistration/validation` of Kubernetes.
//!
//! Known deviations:
//! - Of expressions only the syntax is checked.

use api::Object;
use api::admissionregistration::v1::*;
use api::meta::v1::LabelSelector;
use api::names;
use base::{HashSet, Str};

use super::check::{Errors, json_list};
use super::path::Path;
use super::selector;

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(config) = object.get::<ValidatingWebhookConfiguration>() {
        let hooks = config.webhooks.iter().map(Hook::of_validating);
        webhooks(e, hooks.collect());
    } else if let Some(config) = object.get::<MutatingWebhookConfiguration>() {
        let hooks = config.webhooks.iter().map(Hook::of_mutating);
        webhooks(e, hooks.collect());
    } else if let Some(policy) = object.get::<ValidatingAdmissionPolicy>() {
        validating_policy(e, &policy.spec);
    } else if let Some(policy) = object.get::<MutatingAdmissionPolicy>() {
        mutating_policy(e, &policy.spec);
    } else if let Some(binding) = object.get::<ValidatingAdmissionPolicyBinding>() {
        let spec = &binding.spec;
        self::binding(e, &spec.policy_name, spec.param_ref.as_deref());
        if let Some(resources) = &spec.match_resources {
            match_resources(e, resources, &Path::root("spec.matchResouces"));
        }
        actions(e, &spec.validation_actions);
    } else if let Some(binding) = object.get::<MutatingAdmissionPolicyBinding>() {
        let spec = &binding.spec;
        self::binding(e, &spec.policy_name, spec.param_ref.as_deref());
        if let Some(resources) = &spec.match_resources {
            match_resources(e, resources, &Path::root("spec.matchResouces"));
        }
    }
}

/// What both kinds of webhook have.
struct Hook<'a> {
    name: &'a Str,
    versions: &'a [Str],
    rules: &'a [RuleWithOperations],
    failure_policy: Option<&'a Str>,
    match_policy: Option<&'a Str>,
    side_effects: Option<&'a Str>,
    timeout: Option<i32>,
    namespaces: Option<&'a LabelSelector>,
    objects: Option<&'a LabelSelector>,
    client: &'a WebhookClientConfig,
    reinvocation: Option<&'a Str>,
    conditions: &'a [MatchCondition],
}

impl Hook<'_> {
    fn of_validating(hook: &ValidatingWebhook) -> Hook<'_> {
        Hook {
            name: &hook.name,
            versions: &hook.admission_review_versions,
            rules: &hook.rules,
            failure_policy: hook.failure_policy.as_ref(),
            match_policy: hook.match_policy.as_ref(),
            side_effects: hook.side_effects.as_ref(),
            timeout: hook.timeout_seconds,
            namespaces: hook.namespace_selector.as_deref(),
            objects: hook.object_selector.as_deref(),
            client: &hook.client_config,
            reinvocation: None,
            conditions: &hook.match_conditions,
        }
    }

    fn of_mutating(hook: &MutatingWebhook) -> Hook<'_> {
        Hook {
            name: &hook.name,
            versions: &hook.admission_review_versions,
            rules: &hook.rules,
            failure_policy: hook.failure_policy.as_ref(),
            match_policy: hook.match_policy.as_ref(),
            side_effects: hook.side_effects.as_ref(),
            timeout: hook.timeout_seconds,
            namespaces: hook.namespace_selector.as_deref(),
            objects: hook.object_selector.as_deref(),
            client: &hook.client_config,
            reinvocation: hook.reinvocation_policy.as_ref(),
            conditions: &hook.match_conditions,
        }
    }
}

fn webhooks(e: &mut Errors, hooks: Vec<Hook<'_>>) {
    let list = Path::root("webhooks");
    for (i, hook) in hooks.iter().enumerate() {
        self::hook(e, hook, &list.index(i));
    }
    for (i, hook) in hooks.iter().enumerate() {
        versions(e, hook.versions, &list.index(i).child("admissionReviewVersions"));
    }
    let mut seen = HashSet::default();
    for (i, hook) in hooks.iter().enumerate() {
        if !hook.name.is_empty() && !seen.insert(hook.name) {
            e.duplicate(&list.index(i).child("name"), hook.name);
        }
    }
}

fn versions(e: &mut Errors, versions: &[Str], at: &Path) {
    if versions.is_empty() {
        e.required(at, "must specify one of v1, v1beta1");
        return;
    }
    let mut seen = HashSet::default();
    for (i, version) in versions.iter().enumerate() {
        if !seen.insert(version) {
            e.invalid(&at.index(i), version, "duplicate version");
        }
        for complaint in names::dns1035_label(version) {
            e.invalid(&at.index(i), version, &complaint);
        }
    }
    if !versions.iter().any(|version| version == "v1" || version == "v1beta1") {
        e.invalid(at, &json_list(versions), "must include at least one of v1, v1beta1");
    }
}

fn hook(e: &mut Errors, hook: &Hook<'_>, at: &Path) {
    let name = at.child("name");
    qualified_domain(e, hook.name, &name);
    for (i, rule) in hook.rules.iter().enumerate() {
        let rules = at.child("rules");
        let parts = [&rule.operations, &rule.api_groups, &rule.api_versions, &rule.resources];
        self::rule(e, parts.map(|list| &list[..]), rule.scope.as_ref(), true, &rules.index(i));
    }
    e.one_of_if(&at.child("failurePolicy"), hook.failure_policy, &["Fail", "Ignore"]);
    e.one_of_if(&at.child("matchPolicy"), hook.match_policy, &["Equivalent", "Exact"]);
    let effects = ["None", "NoneOnDryRun"];
    if hook.side_effects.is_none() {
        e.required(&at.child("sideEffects"), "must specify one of None, NoneOnDryRun");
    }
    e.one_of_if(&at.child("sideEffects"), hook.side_effects, &effects);
    if let Some(seconds) = hook.timeout.filter(|seconds| !(1..=30).contains(seconds)) {
        let why = "the timeout value must be between 1 and 30 seconds";
        e.invalid(&at.child("timeoutSeconds"), &seconds, why);
    }
    selector::check_if(e, &at.child("namespaceSelector"), hook.namespaces);
    selector::check_if(e, &at.child("objectSelector"), hook.objects);
    let policies = ["IfNeeded", "Never"];
    e.one_of_if(&at.child("reinvocationPolicy"), hook.reinvocation, &policies);
    client(e, hook.client, &at.child("clientConfig"));
    conditions(e, hook.conditions, &at.child("matchConditions"));
}

fn qualified_domain(e: &mut Errors, name: &str, at: &Path) {
    if name.is_empty() {
        e.required(at, "");
        return;
    }
    e.subdomain(at, name);
    if name.split('.').count() < 3 {
        let why = "should be a domain with at least three segments separated by dots";
        e.invalid(at, name, why);
    }
}

fn client(e: &mut Errors, config: &WebhookClientConfig, at: &Path) {
    match (&config.url, &config.service) {
        (None, None) | (Some(_), Some(_)) => {
            e.required(at, "exactly one of url or service is required");
        }
        (Some(url), None) => {
            let at = at.child("url");
            let form = "; desired format: https://host[/path]";
            match url.split_once("://") {
                Some(("https", rest)) if !rest.is_empty() && !rest.starts_with('/') => {
                    let why = |what: &str| format!("{what} are not permitted in the URL");
                    if rest.contains('#') {
                        e.invalid(&at, "", &why("fragments"));
                    }
                    if rest.contains('?') {
                        e.invalid(&at, "", &why("query parameters"));
                    }
                }
                Some(("https", _)) => {
                    e.invalid(&at, url, &format!("host must be specified{form}"));
                }
                Some((scheme, _)) => {
                    let why = format!("'https' is the only allowed URL scheme{form}");
                    e.invalid(&at, scheme, &why);
                }
                None => {
                    e.invalid(&at, "", &format!("'https' is the only allowed URL scheme{form}"))
                }
            }
        }
        (None, Some(service)) => {
            let at = at.child("service");
            if service.name.is_empty() {
                e.required(&at.child("name"), "service name is required");
            }
            if service.namespace.is_empty() {
                e.required(&at.child("namespace"), "service namespace is required");
            }
            let port = service.port.unwrap_or(443);
            for complaint in names::port_number(port.into()) {
                let why = format!("port is not valid: {complaint}");
                e.invalid(&at.child("port"), &port, &why);
            }
            let Some(path) = &service.path else { return };
            let at = at.child("path");
            if !path.starts_with('/') {
                e.invalid(&at, path, "must start with a '/'");
            }
        }
    }
}

/// A rule: operations, groups, versions, resources.
fn rule(e: &mut Errors, lists: [&[Str]; 4], scope: Option<&Str>, verbs: bool, at: &Path) {
    let [operations, groups, versions, resources] = lists;
    let alone = |list: &[Str]| list.len() > 1 && list.iter().any(|item| item == "*");
    let why = "if '*' is present, must not specify other ";
    let operations_at = at.child("operations");
    if verbs || !operations.is_empty() {
        if operations.is_empty() {
            e.required(&operations_at, "");
        }
        if alone(operations) {
            let why = format!("{why}operations");
            e.invalid(&operations_at, &json_list(operations), &why);
        }
        for (i, operation) in operations.iter().enumerate() {
            let known = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
            e.one_of_if(&operations_at.index(i), Some(operation), &known);
        }
    }
    let groups_at = at.child("apiGroups");
    if groups.is_empty() {
        e.required(&groups_at, "");
    }
    if alone(groups) {
        e.invalid(&groups_at, &json_list(groups), &format!("{why}API groups"));
    }
    let versions_at = at.child("apiVersions");
    if versions.is_empty() {
        e.required(&versions_at, "");
    }
    if alone(versions) {
        e.invalid(&versions_at, &json_list(versions), &format!("{why}API versions"));
    }
    for (i, _) in versions.iter().enumerate().filter(|(_, v)| v.is_empty()) {
        e.required(&versions_at.index(i), "");
    }
    self::resources(e, resources, &at.child("resources"));
    e.one_of_if(&at.child("scope"), scope, &["*", "Cluster", "Namespaced"]);
}

fn resources(e: &mut Errors, resources: &[Str], at: &Path) {
    if resources.is_empty() {
        e.required(at, "");
    }
    let everything = resources.iter().any(|r| r == "*/*");
    if everything && resources.len() > 1 {
        let why = "if '*/*' is present, must not specify other resources";
        e.invalid(at, &json_list(resources), why);
    }
    let (mut whole, mut seen) = (HashSet::default(), HashSet::default());
    for (i, resource) in resources.iter().enumerate() {
        let at = at.index(i);
        if resource.is_empty() {
            e.required(&at, "");
            continue;
        }
        if resource == "*/*" {
            continue;
        }
        let (name, part) = match resource.split_once('/') {
            Some((name, part)) => (name, Some(part)),
            None => (resource.as_str(), None),
        };
        if part.is_some() && whole.contains(name) {
            let why = format!("if '{name}/*' is present, must not specify {resource}");
            e.invalid(&at, resource, &why);
        }
        if part == Some("*") {
            whole.insert(name);
        }
        if !seen.insert(resource) {
            e.duplicate(&at, resource);
        }
    }
}

fn conditions(e: &mut Errors, conditions: &[MatchCondition], list: &Path) {
    if conditions.len() > 64 {
        e.too_many(list, conditions.len(), 64);
    }
    let mut seen = HashSet::default();
    for (i, condition) in conditions.iter().enumerate() {
        let at = list.index(i);
        if condition.expression.trim().is_empty() {
            e.required(&at.child("expression"), "");
        } else {
            expression(e, &condition.expression, &at.child("expression"));
        }
        if condition.name.is_empty() {
            e.required(&at.child("name"), "");
        } else {
            e.qualified(&at.child("name"), &condition.name);
            if !seen.insert(&condition.name) {
                e.duplicate(&at.child("name"), &condition.name);
            }
        }
    }
}

fn match_resources(e: &mut Errors, of: &MatchResources, at: &Path) {
    e.one_of_if(&at.child("matchPolicy"), of.match_policy.as_ref(), &["Equivalent", "Exact"]);
    for (name, given) in
        [("namespaceSelector", &of.namespace_selector), ("objectSelector", &of.object_selector)]
    {
        match given {
            None => e.required(&at.child(name), ""),
            Some(given) => selector::check(e, &at.child(name), given),
        }
    }
    for (name, rules) in [
        ("resourceRules", &of.resource_rules),
        ("excludeResourceRules", &of.exclude_resource_rules),
    ] {
        for (i, rule) in rules.iter().enumerate() {
            let list = at.child(name);
            let parts = [&rule.operations, &rule.api_groups, &rule.api_versions, &rule.resources];
            let parts = parts.map(|list| &list[..]);
            self::rule(e, parts, rule.scope.as_ref(), true, &list.index(i));
        }
    }
}

fn common(
    e: &mut Errors,
    failure: Option<&Str>,
    kind: Option<&ParamKind>,
    constraints: Option<&MatchResources>,
    variables: &[Variable],
) {
    let at = Path::root("spec");
    match failure {
        None => e.required(&at.child("failurePolicy"), ""),
        policy => e.one_of_if(&at.child("failurePolicy"), policy, &["Fail", "Ignore"]),
    }
    if let Some(kind) = kind {
        let at = at.child("paramKind");
        if kind.api_version.is_empty() {
            e.required(&at.child("apiVersion"), "");
        }
        if kind.kind.is_empty() {
            e.required(&at.child("kind"), "");
        }
    }
    match constraints {
        None => e.required(&at.child("matchConstraints"), ""),
        Some(given) => {
            let at = at.child("matchConstraints");
            match_resources(e, given, &at);
            if given.resource_rules.is_empty() {
                e.required(&at.child("resourceRules"), "");
            }
        }
    }
    let list = at.child("variables");
    for (i, variable) in variables.iter().enumerate() {
        let at = list.index(i);
        if variable.name.is_empty() || variable.name.trim().is_empty() {
            e.required(&at.child("name"), "name is not specified");
        } else if !names::c_identifier(&variable.name).is_empty() {
            e.invalid(&at.child("name"), &variable.name, "name is not a valid CEL identifier");
        }
        if variable.expression.trim().is_empty() {
            e.required(&at.child("expression"), "expression is not specified");
        } else {
            expression(e, &variable.expression, &at.child("expression"));
        }
    }
}

fn validating_policy(e: &mut Errors, spec: &ValidatingAdmissionPolicySpec) {
    let kind = spec.param_kind.as_deref();
    let constraints = spec.match_constraints.as_deref();
    common(e, spec.failure_policy.as_ref(), kind, constraints, &spec.variables);
    let at = Path::root("spec");
    conditions(e, &spec.match_conditions, &at.child("matchConditions"));
    if spec.validations.is_empty() && spec.audit_annotations.is_empty() {
        let why = "validations or auditAnnotations must be non-empty";
        e.required(&at.child("validations"), why);
        e.required(&at.child("auditAnnotations"), why);
    }
    let list = at.child("validations");
    for (i, validation) in spec.validations.iter().enumerate() {
        let at = list.index(i);
        let message = validation.message.trim();
        if validation.expression.trim().is_empty() {
            e.required(&at.child("expression"), "expression is not specified");
        } else {
            expression(e, &validation.expression, &at.child("expression"));
        }
        if !validation.message_expression.trim().is_empty() {
            expression(e, &validation.message_expression, &at.child("messageExpression"));
        }
        if !validation.message.is_empty() && message.is_empty() {
            let why = "message must be non-empty if specified";
            e.invalid(&at.child("message"), &validation.message, why);
        } else if message.contains('\n') {
            let why = "message must not contain line breaks";
            e.invalid(&at.child("message"), &validation.message, why);
        } else if message.is_empty() && validation.expression.contains('\n') {
            let why = "message must be specified if expression contains line breaks";
            e.required(&at.child("message"), why);
        }
        let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
        e.one_of_if(&at.child("reason"), validation.reason.as_ref(), &reasons);
    }
    let list = at.child("auditAnnotations");
    for (i, note) in spec.audit_annotations.iter().enumerate() {
        let at = list.index(i);
        if note.key.is_empty() {
            e.required(&at.child("key"), "");
        } else {
            e.qualified(&at.child("key"), &note.key);
        }
        if note.value_expression.trim().is_empty() {
            e.required(&at.child("valueExpression"), "valueExpression is not specified");
        } else {
            expression(e, &note.value_expression, &at.child("valueExpression"));
        }
    }
}

fn mutating_policy(e: &mut Errors, spec: &MutatingAdmissionPolicySpec) {
    let kind = spec.param_kind.as_deref();
    let constraints = spec.match_constraints.as_deref();
    common(e, spec.failure_policy.as_ref(), kind, constraints, &spec.variables);
    let at = Path::root("spec");
    conditions(e, &spec.match_conditions, &at.child("matchConditions"));
    let list = at.child("mutations");
    if spec.mutations.is_empty() {
        e.required(&list, "mutations must contain at least one item");
    }
    for (i, mutation) in spec.mutations.iter().enumerate() {
        let at = list.index(i);
        let types = ["ApplyConfiguration", "JSONPatch"];
        e.one_of(&at.child("patchType"), &mutation.patch_type, &types);
        match mutation.patch_type.as_str() {
            "ApplyConfiguration" if mutation.apply_configuration.is_none() => {
                let why = "must be specified when patchType is ApplyConfiguration";
                e.required(&at.child("applyConfiguration"), why);
            }
            "JSONPatch" if mutation.json_patch.is_none() => {
                let why = "must be specified when patchType is JSONPatch";
                e.required(&at.child("jsonPatch"), why);
            }
            _ => {}
        }
    }
    let policies = ["IfNeeded", "Never"];
    e.one_of(&at.child("reinvocationPolicy"), &spec.reinvocation_policy, &policies);
}

fn binding(e: &mut Errors, policy: &str, parameter: Option<&ParamRef>) {
    let at = Path::root("spec");
    if policy.is_empty() {
        e.required(&at.child("policyName"), "");
    } else {
        e.subdomain(&at.child("policyName"), policy);
    }
    let Some(parameter) = parameter else { return };
    let at = at.child("paramRef");
    match (parameter.name.is_empty(), &parameter.selector) {
        (true, None) => e.required(&at, "one of name or selector must be specified"),
        (false, Some(_)) => {
            let why = "name and selector are mutually exclusive";
            e.forbidden(&at.child("name"), why);
        }
        (_, selector) => selector::check_if(e, &at.child("selector"), selector.as_deref()),
    }
    match &parameter.parameter_not_found_action {
        None => e.required(&at.child("parameterNotFoundAction"), ""),
        action => {
            let actions = ["Allow", "Deny"];
            e.one_of_if(&at.child("parameterNotFoundAction"), action.as_ref(), &actions);
        }
    }
}

fn actions(e: &mut Errors, actions: &[Str]) {
    let at = Path::root("spec.validationActions");
    if actions.is_empty() {
        e.required(&at, "at least one validation action is required");
    }
    let mut seen = HashSet::default();
    for (i, action) in actions.iter().enumerate() {
        e.one_of_if(&at.index(i), Some(action), &["Audit", "Deny", "Warn"]);
        if !seen.insert(action) {
            e.duplicate(&at.index(i), action);
        }
    }
    let has = |name: &str| actions.iter().any(|action| action == name);
    if has("Deny") && has("Warn") {
        let why = "must not contain both Deny and Warn (repeating the same validation failure \
                   information in the API response and headers serves no purpose)";
        e.invalid(&at, &json_list(actions), why);
    }
}

/// An expression that cannot be read.
fn expression(e: &mut Errors, expression: &Str, at: &Path) {
    if let Err(why) = super::cel::check(expression) {
        e.invalid(at, expression, &format!("compilation failed: {why}"));
    }
}
