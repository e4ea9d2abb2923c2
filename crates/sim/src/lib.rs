//! The event queue, timers, and links with delay, loss and partition.
