//! The columns of each kind's table.

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// The heading.
    pub name: &'static str,
    /// The type of its cells.
    pub ty: &'static str,
    /// `name` for the column that holds the object's name.
    pub format: &'static str,
    /// 0 for columns that are always shown, 1 for those of wide output.
    pub priority: i64,
}

/// The columns of a kind.
pub(crate) fn of(kind: &str) -> impl Iterator<Item = Column> {
    spec(kind).split(';').map(|text| {
        let (priority, text) = text.strip_prefix('+').map_or((0, text), |rest| (1, rest));
        let (format, text) = text.strip_prefix('*').map_or(("", text), |rest| ("name", rest));
        let ty = match text.as_bytes().first() {
            Some(b'#') => "integer",
            Some(b'?') => "boolean",
            Some(b'@') => "date",
            _ => "string",
        };
        Column { name: text.trim_start_matches(['#', '?', '@']), ty, format, priority }
    })
}

/// Headings in order, with marks before them: `+` wide output only, `*` the object's name, `#` integer,
/// `?` boolean, `@` date.
#[rustfmt::skip]
fn spec(kind: &str) -> &'static str {
    match kind {
        "ComponentStatus" => "*Name;Status;Message;Error",
        "ConfigMap" => "*Name;Data;Age",
        "Endpoints" => "*Name;Endpoints;Age",
        "Event" => "Last Seen;Type;Reason;Object;+Subobject;+Source;Message;+First Seen;+Count;+*Name",
        "LimitRange" => "*Name;@Created At",
        "Namespace" => "*Name;Status;Age",
        "Node" => "*Name;Status;Roles;Age;Version;+Internal-IP;+External-IP;+OS-Image;+Kernel-Version;+Container-Runtime",
        "PersistentVolumeClaim" => "*Name;Status;Volume;Capacity;Access Modes;StorageClass;VolumeAttributesClass;Age;+VolumeMode",
        "PersistentVolume" => "*Name;Capacity;Access Modes;Reclaim Policy;Status;Claim;StorageClass;VolumeAttributesClass;Reason;Age;+VolumeMode",
        "Pod" => "*Name;Ready;Status;Restarts;Age;+IP;+Node;+Nominated Node;+Readiness Gates",
        "PodTemplate" => "*Name;Containers;Images;Pod Labels",
        "ReplicationController" => "*Name;#Desired;#Current;#Ready;Age;+Containers;+Images;+Selector",
        "ResourceQuota" => "*Name;Request;Limit;Age",
        "Secret" => "*Name;Type;Data;Age",
        "ServiceAccount" => "*Name;Age",
        "Service" => "*Name;Type;Cluster-IP;External-IP;Port(s);Age;+Selector",
        "APIService" => "*Name;Service;Available;Age",
        "ControllerRevision" => "*Name;Controller;Revision;Age",
        "DaemonSet" => "*Name;#Desired;#Current;#Ready;#Up-to-date;#Available;Node Selector;Age;+Containers;+Images;+Selector",
        "Deployment" => "*Name;Ready;Up-to-date;Available;Age;+Containers;+Images;+Selector",
        "ReplicaSet" => "*Name;#Desired;#Current;#Ready;Age;+Containers;+Images;+Selector",
        "StatefulSet" => "*Name;Ready;Age;+Containers;+Images",
        "HorizontalPodAutoscaler" => "*Name;Reference;Targets;MinPods;MaxPods;Replicas;Age",
        "CronJob" => "*Name;Schedule;Timezone;?Suspend;#Active;Last Schedule;Age;+Containers;+Images;+Selector",
        "Job" => "*Name;Status;Completions;Duration;Age;+Containers;+Images;+Selector",
        "CertificateSigningRequest" => "*Name;Age;SignerName;Requestor;RequestedDuration;Condition",
        "IngressClass" => "*Name;Controller;Parameters;Age",
        "Ingress" => "*Name;Class;Hosts;Address;Ports;Age",
        "IPAddress" => "*Name;ParentRef",
        "NetworkPolicy" => "*Name;Pod-Selector;Age",
        "ServiceCIDR" => "*Name;CIDRs;Age",
        "PodDisruptionBudget" => "*Name;Min Available;Max Unavailable;#Allowed Disruptions;Age",
        "ClusterRoleBinding" => "*Name;Role;Age;+Users;+Groups;+ServiceAccounts",
        "ClusterRole" => "*Name;@Created At",
        "RoleBinding" => "*Name;Role;Age;+Users;+Groups;+ServiceAccounts",
        "Role" => "*Name;@Created At",
        "DeviceClass" | "ResourceClaimTemplate" => "*Name;Age",
        "ResourceClaim" => "*Name;State;Age",
        "ResourceSlice" => "*Name;Node;Driver;Pool;Age",
        "CSIDriver" => "*Name;?AttachRequired;?PodInfoOnMount;?StorageCapacity;TokenRequests;?RequiresRepublish;Modes;Age",
        "CSINode" => "*Name;#Drivers;Age",
        "CSIStorageCapacity" => "*Name;@Created At",
        "StorageClass" => "*Name;Provisioner;ReclaimPolicy;VolumeBindingMode;AllowVolumeExpansion;Age",
        "VolumeAttachment" => "*Name;*Attacher;PV;Node;?Attached;Age",
        "VolumeAttributesClass" => "*Name;DriverName;Age",
        "MutatingAdmissionPolicy" => "*Name;#Mutations;ParamKind;Age",
        "MutatingAdmissionPolicyBinding" => "*Name;PolicyName;ParamRef;Age",
        "MutatingWebhookConfiguration" => "*Name;#Webhooks;Age",
        "ValidatingAdmissionPolicy" => "*Name;#Validations;ParamKind;Age",
        "ValidatingAdmissionPolicyBinding" => "*Name;PolicyName;ParamRef;Age",
        "ValidatingWebhookConfiguration" => "*Name;#Webhooks;Age",
        "CustomResourceDefinition" => "*Name;@Created At",
        "PriorityClass" => "*Name;#Value;?Global-Default;Age;PreemptionPolicy",
        "Lease" => "*Name;Holder;Age",
        "RuntimeClass" => "*Name;Handler;Age",
        "EndpointSlice" => "*Name;AddressType;Ports;Endpoints;Age",
        "FlowSchema" => "*Name;PriorityLevel;MatchingPrecedence;DistinguisherMethod;Age;MissingPL",
        "PriorityLevelConfiguration" => "*Name;Type;NominalConcurrencyShares;Queues;HandSize;QueueLengthLimit;Age",
        _ => "*Name;@Created At",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_types_and_priorities() {
        let columns: Vec<Column> = of("ReplicaSet").collect();
        let column = |name, ty, format, priority| Column { name, ty, format, priority };
        assert_eq!(columns[0], column("Name", "string", "name", 0));
        assert_eq!(columns[1], column("Desired", "integer", "", 0));
        assert_eq!(columns[5], column("Containers", "string", "", 1));
    }
}
