//! Parameters of the application's own on MAIL and RCPT.

use crate::talk::{Session, config};
use esmtp::{
    server::{Config, CustomParameter, Event},
    syntax::{Extension, Notify},
};

fn configured() -> Config {
    let forward = CustomParameter::on_rcpt("XRCPTFORWARD").unwrap().with_longest_value(900);
    let verp = CustomParameter::on_mail("XFLAG").unwrap().announced_as("XFLAG one two").unwrap();
    config().with_extension(Extension::Dsn).with_parameter(forward).with_parameter(verp)
}

/// Accepts MAIL, RCPT, and notes the value of XRCPTFORWARD.
fn answer(event: Event<'_>, values: &mut Vec<String>) {
    match event {
        Event::Rcpt(rcpt) => {
            let value =
                rcpt.parameters().get("XRCPTFORWARD").and_then(|it| it.value().map(str::to_owned));
            let last = rcpt.envelope().recipients().last().unwrap();
            assert_eq!(last.parameters().as_str(), rcpt.parameters().as_str());
            values.extend(value);
            rcpt.accept();
        }
        other => other.proceed(),
    }
}

/// It is announced, taken in the form that was announced, and kept raw.
#[test]
fn a_parameter_of_the_application_is_announced_and_kept_raw() {
    let mut session = Session::new(configured());
    let mut values = vec![];
    let mut say = |line: &str| session.say(line, |event| answer(event, &mut values));
    let hello = say("EHLO c.example.net");
    assert!(hello.contains("-XRCPTFORWARD\r\n"), "{hello}");
    assert!(hello.contains("XFLAG one two\r\n"), "{hello}");
    assert!(say("MAIL FROM:<> XFLAG").starts_with("250"));
    assert!(say("RCPT TO:<b@x.y> NOTIFY=NEVER xrcptforward=c2VjcmV0").starts_with("250"));
    assert_eq!(values, ["c2VjcmV0"]);
    let envelope = session.server().facts().transaction().unwrap();
    assert!(envelope.mail_parameters().get("XFLAG").is_some());
    // The parameters of the library are typed as before.
    let recipient = envelope.recipients().next().unwrap();
    assert_eq!(recipient.typed_parameters().notify(), Some(Notify::NEVER));
}

#[test]
fn a_parameter_is_taken_on_its_command_only_once_and_as_long_as_announced() {
    for (line, code) in [
        ("RCPT TO:<b@x.y> XFLAG", "555 5.5.4"),
        ("RCPT TO:<b@x.y> XOTHER", "555 5.5.4"),
        ("RCPT TO:<b@x.y> XRCPTFORWARD=a XRCPTFORWARD=b", "501 5.5.4"),
        ("MAIL FROM:<> XRCPTFORWARD=a", "555 5.5.4"),
        ("MAIL FROM:<> XFLAG=a", "501 5.5.4"),
    ] {
        let mut session = Session::new(configured());
        let mut values = vec![];
        let mut say = |line: &str| session.say(line, |event| answer(event, &mut values));
        say("EHLO c.example.net");
        if line.starts_with("RCPT") {
            say("MAIL FROM:<>");
        }
        let reply = say(line);
        assert!(reply.starts_with(code), "{line}: {reply}");
    }
    // Extensions exist only after EHLO.
    let mut session = Session::new(configured());
    session.say("HELO c.example.net", |event| answer(event, &mut vec![]));
    let reply = session.say("MAIL FROM:<> XFLAG", |event| answer(event, &mut vec![]));
    assert!(reply.starts_with("555"), "{reply}");
}

/// 5321-4.5.3.1.4-a: the longest line of the command may come, and the longest value.
#[test]
fn the_length_of_a_parameter_adds_to_that_of_a_command_line() {
    let mut session = Session::new(configured());
    let mut values = vec![];
    let mut say = |line: &str| session.say(line, |event| answer(event, &mut values));
    say("EHLO c.example.net");
    say("MAIL FROM:<>");
    let path = format!(
        "{}@{}.x",
        "l".repeat(64),
        ["d".repeat(60), "d".repeat(60), "d".repeat(60)].join(".")
    );
    let orcpt = format!("ORCPT=rfc822;{} NOTIFY=SUCCESS,FAILURE", "o".repeat(460));
    let longest = "v".repeat(900);
    let reply = say(&format!("RCPT TO:<{path}> {orcpt} XRCPTFORWARD={longest}"));
    assert!(reply.starts_with("250"), "{reply}");
    let reply = say(&format!("RCPT TO:<b@x.y> XRCPTFORWARD={longest}v"));
    assert!(reply.starts_with("501 5.5.4"), "{reply}");
    assert_eq!(values, [longest]);
    // The one without it takes no such line.
    let limit = |config: &Config| config.extensions().lines().count();
    assert_eq!(limit(&configured()), limit(&config().with_extension(Extension::Dsn)) + 2);
}

#[test]
fn a_parameter_is_announced_once_for_both_commands() {
    let both = config()
        .with_parameter(CustomParameter::on_mail("XBOTH").unwrap())
        .with_parameter(CustomParameter::on_rcpt("XBOTH").unwrap())
        .with_parameter(CustomParameter::on_rcpt("xboth").unwrap().announced_as("XBOTH").unwrap());
    assert_eq!(both.extensions().others().collect::<Vec<_>>(), ["XBOTH"]);
}
