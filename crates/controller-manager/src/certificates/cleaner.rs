//! The CSR cleaner: removes requests that are settled, or that nobody settled.

use api::certificates::v1::CertificateSigningRequest;
use api::object::{Key, Kind, KindInfo};
use api::time::Time;
use base::{Duration, Instant};
use client::{Cx, Delta, Enqueue, Plan, Reconcile, Write};

use super::{is, signer};

/// Between two rounds.
const PERIOD: Duration = Duration::mins(60);
/// What is approved, denied or failed is kept so long …
const SETTLED: Duration = Duration::mins(60);
/// … and what nobody decided, so long.
const PENDING: Duration = Duration::mins(24 * 60);

/// The CSR cleaner. Its one key stands for a round.
#[derive(Clone, Default)]
pub struct CsrCleaner;

impl Reconcile for CsrCleaner {
    fn name(&self) -> &'static str {
        "certificatesigningrequest-cleaner-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![CertificateSigningRequest::INFO]
    }

    fn on_start(&mut self, _: &Cx<'_>, queue: &mut Enqueue) {
        queue.named("", "round");
    }

    fn resync(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn on_delta(&mut self, _: &Cx<'_>, _: &Delta, _: &mut Enqueue) {}

    fn reconcile(&mut self, cx: &Cx<'_>, _: &Key) -> Plan {
        let mut plan = Plan::settled();
        let all = cx.all::<CertificateSigningRequest>().all();
        let old = all.filter(|request| is_old(cx.now, request));
        let delete = |request: &CertificateSigningRequest| {
            let mut write = Write::delete(request, Default::default());
            write.or_failed();
            write
        };
        plan.batch(old.map(delete).collect());
        plan
    }
}

fn is_old(now: Instant, request: &CertificateSigningRequest) -> bool {
    let certificate = &request.status.certificate.0;
    let decided = ["Approved", "Denied", "Failed"].iter().any(|type_| is(request, type_));
    if !decided {
        let born = request.metadata.creation_timestamp.map(Time::instant);
        return born.is_some_and(|born| now - born > PENDING);
    }
    let expired = signer::not_after(certificate).is_some_and(|end| now > end);
    // An approved request waits for its certificate for ever.
    let counts = |type_: &str| type_ != "Approved" || !certificate.is_empty();
    let mut conditions = request.status.conditions.iter().filter(|known| counts(&known.type_));
    expired
        || conditions
            .any(|known| known.last_update_time.is_some_and(|at| now - at.instant() > SETTLED))
}
