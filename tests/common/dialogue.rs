//! Conversations of a client, written as in the RFCs, with a fake clock.
//!
//! A script is lines of
//!
//! ```text
//! S: 220 mx.example.net        the server says a line
//! C: EHLO me.example.org       the client says a line (content in its wire form)
//! C: half a\                   the same without CRLF
//! (300 s)                      time passes, and nothing else
//! S: (closed)                  the server closes, in order
//! S: (cut off)                 the connection is lost
//! C: (broken)                  from here on the client's writes fail
//! C: (closed)                  the client closes
//! (secured)                    the TLS handshake, which the client awaits, succeeds
//! (not secured)                it fails
//! ```
//!
//! Lines of a side that follow each other are one group: what the client says before the server
//! does is all of its group and nothing more, and the server's group comes in one read (`(0 s)`
//! between two lines makes two of them). The conversation is played once as it stands, once with
//! every octet of either side travelling alone, and once for every place where the server's
//! octets can be cut; commands and notes must be the same.

#![allow(dead_code)] // not every file of tests plays every act

use esmtp::{
    client::{Client, Config, Event, MessageFacts, Outcome, Report},
    envelope::Envelope,
    machine::{Closed, Machine, Need, Upgradable},
    sasl::{Credentials, Initiator, Mechanism, Nonce, Secret},
    security::{Security, TlsFailureKind},
    syntax::{
        Argument, DomainList, Lookup, Node, UnknownVerb, Uri, XclientAttributes, XforwardAttributes,
    },
    time::Instant,
};
use std::{collections::VecDeque, fmt::Write, time::Duration};

/// What the application does when the client is ready. Behind the last it quits.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Send(Mail),
    Noop,
    Verify(&'static str),
    Expand(&'static str),
    Help,
    StartQueue(Node<'static>),
    /// A verb of one's own, and its argument.
    Command(&'static str, Option<String>),
    /// Takes nothing over, or closes.
    Turn(Option<DomainList<'static>>, AfterTurn),
    SpeakFor(XclientAttributes<'static>),
    TellOrigin(XforwardAttributes<'static>),
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

/// What becomes of a channel on which the roles were turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterTurn {
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

/// From ann@example.org to these, with facts from a scan.
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

/// What one playing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Played {
    pub(crate) commands: String,
    /// What the application was told, a line each.
    pub(crate) notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Client(String),
    Server(String),
    Closed(Closed),
    Broken,
    ClientCloses,
    Passes(u64),
    Secured(bool),
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    Nowhere,
    Everywhere,
    Before(usize),
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

    /// Plays the script in every cutting, and returns the notes.
    #[track_caller]
    pub(crate) fn plays(&self, script: &str) -> Vec<String> {
        let lines = parse(script);
        let played = self.play(&lines, Cut::Nowhere);
        let again = self.play(&lines, Cut::Everywhere);
        assert_eq!(played, again, "octet by octet");
        let octets: usize = lines
            .iter()
            .map(|line| if let Line::Server(line) = line { line.len() } else { 0 })
            .sum();
        for at in 1..octets {
            assert_eq!(played, self.play(&lines, Cut::Before(at)), "cut before octet {at}");
        }
        played.notes
    }

    /// Plays the script once, whole.
    #[track_caller]
    pub(crate) fn plays_whole(&self, script: &str) -> Vec<String> {
        self.play(&parse(script), Cut::Nowhere).notes
    }

    #[track_caller]
    fn play(&self, lines: &[Line], cut: Cut) -> Played {
        let mut player = Player {
            client: Client::new(self.config.clone(), self.security.clone()),
            now: Instant::ORIGIN,
            acts: self.acts.clone().into(),
            contents: VecDeque::new(),
            steps: &[],
            after_turn: AfterTurn::Close,
            is_left: false,
            notes: Vec::new(),
            commands: Vec::new(),
            is_broken: false,
            cut,
            heard: 0,
        };
        let mut expected = String::new();
        for line in lines {
            match line {
                Line::Client(line) => expected.push_str(line),
                Line::ClientCloses => {
                    assert_eq!(player.drive(), Need::Close, "the client does not close");
                }
                Line::Passes(seconds) => {
                    let _ = player.drive();
                    player.now = player.now + Duration::from_secs(*seconds);
                }
                Line::Secured(is_secured) => {
                    assert_eq!(player.drive(), Need::Answer, "no upgrade is awaited");
                    assert!(player.client.is_upgrading());
                    let Some(Event::Upgrade(upgrade)) = player.client.event() else {
                        panic!("no upgrade is awaited");
                    };
                    match is_secured {
                        true => upgrade.succeed(self.secured.clone()),
                        false => upgrade.fail(TlsFailureKind::NotTls),
                    }
                }
                Line::Broken => player.is_broken = true,
                Line::Server(line) => {
                    let _ = player.drive();
                    if matches!(cut, Cut::Nowhere) {
                        player.has_said(&expected);
                    }
                    player.hear(line.as_bytes());
                }
                Line::Closed(how) => {
                    let _ = player.drive();
                    player.client.closed(*how);
                }
            }
        }
        let last = player.drive();
        if !matches!(lines.last(), Some(Line::ClientCloses)) || last != Need::Close {
            player.notes.push(format!("{last:?}"));
        }
        if let Some(end) = player.client.end() {
            player.notes.push(format!("end: {end}"));
        }
        player.has_said(&expected);
        if player.is_left {
            let received = player.client.into_received();
            player.notes.push(format!("left: {}", received.escape_ascii()));
        }
        Played {
            commands: String::from_utf8_lossy(&player.commands).into_owned(),
            notes: player.notes,
        }
    }
}

/// Where content may be.
pub(crate) const URL: &str = "imap://x.example/;uid=1";

/// The nonce of every SCRAM exchange: `AAAAAAAAAAAAAAAAAAAAAAAA`.
pub(crate) const NONCE: fn() -> Nonce = || Nonce::new([0; 18]);

pub(crate) fn config() -> Config {
    Config::new("me.example.org").unwrap()
}

struct Player {
    client: Client,
    now: Instant,
    acts: VecDeque<Act>,
    /// Of the transactions that were begun, what was not written yet.
    contents: VecDeque<Mail>,
    steps: &'static [&'static str],
    after_turn: AfterTurn,
    is_left: bool,
    notes: Vec<String>,
    commands: Vec<u8>,
    is_broken: bool,
    cut: Cut,
    heard: usize,
}

impl Player {
    /// Goes on until the server must say something, or nothing more will ever be.
    fn drive(&mut self) -> Need {
        loop {
            match self.client.poll(self.now) {
                // The script says when.
                Need::Answer if self.client.is_upgrading() => return Need::Answer,
                Need::Answer if self.is_left => return Need::Answer,
                Need::Answer => self.answer(),
                Need::Write(_) | Need::Either(_) if self.is_broken => self.client.unsendable(),
                Need::Write(_) | Need::Either(_) => {
                    let mut slices = [&b""[..]; 4];
                    let filled = self.client.to_send(&mut slices);
                    let mut octets = slices[..filled].concat();
                    assert!(!octets.is_empty(), "nothing to write");
                    if matches!(self.cut, Cut::Everywhere) {
                        octets.truncate(1);
                    }
                    self.client.sent(octets.len());
                    self.commands.extend(octets);
                }
                need => return need,
            }
        }
    }

    fn hear(&mut self, line: &[u8]) {
        let at = self.heard;
        self.heard += line.len();
        match self.cut {
            Cut::Nowhere => self.feed(line),
            Cut::Everywhere => {
                for octet in line {
                    self.feed(core::slice::from_ref(octet));
                    let _ = self.drive();
                }
            }
            Cut::Before(octet) => {
                let (before, behind) = line.split_at(octet.saturating_sub(at).min(line.len()));
                self.feed(before);
                if octet >= at && octet < self.heard {
                    let _ = self.drive();
                }
                self.feed(behind);
            }
        }
    }

    fn feed(&mut self, octets: &[u8]) {
        let taken = self.client.feed(octets);
        assert_eq!(taken, octets.len(), "the receive buffer is full");
    }

    #[track_caller]
    fn has_said(&self, expected: &str) {
        assert_eq!(
            String::from_utf8_lossy(&self.commands).replace("\r\n", "\n"),
            expected.replace("\r\n", "\n"),
            "what the client said"
        );
    }

    fn answer(&mut self) {
        match self.client.event().unwrap() {
            Event::Ready(ready) => match self.acts.pop_front() {
                None => ready.quit(),
                Some(Act::Noop) => ready.noop(),
                Some(Act::Reset) => ready.reset(),
                Some(Act::Wait) => ready.wait(),
                Some(Act::Verify(user)) => {
                    let lookup = Lookup::new(Argument::new(user).unwrap()).unwrap();
                    if let Err(error) = ready.vrfy(lookup) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::Expand(list)) => {
                    ready.expn(Lookup::new(Argument::new(list).unwrap()).unwrap()).unwrap();
                }
                Some(Act::Help) => ready.help(None).unwrap(),
                Some(Act::StartQueue(node)) => {
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
                Some(Act::Turn(domains, after_turn)) => {
                    self.after_turn = after_turn;
                    if let Err(error) = ready.atrn(domains) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::SpeakFor(attributes)) => {
                    if let Err(error) = ready.xclient(&attributes) {
                        self.notes.push(format!("not offered: {error}"));
                    }
                }
                Some(Act::TellOrigin(attributes)) => {
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
                    answered.index(),
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
            Event::HandOver(hand_over) => {
                self.notes.push(format!("hand over: {}", hand_over.reply()));
                match self.after_turn {
                    AfterTurn::Leave => self.is_left = true,
                    AfterTurn::Close => hand_over.close(),
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

/// `0: bob@example.net 250 Ok, carl@example.net 550 No (rest: carl@example.net)`
pub(crate) fn note(report: &Report) -> String {
    let mut note = format!("{}:", report.transaction().number());
    for (index, (path, outcome)) in report.recipients().enumerate() {
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

fn parse(script: &str) -> Vec<Line> {
    let mut parsed: Vec<Line> = Vec::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line = match line {
            "(secured)" => Line::Secured(true),
            "(not secured)" => Line::Secured(false),
            "S: (closed)" => Line::Closed(Closed::Clean),
            "S: (cut off)" => Line::Closed(Closed::CutOff),
            "C: (broken)" => Line::Broken,
            "C: (closed)" => Line::ClientCloses,
            _ => {
                if let Some(line) = line.strip_prefix("C:") {
                    let line = line.strip_prefix(' ').unwrap_or(line);
                    Line::Client(match line.strip_suffix('\\') {
                        Some(part) => part.to_owned(),
                        None => format!("{line}\r\n"),
                    })
                } else if let Some(line) = line.strip_prefix("S:") {
                    Line::Server(format!("{}\r\n", line.strip_prefix(' ').unwrap_or(line)))
                } else if let Some(seconds) =
                    line.strip_prefix('(').and_then(|line| line.strip_suffix(" s)"))
                {
                    Line::Passes(seconds.parse().unwrap())
                } else {
                    panic!("not a line of a script: {line}")
                }
            }
        };
        match (&line, parsed.last_mut()) {
            (Line::Server(line), Some(Line::Server(last))) => last.push_str(line),
            _ => parsed.push(line),
        }
    }
    parsed
}
