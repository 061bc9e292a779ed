//! Any valid value: what is encoded is one line (or the lines of one reply), and means the same when it is read.
//!
//! Input: what values are made of.

#![no_main]

use esmtp::syntax::{Command, Extensions, Lenience, Reply};
use libfuzzer_sys::arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let u = &mut Unstructured::new(octets);
    while !u.is_empty() {
        if let Ok(command) = Command::arbitrary(u) {
            let mut out = Vec::new();
            command.encode(&mut out);
            let line = out.strip_suffix(b"\r\n").expect("a line ends with CRLF");
            assert!(!line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)), "injection");
            assert_eq!(Command::parse(line, Lenience::default()).as_ref(), Ok(&command));
        }
        if let Ok(reply) = Reply::arbitrary(u) {
            let mut out = Vec::new();
            reply.encode(&mut out);
            let (again, taken) = Reply::parse(&out).expect("right").expect("whole");
            assert_eq!((&again, taken), (&reply, out.len()));
        }
        if let Ok(extensions) = Extensions::arbitrary(u) {
            let lines: Vec<_> = extensions.lines().collect();
            assert_eq!(
                Extensions::from_lines(lines.iter().map(|line| &**line)).as_ref(),
                Ok(&extensions)
            );
        }
    }
});
