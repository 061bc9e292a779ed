//! The configuration that the command line of `server` asks for.

use crate::{
    accounts::Accounts,
    arguments::{Arguments, BareLineBreak, Protocol, Tls},
    certificates,
};
use esmtp::{
    server::{Config, Limits, Timeouts},
    service::Service,
    syntax::{AttributeName, Extension, Extensions, Lenience},
    tls::ServerTls,
    wire::BareLineBreaks,
};
use std::time::Duration;

/// Returns which TLS service is offered, and with which certificate.
pub(crate) fn tls(arguments: &Arguments) -> Result<Option<(Tls, ServerTls)>, String> {
    let files = match (&arguments.cert, &arguments.key) {
        (Some(cert), Some(key)) => Some((cert.as_path(), key.as_path())),
        (None, None) => None,
        _ => return Err("--cert needs --key, and --key needs --cert".to_owned()),
    };
    let service = match (arguments.tls, files) {
        (None | Some(Tls::None), None) | (Some(Tls::None), Some(_)) => return Ok(None),
        (None, Some(_)) => Tls::Starttls,
        (Some(service), _) => service,
    };
    let config = certificates::server(files, &arguments.hostname).map_err(|error| match files {
        Some((cert, key)) => format!("--cert {}, --key {}: {error}", cert.display(), key.display()),
        None => format!("the certificate: {error}"),
    })?;
    Ok(Some((service, config)))
}

/// The limit of failed AUTH: test programs try each mechanism with a wrong password before the right one.
const AUTH_FAILURES: u32 = 8;

/// Returns the configuration of the sessions, and the one for clients whose XCLIENT and XFORWARD are
/// believed: each accepts exactly the extensions that it announces.
pub(crate) fn server(arguments: &Arguments, tls: Option<Tls>) -> Result<(Config, Config), String> {
    let mut config = Config::new(&arguments.hostname)
        .map_err(|error| format!("--hostname {}: {error}", arguments.hostname))?
        .with_service(match arguments.protocol {
            Protocol::Smtp => Service::Smtp,
            Protocol::Submission => Service::Submission,
            Protocol::Lmtp => Service::Lmtp,
        })
        .with_limits(
            Limits::default()
                // "No fixed maximum message size is in force" (RFC 1870 section 3).
                .with_message(if arguments.max_size == 0 { u64::MAX } else { arguments.max_size })
                .with_recipients(arguments.max_recipients.get())
                .with_errors(arguments.max_errors.get())
                .with_auth_failures(arguments.max_errors.get().min(AUTH_FAILURES)),
        )
        .with_timeouts({
            let idle = Duration::from_secs(arguments.idle_timeout.get());
            Timeouts::default()
                .with_command(idle)
                .with_content(idle)
                .with_write(idle)
                .with_greeting_delay(Duration::from_secs(arguments.greeting_delay))
        })
        .with_bare_line_breaks(match arguments.bare_line_breaks {
            BareLineBreak::Reject => BareLineBreaks::Reject,
            BareLineBreak::Normalise => BareLineBreaks::Normalise,
            BareLineBreak::Keep => BareLineBreaks::Keep,
        });
    if arguments.lenient_addresses {
        config = config.with_lenience(
            Lenience::default().with_dots_in_local_part().with_underscore_in_domain(),
        );
    }
    // Submission requires AUTH (RFC 6409 section 4.3). Without accounts it accepts mail from every
    // client, or, with --require-auth, from no client.
    let is_submission = matches!(arguments.protocol, Protocol::Submission);
    let is_required = arguments.require_auth || is_submission && !arguments.user.is_empty();
    config = config.with_required_auth(is_required);
    let chosen = chosen(arguments, tls)?;
    if !arguments.user.is_empty() && chosen.contains(Extension::Auth) {
        let mut offer = Accounts::offer();
        if arguments.allow_plaintext_auth {
            offer = offer.with_secrets_in_clear();
        }
        config = config.with_auth(offer);
    }
    let others = chosen.clone().without(Extension::Xclient).without(Extension::Xforward);
    let stranger = config.clone().with_extensions(others);
    let config = config.with_extensions(chosen);
    for extension in named(arguments).filter_map(Extension::from_keyword) {
        if extension != Extension::Auth && !config.extensions().contains(extension) {
            let why = match extension {
                Extension::BinaryMime => "needs CHUNKING",
                Extension::SmtpUtf8 => "needs 8BITMIME",
                _ => "not offered by this --protocol",
            };
            return Err(format!("--extensions {extension}: {why}"));
        }
    }
    Ok((stranger, config))
}

/// The extensions that this server has whether the one that it forwards to has them or not: they end here.
const OWN: &[Extension] = &[
    Extension::StartTls,
    Extension::Auth,
    Extension::Pipelining,
    Extension::Chunking,
    Extension::Help,
    Extension::Limits,
    Extension::Xclient,
    Extension::Xforward,
];

/// Returns the configuration for a client whose mail is forwarded to a server that offers these extensions: of the
/// others only those are announced, with their arguments, and no larger size.
pub(crate) fn forwarding(own: &Config, offered: &Extensions) -> Config {
    let implemented = own.extensions();
    let passes = |extension| match extension {
        _ if OWN.contains(&extension) || !implemented.contains(extension) => false,
        // The connection with that server is not verified.
        Extension::RequireTls => false,
        Extension::BinaryMime => offered.contains(Extension::Chunking),
        _ => true,
    };
    let lines: Vec<_> = offered.lines().collect();
    let lines = lines.iter().map(AsRef::as_ref).filter(|line: &&str| {
        let keyword = line.split(' ').next().unwrap_or_default();
        Extension::from_keyword(keyword).is_some_and(passes)
    });
    let passed = Extensions::from_lines(lines).unwrap_or(Extensions::NONE);
    let kept = OWN.iter().copied().filter(|extension| implemented.contains(*extension));
    let limits = *own.limits();
    let most = offered.size().unwrap_or(u64::MAX).min(limits.message());
    own.clone()
        .with_limits(limits.with_message(most))
        .with_extensions(kept.fold(passed, Extensions::with))
}

/// Returns the keywords of an explicit list of extensions.
fn named(arguments: &Arguments) -> impl Iterator<Item = &str> {
    let list = match arguments.extensions.as_str() {
        "all" | "none" => None,
        list => Some(list),
    };
    list.into_iter().flat_map(|list| list.split(',')).map(str::trim)
}

/// Returns the extensions to announce: with `all`, those that the other flags make possible; with a list, all of it, or an
/// error.
fn chosen(arguments: &Arguments, tls: Option<Tls>) -> Result<Extensions, String> {
    let obstacle = |extension| match extension {
        Extension::Burl | Extension::Etrn | Extension::Expn => Some("not implemented here"),
        Extension::StartTls if tls != Some(Tls::Starttls) => Some("needs --tls starttls"),
        Extension::RequireTls if tls.is_none() => Some("needs --tls"),
        Extension::Auth if arguments.user.is_empty() => Some("needs --user"),
        Extension::Xclient | Extension::Xforward if !arguments.takes_xclient() => {
            Some("needs --xclient")
        }
        _ => None,
    };
    let possible = Config::implemented()
        .fold(Extensions::NONE, Extensions::with)
        .with_xclient(AttributeName::ALL)
        .with_xforward(AttributeName::ALL);
    match arguments.extensions.as_str() {
        "none" => return Ok(Extensions::NONE),
        "all" => {
            let missing = possible.iter().filter(|it| obstacle(*it).is_some());
            return Ok(missing.fold(possible.clone(), Extensions::without));
        }
        _ => {}
    }
    let mut unnamed = possible.clone();
    for keyword in named(arguments) {
        let extension = Extension::from_keyword(keyword).filter(|it| possible.contains(*it));
        let why = extension.map_or(Some("not implemented"), obstacle);
        if let Some(why) = why {
            return Err(format!("--extensions {keyword}: {why}"));
        }
        unnamed = extension.into_iter().fold(unnamed, Extensions::without);
    }
    Ok(unnamed.iter().fold(possible, Extensions::without))
}
