//! What holds for arbitrary valid values of every type.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use arbitrary::{Arbitrary, Unstructured};
use proptest::prelude::*;

use super::*;

/// Returns a strategy of valid values of the type, made of octets that proptest picks and shrinks.
fn any_of<T>() -> impl Strategy<Value = T>
where
    T: for<'a> Arbitrary<'a> + core::fmt::Debug,
{
    proptest::collection::vec(any::<u8>(), 0..600)
        .prop_filter_map("no value", |octets| T::arbitrary(&mut Unstructured::new(&octets)).ok())
}

fn is_clean(line: &[u8]) -> bool {
    !line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0))
}

macro_rules! written_and_read {
    ($($name:ident: $type:ty, $read:expr;)*) => {
        proptest! {
            $(
                #[test]
                fn $name(value in any_of::<$type>()) {
                    let text = value.to_string();
                    prop_assert!(is_clean(text.as_bytes()));
                    let again = $read(text.as_str());
                    prop_assert_eq!(again.as_ref().ok(), Some(&value), "{}", text);
                    let again = again.unwrap();
                    prop_assert_eq!(&again.to_string(), &text, "encoding is stable");
                    prop_assert_eq!(again.into_owned(), value);
                }
            )*
        }
    };
}

written_and_read! {
    text_is_read_as_written: Text<'static>, Text::new;
    arguments_are_read_as_written: Argument<'static>, Argument::new;
    domains_are_read_as_written: Domain<'static>, Domain::new;
    hosts_are_read_as_written: Host<'static>, Host::parse;
    local_parts_are_read_as_written: LocalPart<'static>, LocalPart::parse;
    mailboxes_are_read_as_written: Mailbox<'static>, Mailbox::parse;
    reverse_paths_are_read_as_written: ReversePath<'static>, ReversePath::parse;
    forward_paths_are_read_as_written: ForwardPath<'static>, ForwardPath::parse;
    parameters_are_read_as_written: Parameters<'static>, Parameters::parse;
    xtext_is_read_as_written: Xtext<'static>, Xtext::parse;
    date_times_are_read_as_written: DateTime<'static>, DateTime::new;
    original_recipients_are_read_as_written: OriginalRecipient<'static>, OriginalRecipient::parse;
    times_of_owners_are_read_as_written: ValidSince<'static>, ValidSince::parse;
    solicitations_are_read_as_written: Solicitation<'static>, Solicitation::parse;
    tracking_is_read_as_written: Tracking<'static>, Tracking::parse;
    transaction_ids_are_read_as_written: TransactionId<'static>, TransactionId::parse;
    submitters_are_read_as_written: Submitter<'static>, Submitter::parse;
    uris_are_read_as_written: Uri<'static>, Uri::new;
    unknown_verbs_are_read_as_written: UnknownVerb<'static>, UnknownVerb::new;
}

proptest! {
    #[test]
    fn mechanisms_are_read_as_written(value in any_of::<Mechanism>()) {
        prop_assert_eq!(Mechanism::new(value.as_str()), Ok(value));
        prop_assert_eq!(Mechanism::new(&value.as_str().to_lowercase()), Ok(value));
    }

    /// 5321-2.3.8-b
    #[test]
    fn commands_are_read_as_written(command in any_of::<Command<'static>>()) {
        let mut out = Vec::new();
        command.encode(&mut out);
        let line = out.strip_suffix(b"\r\n").unwrap();
        prop_assert!(is_clean(line));
        let parsed = Command::parse_with(line, Lenience::default());
        prop_assert_eq!(parsed.as_ref().map(Parsed::command), Ok(&command));
        let parsed = parsed.unwrap();
        prop_assert_eq!(Verb::of(line), command.verb());
        prop_assert_eq!(parsed.command().verb(), command.verb());
        let mut again = Vec::new();
        parsed.command().encode(&mut again);
        prop_assert_eq!(&again, &out, "encoding is stable");
        prop_assert_eq!(parsed.command().clone().into_owned(), command);
    }

    /// 5321-2.3.8-b
    #[test]
    fn replies_are_read_as_written(reply in any_of::<Reply<'static>>()) {
        let mut out = Vec::new();
        reply.encode(&mut out);
        for line in out.split_inclusive(|octet| *octet == b'\n') {
            prop_assert!(is_clean(line.strip_suffix(b"\r\n").unwrap()) && line.len() <= 512);
        }
        let (parsed, taken) = Reply::parse(&out).unwrap().unwrap();
        prop_assert_eq!(taken, out.len());
        prop_assert_eq!(&parsed, &reply);
        let mut again = Vec::new();
        parsed.encode(&mut again);
        prop_assert_eq!(&again, &out, "encoding is stable");
        prop_assert!(!parsed.to_string().chars().any(char::is_control));
        prop_assert_eq!(parsed.into_owned(), reply);
        for cut in 0..out.len() {
            prop_assert_eq!(Reply::parse(&out[..cut]), Ok(None));
        }
    }

    #[test]
    fn rejections_are_negative(rejection in any_of::<Rejection>()) {
        prop_assert!(!rejection.code().is_positive() && rejection.reply().status().is_some());
        let again = Rejection::try_from(rejection.reply().clone());
        prop_assert_eq!(again, Ok(rejection));
    }

    #[test]
    fn extensions_are_read_as_announced(extensions in any_of::<Extensions>()) {
        let mut text = String::from("mx.example");
        for line in extensions.lines() {
            prop_assert!(is_clean(line.as_bytes()) && EhloLine::parse(&line).is_ok());
            text.push('\n');
            text.push_str(&line);
        }
        let reply = Reply::new(Code::OK, None, text).unwrap();
        let mut out = Vec::new();
        reply.encode(&mut out);
        let again = Extensions::parse(&Reply::parse(&out).unwrap().unwrap().0);
        prop_assert_eq!(&again, &extensions);
        prop_assert_eq!(again.limits(), extensions.limits());
        prop_assert!(again.mechanisms().eq(extensions.mechanisms()));
    }

    #[test]
    fn mail_parameters_are_read_as_written(typed in any_of::<MailParameters<'static>>()) {
        let offered = Extension::ALL.iter().copied().collect();
        let parameters = typed.to_parameters();
        let again = Parameters::parse(parameters.as_str());
        prop_assert_eq!(again.as_ref(), Ok(&parameters));
        let again = MailParameters::parse(&parameters, &offered);
        prop_assert_eq!(again.as_ref(), Ok(&typed));
    }

    #[test]
    fn rcpt_parameters_are_read_as_written(typed in any_of::<RcptParameters<'static>>()) {
        let offered = Extension::ALL.iter().copied().collect();
        let parameters = typed.to_parameters();
        let again = Parameters::parse(parameters.as_str());
        prop_assert_eq!(again.as_ref(), Ok(&parameters));
        let again = RcptParameters::parse(&parameters, &offered);
        prop_assert_eq!(again.as_ref(), Ok(&typed));
    }

    /// 5321-2.3.8-b
    #[test]
    fn responses_are_read_as_written(response in any_of::<AuthResponse<'static>>()) {
        let mut out = Vec::new();
        response.encode(&mut out);
        let line = out.strip_suffix(b"\r\n").unwrap();
        prop_assert!(is_clean(line));
        prop_assert_eq!(AuthResponse::parse(line), Ok(response));
    }

    #[test]
    fn paths_are_lent_as_they_were(paths in proptest::collection::vec(any_of::<ForwardPath<'static>>(), 0..5)) {
        let mut arena = String::new();
        let parts: Vec<_> = paths.iter().map(|path| PathParts::of_forward(path, &mut arena)).collect();
        for (path, parts) in paths.iter().zip(parts) {
            prop_assert_eq!(&parts.lend_forward(&arena), path);
        }
    }

    #[test]
    fn equal_mailboxes_have_equal_hashes(a in any_of::<Mailbox<'static>>()) {
        use core::hash::BuildHasher as _;
        let host = match a.host() {
            Host::Domain(domain) => Host::Domain(Domain::new(domain.as_str().to_ascii_uppercase()).unwrap()),
            host => host.clone(),
        };
        let b = Mailbox::new(LocalPart::from_unquoted(a.local_part().unquoted()).unwrap(), host);
        prop_assert_eq!(&a, &b);
        let hasher = Fixed;
        prop_assert_eq!(hasher.hash_one(&a), hasher.hash_one(&b));
    }

    /// Any octets: no panic, and what is read is written as something that means the same.
    /// 5321-2.3.8-b
    #[test]
    fn whatever_is_read_can_be_written(line in ".{0,60}", verb in prop::sample::select(Verb::ALL), lenience in any_of::<Lenience>()) {
        for line in [line.clone(), [verb.as_str(), " ", &line].concat(), ["MAIL FROM:<a@b> ", &line].concat()] {
            let _ = Verb::of(line.as_bytes());
            match Command::parse(line.as_bytes(), lenience) {
                Ok(command) => {
                    let mut out = Vec::new();
                    command.encode(&mut out);
                    let written = out.strip_suffix(b"\r\n").unwrap();
                    prop_assert!(is_clean(written));
                    let again = Command::parse(written, lenience);
                    prop_assert_eq!(again.as_ref(), Ok(&command));
                }
                Err(error) => {
                    prop_assert!(error.offset() <= line.len());
                    prop_assert!(error.code().is_permanent() && error.status().goes_with(error.code()), "{error}");
                }
            }
        }
    }

    /// Texts that are nearly addresses, with every leniency: what is read is written as it means.
    #[test]
    fn addresses_are_read_as_written_with_any_lenience(
        text in "[ab.@_:<>\\[\\]\" ü,-]{0,12}|[ab.]{1,4}@[ab._]{1,5}|\"[ab .@<>]{0,4}\"@\\[[a-f0-9:.x]{1,9}\\]",
        lenience in any_of::<Lenience>(),
    ) {
        if let Ok(mailbox) = Mailbox::parse_with(&text, lenience) {
            let again = mailbox.to_string();
            let read = Mailbox::parse_with(&again, lenience);
            prop_assert_eq!(read.as_ref(), Ok(&mailbox));
            let used = mailbox.deviations();
            prop_assert!(lenience.covers(used) && used.is_any() != Mailbox::parse_with(&again, Lenience::STRICT).is_ok(), "{}", again);
        }
        if let Ok(path) = ForwardPath::parse_with(&text, lenience) {
            let written = path.to_string();
            let again = ForwardPath::parse_with(&written, lenience);
            prop_assert_eq!(again.as_ref(), Ok(&path));
        }
        let line = ["EHLO ", &text].concat();
        if let Ok(command) = Command::parse(line.as_bytes(), lenience) {
            let written = command.to_string();
            let again = Command::parse(written.as_bytes(), lenience);
            prop_assert_eq!(again.as_ref(), Ok(&command));
        }
    }

    #[test]
    fn lossy_text_is_text(text in ".{0,40}") {
        let lossy = Text::lossy(&text);
        let again = Text::new(lossy.as_str());
        prop_assert_eq!(again.as_ref(), Ok(&lossy));
    }
}

/// A hasher that gives equal hashes in every run.
struct Fixed;

#[derive(Default)]
struct Sum(u64);

impl core::hash::Hasher for Sum {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.wrapping_mul(1_099_511_628_211).wrapping_add(u64::from(*octet) + 1);
        }
    }
}

impl core::hash::BuildHasher for Fixed {
    type Hasher = Sum;

    fn build_hasher(&self) -> Sum {
        Sum::default()
    }
}
