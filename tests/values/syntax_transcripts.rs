//! What servers of many makes say first: their greetings and EHLO replies, with names and addresses exchanged for those of
//! documentation.

use esmtp::syntax::{Class, Code, Extension, Extensions, Mechanism, Reply};

struct Product {
    name: &'static str,
    greeting: &'static str,
    hello: &'static str,
    extensions: &'static [Extension],
    size: Option<u64>,
    mechanisms: &'static [Mechanism],
    /// Lines of the list that belong to no extension known here.
    others: &'static [&'static str],
}

use Extension::{
    Auth, BinaryMime, Burl, Chunking, DeliverBy, Dsn, EightBitMime, EnhancedStatusCodes, Etrn,
    Expn, FutureRelease, Help, Limits, MtPriority, NoSoliciting, Pipelining, RequireTls, Rrvs,
    Size, SmtpUtf8, StartTls, Verb, Vrfy, Xclient,
};

const PRODUCTS: &[Product] = &[
    Product {
        name: "Postfix",
        greeting: "220 mail.example.org ESMTP Postfix (Debian/GNU)\r\n",
        hello: "250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n250-ETRN\r\n\
                250-STARTTLS\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n",
        extensions: &[
            Size,
            Pipelining,
            EightBitMime,
            EnhancedStatusCodes,
            Chunking,
            SmtpUtf8,
            Dsn,
            StartTls,
            Etrn,
            Vrfy,
        ],
        size: Some(10_240_000),
        mechanisms: &[],
        others: &[],
    },
    Product {
        name: "Postfix with broken_sasl_auth_clients",
        greeting: "220 mx.example.org ESMTP\r\n",
        hello: "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-ETRN\r\n\
                250-AUTH PLAIN LOGIN DIGEST-MD5 CRAM-MD5\r\n250-AUTH=PLAIN LOGIN DIGEST-MD5 CRAM-MD5\r\n\
                250-XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT\r\n250-ENHANCEDSTATUSCODES\r\n\
                250-8BITMIME\r\n250 DSN\r\n",
        extensions: &[
            Size,
            Pipelining,
            EightBitMime,
            EnhancedStatusCodes,
            Dsn,
            Auth,
            Etrn,
            Xclient,
        ],
        size: Some(52_428_800),
        mechanisms: &[Mechanism::PLAIN, Mechanism::LOGIN, DIGEST_MD5, Mechanism::CRAM_MD5],
        others: &[],
    },
    Product {
        name: "Exim",
        greeting: "220 mx.example.net ESMTP Exim 4.97.1 Tue, 24 Nov 2026 11:52:01 +0000 \r\n",
        hello: "250-mx.example.net Hello client.example [192.0.2.1]\r\n250-SIZE 52428800\r\n250-LIMITS MAILMAX=1000 RCPTMAX=50000\r\n\
                250-8BITMIME\r\n250-PIPELINING\r\n250-PIPECONNECT\r\n250-CHUNKING\r\n250-STARTTLS\r\n250-PRDR\r\n250 HELP\r\n",
        extensions: &[Size, Pipelining, EightBitMime, Chunking, StartTls, Limits, Help],
        size: Some(52_428_800),
        mechanisms: &[],
        others: &["PIPECONNECT", "PRDR"],
    },
    Product {
        name: "Sendmail",
        greeting: "220 mx.example.com ESMTP Sendmail 8.17.1.9/8.17.1.9; Tue, 24 Nov 2026 11:52:01 GMT\r\n",
        hello: "250-mx.example.com Hello client.example [192.0.2.1], pleased to meet you\r\n250-ENHANCEDSTATUSCODES\r\n\
                250-PIPELINING\r\n250-EXPN\r\n250-VERB\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250-ETRN\r\n\
                250-AUTH GSSAPI DIGEST-MD5 CRAM-MD5\r\n250-DELIVERBY\r\n250 HELP\r\n",
        extensions: &[
            Size,
            Pipelining,
            EightBitMime,
            EnhancedStatusCodes,
            Dsn,
            Auth,
            DeliverBy,
            Etrn,
            Expn,
            Help,
            Verb,
        ],
        size: None,
        mechanisms: &[GSSAPI, DIGEST_MD5, Mechanism::CRAM_MD5],
        others: &[],
    },
    Product {
        name: "Microsoft Exchange",
        greeting: "220 EX01.corp.example Microsoft ESMTP MAIL Service ready at Tue, 24 Nov 2026 12:52:01 +0100\r\n",
        hello: "250-EX01.corp.example Hello [192.0.2.1]\r\n250-SIZE 37748736\r\n250-PIPELINING\r\n250-DSN\r\n\
                250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n250-X-ANONYMOUSTLS\r\n250-AUTH NTLM\r\n250-X-EXPS GSSAPI NTLM\r\n\
                250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n250-XEXCH50\r\n250-XRDST\r\n250 XSHADOWREQUEST\r\n",
        extensions: &[
            Size,
            Pipelining,
            EightBitMime,
            EnhancedStatusCodes,
            Chunking,
            BinaryMime,
            Dsn,
            StartTls,
            Auth,
        ],
        size: Some(37_748_736),
        mechanisms: &[NTLM],
        others: &["X-ANONYMOUSTLS", "X-EXPS GSSAPI NTLM", "XEXCH50", "XRDST", "XSHADOWREQUEST"],
    },
    Product {
        name: "Exchange Online",
        greeting: "220 AM5EUR02FT010.mail.protection.outlook.example Microsoft ESMTP MAIL Service ready at \
                   Tue, 24 Nov 2026 11:52:01 +0000 [08DE2B0F3A1C5D77]\r\n",
        hello: "250-AM5EUR02FT010.mail.protection.outlook.example Hello [192.0.2.1]\r\n250-SIZE 157286400\r\n250-PIPELINING\r\n\
                250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n\
                250 SMTPUTF8\r\n",
        extensions: &[
            Size,
            Pipelining,
            EightBitMime,
            EnhancedStatusCodes,
            Chunking,
            BinaryMime,
            SmtpUtf8,
            Dsn,
            StartTls,
        ],
        size: Some(157_286_400),
        mechanisms: &[],
        others: &[],
    },
    Product {
        name: "Gmail",
        greeting: "220 mx.google.example ESMTP 5b1f17b1804b1-45c6c2a4bcesi12345.123 - gsmtp\r\n",
        hello: "250-mx.google.example at your service, [192.0.2.1]\r\n250-SIZE 157286400\r\n250-8BITMIME\r\n250-STARTTLS\r\n\
                250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n",
        extensions: &[
            Size,
            Pipelining,
            EightBitMime,
            EnhancedStatusCodes,
            Chunking,
            SmtpUtf8,
            StartTls,
        ],
        size: Some(157_286_400),
        mechanisms: &[],
        others: &[],
    },
    Product {
        name: "Gmail submission",
        greeting: "220 smtp.gmail.example ESMTP 4fb4d7f45d1cf-61c7ac5d4e2sm1234567a12.3 - gsmtp\r\n",
        hello: "250-smtp.gmail.example at your service, [192.0.2.1]\r\n250-SIZE 35882577\r\n250-8BITMIME\r\n\
                250-AUTH LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH\r\n250-ENHANCEDSTATUSCODES\r\n\
                250-PIPELINING\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n",
        extensions: &[
            Size,
            Pipelining,
            EightBitMime,
            EnhancedStatusCodes,
            Chunking,
            SmtpUtf8,
            Auth,
        ],
        size: Some(35_882_577),
        mechanisms: &[
            Mechanism::LOGIN,
            Mechanism::PLAIN,
            Mechanism::XOAUTH2,
            PLAIN_CLIENTTOKEN,
            Mechanism::OAUTHBEARER,
            XOAUTH,
        ],
        others: &[],
    },
    Product {
        name: "qmail",
        greeting: "220 mx.example.edu ESMTP\r\n",
        hello: "250-mx.example.edu\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
        extensions: &[Pipelining, EightBitMime],
        size: None,
        mechanisms: &[],
        others: &[],
    },
    Product {
        name: "netqmail with patches",
        greeting: "220 mx.example.edu ESMTP\r\n",
        hello: "250-mx.example.edu\r\n250-AUTH LOGIN PLAIN CRAM-MD5\r\n250-AUTH=LOGIN PLAIN CRAM-MD5\r\n250-STARTTLS\r\n\
                250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 20000000\r\n",
        extensions: &[Size, Pipelining, EightBitMime, StartTls, Auth],
        size: Some(20_000_000),
        mechanisms: &[Mechanism::LOGIN, Mechanism::PLAIN, Mechanism::CRAM_MD5],
        others: &[],
    },
    Product {
        name: "OpenSMTPD",
        greeting: "220 mail.example.org ESMTP OpenSMTPD\r\n",
        hello: "250-mail.example.org Hello client.example [192.0.2.1], pleased to meet you\r\n250-8BITMIME\r\n\
                250-ENHANCEDSTATUSCODES\r\n250-SIZE 36700160\r\n250-DSN\r\n250-STARTTLS\r\n250 HELP\r\n",
        extensions: &[Size, EightBitMime, EnhancedStatusCodes, Dsn, StartTls, Help],
        size: Some(36_700_160),
        mechanisms: &[],
        others: &[],
    },
    Product {
        name: "Yahoo",
        greeting: "220 mtaproxy412.free.mail.bf1.yahoo.example ESMTP ready\r\n",
        hello: "250-mtaproxy412.free.mail.bf1.yahoo.example\r\n250-PIPELINING\r\n250-SIZE 41943040\r\n250-8BITMIME\r\n\
                250 STARTTLS\r\n",
        extensions: &[Size, Pipelining, EightBitMime, StartTls],
        size: Some(41_943_040),
        mechanisms: &[],
        others: &[],
    },
    Product {
        name: "Proofpoint",
        greeting: "220 mx0a-001b2d01.pphosted.example ESMTP cm-m0247788\r\n",
        hello: "250-mx0a-001b2d01.pphosted.example Hello client.example [192.0.2.1], pleased to meet you\r\n\
                250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 209715200\r\n250 STARTTLS\r\n",
        extensions: &[Size, Pipelining, EightBitMime, EnhancedStatusCodes, StartTls],
        size: Some(209_715_200),
        mechanisms: &[],
        others: &[],
    },
    Product {
        name: "Haraka",
        greeting: "220 mx.example.io ESMTP Haraka/3.0.3 ready (4B6F1E35-9C5A-4B5E-8C0A-2F1E6D3C9A10)\r\n",
        hello: "250-mx.example.io Hello client.example [192.0.2.1], Haraka is at your service.\r\n250-PIPELINING\r\n\
                250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE 0\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n",
        extensions: &[Size, Pipelining, EightBitMime, SmtpUtf8, StartTls, Auth],
        size: None,
        mechanisms: &[Mechanism::PLAIN, Mechanism::LOGIN, Mechanism::CRAM_MD5],
        others: &[],
    },
    Product {
        name: "Oracle Messaging Server",
        greeting: "220 mta.example.com -- Server ESMTP (Oracle Communications Messaging Server 8.1.0.20)\r\n",
        hello: "250-mta.example.com\r\n250-8BITMIME\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n\
                250-EXPN\r\n250-HELP\r\n250-XADR\r\n250-XSTA\r\n250-XCIR\r\n250-XGEN\r\n250-XLOOP 25E9B7E9\r\n250-STARTTLS\r\n\
                250-AUTH PLAIN LOGIN\r\n250-AUTH=LOGIN\r\n250-NO-SOLICITING\r\n250-FUTURERELEASE 604800 2026-12-01T11:52:01Z\r\n\
                250-MT-PRIORITY MIXER\r\n250-BURL imap\r\n250-RRVS\r\n250 SIZE 0\r\n",
        extensions: &[
            Size,
            Pipelining,
            EightBitMime,
            EnhancedStatusCodes,
            Chunking,
            Dsn,
            StartTls,
            Auth,
            MtPriority,
            FutureRelease,
            Rrvs,
            NoSoliciting,
            Burl,
            Expn,
            Help,
        ],
        size: None,
        mechanisms: &[Mechanism::PLAIN, Mechanism::LOGIN],
        others: &["XADR", "XSTA", "XCIR", "XGEN", "XLOOP 25E9B7E9"],
    },
    Product {
        name: "a mail service with a banner of many lines",
        greeting: "220-shared.example.host ESMTP Exim 4.96.2 #2 Tue, 24 Nov 2026 04:52:01 -0700 \r\n\
                   220-We do not authorize the use of this system to transport unsolicited, \r\n\
                   220 and/or bulk e-mail.\r\n",
        hello: "250-shared.example.host Hello client.example [192.0.2.1]\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n\
                250-PIPELINING\r\n250-PIPECONNECT\r\n250-AUTH PLAIN LOGIN\r\n250-STARTTLS\r\n250 HELP\r\n",
        extensions: &[Size, Pipelining, EightBitMime, StartTls, Auth, Help],
        size: Some(52_428_800),
        mechanisms: &[Mechanism::PLAIN, Mechanism::LOGIN],
        others: &["PIPECONNECT"],
    },
    Product {
        name: "Maddy",
        greeting: "220 mx.example.dev ESMTP Service Ready\r\n",
        hello: "250-Hello client.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n\
                250-STARTTLS\r\n250-SMTPUTF8\r\n250-REQUIRETLS\r\n250 SIZE 33554432\r\n",
        extensions: &[
            Size,
            Pipelining,
            EightBitMime,
            EnhancedStatusCodes,
            Chunking,
            SmtpUtf8,
            StartTls,
            RequireTls,
        ],
        size: Some(33_554_432),
        mechanisms: &[],
        others: &[],
    },
    Product {
        name: "a server that says as little as it can",
        greeting: "220\r\n",
        hello: "250\r\n",
        extensions: &[],
        size: None,
        mechanisms: &[],
        others: &[],
    },
];

const DIGEST_MD5: Mechanism = mechanism("DIGEST-MD5");
const GSSAPI: Mechanism = mechanism("GSSAPI");
const NTLM: Mechanism = mechanism("NTLM");
const PLAIN_CLIENTTOKEN: Mechanism = mechanism("PLAIN-CLIENTTOKEN");
const XOAUTH: Mechanism = mechanism("XOAUTH");

const fn mechanism(name: &'static str) -> Mechanism {
    Mechanism::literal(name)
}

fn parse(input: &str) -> Reply<'_> {
    let (reply, taken) = Reply::parse(input.as_bytes()).unwrap().unwrap();
    assert_eq!(taken, input.len());
    reply
}

#[test]
fn what_servers_say_is_understood() {
    for product in PRODUCTS {
        let greeting = parse(product.greeting);
        assert_eq!(greeting.code(), Code::SERVICE_READY, "{}", product.name);
        assert_eq!(greeting.status(), None, "{}", product.name);
        let hello = parse(product.hello);
        assert_eq!(hello.class(), Class::Completion, "{}", product.name);
        let extensions = Extensions::parse(&hello);
        let found: Vec<_> = extensions.iter().collect();
        let mut expected = product.extensions.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{}", product.name);
        assert_eq!(extensions.size(), product.size, "{}", product.name);
        assert!(extensions.mechanisms().eq(product.mechanisms.iter().copied()), "{}", product.name);
        assert!(extensions.others().eq(product.others.iter().copied()), "{}", product.name);
    }
}

/// The list that this crate would announce in their place means the same to a client.
#[test]
fn their_lists_are_announced_again() {
    for product in PRODUCTS {
        let extensions = Extensions::parse(&parse(product.hello));
        let mut text = String::from("mx.example");
        for line in extensions.lines() {
            text.push('\n');
            text.push_str(&line);
        }
        let mut wire = Vec::new();
        Reply::new(Code::OK, None, text).unwrap().encode(&mut wire);
        let again = Extensions::parse(&Reply::parse(&wire).unwrap().unwrap().0);
        assert_eq!(again, extensions, "{}", product.name);
    }
}

/// Refusals as large services write them: one status on every line, links, and what is not ASCII.
#[test]
fn what_servers_refuse_is_understood() {
    for (input, code, status, lines) in [
        (
            "550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n\
             550-5.1.1 double-checking the recipient's email address for typos or\r\n\
             550-5.1.1 unnecessary spaces. For more information, go to\r\n\
             550 5.1.1  https://support.google.example/mail/?p=NoSuchUser 4fb4d7f45d1cf-61c7a - gsmtp\r\n",
            550,
            Some("5.1.1"),
            4,
        ),
        (
            "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail.\r\n421 4.7.28 Please visit us. - gsmtp\r\n",
            421,
            Some("4.7.28"),
            2,
        ),
        (
            "550 5.4.1 Recipient address rejected: Access denied. [AM5EUR02FT010 2026-11-24T11:52:01.000Z 08DE2B0F3A1C5D77]\r\n",
            550,
            Some("5.4.1"),
            1,
        ),
        (
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example; https://check.example/\r\n",
            554,
            Some("5.7.1"),
            1,
        ),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n", 553, None, 1),
        ("550 Requested action not taken: mailbox unavailable\r\n", 550, None, 1),
        ("451 Temporary local problem - please try later\r\n", 451, None, 1),
        (
            "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred\r\n",
            421,
            Some("4.7.0"),
            1,
        ),
        (
            "550-Verification failed for <ann@example.org>\r\n550 Sender verify failed\r\n",
            550,
            None,
            2,
        ),
        (
            "554-mx.example.edu\r\n554 Your access to this mail system has been rejected\r\n",
            554,
            None,
            2,
        ),
    ] {
        let reply = parse(input);
        assert_eq!(reply.code().get(), code, "{input}");
        let found = reply
            .status()
            .and_then(|status| status.under(reply.code()))
            .map(|found| found.to_string());
        assert_eq!(found.as_deref(), status, "{input}");
        assert_eq!(reply.lines().count(), lines, "{input}");
        assert!(!reply.is_positive());
    }
}
