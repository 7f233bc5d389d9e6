//! PFX files (PKCS #12, RFC 7292), as the portal of Azure and Windows export them.

use super::certificate::{Fault, Key};
use p12_keystore::error::Error;
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use zeroize::Zeroizing;

/// The certificates and the private key of a file. Files without a password have the empty
/// one.
pub(super) fn open(
    octets: &[u8],
    password: Option<&str>,
    name: &str,
) -> Result<(Vec<Vec<u8>>, Key), Fault> {
    // A SEQUENCE, else it is neither PEM nor PFX.
    if octets.first() != Some(&0x30) {
        return Err(Fault::Unknown(name.to_owned()));
    }
    let opened = KeyStore::from_pkcs12(octets, password.unwrap_or(""), Pkcs12ImportPolicy::Relaxed);
    let store = opened.map_err(|error| match (error, password) {
        (Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_), None) => {
            Fault::Locked(name.to_owned())
        }
        (Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_), Some(_)) => {
            Fault::WrongPassword(name.to_owned())
        }
        // A bare certificate in DER is a SEQUENCE, too.
        (Error::DerError(_) | Error::InvalidVersion, _) => Fault::Unknown(name.to_owned()),
        (Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm, _) => {
            Fault::Encryption(name.to_owned())
        }
        (error, _) => Fault::Malformed(name.to_owned(), error.to_string()),
    })?;
    let mut certificates = Vec::new();
    for (_, entry) in store.entries() {
        match entry {
            KeyStoreEntry::PrivateKeyChain(chain) => {
                certificates.extend(chain.certs().iter().map(|one| one.as_der().to_vec()));
            }
            KeyStoreEntry::Certificate(one) => certificates.push(one.as_der().to_vec()),
            _ => {}
        }
    }
    let Some((_, chain)) = store.private_key_chain() else {
        return Err(Fault::NoKey(name.to_owned()));
    };
    let key = Key::Pkcs8(Zeroizing::new(chain.key().as_der().to_vec()));
    if certificates.is_empty() {
        return Err(Fault::NoCertificate(name.to_owned()));
    }
    Ok((certificates, key))
}
