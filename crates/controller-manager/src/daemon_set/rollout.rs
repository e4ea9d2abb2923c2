//! Rolling updates of DaemonSets: node by node, within surge and shortfall.

use api::apps::v1::DaemonSet;
use api::core::v1::Pod;
use base::Str;

use super::Look;

/// How many pods more and less than `desired` there may be; at least one of them is not 0.
pub fn fenceposts(set: &DaemonSet, desired: i64) -> (i32, i32) {
    let rolling = set.spec.update_strategy.rolling_update.as_ref();
    let scaled = |value: Option<&api::int_or_string::IntOrString>| {
        value.and_then(|value| value.scaled(desired, true).ok()).unwrap_or(0) as i32
    };
    let surge = scaled(rolling.and_then(|rolling| rolling.max_surge.as_ref()));
    let unavailable = match rolling.and_then(|rolling| rolling.max_unavailable.as_ref()) {
        None if surge == 0 => 1,
        value => scaled(value),
    };
    if surge == 0 && unavailable == 0 && desired > 0 { (0, 1) } else { (surge, unavailable) }
}

impl Look<'_> {
    /// Replaces outdated pods.
    pub(super) fn roll(&mut self) {
        let should_run = self.nodes.iter().filter(|(_, (should_run, _))| *should_run);
        let wanted: Vec<Str> = should_run.map(|(node, _)| node.metadata.name.clone()).collect();
        let (surge, unavailable) = fenceposts(self.set, wanted.len() as i64);
        if surge == 0 { self.replace(&wanted, unavailable) } else { self.surge(&wanted, surge) }
    }

    /// Deletes old pods, as many as may be missing; the next look creates new ones.
    fn replace(&mut self, wanted: &[Str], unavailable_max: i32) {
        let (mut useless, mut candidates): (Vec<&Pod>, Vec<&Pod>) = (Vec::new(), Vec::new());
        let mut unavailable = 0;
        for node in wanted {
            let pods = self.by_node.get(node).map(Vec::as_slice).unwrap_or_default();
            let going = pods.iter().all(|pod| pod.metadata.deletion_timestamp.is_some());
            let staying =
                || pods.iter().copied().filter(|pod| pod.metadata.deletion_timestamp.is_none());
            let new = staying().find(|pod| self.is_current(pod));
            let old = staying().find(|pod| !self.is_current(pod));
            match (new, old) {
                _ if going => unavailable += 1,
                (Some(new), _) => unavailable += i32::from(!self.is_available(new)),
                (None, Some(old)) if !self.is_available(old) => {
                    unavailable += 1;
                    useless.push(old);
                }
                (None, Some(old)) => candidates.push(old),
                (None, None) => unavailable += 1,
            }
        }
        let room = usize::try_from(unavailable_max - unavailable).unwrap_or(0);
        useless.extend(candidates.into_iter().take(room));
        self.delete(useless);
    }

    /// Creates new pods beside old ones, and deletes an old one when its successor is available.
    fn surge(&mut self, wanted: &[Str], surge_max: i32) {
        let (mut retired, mut candidates): (Vec<&Pod>, Vec<Str>) = (Vec::new(), Vec::new());
        let mut surging = 0;
        let mut at_once: Vec<Str> = Vec::new();
        for node in wanted {
            let pods = self.by_node.get(node).map(Vec::as_slice).unwrap_or_default();
            let staying =
                || pods.iter().copied().filter(|pod| pod.metadata.deletion_timestamp.is_none());
            let new = staying().find(|pod| self.is_current(pod));
            let Some(old) = staying().find(|pod| !self.is_current(pod)) else { continue };
            match new {
                Some(new) if self.is_available(new) => retired.push(old),
                Some(_) => surging += 1,
                // What does not work is replaced without regard to the limit.
                None if !self.is_available(old) => at_once.push(node.clone()),
                None => candidates.push(node.clone()),
            }
        }
        let room = usize::try_from(surge_max - surging).unwrap_or(0);
        at_once.extend(candidates.into_iter().take(room));
        self.create(&at_once);
        self.delete(retired);
    }
}
