//! Where the frames of a WebSocket end (RFC 6455, section 5.2), so that something can be said between two of them.

/// A Close frame of a server that goes away (RFC 6455, sections 5.5.1 and 7.4.1: 1001).
pub(crate) const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xE9];

/// Follows the frames of one side as their bytes pass.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What has come of the head of a frame that is not whole yet: 14 bytes at most.
    head: Vec<u8>,
    /// How many bytes of the payload are still to come.
    left: u64,
}

impl Frames {
    /// Bytes pass. Gives how many of them there are up to the first end of a frame, if one ends among them.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut first_end = None;
        let mut at = 0_usize;
        while at < bytes.len() {
            if self.left > 0 {
                let here = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(self.left);
                self.left -= here;
                at = at.saturating_add(usize::try_from(here).unwrap_or(usize::MAX));
            } else {
                self.head.extend(bytes.get(at));
                at += 1;
                let Some(payload) = payload(&self.head) else { continue };
                self.head.clear();
                self.left = payload;
            }
            if self.is_between() {
                first_end.get_or_insert(at);
            }
        }
        first_end
    }

    /// Whether no frame is begun.
    pub(crate) fn is_between(&self) -> bool {
        self.left == 0 && self.head.is_empty()
    }
}

/// The length of a frame's payload, when its head is whole.
fn payload(head: &[u8]) -> Option<u64> {
    let [_, second, rest @ ..] = head else { return None };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (width, short) = match second & 0x7F {
        126 => (2, None),
        127 => (8, None),
        short => (0, Some(u64::from(short))),
    };
    if rest.len() < width + mask {
        return None;
    }
    let long = rest.iter().take(width).fold(0_u64, |length, byte| (length << 8) | u64::from(*byte));
    Some(short.unwrap_or(long))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with a payload of this length.
    fn frame(length: u64, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match length {
            0..=125 => frame.push(u8::try_from(length).unwrap() | mask),
            126..=65_535 => {
                frame.push(126 | mask);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(127 | mask);
                frame.extend(length.to_be_bytes());
            }
        }
        if masked {
            frame.extend([1, 2, 3, 4]);
        }
        frame.extend(vec![0xFF; usize::try_from(length).unwrap()]);
        frame
    }

    #[test]
    fn ends_are_found_however_the_bytes_come() {
        for masked in [false, true] {
            for length in [0, 1, 125, 126, 300, 65_535, 65_536, 70_000] {
                let bytes = frame(length, masked);
                for piece in [1, 3, 1_000, bytes.len()] {
                    let mut frames = Frames::default();
                    let mut seen = 0;
                    for piece in bytes.chunks(piece) {
                        seen += piece.len();
                        assert_eq!(frames.pass(piece).is_some(), seen == bytes.len(), "{length} {masked}");
                        assert_eq!(frames.is_between(), seen == bytes.len(), "{length} {masked}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_first_end_is_given() {
        let mut bytes = frame(5, false);
        let first = bytes.len();
        bytes.extend(frame(9, false));
        bytes.extend([0x81]);
        let mut frames = Frames::default();
        assert_eq!(frames.pass(&bytes), Some(first));
        assert!(!frames.is_between());
        assert_eq!(frames.pass(&[0x00]), Some(1));
    }

    #[test]
    fn the_last_words_are_a_frame() {
        assert_eq!(Frames::default().pass(&GOING_AWAY), Some(4));
    }
}
