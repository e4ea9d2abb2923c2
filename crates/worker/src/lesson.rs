//! The cluster as the checks of a lesson see it.

use api::json::Json;
use api::wire::Interest;
use base::{Instant, Str};
use cluster::Cluster;
use network::{Outcome, Trace};
use scenario::{Answer, Change, Query, World};

use crate::feed::kind_named;
use crate::run::History;

/// A cluster and its history, lent to checks.
pub struct Looking<'a> {
    /// The model.
    pub cluster: &'a Cluster,
    /// What happened.
    pub history: &'a History,
}

impl World for Looking<'_> {
    fn now(&self) -> Instant {
        self.cluster.now()
    }

    fn objects(&self, query: &Query) -> Vec<Json> {
        let fits = |info: &api::KindInfo| {
            info.kind == query.kind
                && (query.api_version.is_empty()
                    || info.api_version() == query.api_version.as_str())
        };
        let info = api::KINDS.iter().copied().find(|info| fits(info));
        let Some(info) = info.or_else(|| kind_named(&query.kind)) else { return Vec::new() };
        let namespace = if info.namespaced { query.namespace.clone() } else { Str::new() };
        if !query.name.is_empty() {
            let found = self.cluster.server().get(info, &namespace, &query.name);
            return found.iter().map(|object| object.to_json()).collect();
        }
        let interest = Interest { namespace, ..Interest::all(info) };
        let list = self.cluster.server().list(&interest).map(|list| list.items).unwrap_or_default();
        list.iter().map(|object| object.to_json()).collect()
    }

    fn history(&self, kind: &str, after: Instant) -> Vec<Change> {
        self.history.of(kind, after)
    }

    fn requests(&self, from: &str, url: &str, times: u32) -> Vec<Answer> {
        let mut copy = self.cluster.clone();
        let sender = if from.is_empty() { somebody(&copy) } else { Some(Str::from(from)) };
        let Some(sender) = sender else { return Vec::new() };
        (0..times)
            .map(|_| copy.curl(&sender, url).map_or_else(problem, |trace| answer(&trace)))
            .collect()
    }
}

/// A running pod of the default namespace: somebody inside the cluster.
fn somebody(cluster: &Cluster) -> Option<Str> {
    let info = kind_named("Pod")?;
    let interest = Interest { namespace: "default".into(), ..Interest::all(info) };
    let pods = cluster.server().list(&interest).ok()?.items;
    pods.iter()
        .filter_map(|object| object.get::<api::core::v1::Pod>())
        .find(|pod| pod.status.phase == "Running" && !pod.status.pod_ip.is_empty())
        .map(|pod| Str::from(format!("{}/{}", pod.metadata.namespace, pod.metadata.name)))
}

fn problem(why: String) -> Answer {
    Answer { status: None, pod: None, problem: why.into() }
}

fn answer(trace: &Trace) -> Answer {
    let pod = trace.place.as_ref().and_then(|place| place.pod.as_ref()).map(|(_, pod)| pod.clone());
    match &trace.outcome {
        Outcome::Answered(_) => {
            Answer { status: trace.http().map(|http| http.status), pod, problem: Str::new() }
        }
        other => Answer { status: None, pod: None, problem: other.to_string().into() },
    }
}
