//! Envelope
