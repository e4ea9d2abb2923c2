//! Faults in the words of the page and of the cluster.

use base::Str;
use cluster::{Component, Fault};

/// The exit code of a process that was killed.
const KILLED: i32 = 137;

/// A fault of the page for the cluster; none if it names nothing that can break.
pub fn of_page(fault: &protocol::Fault) -> Option<Fault> {
    use protocol::Fault as Page;
    Some(match fault {
        Page::NodeOff(key) => Fault::NodeOff(node(key)?),
        Page::NodeOn(key) => Fault::NodeOn(node(key)?),
        Page::CutLink(a, b) => Fault::CutLink(node(a).or_else(|| node(b))?),
        Page::HealLink(a, b) => Fault::MendLink(node(a).or_else(|| node(b))?),
        Page::Unplug(key) if is_provider(key) => Fault::CutCloud,
        Page::Plug(key) if is_provider(key) => Fault::MendCloud,
        Page::Unplug(key) => part(key).map(|(c, n)| Fault::Unplug(c, n))?,
        Page::Plug(key) => part(key).map(|(c, n)| Fault::Plug(c, n))?,
        Page::KillPod(key) => {
            let (namespace, pod) = key.strip_prefix("pod/")?.split_once('/')?;
            Fault::Crash {
                namespace: namespace.into(),
                pod: pod.into(),
                container: Str::new(),
                code: KILLED,
            }
        }
    })
}

fn node(key: &str) -> Option<Str> {
    key.strip_prefix("node/").map(Str::from)
}

fn part(key: &str) -> Option<(Component, Str)> {
    let (name, node) = view::part_of_key(key)?;
    Some((Component::parse(name)?, node.into()))
}

/// Whether the key is that of the cloud provider.
fn is_provider(key: &str) -> bool {
    view::part_of_key(key).is_some_and(|(name, _)| cluster::Provider::parse(name).is_some())
}

/// What was done, in words.
pub fn words(fault: &Fault) -> String {
    match fault {
        Fault::NodeOff(node) => format!("{node} lost its power."),
        Fault::NodeOn(node) => format!("{node} is switched on."),
        Fault::CutLink(node) => format!("{node} is cut off from the control plane."),
        Fault::MendLink(node) => format!("{node} is joined to the control plane again."),
        Fault::Unplug(component, node) => format!("{} is unplugged.", place(*component, node)),
        Fault::ShutDown(component, node) => format!("{} is shut down.", place(*component, node)),
        Fault::Plug(component, node) => format!("{} is plugged in.", place(*component, node)),
        Fault::StopMachine(node) => format!("The machine of {node} is stopped."),
        Fault::StartMachine(node) => format!("The machine of {node} is started."),
        Fault::TerminateMachine(node) => format!("The machine of {node} is terminated."),
        Fault::CutCloud => "The cloud provider does not answer.".into(),
        Fault::MendCloud => "The cloud provider answers again.".into(),
        Fault::Crash { namespace, pod, .. } => {
            format!("The process of {namespace}/{pod} was killed.")
        }
    }
}

fn place(component: Component, node: &str) -> String {
    let name = component.as_str();
    if node.is_empty() { name.into() } else { format!("{name} of {node}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Fault as Page;

    fn check(fault: Page, want: &str) {
        assert_eq!(of_page(&fault).map(|fault| words(&fault)).unwrap_or_default(), want);
    }

    #[test]
    fn faults_name_what_they_break() {
        check(Page::NodeOff("node/node-1".into()), "node-1 lost its power.");
        check(Page::Unplug("part/kube-scheduler".into()), "kube-scheduler is unplugged.");
        check(Page::Plug("part/kubelet/node-2".into()), "kubelet of node-2 is plugged in.");
        check(Page::Unplug("part/aws".into()), "The cloud provider does not answer.");
        check(Page::KillPod("pod/shop/web-1".into()), "The process of shop/web-1 was killed.");
        let link = Page::CutLink("part/kube-apiserver".into(), "node/node-3".into());
        check(link, "node-3 is cut off from the control plane.");
    }
    #[test]
    fn what_cannot_break_is_refused() {
        check(Page::Unplug("part/etcd".into()), "");
        check(Page::NodeOff("pod/default/web".into()), "");
    }
}
