//! Values as `serde` stores them.

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
    for address in ["a..b@c.example", "a@b_c.example", "a@[x400:b]", ".a.@c_d"] {
        let mailbox = Mailbox::parse_with(address, Lenience::ALL).unwrap().into_owned();
        let json = serde_json::to_string(address).unwrap();
        there_and_back(&mailbox, &json);
        there_and_back(
            mailbox.host(),
            &serde_json::to_string(&mailbox.host().to_string()).unwrap(),
        );
        there_and_back(&ForwardPath::from(mailbox), &format!("\"<{address}>\""));
    }
    for name in ["client.example", "[192.0.2.1]", "my_host", "MÜLLER-PC", " two.example"] {
        let json = serde_json::to_string(name).unwrap();
        there_and_back(&HelloName::new(name).unwrap().into_owned(), &json);
    }
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
    let code = Status::NO_SUCH_MAILBOX.under(Code::MAILBOX_UNAVAILABLE).unwrap();
    there_and_back(&code, r#""5.1.1""#);
    there_and_back(&UnknownVerb::new("XFOO").unwrap(), r#""XFOO""#);
    let lookup = Lookup::new(Argument::new("ann").unwrap()).unwrap().with_smtputf8();
    there_and_back(&lookup, r#""ann SMTPUTF8""#);
    there_and_back(&AttributeName::DestPort, r#""DESTPORT""#);
    for line in ["XCLIENT HELO=a+20b ADDR=192.0.2.1", "XFORWARD NAME=[UNAVAILABLE]"] {
        match Command::parse(line.as_bytes(), Lenience::STRICT).unwrap().into_owned() {
            Command::Xclient(it) => there_and_back(&it, r#""HELO=a+20b ADDR=192.0.2.1""#),
            Command::Xforward(it) => there_and_back(&it, r#""NAME=[UNAVAILABLE]""#),
            other => panic!("{other:?}"),
        }
    }
    let typed = Parameters::parse("SIZE=10 HOLDFOR=60").unwrap();
    let all = Extension::ALL.iter().copied().collect();
    let typed = MailParameters::parse(&typed, &all).unwrap().into_owned();
    there_and_back(&typed, r#""SIZE=10 HOLDFOR=60""#);
    let typed = Parameters::parse("NOTIFY=NEVER").unwrap();
    let typed = RcptParameters::parse(&typed, &all).unwrap().into_owned();
    there_and_back(&typed, r#""NOTIFY=NEVER""#);
    there_and_back(
        &Rejection::NO_SUCH_MAILBOX,
        r#"{"code":550,"status":"X.1.1","lines":["No such mailbox here"]}"#,
    );
}

#[test]
fn values_are_checked_when_they_are_read() {
    assert!(serde_json::from_str::<Mailbox<'static>>(r#""a@b\r\nDATA""#).is_err());
    assert!(serde_json::from_str::<Text<'static>>(r#""a\nb""#).is_err());
    assert!(serde_json::from_str::<Text<'static>>(r#""a\u0085b""#).is_err());
    assert!(serde_json::from_str::<Mailbox<'static>>(r#""a\u009b@b.example""#).is_err());
    assert!(
        serde_json::from_str::<Reply<'static>>(r#"{"code":250,"lines":["a\u2028b"]}"#).is_err()
    );
    assert!(serde_json::from_str::<Code>("600").is_err());
    assert!(serde_json::from_str::<Status>(r#""1.1""#).is_err());
    assert!(serde_json::from_str::<Rejection>(r#"{"code":250,"lines":["ok"]}"#).is_err());
    assert!(serde_json::from_str::<Reply<'static>>(r#"{"code":250,"lines":["a\nb"]}"#).is_err());
    assert!(serde_json::from_str::<Extensions>(r#"["SIZE 1\r\n250 X"]"#).is_err());
    assert!(serde_json::from_str::<MailParameters<'static>>(r#""NOTIFY=NEVER""#).is_err());
    assert!(serde_json::from_str::<UnknownVerb<'static>>(r#""MAIL""#).is_err());
    assert!(serde_json::from_str::<EnhancedCode>(r#""3.1.1""#).is_err());
    assert!(serde_json::from_str::<Body>(r#""9BIT""#).is_err());
}

#[test]
fn a_hostile_reply_is_stored_as_text() {
    let (reply, _) = Reply::parse(b"550 \x1b[2J\xff\xc2\x9b\r\n").unwrap().unwrap();
    assert_eq!(serde_json::to_string(&reply).unwrap(), r#"{"code":550,"lines":["?[2J�?"]}"#);
}
