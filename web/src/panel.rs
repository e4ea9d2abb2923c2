//! The panels around the stage, one per file.

pub mod announce;
pub mod crash;
pub mod dialogs;
pub mod dock;
pub mod editor;
pub mod faults;
pub mod header;
pub mod inspector;
pub mod learn;
pub mod outline;
pub mod share;
pub mod terminal;
pub mod traffic;
