//! Cuts a byte stream into frames: server-sent events and newline-delimited JSON. The cuts of the
//! transport do not matter: the same bytes give the same frames. It knows nothing of their content.

use super::StreamFault;

/// Longest frame accepted, in bytes.
const MAX_FRAME: usize = 8 * 1024 * 1024;

/// One event, without the blank line that ends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SseFrame<'a> {
    pub(super) raw: &'a [u8],
    /// The last `event:` field.
    pub(super) event: Option<&'a [u8]>,
    /// The `data:` fields, joined by newlines; `None` for a frame of comments.
    pub(super) data: Option<&'a [u8]>,
}

/// Splits server-sent events at blank lines; LF, CRLF and CR end a line.
#[derive(Debug, Default)]
pub(super) struct SseFrames {
    buffer: Vec<u8>,
    /// Start of the frame that is being read.
    start: usize,
    /// Start of its current line.
    line: usize,
    /// End of its last line with text, line ending excluded.
    text_end: usize,
    /// How far the search for line endings has come.
    scanned: usize,
    /// The last line ended in CR at the edge of what is known: a LF that follows belongs to it.
    skip_lf: bool,
    /// Data of a frame with several `data:` fields.
    joined: Vec<u8>,
}

impl SseFrames {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.line -= self.start;
            self.text_end = self.text_end.saturating_sub(self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(chunk);
    }

    /// The next complete frame.
    pub(super) fn next(&mut self) -> Result<Option<SseFrame<'_>>, StreamFault> {
        while self.scanned < self.buffer.len() {
            if std::mem::take(&mut self.skip_lf) && self.buffer[self.scanned] == b'\n' {
                self.scanned += 1;
                // The frame before it is gone: this byte is nobody's.
                if self.start == self.line {
                    self.start = self.scanned;
                }
                self.line = self.scanned;
                continue;
            }
            let rest = &self.buffer[self.scanned..];
            let Some(found) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.scanned = self.buffer.len();
                break;
            };
            let end = self.scanned + found;
            self.skip_lf = self.buffer[end] == b'\r';
            self.scanned = end + 1;
            let (start, empty) = (self.start, end == self.line);
            self.line = end + 1;
            if !empty {
                self.text_end = end;
            } else {
                self.start = end + 1;
                if self.text_end > start {
                    let range = start..std::mem::take(&mut self.text_end);
                    return self.frame(range).map(Some);
                }
            }
        }
        self.bounded(self.buffer.len() - self.start)?;
        Ok(None)
    }

    /// The frame that the end of the stream cut off before its blank line, if any.
    pub(super) fn rest(&mut self) -> Result<Option<SseFrame<'_>>, StreamFault> {
        let range = self.start..if self.line < self.buffer.len() {
            self.buffer.len()
        } else {
            self.text_end.max(self.start)
        };
        self.start = self.buffer.len();
        self.line = self.start;
        self.scanned = self.start;
        if range.is_empty() { Ok(None) } else { self.frame(range).map(Some) }
    }

    fn bounded(&self, length: usize) -> Result<(), StreamFault> {
        if length > MAX_FRAME {
            return Err(StreamFault::Broken(format!(
                "the upstream sent an event longer than {MAX_FRAME} bytes"
            )));
        }
        Ok(())
    }

    fn frame(&mut self, range: std::ops::Range<usize>) -> Result<SseFrame<'_>, StreamFault> {
        self.bounded(range.len())?;
        let raw = &self.buffer[range];
        let (mut event, mut data, mut several) = (None, None, false);
        self.joined.clear();
        for line in lines(raw) {
            if let Some(value) = field(line, b"data") {
                if let Some(first) = data {
                    if !several {
                        self.joined.extend_from_slice(first);
                    }
                    several = true;
                    self.joined.push(b'\n');
                    self.joined.extend_from_slice(value);
                } else {
                    data = Some(value);
                }
            } else if let Some(value) = field(line, b"event") {
                event = Some(value);
            }
        }
        let data = if several { Some(&self.joined[..]) } else { data };
        Ok(SseFrame { raw, event, data })
    }
}

fn lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    // A CRLF gives one empty line more, which holds no field.
    raw.split(|byte| matches!(byte, b'\n' | b'\r'))
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// Splits newline-delimited JSON; empty lines are left out.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    start: usize,
    scanned: usize,
}

impl Lines {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(chunk);
    }

    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, StreamFault> {
        while let Some(found) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') {
            let range = self.start..self.scanned + found;
            self.start = range.end + 1;
            self.scanned = self.start;
            self.bounded(range.len())?;
            if !self.buffer[range.clone()].trim_ascii().is_empty() {
                return Ok(Some(self.buffer[range].trim_ascii()));
            }
        }
        self.scanned = self.buffer.len();
        self.bounded(self.buffer.len() - self.start)?;
        Ok(None)
    }

    /// What stands after the last newline.
    pub(super) fn rest(&mut self) -> Option<&[u8]> {
        let line = self.buffer[self.start..].trim_ascii();
        self.start = self.buffer.len();
        self.scanned = self.start;
        (!line.is_empty()).then_some(line)
    }

    fn bounded(&self, length: usize) -> Result<(), StreamFault> {
        if length > MAX_FRAME {
            return Err(StreamFault::Broken(format!(
                "the upstream sent a line longer than {MAX_FRAME} bytes"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    type Owned = (String, Option<String>, Option<String>);

    fn all(chunks: &[&[u8]]) -> Vec<Owned> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let owned = |f: SseFrame<'_>| (text(f.raw), f.event.map(text), f.data.map(text));
        let (mut frames, mut seen) = (SseFrames::default(), Vec::new());
        for chunk in chunks {
            frames.push(chunk);
            while let Some(frame) = frames.next().unwrap() {
                seen.push(owned(frame));
            }
        }
        seen.extend(frames.rest().unwrap().map(owned));
        seen
    }

    fn data(bytes: &[u8]) -> Vec<String> {
        all(&[bytes]).into_iter().filter_map(|frame| frame.2).collect()
    }

    #[rstest]
    #[case::line_feeds(b"data: a\n\ndata: b\n\n")]
    #[case::carriage_returns_and_line_feeds(b"data: a\r\n\r\ndata: b\r\n\r\n")]
    #[case::carriage_returns(b"data: a\r\rdata: b\r\r")]
    #[case::no_space_after_the_colon(b"data:a\n\ndata:b\n\n")]
    #[case::blank_lines_in_plenty(b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n")]
    #[case::comments_and_other_fields(b": hello\n\nid: 1\ndata: a\nretry: 5\n\n:x\ndata: b\n\n")]
    #[case::no_blank_line_at_the_end(b"data: a\n\ndata: b\n")]
    #[case::no_line_ending_at_the_end(b"data: a\n\ndata: b")]
    #[case::a_byte_order_mark(b"\xef\xbb\xbfdata: a\n\ndata: b\n\n")]
    fn data_is_found_in(#[case] bytes: &[u8]) {
        assert_eq!(data(bytes), ["a", "b"]);
    }

    #[test]
    fn several_data_lines_are_joined_and_the_event_is_named() {
        assert_eq!(
            all(&[b"event: x\r\ndata: {\"a\":\r\ndata:  1}\r\n\r\n"]),
            [(
                "event: x\r\ndata: {\"a\":\r\ndata:  1}".to_owned(),
                Some("x".to_owned()),
                Some("{\"a\":\n 1}".to_owned())
            )]
        );
    }

    #[test]
    fn a_frame_without_end_is_refused_at_the_bound() {
        let mut frames = SseFrames::default();
        frames.push(b"data: ");
        frames.push(&vec![b'x'; MAX_FRAME]);
        assert!(frames.next().is_err());
    }

    #[test]
    fn lines_are_cut_at_newlines_and_the_last_needs_none() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for chunk in ["{\"a\"", ":1}\r\n\n{\"b\":2}\n{\"c\"", ":3}"] {
            lines.push(chunk.as_bytes());
            while let Some(line) = lines.next().unwrap() {
                seen.push(String::from_utf8(line.to_vec()).unwrap());
            }
        }
        seen.extend(lines.rest().map(|line| String::from_utf8(line.to_vec()).unwrap()));
        assert_eq!(seen, ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
    }

    proptest! {
        #[test]
        fn the_cuts_of_the_transport_do_not_matter(
            bytes in "(data: [a-zé]{0,3}|: c|event: e|\r|\n|\r\n|\n\n){0,24}",
            cuts in prop::collection::vec(0_usize..200, 0..8),
        ) {
            let bytes = bytes.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(all(&chunks), all(&[bytes]));
        }
    }
}
