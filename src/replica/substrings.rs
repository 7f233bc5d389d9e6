//! Which entries hold pieces of a value: by the octets that the pieces are made of, or by a
//! look at every key.

use super::error::Error;
use super::ids::Ids;
use super::keys;
use super::reader::Snapshot;
use crate::directory::attribute::AttributeId;
use crate::directory::filter::Substrings;
use crate::directory::schema;
use std::ops::Bound;

impl Snapshot {
    /// Entries that may have a matching value, and about `enough` of them, where that is
    /// given; the flag says whether all of them do.
    pub fn substrings(
        &self,
        attribute: AttributeId,
        pieces: &Substrings,
        enough: Option<usize>,
    ) -> Result<(Ids, bool), Error> {
        if let Substrings { initial: Some(initial), any, last: None } = pieces
            && any.is_empty()
        {
            return Ok((self.prefix(attribute, initial, enough)?, true));
        }
        let indexed = schema::standard().get(attribute).is_some_and(|a| a.substrings_index);
        let all = pieces.initial.iter().chain(&pieces.any).chain(&pieces.last);
        let grams = keys::grams_of_pieces(attribute, all.map(AsRef::as_ref));
        if !indexed || grams.is_empty() {
            return Ok((
                self.keys_matching(attribute, enough, &|key| pieces.match_key(key))?,
                true,
            ));
        }
        let mut counted = Vec::with_capacity(grams.len());
        for gram in grams {
            match self.tables.grams.count(&gram)? {
                0 => return Ok((Ids::default(), true)),
                count => counted.push((count, gram)),
            }
        }
        // The rarest few narrow the set nearly as well as all of them would.
        counted.sort_unstable();
        let mut found: Option<Ids> = None;
        for (_, gram) in counted.iter().take(4) {
            let set = self.tables.grams.get(gram)?;
            found = Some(match found {
                None => set,
                Some(found) => found.and(&set),
            });
        }
        Ok((found.unwrap_or_default(), false))
    }

    /// Entries with a value whose key satisfies `test`, and about `enough` of them, where that
    /// is given; looks at one distinct key after the other. Exact.
    pub fn keys_matching(
        &self,
        attribute: AttributeId,
        enough: Option<usize>,
        test: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Ids, Error> {
        let first = keys::equal(attribute, &[]);
        let behind = keys::after_prefix(&first);
        let from = Bound::Included(first.as_slice());
        let to = behind.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let test = |row: &[u8]| row.get(2..).is_some_and(test);
        match enough {
            Some(enough) => self.tables.equal.some(from, to, enough, &test),
            None => self.tables.equal.union(from, to, &test),
        }
    }
}
