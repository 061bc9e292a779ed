use super::{
    asynchronous::{DELAY, over},
    content, envelope, receiver, sender,
};
use esmtp::{
    client::{Event, MessageFacts, Outcome, TlsPolicy},
    io::{AuthenticateError, Progress, SendError, SendFailure, blocking},
    sasl::{Credentials, ErrorStatus},
    service::Service,
    syntax::{ForwardPath, Mailbox, Parameters, Reply, ReversePath},
    testing::{RunningPeer, Script, ScriptedPeer},
};
use tokio::time::Instant;

const UNKNOWN: &MessageFacts = &MessageFacts::UNKNOWN;

fn from(address: &str) -> ReversePath<'static> {
    ReversePath::Mailbox(address.parse().unwrap())
}

fn to(address: &str) -> ForwardPath<'static> {
    ForwardPath::Mailbox(address.parse().unwrap())
}

fn round_trips(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() / (2.0 * DELAY.as_secs_f64())
}

fn codes(replies: &[Reply<'_>]) -> Vec<u16> {
    replies.iter().map(|reply| reply.code().get()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_reply_is_known_before_the_next_command() {
    for config in [receiver(true), receiver(false), receiver(true).with_service(Service::Lmtp)] {
        let service = config.service();
        let client = sender().with_service(service);
        let ((), taken) = over(config, client, [None; 2], async |mut session| {
            let ann = from("ann@example.org");
            let mut transaction = session.begin(ann, Parameters::NONE, UNKNOWN).await.unwrap();
            let begun = Instant::now();
            let mut replies = vec![transaction.mail().await.unwrap()];
            for address in ["0@example.net", "nobody@example.net", "1@example.net"] {
                replies.push(transaction.rcpt(to(address), Parameters::NONE).await.unwrap());
            }
            assert_eq!(codes(&replies), [250, 250, 550, 250]);
            assert!((round_trips(begun) - 4.0).abs() < 0.01, "{}", round_trips(begun));
            assert_eq!(transaction.mail().await.unwrap(), replies[0]);
            assert_eq!(transaction.reply(1).await.unwrap(), replies[2]);

            let mut writer = transaction.content().await.unwrap();
            assert!(writer.is_wanted());
            for piece in content(0).as_bytes().chunks(5) {
                writer.write(piece).await.unwrap();
            }
            let report = writer.finish().await.unwrap();
            let delivered: Vec<_> = report.outcomes().map(Outcome::is_delivered).collect();
            assert_eq!(delivered, [true, false, true], "{service:?}");
            assert!(session.send(envelope(2), content(2).as_bytes()).await.is_ok());
            session.quit().await.unwrap();
        })
        .await;
        assert_eq!(taken.messages.len(), 2);
        assert_eq!(taken.messages[0].1, content(0).as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn recipients_that_are_known_together_cost_one_round_trip() {
    let ((), taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
        let ann = from("ann@example.org");
        let mut transaction = session.begin(ann, Parameters::NONE, UNKNOWN).await.unwrap();
        let begun = Instant::now();
        for number in 0..30 {
            let mailbox: Mailbox<'static> = format!("{number}@example.net").parse().unwrap();
            assert_eq!(transaction.add(mailbox, Parameters::NONE).await.unwrap(), number);
        }
        for index in [29, 0, 7] {
            assert!(transaction.reply(index).await.unwrap().is_positive());
        }
        assert!((round_trips(begun) - 1.0).abs() < 0.01, "{}", round_trips(begun));
        let mut writer = transaction.content().await.unwrap();
        writer.write(b"Hi\r\n").await.unwrap();
        assert!(writer.finish().await.unwrap().is_delivered_to_all());
        assert!((round_trips(begun) - 2.0).abs() < 0.01, "{}", round_trips(begun));
        session.quit().await.unwrap();
    })
    .await;
    assert_eq!(taken.messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_mail_is_the_reply_for_every_recipient() {
    let ((), taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
        let eve = from("eve@example.org");
        let mut transaction = session.begin(eve, Parameters::NONE, UNKNOWN).await.unwrap();
        let mail = transaction.mail().await.unwrap();
        assert_eq!(mail.code().get(), 550);
        let rcpt = transaction.rcpt(to("0@example.net"), Parameters::NONE).await.unwrap();
        assert_eq!(rcpt, mail);
        let mut writer = transaction.content().await.unwrap();
        assert!(!writer.is_wanted());
        writer.write(b"Hi\r\n").await.unwrap();
        writer.finish().await.unwrap();
        // The session goes on.
        assert!(session.send(envelope(1), content(1).as_bytes()).await.is_ok());
        session.quit().await.unwrap();
    })
    .await;
    assert_eq!(taken.messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_given_up_or_dropped_leaves_the_session_to_the_next() {
    for how in 0..4 {
        let ((), taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
            let ann = from("ann@example.org");
            let mut transaction = session.begin(ann, Parameters::NONE, UNKNOWN).await.unwrap();
            transaction.rcpt(to("0@example.net"), Parameters::NONE).await.unwrap();
            match how {
                0 => drop(transaction),
                1 => {
                    let report = transaction.abort().await.unwrap();
                    assert!(report.outcomes().all(|it| *it == Outcome::Untried));
                }
                _ => {
                    let mut writer = transaction.content().await.unwrap();
                    writer.write(b"half of it\r\n").await.unwrap();
                    if how == 2 {
                        drop(writer);
                    } else {
                        writer.abort().await.unwrap();
                    }
                }
            }
            let report = session.send(envelope(1), content(1).as_bytes()).await.unwrap();
            assert!(report.is_delivered_to_all(), "{how}");
            session.quit().await.unwrap();
        })
        .await;
        assert_eq!(taken.messages.len(), 1, "{how}");
        assert_eq!(taken.messages[0].1, content(1).as_bytes(), "{how}");
    }
}

/// Sends a message step by step.
async fn step_by_step(
    session: &mut esmtp::io::tokio::Connection<esmtp::client::Client, super::wire::End>,
) -> Result<esmtp::client::Report, SendError> {
    let ann = from("ann@example.org");
    let mut transaction = session.begin(ann, Parameters::NONE, UNKNOWN).await?;
    transaction.mail().await?;
    transaction.rcpt(to("0@example.net"), Parameters::NONE).await?;
    let mut writer = transaction.content().await?;
    writer.write(content(0).as_bytes()).await?;
    writer.finish().await
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_lost_at_any_octet_ends_the_transaction_truly() {
    for is_chunking in [true, false] {
        for cut in 0..200 {
            for cuts in [[Some(cut), None], [None, Some(cut)]] {
                let (result, taken) =
                    over(receiver(is_chunking), sender(), cuts, async |mut session| {
                        step_by_step(&mut session).await
                    })
                    .await;
                let is_taken = !taken.messages.is_empty();
                let is_true = match &result {
                    Ok(report) => report.outcomes().all(|outcome| match outcome {
                        Outcome::Replied(reply) => reply.is_positive() == is_taken,
                        Outcome::Unknown => true,
                        _ => !is_taken,
                    }),
                    Err(error) => !is_taken && error.try_next_host(),
                };
                assert!(is_true, "{is_chunking} {cuts:?}: {result:?}, {is_taken}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_recipient_that_the_server_cannot_take_leaves_the_transaction_open() {
    let ((), taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
        let ann = from("ann@example.org");
        let mut transaction = session.begin(ann, Parameters::NONE, UNKNOWN).await.unwrap();
        let never = Parameters::parse("NOTIFY=NEVER").unwrap().into_owned();
        let error = transaction.rcpt(to("0@example.net"), never).await.unwrap_err();
        assert!(matches!(error.failure(), SendFailure::NotOffered(_)), "{error:?}");
        let reply = transaction.rcpt(to("1@example.net"), Parameters::NONE).await.unwrap();
        assert!(reply.is_positive());
        let mut writer = transaction.content().await.unwrap();
        writer.write(b"Hi\r\n").await.unwrap();
        assert_eq!(writer.finish().await.unwrap().outcomes().len(), 1);
        session.quit().await.unwrap();
    })
    .await;
    assert_eq!(taken.messages.len(), 1);
}

/// Starts a server on loopback that plays a script once.
fn plays(script: &str) -> RunningPeer {
    ScriptedPeer::server(&Script::new(script).unwrap()).listen().unwrap()
}

#[test]
fn a_blocking_transaction_goes_step_by_step() {
    let server = plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: MAIL FROM:<ann@example.org>
         S: 250 ann
         C: RCPT TO:<bob@example.net>
         S: 250 bob
         C: RCPT TO:<carl@example.net>
         S: 550 5.1.1 no carl
         C: DATA
         S: 354 go
         C: Hi
         C: .
         S: 250 queued
         C: QUIT
         S: 221 bye",
    );
    let mut session = blocking::connect(server.address(), sender()).unwrap();
    let ann = from("ann@example.org");
    let mut transaction = session.begin(ann, Parameters::NONE, UNKNOWN).unwrap();
    let replies = [
        transaction.mail().unwrap(),
        transaction.rcpt(to("bob@example.net"), Parameters::NONE).unwrap(),
        transaction.rcpt(to("carl@example.net"), Parameters::NONE).unwrap(),
    ];
    assert_eq!(codes(&replies), [250, 250, 550]);
    let mut writer = transaction.content().unwrap();
    writer.write(b"Hi\r\n").unwrap();
    let report = writer.finish().unwrap();
    let shown: Vec<_> = report.outcomes().map(ToString::to_string).collect();
    assert_eq!(shown, ["250 queued", "550 5.1.1 no carl"]);
    session.quit().unwrap();
    server.finish().unwrap();
}

/// The session goes on in the clear after a rejected STARTTLS of the policy, and ends after one that the application has
/// asked for.
const NO_TLS: &str = "S: 220 mx
    C: EHLO me.example.org
    S: 250-mx
    S: 250 STARTTLS
    C: STARTTLS
    S: 454 4.7.0 not now
    C: MAIL FROM:<ann@example.org>
    S: 250 ann
    C: RCPT TO:<1@example.net>
    S: 250 bob
    C: DATA
    S: 354 go
    C: Subject: 1
    C:
    C: hello
    C: .
    S: 250 queued
    C: QUIT
    S: 221 bye";

/// RFC 7435 section 4.2; RFC 3207 section 4.1.
#[test]
fn a_blocking_session_goes_on_in_the_clear_where_tls_is_opportunistic() {
    let config = || sender().with_tls(TlsPolicy::IfOffered);
    let server = plays(NO_TLS);
    let mut session = blocking::connect(server.address(), config()).unwrap();
    let report = session.send(envelope(1), content(1)).unwrap();
    assert!(report.is_delivered_to_all());
    session.quit().unwrap();
    server.finish().unwrap();

    let server = plays(NO_TLS);
    let mut session = blocking::connect(server.address(), config()).unwrap();
    let results: Vec<_> = session.queue(8, [(envelope(1), content(1))]).collect();
    assert!(results[0].1.as_ref().unwrap().is_delivered_to_all());
    session.quit().unwrap();
    server.finish().unwrap();
}

#[tokio::test]
async fn a_session_goes_on_in_the_clear_where_tls_is_opportunistic() {
    let config = || sender().with_tls(TlsPolicy::IfOffered);
    let server = plays(NO_TLS);
    let mut session = esmtp::io::tokio::connect(server.address(), config()).await.unwrap();
    assert!(session.send(envelope(1), content(1)).await.unwrap().is_delivered_to_all());
    session.quit().await.unwrap();
    server.finish().unwrap();

    let server = plays(NO_TLS);
    let mut session = esmtp::io::tokio::connect(server.address(), config()).await.unwrap();
    let ann = from("ann@example.org");
    let mut transaction = session.begin(ann, Parameters::NONE, UNKNOWN).await.unwrap();
    transaction.rcpt(to("1@example.net"), Parameters::NONE).await.unwrap();
    let mut writer = transaction.content().await.unwrap();
    writer.write(content(1).as_bytes()).await.unwrap();
    assert!(writer.finish().await.unwrap().is_delivered_to_all());
    session.quit().await.unwrap();
    server.finish().unwrap();
}

#[test]
fn a_session_ends_where_tls_was_asked_for_by_the_application() {
    let server = plays(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250-mx
         S: 250 STARTTLS
         C: STARTTLS
         S: 454 4.7.0 not now
         C: QUIT
         S: 221 bye",
    );
    let mut session = blocking::connect(server.address(), sender()).unwrap();
    let Event::Ready(ready) = session.next().unwrap().unwrap() else { panic!() };
    ready.start_tls().unwrap();
    let error = session.send(envelope(1), content(1)).unwrap_err();
    assert!(matches!(error.failure(), SendFailure::Refused { .. }), "{error:?}");
    assert_eq!(session.next().unwrap().map(|event| event.name()), None);
    server.finish().unwrap();
}

/// A session in which DATA is rejected, then one in which the content is, each with a rejected recipient before the others.
const REJECTED: [(&str, &str); 2] = [
    ("C: DATA\nS: 554-5.7.1 not so\nS: 554 5.7.1 fast", "554-5.7.1 not so\r\n554 5.7.1 fast\r\n"),
    ("C: DATA\nS: 354 go\nC: Hi\nC: .\nS: 550 5.7.1 spam", "550 5.7.1 spam\r\n"),
];

/// Starts a server that plays one of them.
fn rejects(content: &str) -> RunningPeer {
    plays(&format!(
        "S: 220 mx
         C: EHLO me.example.org
         S: 250 mx
         C: MAIL FROM:<ann@example.org>
         S: 250 ann
         C: RCPT TO:<carl@example.net>
         S: 550 5.1.1 no carl
         C: RCPT TO:<bob@example.net>
         S: 250 bob
         {content}
         C: QUIT
         S: 221 bye"
    ))
}

/// Returns the octets of a reply.
fn shown(reply: &Reply<'_>) -> String {
    let mut octets = Vec::new();
    reply.encode(&mut octets);
    String::from_utf8(octets).unwrap()
}

#[tokio::test]
async fn the_replies_to_data_and_to_the_content_are_known_unchanged() {
    for (number, (script, expected)) in REJECTED.into_iter().enumerate() {
        let server = rejects(script);
        let mut session = esmtp::io::tokio::connect(server.address(), sender()).await.unwrap();
        let ann = from("ann@example.org");
        let mut transaction = session.begin(ann, Parameters::NONE, UNKNOWN).await.unwrap();
        transaction.rcpt(to("carl@example.net"), Parameters::NONE).await.unwrap();
        transaction.rcpt(to("bob@example.net"), Parameters::NONE).await.unwrap();
        let mut writer = transaction.content().await.unwrap();
        assert_eq!(writer.refusal().is_some(), number == 0);
        assert_eq!(writer.is_wanted(), number == 1);
        writer.write(b"Hi\r\n").await.unwrap();
        for _ in 0..2 {
            assert_eq!(shown(writer.end().await.unwrap().unwrap()), expected);
        }
        let report = writer.finish().await.unwrap();
        let shown: Vec<_> = report.outcomes().map(|it| it.reply().unwrap().code().get()).collect();
        assert_eq!(shown[0], 550);
        session.quit().await.unwrap();
        server.finish().unwrap();
    }
}

#[test]
fn a_blocking_transaction_tells_the_replies_to_data_and_to_the_content() {
    for (number, (script, expected)) in REJECTED.into_iter().enumerate() {
        let server = rejects(script);
        let mut session = blocking::connect(server.address(), sender()).unwrap();
        let ann = from("ann@example.org");
        let mut transaction = session.begin(ann, Parameters::NONE, UNKNOWN).unwrap();
        transaction.rcpt(to("carl@example.net"), Parameters::NONE).unwrap();
        transaction.rcpt(to("bob@example.net"), Parameters::NONE).unwrap();
        let mut writer = transaction.content().unwrap();
        assert_eq!(writer.refusal().is_some(), number == 0);
        writer.write(b"Hi\r\n").unwrap();
        assert_eq!(shown(writer.end().unwrap().unwrap()), expected);
        writer.finish().unwrap();
        session.quit().unwrap();
        server.finish().unwrap();
    }
}

/// Without an accepted recipient there is no reply to DATA and none to the content.
#[tokio::test(start_paused = true)]
async fn content_without_recipients_has_no_reply() {
    let ((), _) = over(receiver(true), sender(), [None; 2], async |mut session| {
        let ann = from("ann@example.org");
        let mut transaction = session.begin(ann, Parameters::NONE, UNKNOWN).await.unwrap();
        transaction.rcpt(to("nobody@example.net"), Parameters::NONE).await.unwrap();
        let mut writer = transaction.content().await.unwrap();
        assert_eq!(writer.refusal(), None);
        assert_eq!(writer.end().await.unwrap(), None);
        writer.finish().await.unwrap();
        session.quit().await.unwrap();
    })
    .await;
}

const JSON: &str = r#"{"status":"invalid_token","scope":"mail"}"#;

/// A token is rejected with a reason (RFC 7628 section 3.2.2), and the session goes on.
const TOKENS: &str = "S: 220 mx
    C: EHLO me.example.org
    S: 250-mx
    S: 250 AUTH XOAUTH2
    C: AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgc2VjcmV0AQE=
    S: 334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJtYWlsIn0=
    C:
    S: 535 5.7.8 no
    C: AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgc2VjcmV0AQE=
    S: 235 2.7.0 welcome
    C: QUIT
    S: 221 bye";

fn token() -> Credentials {
    Credentials::token("ann", "secret").with_secrets_in_clear()
}

fn is_rejection(error: &AuthenticateError) {
    let AuthenticateError::Refused { reply, token_error } = error else { panic!("{error:?}") };
    assert_eq!(reply.to_string(), "535 5.7.8 no");
    assert_eq!(token_error.as_deref(), Some(JSON));
    let status = ErrorStatus::parse(JSON.as_bytes()).unwrap();
    assert_eq!(status.scope(), Some("mail"));
    assert!(error.to_string().contains("535 5.7.8 no") && !error.is_transient());
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[test]
fn a_blocking_session_authenticates_after_a_rejection() {
    let server = plays(TOKENS);
    let mut session = blocking::connect(server.address(), sender()).unwrap();
    is_rejection(&session.authenticate(&token()).unwrap_err());
    assert_eq!(session.authenticate(&token()).unwrap().as_str(), "XOAUTH2");
    let again = session.authenticate(&token()).unwrap_err();
    assert!(matches!(again, AuthenticateError::NoMechanism(_)), "{again}");
    session.quit().unwrap();
    server.finish().unwrap();
}

#[tokio::test]
async fn a_session_authenticates_after_a_rejection() {
    let server = plays(TOKENS);
    let mut session = esmtp::io::tokio::connect(server.address(), sender()).await.unwrap();
    is_rejection(&session.authenticate(&token()).await.unwrap_err());
    assert_eq!(session.authenticate(&token()).await.unwrap().as_str(), "XOAUTH2");
    session.quit().await.unwrap();
    server.finish().unwrap();
}

#[test]
fn a_session_that_ends_before_it_authenticates_says_why() {
    let server = plays("S: 554 5.3.2 no\nC: QUIT\nS: 221 bye");
    let mut session = blocking::connect(server.address(), sender()).unwrap();
    let error = session.authenticate(&token()).unwrap_err();
    assert!(error.to_string().contains("554 5.3.2 no"), "{error}");
    server.finish().unwrap();
    let server = plays("S: 220 mx\nC: EHLO me.example.org\nS: 250 mx");
    let mut session = blocking::connect(server.address(), sender()).unwrap();
    let error = session.authenticate(&token()).unwrap_err();
    assert!(matches!(error, AuthenticateError::NoMechanism(_)), "{error}");
    drop(session);
    server.finish().unwrap();
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_while_a_message_is_sent() {
    let ((), taken) = over(receiver(true), sender(), [None; 2], async |mut session| {
        let octets = "a line of text\r\n".repeat(20_000).into_bytes();
        let mut told = Vec::new();
        let source = Progress::new(&octets[..], |taken| told.push(taken));
        session.send_from(envelope(0), MessageFacts::UNKNOWN, source).await.unwrap();
        assert!(told.len() > 2 && told.is_sorted(), "{told:?}");
        assert_eq!(told.last().copied(), u64::try_from(octets.len()).ok());
        session.quit().await.unwrap();
    })
    .await;
    assert_eq!(taken.messages.len(), 1);
}
