//! Accounts in memory: the names and secrets of a server's users.

use esmtp::{
    sasl::{
        Attempt, Mechanism, Nonce, Offer, Question, Verifier,
        scram::{Decoy, Hash, Keys},
    },
    server::Facts,
};
use std::{collections::HashMap, time::SystemTime};

/// Names, passwords, and the SCRAM keys derived from them.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    users: HashMap<String, Account>,
}

#[derive(Debug)]
struct Account {
    password: String,
    keys: Vec<Keys>,
}

/// The iterations of SCRAM (RFC 7677 section 4).
const ITERATIONS: u32 = 4096;

impl Accounts {
    /// Parses accounts of the form `NAME:PASSWORD`.
    pub(crate) fn parse(accounts: &[String]) -> Result<Self, String> {
        let mut users = HashMap::new();
        for account in accounts {
            let Some((name, password)) = account.split_once(':') else {
                return Err("not of the form NAME:PASSWORD".to_owned());
            };
            // A message about an account never shows its password.
            let bad = |why: &dyn std::fmt::Display| format!("{name}: {why}");
            if name.is_empty() || password.is_empty() {
                return Err(bad(&"the name or the password is empty"));
            }
            let mut keys = Vec::new();
            for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
                let derived = Keys::derive(hash, password, random::<16>()?, ITERATIONS);
                keys.push(derived.map_err(|error| bad(&error))?);
            }
            let account = Account { password: password.to_owned(), keys };
            if users.insert(name.to_owned(), account).is_some() {
                return Err(bad(&"the account exists already"));
            }
        }
        Ok(Self { users })
    }

    /// Returns every mechanism that these accounts support.
    pub(crate) fn offer(&self, host: &str) -> Result<Offer, String> {
        let offer = Offer::new([
            Mechanism::SCRAM_SHA_256_PLUS,
            Mechanism::SCRAM_SHA_1_PLUS,
            Mechanism::SCRAM_SHA_256,
            Mechanism::SCRAM_SHA_1,
            Mechanism::CRAM_MD5,
            Mechanism::PLAIN,
            Mechanism::LOGIN,
            Mechanism::OAUTHBEARER,
            Mechanism::XOAUTH2,
        ]);
        Ok(offer.with_decoy(Decoy::new(random()?)).with_host(host))
    }

    /// Provides a verifier with the secrets of an account. The password is its token too.
    pub(crate) fn answer(&self, question: Question<'_>) {
        let account = question.user().and_then(|user| self.users.get(user));
        match (question, account) {
            (Question::Password(question), Some(account)) => {
                if question.password().matches(account.password.as_bytes()) {
                    question.accept();
                } else {
                    question.reject();
                }
            }
            (Question::Token(question), _) => {
                let owner = self.users.iter().find(|(name, account)| {
                    question.user().is_none_or(|user| user == name.as_str())
                        && question.token().matches(account.password.as_bytes())
                });
                match owner {
                    Some((name, _)) => question.accept_as(name.as_str()),
                    None => question.reject(),
                }
            }
            (Question::Secret(question), Some(account)) => {
                question.supply(account.password.as_bytes().to_vec());
            }
            (Question::Keys(question), Some(account)) => {
                match account.keys.iter().find(|keys| keys.hash() == question.hash()) {
                    Some(keys) => question.supply(keys.clone()),
                    None => question.unknown(),
                }
            }
            (other, _) => other.reject(),
        }
    }
}

/// Returns the verifier for the mechanism that a client has chosen.
pub(crate) fn verifier(
    offer: Option<&Offer>,
    mechanism: Mechanism,
    facts: &Facts,
) -> Option<Box<dyn Verifier>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let attempt = Attempt {
        channel: &facts.security().channel(),
        proven: None,
        nonce: Nonce::generate().ok()?,
        unix_seconds: now.as_secs(),
    };
    offer?.verifier(mechanism, attempt)
}

/// Returns random octets from the operating system.
fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|error| error.to_string())?;
    Ok(octets)
}
