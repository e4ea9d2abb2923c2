//! Virtual time, seeded random streams, interned strings and ordered maps.

pub mod intern;
pub mod ordered;
pub mod rng;
pub mod sort;
pub mod time;

pub use arcstr::{ArcStr as Str, literal as lit};
pub use intern::intern;
pub use ordered::{BTreeMap, BTreeSet};
pub use rng::Rng;
pub use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
pub use thin_vec::{ThinVec as List, thin_vec as list};
pub use time::{Duration, Instant};
