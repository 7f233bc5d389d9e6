//! The certificate that a client has shown: whom it names. Pure: no I/O, no clock.
//!
//! TLS has verified it before: its chain, its time, and that the client has its key.

use super::wire::ber::{SEQUENCE, Tlvs};
use crate::config::settings::ClientCertificate;
use crate::directory::dn::{Dn, DnKey};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// What a client certificate says.
#[derive(Debug)]
pub(crate) struct Shown {
    fingerprint: [u8; 32],
    dns_names: Vec<String>,
    subject: Option<DnKey>,
}

impl Shown {
    /// Reads a certificate that TLS has verified.
    pub(crate) fn new(certificate: &CertificateDer<'_>) -> Self {
        let parsed = EndEntityCert::try_from(certificate).ok();
        let names = parsed.iter().flat_map(|parsed| parsed.valid_dns_names());
        Shown {
            fingerprint: Sha256::digest(certificate.as_ref()).into(),
            dns_names: names.map(str::to_ascii_lowercase).collect(),
            subject: parsed.as_ref().and_then(|parsed| subject(parsed.subject())),
        }
    }

    /// Whether it is the certificate of an account. Names are compared as they are: a
    /// wildcard is the name of many machines, not of one.
    pub(crate) fn proves(&self, known: &ClientCertificate) -> bool {
        match known {
            ClientCertificate::Fingerprint(octets) => self.fingerprint == *octets,
            ClientCertificate::DnsName(name) => self.dns_names.contains(name),
            ClientCertificate::Subject(dn) => self.subject.as_ref() == Some(&dn.key()),
        }
    }
}

/// A subject's key; `None` where it is empty or cannot be written as names in the
/// configuration are (several attributes in one RDN, values that are no text).
///
/// RFC 5280 4.1.2.4: "RDNSequence ::= SEQUENCE OF RelativeDistinguishedName", each a SET
/// of type and value, root first.
fn subject(der: &[u8]) -> Option<DnKey> {
    let mut dn = Dn::root();
    let mut rdns = Tlvs::new(der, 0);
    while !rdns.is_empty() {
        let mut pairs = rdns.expect(0x31, "").ok()?.inside();
        let mut pair = pairs.expect(SEQUENCE, "").ok()?.inside();
        pairs.end().ok()?;
        let attribute = oid(pair.expect(0x06, "").ok()?.value)?;
        let value = pair.next().ok()?;
        let value = match value.tag {
            // UTF8String, NumericString, PrintableString, IA5String
            0x0c | 0x12 | 0x13 | 0x16 => String::from_utf8(value.value.to_vec()).ok()?,
            // TeletexString: Latin-1 in practice.
            0x14 => value.value.iter().map(|octet| char::from(*octet)).collect(),
            // BMPString
            0x1e => {
                let (units, rest) = value.value.as_chunks::<2>();
                let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
                String::from_utf16(&units).ok().filter(|_| rest.is_empty())?
            }
            _ => return None,
        };
        // The schema knows the others by their number.
        let attribute = match attribute.as_str() {
            "1.2.840.113549.1.9.1" => "emailAddress",
            number => number,
        };
        dn = dn.child(attribute, &value);
    }
    (!dn.is_root()).then(|| dn.key())
}

/// An object identifier in digits and dots (X.690 8.19).
fn oid(octets: &[u8]) -> Option<String> {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0u64;
    for octet in octets {
        arc = arc.checked_mul(128)? + u64::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    if octets.last()? & 0x80 != 0 {
        return None;
    }
    let (first, rest) = arcs.split_first()?;
    let root = (first / 40).min(2);
    let arcs = [root, first - root * 40].into_iter().chain(rest.iter().copied());
    Some(arcs.map(|arc| arc.to_string()).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    #[test]
    fn a_certificate_is_known_by_fingerprint_name_or_subject() {
        let mut params = CertificateParams::new(vec!["GW.contoso.com".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "DE");
        params.distinguished_name.push(DnType::OrganizationName, "Contoso, Inc");
        let bmp = DnValue::BmpString("Gäteway".try_into().unwrap());
        params.distinguished_name.push(DnType::CommonName, bmp);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let shown = Shown::new(certificate.der());
        let subject = |text: &str| ClientCertificate::Subject(Dn::parse(text).unwrap());
        let dns = |text: &str| ClientCertificate::DnsName(text.to_owned());
        let fingerprint: [u8; 32] = Sha256::digest(certificate.der()).into();
        for (known, expected) in [
            (ClientCertificate::Fingerprint(fingerprint), true),
            (ClientCertificate::Fingerprint([0; 32]), false),
            (dns("gw.contoso.com"), true),
            (dns("contoso.com"), false),
            (subject("CN=gäteway, O=Contoso\\, Inc, C=de"), true),
            (subject("CN=gäteway,O=Contoso\\, Inc"), false),
            (subject("C=DE,O=Contoso\\, Inc,CN=gäteway"), false),
        ] {
            assert_eq!(shown.proves(&known), expected, "{known:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_proves_nothing() {
        let shown = Shown::new(&CertificateDer::from(b"\x30\x03\x02\x01\x01".to_vec()));
        assert!(shown.dns_names.is_empty() && shown.subject.is_none());
        assert_eq!(subject(b""), None);
        assert_eq!(oid(b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01").unwrap(), "1.2.840.113549.1.9.1");
        assert_eq!(oid(b"\x55\x04\x03").unwrap(), "2.5.4.3");
        assert_eq!((oid(b""), oid(b"\x86")), (None, None));
    }
}
