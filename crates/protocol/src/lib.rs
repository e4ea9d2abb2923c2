//! The messages between worker and page: commands, view operations, frames.
