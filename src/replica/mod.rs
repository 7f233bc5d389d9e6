//! The stored copy: what Graph said, the entries made of it, and the indexes over
//! them, in one redb file. Readers cannot write.

pub mod encoding;
pub mod ids;
pub mod reader;
