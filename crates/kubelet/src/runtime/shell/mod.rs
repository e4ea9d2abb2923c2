//! A small POSIX-like shell: enough for the commands that containers of examples and lessons run.
//!
//! A script is compiled to linear code ([`parse`]) and run by a machine that can be suspended at every
//! command ([`vm`]), so that `sleep` and network calls take virtual time.
//!
//! Known deviations:
//! - A command of a pipe runs to its end before the next one starts.
//! - No globbing, arrays, process substitution or job control; `( … )` shares variables with its surroundings.

pub mod builtin;
mod expand;
mod filter;
mod lex;
pub mod parse;
mod streams;
pub mod text;
pub mod tools;
pub mod vm;

pub use parse::{Script, compile};
pub use vm::{Shell, Turn};

/// Whether a command is one that images of servers carry: their clients and their own control.
pub fn is_tool(name: &str) -> bool {
    tools::is_client(name) || matches!(name, "nginx" | "httpd" | "apachectl")
}
