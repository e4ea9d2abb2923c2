//! Scripts of the terminal against a real API server. What a real kubectl was recorded to print stands here as it was.

mod change;
mod errors;
mod read;
mod time;
mod world;
