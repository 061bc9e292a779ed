//! A configuration that cannot work is an error when a connection is accepted, on both adapters.

use esmtp::{
    io::blocking,
    sasl::{Mechanism, Offer},
    server::{Config, ConfigError},
    syntax::Extension,
};
use std::{
    io::{self, ErrorKind},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

fn config() -> Config {
    Config::new("mx.example.org").unwrap()
}

/// Configurations with the words by which the error names the mistake.
fn mistakes() -> Vec<(Config, &'static str)> {
    let unknown: Mechanism = "NTLM".parse().unwrap();
    let mut mistakes = vec![
        (config().with_extension(Extension::StartTls), "STARTTLS is offered without a TLS layer"),
        (config().with_extension(Extension::RequireTls), "REQUIRETLS is offered without"),
        (config().with_required_tls(true), "TLS is required without a TLS layer"),
        (config().with_auth(Offer::for_verdicts()), "with_secrets_in_clear"),
        (config().with_auth(Offer::new([])), "without a mechanism"),
        (config().with_auth(Offer::new([unknown]).with_secrets_in_clear()), "AUTH NTLM"),
    ];
    if !cfg!(feature = "scram") {
        let offer = Offer::new([Mechanism::SCRAM_SHA_256]);
        mistakes.push((config().with_auth(offer), "the feature `scram` of esmtp"));
    }
    if !cfg!(feature = "cram-md5") {
        let offer = Offer::new([Mechanism::CRAM_MD5]);
        mistakes.push((config().with_auth(offer), "the feature `cram-md5` of esmtp"));
    }
    mistakes
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

fn assert_named(error: &io::Error, words: &str) {
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.get_ref().unwrap().is::<ConfigError>(), "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn a_configuration_that_cannot_work_is_refused_before_the_greeting() {
    for (config, words) in mistakes() {
        assert!(config.check().is_err());
        let (stream, _peer) = pair();
        let error = blocking::Connection::accept(stream, Arc::new(config)).unwrap_err();
        assert_named(&error, words);
    }
    let (stream, _peer) = pair();
    let config = config().with_auth(Offer::for_verdicts().with_secrets_in_clear());
    assert!(blocking::Connection::accept(stream, Arc::new(config)).is_ok());
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_by_tokio_too() {
    for (config, words) in mistakes() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _peer = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let error = esmtp::io::tokio::Connection::accept(stream, Arc::new(config)).unwrap_err();
        assert_named(&error, words);
    }
}

#[test]
fn in_a_tls_layer_only_mechanisms_that_never_work_are_mistakes() {
    let config = config()
        .with_extension(Extension::StartTls)
        .with_extension(Extension::RequireTls)
        .with_required_tls(true)
        .with_auth(Offer::for_verdicts());
    assert_eq!(config.check_in_tls_layer(), Ok(()));
    let config = config.with_auth(Offer::new([]));
    assert!(matches!(config.check_in_tls_layer(), Err(ConfigError::Auth(_))));
}

/// A listener returns the error before it accepts the first connection.
#[test]
fn a_listener_refuses_a_configuration_that_cannot_work() {
    for (config, words) in mistakes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = esmtp::io::serving::Options::new(config);
        let serving = blocking::serve(listener, options, Arc::new(()), |_, _| Ok(()));
        assert_named(&serving.run().unwrap_err(), words);
    }
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_listener_of_tokio_refuses_a_configuration_that_cannot_work() {
    for (config, words) in mistakes() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = esmtp::io::serving::Options::new(config);
        let serving =
            esmtp::io::tokio::serve(listener, options, Arc::new(()), |_, _| async { Ok(()) });
        assert_named(&serving.await.unwrap_err(), words);
    }
}
