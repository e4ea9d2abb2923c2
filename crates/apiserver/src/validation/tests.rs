//! What is refused, kind by kind.
