//! Scenario and lesson files, checks, share links.
