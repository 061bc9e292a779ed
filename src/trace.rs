//! Trace
