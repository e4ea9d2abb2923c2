//! Generated names.
//!
//! The suffixes that follow one prefix are a random stream of their own, so that what else happens in the cluster
//! does not change them.

use base::{HashMap, Rng, Str};

/// How many prefixes are counted before counting starts again.
const PREFIXES_MAX: usize = 65_536;

/// Draws the suffixes.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    seed: u64,
    /// How many suffixes were drawn for a namespace and a prefix.
    drawn: HashMap<Str, u32>,
    /// How often the counts were dropped.
    era: u32,
}

impl Names {
    pub fn new(seed: u64) -> Names {
        Names { seed, drawn: HashMap::default(), era: 0 }
    }

    /// The next suffix for a prefix.
    pub fn suffix(&mut self, namespace: &str, prefix: &str) -> String {
        if self.drawn.len() >= PREFIXES_MAX {
            self.drawn.clear();
            self.era += 1;
        }
        let key: Str = format!("{namespace}/{prefix}").into();
        let stream = format!("name/{}/{key}", self.era);
        let drawn = self.drawn.entry(key).or_default();
        *drawn += 1;
        Rng::stream(self.seed.wrapping_add(u64::from(*drawn)), &stream).suffix(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_one_prefix_do_not_depend_on_others() {
        let (mut alone, mut among) = (Names::new(1), Names::new(1));
        let mut seen = Vec::new();
        for _ in 0..100 {
            among.suffix("default", "other-");
            let (a, b) = (alone.suffix("default", "web-"), among.suffix("default", "web-"));
            assert_eq!(a, b);
            assert!(!seen.contains(&a), "{a} twice");
            seen.push(a);
        }
    }
}
