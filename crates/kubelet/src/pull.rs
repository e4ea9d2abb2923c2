//! Images: whether one is on the node, its pull, and the wait after a failed pull.
//!
//! Stands for the kubelet's image manager.
//!
//! Known deviations:
//! - Pull secrets are not looked at; unused images are not collected.

use base::{Duration, Str};

use crate::kubelet::Kubelet;
use crate::runtime::image::Reference;
use crate::runtime::machine::Stored;
use crate::worker::{Backoff, Job};

impl Kubelet {
    /// Makes sure that the image is on the node. False if the container has run into an error.
    pub(crate) fn ensure_image(&mut self, uid: &Str, index: usize) -> bool {
        let spec = self.agent.workers[uid].spec(index);
        let (image, policy) = (spec.image.clone(), spec.image_pull_policy.clone());
        let reference = match Reference::parse(&image) {
            Ok(reference) => reference,
            Err(why) => {
                let text = format!(
                    "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": {why}"
                );
                self.pod_event(uid, Some(index), "Warning", "InspectFailed", text.clone());
                self.pod_event(uid, Some(index), "Warning", "Failed", "Error: InvalidImageName");
                self.fails(uid, index, base::lit!("InvalidImageName"), text.into());
                return false;
            }
        };
        let present = self.machine.images.contains_key(&reference.full());
        let pulls = match policy.as_str() {
            "Always" => true,
            "Never" => false,
            _ => !present,
        };
        if !pulls && present {
            let text = format!(
                "Container image \"{image}\" already present on machine and can be accessed by the pod"
            );
            self.pod_event(uid, Some(index), "Normal", "Pulled", text);
            return self.create(uid, index);
        }
        if !pulls {
            let text =
                format!("Container image \"{image}\" is not present with pull policy of Never");
            self.pod_event(uid, Some(index), "Warning", "ErrImageNeverPull", text.clone());
            self.pod_event(uid, Some(index), "Warning", "Failed", "Error: ErrImageNeverPull");
            self.fails(uid, index, base::lit!("ErrImageNeverPull"), text.into());
            return false;
        }
        self.begin_pull(uid, index, image, &reference, present)
    }

    fn begin_pull(
        &mut self,
        uid: &Str,
        index: usize,
        image: Str,
        reference: &Reference,
        present: bool,
    ) -> bool {
        let now = self.now;
        let unit = &self.agent.workers[uid].units[index];
        if let Some((backoff, last)) = unit.pull.as_deref()
            && now.since(backoff.since) < backoff.wait
        {
            let text = format!("Back-off pulling image \"{image}\"");
            let message = format!("{text}: ErrImagePull: {last}");
            self.pod_event(uid, Some(index), "Normal", "BackOff", text);
            self.pod_event(uid, Some(index), "Warning", "Failed", "Error: ImagePullBackOff");
            self.fails(uid, index, base::lit!("ImagePullBackOff"), message.into());
            return false;
        }
        self.pod_event(uid, Some(index), "Normal", "Pulling", format!("Pulling image \"{image}\""));
        let known = self.machine.catalogue.find(reference).clone();
        let (_, time) = self.machine.catalogue.pull(&known);
        let refused = self.machine.catalogue.refusal(&image, reference).is_some();
        let time = match (refused, present) {
            (true, _) => Duration::millis(self.rng.between(700, 1_400)).min(time * 4),
            // Only the manifest is looked at.
            (false, true) => Duration(time.0 / 4).min(Duration::millis(420)),
            // Its layers have just come for somebody else.
            (false, false) if self.agent.pulls.contains(&reference.full()) => Duration(time.0 / 40),
            (false, false) => time,
        };
        if !refused {
            self.agent.pulls.insert(reference.full());
        }
        // One pull at a time, as upstream does it by default.
        let from = self.agent.pulling_until.max(now);
        let end = from + time;
        self.agent.pulling_until = end;
        self.agent.pull_times.insert((uid.clone(), index), (time, end - now));
        self.set_job(uid, Job::Pulling(index), Some(end - now));
        true
    }

    /// A pull has ended, well or not.
    pub(crate) fn pulled(&mut self, uid: &Str, index: usize) {
        let now = self.now;
        let image = self.agent.workers[uid].spec(index).image.clone();
        let Ok(reference) = Reference::parse(&image) else { return self.start_next(uid) };
        let times = self.agent.pull_times.remove(&(uid.clone(), index));
        let (time, waited) = times.unwrap_or((Duration::ZERO, Duration::ZERO));
        if let Some(why) = self.machine.catalogue.refusal(&image, &reference) {
            let text = format!("Failed to pull image \"{image}\": {why}");
            self.pod_event(uid, Some(index), "Warning", "Failed", text);
            self.pod_event(uid, Some(index), "Warning", "Failed", "Error: ErrImagePull");
            if let Some(worker) = self.agent.workers.get_mut(uid) {
                let old = worker.units[index].pull.as_deref().map(|(backoff, _)| *backoff);
                let next = Backoff::next(old, now, now);
                worker.units[index].pull = Some(Box::new((next, why.clone().into())));
            }
            self.fails(uid, index, base::lit!("ErrImagePull"), why.into());
            return self.start_next(uid);
        }
        let known = self.machine.catalogue.find(&reference).clone();
        let (size, _) = self.machine.catalogue.pull(&known);
        self.agent.pulls.remove(&reference.full());
        let stored = Stored { id: reference.id(), size };
        if self.machine.images.insert(reference.full(), stored).is_none() {
            self.images_changed();
        }
        let (time, waited) = (time.go(), waited.go());
        let text = format!(
            "Successfully pulled image \"{image}\" in {time} ({waited} including waiting). Image size: {size} bytes."
        );
        self.pod_event(uid, Some(index), "Normal", "Pulled", text);
        if let Some(worker) = self.agent.workers.get_mut(uid) {
            worker.units[index].pull = None;
        }
        if !self.create(uid, index) {
            self.start_next(uid);
        }
    }
}
