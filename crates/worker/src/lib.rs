//! The host of a cluster in a web worker: commands in, messages out, time in slices.
//!
//! [`Host`] knows neither the browser nor a clock: whoever owns it hands it commands and the wall
//! time, and
//! carries its messages away. So it is tested natively; `main.rs` is all that touches the browser.

mod apply;
mod bench;
mod faults;
mod feed;
mod host;
#[cfg(test)]
mod host_tests;
mod pace;
mod record;
mod run;
mod source;

pub use host::{Host, Next};
pub use record::Record;
