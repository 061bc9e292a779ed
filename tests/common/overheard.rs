//! The transcript of a client that is driven by hand.

use esmtp::{
    client::{Client, Config, Event},
    machine::Need,
    security::Security,
    testing::Driver,
    time::Instant,
    transcript::Entry,
};
use std::sync::{Arc, Mutex};

/// Returns the transcript of a client inside TLS to which the server sends `replies`, one at a time.
pub(crate) fn overhear(replies: &[&str], mut answer: impl FnMut(Event<'_>)) -> String {
    let heard = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&heard);
    let client = Client::new(Config::new("me.example.org").unwrap(), Security::TLS)
        .with_transcript(Box::new(move |_: Instant, entry: Entry<'_>| {
            log.lock().unwrap().push_str(&format!("{entry}\n"));
        }));
    let mut driver = Driver::new(client);
    driver.exchange("", &mut answer);
    for reply in replies {
        driver.exchange(reply, &mut answer);
    }
    assert_eq!(driver.need(), Need::Close);
    heard.lock().unwrap().clone()
}
