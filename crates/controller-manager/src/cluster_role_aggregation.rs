//! The ClusterRole aggregation controller: fills roles that are made up of others.

use api::object::{Key, Kind, KindInfo};
use api::rbac::v1::{ClusterRole, PolicyRule};
use api::selector::Selector;
use base::List;
use client::owner::selects;
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

/// The ClusterRole aggregation controller.
#[derive(Clone, Default)]
pub struct ClusterRoleAggregation;

impl Reconcile for ClusterRoleAggregation {
    fn name(&self) -> &'static str {
        "clusterrole-aggregation-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![ClusterRole::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, _: &Delta, queue: &mut Enqueue) {
        for role in cx.all::<ClusterRole>().all().filter(|role| role.aggregation_rule.is_some()) {
            queue.of(&role.metadata);
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(role) = cx.all::<ClusterRole>().get(key) else { return plan };
        let Some(aggregation) = &role.aggregation_rule else { return plan };
        let mut rules: List<PolicyRule> = List::new();
        for selector in &aggregation.cluster_role_selectors {
            let Ok(selector) = Selector::of(selector) else { continue };
            for part in cx.all::<ClusterRole>().all() {
                if part.metadata.name == key.name || !selects(&selector, &part.metadata) {
                    continue;
                }
                for rule in &part.rules {
                    if !rules.contains(rule) {
                        rules.push(rule.clone());
                    }
                }
            }
        }
        if role.rules != rules {
            plan.update(ClusterRole { rules, ..role.clone() });
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Runner;
    use client::testing::{Bench, object};

    fn part(name: &str, label: &str, verb: &str) -> ClusterRole {
        object(&format!(
            r#"{{"metadata": {{"name": "{name}", "labels": {{"to": "{label}"}}}}, "rules": [{{"verbs": ["{verb}"]}}]}}"#
        ))
    }

    #[test]
    fn the_rules_of_all_parts_are_put_together() {
        let whole: ClusterRole = object(
            r#"{"metadata": {"name": "view"}, "rules": null, "aggregationRule": {"clusterRoleSelectors":
            [{"matchLabels": {"to": "view"}}]}}"#,
        );
        let runner = Runner::new("kcm", vec![Box::new(ClusterRoleAggregation)]);
        let mut bench = Bench::new(runner, [whole.into(), part("a", "view", "get").into()]);
        bench.put(part("b", "view", "list"));
        bench.put(part("c", "edit", "update"));
        bench.put(part("d", "view", "get"));
        bench.run(base::Duration::secs(1));
        let stored = bench.api.get::<ClusterRole>("", "view").expect("it exists");
        let verbs: Vec<&str> = stored.rules.iter().map(|rule| &*rule.verbs[0]).collect();
        assert_eq!(verbs, ["get", "list"]);
    }
}
