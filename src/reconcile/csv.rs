//! Records of a CSV file (RFC 4180), with the number of the line on which each begins. Forgives line
//! ends without a carriage return and blank lines; what is not CSV is named, and never mended.

/// A record that is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Counts from 1.
    pub(super) line: usize,
    pub(super) fields: Vec<String>,
}

/// A record that is not CSV: its line, and what is wrong.
pub(super) type Malformed = (usize, &'static str);

/// Reads what follows a byte order mark, if there is one.
pub(super) fn records(text: &str) -> Records<'_> {
    Records { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 }
}

#[derive(Debug)]
pub(super) struct Records<'a> {
    rest: &'a str,
    line: usize,
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let line = self.line;
            match self.record() {
                Ok(fields) if fields.iter().all(String::is_empty) && fields.len() == 1 => {}
                Ok(fields) => return Some(Ok(Record { line, fields })),
                Err(what) => {
                    self.skip_line();
                    return Some(Err((line, what)));
                }
            }
        }
        None
    }
}

impl<'a> Records<'a> {
    fn record(&mut self) -> Result<Vec<String>, &'static str> {
        let mut fields = Vec::new();
        loop {
            fields.push(match self.rest.strip_prefix('"') {
                Some(inside) => self.quoted(inside)?,
                None => self.plain()?.to_owned(),
            });
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            let ended = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n'));
            if let Some(rest) = ended {
                (self.rest, self.line) = (rest, self.line + 1);
                return Ok(fields);
            }
            if matches!(self.rest, "" | "\r") {
                self.rest = "";
                return Ok(fields);
            }
            return Err("a quoted field is followed by something else than a comma");
        }
    }

    fn plain(&mut self) -> Result<&'a str, &'static str> {
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        let ends_line = !rest.starts_with(',');
        let field = if ends_line { field.strip_suffix('\r').unwrap_or(field) } else { field };
        if field.contains('"') {
            return Err("a quote stands inside a field that is not quoted");
        }
        self.rest = &self.rest[field.len()..];
        Ok(field)
    }

    /// `inside` begins after the opening quote.
    fn quoted(&mut self, mut inside: &'a str) -> Result<String, &'static str> {
        let mut field = String::new();
        loop {
            let Some((piece, rest)) = inside.split_once('"') else {
                self.rest = "";
                return Err("a quoted field is never closed");
            };
            field.push_str(piece);
            self.line += piece.matches('\n').count();
            match rest.strip_prefix('"') {
                Some(rest) => {
                    field.push('"');
                    inside = rest;
                }
                None => {
                    self.rest = rest;
                    return Ok(field);
                }
            }
        }
    }

    fn skip_line(&mut self) {
        match self.rest.split_once('\n') {
            Some((_, rest)) => (self.rest, self.line) = (rest, self.line + 1),
            None => self.rest = "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<Result<(usize, Vec<String>), Malformed>> {
        records(text).map(|one| one.map(|record| (record.line, record.fields))).collect()
    }

    fn fields(line: usize, fields: &[&str]) -> Result<(usize, Vec<String>), Malformed> {
        Ok((line, fields.iter().map(|field| (*field).to_owned()).collect()))
    }

    #[test]
    fn quotes_hold_commas_quotes_and_line_ends() {
        let text =
            "\u{feff}a,b\r\n\"1,000\",\"he said \"\"no\"\"\"\n\r\n\"two\nlines\",x\nlast,\"\"";
        assert_eq!(
            read(text),
            [
                fields(1, &["a", "b"]),
                fields(2, &["1,000", "he said \"no\""]),
                fields(4, &["two\nlines", "x"]),
                fields(6, &["last", ""]),
            ]
        );
    }

    #[test]
    fn what_is_not_csv_is_named_with_its_line_and_the_rest_is_read() {
        let text = "a,b\n\"x\"y,1\nin\"side,2\nfine,3\n\"open,4\n";
        let read = read(text);
        assert_eq!(read[0], fields(1, &["a", "b"]));
        assert!(matches!(read[1], Err((2, _))), "{read:?}");
        assert!(matches!(read[2], Err((3, _))), "{read:?}");
        assert_eq!(read[3], fields(4, &["fine", "3"]));
        assert!(matches!(read[4], Err((5, what)) if what.contains("never closed")), "{read:?}");
        assert_eq!(read.len(), 5);
    }

    proptest! {
        #[test]
        fn what_is_written_by_the_rules_is_read_back(
            table in prop::collection::vec(prop::collection::vec("[a-c,\"\r\n €]{0,6}", 1..5), 0..8),
            crlf in any::<bool>(),
            last in any::<bool>(),
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let quote = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let rows: Vec<String> =
                table.iter().map(|row| row.iter().map(quote).collect::<Vec<_>>().join(",")).collect();
            let text = rows.join(end) + if last { end } else { "" };
            let kept = table.into_iter().filter(|row| *row != [String::new()]);
            let read: Result<Vec<_>, _> = records(&text).map(|one| one.map(|one| one.fields)).collect();
            prop_assert_eq!(read.unwrap(), kept.collect::<Vec<_>>());
        }

        #[test]
        fn plain_fields_need_no_quotes(table in prop::collection::vec(
            prop::collection::vec("[a-z0-9.]{1,6}", 1..5), 1..8),
        ) {
            let text: String = table.iter().map(|row| row.join(",") + "\n").collect();
            let read: Result<Vec<_>, _> = records(&text).map(|one| one.map(|one| one.fields)).collect();
            prop_assert_eq!(read.unwrap(), table);
        }

        #[test]
        fn no_text_is_too_odd_and_lines_rise(text in "[a,\"\r\n]{0,40}") {
            let lines: Vec<usize> = records(&text)
                .map(|one| one.map_or_else(|(line, _)| line, |record| record.line))
                .collect();
            prop_assert!(lines.is_sorted_by(|a, b| a < b), "{lines:?}");
            prop_assert!(lines.last().is_none_or(|last| *last <= text.matches('\n').count() + 1));
        }
    }
}
