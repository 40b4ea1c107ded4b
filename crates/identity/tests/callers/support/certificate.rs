//! A certificate that a key signs for itself: what an attacker puts into `x5c` (RFC 7515, section 4.1.6).

use super::keys::Key;

/// `sha256WithRSAEncryption`, 1.2.840.113549.1.1.11, and its absent parameters.
const SHA256_WITH_RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00];
const SEQUENCE: u8 = 0x30;

/// The certificate in DER (RFC 5280, section 4.1), valid from 2020 to 2049, of nobody.
pub(crate) fn self_signed(key: &Key) -> Vec<u8> {
    let (serial, nobody) = (der(0x02, &[1]), der(SEQUENCE, &[]));
    let from_to = [der(0x17, b"200101000000Z"), der(0x17, b"491231235959Z")].concat();
    let validity = der(SEQUENCE, &from_to);
    let body = [&serial, SHA256_WITH_RSA, &nobody, &validity, &nobody, &key.public_der()].concat();
    let body = der(SEQUENCE, &body);
    // A bit string begins with the number of its unused bits.
    let signature = der(0x03, &[&[0][..], &key.sign(&body)].concat());
    der(SEQUENCE, &[&body, SHA256_WITH_RSA, &signature].concat())
}

fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let head = match length {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&head, contents].concat()
}
