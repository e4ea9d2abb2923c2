//! The service account controller: every namespace has the account `default`.

use std::sync::Arc;

use api::core::v1::{Namespace, ServiceAccount};
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, KindInfo};
use base::lit;
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

/// The service account controller.
#[derive(Clone, Default)]
pub struct ServiceAccounts;

impl Reconcile for ServiceAccounts {
    fn name(&self) -> &'static str {
        "service-account-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Namespace::INFO, ServiceAccount::INFO]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<Namespace>() {
            queue.add(delta.key());
        } else if delta.deleted() {
            queue.named("", delta.meta().namespace.clone());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(namespace) = cx.namespaces().get(key) else { return plan };
        let active =
            namespace.status.phase == "Active" && namespace.metadata.deletion_timestamp.is_none();
        if active && cx.service_accounts().named(&key.name, "default").is_none() {
            let meta = ObjectMeta {
                name: lit!("default"),
                namespace: key.name.clone(),
                ..ObjectMeta::default()
            };
            let account = ServiceAccount { metadata: Arc::new(meta), ..ServiceAccount::default() };
            plan.create(account).or_exists();
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::object::Object;
    use client::testing::{caches, object, print};

    fn check(phase: &str, accounts: &[&str], expect: &str) {
        let namespace: Namespace = object(&format!(
            r#"{{"metadata": {{"name": "a"}}, "spec": {{}}, "status": {{"phase": "{phase}"}}}}"#
        ));
        let accounts = accounts.iter().map(|name| {
            let json = format!(r#"{{"metadata": {{"name": "{name}", "namespace": "a"}}}}"#);
            Object::new(object::<ServiceAccount>(&json))
        });
        let caches = caches(accounts.chain([Object::new(namespace)]));
        let cx = Cx { now: base::Instant::START, caches: &caches, trigger: Default::default() };
        assert_eq!(print(&ServiceAccounts.reconcile(&cx, &Key::new("", "a"))), expect);
    }

    #[test]
    fn an_active_namespace_gets_its_default_account() {
        check("Active", &["other"], "+ServiceAccount default");
        check("Active", &["default"], "");
    }

    #[test]
    fn a_terminating_namespace_gets_none() {
        check("Terminating", &[], "");
    }
}
