//! Other SMTP implementations beside this one: see README.md of this folder.

mod esmtp_subject;
mod inputs;
mod limits;
#[cfg(feature = "all")]
mod others;
mod peers;
mod subject;

use esmtp_subject::{Esmtp, Given, InPlace, Machined, Sending, Typed};
use std::{env, hint::black_box, panic, time::Instant};
use subject::{Dialogue, Script, Sink, Subject};

fn subjects() -> Vec<Box<dyn Subject>> {
    #[allow(unused_mut, reason = "the feature adds to it")]
    let mut subjects: Vec<Box<dyn Subject>> = vec![
        Box::new(Esmtp::default()),
        Box::new(Typed::default()),
        Box::new(InPlace),
        Box::new(Machined::default()),
        Box::new(Sending::new(Given::Slice)),
        Box::new(Sending::new(Given::Shared(None))),
        Box::new(limits::Copy::default()),
        Box::new(limits::Verb),
        Box::new(peers::SmtpProto::default()),
        Box::new(peers::SmtpProtoEhlo),
        Box::new(peers::SmtpCodec),
        Box::new(peers::Mailin),
        Box::new(peers::SmtpMessage::default()),
        Box::new(peers::Mailrs),
        Box::new(peers::MailSend::default()),
        // one more implementation goes here
    ];
    #[cfg(feature = "all")]
    subjects.extend(others::subjects());
    subjects
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["table"] => tables("").iter().for_each(|table| table.print_summary()),
        ["details"] => tables("").iter().for_each(Table::print),
        ["details", of] => tables(of).iter().for_each(Table::print),
        ["check"] => check(),
        ["repeat", title, name, times] => repeat(title, name, times.parse().expect("a number")),
        _ => panic!("table, details [TITLE], check, or repeat TITLE NAME TIMES"),
    }
}

// --------------------------------------------------------------------------------- rows

/// An act on one input: it is done once by a call, or the subject does not offer it.
struct Act {
    title: String,
    /// Items, or octets, of one call.
    amount: usize,
    unit: Unit,
    call: Call,
}

/// Returns `None` where the subject does not offer the act.
type Call = Box<dyn Fn(&mut dyn Subject) -> Option<()>>;

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    /// Less is better.
    Nanoseconds,
    /// More is better.
    GigabytesPerSecond,
}

fn acts() -> Vec<Act> {
    let mut acts = Vec::new();
    for lines in inputs::commands() {
        acts.push(Act {
            title: format!("commands: {}", lines.name),
            amount: lines.len(),
            unit: Unit::Nanoseconds,
            call: Box::new(move |subject| black_box(subject.commands(&lines)).map(drop)),
        });
    }
    for lines in inputs::replies() {
        acts.push(Act {
            title: format!("replies: {}", lines.name),
            amount: lines.len(),
            unit: Unit::Nanoseconds,
            call: Box::new(move |subject| black_box(subject.replies(&lines)).map(drop)),
        });
    }
    for message in inputs::messages() {
        let (name, wire, plain) = (message.name, message.wire, message.plain);
        if name.starts_with("base64, 1 M") {
            let line = wire.iter().rposition(|octet| *octet == b'\r').expect("lines");
            let few = [&wire[..65536.min(line)], b"\r\n.\r\n"].concat();
            acts.push(receiving(format!("content in: {name}, an octet at a time"), few, 1));
        }
        acts.push(receiving(format!("content in: {name}"), wire, 16384));
        if name.contains("1 MiB") {
            let lf: Vec<u8> = plain.iter().copied().filter(|octet| *octet != b'\r').collect();
            if name.starts_with("prose") {
                acts.push(sending(format!("content out: {name}, LF"), lf));
            }
            acts.push(sending(format!("content out: {name}"), plain));
        }
    }
    for (title, messages) in [("a further message of 4 KiB", 100), ("a session each", 1)] {
        let dialogue = dialogue();
        acts.push(Act {
            title: format!("server: {title}"),
            amount: messages,
            unit: Unit::Nanoseconds,
            call: Box::new(move |subject| {
                let mut out = Vec::with_capacity(1 << 16);
                black_box(subject.serve(messages, &dialogue, &mut out)).map(drop)
            }),
        });
    }
    let message = inputs::small_message();
    acts.push(Act {
        title: "client: a further message of 4 KiB".to_owned(),
        amount: 100,
        unit: Unit::Nanoseconds,
        call: Box::new(move |subject| {
            let script = Script { message: &message };
            black_box(subject.deliver(100, &script, &mut Sink::default())).map(drop)
        }),
    });
    acts
}

fn receiving(title: String, wire: Vec<u8>, chunk: usize) -> Act {
    Act {
        title,
        amount: wire.len(),
        unit: Unit::GigabytesPerSecond,
        call: Box::new(move |subject| match subject.is_quadratic() && chunk == 1 {
            true => None,
            false => black_box(subject.receive(&wire, chunk, &mut Sink::default())).map(drop),
        }),
    }
}

fn sending(title: String, message: Vec<u8>) -> Act {
    Act {
        title,
        amount: message.len(),
        unit: Unit::GigabytesPerSecond,
        call: Box::new(move |subject| subject.send(&message, &mut Sink::default())),
    }
}

fn dialogue() -> Dialogue {
    Dialogue {
        ehlo: b"EHLO client.example.com\r\n".to_vec(),
        mail: b"MAIL FROM:<john.doe@example.com> SIZE=4096 BODY=8BITMIME\r\n".to_vec(),
        rcpt: b"RCPT TO:<alice@example.org>\r\n".to_vec(),
        data: b"DATA\r\n".to_vec(),
        content: inputs::stuffed(&inputs::small_message()),
        quit: b"QUIT\r\n".to_vec(),
    }
}

// ---------------------------------------------------------------------------- measuring

/// The figures of one act.
struct Table {
    title: String,
    unit: Unit,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    /// Seconds for each item or octet: the best decile.
    seconds: f64,
    /// Allocations for each call.
    allocations: u64,
}

fn number(variable: &str, otherwise: usize) -> usize {
    env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn tables(of: &str) -> Vec<Table> {
    acts().iter().filter(|act| act.title.starts_with(of)).map(measure).collect()
}

/// Runs all subjects in turn, in short slices, so that noise meets all alike. Each round begins with
/// another one, and every other round runs backwards.
fn measure(act: &Act) -> Table {
    let (rounds, slice) = (number("ROUNDS", 41), number("SLICE_MS", 3) as f64 / 1e3);
    let mut subjects = subjects();
    subjects.retain_mut(|subject| (act.call)(subject.as_mut()).is_some());
    let mut repetitions = Vec::new();
    for subject in &mut subjects {
        let start = Instant::now();
        (act.call)(subject.as_mut());
        let once = start.elapsed().as_secs_f64().max(1e-9);
        repetitions.push(((slice / once) as usize).clamp(1, 1_000_000));
    }
    let mut samples = vec![Vec::new(); subjects.len()];
    for round in 0..rounds {
        for place in 0..subjects.len() {
            let at = (place + 5 * round) % subjects.len();
            let at = if round % 2 == 0 { at } else { subjects.len() - 1 - at };
            let start = Instant::now();
            for _ in 0..repetitions[at] {
                (act.call)(subjects[at].as_mut());
            }
            samples[at].push(start.elapsed().as_secs_f64() / repetitions[at] as f64);
        }
    }
    let rows = subjects.iter_mut().zip(samples).map(|(subject, mut samples)| {
        samples.sort_by(f64::total_cmp);
        let measured = allocation_counter::measure(|| {
            let _ = (act.call)(subject.as_mut());
        });
        Row {
            name: subject.name(),
            seconds: samples[samples.len() / 10] / act.amount as f64,
            allocations: measured.count_total,
        }
    });
    Table { title: act.title.clone(), unit: act.unit, rows: rows.collect() }
}

impl Table {
    fn figure(&self, row: &Row) -> f64 {
        match self.unit {
            Unit::Nanoseconds => row.seconds * 1e9,
            Unit::GigabytesPerSecond => 1e-9 / row.seconds,
        }
    }

    fn unit(&self) -> &'static str {
        match self.unit {
            Unit::Nanoseconds => "ns",
            Unit::GigabytesPerSecond => "GB/s",
        }
    }

    /// Returns the fastest of the other implementations.
    fn best_peer(&self) -> Option<&Row> {
        let is_peer = |row: &&Row| !row.name.starts_with("esmtp") && !row.name.starts_with("limit");
        self.rows.iter().filter(is_peer).min_by(|one, two| one.seconds.total_cmp(&two.seconds))
    }

    /// Prints a row for each of our subjects, with the ratio to the best peer: of time, or of speed.
    fn print_summary(&self) {
        if self.title == "commands: mix" {
            println!("| act | best peer | esmtp | ratio |\n|---|---|---|---:|");
        }
        let Some(peer) = self.best_peer() else { return };
        for row in self.rows.iter().filter(|row| row.name.starts_with("esmtp")) {
            let ratio = match self.unit {
                Unit::Nanoseconds => row.seconds / peer.seconds,
                Unit::GigabytesPerSecond => peer.seconds / row.seconds,
            };
            println!(
                "| {} | {}: {:.3} {} | {}: {:.3} | {ratio:.2} |",
                self.title,
                peer.name,
                self.figure(peer),
                self.unit(),
                row.name,
                self.figure(row),
            );
        }
    }

    fn print(&self) {
        println!("\n{}\n\n| implementation | {} | allocations of a run |", self.title, self.unit());
        println!("|---|---:|---:|");
        for row in &self.rows {
            println!("| {} | {:.3} | {} |", row.name, self.figure(row), row.allocations);
        }
    }
}

// ----------------------------------------------------------------------------- checking

/// Compares the content that each subject decodes, and shows where those end content that are not
/// strict.
fn check() {
    for message in inputs::messages() {
        for chunk in [16384, 4096, 7, 1] {
            for mut subject in subjects() {
                let is_slow = subject.is_quadratic() && chunk < 4096;
                if is_slow || subject.name().starts_with("limit") || message.wire.len() > 2 << 20 {
                    continue;
                }
                let mut sink = Sink { kept: Some(Vec::new()), ..Sink::default() };
                if let Some(is_found) = subject.receive(&message.wire, chunk, &mut sink) {
                    let is_equal = sink.kept.as_ref() == Some(&message.plain);
                    let (name, title) = (subject.name(), message.name);
                    println!("{title}, {chunk} octets, {name}: end {is_found}, equal {is_equal}");
                    assert!(!name.starts_with("esmtp") || is_found && is_equal);
                }
            }
        }
    }
    for wire in [&b"a\n.\r\nb\r\n.\r\n"[..], b"a\r.\r\nb\r\n.\r\n", b"a\n.\nb\r\n.\r\n"] {
        for mut subject in subjects() {
            let mut sink = Sink { kept: Some(Vec::new()), ..Sink::default() };
            let run = || subject.receive(wire, 16384, &mut sink);
            if let Ok(Some(is_last)) = panic::catch_unwind(panic::AssertUnwindSafe(run)) {
                let kept = sink.kept.unwrap_or_default();
                let (wire, kept) = (wire.escape_ascii(), kept.escape_ascii());
                println!("{wire}, {}: whole {is_last}, content {kept}", subject.name());
            }
        }
    }
    for mut subject in subjects() {
        let mut idle = None;
        let measured = allocation_counter::measure(|| idle = subject.idle());
        if idle.is_some() {
            println!("idle session, {}: {} octets", subject.name(), measured.bytes_current);
        }
    }
}

/// Does one act of one subject again and again, for a profiler.
fn repeat(title: &str, name: &str, times: usize) {
    let act = acts().into_iter().find(|act| act.title == title).expect("a title");
    let mut subject =
        subjects().into_iter().find(|subject| subject.name() == name).expect("a name");
    for _ in 0..times {
        (act.call)(subject.as_mut()).expect("an act that is offered");
    }
}
