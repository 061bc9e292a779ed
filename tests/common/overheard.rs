//! The transcript of a client that is driven by hand.

use esmtp::{
    client::{Client, Config, Event},
    machine::{Machine, Need},
    security::Security,
    time::Instant,
    transcript::Entry,
};
use std::sync::{Arc, Mutex};

/// Returns the transcript of a client inside TLS to which the server sends `replies`, one at a time.
pub(crate) fn overhear(replies: &[&str], mut answer: impl FnMut(Event<'_>)) -> String {
    let heard = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&heard);
    let mut client = Client::new(Config::new("me.example.org").unwrap(), Security::TLS)
        .with_transcript(Box::new(move |_: Instant, entry: Entry<'_>| {
            log.lock().unwrap().push_str(&format!("{entry}\n"));
        }));
    let mut replies = replies.iter();
    loop {
        match client.poll(Instant::ORIGIN) {
            Need::Answer => answer(client.event().unwrap()),
            Need::Write(_) | Need::Either(_) => {
                let octets = {
                    let mut slices = [&b""[..]];
                    client.to_send(&mut slices);
                    slices[0].len()
                };
                client.sent(octets);
            }
            Need::Read(_) | Need::Wait(_) => {
                client.feed(replies.next().unwrap().as_bytes());
            }
            Need::Close => return heard.lock().unwrap().clone(),
        }
    }
}
