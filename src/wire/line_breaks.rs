//! The line breaks of content that has no dots in it (RFC 3030).

use super::{
    dot::{BareLineBreaks, Span},
    scan::Decisions,
};

/// Watches over the line breaks of content that comes in chunks, where no dot means anything.
///
/// It is to BDAT what [`Unstuffer`](super::Unstuffer) is to DATA, and answers in the same way;
/// where the content ends is for the count of octets to say.
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
    /// The last octet was a CR (with `Normalise`, one that has not been lent).
    is_after_cr: bool,
    /// Octets of content so far.
    offset: u64,
}

impl LineBreaks {
    /// For content that is about to begin.
    #[must_use]
    pub const fn new(policy: BareLineBreaks) -> Self {
        Self { policy, is_after_cr: false, offset: 0 }
    }

    /// Looks at `octets` of content, as [`Unstuffer::next`](super::Unstuffer::next) does.
    ///
    /// [`Span::LineBreak`] may cover no octet: the CR that it stands for was skipped before.
    #[must_use]
    pub fn next(&mut self, octets: &[u8]) -> Span {
        let (Some(first), is_after_cr) = (octets.first(), self.is_after_cr) else {
            return Span::Incomplete;
        };
        self.is_after_cr = false;
        let content = match self.policy {
            BareLineBreaks::Keep => octets,
            BareLineBreaks::Reject => match (is_after_cr, first) {
                (true, b'\n') => Self::up_to_bare(octets),
                (true, _) => return self.report(self.offset.saturating_sub(1)),
                (false, b'\n') => return self.report(self.offset),
                (false, _) => Self::up_to_bare(octets),
            },
            BareLineBreaks::Normalise => match (is_after_cr, octets) {
                (true, [b'\n', ..]) | (false, [b'\n', ..]) => return Span::LineBreak(1),
                (true, _) => return Span::LineBreak(0),
                (false, [b'\r']) => {
                    self.is_after_cr = true;
                    return Span::Skip(1);
                }
                (false, [b'\r', b'\n', ..]) => Self::up_to_bare(octets),
                (false, [b'\r', ..]) => return Span::LineBreak(1),
                (false, _) => Self::up_to_bare(octets),
            },
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

    /// The content has ended: what a CR at its end comes to, if there is one.
    #[must_use]
    pub fn finish(&mut self) -> Option<Span> {
        let is_after_cr = core::mem::take(&mut self.is_after_cr);
        match self.policy {
            BareLineBreaks::Reject if is_after_cr => {
                Some(self.report(self.offset.saturating_sub(1)))
            }
            BareLineBreaks::Normalise if is_after_cr => Some(Span::LineBreak(0)),
            _ => None,
        }
    }

    /// Said once: what follows is cut as with `Keep`.
    const fn report(&mut self, offset: u64) -> Span {
        self.policy = BareLineBreaks::Keep;
        Span::Bare(offset)
    }

    /// The octets before the first that is a bare LF or tells of a bare CR.
    fn up_to_bare(octets: &[u8]) -> &[u8] {
        Decisions::<true>::new(octets)
            .find(|at| {
                octets.get(*at) != Some(&b'.') || octets.get(at.saturating_sub(1)) == Some(&b'\r')
            })
            .and_then(|at| octets.get(..at))
            .unwrap_or(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    /// Content and the offset of the first bare line break, octet by octet.
    fn reference(input: &[u8], policy: BareLineBreaks) -> (Vec<u8>, Option<u64>) {
        let (mut content, mut bare) = (Vec::new(), None);
        for (at, octet) in input.iter().enumerate() {
            let is_bare = match octet {
                b'\r' => input.get(at + 1) != Some(&b'\n'),
                b'\n' => at == 0 || input[at - 1] != b'\r',
                _ => false,
            };
            if is_bare && policy == BareLineBreaks::Reject {
                bare = bare.or(Some(at as u64));
            }
            match policy {
                BareLineBreaks::Normalise if is_bare => content.extend_from_slice(b"\r\n"),
                _ => content.push(*octet),
            }
        }
        (content, bare)
    }

    fn run(input: &[u8], cuts: u32, policy: BareLineBreaks) -> (Vec<u8>, Option<u64>) {
        let (mut content, mut bare) = (Vec::new(), None);
        let mut breaks = LineBreaks::new(policy);
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
                Span::Bare(at) => {
                    assert_eq!(bare.replace(at), None);
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
        (content, bare)
    }

    #[test]
    fn any_cutting_gives_what_the_reference_gives() {
        let alphabet = [b'\r', b'\n', b'.', b'a'];
        for length in 0..=5_u32 {
            for number in 0..4_usize.pow(length) {
                let input: Vec<u8> =
                    (0..length).map(|place| alphabet[number >> (2 * place) & 3]).collect();
                for policy in
                    [BareLineBreaks::Reject, BareLineBreaks::Normalise, BareLineBreaks::Keep]
                {
                    let expected = reference(&input, policy);
                    for cuts in 0..1 << length {
                        assert_eq!(run(&input, cuts, policy), expected, "{input:?} {cuts:b}");
                    }
                }
            }
        }
    }
}
