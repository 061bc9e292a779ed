//! Conversations of a client, written as [`Script`]s.
//!
//! A conversation is played once as it stands, once with every octet of either side travelling
//! alone, and once for every place where the server's octets can be cut; commands and notes must
//! be equal.

#![allow(dead_code)] // not every file of tests plays every act

use esmtp::{
    client::{Client, Config, Event, MessageFacts, Outcome, Report},
    envelope::Envelope,
    machine::{Machine, Need},
    sasl::{Credentials, Initiator, Mechanism, Nonce, Secret},
    security::Security,
    syntax::{
        Argument, DomainList, Lookup, Node, UnknownVerb, Uri, XclientAttributes, XforwardAttributes,
    },
    testing::{Cut, Script},
    time::Instant,
    transcript::Side,
};
use std::{collections::VecDeque, fmt::Write};

/// An act of the application when the client is ready. After the last one it quits.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Send(Mail),
    Noop,
    Vrfy(&'static str),
    Expn(&'static str),
    Help,
    Etrn(Node<'static>),
    /// A verb of one's own, and its argument.
    Command(&'static str, Option<String>),
    /// Takes nothing over, or closes.
    Atrn(Option<DomainList<'static>>, AfterAtrn),
    Xclient(XclientAttributes<'static>),
    Xforward(XforwardAttributes<'static>),
    StartTls,
    /// The strongest of these.
    Auth(fn() -> Vec<Box<dyn Initiator>>),
    AuthAs(Credentials),
    /// By hand: mechanism, initial response, and what is answered to the challenges (`*` gives
    /// up).
    AuthBySteps(&'static str, Option<&'static str>, &'static [&'static str]),
    Reset,
    Wait,
}

/// The fate of a channel on which the roles were swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterAtrn {
    /// Another machine would take it over.
    Leave,
    Close,
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) envelope: Envelope,
    pub(crate) facts: MessageFacts,
    /// Where the octet 1 is, [`URL`] stands; where 2 is, it stands and is the last.
    pub(crate) content: Vec<u8>,
    /// Gives up where the content ends.
    pub(crate) aborts: bool,
}

/// Creates a message from ann@example.org, with facts from a scan.
pub(crate) fn mail(to: &[&str], content: &str) -> Mail {
    Mail {
        envelope: Envelope::new("ann@example.org", to).unwrap(),
        facts: MessageFacts::scan(content.as_bytes()),
        content: content.as_bytes().to_vec(),
        aborts: false,
    }
}

pub(crate) struct Dialogue {
    pub(crate) config: Config,
    pub(crate) acts: Vec<Act>,
    pub(crate) security: Security,
    pub(crate) secured: Security,
}

impl Dialogue {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self {
            config: config(),
            acts: acts.into_iter().collect(),
            security: Security::CLEAR,
            secured: Security::TLS,
        }
    }

    pub(crate) fn sends(to: &[&str], content: &str) -> Self {
        Self::new([Act::Send(mail(to, content))])
    }

    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(Config) -> Config) -> Self {
        self.config = change(self.config);
        self
    }

    /// Plays the script with every cut, and returns the notes.
    #[track_caller]
    pub(crate) fn plays(&self, script: &str) -> Vec<String> {
        let closes = script.trim_end().ends_with(CLOSES);
        let script = self.script(script);
        let notes = self.play(&script, closes, Cut::Nowhere);
        for cut in script.cuts(Side::Client).skip(1) {
            assert_eq!(notes, self.play(&script, closes, cut), "{cut:?}");
        }
        notes
    }

    /// Plays the script once, whole.
    #[track_caller]
    pub(crate) fn plays_whole(&self, script: &str) -> Vec<String> {
        let closes = script.trim_end().ends_with(CLOSES);
        self.play(&self.script(script), closes, Cut::Nowhere)
    }

    #[track_caller]
    fn script(&self, script: &str) -> Script {
        Script::new(script).unwrap().with_secured(self.secured.clone())
    }

    #[track_caller]
    fn play(&self, script: &Script, closes: bool, cut: Cut) -> Vec<String> {
        let mut client = Client::new(self.config.clone(), self.security.clone());
        let mut player = Player {
            acts: self.acts.clone().into(),
            contents: VecDeque::new(),
            steps: &[],
            after_atrn: AfterAtrn::Close,
            is_left: false,
            notes: Vec::new(),
        };
        let played = script.play(&mut client, cut, |event| player.answer(event)).unwrap();
        if !closes || played.need() != Need::Close {
            player.notes.push(format!("{:?}", played.need()));
        }
        if let Some(end) = client.end() {
            player.notes.push(format!("end: {end}"));
        }
        if player.is_left {
            player.notes.push(format!("left: {}", client.into_received().escape_ascii()));
        }
        player.notes
    }
}

/// The end of a script at which a need that is over is not noted.
const CLOSES: &str = "C: (closed)";

/// Where content may be.
pub(crate) const URL: &str = "imap://x.example/;uid=1";

pub(crate) const BOB: &str = "bob@example.net";
pub(crate) const CARL: &str = "carl@example.net";
pub(crate) const DORA: &str = "dora@example.net";

/// Returns the introduction by a server that offers exactly this, with `|` between the keywords, and a
/// script after it.
pub(crate) fn after_offer(keywords: &str, script: &str) -> String {
    let mut hello = String::from("S: 220 mx\nC: EHLO me.example.org\n");
    let lines: Vec<&str> =
        ["mx"].into_iter().chain(keywords.split('|').filter(|it| !it.is_empty())).collect();
    for (index, line) in lines.iter().enumerate() {
        let separator = if index + 1 == lines.len() { ' ' } else { '-' };
        writeln!(hello, "S: 250{separator}{line}").unwrap();
    }
    hello + script
}

/// The introduction by a server that offers CHUNKING only.
pub(crate) const CHUNKING: &str = "S: 220 mx
     C: EHLO me.example.org
     S: 250-mx
     S: 250 CHUNKING";

/// The nonce of every SCRAM exchange: `AAAAAAAAAAAAAAAAAAAAAAAA`.
pub(crate) const NONCE: fn() -> Nonce = || Nonce::new([0; 18]);

pub(crate) fn config() -> Config {
    Config::new("me.example.org").unwrap()
}

struct Player {
    acts: VecDeque<Act>,
    /// Of the transactions that were begun, the octets that were not written yet.
    contents: VecDeque<Mail>,
    steps: &'static [&'static str],
    after_atrn: AfterAtrn,
    is_left: bool,
    notes: Vec<String>,
}

impl Player {
    fn answer(&mut self, event: Event<'_>) {
        match event {
            Event::Ready(ready) => match self.acts.pop_front() {
                None => ready.quit(),
                Some(Act::Noop) => ready.noop(),
                Some(Act::Reset) => ready.reset(),
                Some(Act::Wait) => ready.wait(),
                Some(Act::Vrfy(user)) => {
                    let lookup = Lookup::new(Argument::new(user).unwrap()).unwrap();
                    if let Err(error) = ready.vrfy(lookup) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::Expn(list)) => {
                    ready.expn(Lookup::new(Argument::new(list).unwrap()).unwrap()).unwrap();
                }
                Some(Act::Help) => ready.help(None).unwrap(),
                Some(Act::Etrn(node)) => {
                    if let Err(error) = ready.etrn(node) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::Command(verb, argument)) => {
                    let argument = argument.map(|it| Argument::new(it).unwrap());
                    if let Err(error) = ready.command(UnknownVerb::new(verb).unwrap(), argument) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::Atrn(domains, after_atrn)) => {
                    self.after_atrn = after_atrn;
                    if let Err(error) = ready.atrn(domains) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::Xclient(attributes)) => {
                    if let Err(error) = ready.xclient(&attributes) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::Xforward(attributes)) => {
                    if let Err(error) = ready.xforward(&attributes) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::StartTls) => {
                    if let Err(error) = ready.start_tls() {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::Auth(initiators)) => {
                    if let Err(error) = ready.authenticate(initiators()) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::AuthAs(credentials)) => {
                    if let Err(error) = ready.authenticate_as(&credentials, NONCE()) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::AuthBySteps(mechanism, first, steps)) => {
                    self.steps = steps;
                    let mechanism = Mechanism::new(mechanism).unwrap();
                    match ready.authenticate_by_steps(mechanism, first.map(Secret::from)) {
                        Ok(()) => {}
                        Err(error) => self.notes.push(format!("not offered: {error}")),
                    }
                }
                Some(Act::Send(mail)) => {
                    match ready.send(mail.envelope.clone(), mail.facts.clone()) {
                        Ok(_) => self.contents.push_back(mail),
                        Err(error) => self.notes.push(format!("not offered: {error}")),
                    }
                }
            },
            Event::Content(mut content) => {
                // The content is the newest transaction's.
                let mail = self.contents.back_mut().unwrap();
                let is_mark = |octet: &u8| matches!(octet, 1 | 2);
                if let Some(mark) = mail.content.first().copied().filter(is_mark) {
                    mail.content.remove(0);
                    let uri = Uri::new(URL).unwrap();
                    let result = match mark {
                        1 => content.burl(uri),
                        _ => content.finish_with(uri),
                    };
                    if let Err(error) = result {
                        self.notes.push(format!("content: {error}"));
                    }
                    return;
                }
                let piece = mail.content.iter().position(is_mark).unwrap_or(usize::MAX);
                let piece = piece.min(mail.content.len()).min(7);
                match content.write(&mail.content[..piece]) {
                    Ok(octets) => {
                        mail.content.drain(..octets);
                    }
                    Err(error) => {
                        self.notes.push(format!("content: {error}"));
                        return content.abort();
                    }
                }
                if mail.content.is_empty() {
                    if mail.aborts {
                        content.abort();
                    } else if let Err(error) = content.finish() {
                        self.notes.push(format!("content: {error}"));
                    }
                }
            }
            Event::Sent(sent) => {
                let report = sent.take();
                self.contents.pop_front();
                self.notes.push(note(&report));
            }
            Event::Answered(answered) => {
                self.notes.push(format!(
                    "{}: the recipient {} has {}",
                    answered.transaction().number(),
                    answered.index().unwrap(),
                    answered.reply()
                ));
                answered.go_on();
            }
            Event::Refused(refused) => {
                self.notes.push(format!(
                    "{} refused: {}",
                    refused.verb().as_str(),
                    refused.reply()
                ));
                refused.go_on();
            }
            // Without a TLS layer the script says when the handshake is done.
            Event::Upgrade(_) => {}
            Event::HandOver(_) if self.is_left => {}
            Event::HandOver(hand_over) => {
                self.notes.push(format!("hand over: {}", hand_over.reply()));
                match self.after_atrn {
                    AfterAtrn::Leave => self.is_left = true,
                    AfterAtrn::Close => hand_over.close(),
                }
            }
            Event::Challenge(challenge) => {
                let octets = challenge.octets().escape_ascii();
                self.notes.push(format!("challenge: {octets}"));
                match self.steps.split_first() {
                    Some((&"*", _)) | None => challenge.cancel(),
                    Some((first, rest)) => {
                        self.steps = rest;
                        challenge.respond(*first);
                    }
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Returns a note such as `0: bob@example.net 250 Ok, carl@example.net 550 No (rest: carl@example.net)`.
pub(crate) fn note(report: &Report) -> String {
    let mut note = format!("{}:", report.transaction().number());
    for (index, recipient) in report.recipients().enumerate() {
        let (path, outcome) = (recipient.path(), recipient.outcome());
        let comma = if index == 0 { "" } else { "," };
        let outcome = match outcome {
            Outcome::Unknown => "unknown".to_owned(),
            Outcome::Untried => "untried".to_owned(),
            other => other.to_string().trim_end().to_owned(),
        };
        write!(note, "{comma} {path} {outcome}").unwrap();
    }
    if let Some(rest) = report.rest() {
        note.push_str(" rest:");
        for path in rest.forward_paths() {
            write!(note, " {path}").unwrap();
        }
    }
    note
}

/// Drives a client by hand until it neither writes nor advances: returns the octets that it writes, and
/// its next need.
pub(crate) fn write(client: &mut Client, now: Instant) -> (String, Need) {
    let mut written = Vec::new();
    loop {
        match client.poll(now) {
            Need::Write(_) | Need::Either(_) => {
                let octets = client.output(usize::MAX);
                client.sent(octets.len());
                written.extend_from_slice(&octets);
            }
            need => return (String::from_utf8(written).unwrap(), need),
        }
    }
}

/// Gives a client octets of its server, and drives it by hand.
pub(crate) fn hear(client: &mut Client, octets: &str) -> (String, Need) {
    assert_eq!(client.feed(octets.as_bytes()), octets.len());
    write(client, Instant::ORIGIN)
}
