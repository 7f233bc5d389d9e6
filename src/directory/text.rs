//! String preparation for matching (RFC 4518), shared by values, names and filters.
//! Pure: no I/O, no clock.

use memchr::memmem;
use unicode_normalization::UnicodeNormalization;

/// `text` prepared for `caseIgnoreMatch`: transcoded, mapped, normalised (NFKC),
/// folded, and with insignificant spaces removed. The result holds no control
/// characters and no leading, trailing or doubled space.
pub fn fold(text: &str) -> String {
    if is_plain(text.as_bytes()) {
        return text.to_ascii_lowercase();
    }
    if text.is_ascii() {
        return squeeze(text.bytes().map(|b| char::from(b.to_ascii_lowercase())), text.len());
    }
    let mapped = mapped(text);
    // Folding can undo normalisation and the reverse, so both are applied twice
    // (Unicode, "NFKC_Casefold" by definition D146).
    let once: String = caseless::default_case_fold_str(&mapped.nfkc().collect::<String>());
    let twice: String = caseless::default_case_fold_str(&once.nfkc().collect::<String>());
    let len = twice.len();
    squeeze(twice.nfkc(), len)
}

/// As [`fold`], with case kept: for `caseExactMatch`.
pub fn prepare_exact(text: &str) -> String {
    if is_plain(text.as_bytes()) {
        return text.to_owned();
    }
    if text.is_ascii() {
        return squeeze(text.chars(), text.len());
    }
    squeeze(mapped(text).nfkc(), text.len())
}

/// RFC 4518 2: characters are mapped to nothing before the rest is normalised, so that
/// what stood on their two sides can be composed.
fn mapped(text: &str) -> String {
    text.chars().filter(|c| is_space(*c) || !is_mapped_to_nothing(*c)).collect()
}

/// As [`fold`] for a piece of a substrings assertion: spaces at its ends are kept
/// as one space, since they stand inside the value (RFC 4518 2.6.1).
pub fn fold_piece(text: &str) -> String {
    if is_plain(text.as_bytes()) {
        return text.to_ascii_lowercase();
    }
    let marked: String = ["|", text, "|"].concat();
    let folded = fold(&marked);
    folded.strip_prefix('|').and_then(|t| t.strip_suffix('|')).unwrap_or_default().to_owned()
}

/// Whether preparation changes nothing but case: printable ASCII without a space at its ends
/// or beside another. Nearly all values and assertions are.
pub(super) fn is_plain(text: &[u8]) -> bool {
    let all = |first: u8| {
        // To the end, whatever is found: that way many octets are looked at in one step.
        text.iter().fold(true, |so_far, octet| so_far & (first..=b'~').contains(octet))
    };
    if all(b'!') {
        return !text.is_empty();
    }
    let ends = |octet: Option<&u8>| octet.is_some_and(|octet| *octet != b' ');
    ends(text.first()) && ends(text.last()) && all(b' ') && memmem::find(text, b"  ").is_none()
}

fn squeeze(chars: impl Iterator<Item = char>, capacity: usize) -> String {
    let mut out = String::with_capacity(capacity);
    let mut space = false;
    for c in chars {
        if is_space(c) {
            space = !out.is_empty();
        } else if !is_mapped_to_nothing(c) {
            if space {
                out.push(' ');
                space = false;
            }
            out.push(c);
        }
    }
    out
}

/// RFC 4518 2.2: characters mapped to SPACE.
fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{85}' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}'
        | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// RFC 4518 2.2: soft hyphens, variation selectors, control and zero-width characters.
fn is_mapped_to_nothing(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{1806}'
        | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2063}' | '\u{206a}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_spaces_and_compatibility_forms_are_insignificant() {
        assert_eq!(fold("  Ada   LIND\t"), "ada lind");
        assert_eq!(fold("Weiß"), fold("WEISS"));
        assert_eq!(fold("Σίσυφος"), fold("ΣΊΣΥΦΟΣ"));
        assert_eq!(fold("ﬁle"), "file");
        assert_eq!(fold("e\u{301}"), fold("É"));
        assert_eq!(fold("zero\u{200b}width\u{a0}space"), "zerowidth space");
        assert_ne!(fold("Müller"), fold("Muller"));
        assert_eq!(fold("e\u{ad}\u{301}"), fold("É"));
        assert_eq!(prepare_exact("e\u{ad}\u{301}"), "é");
    }

    #[test]
    fn text_that_needs_no_work_folds_as_any_other_does() {
        for text in ["", " ", "a", "A b", " a", "a ", "a  b", "a\tb", "~!", "a\u{7f}"] {
            let folded = squeeze(text.chars().map(|c| c.to_ascii_lowercase()), text.len());
            assert_eq!(fold(text), folded, "{text:?}");
            assert_eq!(prepare_exact(text), squeeze(text.chars(), text.len()), "{text:?}");
        }
    }

    #[test]
    fn a_piece_keeps_the_spaces_at_its_ends() {
        assert_eq!(fold_piece(" Lin "), " lin ");
        assert_eq!(fold_piece("A"), "a");
        assert_eq!(fold_piece(""), "");
    }

    proptest! {
        #[test]
        fn what_is_plain_is_prepared_as_everything_else_is(text in "[ -~\\t]{0,12}", odd in "\\PC{0,8}") {
            for text in [text, odd] {
                // A character that is mapped to nothing keeps a text from being plain.
                let marked = format!("\u{200b}{text}");
                prop_assert_eq!(fold(&text), fold(&marked));
                prop_assert_eq!(prepare_exact(&text), prepare_exact(&marked));
                prop_assert_eq!(fold_piece(&text), fold_piece(&marked));
            }
        }
    }

    #[test]
    fn exact_preparation_keeps_case() {
        assert_eq!(prepare_exact(" Ab  C "), "Ab C");
    }
}
