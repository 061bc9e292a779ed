//! Every row of `data/vectors.jsonl` and of our own `data/vectors_more.jsonl`: what an input means, or that it means
//! nothing.
//!
//! `input` holds octets as U+0000 to U+00FF. A row that is not `valid` may say what a tolerant parser makes of it
//! (`lenient`), that more octets are wanted (`incomplete`), or that the RFC leaves it open (`choice`).
//! Rows of the kind `sasl` do not belong to the syntax layer.

use esmtp::syntax::{
    AttributeName, AttributeValue, Code, Command, EhloLine, Extension, Extensions, ForwardPath,
    Host, Lenience, MailParameters, Mailbox, Parameters, RcptParameters, Reply, ReplyError,
    ReversePath, RrvsAction, Status, Submitter, Verb, Xtext,
};
use serde_json::{Map, Value, json};

/// The result of reading an input.
#[derive(Debug, PartialEq)]
enum Outcome {
    Valid(Value),
    Invalid,
    Incomplete,
}

#[test]
fn every_row_means_what_it_says() {
    let files = [include_str!("../data/vectors.jsonl"), include_str!("../data/vectors_more.jsonl")];
    let mut failures = Vec::new();
    let mut run = 0;
    for row in files
        .iter()
        .flat_map(|rows| rows.lines())
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
    {
        if row["kind"] == "sasl" {
            continue;
        }
        run += 1;
        if let Some(failure) = check(&row) {
            failures.push(format!("{}: {failure}", row["id"]));
        }
    }
    assert!(failures.is_empty(), "{} of {run} rows fail:\n{}", failures.len(), failures.join("\n"));
    assert!(run > 1300, "only {run} rows");
}

fn check(row: &Value) -> Option<String> {
    let octets: Vec<u8> = row["input"]
        .as_str()
        .unwrap()
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let strict = outcome(row, &octets, Lenience::STRICT);
    let may_choose = row["choice"] == true;
    let expected = match (row["valid"] == true, row["incomplete"] == true) {
        (true, _) => Outcome::Valid(row["meaning"].clone()),
        (_, true) => Outcome::Incomplete,
        _ => Outcome::Invalid,
    };
    // Trailing white space "is tolerated" is the one leniency that the rows call valid.
    let trimming = Lenience::STRICT.with_trailing_white_space();
    if strict != expected && outcome(row, &octets, trimming) != expected && !may_choose {
        return Some(format!("{strict:?} instead of {expected:?}"));
    }
    if row["kind"] == "ehlo-line" && strict == expected && row["valid"] == true {
        // What a client keeps of a line is not the line: `SIZE 0` is no limit, as `SIZE` is.
        return None;
    }
    let lenient = outcome(row, &octets, Lenience::ALL);
    let tolerated = row.get("lenient").map(|meaning| Outcome::Valid(meaning.clone()));
    let is_fine = lenient == expected
        || tolerated.is_some_and(|tolerated| lenient == tolerated)
        || may_choose;
    (!is_fine).then(|| format!("leniently {lenient:?}"))
}

fn outcome(row: &Value, octets: &[u8], lenience: Lenience) -> Outcome {
    let found = match row["kind"].as_str().unwrap() {
        "path" => path(row, octets, lenience),
        "command" => return command(row, octets, lenience),
        "reply" => return reply(octets),
        "xtext" => text(octets).and_then(|text| {
            let text = Xtext::parse(text).ok()?;
            Some(json!({ "decoded": latin(&text.decoded()) }))
        }),
        "ehlo-line" => text(octets).and_then(|line| ehlo_line(line, lenience)),
        "enhanced-code" => enhanced_code(octets),
        "parameter" => text(octets).and_then(|text| parameter(row, text, lenience)),
        kind => panic!("unknown kind {kind}"),
    };
    found.map_or(Outcome::Invalid, Outcome::Valid)
}

fn text(octets: &[u8]) -> Option<&str> {
    core::str::from_utf8(octets).ok()
}

/// Returns octets as the rows write them.
fn latin(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}

fn path(row: &Value, octets: &[u8], lenience: Lenience) -> Option<Value> {
    let text = text(octets)?;
    // The rows are of whole paths; those of commands have the brackets that are missing.
    let lenience = lenience.without_missing_brackets();
    let (mut meaning, is_ascii) = match row["on"] == "RCPT" {
        true => {
            let path = ForwardPath::parse_with(text, lenience).ok()?;
            (forward_meaning(&path), path.require_ascii().is_ok())
        }
        false => {
            let path = ReversePath::parse_with(text, lenience).ok()?;
            (reverse_meaning(&path), path.require_ascii().is_ok())
        }
    };
    if !is_ascii && row["smtputf8"] != true {
        return None;
    }
    // A route is read and dropped: what was in it is not kept.
    if let Some(route) = row["meaning"].get("route").or(row["lenient"].get("route")) {
        meaning["route"] = route.clone();
    }
    Some(meaning)
}

fn reverse_meaning(path: &ReversePath<'_>) -> Value {
    match path {
        ReversePath::Null => json!({ "null": true }),
        ReversePath::Mailbox(mailbox) => mailbox_meaning(mailbox),
    }
}

fn forward_meaning(path: &ForwardPath<'_>) -> Value {
    match path {
        ForwardPath::Postmaster => json!({ "postmaster": true }),
        ForwardPath::Mailbox(mailbox) => mailbox_meaning(mailbox),
    }
}

fn mailbox_meaning(mailbox: &Mailbox<'_>) -> Value {
    let mut meaning = host_meaning(mailbox.host());
    meaning.insert("local".into(), latin(mailbox.local_part().unquoted().as_bytes()).into());
    Value::Object(meaning)
}

fn host_meaning(host: &Host<'_>) -> Map<String, Value> {
    let mut meaning = Map::new();
    let literal = match host {
        Host::Domain(domain) => {
            meaning.insert("domain".into(), latin(domain.as_str().as_bytes()).into());
            return meaning;
        }
        Host::Ipv4(address) => json!({ "ipv4": address.to_string() }),
        Host::Ipv6(address) => json!({ "ipv6": address.to_string() }),
        Host::General(literal) => json!({ "tag": literal.tag(), "content": literal.content() }),
        _ => panic!("a new kind of host"),
    };
    meaning.insert("literal".into(), literal);
    meaning
}

fn command(row: &Value, octets: &[u8], lenience: Lenience) -> Outcome {
    let Some(line) = octets.strip_suffix(b"\r\n") else { return Outcome::Incomplete };
    // The wire layer cuts the line, and refuses one that is too long.
    let limit = match Verb::of(line) {
        // RFC 4954 section 4.
        Verb::Auth => 12_288,
        verb => Extensions::from_iter(Extension::ALL.iter().copied()).line_limit(verb),
    };
    if octets.len() > limit {
        return Outcome::Invalid;
    }
    let Ok(command) = Command::parse(line, lenience) else { return Outcome::Invalid };
    if needs_smtputf8(&command) && row["smtputf8"] != true {
        return Outcome::Invalid;
    }
    let Some(mut meaning) = command_meaning(&command) else { return Outcome::Invalid };
    // As in `path`.
    if let Some(route) = row["meaning"]["path"].get("route") {
        meaning["path"]["route"] = route.clone();
    }
    Outcome::Valid(meaning)
}

/// Returns whether a server rejects with 550 or 553 5.6.7 (RFC 6531 section 3.5): the octets are fit, the flag is missing.
fn needs_smtputf8(command: &Command<'_>) -> bool {
    match command {
        Command::Mail { reverse_path, parameters } => {
            let is_ascii = reverse_path.require_ascii().is_ok() && parameters.is_ascii();
            !is_ascii && !parameters.iter().any(|parameter| parameter.matches("SMTPUTF8"))
        }
        Command::Rcpt { forward_path, parameters } => {
            forward_path.require_ascii().is_err() || !parameters.is_ascii()
        }
        Command::Vrfy(lookup) | Command::Expn(lookup) => {
            !lookup.as_str().is_ascii() && !lookup.is_smtputf8()
        }
        _ => false,
    }
}

fn command_meaning(command: &Command<'_>) -> Option<Value> {
    let verb = command.verb().as_str();
    let mut meaning = match command {
        Command::Ehlo(name) | Command::Helo(name) | Command::Lhlo(name) => match name.host() {
            Some(host) => Value::Object(host_meaning(host)),
            None => json!({ "text": latin(name.text().as_bytes()) }),
        },
        Command::Mail { reverse_path, parameters } => {
            let params = mail_meaning(parameters)?;
            json!({ "path": reverse_meaning(reverse_path), "params": params })
        }
        Command::Rcpt { forward_path, parameters } => {
            let params = rcpt_meaning(parameters)?;
            json!({ "path": forward_meaning(forward_path), "params": params })
        }
        Command::Bdat { octets, last } => json!({ "size": octets, "last": last }),
        Command::Noop(Some(argument)) | Command::Help(Some(argument)) => {
            json!({ "arg": unquoted(argument.as_str()) })
        }
        Command::Vrfy(lookup) | Command::Expn(lookup) => {
            let mut meaning = json!({ "arg": unquoted(lookup.as_str()) });
            if lookup.is_smtputf8() {
                meaning["smtputf8"] = true.into();
            }
            meaning
        }
        Command::Auth { mechanism, initial_response } => match initial_response {
            None => json!({ "mechanism": mechanism.to_string(), "initial": null }),
            Some(response) => {
                let hex: String =
                    response.decoded().iter().map(|octet| format!("{octet:02x}")).collect();
                json!({ "mechanism": mechanism.to_string(), "initial_hex": hex })
            }
        },
        Command::Etrn(node) => {
            let node = node.to_string();
            match node.strip_prefix(['@', '#']) {
                Some(name) => json!({ "option": &node[..1], "node": name }),
                None => json!({ "node": node }),
            }
        }
        Command::Atrn(domains) => match domains {
            None => json!({ "domains": [] }),
            Some(domains) => {
                json!({ "domains": domains.iter().map(|domain| domain.to_string()).collect::<Vec<_>>() })
            }
        },
        Command::Burl { uri, last } => json!({ "url": uri.as_str(), "last": last }),
        Command::Xclient(attributes) => json!({ "attrs": attributes_meaning(attributes.iter()) }),
        Command::Xforward(attributes) => json!({ "attrs": attributes_meaning(attributes.iter()) }),
        // A server knows neither.
        Command::Obsolete(_) | Command::Other { .. } => return None,
        _ => json!({}),
    };
    meaning["verb"] = verb.into();
    Some(meaning)
}

/// Unquotes a String, which is an atom or a quoted string; the rows have its meaning.
fn unquoted(text: &str) -> String {
    match esmtp::syntax::LocalPart::parse(text) {
        Ok(string) if string.is_quoted() => latin(string.unquoted().as_bytes()),
        _ => latin(text.as_bytes()),
    }
}

fn attributes_meaning<'a>(
    attributes: impl Iterator<Item = (AttributeName, AttributeValue<'a>)>,
) -> Value {
    let mut meaning = Map::new();
    for (name, value) in attributes {
        let value = match value {
            AttributeValue::Unavailable => "[UNAVAILABLE]".into(),
            AttributeValue::TemporarilyUnavailable => "[TEMPUNAVAIL]".into(),
            AttributeValue::Text(text) => latin(text.as_bytes()),
            _ => panic!("a new kind of value"),
        };
        meaning.insert(name.as_str().into(), value.into());
    }
    Value::Object(meaning)
}

fn all() -> Extensions {
    Extension::ALL.iter().copied().collect()
}

/// Returns the meaning of the parameters of MAIL. Keywords that no extension brings are raw; the rows keep them as well.
fn mail_meaning(parameters: &Parameters<'_>) -> Option<Value> {
    MailParameters::parse_known(parameters, &all(), |_| true).ok()?;
    meanings(parameters, "MAIL")
}

fn rcpt_meaning(parameters: &Parameters<'_>) -> Option<Value> {
    RcptParameters::parse_known(parameters, &all(), |_| true).ok()?;
    meanings(parameters, "RCPT")
}

fn meanings(parameters: &Parameters<'_>, on: &str) -> Option<Value> {
    let mut meaning = Map::new();
    for found in parameters.iter() {
        let keyword = found.keyword().to_ascii_uppercase();
        let (_, value) = value_meaning(&found.to_string(), on)?;
        meaning.insert(keyword, value);
    }
    Some(Value::Object(meaning))
}

fn parameter(row: &Value, text: &str, lenience: Lenience) -> Option<Value> {
    let keyword = text.split('=').next().unwrap_or_default().to_ascii_uppercase();
    let on = match (row.get("on").or_else(|| row["meaning"].get("on")), keyword.as_str()) {
        (Some(on), _) => on.as_str().unwrap(),
        (None, "NOTIFY" | "ORCPT" | "RRVS" | "CONNEG") => "RCPT",
        (None, _) => "MAIL",
    };
    // As it would stand in a command, where leniency has its place.
    let path = if on == "MAIL" { "MAIL FROM:<a@b>" } else { "RCPT TO:<a@b>" };
    let line = format!("{path} {text}");
    let parameters = match Command::parse(line.as_bytes(), lenience).ok()? {
        Command::Mail { parameters, .. } | Command::Rcpt { parameters, .. } => {
            parameters.into_owned()
        }
        _ => return None,
    };
    let is_one = parameters.iter().count() == 1;
    if !is_one || (!parameters.is_ascii() && row["smtputf8"] != true) {
        return None;
    }
    let (_, value) = value_meaning(parameters.as_str(), on)?;
    Some(json!({ "on": on, "keyword": keyword, "value": value }))
}

/// Returns whether the parameter is one with a type, and what its value means.
fn value_meaning(text: &str, on: &str) -> Option<(bool, Value)> {
    let parameters = Parameters::parse(text).ok()?;
    let value = match on {
        "MAIL" => {
            let digits = text.split('=').nth(1).unwrap_or_default();
            let typed = MailParameters::parse_known(&parameters, &all(), |_| true).ok()?;
            mail_value(&typed, digits)
        }
        _ => rcpt_value(&RcptParameters::parse_known(&parameters, &all(), |_| true).ok()?),
    };
    match value {
        Some(value) => Some((true, value)),
        None => {
            let raw = parameters.iter().next()?;
            Some((false, raw.value().map_or(Value::Null, |value| latin(value.as_bytes()).into())))
        }
    }
}

fn mail_value(typed: &MailParameters<'_>, digits: &str) -> Option<Value> {
    if typed.is_smtputf8() || typed.is_tls_required() || typed.is_conversion_permitted() {
        return Some(Value::Null);
    }
    if let Some(size) = typed.size() {
        // Twenty digits may be more than 64 bits hold: as large as can be.
        let is_beyond = |row: &Value| row.is_f64() && size == u64::MAX;
        let written = serde_json::from_str(digits).ok().filter(is_beyond);
        return Some(written.unwrap_or_else(|| size.into()));
    }
    if let Some(body) = typed.body() {
        return Some(body.as_str().into());
    }
    if let Some(ret) = typed.ret() {
        return Some(ret.as_str().into());
    }
    if let Some(id) = typed.envelope_id() {
        return Some(latin(id.decoded().as_bytes()).into());
    }
    if let Some(submitter) = typed.submitter() {
        return Some(match submitter {
            Submitter::Unknown => json!({ "unknown": true }),
            Submitter::Mailbox(mailbox) => {
                json!({ "mailbox": latin(mailbox.to_string().as_bytes()) })
            }
            _ => panic!("a new kind of submitter"),
        });
    }
    if let Some(mailbox) = typed.responsible_submitter() {
        return Some(json!({ "mailbox": latin(mailbox.to_string().as_bytes()) }));
    }
    if let Some(verp) = typed.verp() {
        let delimiters = verp.delimiters().map(String::from_iter);
        return Some(delimiters.map_or(Value::Null, Value::from));
    }
    if let Some(by) = typed.deliver_by() {
        let written = by.to_string();
        let mode = written.trim_end_matches('T').chars().last().unwrap().to_string();
        return Some(json!({ "time": by.seconds(), "mode": mode, "trace": by.is_traced() }));
    }
    if let Some(hold) = typed.hold() {
        return Some(match hold {
            esmtp::syntax::Hold::For(seconds) => seconds.get().into(),
            esmtp::syntax::Hold::Until(time) => time.as_str().into(),
            _ => panic!("a new kind of hold"),
        });
    }
    if let Some(priority) = typed.priority() {
        return Some(priority.get().into());
    }
    if let Some(list) = typed.solicitation() {
        return Some(list.classes().collect::<Vec<_>>().into());
    }
    let tracking = typed.tracking().map(ToString::to_string);
    tracking.or(typed.transaction_id().map(ToString::to_string)).map(Value::from)
}

fn rcpt_value(typed: &RcptParameters<'_>) -> Option<Value> {
    if typed.is_conneg_requested() {
        return Some(Value::Null);
    }
    if let Some(notify) = typed.notify() {
        return Some(notify.to_string().split(',').collect::<Vec<_>>().into());
    }
    if let Some(original) = typed.original_recipient() {
        let address = latin(original.decoded().as_bytes());
        return Some(json!({ "type": original.address_type(), "address": address }));
    }
    typed.valid_since().map(|since| {
        let action = if since.action() == RrvsAction::Continue { "C" } else { "R" };
        json!({ "time": since.time().as_str(), "action": action })
    })
}

fn reply(octets: &[u8]) -> Outcome {
    match Reply::parse(octets) {
        Ok(None) => Outcome::Incomplete,
        // A lone CR is a line end that has not come whole.
        Err(ReplyError::LineBreak) if octets.ends_with(b"\r") => Outcome::Incomplete,
        Err(_) => Outcome::Invalid,
        Ok(Some((reply, taken))) if taken == octets.len() => {
            // The rows keep the status in the text, on those lines that have it.
            let status = reply.status().and_then(|status| status.under(reply.code()));
            let status = status.map(|status| status.to_string()).unwrap_or_default();
            let written = latin(octets);
            let with_status = |(line, raw): (&[u8], &str)| {
                let text = raw.get(4..).unwrap_or_default();
                match text.strip_prefix(&*status) {
                    Some(behind) if !status.is_empty() && text != latin(line) => {
                        format!(
                            "{status}{}{}",
                            if behind.is_empty() { "" } else { " " },
                            latin(line)
                        )
                    }
                    _ => latin(line),
                }
            };
            let lines: Vec<String> =
                reply.lines().zip(written.split("\r\n")).map(with_status).collect();
            Outcome::Valid(json!({ "code": reply.code().get(), "lines": lines }))
        }
        Ok(Some(_)) => Outcome::Invalid,
    }
}

fn enhanced_code(octets: &[u8]) -> Option<Value> {
    let class = octets.first()?;
    let code = Code::new(u16::from(class.wrapping_sub(b'0')) * 100 + 50)?;
    let (status, rest) = Status::split(code, octets)?;
    Some(json!({
        "class": class - b'0', "subject": status.subject(), "detail": status.detail(), "rest": latin(rest),
    }))
}

/// Reads an EHLO line: strictly a line by itself; leniently what a client makes of it in an EHLO reply.
fn ehlo_line(line: &str, lenience: Lenience) -> Option<Value> {
    if !lenience.is_any() {
        let line = EhloLine::parse(line).ok()?;
        return Some(
            json!({ "keyword": line.keyword(), "args": line.arguments().collect::<Vec<_>>() }),
        );
    }
    let wire = format!("250-mx.example\r\n250 {line}\r\n");
    let (reply, _) = Reply::parse(wire.as_bytes()).ok()??;
    let extensions = Extensions::parse(&reply);
    let first = extensions.lines().next()?.into_owned();
    let mut words = first.split(' ');
    let keyword = words.next()?;
    Some(json!({ "keyword": keyword, "args": words.collect::<Vec<_>>() }))
}
