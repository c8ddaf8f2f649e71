//! Layers: a remote in, a remote out.

pub mod retry;
