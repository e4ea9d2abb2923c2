//! Pod workers, probes, volumes, eviction; container runtime and image behaviours.
