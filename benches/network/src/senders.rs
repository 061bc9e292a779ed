//! Senders over one connection.

use crate::receivers::runtime;
use esmtp::{client::Config, envelope::Envelope, io::tokio::connect, syntax::Extension};
use std::{error::Error, sync::Arc};

fn message(octets: usize) -> Vec<u8> {
    let mut message =
        b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: x\r\n\r\n".to_vec();
    while message.len() < octets {
        message.extend_from_slice(&[b'X'; 78]);
        message.extend_from_slice(b"\r\n");
    }
    message
}

/// Sends messages with this library: one at a time (`session`), without PIPELINING and CHUNKING
/// (`lock-step`), or many in flight (`queue`).
pub fn send(way: &str, port: u16, messages: usize, octets: usize) -> Result<(), Box<dyn Error>> {
    let message = message(octets);
    let envelope = Arc::new(Envelope::new("ann@example.org", ["bob@example.net"])?);
    let mut config = Config::new("client.example.org")?;
    if way == "lock-step" {
        config =
            config.without_extension(Extension::Pipelining).without_extension(Extension::Chunking);
    }
    runtime()?.block_on(async {
        let mut session = connect(("127.0.0.1", port), config).await?;
        if way == "queue" {
            let message = bytes::Bytes::from(message);
            let mut queue = session.queue(32);
            let mut delivered = 0;
            for _ in 0..messages {
                queue.push(Arc::clone(&envelope), message.clone()).await;
                while let Some((_, result)) = queue.try_next() {
                    delivered +=
                        usize::from(result.is_ok_and(|report| report.is_delivered_to_all()));
                }
            }
            while let Some((_, result)) = queue.next().await {
                delivered += usize::from(result.is_ok_and(|report| report.is_delivered_to_all()));
            }
            assert_eq!(delivered, messages);
        } else {
            for _ in 0..messages {
                let report = session.send(Arc::clone(&envelope), &message).await?;
                assert!(report.is_delivered_to_all());
            }
        }
        session.quit().await?;
        Ok(())
    })
}
