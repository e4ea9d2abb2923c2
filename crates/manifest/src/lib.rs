//! Multi-document YAML with positions; the only user of serde_yaml.
