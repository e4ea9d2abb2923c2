//! Wires every part together; faults, checkpoints, replay.
