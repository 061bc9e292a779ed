//! Any text as parameters of MAIL and RCPT, and as the values of them: no panic; what is read is written as something that
//! means the same.
//!
//! Input: parameters without a space in front: `SIZE=1 BODY=8BITMIME`.

#![no_main]

use esmtp::syntax::{
    Base64, DateTime, Extension, Extensions, MailParameters, Parameters, RcptParameters, Uri, Xtext,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let offered: Extensions = Extension::ALL.iter().copied().collect();
    if let Ok(parameters) = Parameters::parse(text) {
        let mut again = Parameters::NONE;
        for parameter in parameters.iter() {
            again.push(parameter.keyword(), parameter.value()).expect("what was read is right");
        }
        assert_eq!(again, parameters);
        match MailParameters::parse(&parameters, &offered) {
            Ok(typed) => {
                let written = typed.to_parameters();
                assert_eq!(MailParameters::parse(&written, &offered).as_ref(), Ok(&typed));
                assert!(
                    MailParameters::parse(&parameters, &Extensions::NONE).is_err()
                        || parameters.is_empty()
                );
            }
            Err(error) => {
                assert!(error.offset() <= text.len() && error.status().goes_with(error.code()))
            }
        }
        match RcptParameters::parse(&parameters, &offered) {
            Ok(typed) => {
                let written = typed.to_parameters();
                assert_eq!(RcptParameters::parse(&written, &offered).as_ref(), Ok(&typed));
            }
            Err(error) => {
                assert!(error.offset() <= text.len() && error.status().goes_with(error.code()))
            }
        }
    }
    if let Ok(xtext) = Xtext::parse(text) {
        assert_eq!(Xtext::encode(&xtext.decoded()), xtext);
    }
    assert_eq!(&*Xtext::encode(text.as_bytes()).decoded(), text.as_bytes());
    if let Ok(base64) = Base64::parse(text) {
        assert_eq!(Base64::encode(&base64.decoded()).as_str(), text);
    }
    if let Ok(time) = DateTime::new(text) {
        let plain = DateTime::from_unix_seconds(time.unix_seconds());
        assert!(plain.is_none_or(|plain| plain.unix_seconds() == time.unix_seconds()));
    }
    let _ = Uri::new(text);
});
