//! Content with a counted length: the octets after a BDAT command (RFC 3030 section 2).

/// Counts the octets of one BDAT chunk.
///
/// ```
/// use esmtp::wire::Chunk;
///
/// let mut chunk = Chunk::new(5);
/// assert_eq!(chunk.span(b"abc"), 3);
/// chunk.consume(3);
/// assert_eq!(chunk.span(b"deQUIT\r\n"), 2);
/// chunk.consume(2);
/// assert!(chunk.is_complete());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    left: u64,
}

impl Chunk {
    /// Creates a chunk of `octets` octets; 0 is complete at once (`BDAT 0 LAST`).
    #[must_use]
    pub const fn new(octets: u64) -> Self {
        Self { left: octets }
    }

    /// Returns the number of octets of the chunk that were not consumed yet.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Returns whether all octets of the chunk were consumed.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// Returns how many of `octets`, from the front, belong to the chunk.
    #[must_use]
    pub fn span(&self, octets: &[u8]) -> usize {
        usize::try_from(self.left).map_or(octets.len(), |left| left.min(octets.len()))
    }

    /// Consumes this many octets of the chunk.
    pub const fn consume(&mut self, octets: usize) {
        self.left = self.left.saturating_sub(octets as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_takes_its_octets_and_no_more() {
        let mut chunk = Chunk::new(3);
        assert_eq!(chunk.span(b""), 0);
        assert_eq!(chunk.span(b"abcd"), 3);
        chunk.consume(1);
        assert_eq!((chunk.left(), chunk.span(b"bcd"), chunk.is_complete()), (2, 2, false));
        chunk.consume(2);
        assert_eq!((chunk.left(), chunk.span(b"d"), chunk.is_complete()), (0, 0, true));
    }

    #[test]
    fn an_empty_chunk_is_complete_and_an_immense_one_is_counted() {
        assert!(Chunk::new(0).is_complete());
        let mut chunk = Chunk::new(u64::MAX);
        assert_eq!(chunk.span(b"abc"), 3);
        chunk.consume(3);
        assert_eq!(chunk.left(), u64::MAX - 3);
    }
}
