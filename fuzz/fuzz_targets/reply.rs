//! Any octets: no panic; a reply is whole exactly once; what parses is encoded as a reply that means the same; an EHLO list
//! takes no more memory than it came with, and is announced again as it was.
//!
//! Input: what a server says.

#![no_main]

use esmtp::syntax::{Code, Extensions, Reply, Text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Ok(Some((reply, taken))) = Reply::parse(octets) else { return };
    assert!(taken <= octets.len() && octets[..taken].ends_with(b"\r\n"));
    // the fewer octets have arrived, the less is known: never another reply, never too early
    for arrived in 0..taken.min(600) {
        if let Ok(Some((_, early))) = Reply::parse(&octets[..arrived]) {
            panic!("a reply of {early} octets within one of {taken}");
        }
    }
    let lines = octets[..taken].split_inclusive(|octet| *octet == b'\n');
    let last = lines.clone().count();
    for (number, line) in lines.enumerate() {
        assert_eq!(Reply::is_last_line(line), number + 1 == last);
    }
    let mut encoded = Vec::new();
    reply.encode(&mut encoded);
    for line in encoded.split_inclusive(|octet| *octet == b'\n') {
        let is_short = line.len() <= 512 || reply.code() == Code::AUTH_CHALLENGE;
        assert!(line.ends_with(b"\r\n") && is_short, "{}", line.escape_ascii());
        assert!(!line[..line.len() - 2].contains(&b'\r') && !line.contains(&0));
    }
    let (again, all) = Reply::parse(&encoded).expect("right").expect("whole");
    assert_eq!(all, encoded.len());
    assert_eq!((again.code(), again.status()), (reply.code(), reply.status()));
    // what no text may hold is replaced; nothing else is lost
    let text = |reply: &Reply<'_>| {
        let line = |line| Text::lossy(&String::from_utf8_lossy(line)).as_str().to_owned();
        reply.lines().map(line).collect::<String>()
    };
    assert_eq!(text(&again), text(&reply), "wrapping loses nothing");
    let mut twice = Vec::new();
    again.encode(&mut twice);
    assert_eq!(twice, encoded, "encoding is stable");
    assert!(!reply.to_string().chars().any(char::is_control));
    assert_eq!(reply.clone().into_owned(), reply);
    let _ = reply.retry();

    let extensions = Extensions::parse(&reply);
    let announced: Vec<_> = extensions.lines().collect();
    assert!(announced.iter().map(|line| line.len()).sum::<usize>() <= 2 * taken);
    let lines = announced.iter().map(|line| &**line);
    assert_eq!(Extensions::from_lines(lines).expect("lines"), extensions);
    let _ = (extensions.limits(), extensions.deliver_by_minimum(), extensions.future_release());
    let _ =
        (extensions.no_soliciting(), extensions.mt_priority_profile(), extensions.burl().count());
    let _ = (
        extensions.xclient().count(),
        extensions.xforward().count(),
        extensions.mechanisms().count(),
    );
});
