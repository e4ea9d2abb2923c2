//! Virtual time, seeded random streams, interned strings and ordered maps.

pub mod intern;
pub mod rng;
pub mod time;

pub use arcstr::{ArcStr as Str, literal as lit};
pub use intern::intern;
pub use rng::Rng;
pub use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
pub use std::collections::{BTreeMap, BTreeSet};
pub use thin_vec::{ThinVec as List, thin_vec as list};
pub use time::{Duration, Instant};
