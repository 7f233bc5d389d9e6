//! What an entry is: names, attributes, schema, filters and how they compare.
//! Pure: no I/O, no clock.

pub(crate) mod anr;
pub mod attribute;
mod definitions;
pub mod dn;
pub mod entry;
pub mod filter;
pub mod ids;
pub mod kind;
pub mod ldif;
pub(crate) mod nearest;
pub mod predicate;
pub mod schema;
pub mod subschema;
pub mod text;
