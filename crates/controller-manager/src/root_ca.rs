//! The root CA publisher: every namespace has the cluster's certificate in `kube-root-ca.crt`.

use std::sync::Arc;

use api::core::v1::{ConfigMap, Namespace};
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, KindInfo};
use base::{Str, lit};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

const NAME: &str = "kube-root-ca.crt";
const ABOUT: &str = "kubernetes.io/description";
const DESCRIPTION: Str = lit!(
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints \
such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions \
of Kubernetes clusters."
);

/// The root CA publisher.
#[derive(Clone)]
pub struct RootCa {
    /// The certificate in PEM.
    pub certificate: Str,
}

impl Reconcile for RootCa {
    fn name(&self) -> &'static str {
        "root-ca-certificate-publisher-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Namespace::INFO, ConfigMap::INFO]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<Namespace>() {
            queue.add(delta.key());
        } else if delta.meta().name == NAME && !delta.added() {
            queue.named("", delta.meta().namespace.clone());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(namespace) = cx.namespaces().get(key) else { return plan };
        if namespace.status.phase != "Active" || namespace.metadata.deletion_timestamp.is_some() {
            return plan;
        }
        let Some(map) = cx.config_maps().named(&key.name, NAME) else {
            let meta = ObjectMeta {
                name: NAME.into(),
                namespace: key.name.clone(),
                ..ObjectMeta::default()
            };
            let map = ConfigMap { metadata: Arc::new(meta), ..ConfigMap::default() };
            plan.create(self.filled(map)).or_exists();
            return plan;
        };
        let told = map.metadata.annotations.get(ABOUT) == Some(&DESCRIPTION);
        if !told || map.data.len() != 1 || map.data.get("ca.crt") != Some(&self.certificate) {
            plan.update(self.filled(map.clone()));
        }
        plan
    }
}

impl RootCa {
    fn filled(&self, mut map: ConfigMap) -> ConfigMap {
        Arc::make_mut(&mut map.metadata).annotations.insert(ABOUT, DESCRIPTION);
        map.data = [("ca.crt", self.certificate.clone())].into_iter().collect();
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::object::Object;
    use client::Runner;
    use client::testing::{Bench, object};

    #[test]
    fn the_certificate_is_published_and_kept() {
        let namespace: Namespace =
            object(r#"{"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Active"}}"#);
        let runner = Runner::new("kcm", vec![Box::new(RootCa { certificate: lit!("PEM") })]);
        let mut bench = Bench::new(runner, [Object::new(namespace)]);
        assert_eq!(bench.take_log(), "+ConfigMap kube-root-ca.crt");
        bench.edit::<ConfigMap>("a", NAME, |map| {
            map.data = [("x", lit!("y"))].into_iter().collect()
        });
        assert_eq!(bench.take_log(), "~ConfigMap kube-root-ca.crt");
        bench.remove::<ConfigMap>("a", NAME);
        assert_eq!(bench.take_log(), "+ConfigMap kube-root-ca.crt");
    }
}
