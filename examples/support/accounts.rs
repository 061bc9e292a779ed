//! Accounts in memory: the names and secrets of a server's users.

use esmtp::{
    sasl::{
        Mechanism, Offer, Question, Secret,
        scram::{Hash, Keys},
    },
    server::CredentialsQuestion,
};
use std::collections::HashMap;

/// Names, passwords, and the SCRAM keys derived from them.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    users: HashMap<String, Account>,
}

#[derive(Debug)]
struct Account {
    password: Secret,
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
            let account = Account { password: password.into(), keys };
            if users.insert(name.to_owned(), account).is_some() {
                return Err(bad(&"the account exists already"));
            }
        }
        Ok(Self { users })
    }

    /// Returns every mechanism that these accounts support.
    pub(crate) fn offer() -> Offer {
        Offer::new([
            Mechanism::SCRAM_SHA_256_PLUS,
            Mechanism::SCRAM_SHA_1_PLUS,
            Mechanism::SCRAM_SHA_256,
            Mechanism::SCRAM_SHA_1,
            Mechanism::CRAM_MD5,
            Mechanism::PLAIN,
            Mechanism::LOGIN,
            Mechanism::OAUTHBEARER,
            Mechanism::XOAUTH2,
        ])
    }

    /// Checks credentials against the account of their user: the keys, where the client knows the
    /// password without sending it, and the password otherwise. It is the token of the account, too.
    pub(crate) fn answer(&self, asked: CredentialsQuestion<'_>) {
        let account = self.users.get(asked.user());
        match (&asked.question, asked.token()) {
            (Question::Keys(_), _) => asked.check(account.map(|account| &account.keys)),
            // A token may come without a name.
            (_, Some(token)) if asked.user().is_empty() => {
                let is_owner = |account: &Account| account.password.matches(token.expose());
                match self.users.iter().find(|(_, account)| is_owner(account)) {
                    Some((name, _)) => asked.accept_as(name),
                    None => asked.reject(),
                }
            }
            _ => asked.check(account.map(|account| &account.password)),
        }
    }
}

/// Returns random octets from the operating system.
fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|error| error.to_string())?;
    Ok(octets)
}
