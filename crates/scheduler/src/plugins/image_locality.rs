//! ImageLocality: prefers nodes that already hold the pod's images.

use super::{Incoming, Plugin, SCORE_MAX, State, node};
use crate::cache::{Cache, NodeId};

/// The plugin.
pub struct ImageLocality;

const MIB: i64 = 1024 * 1024;
const SIZE_MIN: i64 = 23 * MIB;
const SIZE_MAX_PER_CONTAINER: i64 = 1000 * MIB;

impl Plugin for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn pre_score(&self, _: &Incoming<'_>, _: &Cache, _: &[NodeId], _: &mut State) -> bool {
        true
    }

    fn score(&self, pod: &Incoming<'_>, cache: &Cache, id: NodeId, _: &State) -> i64 {
        let info = node(cache, id);
        let spec = &pod.needs.spec;
        let containers = spec.init_containers.len() + spec.containers.len();
        if info.images.is_empty() || containers == 0 {
            return 0;
        }
        let nodes = cache.order.len().max(1) as f64;
        let mut sum = 0;
        for container in spec.init_containers.iter().chain(&spec.containers) {
            let name = with_tag(&container.image);
            if let Some(size) = info.images.get(name.as_str()) {
                let holders = cache.image_nodes.get(name.as_str()).copied().unwrap_or(0);
                sum += (*size as f64 * (f64::from(holders) / nodes)) as i64;
            }
        }
        let most = SIZE_MAX_PER_CONTAINER * containers as i64;
        SCORE_MAX * (sum.clamp(SIZE_MIN, most) - SIZE_MIN) / (most - SIZE_MIN)
    }
}

/// An image name without a tag or digest means `:latest`.
fn with_tag(image: &str) -> String {
    let after_slash = image.rfind('/').map_or(0, |i| i + 1);
    if image[after_slash..].contains(':') || image.contains('@') {
        image.to_string()
    } else {
        format!("{image}:latest")
    }
}
