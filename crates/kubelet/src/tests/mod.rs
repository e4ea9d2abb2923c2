//! A kubelet against a small API server, in virtual time.

mod attach;
mod bench;
mod life;
mod node;
mod probing;
mod recorded;
mod work;
