//! ImageLocality: prefers nodes that already hold the pod's images.

use super::{Incoming, Plugin, SCORE_MAX, Scope, State, node};
use crate::cache::{Cache, NodeId};

/// The plugin.
pub struct ImageLocality;

const MIB: i64 = 1024 * 1024;
const SIZE_MIN: i64 = 23 * MIB;
const SIZE_MAX_PER_CONTAINER: i64 = 1000 * MIB;

/// How many nodes hold each image of a class.
#[derive(Clone, Debug, Default)]
pub struct ImageState {
    holders: Vec<u32>,
    nodes: usize,
    /// Changes whenever the numbers do.
    pub version: u32,
}

impl ImageState {
    /// Brings the numbers up to date.
    pub fn update(&mut self, pod: &Incoming, cache: &Cache) {
        let count = |name: &base::Str| cache.image_nodes.get(name).copied().unwrap_or(0);
        let images = &pod.needs.images;
        let same = self.nodes == cache.order.len()
            && self.holders.len() == images.len()
            && images.iter().zip(&self.holders).all(|(name, holders)| count(name) == *holders);
        if !same {
            self.holders = images.iter().map(count).collect();
            self.nodes = cache.order.len();
            self.version += 1;
        }
    }
}

impl Plugin for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn scope(&self) -> Scope {
        Scope::Images
    }

    fn pre_score(&self, pod: &Incoming, cache: &Cache, _: &[NodeId], state: &mut State) -> bool {
        state.images.update(pod, cache);
        true
    }

    fn score(&self, pod: &Incoming, cache: &Cache, id: NodeId, state: &State) -> i64 {
        let info = node(cache, id);
        let images = &pod.needs.images;
        if info.images.is_empty() || images.is_empty() {
            return 0;
        }
        let nodes = state.images.nodes.max(1) as f64;
        let size = |(name, holders): (&base::Str, &u32)| match info.images.get(name) {
            Some(size) => (*size as f64 * (f64::from(*holders) / nodes)) as i64,
            None => 0,
        };
        let sum: i64 = images.iter().zip(&state.images.holders).map(size).sum();
        let most = SIZE_MAX_PER_CONTAINER * images.len() as i64;
        SCORE_MAX * (sum.clamp(SIZE_MIN, most) - SIZE_MIN) / (most - SIZE_MIN)
    }
}

/// An image name without a tag or digest means `:latest`.
pub fn with_tag(image: &str) -> String {
    let after_slash = image.rfind('/').map_or(0, |i| i + 1);
    if image[after_slash..].contains(':') || image.contains('@') {
        image.to_string()
    } else {
        format!("{image}:latest")
    }
}

#[cfg(test)]
mod tests {
    use super::with_tag;
    use crate::testing::scores;

    /// Half of the nodes hold 523 MiB: 261.5 of them count, of which 23 are free, out of 977.
    #[test]
    fn a_node_that_holds_the_image_scores_by_size_and_by_how_many_nodes_hold_it() {
        let nodes = ["a image=app:1=523", "b"];
        assert_eq!(scores("ImageLocality", &nodes, &[], "p image=app:1"), "a:24 b:0");
    }

    #[test]
    fn small_images_do_not_matter() {
        let nodes = ["a image=app:1=20", "b"];
        assert_eq!(scores("ImageLocality", &nodes, &[], "p image=app:1"), "a:0 b:0");
    }

    #[test]
    fn a_name_without_tag_means_latest() {
        assert_eq!(with_tag("nginx"), "nginx:latest");
        assert_eq!(with_tag("reg:5000/nginx"), "reg:5000/nginx:latest");
        assert_eq!(with_tag("reg:5000/nginx:1"), "reg:5000/nginx:1");
        assert_eq!(with_tag("nginx@sha256:00"), "nginx@sha256:00");
    }
}
