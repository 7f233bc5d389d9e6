//! `entraldap hash-password`: the hash that stands in the configuration.
//!
//! The password is typed or piped in, never an argument: arguments are seen by every
//! user of the machine and kept in the shell's history.

use super::{Common, Exit, Failure};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use console::Term;
use std::io::{IsTerminal, Read, Write};
use zeroize::Zeroizing;

/// OWASP's parameters for argon2id: 19 MiB, two passes, one lane. About 20 ms a bind.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Far above any password, far below what would fill memory.
const LONGEST: usize = 4096;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
#[command(long_about = "Make a hash for password_hash of an [[ldap.account]].\n\n\
        Asks for the password, or reads it from standard input where that is no terminal:\n  \
        entraldap hash-password < password-file")]
pub(super) struct Arguments {}

impl Arguments {
    /// Reads a password and prints its hash.
    pub(super) fn run(&self, common: &Common, out: &mut impl Write) -> Result<Exit, Failure> {
        let stdin = std::io::stdin();
        let password = if stdin.is_terminal() { ask()? } else { read(stdin.lock())? };
        let hash = hash(&password)?;
        if common.json {
            writeln!(out, "{}", serde_json::json!({ "password_hash": hash }))?;
        } else {
            writeln!(out, "{hash}")?;
        }
        Ok(Exit::Done)
    }
}

fn ask() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let terminal = Term::stderr();
    if !terminal.is_term() {
        let message = "no terminal to ask on: keep standard error there, or pipe the password in";
        return Err(Failure::new(Exit::Usage, message));
    }
    let line = |prompt: &str| -> Result<Zeroizing<String>, Failure> {
        terminal.write_str(prompt)?;
        Ok(Zeroizing::new(terminal.read_secure_line()?))
    };
    let password = line("Password: ")?;
    if *password != *line("Once more: ")? {
        return Err(Failure::new(Exit::Usage, "the two passwords differ"));
    }
    one_line(Zeroizing::new(password.as_bytes().to_vec()))
}

fn read(input: impl Read) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Room for everything from the start: a buffer that grows leaves copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(LONGEST + 3));
    let read = input.take(LONGEST as u64 + 2).read_to_end(&mut octets);
    read.map_err(|error| Failure::new(Exit::No, format!("standard input: {error}")))?;
    one_line(octets)
}

/// The password without the line break that ends it.
fn one_line(mut octets: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if octets.last() == Some(&b'\n') {
        octets.pop();
        if octets.last() == Some(&b'\r') {
            octets.pop();
        }
    }
    let refused = match octets.as_slice() {
        // RFC 4513 5.1.2: a name with an empty password is not an authentication.
        [] => "the password is empty",
        long if long.len() > LONGEST => "the password is longer than 4096 octets",
        text if text.iter().any(|b| matches!(b, b'\n' | b'\r' | 0)) => {
            "the password has more than one line"
        }
        _ => return Ok(octets),
    };
    Err(Failure::new(Exit::Usage, refused))
}

/// The PHC string of `password`, with a random salt.
fn hash(password: &[u8]) -> Result<String, Failure> {
    let failed = |error: String| Failure::new(Exit::No, format!("hashing failed: {error}"));
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None);
    let params = params.map_err(|error| failed(error.to_string()))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(password).map_err(|error| failed(error.to_string()))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::PasswordVerifier;

    #[test]
    fn hash_is_salted_argon2id_and_verifies() {
        let one = hash(b"correct horse").unwrap();
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, hash(b"correct horse").unwrap());
        assert!(Argon2::default().verify_password(b"correct horse", one.as_str()).is_ok());
        assert!(Argon2::default().verify_password(b"wrong horse", one.as_str()).is_err());
    }

    #[test]
    fn line_break_at_the_end_is_no_part_of_the_password() {
        for input in ["geheim", "geheim\n", "geheim\r\n"] {
            assert_eq!(read(input.as_bytes()).unwrap().as_slice(), b"geheim", "{input:?}");
        }
        assert_eq!(read(" ge heim \n".as_bytes()).unwrap().as_slice(), b" ge heim ");
    }

    #[test]
    fn what_no_client_could_send_is_refused() {
        for input in ["", "\n", "one\ntwo\n", &"x".repeat(LONGEST + 1)] {
            assert_eq!(read(input.as_bytes()).unwrap_err().exit, Exit::Usage, "{input:.20?}");
        }
        assert!(read("x".repeat(LONGEST).as_bytes()).is_ok());
    }
}
