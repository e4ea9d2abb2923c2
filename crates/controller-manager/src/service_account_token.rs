//! The tokens controller: fills Secrets that ask for a service account's token, and removes those whose account is gone.
//!
//! Known deviations:
//! - A token says whose it is; nobody checks its seal.

use std::sync::Arc;

use api::codec::Bytes;
use api::core::v1::{Secret, ServiceAccount};
use api::object::{Key, Kind, KindInfo};
use base::Str;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// The tokens controller. Its keys are Secrets.
#[derive(Clone)]
pub struct ServiceAccountTokens {
    /// The cluster's certificate, in PEM.
    pub certificate: Str,
}

impl Reconcile for ServiceAccountTokens {
    fn name(&self) -> &'static str {
        "serviceaccount-token-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Secret::INFO, ServiceAccount::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if let Some(secret) = delta.after::<Secret>() {
            if secret.type_ == TYPE {
                queue.add(delta.key());
            }
        } else if delta.is::<ServiceAccount>() && (delta.added() || delta.deleted()) {
            let name = &delta.meta().name;
            for secret in cx.all::<Secret>().in_namespace(&delta.meta().namespace) {
                if secret.type_ == TYPE && secret.metadata.annotations.get(ACCOUNT) == Some(name) {
                    queue.of(&secret.metadata);
                }
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(secret) = cx.all::<Secret>().get(key) else { return plan };
        let annotations = &secret.metadata.annotations;
        let Some(name) = annotations.get(ACCOUNT).filter(|_| secret.type_ == TYPE) else {
            return plan;
        };
        let uid = annotations.text(ACCOUNT_UID).unwrap_or("");
        let account = cx.service_accounts().named(&key.namespace, name);
        let account = account.filter(|known| uid.is_empty() || known.metadata.uid == uid);
        match account {
            Some(account) => self.fill(secret, account, &mut plan),
            None => {
                let account = Key::new(key.namespace.clone(), name.clone());
                plan.only_if_gone(ServiceAccount::INFO, &account, uid.into());
                plan.delete(secret, Default::default());
            }
        }
        plan
    }
}

impl ServiceAccountTokens {
    fn fill(&self, secret: &Secret, account: &ServiceAccount, plan: &mut Plan) {
        let mut new = secret.clone();
        let annotations = &mut Arc::make_mut(&mut new.metadata).annotations;
        annotations.insert(ACCOUNT_UID, account.metadata.uid.clone());
        let bytes = |text: &str| Bytes(text.bytes().collect());
        new.data.insert("ca.crt", bytes(&self.certificate));
        new.data.insert("namespace", bytes(&secret.metadata.namespace));
        if new.data.get("token").is_none_or(|token| token.0.is_empty()) {
            new.data.insert("token", bytes(&token(secret, account)));
        }
        if new != *secret {
            plan.update(new);
        }
    }
}

/// A token without an end, as such Secrets hold.
fn token(secret: &Secret, account: &ServiceAccount) -> String {
    let (namespace, name) = (&account.metadata.namespace, &account.metadata.name);
    let claims = format!(
        r#"{{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"{namespace}","kubernetes.io/serviceaccount/secret.name":"{}","kubernetes.io/serviceaccount/service-account.name":"{name}","kubernetes.io/serviceaccount/service-account.uid":"{}","sub":"system:serviceaccount:{namespace}:{name}"}}"#,
        secret.metadata.name, account.metadata.uid
    );
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"orrery"}"#);
    let seal = URL_SAFE_NO_PAD.encode(secret.metadata.uid.as_bytes());
    format!("{head}.{}.{seal}", URL_SAFE_NO_PAD.encode(claims))
}

#[cfg(test)]
mod tests {
    use client::Runner;
    use client::testing::{Bench, object};

    use super::*;

    /// A Secret for the account `bot` (unless `lost`); its data as `key=length`, or `gone`.
    fn check(annotations: &str, lost: bool, expect: &str) -> Bench<Runner> {
        let secret: Secret = object(&format!(
            r#"{{"metadata": {{"name": "s", "namespace": "d", "annotations": {{{annotations}}}}}, "type": "{TYPE}"}}"#
        ));
        let account: ServiceAccount =
            object(r#"{"metadata": {"name": "bot", "namespace": "d", "uid": "b"}}"#);
        let account = (!lost).then(|| account.into());
        let tokens = ServiceAccountTokens { certificate: "PEM".into() };
        let runner = Runner::new("kcm", vec![Box::new(tokens)]);
        let bench = Bench::new(runner, [secret.into()].into_iter().chain(account));
        assert_eq!(describe(&bench), expect);
        bench
    }

    fn describe(bench: &Bench<Runner>) -> String {
        let Some(secret) = bench.api.get::<Secret>("d", "s") else { return "gone".into() };
        let keys: Vec<&str> = secret.data.iter().map(|(key, _)| &**key).collect();
        let uid = secret.metadata.annotations.text(ACCOUNT_UID).unwrap_or("-");
        format!("{} {uid}", keys.join(","))
    }

    const BOT: &str = r#""kubernetes.io/service-account.name": "bot""#;

    #[test]
    fn a_secret_that_asks_for_a_token_gets_it() {
        let mut bench = check(BOT, false, "ca.crt,namespace,token b");
        bench.take_log();
        let token = bench.api.get::<Secret>("d", "s").expect("it is there");
        let token = String::from_utf8(token.data.get("token").expect("a token").0.to_vec());
        assert_eq!(token.expect("text").split('.').count(), 3);
    }

    #[test]
    fn a_secret_goes_with_its_account() {
        check(BOT, true, "gone");
        let mut bench = check(BOT, false, "ca.crt,namespace,token b");
        bench.remove::<ServiceAccount>("d", "bot");
        assert_eq!(describe(&bench), "gone");
    }

    #[test]
    fn a_secret_of_an_earlier_account_of_the_name_goes() {
        let other = format!(r#"{BOT}, "kubernetes.io/service-account.uid": "old""#);
        check(&other, false, "gone");
    }

    #[test]
    fn a_secret_that_names_no_account_is_left_alone() {
        check("", false, " -");
    }
}
