//! Channel binding: RFC 5929 and RFC 9266.

use crate::dialogue::{Act, Dialogue, NONCE};
use esmtp::{
    sasl::{Credentials, Mechanism},
    security::{Security, end_point},
    syntax::Base64,
};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// Encodes an element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 0x80);
    [&[tag, length], content].concat()
}

/// As much of a certificate as is looked at: its signature algorithm.
fn certificate(algorithm: &[u8], parameters: &[u8]) -> Vec<u8> {
    let algorithm = element(0x30, &[&element(0x06, algorithm), parameters].concat());
    let to_be_signed = element(0x30, b"whatever");
    element(0x30, &[to_be_signed, algorithm, element(0x03, b"\0signature")].concat())
}

/// Encodes the identifier of RSASSA-PSS with this digest.
fn pss(digest: &[u8]) -> Vec<u8> {
    element(0x30, &element(0xA0, &element(0x30, &element(0x06, digest))))
}

/// 5929-4-a: RFC 5929 section 4.1. The digest is that of the certificate's signature, and SHA-256 where that is
/// MD5 or SHA-1.
#[test]
fn an_end_point_is_the_digest_of_the_signature() {
    const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1];
    const ECDSA: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4];
    const SHA_2: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];
    const NULL: &[u8] = &[0x05, 0x00];
    let of = |prefix: &[u8], rest: &[u8]| [prefix, rest].concat();
    for (name, algorithm, parameters, bits) in [
        ("md5WithRSAEncryption", of(RSA, &[4]), NULL.to_vec(), 256),
        ("sha1WithRSAEncryption", of(RSA, &[5]), NULL.to_vec(), 256),
        ("sha256WithRSAEncryption", of(RSA, &[11]), NULL.to_vec(), 256),
        ("sha384WithRSAEncryption", of(RSA, &[12]), NULL.to_vec(), 384),
        ("sha512WithRSAEncryption", of(RSA, &[13]), NULL.to_vec(), 512),
        ("sha224WithRSAEncryption", of(RSA, &[14]), NULL.to_vec(), 224),
        ("RSASSA-PSS by default, SHA-1", of(RSA, &[10]), element(0x30, b""), 256),
        ("RSASSA-PSS, SHA-1", of(RSA, &[10]), pss(&[0x2B, 0x0E, 3, 2, 0x1A]), 256),
        ("RSASSA-PSS, SHA-256", of(RSA, &[10]), pss(&of(SHA_2, &[1])), 256),
        ("RSASSA-PSS, SHA-384", of(RSA, &[10]), pss(&of(SHA_2, &[2])), 384),
        ("RSASSA-PSS, SHA-512", of(RSA, &[10]), pss(&of(SHA_2, &[3])), 512),
        ("ecdsa-with-SHA1", of(ECDSA, &[1]), vec![], 256),
        ("ecdsa-with-SHA224", of(ECDSA, &[3, 1]), vec![], 224),
        ("ecdsa-with-SHA256", of(ECDSA, &[3, 2]), vec![], 256),
        ("ecdsa-with-SHA384", of(ECDSA, &[3, 3]), vec![], 384),
        ("ecdsa-with-SHA512", of(ECDSA, &[3, 4]), vec![], 512),
        // No digest of its own: the type is not defined.
        ("Ed25519", vec![0x2B, 0x65, 0x70], vec![], 0),
    ] {
        let certificate = certificate(&algorithm, &parameters);
        let expected = match bits {
            224 => Some(Sha224::digest(&certificate).to_vec()),
            256 => Some(Sha256::digest(&certificate).to_vec()),
            384 => Some(Sha384::digest(&certificate).to_vec()),
            512 => Some(Sha512::digest(&certificate).to_vec()),
            _ => None,
        };
        assert_eq!(end_point(&certificate), expected, "{name}");
    }
    assert_eq!(end_point(b"no certificate"), None);
}

/// 9266-3-a: RFC 9266 section 3. Where there is an exporter, SCRAM-PLUS binds to it, also beside another binding.
#[test]
fn scram_binds_to_the_exporter() {
    let tls = Security::TLS.with_version("TLSv1_3");
    let end_point = vec![2; 32];
    for (security, name) in [
        (tls.clone().with_exporter([1; 32]), "tls-exporter"),
        (tls.clone().with_exporter([1; 32]).with_end_point(end_point.clone()), "tls-exporter"),
        (tls.with_end_point(end_point), "tls-server-end-point"),
    ] {
        let credentials = Credentials::password("user", "pencil");
        let offered = [Mechanism::SCRAM_SHA_256, Mechanism::SCRAM_SHA_256_PLUS];
        let initiator = credentials.strongest(&offered, &security.channel(), NONCE()).unwrap();
        assert_eq!(initiator.mechanism(), Mechanism::SCRAM_SHA_256_PLUS);
        let first = format!("p={name},,n=user,r=AAAAAAAAAAAAAAAAAAAAAAAA");
        let first = Base64::encode(first.as_bytes());
        let dialogue = Dialogue { security, ..Dialogue::new([Act::AuthAs(credentials)]) };
        dialogue.plays(&format!(
            "S: 220 mx
             C: EHLO me.example.org
             S: 250-mx
             S: 250 AUTH SCRAM-SHA-256 SCRAM-SHA-256-PLUS
             C: AUTH SCRAM-SHA-256-PLUS {}
             S: 535 5.7.8 no
             C: QUIT
             S: 221 bye
             C: (closed)",
            first.as_str()
        ));
    }
}
