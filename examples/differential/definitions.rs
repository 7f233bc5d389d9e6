//! What both servers publish about an attribute (RFC 4512 4.1.2), read far enough to be
//! compared.

use std::collections::HashMap;

/// What matters of a definition.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Definition {
    /// The first name.
    pub(crate) name: String,
    superior: Option<String>,
    equality: Option<String>,
    ordering: Option<String>,
    substrings: Option<String>,
    syntax: Option<String>,
    single: bool,
}

impl Definition {
    /// What has a part in how values compare.
    pub(crate) fn rules(&self) -> impl PartialEq + '_ {
        (&self.equality, &self.ordering, &self.substrings, &self.syntax, self.single)
    }
}

/// Definitions by names in lower case, with what they have from their supertypes.
pub(crate) fn read<'t>(values: impl Iterator<Item = &'t str>) -> HashMap<String, Definition> {
    let all: HashMap<String, Definition> = values.flat_map(named).collect();
    let whole = |own: &Definition| {
        let mut own = own.clone();
        while let Some(above) = own.superior.take().and_then(|name| all.get(&name)) {
            own.superior.clone_from(&above.superior);
            for (field, from) in [
                (&mut own.equality, &above.equality),
                (&mut own.ordering, &above.ordering),
                (&mut own.substrings, &above.substrings),
                (&mut own.syntax, &above.syntax),
            ] {
                if field.is_none() {
                    field.clone_from(from);
                }
            }
        }
        own
    };
    all.iter().map(|(name, own)| (name.clone(), whole(own))).collect()
}

fn named(text: &str) -> Vec<(String, Definition)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |word: &str| {
        let at = words.iter().position(|found| *found == word)?;
        words.get(at + 1).map(|found| (*found).to_owned())
    };
    let names: Vec<String> = words
        .iter()
        .skip_while(|word| **word != "NAME")
        .skip(1)
        .skip_while(|word| **word == "(")
        .take_while(|word| word.starts_with('\''))
        .map(|word| word.trim_matches('\'').to_owned())
        .collect();
    let definition = Definition {
        name: names.first().cloned().unwrap_or_default(),
        superior: after("SUP").map(|name| name.to_ascii_lowercase()),
        equality: after("EQUALITY"),
        ordering: after("ORDERING"),
        substrings: after("SUBSTR"),
        // The upper bound behind a syntax (RFC 4512 4.1.2) is a suggestion.
        syntax: after("SYNTAX").and_then(|s| s.split('{').next().map(str::to_owned)),
        single: words.contains(&"SINGLE-VALUE"),
    };
    names.into_iter().map(|name| (name.to_ascii_lowercase(), definition.clone())).collect()
}
