//! `flowcontrol.apiserver.k8s.io`: flow schemas and priority levels.
//!
//! Models `pkg/apis/flowcontrol/validation` of Kubernetes.
//!
//! Known deviations:
//! - The mandatory objects may be changed.

use api::Object;
use api::flowcontrol::v1::*;

use super::check::Errors;
use super::path::Path;

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(schema) = object.get::<FlowSchema>() {
        self::schema(e, &schema.spec, &Path::root("spec"));
    } else if let Some(level) = object.get::<PriorityLevelConfiguration>() {
        self::level(e, &level.spec, &Path::root("spec"));
    }
}

fn schema(e: &mut Errors, spec: &FlowSchemaSpec, at: &Path) {
    let order = at.child("matchingPrecedence");
    if spec.matching_precedence <= 0 {
        e.invalid(&order, &spec.matching_precedence, "must be a positive value");
    }
    if spec.matching_precedence > 10_000 {
        e.invalid(&order, &spec.matching_precedence, "must not be greater than 10000");
    }
    if let Some(method) = &spec.distinguisher_method {
        let at = at.child("distinguisherMethod");
        let methods = ["ByNamespace", "ByUser"];
        e.one_of_if(&at, Some(&method.type_), &methods);
    }
    let name = at.child("priorityLevelConfiguration.name");
    if spec.priority_level_configuration.name.is_empty() {
        e.required(&name, "must reference a priority level");
    } else {
        e.subdomain(&name, &spec.priority_level_configuration.name);
    }
    let list = at.child("rules");
    for (i, rule) in spec.rules.iter().enumerate() {
        self::rule(e, rule, &list.index(i));
    }
}

fn rule(e: &mut Errors, rule: &PolicyRulesWithSubjects, at: &Path) {
    if rule.subjects.is_empty() {
        e.required(&at.child("subjects"), "subjects must contain at least one value");
    }
    for (i, subject) in rule.subjects.iter().enumerate() {
        let at = at.child("subjects");
        let at = at.index(i);
        e.one_of_if(&at.child("kind"), Some(&subject.kind), &["Group", "ServiceAccount", "User"]);
    }
    if rule.resource_rules.is_empty() && rule.non_resource_rules.is_empty() {
        let why = "at least one of resourceRules and nonResourceRules has to be non-empty";
        e.required(at, why);
    }
    for (i, rule) in rule.resource_rules.iter().enumerate() {
        let at = at.child("resourceRules");
        let at = at.index(i);
        if rule.verbs.is_empty() {
            e.required(&at.child("verbs"), "verbs must contain at least one value");
        }
        if rule.api_groups.is_empty() {
            let why = "resource rules must supply at least one api group";
            e.required(&at.child("apiGroups"), why);
        }
        if rule.resources.is_empty() {
            let why = "resource rules must supply at least one resource";
            e.required(&at.child("resources"), why);
        }
        if rule.namespaces.is_empty() && rule.cluster_scope != Some(true) {
            let why =
                "resource rules that are not cluster scoped must supply at least one namespace";
            e.required(&at.child("namespaces"), why);
        }
    }
    for (i, rule) in rule.non_resource_rules.iter().enumerate() {
        let at = at.child("nonResourceRules");
        let at = at.index(i);
        if rule.verbs.is_empty() {
            e.required(&at.child("verbs"), "verbs must contain at least one value");
        }
        if rule.non_resource_urls.is_empty() {
            let why = "nonResourceURLs must contain at least one value";
            e.required(&at.child("nonResourceURLs"), why);
        }
    }
}

fn level(e: &mut Errors, spec: &PriorityLevelConfigurationSpec, at: &Path) {
    match spec.type_.as_str() {
        "Exempt" => {
            if spec.limited.is_some() {
                let why = "must be nil if the type is not Limited";
                e.forbidden(&at.child("limited"), why);
            }
        }
        "Limited" => {
            if spec.exempt.is_some() {
                e.forbidden(&at.child("exempt"), "must be nil if the type is Limited");
            }
            match &spec.limited {
                None => e.required(&at.child("limited"), "must not be empty when type is Limited"),
                Some(limited) => self::limited(e, limited, &at.child("limited")),
            }
        }
        other => e.unsupported(&at.child("type"), other, &["Exempt", "Limited"]),
    }
}

fn limited(e: &mut Errors, limited: &LimitedPriorityLevelConfiguration, at: &Path) {
    if let Some(shares) = limited.nominal_concurrency_shares.filter(|shares| *shares < 0) {
        let why = "must be a non-negative integer";
        e.invalid(&at.child("nominalConcurrencyShares"), &shares, why);
    }
    if let Some(percent) = limited.lendable_percent.filter(|p| !(0..=100).contains(p)) {
        let why = "must be between 0 and 100, inclusive";
        e.invalid(&at.child("lendablePercent"), &percent, why);
    }
    let at = at.child("limitResponse");
    let Some(response) = &limited.limit_response else {
        e.unsupported(&at.child("type"), "", &["Queue", "Reject"]);
        return;
    };
    match (response.type_.as_str(), &response.queuing) {
        ("Reject", Some(_)) => {
            let why = "must be nil if limited.limitResponse.type is not Limited";
            e.forbidden(&at.child("queuing"), why);
        }
        ("Queue", None) => {
            let why = "must not be empty if limited.limitResponse.type is Limited";
            e.required(&at.child("queuing"), why);
        }
        ("Queue", Some(queuing)) => {
            let at = at.child("queuing");
            for (name, value) in [
                ("queueLengthLimit", queuing.queue_length_limit),
                ("queues", queuing.queues),
                ("handSize", queuing.hand_size),
            ] {
                if value <= 0 {
                    e.invalid(&at.child(name), &value, "must be positive");
                }
            }
            if queuing.hand_size > queuing.queues {
                let why = format!(
                    "should not be greater than queues ({}) to ensure at least one queue for each flow",
                    queuing.queues
                );
                e.invalid(&at.child("handSize"), &queuing.hand_size, &why);
            }
        }
        ("Reject", None) => {}
        (other, _) => e.unsupported(&at.child("type"), other, &["Queue", "Reject"]),
    }
}
