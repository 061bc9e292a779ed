//! XVERP of Postfix: a reverse-path for each recipient.

use crate::{
    common::{announcing, converse},
    offering::{goes_only_where_offered, with},
};
use esmtp::syntax::Extension;

/// Postfix, `VERP_README`: without a value, or with two delimiters, which may be `=`.
#[test]
fn xverp_has_no_value_or_two_delimiters() {
    let experience = converse(
        with(&[Extension::Xverp]),
        &announcing(
            "XVERP",
            "C: MAIL FROM:<a@b.org> XVERP=
             S: 501 ...
             C: MAIL FROM:<a@b.org> XVERP=+
             S: 501 ...
             C: MAIL FROM:<a@b.org> XVERP=+=+
             S: 501 ...
             C: MAIL FROM:<a@b.org> XVERP=ab
             S: 501 ...
             C: MAIL FROM:<a@b.org> XVERP XVERP
             S: 501 ...
             C: MAIL FROM:<a@b.org> XVERP
             S: 250 Ok
             C: RSET
             S: 250 Ok
             C: MAIL FROM:<a@b.org> xverp=+=
             S: 250 Ok
             C: RSET
             S: 250 Ok
             C: MAIL FROM:<a@b.org> XVERP==-
             S: 250 Ok",
        ),
    );
    let given = experience.log.iter().filter_map(|note| note.strip_prefix("mail <a@b.org> "));
    assert_eq!(given.collect::<Vec<_>>(), ["XVERP", "xverp=+=", "XVERP==-"]);
}

/// The value with a `=` is in no other place, and of no other parameter.
#[test]
fn xverp_is_refused_where_it_is_not_announced() {
    converse(
        with(&[]),
        "S: 220 mx.example.org ESMTP service ready
         C: EHLO client.example.net
         S: 250 mx.example.org
         C: MAIL FROM:<a@b.org> XVERP=+=
         S: 555 ...
         C: MAIL FROM:<a@b.org> XFOO=+=
         S: 501 ...",
    );
}

#[test]
fn xverp_is_sent_only_where_it_is_offered() {
    goes_only_where_offered("XVERP", "XVERP=+=", "");
    goes_only_where_offered("XVERP", "XVERP", "");
}
