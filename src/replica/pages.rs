//! Staged pages: what was received of a round that is not complete. They lie compressed, to
//! a fifth or less: a page of JSON says the same names two hundred times.

use super::error::Error;
use super::reader::Snapshot;
use super::writer::Transaction;
use crate::directory::kind::Kind;

/// First octet of a compressed page; the length (four octets, little-endian) and an LZ4 block
/// follow. Earlier versions kept the JSON text itself, which starts otherwise.
const LZ4: u8 = 1;
/// Longer than any page can be: a length beyond it is damage.
const LONGEST: usize = 1 << 30;

fn compress(body: &[u8]) -> Vec<u8> {
    let mut row = vec![LZ4];
    row.extend(lz4_flex::compress_prepend_size(body));
    row
}

fn decompress(row: &[u8]) -> Result<Vec<u8>, Error> {
    let damaged = || Error::Damaged("a staged page");
    match row.split_first() {
        Some((&LZ4, block)) => {
            let (len, block) = lz4_flex::block::uncompressed_size(block).map_err(|_| damaged())?;
            if len > LONGEST {
                return Err(damaged());
            }
            lz4_flex::decompress(block, len).map_err(|_| damaged())
        }
        _ => Ok(row.to_vec()),
    }
}

impl Transaction<'_> {
    /// Stages a page of a round behind those already there.
    pub fn stage(
        &mut self,
        connection: u16,
        kind: Kind,
        page: u32,
        body: &[u8],
    ) -> Result<(), Error> {
        let row = compress(body);
        self.tables.pages.insert((connection, kind as u8, page), row.as_slice())?;
        Ok(())
    }

    /// A staged page.
    pub fn staged(&self, connection: u16, kind: Kind, page: u32) -> Result<Option<Vec<u8>>, Error> {
        use redb::ReadableTable;
        let row = self.tables.pages.get((connection, kind as u8, page))?;
        row.map(|row| decompress(row.value())).transpose()
    }

    /// Drops all staged pages of a stream.
    pub fn unstage(&mut self, connection: u16, kind: Kind) -> Result<(), Error> {
        let range = (connection, kind as u8, 0)..=(connection, kind as u8, u32::MAX);
        self.tables.pages.retain_in::<(u16, u8, u32), _>(range, |_, _| false)?;
        Ok(())
    }
}

impl Snapshot {
    /// A staged page.
    pub fn staged(&self, connection: u16, kind: Kind, page: u32) -> Result<Option<Vec<u8>>, Error> {
        let row = self.tables.pages.get((connection, kind as u8, page))?;
        row.map(|row| decompress(row.value())).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_kept_as_it_came_and_takes_a_fraction() {
        let body = br#"{"id":"1","displayName":"Somebody"},"#.repeat(200);
        let row = compress(&body);
        assert!(row.len() < body.len() / 5, "{}", row.len());
        assert_eq!(decompress(&row).unwrap(), body);
        assert_eq!(decompress(&compress(b"")).unwrap(), b"");
    }

    #[test]
    fn a_page_that_an_earlier_version_staged_is_read() {
        assert_eq!(decompress(b"{\"value\":[]}").unwrap(), b"{\"value\":[]}");
        assert_eq!(decompress(b" {}").unwrap(), b" {}");
    }

    #[test]
    fn a_damaged_page_is_an_error() {
        let row = compress(&[7; 1000]);
        for row in [&row[..row.len() - 1], &row[..3], &[LZ4, 0xff, 0xff, 0xff, 0xff, 0]] {
            assert!(matches!(decompress(row), Err(Error::Damaged(_))), "{row:?}");
        }
    }
}
