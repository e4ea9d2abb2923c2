//! kube-controller-manager: one module per controller.
//!
//! Every controller reads caches and returns plans (see `client::Reconcile`); [`runner`] carries them out.
//! To add one: write its module and add a line to [`controllers`].

pub mod attach_detach;
pub mod certificates;
pub mod claim;
pub mod cluster_role_aggregation;
pub mod cron_job;
pub mod csi;
pub mod daemon_set;
pub mod deployment;
pub mod disruption;
pub mod endpoint_slice;
pub mod endpoint_slice_mirroring;
pub mod endpoints;
pub mod ephemeral_volume;
pub mod garbage_collector;
pub mod horizontal_pod_autoscaler;
pub mod job;
pub mod job_ttl;
pub mod kinds;
pub mod local_path_provisioner;
pub mod namespace;
pub mod node_ipam;
pub mod node_lifecycle;
pub mod node_ttl;
pub mod pod_gc;
pub mod pods;
pub mod provisioning;
pub mod replica_set;
pub mod replication_controller;
pub mod resource_quota;
pub mod revisions;
pub mod root_ca;
pub mod service_account;
pub mod service_account_token;
pub mod service_cidr;
pub mod services;
pub mod stale_disruption;
pub mod stateful_set;
pub mod taint_eviction;
pub mod taints;
pub mod template;
pub mod volume_binder;
pub mod volume_expand;
pub mod volume_protection;

use base::{Str, lit};
use client::{Reconcile, Runner};

/// How the process is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cluster's certificate, in PEM, which every namespace gets to read.
    pub root_ca: Str,
    /// The range of pod addresses.
    pub cluster_range: Str,
    /// How many bits of it are the network of one node.
    pub node_prefix: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            root_ca: lit!("-----BEGIN CERTIFICATE-----\nb3JyZXJ5\n-----END CERTIFICATE-----\n"),
            cluster_range: lit!("10.244.0.0/16"),
            node_prefix: 24,
        }
    }
}

impl Options {
    /// The defaults, with a range of pod addresses that is large enough for so many nodes.
    ///
    /// Up to 256 nodes it is that of a usual cluster, 10.244.0.0/16; above, the 8,192 ranges around it.
    pub fn for_nodes(nodes: usize) -> Options {
        let options = Options::default();
        if nodes <= 256 {
            options
        } else {
            Options { cluster_range: lit!("10.224.0.0/11"), ..options }
        }
    }
}

/// All controllers, in the order in which they take their turns.
pub fn controllers(options: &Options) -> Vec<Box<dyn Reconcile>> {
    vec![
        Box::new(deployment::Deployments),
        Box::new(replica_set::ReplicaSets),
        Box::new(job::Jobs::default()),
        Box::new(job::orphans::JobOrphans),
        Box::new(job_ttl::JobTtl),
        Box::new(cron_job::CronJobs),
        Box::new(horizontal_pod_autoscaler::HorizontalPodAutoscalers::default()),
        Box::new(replication_controller::ReplicationControllers),
        Box::new(stateful_set::StatefulSets),
        Box::new(daemon_set::DaemonSets::default()),
        Box::new(endpoint_slice::EndpointSlices::default()),
        Box::new(endpoint_slice_mirroring::EndpointSliceMirroring),
        Box::new(endpoints::Endpoints::default()),
        Box::new(service_account::ServiceAccounts),
        Box::new(service_account_token::ServiceAccountTokens {
            certificate: options.root_ca.clone(),
        }),
        Box::new(root_ca::RootCa { certificate: options.root_ca.clone() }),
        Box::new(node_ipam::NodeIpam::new(&options.cluster_range, options.node_prefix)),
        Box::new(node_lifecycle::NodeLifecycle::default()),
        Box::new(node_lifecycle::NodeAnnouncer::default()),
        Box::new(node_ttl::NodeTtl::default()),
        Box::new(taint_eviction::TaintEviction::default()),
        Box::new(volume_binder::VolumeBinder),
        Box::new(local_path_provisioner::LocalPathProvisioner::default()),
        Box::new(ephemeral_volume::EphemeralVolumes),
        Box::new(service_cidr::ServiceCidrs),
        Box::new(volume_protection::ClaimProtection),
        Box::new(volume_protection::VolumeProtection),
        Box::new(volume_protection::AttributesClassProtection),
        Box::new(attach_detach::AttachDetach::default()),
        Box::new(volume_expand::VolumeExpand),
        Box::new(csi::registrar::CsiRegistrar),
        Box::new(csi::provisioner::CsiProvisioner::default()),
        Box::new(csi::attacher::CsiAttacher::default()),
        Box::new(csi::resizer::CsiResizer::default()),
        Box::new(certificates::approver::CsrApprover),
        Box::new(certificates::signer::CsrSigner),
        Box::new(certificates::cleaner::CsrCleaner),
        Box::new(cluster_role_aggregation::ClusterRoleAggregation),
        Box::new(resource_quota::ResourceQuotas),
        Box::new(disruption::Disruption),
        Box::new(stale_disruption::StaleDisruption),
        Box::new(pod_gc::PodGc::default()),
        Box::new(namespace::Namespaces),
        Box::new(garbage_collector::GarbageCollector::default()),
    ]
}

/// The process that runs them all.
pub fn runner(options: &Options) -> Runner {
    Runner::new("kube-controller-manager", controllers(options))
}

/// The controllers without which a new namespace takes no pods, for an API server that runs alone.
pub fn namespace_basics(options: &Options) -> Runner {
    let controllers: Vec<Box<dyn Reconcile>> = vec![
        Box::new(service_account::ServiceAccounts),
        Box::new(root_ca::RootCa { certificate: options.root_ca.clone() }),
    ];
    Runner::new("kube-controller-manager", controllers)
}

#[cfg(test)]
mod tests;
