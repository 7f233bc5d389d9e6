//! An attribute of the schema in an answer: what stands before its values is always the
//! same, but for two lengths. Pure: no I/O, no clock.

use super::encoding::{partial_attribute, push_attribute};
use super::set::Set;
use crate::directory::attribute::AttributeId;
use crate::directory::schema;
use std::sync::OnceLock;

/// Longer ones are written step by step. A number that the compiler knows makes the copy a
/// few instructions instead of a call.
const LONGEST: usize = 48;

/// The octets of a `PartialAttribute` before its values, should they be this few, with
/// lengths in one octet each.
struct Frame {
    octets: [u8; LONGEST],
    len: usize,
    name: &'static str,
}

impl Frame {
    fn new(name: &'static str) -> Self {
        let all = partial_attribute(name, &[]);
        let mut octets = [0; LONGEST];
        let len = octets.get_mut(..all.len()).map_or(0, |octets| {
            octets.copy_from_slice(&all);
            all.len()
        });
        Frame { octets, len, name }
    }
}

/// What stands before the values of each attribute, by its number.
pub struct Frames(Vec<Frame>);

/// Those of the schema.
pub fn frames() -> &'static Frames {
    static FRAMES: OnceLock<Frames> = OnceLock::new();
    FRAMES.get_or_init(|| {
        let all = schema::standard().attributes().iter();
        Frames(all.map(|attribute| Frame::new(attribute.name)).collect())
    })
}

impl Frames {
    /// Writes the `PartialAttribute` of an attribute, as [`push_attribute`] does.
    pub fn push(&self, out: &mut Vec<u8>, id: AttributeId, set: &Set<'_>) {
        match (set, self.0.get(usize::from(id.0))) {
            (Set::Whole(tlvs), _) => self.push_whole(out, id, tlvs),
            (Set::Pieces(_), Some(frame)) => push_attribute(out, frame.name, set),
            (Set::Pieces(_), None) => {}
        }
    }

    /// The same, where the values are these TLVs.
    pub fn push_whole(&self, out: &mut Vec<u8>, id: AttributeId, tlvs: &[u8]) {
        let Some(frame) = self.0.get(usize::from(id.0)) else { return };
        let inside = frame.len.saturating_sub(2) + tlvs.len();
        if frame.len == 0 || inside > 0x7f {
            return push_attribute(out, frame.name, &Set::Whole(tlvs));
        }
        let start = out.len();
        out.extend_from_slice(&frame.octets);
        out.truncate(start + frame.len);
        for (at, len) in [(start + 1, inside), (start + frame.len - 1, tlvs.len())] {
            if let Some(octet) = out.get_mut(at) {
                *octet = len as u8;
            }
        }
        out.extend_from_slice(tlvs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_attribute_is_written_like_any_other() {
        for attribute in schema::standard().attributes() {
            for len in [0, 1, 60, 100, 110, 120, 125, 126, 127, 128, 129, 300, 70_000] {
                let set = vec![7; len];
                let set = Set::Whole(&set);
                let (mut known, mut any) = (vec![1, 2], vec![1, 2]);
                frames().push(&mut known, attribute.id, &set);
                push_attribute(&mut any, attribute.name, &set);
                assert_eq!(known, any, "{} {len}", attribute.name);
            }
        }
    }
}
