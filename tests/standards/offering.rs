//! A server that offers something, and a client that wants something that may be offered.

use crate::{
    common::{Experience, config},
    dialogue::{Act, Dialogue, Mail, after_offer, mail},
};
use esmtp::{
    envelope::Envelope,
    sasl::{PlainVerifier, Question},
    server::{Config, Event},
    syntax::{Extension, Extensions, ForwardPath, Parameters},
};

/// Handles events as the usual application does, and accepts every client that authenticates with PLAIN.
pub(crate) fn believe(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Auth(auth) => auth.verify(Box::new(PlainVerifier::new())),
        Event::Credentials(credentials) => match credentials.question {
            Question::Password(question) => question.accept(),
            other => other.reject(),
        },
        Event::Authenticated(authenticated) => authenticated.accept(),
        other => experience.answer(other),
    }
}

/// Returns a server that offers exactly these extensions.
pub(crate) fn with(extensions: &[Extension]) -> Config {
    config().with_extensions(extensions.iter().copied().fold(Extensions::NONE, Extensions::with))
}

/// Returns a message from ann@example.org to bob@example.net with these parameters of MAIL and of RCPT.
pub(crate) fn asking(for_mail: &str, for_rcpt: &str) -> Mail {
    let parameters = |text: &str| Parameters::parse(text).unwrap().into_owned();
    let to = ForwardPath::parse("<bob@example.net>").unwrap().into_owned();
    let envelope = Envelope::new("ann@example.org", [""; 0]).unwrap();
    let envelope =
        envelope.with_parameters(parameters(for_mail)).with_recipient(to, parameters(for_rcpt));
    Mail { envelope, ..mail(&["bob@example.net"], "x\r\n") }
}

/// Asserts that the client sends these parameters where `line` is announced, and no command elsewhere.
#[track_caller]
pub(crate) fn goes_only_where_offered(line: &str, for_mail: &str, for_rcpt: &str) {
    let space = |text: &str| if text.is_empty() { String::new() } else { format!(" {text}") };
    let dialogue = Dialogue::new([Act::Send(asking(for_mail, for_rcpt))]);
    let script = format!(
        "C: MAIL FROM:<ann@example.org>{}
         S: 250 ok
         C: RCPT TO:<bob@example.net>{}
         S: 250 ok
         C: DATA
         S: 354 go
         C: x
         C: .
         S: 250 ok
         C: QUIT
         S: 221 bye
         C: (closed)",
        space(for_mail),
        space(for_rcpt)
    );
    let notes = dialogue.plays(&after_offer(line, &script));
    assert_eq!(notes[0], "0: <bob@example.net> 250 ok");
    let keyword = format!("{for_mail}{for_rcpt}");
    let keyword = keyword.split('=').next().unwrap();
    let notes = dialogue.plays(&after_offer(
        "HELP",
        "C: QUIT
         S: 221 bye
         C: (closed)",
    ));
    assert_eq!(notes[0], format!("not offered: the parameter {keyword} is not offered"));
}
