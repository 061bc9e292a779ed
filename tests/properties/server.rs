//! What holds for a server whatever a client says.

use esmtp::{
    machine::{Closed, Machine, Need},
    sasl::{Mechanism, Offer, PlainVerifier, Question},
    security::Security,
    server::{Config, CustomVerb, Event, Limits, Peer, Server, VerbPlacement},
    service::Service,
    syntax::{Extension, Rejection, Reply, Text},
    time::Instant,
    wire::BareLineBreaks,
};
use proptest::{collection::vec, prelude::*, sample::select};
use std::sync::Arc;

/// An answer that the application may give, drawn anew for every question.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Accept,
    Reject,
    Close,
    Forget,
    Bit,
}

#[derive(Debug, Default, PartialEq)]
struct Ledger {
    /// Transactions that the application accepted.
    begun: usize,
    delivered: usize,
    aborted: usize,
    /// The content of the messages that came to `Deliver`.
    messages: Vec<Vec<u8>>,
    content: Vec<u8>,
}

impl Ledger {
    fn answer(&mut self, event: Event<'_>, mood: Mood) {
        match (event, mood) {
            // A token that is dropped is no answer.
            (_, Mood::Forget) => {}
            (Event::Mail(mail), Mood::Reject) => mail.reject(Rejection::LOCAL_ERROR),
            (Event::Mail(mail), Mood::Close) => mail.reject_and_close(Rejection::LOCAL_ERROR),
            (Event::Mail(mail), _) => {
                let path = mail.reverse_path().to_string();
                assert!(!path.contains("chunk"), "octets of a chunk are no commands");
                self.begun += 1;
                self.content.clear();
                mail.accept();
            }
            (Event::Rcpt(rcpt), Mood::Reject) => rcpt.reject(Rejection::NO_SUCH_MAILBOX),
            (Event::Rcpt(rcpt), Mood::Close) => rcpt.reject_and_close(Rejection::LOCAL_ERROR),
            (Event::Rcpt(rcpt), _) => rcpt.accept(),
            (Event::Data(data), Mood::Reject) => data.reject(Rejection::LOCAL_ERROR),
            (Event::Content(content), Mood::Reject) => content.reject(Rejection::LOCAL_ERROR),
            (Event::Content(content), Mood::Bit) => {
                let first = content.octets()[0];
                self.content.push(first);
                content.consume(1);
            }
            (Event::Content(content), Mood::Close) => {
                self.content.extend_from_slice(&content.take_bytes());
            }
            (Event::Content(content), _) => self.content.extend_from_slice(content.take()),
            (Event::Deliver(mut delivery), mood) => {
                if let (Some(mut each), Mood::Bit) = (delivery.per_recipient(), mood) {
                    each.settle(0, Ok(()));
                    each.settle(0, Err(Rejection::LOCAL_ERROR));
                    each.settle(usize::MAX, Ok(()));
                }
                self.delivered += 1;
                self.messages.push(std::mem::take(&mut self.content));
                match mood {
                    Mood::Reject => delivery.reject(Rejection::LOCAL_ERROR),
                    Mood::Close => delivery.reject_and_close(Rejection::LOCAL_ERROR),
                    _ => delivery.accept(),
                }
            }
            (Event::Abort(abort), _) => {
                // How much of a message was lent before its end depends on how it came.
                self.content.clear();
                self.aborted += 1;
                abort.acknowledge();
            }
            (Event::Connect(connect), Mood::Reject) => connect.reject(Rejection::LOCAL_ERROR),
            (Event::Hello(hello), Mood::Reject) => hello.reject(Rejection::LOCAL_ERROR),
            (Event::Hello(hello), Mood::Close) => hello.not_secure(),
            (Event::Auth(auth), _) => auth.verify(Box::new(PlainVerifier::new())),
            (Event::Credentials(credentials), _) => match credentials.question {
                Question::Password(question) => question.accept(),
                other => other.reject(),
            },
            (Event::Authenticated(authenticated), _) => authenticated.accept(),
            (Event::Burl(burl), Mood::Accept) => burl.accept(),
            (Event::Xclient(xclient), Mood::Accept) => xclient.accept(),
            (Event::Xforward(xforward), Mood::Accept) => xforward.accept(),
            (Event::Atrn(atrn), Mood::Reject) => atrn.nothing_waits(),
            (Event::Atrn(atrn), Mood::Accept) => atrn.accept(),
            (Event::Other(other), Mood::Accept) => other.accept(),
            (Event::Other(other), Mood::Close) => other.hand_over(Text::literal("go")),
            (other, _) => other.proceed(),
        }
    }
}

/// Drives to the end; gives back what was said and what was lived through.
fn run(
    config: &Arc<Config>,
    octets: &[u8],
    cuts: &[usize],
    moods: &[Mood],
    how: Closed,
) -> (Vec<u8>, Ledger) {
    let mut server = Server::new(Arc::clone(config), Peer::UNKNOWN, Security::CLEAR);
    let (mut said, mut ledger) = (Vec::new(), Ledger::default());
    let mut moods = moods.iter().copied().cycle();
    let mut cuts = cuts.iter().copied().cycle();
    let (mut rest, mut is_closed, mut forgotten) = (octets, false, 0);
    loop {
        match server.poll(Instant::ORIGIN) {
            Need::Answer => {
                let event = server.event().expect("Need::Answer comes with an event");
                let mood = match moods.next().unwrap() {
                    Mood::Forget if forgotten > 3 => Mood::Accept,
                    mood => mood,
                };
                forgotten = if matches!(mood, Mood::Forget) { forgotten + 1 } else { 0 };
                ledger.answer(event, mood);
            }
            Need::Write(_) | Need::Either(_) => {
                let mut slices = [&[][..]; 4];
                let count = server.to_send(&mut slices);
                let ready = slices[..count].concat();
                assert!(!ready.is_empty());
                let sent = cuts.next().unwrap().clamp(1, ready.len());
                said.extend_from_slice(&ready[..sent]);
                server.sent(sent);
            }
            Need::Read(_) => {
                assert!(!server.receive_buffer().is_empty(), "room to read into");
                if rest.is_empty() {
                    assert!(!is_closed, "nothing to read from a peer that has closed");
                    is_closed = true;
                    server.closed(how);
                } else {
                    let piece = cuts.next().unwrap().clamp(1, rest.len());
                    let taken = server.feed(&rest[..piece]);
                    rest = &rest[taken..];
                }
            }
            Need::Wait(_) => {}
            Need::Close => break,
        }
    }
    assert!(server.event().is_none() && server.end().is_some());
    (said, ledger)
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let lines = [
        "EHLO client.example.net\r\n",
        "HELO client.example.net\r\n",
        "LHLO client.example.net\r\n",
        "MAIL FROM:<a@b.org>\r\n",
        "MAIL FROM:<> SIZE=10 BODY=8BITMIME\r\n",
        "RCPT TO:<c@d.org>\r\n",
        "RCPT TO:<\"c d\"@[192.0.2.1]>\r\n",
        "DATA\r\n",
        "text\r\n",
        "..text\r\n",
        ".\r\n",
        ".\r\r\n",
        "\n.\n\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "VRFY x\r\n",
        "EXPN x\r\n",
        "HELP\r\n",
        "QUIT\r\n",
        "\r\n",
    ];
    let extended = [
        "BDAT 23\r\nMAIL FROM:<chunk@b.org>",
        "BDAT 25\r\nMAIL FROM:<chunk@b.org>\r\n",
        "BDAT 25 LAST\r\nMAIL FROM:<chunk@b.org>\r\n",
        "BDAT 0 LAST\r\n",
        "BURL imap://x.example/1\r\n",
        "BURL imap://x.example/1 LAST\r\n",
        "ATRN\r\n",
        "XCLIENT NAME=other.example\r\n",
        "XFORWARD NAME=origin.example\r\n",
        "XANY\r\n",
        "XIN x\r\n",
    ];
    prop_oneof![
        20 => select(lines.to_vec()).prop_map(|line| line.as_bytes().to_vec()),
        10 => select(extended.to_vec()).prop_map(|line| line.as_bytes().to_vec()),
        4 => Just(b"EHLO client.example.net\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n".to_vec()),
        // A transaction that comes to its end.
        6 => Just(b"MAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\nx\r\n.\r\n".to_vec()),
        1 => vec(any::<u8>(), 0..40).prop_map(|octets| [&octets[..], b"\r\n"].concat()),
        1 => Just([&[b'x'; 3000][..], b"\r\n"].concat()),
    ]
}

fn moods() -> impl Strategy<Value = Vec<Mood>> {
    let mood = prop_oneof![
        12 => Just(Mood::Accept),
        2 => Just(Mood::Reject),
        1 => Just(Mood::Close),
        2 => Just(Mood::Forget),
        3 => Just(Mood::Bit),
    ];
    vec(mood, 1..30)
}

fn a_config(enforces_sync: bool) -> impl Strategy<Value = Arc<Config>> {
    (
        select(vec![Service::Smtp, Service::Submission, Service::Lmtp]),
        select(vec![BareLineBreaks::Reject, BareLineBreaks::Normalise, BareLineBreaks::Keep]),
        select(vec![10, 1000, 100_000]),
    )
        .prop_map(move |(service, policy, message)| {
            let limits = Limits::default().with_message(message).with_recipients(3);
            let config = Config::new("mx.example.org").unwrap().with_service(service);
            let config =
                config.with_required_auth(false).with_bare_line_breaks(policy).with_limits(limits);
            let own = |verb, place| CustomVerb::new(verb, place).unwrap();
            let offered = Config::implemented().filter(|one| *one != Extension::StartTls);
            let config = offered
                .fold(config, Config::with_extension)
                .with_auth(Offer::new([Mechanism::PLAIN]).with_secrets_in_clear())
                .with_verb(own("XANY", VerbPlacement::Anywhere))
                .with_verb(own("XIN", VerbPlacement::InTransaction));
            Arc::new(config.with_enforced_sync(enforces_sync))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_transaction_ends_once_and_every_reply_is_one(
        config in any::<bool>().prop_flat_map(a_config),
        lines in vec(line(), 0..40),
        cuts in vec(1_usize..200, 1..20),
        moods in moods(),
        how in select(vec![Closed::Clean, Closed::CutOff]),
    ) {
        let (said, ledger) = run(&config, &lines.concat(), &cuts, &moods, how);
        prop_assert_eq!(ledger.begun, ledger.delivered + ledger.aborted);
        let mut rest = &said[..];
        while !rest.is_empty() {
            // A peer that vanished may have cut the last reply.
            match Reply::parse(rest) {
                Ok(Some((_, octets))) => rest = &rest[octets..],
                Ok(None) => {
                    prop_assert_eq!(how, Closed::CutOff);
                    break;
                }
                Err(error) => prop_assert!(false, "{}: {}", error, rest.escape_ascii()),
            }
        }
    }

    /// 2920-3.2-h
    #[test]
    fn no_cutting_changes_the_conversation(
        config in a_config(false),
        lines in vec(line(), 0..40),
        cuts in vec(1_usize..200, 1..20),
    ) {
        let octets = lines.concat();
        let whole = run(&config, &octets, &[usize::MAX], &[Mood::Accept], Closed::Clean);
        let cut = run(&config, &octets, &cuts, &[Mood::Accept], Closed::Clean);
        prop_assert_eq!(whole, cut);
    }
}
