//! A request's way: authenticate, decode, default, validate, admit, patch, store; tables, discovery, OpenAPI, watches.

pub mod defaults;
pub mod validation;
