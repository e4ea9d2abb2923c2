//! A pod's resolver settings, from its DNS policy.

use api::core::v1::PodSpec;
use base::Str;
use network::{IpAddr, ResolvConf};

/// Longest search list that the resolver takes.
const SEARCH_MAX: usize = 32;
/// Most name servers that the resolver takes.
const SERVERS_MAX: usize = 3;

/// The resolver settings of a pod.
///
/// `cluster` is the cluster's DNS server and domain, `node` the settings of the pod's node.
pub fn resolv_conf(
    spec: &PodSpec,
    namespace: &str,
    cluster: Option<(IpAddr, &str)>,
    node: &ResolvConf,
) -> ResolvConf {
    let policy = match spec.dns_policy.as_str() {
        "" | "ClusterFirst" if spec.host_network => "Default",
        "" => "ClusterFirst",
        policy => policy,
    };
    let mut conf = match (policy, cluster) {
        ("None", _) => ResolvConf { servers: Vec::new(), search: [].into(), ndots: 1 },
        ("ClusterFirst" | "ClusterFirstWithHostNet", Some((server, domain))) => {
            let own = [format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.into()];
            let own = own.into_iter().map(Str::from);
            let search = own.chain(node.search.iter().cloned()).collect();
            ResolvConf { servers: vec![server], search, ndots: 5 }
        }
        _ => node.clone(),
    };
    if let Some(wish) = &spec.dns_config {
        conf.servers.extend(wish.nameservers.iter().filter_map(|ip| ip.parse::<IpAddr>().ok()));
        let mut search = conf.search.to_vec();
        search.extend(wish.searches.iter().cloned());
        conf.search = unique(search, SEARCH_MAX).into();
        let ndots = wish.options.iter().find(|option| option.name == "ndots");
        conf.ndots = ndots.and_then(|o| o.value.parse().ok()).unwrap_or(conf.ndots);
    }
    conf.servers = unique(conf.servers, SERVERS_MAX);
    conf
}

fn unique<T: PartialEq>(all: Vec<T>, most: usize) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for item in all {
        if !kept.contains(&item) && kept.len() < most {
            kept.push(item);
        }
    }
    kept
}
