//! Values as `serde` stores them.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests say what went wrong by failing"
)]

use core::fmt::Debug;

use esmtp::syntax::*;
use serde::{Deserialize, Serialize};

fn there_and_back<T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug>(
    value: &T,
    json: &str,
) {
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value);
}

#[test]
fn values_are_stored_as_they_stand_on_the_wire() {
    there_and_back(
        &Mailbox::parse("\"a b\"@[192.0.2.1]").unwrap().into_owned(),
        r#""\"a b\"@[192.0.2.1]""#,
    );
    there_and_back(&ReversePath::Null, r#""<>""#);
    there_and_back(&ForwardPath::Postmaster, r#""<Postmaster>""#);
    there_and_back(&Parameters::parse("SIZE=1 X").unwrap().into_owned(), r#""SIZE=1 X""#);
    there_and_back(&Code::OK, "250");
    there_and_back(&Status::NO_SUCH_MAILBOX, r#""X.1.1""#);
    there_and_back(&Body::EightBitMime, r#""8BITMIME""#);
    there_and_back(&(Notify::SUCCESS | Notify::DELAY), r#""SUCCESS,DELAY""#);
    there_and_back(&Priority::new(-9).unwrap(), r#""-9""#);
    there_and_back(&Extension::SmtpUtf8, r#""SMTPUTF8""#);
    there_and_back(&Extensions::NONE.with_size(10).with(Extension::Dsn), r#"["SIZE 10","DSN"]"#);
    there_and_back(
        &Reply::new(Code::OK, Some(Status::OTHER), "a\nb").unwrap(),
        r#"{"code":250,"status":"X.0.0","lines":["a","b"]}"#,
    );
    there_and_back(
        &Reply::new(Code::START_MAIL_INPUT, None, "go").unwrap(),
        r#"{"code":354,"lines":["go"]}"#,
    );
    there_and_back(
        &Rejection::NO_SUCH_MAILBOX,
        r#"{"code":550,"status":"X.1.1","lines":["No such mailbox here"]}"#,
    );
}

#[test]
fn what_is_read_is_checked() {
    assert!(serde_json::from_str::<Mailbox<'static>>(r#""a@b\r\nDATA""#).is_err());
    assert!(serde_json::from_str::<Text<'static>>(r#""a\nb""#).is_err());
    assert!(serde_json::from_str::<Code>("600").is_err());
    assert!(serde_json::from_str::<Status>(r#""1.1""#).is_err());
    assert!(serde_json::from_str::<Rejection>(r#"{"code":250,"lines":["ok"]}"#).is_err());
    assert!(serde_json::from_str::<Reply<'static>>(r#"{"code":250,"lines":["a\nb"]}"#).is_err());
    assert!(serde_json::from_str::<Extensions>(r#"["SIZE 1\r\n250 X"]"#).is_err());
    assert!(serde_json::from_str::<Body>(r#""9BIT""#).is_err());
}

#[test]
fn a_hostile_reply_is_stored_as_text() {
    let (reply, _) = Reply::parse(b"550 \x1b[2J\xff\r\n").unwrap().unwrap();
    assert_eq!(serde_json::to_string(&reply).unwrap(), r#"{"code":550,"lines":["?[2J�"]}"#);
}
