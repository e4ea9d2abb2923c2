//! The names of the admission plugins, and which of them are switched off.

/// A set of plugins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plugins(u32);

/// A plugin that is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plugin {
    DefaultIngressClass,
    DefaultStorageClass,
    DefaultTolerationSeconds,
    LimitRanger,
    NamespaceLifecycle,
    PersistentVolumeClaimResize,
    PodSecurity,
    Priority,
    ResourceQuota,
    RuntimeClass,
    ServiceAccount,
    StorageObjectInUseProtection,
    TaintNodesByCondition,
}

/// Upstream's plugins; those that are modelled with their value.
const NAMES: &[(&str, Option<Plugin>)] = &[
    ("AlwaysAdmit", None),
    ("AlwaysDeny", None),
    ("AlwaysPullImages", None),
    ("CertificateApproval", None),
    ("CertificateSigning", None),
    ("CertificateSubjectRestriction", None),
    ("ClusterTrustBundleAttest", None),
    ("DefaultIngressClass", Some(Plugin::DefaultIngressClass)),
    ("DefaultStorageClass", Some(Plugin::DefaultStorageClass)),
    ("DefaultTolerationSeconds", Some(Plugin::DefaultTolerationSeconds)),
    ("DenyServiceExternalIPs", None),
    ("EventRateLimit", None),
    ("ExtendedResourceToleration", None),
    ("ImagePolicyWebhook", None),
    ("LimitPodHardAntiAffinityTopology", None),
    ("LimitRanger", Some(Plugin::LimitRanger)),
    ("MutatingAdmissionPolicy", None),
    ("MutatingAdmissionWebhook", None),
    ("NamespaceAutoProvision", None),
    ("NamespaceExists", None),
    ("NamespaceLifecycle", Some(Plugin::NamespaceLifecycle)),
    ("NodeDeclaredFeatureValidator", None),
    ("NodeRestriction", None),
    ("OwnerReferencesPermissionEnforcement", None),
    ("PersistentVolumeClaimResize", Some(Plugin::PersistentVolumeClaimResize)),
    ("PodNodeSelector", None),
    ("PodSecurity", Some(Plugin::PodSecurity)),
    ("PodTolerationRestriction", None),
    ("PodTopologyLabels", None),
    ("Priority", Some(Plugin::Priority)),
    ("ResourceQuota", Some(Plugin::ResourceQuota)),
    ("RuntimeClass", Some(Plugin::RuntimeClass)),
    ("ServiceAccount", Some(Plugin::ServiceAccount)),
    ("StorageObjectInUseProtection", Some(Plugin::StorageObjectInUseProtection)),
    ("TaintNodesByCondition", Some(Plugin::TaintNodesByCondition)),
    ("ValidatingAdmissionPolicy", None),
    ("ValidatingAdmissionWebhook", None),
];

impl Plugins {
    /// The plugins of these names. A name that upstream does not have is the error.
    pub fn named(names: &[String]) -> Result<Plugins, &str> {
        let mut set = 0;
        for name in names {
            let known = NAMES.iter().find(|(known, _)| known == name).ok_or(name.as_str())?;
            set |= known.1.map_or(0, bit);
        }
        Ok(Plugins(set))
    }

    pub(crate) fn has(self, plugin: Plugin) -> bool {
        self.0 & bit(plugin) != 0
    }
}

fn bit(plugin: Plugin) -> u32 {
    1 << plugin as u32
}
