//! Lines of commands and replies (RFC 5321 section 2.3.8).

/// Cuts lines at CRLF and nothing else, remembering where it stopped looking.
///
/// A lone CR or LF is an ordinary octet of the line, for the parser to reject: a line that one
/// program cuts where another does not permits command smuggling.
///
/// A line longer than the limit is discarded in pieces as it arrives, so it needs no more memory
/// than the limit, and no part of it is ever parsed as a line of its own.
///
/// ```
/// use esmtp::wire::{Cut, LineCutter};
///
/// let mut lines = LineCutter::default();
/// assert_eq!(lines.cut(b"NO", 512), Cut::Incomplete);
/// assert_eq!(lines.cut(b"NOOP\r", 512), Cut::Incomplete);
/// assert_eq!(lines.cut(b"NOOP\r\nQUIT\r\n", 512), Cut::Line(6));
/// ```
#[derive(Clone, Debug, Default)]
pub struct LineCutter {
    /// Octets of the current line that contain no line end.
    looked: u32,
    /// The current line has exceeded the limit and is being discarded.
    is_skipping: bool,
}

/// A description of the octets at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A whole line of `n` octets with its CRLF. The caller consumes them.
    Line(usize),
    /// No whole line yet; nothing to consume.
    Incomplete,
    /// The line is longer than the limit: its first `n` octets are to be discarded, and more will
    /// come.
    Skip(usize),
    /// The last `n` octets of a line that was longer than the limit. The caller consumes them.
    TooLong(usize),
}

impl LineCutter {
    /// A cutter that has seen nothing.
    pub(crate) const NEW: Self = Self { looked: 0, is_skipping: false };

    /// Looks at `octets`, which are all that is unconsumed.
    ///
    /// `limit` counts the octets of a line with its CRLF; the caller's buffer must have room for
    /// them. The caller consumes the described octets before the next call. No octet is examined
    /// twice when they arrive one at a time.
    pub fn cut(&mut self, octets: &[u8], limit: usize) -> Cut {
        if let Some(end) = self.line_end(octets) {
            let was_skipping = core::mem::take(&mut self.is_skipping);
            self.looked = 0;
            return if was_skipping || end > limit { Cut::TooLong(end) } else { Cut::Line(end) };
        }
        if !self.is_skipping && octets.len() < limit {
            return Cut::Incomplete;
        }
        self.is_skipping = true;
        // A CR at the end stays: its LF may be the next octet.
        let skipped = octets.len() - usize::from(octets.ends_with(b"\r"));
        self.looked = 0;
        if skipped == 0 { Cut::Incomplete } else { Cut::Skip(skipped) }
    }

    /// Returns whether the next octet begins a line, and is not inside one that is too long.
    #[must_use]
    pub const fn is_at_front(&self) -> bool {
        !self.is_skipping
    }

    /// Returns the offset after the CRLF of the first line of `octets`.
    fn line_end(&mut self, octets: &[u8]) -> Option<usize> {
        while let Some(at) =
            memchr::memchr(b'\n', octets.get(self.looked as usize..).unwrap_or_default())
        {
            let lf = self.looked as usize + at;
            self.looked = u32::try_from(lf + 1).unwrap_or(u32::MAX);
            if octets.get(..lf).is_some_and(|line| line.ends_with(b"\r")) {
                return Some(lf + 1);
            }
        }
        // Beyond four gigabytes octets are looked at again.
        self.looked = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    /// Returns the lines of `input` when it arrives cut after each octet whose bit is set in
    /// `cuts`; `None` for a line that was too long.
    fn lines(input: &[u8], limit: usize, cuts: u32) -> Vec<Option<Vec<u8>>> {
        let mut cutter = LineCutter::default();
        let mut held = Vec::new();
        let mut lines = vec![];
        for (index, octet) in input.iter().enumerate() {
            held.push(*octet);
            if cuts & (1 << index) == 0 && index + 1 < input.len() {
                continue;
            }
            loop {
                match cutter.cut(&held, limit) {
                    Cut::Line(octets) => {
                        lines.push(Some(held.drain(..octets).collect()));
                    }
                    Cut::TooLong(octets) => {
                        held.drain(..octets);
                        lines.push(None);
                    }
                    Cut::Skip(octets) => {
                        assert!(octets > 0);
                        held.drain(..octets);
                    }
                    Cut::Incomplete => break,
                }
            }
            assert!(held.len() < limit.max(2), "{held:?} is held");
        }
        lines
    }

    #[test]
    fn only_crlf_ends_a_line() {
        let all = lines(b"a\nb\rc\r\r\n\n\r\n\r\n", 99, 0);
        let expected: [&[u8]; 3] = [b"a\nb\rc\r\r\n", b"\n\r\n", b"\r\n"];
        assert_eq!(all, expected.map(|line| Some(line.to_vec())));
    }

    #[test]
    fn a_line_of_the_very_limit_is_a_line_and_one_octet_more_is_not() {
        for cuts in 0..1 << 6 {
            assert_eq!(lines(b"abcd\r\n", 6, cuts), [Some(b"abcd\r\n".to_vec())]);
            assert_eq!(lines(b"abcd\r\n", 5, cuts), [None], "{cuts:b}");
        }
    }

    #[test]
    fn every_cutting_of_every_short_input_gives_the_same_lines() {
        for length in 0..=7_u32 {
            for mut number in 0..3_u32.pow(length) {
                let input: Vec<u8> = (0..length)
                    .map(|_| {
                        let octet = b"\r\na"[(number % 3) as usize];
                        number /= 3;
                        octet
                    })
                    .collect();
                let mut rest = &input[..];
                let mut expected = vec![];
                while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
                    let (line, behind) = rest.split_at(at + 2);
                    expected.push((line.len() <= 4).then(|| line.to_vec()));
                    rest = behind;
                }
                for cuts in 0..1_u32 << length.saturating_sub(1) {
                    assert_eq!(lines(&input, 4, cuts), expected, "{input:?} {cuts:b}");
                }
            }
        }
    }

    #[test]
    fn the_tail_of_a_line_that_is_too_long_is_no_line() {
        for cuts in 0..1_u32 << 19 {
            let got = lines(b"aaaaaaaaNOOP\r\nb\r\nQUIT", 6, cuts << 1);
            assert_eq!(got, [None, Some(b"b\r\n".to_vec())]);
        }
    }

    #[test]
    fn what_was_looked_at_is_not_looked_at_again() {
        let mut cutter = LineCutter::default();
        assert_eq!(cutter.cut(b"a\r\n", 9), Cut::Line(3));
        assert_eq!(cutter.cut(b"abc", 9), Cut::Incomplete);
        // Examining the front again would find the CRLF in it.
        assert_eq!(cutter.cut(b"\r\ncd\r\n", 9), Cut::Line(6));
    }
}
