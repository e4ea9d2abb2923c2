//! Cluster changes and subscriptions to view operations.
