//! Services and EndpointSlices to packet tables.
