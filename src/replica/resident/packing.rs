//! Packing an entry: [`super::packed`] tells the form. Pure: no I/O, no clock.

use super::super::encoding::{Slot, View, push_header, set_of};
use super::packed::{
    HEAD, LAST_ID, LAST_PLACE, LONG, NAME, OWN, PART, PIECES, PLACE_BITS, SHARED, SLOT, WIDE,
};
use super::shared::Shared;
use memchr::memmem;

/// Shorter sets are not looked for in others: saying where they are takes as much.
const SHORTEST_PART: usize = 6;

/// Packs an entry behind `out`; the flag tells whether it could be: octets that are no
/// stored entry, or one larger than any, are left to the file.
pub(super) fn pack(octets: &[u8], shared: &Shared, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let packed = try_pack(octets, shared, out);
    if packed.is_none() {
        out.truncate(start);
    }
    packed.is_some()
}

fn try_pack(octets: &[u8], shared: &Shared, out: &mut Vec<u8>) -> Option<()> {
    let view = View::new(octets)?;
    out.extend(octets.get(..HEAD)?);
    let slots = out.len();
    out.resize(slots + SLOT * view.slots().count(), 0);
    let name = out.len();
    push_header(out, 0x04, view.dn().len());
    out.extend(view.dn().as_bytes());
    let body = out.len();
    let mut sets = Vec::with_capacity(view.slots().count());
    for slot in view.slots() {
        let set = slot.tlv.map_or(Some(&[][..]), set_of)?;
        let kept = if slot.tlv.is_none() {
            Kept::InFile
        } else if out.get(name..body) == Some(set) {
            Kept::AsName
        } else if let Some(place) = shared.find(set) {
            Kept::Shared(place)
        } else if let Some(places) = shared.find_each(slot.id, set) {
            Kept::Pieces(places)
        } else {
            Kept::Whole
        };
        sets.push((slot, set, kept));
    }
    find_parts(&mut sets);
    let places = push_sets(&sets, body, out)?;
    for (at, ((slot, _, kept), place)) in sets.iter().zip(places).enumerate() {
        let kind = match kept {
            Kept::InFile => WIDE,
            Kept::AsName => NAME,
            Kept::Shared(_) => SHARED,
            Kept::Pieces(_) | Kept::Whole | Kept::Part(..) => OWN,
        };
        if slot.id.0 > LAST_ID || place > LAST_PLACE {
            return None;
        }
        let head = u32::from(slot.id.0) << 3 | u32::from(slot.operational) << 2 | kind;
        let octets = (head << PLACE_BITS | place as u32).to_le_bytes();
        *out.get_mut(slots + SLOT * at..)?.first_chunk_mut::<SLOT>()? = octets;
    }
    Some(())
}

/// How the set of an entry that is being packed is kept.
enum Kept {
    InFile,
    AsName,
    Shared(u32),
    Pieces(Vec<u32>),
    /// As it is.
    Whole,
    /// In another set of the entry, from an octet on.
    Part(usize, usize),
}

type Sets<'v> = [(Slot<'v>, &'v [u8], Kept)];

/// Finds the sets that are parts of longer ones, or the same as others.
fn find_parts(sets: &mut Sets<'_>) {
    let whole = |(_, (_, _, kept)): &(usize, &(Slot<'_>, &[u8], Kept))| matches!(kept, Kept::Whole);
    let mut order: Vec<usize> = sets.iter().enumerate().filter(whole).map(|(at, _)| at).collect();
    let len = |at: &usize| sets.get(*at).map_or(0, |(_, set, _)| set.len());
    order.sort_by_key(|at| std::cmp::Reverse(len(at)));
    // The longer ones, one behind the other; where each begins and ends, and which it is.
    let mut octets = Vec::new();
    let mut starts: Vec<(usize, usize, usize)> = Vec::new();
    for at in order {
        let Some((_, set, kept)) = sets.get_mut(at) else { continue };
        let found = if set.len() >= SHORTEST_PART { memmem::find(&octets, set) } else { None };
        let holder = found.and_then(|found| {
            let behind = starts.partition_point(|(start, ..)| *start <= found);
            let (start, end, holder) = *starts.get(behind.checked_sub(1)?)?;
            // Not across two of them.
            (found + set.len() <= end).then_some((holder, found - start))
        });
        match holder {
            Some((holder, from)) => *kept = Kept::Part(holder, from),
            None => {
                starts.push((octets.len(), octets.len() + set.len(), at));
                octets.extend_from_slice(set);
            }
        }
    }
}

/// Writes the sets of an entry's own, in the order in which they are read; behind them, where
/// parts of them are. Gives where each is; `None`: one is longer than any.
fn push_sets(sets: &Sets<'_>, body: usize, out: &mut Vec<u8>) -> Option<Vec<usize>> {
    let mut places = vec![0; sets.len()];
    for ((_, set, kept), place) in sets.iter().zip(&mut places) {
        *place = match kept {
            Kept::Shared(place) => *place as usize,
            Kept::InFile | Kept::AsName | Kept::Part(..) => 0,
            Kept::Pieces(_) | Kept::Whole => out.len() - body,
        };
        match kept {
            Kept::Whole => push_whole(set, out)?,
            Kept::Pieces(pieces) => {
                out.push(PIECES);
                out.extend(u16::try_from(pieces.len()).ok()?.to_le_bytes());
                pieces.iter().for_each(|piece| out.extend(piece.to_le_bytes()));
            }
            _ => {}
        }
    }
    for at in 0..sets.len() {
        let (_, set, Kept::Part(holder, from)) = sets.get(at)? else { continue };
        let (_, whole, _) = sets.get(*holder)?;
        let place = *places.get(*holder)?;
        if whole.len() == set.len() {
            *places.get_mut(at)? = place;
            continue;
        }
        *places.get_mut(at)? = out.len() - body;
        let header = if whole.len() < usize::from(PIECES) { 1 } else { 3 };
        match u16::try_from(place + header + from) {
            Ok(start) => {
                out.push(PART);
                out.extend(start.to_le_bytes());
                out.extend(u16::try_from(set.len()).ok()?.to_le_bytes());
            }
            // Too far away to be told in two octets.
            Err(_) => push_whole(set, out)?,
        }
    }
    Some(places)
}

fn push_whole(set: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match u8::try_from(set.len()) {
        Ok(len) if len < PIECES => out.push(len),
        _ => {
            out.push(LONG);
            out.extend(u16::try_from(set.len()).ok()?.to_le_bytes());
        }
    }
    out.extend_from_slice(set);
    Some(())
}
