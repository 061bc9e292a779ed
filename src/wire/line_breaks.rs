//! The line breaks of content without dot-stuffing (RFC 3030).

use super::{
    dot::{BareLineBreaks, Span},
    scan::Scan,
};

/// Checks the line breaks of content that arrives in chunks, where a dot has no meaning.
///
/// It does for BDAT what [`Unstuffer`](super::Unstuffer) does for DATA, with equal results; the
/// count of octets determines the end of the content.
///
/// ```
/// use esmtp::wire::{BareLineBreaks, LineBreaks, Span};
///
/// let mut breaks = LineBreaks::new(BareLineBreaks::Reject);
/// assert_eq!(breaks.next(b".\r\na\nb"), Span::Content(4));
/// assert_eq!(breaks.next(b"\nb"), Span::Bare(4));
/// assert_eq!(breaks.next(b"\nb"), Span::Content(2));
/// assert_eq!(breaks.finish(), None);
/// ```
#[derive(Clone, Debug)]
pub struct LineBreaks {
    policy: BareLineBreaks,
    /// The last octet was a CR (with `Normalise`, one that was not passed on).
    is_after_cr: bool,
    /// Octets of content so far.
    offset: u64,
    rejects_nul: bool,
}

impl LineBreaks {
    /// Creates a checker for content that is about to begin.
    #[must_use]
    pub const fn new(policy: BareLineBreaks) -> Self {
        Self { policy, is_after_cr: false, offset: 0, rejects_nul: false }
    }

    /// Enables reports of a NUL, as [`Unstuffer::rejecting_nul`](super::Unstuffer::rejecting_nul) does.
    #[must_use]
    pub const fn rejecting_nul(mut self) -> Self {
        self.rejects_nul = true;
        self
    }

    /// Describes the front of `octets` of content, as [`Unstuffer::next`](super::Unstuffer::next)
    /// does.
    ///
    /// [`Span::LineBreak`] may cover no octet: the CR that it replaces was skipped before.
    #[must_use]
    pub fn next(&mut self, octets: &[u8]) -> Span {
        let (Some(first), is_after_cr) = (octets.first(), self.is_after_cr) else {
            return Span::Incomplete;
        };
        self.is_after_cr = false;
        let is_nul = self.rejects_nul && *first == 0;
        let content = match (self.policy, is_after_cr, octets) {
            (BareLineBreaks::Reject, true, [b'\n', ..]) => self.up_to_report(octets),
            (BareLineBreaks::Reject, true, _) => {
                return self.report(Span::Bare(self.offset.saturating_sub(1)));
            }
            (BareLineBreaks::Reject, false, [b'\n', ..]) => {
                return self.report(Span::Bare(self.offset));
            }
            (BareLineBreaks::Normalise, _, [b'\n', ..]) => return self.line_break(1),
            (BareLineBreaks::Normalise, true, _) => return self.line_break(0),
            (BareLineBreaks::Normalise, false, [b'\r']) => {
                self.is_after_cr = true;
                return Span::Skip(1);
            }
            (BareLineBreaks::Normalise, false, [b'\r', b'\n', ..]) => self.up_to_report(octets),
            (BareLineBreaks::Normalise, false, [b'\r', ..]) => return self.line_break(1),
            _ if is_nul => return self.report(Span::Nul(self.offset)),
            _ => self.up_to_report(octets),
        };
        let content = match content {
            [whole @ .., b'\r'] if self.policy == BareLineBreaks::Normalise => whole,
            [.., b'\r'] => {
                self.is_after_cr = true;
                content
            }
            _ => content,
        };
        self.offset = self.offset.saturating_add(content.len() as u64);
        Span::Content(content.len())
    }

    /// Ends the content; returns the description of a CR at its end, if there is one.
    #[must_use]
    pub fn finish(&mut self) -> Option<Span> {
        let is_after_cr = core::mem::take(&mut self.is_after_cr);
        match self.policy {
            BareLineBreaks::Reject if is_after_cr => {
                Some(self.report(Span::Bare(self.offset.saturating_sub(1))))
            }
            BareLineBreaks::Normalise if is_after_cr => Some(Span::LineBreak(0)),
            _ => None,
        }
    }

    const fn line_break(&mut self, octets: usize) -> Span {
        self.offset = self.offset.saturating_add(2);
        Span::LineBreak(octets)
    }

    /// Reports only once: later bare line breaks are kept.
    const fn report(&mut self, span: Span) -> Span {
        if matches!(self.policy, BareLineBreaks::Reject) {
            self.policy = BareLineBreaks::Keep;
        }
        self.rejects_nul = false;
        span
    }

    /// Returns the octets before the first that has to be reported or normalised.
    fn up_to_report<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        let at = match (self.policy, self.rejects_nul) {
            (BareLineBreaks::Keep, false) => None,
            (BareLineBreaks::Keep, true) => memchr::memchr(0, octets),
            (_, false) => Self::first::<false>(octets),
            (_, true) => Self::first::<true>(octets),
        };
        at.and_then(|at| octets.get(..at)).unwrap_or(octets)
    }

    /// Returns the offset of the first octet that is a bare LF, reveals a bare CR or is a NUL; a
    /// dot is not one of them.
    fn first<const NUL: bool>(octets: &[u8]) -> Option<usize> {
        let mut scan = Scan::<true, NUL>::new();
        core::iter::from_fn(|| scan.next(octets)).find(|at| {
            octets.get(*at) != Some(&b'.') || octets.get(at.saturating_sub(1)) == Some(&b'\r')
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    /// Computes content and first report octet by octet.
    fn reference(
        input: &[u8],
        policy: BareLineBreaks,
        rejects_nul: bool,
    ) -> (Vec<u8>, Option<Span>) {
        let (mut content, mut report) = (Vec::new(), None);
        for (at, octet) in input.iter().enumerate() {
            let is_bare = match octet {
                b'\r' => input.get(at + 1) != Some(&b'\n'),
                b'\n' => at == 0 || input[at - 1] != b'\r',
                _ => false,
            };
            if is_bare && policy == BareLineBreaks::Reject {
                report = report.or(Some(Span::Bare(content.len() as u64)));
            } else if *octet == 0 && rejects_nul {
                report = report.or(Some(Span::Nul(content.len() as u64)));
            }
            match policy {
                BareLineBreaks::Normalise if is_bare => content.extend_from_slice(b"\r\n"),
                _ => content.push(*octet),
            }
        }
        (content, report)
    }

    fn run(input: &[u8], cuts: u32, mut breaks: LineBreaks) -> (Vec<u8>, Option<Span>) {
        let (mut content, mut report) = (Vec::new(), None);
        let mut take = |span, rest: &mut &[u8]| {
            let covered = match span {
                Span::Content(octets) => {
                    content.extend_from_slice(&rest[..octets]);
                    octets
                }
                Span::LineBreak(octets) => {
                    content.extend_from_slice(b"\r\n");
                    octets
                }
                Span::Skip(octets) => octets,
                Span::Bare(_) | Span::Nul(_) => {
                    assert_eq!(report.replace(span), None);
                    0
                }
                Span::End(_) | Span::Incomplete => panic!("{span:?}"),
            };
            *rest = &rest[covered..];
        };
        let mut pieces = vec![vec![]];
        for (at, octet) in input.iter().enumerate() {
            pieces.last_mut().unwrap().push(*octet);
            if cuts >> at & 1 == 1 {
                pieces.push(vec![]);
            }
        }
        for piece in &pieces {
            let mut rest = &piece[..];
            while !rest.is_empty() {
                take(breaks.next(rest), &mut rest);
            }
        }
        while let Some(span) = breaks.finish() {
            take(span, &mut &[][..]);
        }
        (content, report)
    }

    #[test]
    fn any_cutting_gives_what_the_reference_gives() {
        let alphabet = [b'\r', b'\n', b'.', 0];
        for length in 0..=5_u32 {
            for number in 0..4_usize.pow(length) {
                let input: Vec<u8> =
                    (0..length).map(|place| alphabet[number >> (2 * place) & 3]).collect();
                for policy in
                    [BareLineBreaks::Reject, BareLineBreaks::Normalise, BareLineBreaks::Keep]
                {
                    for rejects_nul in [false, true] {
                        let expected = reference(&input, policy, rejects_nul);
                        let mut breaks = LineBreaks::new(policy);
                        breaks.rejects_nul = rejects_nul;
                        for cuts in 0..1 << length {
                            let outcome = run(&input, cuts, breaks.clone());
                            assert_eq!(outcome, expected, "{input:?} {cuts:b}");
                        }
                    }
                }
            }
        }
    }
}
