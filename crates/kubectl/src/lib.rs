//! Command line to API requests to text, for the page's terminal.
//!
//! Models kubectl v1.36. A [`Session`] is one command: the host calls [`Session::advance`] until it is done, and
//! answers its requests through [`Server`]. Nothing here reads a clock or a file: time comes with each call, and
//! files are what [`Server::file`] gives.
//!
//! Known deviations:
//! - Resource names come from the table of kinds and the CustomResourceDefinitions, not from discovery.
//! - Output and error output are one stream, in the order in which they are written.
//! - No pipes, variables or command substitution; no Go templates, no kustomize, no plugins, no impersonation.
//! - Commands that need a terminal or a tunnel (`edit`, `attach`, `port-forward`, `proxy`, `cp`, `debug`) are refused.
//! - Log following and waiting for deletion ask again every half second instead of holding a stream open.

mod commands;
mod custom;
mod cx;
mod describe;
mod failure;
mod flags;
mod load;
mod look;
mod resource;
mod server;
mod session;
mod shell;
mod text;

pub use server::{Response, Server};
pub use session::{Progress, Session};
