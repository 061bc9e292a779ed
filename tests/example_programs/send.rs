//! `examples/send`.
