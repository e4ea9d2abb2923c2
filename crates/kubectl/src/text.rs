//! How objects become text: aligned columns, humanised times, server tables and the formats of `-o`.

pub(crate) mod columns;
pub(crate) mod human;
pub(crate) mod jsonpath;
pub(crate) mod output;
pub(crate) mod sort;
pub(crate) mod tab;
pub(crate) mod table;
