//! The length of a command line: 512 octets (RFC 5321 section 4.5.3.1.4), and what each extension adds
//! to MAIL and RCPT. The numbers are those of the standards, and every extension is tried alone.

use crate::{
    by_hand::ByHand,
    common::{Experience, config},
    dialogue::{Act, Dialogue, Mail, mail},
};
use esmtp::{
    envelope::Envelope,
    sasl::{Mechanism, Offer},
    security::Security,
    server::{Config, Event, Limits},
    service::Service,
    syntax::{
        DateTime, Extension, Extensions, ForwardPath, FutureRelease, HoldSeconds, Parameters,
    },
};

/// Returns the octets that an extension adds to the line of MAIL and to that of RCPT.
fn additions(extension: Extension) -> (usize, usize) {
    match extension {
        Extension::Size => (26, 0),            // RFC 1870 section 3
        Extension::BinaryMime => (16, 0),      // RFC 3030 section 3
        Extension::Auth => (500, 0),           // RFC 4954 section 3
        Extension::SmtpUtf8 => (10, 0),        // RFC 6531 section 3.1
        Extension::RequireTls => (11, 0),      // RFC 8689 section 2
        Extension::MtPriority => (15, 0),      // RFC 6710 section 3
        Extension::DeliverBy => (17, 0),       // RFC 2852 section 2
        Extension::FutureRelease => (34, 0),   // RFC 4865 section 3
        Extension::NoSoliciting => (1007, 0),  // RFC 3865 section 3
        Extension::Dsn => (9 + 107, 530),      // RFC 3461 sections 4.3, 4.4 and 5.4
        Extension::Rrvs => (0, 33),            // RFC 7293 section 3.1
        Extension::Mtrk => (40 + 107, 507),    // RFC 3885 section 2
        Extension::Xverp => (9, 0),            // ` XVERP=` and two characters
        Extension::Submitter => (11 + 254, 0), // ` SUBMITTER=` and the mailbox of a path of 256 octets
        _ => (0, 0),
    }
}

/// Returns the extensions without which the extension is not offered.
fn needed_by(extension: Extension) -> Extensions {
    match extension {
        Extension::BinaryMime => Extensions::NONE.with(Extension::Chunking),
        Extension::SmtpUtf8 => Extensions::NONE.with(Extension::EightBitMime),
        _ => Extensions::NONE,
    }
}

fn with_arguments(extensions: Extensions, extension: Extension) -> Extensions {
    match extension {
        Extension::FutureRelease => extensions.with_future_release(&FutureRelease::new(
            HoldSeconds::new(3600).unwrap(),
            DateTime::new("2030-01-01T00:00:00Z").unwrap(),
        )),
        other => extensions.with(other),
    }
}

/// Returns a server of this service that offers the extension and accepts no longer lines than required.
fn offering(service: Service, extension: Extension) -> Config {
    let config = config()
        .with_service(service)
        .with_required_auth(false)
        .with_limits(Limits::default().with_command_line(512))
        .with_extensions(with_arguments(needed_by(extension), extension));
    match extension {
        Extension::Auth => config.with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear()),
        _ => config,
    }
}

fn channel_of(extension: Extension) -> Security {
    match extension {
        Extension::RequireTls => Security::TLS,
        _ => Security::CLEAR,
    }
}

/// Returns the command in a line of `octets` octets, padded with white space, which is accepted and counts.
fn line(command: &str, octets: usize) -> Vec<u8> {
    let octets = octets - "\r\n".len();
    format!("{command:<octets$}\r\n").into_bytes()
}

fn accept(experience: &mut Experience, event: Event<'_>) {
    match event {
        Event::Rcpt(rcpt) => rcpt.accept(),
        other => experience.answer(other),
    }
}

const MAIL: &str = "MAIL FROM:<a@b.org>";
const RCPT: &str = "RCPT TO:<c@d.org>";

/// 5321-4.5.3.1.4-a, and the addition of each extension: 1870-3-c, 2852-4-b, 3030-3-f, 4865-3-d, 4954-3-c,
/// 6531-3.1-d, 6710-3-c, 7293-3-c, 8689-2-c.
#[test]
fn a_server_takes_lines_of_512_octets_and_what_each_extension_adds() {
    let mut tried = Extensions::NONE;
    for service in [Service::Smtp, Service::Submission, Service::Lmtp] {
        for extension in Config::implemented().filter(|it| service.has(*it)) {
            tried = tried.with(extension);
            let (mail, rcpt) = additions(extension);
            let config = offering(service, extension);
            let mut session = ByHand::after_hello(config, channel_of(extension), accept);
            for (command, octets) in [(MAIL, 512 + mail), (RCPT, 512 + rcpt)] {
                let said = session.say(&line(command, octets));
                assert!(said.starts_with("250 "), "{service:?} {extension} {octets}: {said}");
            }
            // One limit holds for all commands of a session.
            let beyond = 512 + mail.max(rcpt) + 1;
            for command in [MAIL, RCPT] {
                let said = session.say(&line(command, beyond));
                assert!(said.starts_with("500 "), "{service:?} {extension} {beyond}: {said}");
            }
        }
    }
    assert!(Config::implemented().all(|extension| tried.contains(extension)));
}

/// 5321-4.5.3.1.4-a: the additions of all extensions together.
#[test]
fn a_server_takes_what_all_extensions_add() {
    for service in [Service::Smtp, Service::Submission, Service::Lmtp] {
        let offered = || Config::implemented().filter(|it| service.has(*it));
        let config = config()
            .with_service(service)
            .with_required_auth(false)
            .with_limits(Limits::default().with_command_line(512))
            .with_extensions(offered().fold(Extensions::NONE, with_arguments))
            .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear());
        let held = if service == Service::Submission { 34 } else { 0 };
        // MTRK adds no second ENVID and no second ORCPT where there is DSN.
        let mail = 512 + 26 + 16 + 500 + 10 + 11 + 15 + 17 + held + 1007 + 116 + 40 + 9 + 265;
        let rcpt = 512 + 530 + 33;
        let mut session = ByHand::after_hello(config, Security::TLS, accept);
        assert!(session.say(&line(MAIL, mail)).starts_with("250 "), "{service:?}");
        assert!(session.say(&line(RCPT, rcpt)).starts_with("250 "), "{service:?}");
        assert!(session.say(&line(MAIL, mail + 1)).starts_with("500 "), "{service:?}");
    }
}

/// Returns the line of EHLO's reply that offers the extension.
fn keyword(extension: Extension) -> String {
    match extension {
        Extension::Auth => "AUTH PLAIN".to_owned(),
        Extension::FutureRelease => "FUTURERELEASE 3600 2030-01-01T00:00:00Z".to_owned(),
        other => other.keyword().to_owned(),
    }
}

/// Returns a message with a custom parameter that makes the line of MAIL or of RCPT `octets` octets long.
fn message(is_mail: bool, command: &str, octets: usize) -> (Mail, String) {
    let value = "x".repeat(octets - command.len() - " X-OWN=\r\n".len());
    let own = Parameters::parse(&format!("X-OWN={value}")).unwrap().into_owned();
    let (of_mail, of_rcpt) =
        if is_mail { (own, Parameters::NONE) } else { (Parameters::NONE, own) };
    let to = ForwardPath::parse("<bob@example.net>").unwrap().into_owned();
    let envelope = Envelope::new("ann@example.org", [""; 0]).unwrap();
    let envelope = envelope.with_parameters(of_mail).with_recipient(to, of_rcpt);
    let message = Mail { envelope, ..mail(&["bob@example.net"], "x\r\n") };
    (message, format!("{command} X-OWN={value}"))
}

/// 5321-4.5.3.1.4-b, and the addition of each extension: 1870-3-c, 2852-4-b, 3030-3-f, 4865-3-d, 4954-3-c,
/// 6531-3.1-d, 6710-3-c, 7293-3-c, 8689-2-c.
#[test]
fn a_client_sends_lines_of_512_octets_and_what_each_extension_adds() {
    // The client makes no use of CHECKPOINT, and so has no longer lines for it.
    for extension in Extension::ALL.iter().copied() {
        let (for_mail, for_rcpt) = additions(extension);
        // The size of the message is declared where that is offered.
        let declared = if extension == Extension::Size { " SIZE=3" } else { "" };
        let mut offered: Vec<_> = needed_by(extension).iter().map(keyword).collect();
        offered.push(keyword(extension));
        let last = offered.pop().unwrap();
        let opening = offered
            .iter()
            .fold("S: 220 mx\nC: EHLO me.example.org\nS: 250-mx\n".to_owned(), |all, one| {
                format!("{all}S: 250-{one}\n")
            });
        let end = "S: 550 no\nC: QUIT\nS: 221 bye\nC: (closed)";
        for is_mail in [true, false] {
            let (verb, added) = if is_mail { ("MAIL", for_mail) } else { ("RCPT", for_rcpt) };
            let command =
                if is_mail { "MAIL FROM:<ann@example.org>" } else { "RCPT TO:<bob@example.net>" };
            // What the client adds itself comes after what the application has set.
            let room = if is_mail { declared.len() } else { 0 };
            let limit = 512 + added;
            let (longest, line) = message(is_mail, command, limit - room);
            let said = if is_mail {
                format!("C: {line}{declared}")
            } else {
                format!("C: MAIL FROM:<ann@example.org>{declared}\nS: 250 ok\nC: {line}")
            };
            // One command at a time, also where PIPELINING is offered.
            let dialogue = |message| Dialogue {
                security: channel_of(extension),
                ..Dialogue::new([Act::Send(message)]).with(|config| config.with_in_flight(1))
            };
            let notes =
                dialogue(longest).plays_whole(&format!("{opening}S: 250 {last}\n{said}\n{end}"));
            assert_eq!(notes[0], "0: <bob@example.net> 550 no", "{extension} {verb}");
            let (longer, _) = message(is_mail, command, limit - room + 1);
            let notes = dialogue(longer)
                .plays_whole(&format!("{opening}S: 250 {last}\nC: QUIT\nS: 221 bye\nC: (closed)"));
            let octets = limit + 1;
            assert_eq!(
                notes[0],
                format!(
                    "not offered: the command line of {verb} would have {octets} octets of {limit}"
                ),
                "{extension}"
            );
        }
    }
}
