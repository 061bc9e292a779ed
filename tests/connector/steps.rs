//! Each step of a connection fails, with the words of the failure.

use crate::{
    both,
    script::{AUTHORITY, C, Hang, S, Step, Tls, serve, unused_port},
};
use esmtp::{
    client::TlsPolicy,
    io::{ConnectError, ConnectStep},
    sasl::Credentials,
    service::Service,
    tls::ClientTls,
};
use std::{error::Error, io, time::Duration};

const SECRET: &str = "correct horse";

fn ann() -> Credentials {
    Credentials::password("ann", SECRET)
}

fn trusting() -> ClientTls {
    ClientTls::new().with_ca_pem(AUTHORITY.pem()).unwrap().with_server_name("localhost").unwrap()
}

/// The properties of an error.
#[derive(Debug, PartialEq)]
struct Kind {
    step: ConnectStep,
    is_permanent: bool,
    try_next_host: bool,
}

#[track_caller]
fn check(outcomes: [Result<(), ConnectError>; 2], expected: Kind, words: &[&str]) {
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        let shown = error.to_string();
        for words in words {
            assert!(shown.contains(words), "{shown:?} without {words:?}");
        }
        let Kind { step, is_permanent, try_next_host } = expected;
        assert_eq!(
            Kind {
                step: error.step(),
                is_permanent: error.is_permanent(),
                try_next_host: error.try_next_host()
            },
            Kind { step, is_permanent, try_next_host },
            "{shown}"
        );
        assert_ne!(error.is_transient(), error.is_permanent());
        for text in [shown, format!("{error:?}"), format!("{:?}", error.source())] {
            assert!(!text.contains(SECRET), "{text}");
        }
        let _ = io::Error::from(error);
    }
}

/// Submits by STARTTLS to a server that follows the script.
fn submit(script: &'static [Step]) -> [Result<(), ConnectError>; 2] {
    both!(serve(script).to_string(), submission(ann()), with_tls(trusting()))
}

#[test]
fn a_name_without_an_address_is_the_step_of_looking_it_up() {
    let outcomes = both!("no-such-host.invalid:25", with_tls_policy(TlsPolicy::Never));
    let expected = Kind { step: ConnectStep::Resolve, is_permanent: false, try_next_host: true };
    check(outcomes, expected, &["no-such-host.invalid:25: look-up: "]);
}

#[test]
fn a_port_without_a_server_is_the_step_of_connecting() {
    let address = format!("127.0.0.1:{}", unused_port());
    let outcomes = both!(&address, with_tls_policy(TlsPolicy::Never));
    let expected = Kind { step: ConnectStep::Connect, is_permanent: false, try_next_host: true };
    check(outcomes, expected, &[&address, "connection: ", "refused"]);
}

#[test]
fn a_negative_greeting_is_shown() {
    let outcomes = submit(&[S("554 5.7.1 no\tservice for you"), C("QUIT"), S("221 bye")]);
    let expected = Kind { step: ConnectStep::Greeting, is_permanent: true, try_next_host: true };
    check(outcomes, expected, &["greeting: ", "554 5.7.1 no\\tservice for you"]);

    let outcomes = submit(&[S("421 4.3.2 busy")]);
    let expected = Kind { step: ConnectStep::Greeting, is_permanent: false, try_next_host: true };
    check(outcomes, expected, &["greeting: ", "421 4.3.2 busy"]);
}

#[test]
fn a_server_that_is_no_mail_server_is_the_step_of_the_greeting() {
    let outcomes = submit(&[S("HTTP/1.1 400 Bad Request")]);
    let expected = Kind { step: ConnectStep::Greeting, is_permanent: false, try_next_host: true };
    check(outcomes, expected, &["greeting: ", "not a reply"]);
}

#[test]
fn a_rejected_hello_is_shown() {
    let outcomes =
        submit(&[S("220 mx"), C("EHLO "), S("550 5.7.1 who are you"), C("QUIT"), S("221 bye")]);
    let expected = Kind { step: ConnectStep::Hello, is_permanent: true, try_next_host: true };
    check(outcomes, expected, &["hello: ", "550 5.7.1 who are you"]);
}

#[test]
fn starttls_that_is_not_offered_or_rejected_is_a_step_of_its_own() {
    let outcomes = submit(&[S("220 mx"), C("EHLO "), S("250 mx"), C("QUIT"), S("221 bye")]);
    let expected = Kind { step: ConnectStep::StartTls, is_permanent: false, try_next_host: true };
    check(outcomes, expected, &["STARTTLS: ", "TLS is required and not offered"]);

    let outcomes = submit(&[
        S("220 mx"),
        C("EHLO "),
        S("250-mx\r\n250 STARTTLS"),
        C("STARTTLS"),
        S("454 4.7.0 no key"),
        C("QUIT"),
        S("221 bye"),
    ]);
    let expected = Kind { step: ConnectStep::StartTls, is_permanent: false, try_next_host: true };
    check(outcomes, expected, &["STARTTLS: ", "454 4.7.0 no key"]);
}

#[test]
fn a_failed_handshake_shows_the_reason_of_the_library() {
    let script = &[
        S("220 mx"),
        C("EHLO "),
        S("250-mx\r\n250 STARTTLS"),
        C("STARTTLS"),
        S("220 go"),
        Tls,
        C("EHLO"),
    ];
    let other = ClientTls::new().with_ca_pem(crate::script::Authority::new().pem()).unwrap();
    let outcomes = both!(
        format!("localhost:{}", serve(script).port()),
        submission(ann()),
        with_tls(other.clone())
    );
    for outcome in &outcomes {
        let error = outcome.as_ref().unwrap_err();
        assert_eq!(
            error.tls_failure().unwrap().kind(),
            esmtp::security::TlsFailureKind::UnknownIssuer
        );
    }
    let expected =
        Kind { step: ConnectStep::TlsHandshake, is_permanent: false, try_next_host: true };
    check(outcomes, expected, &["TLS handshake: ", "issuer of the certificate is unknown"]);
}

#[test]
fn implicit_tls_with_a_server_in_the_clear_is_the_step_of_the_handshake() {
    let outcomes =
        both!(serve(&[S("220 mx")]).to_string(), with_implicit_tls(), with_tls(trusting()));
    let expected =
        Kind { step: ConnectStep::TlsHandshake, is_permanent: false, try_next_host: true };
    check(outcomes, expected, &["TLS handshake: ", "not TLS"]);
}

/// A session in TLS until the reply to the second EHLO.
macro_rules! in_tls {
    ($($step:expr),*) => {
        &[
            S("220 mx"),
            C("EHLO "),
            S("250-mx\r\n250 STARTTLS"),
            C("STARTTLS"),
            S("220 go"),
            Tls,
            C("EHLO "),
            $($step),*
        ]
    };
}

#[test]
fn rejected_credentials_are_the_step_of_auth() {
    let outcomes = submit(in_tls![
        S("250-mx\r\n250 AUTH PLAIN"),
        C("AUTH PLAIN "),
        S("535 5.7.8 no such user"),
        C("QUIT"),
        S("221 bye")
    ]);
    let expected = Kind { step: ConnectStep::Auth, is_permanent: true, try_next_host: false };
    check(outcomes, expected, &["AUTH: the server rejected AUTH: 535 5.7.8 no such user"]);

    let outcomes = submit(in_tls![
        S("250-mx\r\n250 AUTH PLAIN"),
        C("AUTH PLAIN "),
        S("454 4.7.0 later"),
        C("QUIT"),
        S("221 bye")
    ]);
    let expected = Kind { step: ConnectStep::Auth, is_permanent: false, try_next_host: false };
    check(outcomes, expected, &["454 4.7.0 later"]);
}

#[test]
fn without_a_mechanism_in_common_the_offer_is_shown() {
    let outcomes =
        submit(in_tls![S("250-mx\r\n250 AUTH GSSAPI OAUTHBEARER"), C("QUIT"), S("221 bye")]);
    let expected = Kind { step: ConnectStep::Auth, is_permanent: true, try_next_host: false };
    check(
        outcomes,
        expected,
        &["no mechanism for these credentials; it offers GSSAPI OAUTHBEARER"],
    );

    let outcomes = submit(in_tls![S("250 mx"), C("QUIT"), S("221 bye")]);
    let expected = Kind { step: ConnectStep::Auth, is_permanent: true, try_next_host: false };
    check(outcomes, expected, &["the server does not offer AUTH"]);
}

#[test]
fn no_password_goes_over_a_clear_channel_or_to_an_unverified_server() {
    let script = &[S("220 mx"), C("EHLO "), S("250-mx\r\n250 AUTH PLAIN"), C("QUIT"), S("221 bye")];
    let address = serve(script).to_string();
    let expected = || Kind { step: ConnectStep::Auth, is_permanent: true, try_next_host: false };
    let outcomes = both!(&address, with_tls_policy(TlsPolicy::Never), with_credentials(ann()));
    check(outcomes, expected(), &["need TLS"]);
    let outcomes = both!(&address, with_credentials(ann()));
    check(outcomes, expected(), &["need TLS"]);

    let script = in_tls![S("250-mx\r\n250 AUTH PLAIN"), C("QUIT"), S("221 bye")];
    let outcomes = both!(serve(script).to_string(), with_credentials(ann()));
    check(outcomes, expected(), &["need TLS"]);
}

#[test]
fn a_password_goes_over_a_clear_channel_where_that_is_asked_for() {
    let script = &[
        S("220 mx"),
        C("EHLO "),
        S("250-mx\r\n250 AUTH PLAIN"),
        C("AUTH PLAIN "),
        S("235 2.7.0 ok"),
        C("QUIT"),
        S("221 bye"),
    ];
    let address = serve(script).to_string();
    let credentials = ann().with_secrets_in_clear();
    for outcome in both!(&address, with_credentials(credentials.clone())) {
        outcome.unwrap();
    }
}

/// RFC 7628 section 3.2.2.
#[test]
fn the_json_of_a_rejected_token_reaches_the_caller() {
    let script = in_tls![
        S("250-mx\r\n250 AUTH OAUTHBEARER"),
        C("AUTH OAUTHBEARER "),
        S("334 eyJzdGF0dXMiOiI0MDEifQ=="),
        C("AQ=="),
        S("535 5.7.8 the token has expired"),
        C("QUIT"),
        S("221 bye")
    ];
    let token = Credentials::token("ann", "ya29.token");
    let outcomes =
        both!(serve(script).to_string(), submission(token.clone()), with_tls(trusting()));
    for outcome in &outcomes {
        assert_eq!(outcome.as_ref().unwrap_err().token_error(), Some(r#"{"status":"401"}"#));
    }
    let expected = Kind { step: ConnectStep::Auth, is_permanent: true, try_next_host: false };
    check(outcomes, expected, &["535 5.7.8 the token has expired", "401"]);
}

#[test]
fn a_password_goes_to_a_verified_server() {
    for outcome in submit(in_tls![
        S("250-mx\r\n250 AUTH LOGIN PLAIN"),
        C("AUTH PLAIN AGFubgBjb3JyZWN0IGhvcnNl"),
        S("235 2.7.0 ok"),
        C("QUIT"),
        S("221 bye")
    ]) {
        outcome.unwrap();
    }
}

#[test]
fn a_server_that_hangs_up_is_told_by_its_step() {
    for (script, step) in [
        (&[][..], ConnectStep::Greeting),
        (&[S("220 mx"), C("EHLO ")], ConnectStep::Hello),
        (
            &[S("220 mx"), C("EHLO "), S("250-mx\r\n250 STARTTLS"), C("STARTTLS")],
            ConnectStep::StartTls,
        ),
        (in_tls![S("250-mx\r\n250 AUTH PLAIN"), C("AUTH ")], ConnectStep::Auth),
    ] {
        let address = crate::script::serve_and_hang_up(script).to_string();
        let outcomes = both!(&address, submission(ann()), with_tls(trusting()));
        check(outcomes, Kind { step, is_permanent: false, try_next_host: true }, &[&address]);
    }
}

#[test]
fn a_server_that_says_nothing_has_the_time_of_its_phase_and_of_all() {
    let address = serve(&[Hang]).to_string();
    let timeouts = esmtp::client::Timeouts::default().at_most(Duration::from_millis(200));
    let outcomes = both!(&address, with_timeouts(timeouts.clone()));
    let expected =
        || Kind { step: ConnectStep::Greeting, is_permanent: false, try_next_host: true };
    check(outcomes, expected(), &["too long"]);
    let outcomes = both!(&address, with_time_limit(Duration::from_millis(200)));
    check(outcomes, expected(), &["too long"]);

    let outcomes = both!(
        serve(&[S("220 mx"), C("EHLO "), Hang]).to_string(),
        with_time_limit(Duration::from_millis(200))
    );
    let expected = Kind { step: ConnectStep::Hello, is_permanent: false, try_next_host: true };
    check(outcomes, expected, &["too long"]);
}

/// RFC 8314 section 3: a server in implicit TLS waits for the client.
#[test]
fn silence_at_the_greeting_hints_at_implicit_tls() {
    let hint = "does the server expect implicit TLS at this port? Use `smtps://`, port 465, or with_implicit_tls";
    let expected =
        || Kind { step: ConnectStep::Greeting, is_permanent: false, try_next_host: true };
    let silent = both!(
        serve(&[Hang]).to_string(),
        with_time_limit(Duration::from_millis(200)),
        submission(ann())
    );
    let closed = both!(crate::script::serve_and_hang_up(&[]).to_string());
    for outcomes in [silent, closed] {
        for outcome in &outcomes {
            assert_eq!(outcome.as_ref().unwrap_err().hint(), Some(hint));
        }
        check(outcomes, expected(), &[&format!(" ({hint})")]);
    }
    // Not after a greeting, nor where the server rejects the session or speaks another protocol.
    for script in [&[S("220 mx"), C("EHLO ")][..], &[S("554 no")], &[S("SSH-2.0-server")]] {
        for outcome in both!(crate::script::serve_and_hang_up(script).to_string()) {
            assert_eq!(outcome.unwrap_err().hint(), None);
        }
    }
}

/// RFC 8314 section 7.3: TLS never begins with the first octet at the port of SMTP.
#[test]
fn silence_at_the_port_of_smtp_is_not_for_tls() {
    for (port, is_hint) in [(25, false), (587, false), (2525, true), (4465, true)] {
        let address = format!("mail.example.org:{port}");
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        drop(far);
        let connector = esmtp::io::blocking::Connector::new(address).with_tls(trusting());
        let error = connector.connect_over(near).unwrap_err();
        assert_eq!(error.hint().is_some(), is_hint, "{error}");
    }
}

/// RFC 8314 section 3.3.
#[test]
fn a_greeting_in_the_clear_hints_at_starttls() {
    let hint = "does the server begin in the clear at this port? Use STARTTLS: `submission://`, port 587, or \
                TlsPolicy::Required";
    for (script, expected) in [(&[S("220 mx ESMTP"), Hang][..], Some(hint)), (&[Hang], None)] {
        let limit = Duration::from_millis(400);
        let outcomes = both!(
            serve(script).to_string(),
            with_implicit_tls(),
            with_tls(trusting()),
            with_time_limit(limit)
        );
        for outcome in &outcomes {
            assert_eq!(outcome.as_ref().unwrap_err().hint(), expected);
        }
        let kind =
            Kind { step: ConnectStep::TlsHandshake, is_permanent: false, try_next_host: true };
        check(outcomes, kind, &[expected.unwrap_or("too long")]);
    }
}

#[test]
fn mistakes_in_the_name_for_the_hello_are_named() {
    for (name, words) in [
        ("", "the name for the hello: an empty name of a host"),
        ("me.example.org ", "white space in the name of a host"),
        ("me.example.org\r\n", "a line break"),
        ("me.example.org:25", "a port, which is not part of a host"),
        ("192.0.2.1", "an IPv4 address without its brackets: [192.0.2.1]"),
        ("b\u{fc}cher.example", "outside ASCII, which needs its A-labels"),
    ] {
        let name = String::from(name);
        let expected =
            Kind { step: ConnectStep::Settings, is_permanent: true, try_next_host: false };
        check(both!("mx.example.org", with_hello(name.as_str())), expected, &[words]);
    }
}

#[test]
fn mistakes_in_the_address_never_show_a_password() {
    for (address, words) in [
        ("", "no host"),
        ("http://mail.example.org", "`http` is not smtp"),
        ("smtp://mail.example.org:0", "the port is not a number"),
        ("mail.example.org:smtp", "the port is not a number"),
        ("smtp://mail.example.org/inbox", "no path"),
        (
            "submission://ann:correct horse%zz@mail.example.org",
            "password in the URL is not percent-encoded",
        ),
        (
            "submission://a%ffnn:correct horse@mail.example.org",
            "user in the URL is not percent-encoded",
        ),
        ("ann:correct horse@mail.example.org", "belong into a URL"),
        ("submission://ann:correct", "the port is not a number"),
        ("submission://ann:correct horse", "white space in the address of the server"),
        ("ann://correct horse://x", "no path"),
        ("ann:correct horse@x://y", "belong into a URL"),
        ("submission://ann@mail.example.org", "has a user and no password"),
        ("submission://:correct horse@mail.example.org", "has a password and no user"),
        ("submission://ann:correct horse@mail!example", "`mail!example` is not a host"),
        ("submission://ann:correct horse@mail example", "white space in the address of the server"),
        ("mail.example.org ", "white space in the address of the server"),
        (" mail.example.org:25", "white space in the address of the server"),
        ("mail.example.org:25\r\n", "a line break in the address of the server"),
        ("smtp://mail.example.org\n", "a line break in the address of the server"),
        ("[2001:db8::1:25", "not an IPv6 address in brackets"),
        ("lmtp+unix:lmtp", "no path"),
        ("smtp+unix:/run/smtp", "`smtp+unix` is not smtp"),
    ] {
        let expected =
            Kind { step: ConnectStep::Settings, is_permanent: true, try_next_host: false };
        check(both!(address), expected, &[words]);
        let shown = format!("{:?}", esmtp::io::blocking::Connector::new(address));
        assert!(!shown.contains(SECRET), "{shown}");
    }
    let shown = format!("{:?}", esmtp::io::tokio::Connector::new("smtp://ann:correct%20horse@x"));
    assert!(!shown.contains("horse"), "{shown}");
}

/// 2033-5-a: RFC 2033 section 5.
#[test]
fn lmtp_on_port_25_is_a_mistake() {
    let expected = Kind { step: ConnectStep::Settings, is_permanent: true, try_next_host: false };
    check(both!("mx.example.org:25", with_service(Service::Lmtp)), expected, &["LMTP on port 25"]);
}

#[test]
fn settings_of_tls_that_are_wrong_are_found_before_there_is_a_connection() {
    let tls = ClientTls::new().with_ca_der([1, 2, 3]);
    let expected =
        || Kind { step: ConnectStep::Settings, is_permanent: true, try_next_host: false };
    let address = format!("127.0.0.1:{}", unused_port());
    check(both!(&address, with_tls(tls.clone())), expected(), &["the certificate authorities: "]);
}
