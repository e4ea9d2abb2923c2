//! What can be broken, and mended again.

use base::Str;

/// A kind of process that can be unplugged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// kube-apiserver
    ApiServer,
    /// kube-controller-manager
    ControllerManager,
    /// kube-scheduler
    Scheduler,
    /// cloud-controller-manager
    CloudControllerManager,
    /// A node's kubelet.
    Kubelet,
    /// A node's kube-proxy.
    KubeProxy,
    /// Cluster DNS.
    Dns,
}

impl Component {
    /// Every component with its name, control plane first.
    pub const ALL: &'static [(Component, &'static str)] = &[
        (Component::ApiServer, "kube-apiserver"),
        (Component::ControllerManager, "kube-controller-manager"),
        (Component::Scheduler, "kube-scheduler"),
        (Component::CloudControllerManager, "cloud-controller-manager"),
        (Component::Kubelet, "kubelet"),
        (Component::KubeProxy, "kube-proxy"),
        (Component::Dns, "coredns"),
    ];

    /// The component's name.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(c, _)| *c == self).map_or("", |(_, name)| name)
    }

    /// The component with this name.
    pub fn parse(name: &str) -> Option<Component> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(c, _)| *c)
    }
}

/// A fault, or its repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine loses power: kubelet, containers and network are gone at once.
    NodeOff(Str),
    /// The machine comes back and its kubelet starts anew.
    NodeOn(Str),
    /// The node's link to the control plane is cut; its containers run on.
    CutLink(Str),
    /// The link is mended.
    MendLink(Str),
    /// A process is killed. Without a node, every replica of the control plane.
    Unplug(Component, Str),
    /// A process is told to end, as by SIGTERM, and ends after what it does then.
    ShutDown(Component, Str),
    /// It is started again with empty memory.
    Plug(Component, Str),
    /// The cloud machine of a node is stopped, as at the provider's console.
    StopMachine(Str),
    /// A stopped cloud machine is started.
    StartMachine(Str),
    /// The cloud machine of a node is terminated: it never comes back.
    TerminateMachine(Str),
    /// The cloud provider's API does not answer.
    CutCloud,
    /// It answers again.
    MendCloud,
    /// A container's main process dies with an exit code.
    Crash {
        /// The pod's namespace.
        namespace: Str,
        /// The pod's name.
        pod: Str,
        /// The container; empty for the first.
        container: Str,
        /// The exit code.
        code: i32,
    },
}
