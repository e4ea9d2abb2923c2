//! Generators of quotas, budgets, priorities, roles and tokens.

use api::Json;

use super::{Outcome, pair, plain};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::Args;
use crate::look::{Look, object, put, texts};
use crate::resource;

/// `create quota NAME --hard=K=V,…`
pub(super) fn quota(args: &Args, name: &str) -> Result<Json> {
    let mut made = plain("v1", "ResourceQuota", name);
    let mut hard = Json::object();
    for text in args.text("hard").unwrap_or("").split(',').filter(|text| !text.is_empty()) {
        let (key, value) = pair(text, "hard")?;
        hard.set(key, value);
    }
    put(&mut made, "spec.hard", hard);
    if let Some(scopes) = args.text("scopes") {
        put(&mut made, "spec.scopes", texts(scopes.split(',')));
    }
    Ok(made)
}

/// `create poddisruptionbudget NAME --selector=… --min-available=…`
pub(super) fn disruption_budget(args: &Args, name: &str) -> Result<Json> {
    let (min, max) = (args.text("min-available"), args.text("max-unavailable"));
    let (field, value) = match (min, max) {
        (Some(min), None) => ("minAvailable", min),
        (None, Some(max)) => ("maxUnavailable", max),
        (None, None) => return fail("one of min-available or max-unavailable must be specified"),
        _ => return fail("min-available and max-unavailable cannot be both specified"),
    };
    let Some(selector) = args.text("selector").filter(|text| !text.is_empty()) else {
        return fail("a selector must be specified");
    };
    let mut labels = Json::object();
    for text in selector.split(',') {
        let (key, value) = pair(text, "selector")?;
        labels.set(key, value);
    }
    let mut made = plain("policy/v1", "PodDisruptionBudget", name);
    let value = value.parse::<i64>().map_or_else(|_| Json::from(value), Json::from);
    put(&mut made, &format!("spec.{field}"), value);
    put(&mut made, "spec.selector.matchLabels", labels);
    Ok(made)
}

/// `create priorityclass NAME --value=N`
pub(super) fn priority_class(args: &Args, name: &str) -> Result<Json> {
    let mut made = plain("scheduling.k8s.io/v1", "PriorityClass", name);
    made.set("value", args.int("value")?.unwrap_or(0));
    if args.is("global-default") {
        made.set("globalDefault", true);
    }
    if let Some(text) = args.text("description") {
        made.set("description", text);
    }
    made.set("preemptionPolicy", args.text("preemption-policy").unwrap_or("PreemptLowerPriority"));
    Ok(made)
}

fn listed<'a>(args: &'a Args, flag: &str) -> Vec<&'a str> {
    args.all(flag).iter().flat_map(|list| list.split(',')).collect()
}

/// `create role NAME --verb=… --resource=…`
pub(super) fn role(cx: &mut Cx<'_>, args: &Args, name: &str, kind: &str) -> Result<Json> {
    let verbs = listed(args, "verb");
    if verbs.is_empty() {
        return fail("at least one verb must be specified");
    }
    let urls = listed(args, "non-resource-url");
    let resources = listed(args, "resource");
    if resources.is_empty() && urls.is_empty() {
        return fail("at least one resource must be specified");
    }
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for word in resources {
        let (word, sub) = word.split_once('/').unwrap_or((word, ""));
        let found = resource::kind_of(cx, word)?;
        let full = match sub {
            "" => found.plural.to_string(),
            sub => format!("{}/{sub}", found.plural),
        };
        match groups.iter_mut().find(|(group, _)| *group == found.0.group) {
            Some((_, all)) => all.push(full),
            None => groups.push((found.0.group, vec![full])),
        }
    }
    let names = listed(args, "resource-name");
    let mut rules: Vec<Json> = groups
        .into_iter()
        .map(|(group, all)| {
            let mut rule = object([
                ("apiGroups", texts([group])),
                ("resources", texts(all.iter().map(String::as_str))),
            ]);
            if !names.is_empty() {
                rule.set("resourceNames", texts(names.iter().copied()));
            }
            rule.set("verbs", texts(verbs.iter().copied()));
            rule
        })
        .collect();
    if !urls.is_empty() {
        rules.push(object([
            ("nonResourceURLs", texts(urls)),
            ("verbs", texts(verbs.iter().copied())),
        ]));
    }
    let mut made = plain("rbac.authorization.k8s.io/v1", kind, name);
    made.set("rules", Json::Array(rules));
    Ok(made)
}

/// `create rolebinding NAME --clusterrole=… --user=… --serviceaccount=NS:NAME`
pub(super) fn binding(args: &Args, name: &str, kind: &str) -> Result<Json> {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let (role_kind, role) = match (args.text("clusterrole"), args.text("role")) {
        (Some(role), None) => ("ClusterRole", role),
        (None, Some(role)) if kind == "RoleBinding" => ("Role", role),
        _ => return fail("exactly one of clusterrole or role must be specified"),
    };
    let mut subjects = Vec::new();
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        for who in args.all(flag) {
            subjects.push(object([
                ("apiGroup", GROUP.into()),
                ("kind", kind.into()),
                ("name", who.into()),
            ]));
        }
    }
    for who in args.all("serviceaccount") {
        let Some((space, account)) = who.split_once(':') else {
            return fail("serviceaccount must be <namespace>:<name>");
        };
        subjects.push(object([
            ("kind", "ServiceAccount".into()),
            ("name", account.into()),
            ("namespace", space.into()),
        ]));
    }
    let mut made = plain("rbac.authorization.k8s.io/v1", kind, name);
    let role =
        object([("apiGroup", GROUP.into()), ("kind", role_kind.into()), ("name", role.into())]);
    made.set("roleRef", role);
    if !subjects.is_empty() {
        made.set("subjects", Json::Array(subjects));
    }
    Ok(made)
}

/// `create token SERVICEACCOUNT`
pub(super) fn token(cx: &mut Cx<'_>, args: &Args, name: &str) -> Result<Outcome> {
    let namespace = cx.namespace.clone();
    let path = resource::path(&resource::known("sa"), &namespace, name) + "/token";
    let mut request = object([
        ("apiVersion", "authentication.k8s.io/v1".into()),
        ("kind", "TokenRequest".into()),
        ("spec", Json::object()),
    ]);
    if let Some(span) = args.duration("duration")? {
        put(&mut request, "spec.expirationSeconds", span.as_secs());
    }
    let audiences = args.all("audience");
    if !audiences.is_empty() {
        put(&mut request, "spec.audiences", texts(audiences));
    }
    let answer = cx.post(&path, &request)?;
    cx.say(&format!("{}\n", answer.text("status.token")));
    Ok(Outcome::Done)
}
