//! The logs of containers, with the kubelet's words where there are none.

use api::object::Key;

use crate::kubelet::Kubelet;
use crate::runtime::LogOptions;

impl Kubelet {
    /// The log of a container, as `kubectl logs` prints it; or why there is none.
    pub fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        options: &LogOptions,
    ) -> Result<String, String> {
        let key = Key::new(namespace, pod);
        let worker = self.agent.uids.get(&key).and_then(|uid| self.agent.workers.get(uid));
        let Some(worker) = worker else { return Err(format!("pod {pod:?} not found")) };
        let Some(index) = worker.index_of(container) else {
            return Err(format!("container {container} is not valid for pod {pod}"));
        };
        let uid = &worker.pod.metadata.uid;
        let place = format!("container {container:?} in pod {pod:?}");
        let slot = self.machine.pod(uid).and_then(|pod| pod.slots.get(index));
        if options.previous {
            let past = slot.and_then(|slot| slot.previous.as_deref());
            return match past {
                Some(past) => Ok(past.log.text(options)),
                None => Err(format!("previous terminated {place} not found")),
            };
        }
        let unit = &worker.units[index];
        match slot.and_then(|slot| slot.current.as_deref()) {
            Some(container) => Ok(container.log.text(options)),
            None => {
                let why = match unit.waiting.as_deref() {
                    Some((reason, _)) if reason == "ErrImagePull" => {
                        "trying and failing to pull image"
                    }
                    Some((reason, _)) if reason == "ImagePullBackOff" => {
                        "trying and failing to pull image"
                    }
                    Some((reason, _)) => reason.as_str(),
                    None if worker.inits() > 0 => "PodInitializing",
                    None => "ContainerCreating",
                };
                Err(format!("{place} is waiting to start: {why}"))
            }
        }
    }
}
