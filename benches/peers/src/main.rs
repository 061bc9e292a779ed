mod api; mod inputs; mod limits; mod peers; mod kannader; mod esmtp_subject;
use api::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Instant;

thread_local! { static N: Cell<u64> = const { Cell::new(0) }; static B: Cell<i64> = const { Cell::new(0) }; }
struct Count;
unsafe impl GlobalAlloc for Count {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 { let _ = N.try_with(|n| n.set(n.get() + 1)); let _ = B.try_with(|b| b.set(b.get() + l.size() as i64)); System.alloc(l) }
    unsafe fn dealloc(&self, p: *mut u8, l: Layout) { let _ = B.try_with(|b| b.set(b.get() - l.size() as i64)); System.dealloc(p, l) }
    unsafe fn realloc(&self, p: *mut u8, l: Layout, s: usize) -> *mut u8 { let _ = N.try_with(|n| n.set(n.get() + 1)); let _ = B.try_with(|b| b.set(b.get() + s as i64 - l.size() as i64)); System.realloc(p, l, s) }
}
#[global_allocator] static A: Count = Count;
fn allocs() -> u64 { N.with(|n| n.get()) }
fn live() -> i64 { B.with(|b| b.get()) }

fn subjects() -> Vec<Box<dyn Subject>> {
    use limits::*; use peers::*;
    vec![
        // <- slot in one more implementation here
        Box::new(esmtp_subject::Esmtp::default()), Box::new(esmtp_subject::EsmtpTyped::default()), Box::new(esmtp_subject::EsmtpCopy::default()), Box::new(esmtp_subject::EsmtpMachine::default()),
        Box::new(esmtp_subject::EsmtpClient::new(esmtp_subject::How::Write)), Box::new(esmtp_subject::EsmtpClient::new(esmtp_subject::How::Bytes)),
        Box::new(MemcpyFull(Vec::new())), Box::new(Memcpy(Vec::new())), Box::new(Memmem(Vec::new())), Box::new(CountLf(Vec::new())), Box::new(IterLf(Vec::new())), Box::new(PredOnly(Vec::new())),
        Box::new(BlockBorrow), Box::new(BlockCopy(Vec::new())), Box::new(VerbOnly), Box::new(StrictHand),
        Box::new(SmtpProto::default()), Box::new(SmtpProtoEhlo), Box::new(SmtpCodec), Box::new(Mailin::default()), Box::new(SmtpMessage::default()), Box::new(kannader::SmtpServer),
        Box::new(Mailrs), Box::new(Samotop::default()), Box::new(Lettre), Box::new(MailSend), Box::new(IoSmtp), Box::new(AsyncSmtp),
    ]
}
/// Round-robin over the candidates so that noise hits all alike; returns (median, p10, p90) seconds per call.
fn bench(mut f: Vec<Box<dyn FnMut() + '_>>, rounds: usize, slice: f64) -> Vec<(f64, f64, f64)> {
    let reps: Vec<usize> = f.iter_mut().map(|g| { g(); let t = Instant::now(); g(); let d = t.elapsed().as_secs_f64(); ((slice / d.max(1e-9)) as usize).clamp(1, 1_000_000) }).collect();
    let mut s: Vec<Vec<f64>> = vec![Vec::new(); f.len()];
    // every round starts elsewhere and every other one runs backwards: whoever comes first finds the caches cold
    let n = f.len();
    for round in 0..rounds { for k in 0..n { let i = { let j = (k + round * 5) % n; if round % 2 == 0 { j } else { n - 1 - j } }; let g = &mut f[i];
        let t = Instant::now(); for _ in 0..reps[i] { g(); } s[i].push(t.elapsed().as_secs_f64() / reps[i] as f64);
        if reps[i] == 1 && s[i][0] > 0.3 && s[i].len() >= 3 { continue; }
    } }
    s.into_iter().map(|mut v| { v.sort_by(f64::total_cmp); (v[v.len() / 2], v[v.len() / 10], v[v.len() * 9 / 10]) }).collect()
}
fn table(title: &str, unit: &str, rows: Vec<(String, (f64, f64, f64), String)>) {
    println!("\n### {title}\n\n| implementation | {unit} median | p10 | p90 | note |\n|---|---:|---:|---:|---|");
    for (n, (m, a, b), note) in rows { println!("| {n} | {m:.2} | {a:.2} | {b:.2} | {note} |"); }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let what = a.get(1).map(String::as_str).unwrap_or("all").to_string();
    let only = a.get(2).cloned();
    let keep = |n: &str| only.as_ref().map_or(true, |o| n.contains(o.as_str()));
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|v| v.parse().ok()).unwrap_or(41);
    let slice: f64 = std::env::var("SLICE_MS").ok().and_then(|v| v.parse::<f64>().ok()).unwrap_or(3.0) / 1e3;
    if what == "dump" { return dump(&a[2]); }
    if what == "check" { return check(); }
    if what == "cg" { return cg(&a[2], &a[3], &a[4], a[5].parse().unwrap()); }
    if what == "rejects" { return rejects(&a[2]); }
    if matches!(what.as_str(), "all" | "commands") {
        for l in inputs::commands() { batch("commands", &l, &keep, rounds, slice, |s, l| s.commands(l)); }
    }
    if matches!(what.as_str(), "all" | "replies") {
        for l in inputs::replies() { batch("replies", &l, &keep, rounds, slice, |s, l| s.replies(l)); }
    }
    if matches!(what.as_str(), "all" | "recv") {
        for m in inputs::msgs(true) { for chunk in [16384usize, 1] {
            let wire: &[u8] = if chunk == 1 { if m.name == "b64-25M" { continue } &m.wire[m.wire.len() - 65536..] } else { &m.wire };
            // a tail of the wire starts mid-line at worst; put it at a line start
            let wire = if chunk == 1 { &wire[memchr::memchr(b'\n', wire).unwrap() + 1..] } else { wire };
            let big = m.wire.len() > 4 << 20;
            let mut subs: Vec<_> = subjects().into_iter().filter(|s| keep(s.name())).filter(|s| !(chunk == 1 && s.quadratic())).collect();
            subs.retain_mut(|s| s.data_recv(&m.wire[..0], chunk, &mut Sink::default()).is_some());
            let notes: Vec<String> = subs.iter_mut().map(|s| { let n0 = allocs(); let mut k = Sink::default(); let ok = s.data_recv(wire, chunk, &mut k); format!("end {}, {} allocs, {} pieces", if ok == Some(true) { "found" } else { "NOT found" }, allocs() - n0, k.calls) }).collect();
            let names: Vec<_> = subs.iter().map(|s| s.name().to_string()).collect();
            let f: Vec<Box<dyn FnMut()>> = subs.iter_mut().map(|s| { let mut k = Sink::default(); Box::new(move || { std::hint::black_box(s.data_recv(wire, chunk, &mut k)); }) as Box<dyn FnMut()> }).collect();
            let r = bench(f, if big { 7 } else { rounds }, slice);
            let g = |t: f64| wire.len() as f64 / t / 1e9;
            let (u, k) = if chunk == 1 { ("MB/s", 1e3) } else { ("GB/s", 1.0) };
            table(&format!("DATA receive, {}, {} byte chunks ({} bytes)", m.name, chunk, wire.len()), u, names.into_iter().zip(r).zip(notes).map(|((n, t), o)| (n, (k * g(t.0), k * g(t.2), k * g(t.1)), o)).collect());
        } }
    }
    if matches!(what.as_str(), "all" | "send") {
        let mut ms: Vec<(String, Vec<u8>)> = inputs::msgs(true).into_iter().map(|m| (m.name.to_string(), m.plain)).collect();
        let lf: Vec<u8> = ms[1].1.iter().copied().filter(|&b| b != b'\r').collect();
        ms.insert(2, ("prose-1M with LF line ends".into(), lf));
        for (name, m) in ms {
            let mut subs: Vec<_> = subjects().into_iter().filter(|s| keep(s.name())).collect();
            subs.retain_mut(|s| s.data_send(&m[..100], &mut Sink::default()).is_some());
            let notes: Vec<String> = subs.iter_mut().map(|s| { let n0 = allocs(); let mut k = Sink::default(); s.data_send(&m, &mut k); format!("{} allocs", allocs() - n0) }).collect();
            let names: Vec<_> = subs.iter().map(|s| s.name().to_string()).collect();
            let f: Vec<Box<dyn FnMut()>> = subs.iter_mut().map(|s| { let mut k = Sink::default(); let m = &m; Box::new(move || { std::hint::black_box(s.data_send(m, &mut k)); }) as Box<dyn FnMut()> }).collect();
            let r = bench(f, if m.len() > 4 << 20 { 7 } else { rounds }, slice);
            let g = |t: f64| m.len() as f64 / t / 1e9;
            table(&format!("DATA send, {name} ({} bytes)", m.len()), "GB/s", names.into_iter().zip(r).zip(notes).map(|((n, t), o)| (n, (g(t.0), g(t.2), g(t.1)), o)).collect());
        }
    }
    if matches!(what.as_str(), "all" | "session") { session(&keep, rounds, slice); }
    if matches!(what.as_str(), "all" | "client") { client(&keep, rounds, slice); }
    if what == "growth" { return growth(); }
    if what == "million" { return million(a.get(2).and_then(|v| v.parse().ok()).unwrap_or(1_000_000)); }
}
fn dialogue() -> Dialogue {
    Dialogue { ehlo: b"EHLO client.example.com\r\n".to_vec(), mail: b"MAIL FROM:<john.doe@example.com>\r\n".to_vec(), rcpt: b"RCPT TO:<alice@example.org>\r\n".to_vec(),
        data: b"DATA\r\n".to_vec(), body: inputs::stuff_ref(&inputs::small_msg()), quit: b"QUIT\r\n".to_vec() }
}
fn session(keep: &dyn Fn(&str) -> bool, rounds: usize, slice: f64) {
    let d = dialogue();
    let mut subs: Vec<_> = subjects().into_iter().filter(|s| keep(s.name())).collect();
    subs.retain_mut(|s| s.session(1, &d, &mut Vec::new()).is_some());
    for n in [1usize, 100] {
        let notes: Vec<String> = subs.iter_mut().map(|s| { let mut o = Vec::with_capacity(1 << 20); let n0 = allocs(); let st = s.session(n, &d, &mut o).unwrap(); let a1 = allocs() - n0; o.clear(); let n0 = allocs(); s.session(n + 1, &d, &mut o); let a2 = allocs() - n0; format!("{} replies, {} allocs/session, {} allocs per further message", st.replies, a1, a2 - a1) }).collect();
        let names: Vec<_> = subs.iter().map(|s| s.name().to_string()).collect();
        let d = &d;
        let f: Vec<Box<dyn FnMut()>> = subs.iter_mut().map(|s| { let mut o = Vec::with_capacity(1 << 20); Box::new(move || { o.clear(); std::hint::black_box(s.session(n, d, &mut o).unwrap().body); }) as Box<dyn FnMut()> }).collect();
        let r = bench(f, rounds, slice);
        table(&format!("server session in memory, {n} message(s) of {} bytes per session", d.body.len()), "µs/message", names.into_iter().zip(r).zip(notes).map(|((nm, t), o)| { let q = 1e6 / n as f64; (nm, (t.0 * q, t.1 * q, t.2 * q), format!("{:.0} messages/s; {o}", n as f64 / t.0)) }).collect());
    }
    println!("\n### idle session after EHLO\n\n| implementation | size_of | live heap incl. state box | \n|---|---:|---:|");
    for mut s in subjects() { if !keep(s.name()) { continue; } let _warm = s.idle(); let l0 = live(); if let Some((sz, b)) = s.idle() { println!("| {} | {} | {} |", s.name(), sz, live() - l0); drop(b); } }
}
fn client(keep: &dyn Fn(&str) -> bool, rounds: usize, slice: f64) {
    let m = inputs::small_msg();
    for pipelining in [false, true] { for n in [1usize, 100] {
        let d = ClientScript { msg: &m, pipelining };
        let mut subs: Vec<_> = subjects().into_iter().filter(|s| keep(s.name())).collect();
        subs.retain_mut(|s| s.client(1, &d, &mut Sink::default()).is_some());
        let notes: Vec<String> = subs.iter_mut().map(|s| { let mut k = Sink::default(); let n0 = allocs(); let ok = s.client(n, &d, &mut k).unwrap(); let a1 = allocs() - n0; let n0 = allocs(); s.client(n + 10, &d, &mut Sink::default()); let a2 = allocs() - n0; format!("{ok}/{n} sent, {} octets in {} pieces, {} allocs/session, {:.1} allocs per further message", k.bytes, k.calls, a1, (a2 - a1) as f64 / 10.0) }).collect();
        let names: Vec<_> = subs.iter().map(|s| s.name().to_string()).collect();
        let d = &d;
        let f: Vec<Box<dyn FnMut()>> = subs.iter_mut().map(|s| { let mut k = Sink::default(); Box::new(move || { std::hint::black_box(s.client(n, d, &mut k)); }) as Box<dyn FnMut()> }).collect();
        let r = bench(f, rounds, slice);
        table(&format!("client session in memory, {n} message(s) of {} bytes per session, {}", m.len(), if pipelining { "PIPELINING" } else { "no PIPELINING" }), "µs/message", names.into_iter().zip(r).zip(notes).map(|((nm, t), o)| { let q = 1e6 / n as f64; (nm, (t.0 * q, t.1 * q, t.2 * q), o) }).collect());
    } }
}
fn batch(kind: &str, l: &inputs::Lines, keep: &dyn Fn(&str) -> bool, rounds: usize, slice: f64, call: impl Fn(&mut dyn Subject, &inputs::Lines) -> Option<usize> + Copy) {
    let mut subs: Vec<_> = subjects().into_iter().filter(|s| keep(s.name())).collect();
    subs.retain_mut(|s| call(s.as_mut(), l).is_some());
    let notes: Vec<String> = subs.iter_mut().map(|s| { let n0 = allocs(); let ok = call(s.as_mut(), l).unwrap(); format!("{ok}/{} accepted, {:.2} allocs each", l.len(), (allocs() - n0) as f64 / l.len() as f64) }).collect();
    let names: Vec<_> = subs.iter().map(|s| s.name().to_string()).collect();
    let f: Vec<Box<dyn FnMut()>> = subs.iter_mut().map(|s| Box::new(move || { std::hint::black_box(call(s.as_mut(), l)); }) as Box<dyn FnMut()>).collect();
    let r = bench(f, rounds, slice);
    let q = 1e9 / l.len() as f64;
    table(&format!("{kind}: {} ({} items, {} bytes, mean {:.1})", l.name, l.len(), l.buf.len(), l.buf.len() as f64 / l.len() as f64), "ns/item",
        names.into_iter().zip(r).zip(notes).map(|((n, t), o)| (n, (t.0 * q, t.1 * q, t.2 * q), format!("{:.0} MB/s; {o}", l.buf.len() as f64 / t.0 / 1e6))).collect());
}
fn rejects(who: &str) {
    for mut s in subjects() { if !s.name().contains(who) { continue; } let mut m = std::collections::BTreeMap::<String, (usize, String)>::new();
        let (v, k) = inputs::command_lines();
        for (l, k) in v.iter().zip(&k) { let one = inputs::Lines { name: "mix", buf: l.clone(), ends: vec![l.len()] }; if s.commands(&one) == Some(0) { let e = m.entry(k.to_string()).or_default(); e.0 += 1; e.1 = String::from_utf8_lossy(l).trim().to_string(); } }
        println!("{}: {m:?}", s.name()); }
}
fn check() {
    for m in inputs::msgs(false) { for chunk in [16384usize, 4096, 7, 1] { for mut s in subjects() {
        if s.name().starts_with("LIMIT mem") || s.name().contains("only") || (s.quadratic() && chunk < 4096) { continue; }
        let mut k = Sink { keep: Some(Vec::new()), ..Default::default() };
        if let Some(e) = s.data_recv(&m.wire, chunk, &mut k) { let o = k.keep.unwrap(); println!("recv {} chunk {} {}: end {} equal {} (len {} of {})", m.name, chunk, s.name(), e, o == m.plain, o.len(), m.plain.len()); }
    } }
    let mut k = Sink { keep: Some(Vec::new()), ..Default::default() };
    limits::BlockBorrow.data_send(&m.plain, &mut k); println!("send {} limit equal {}", m.name, k.keep.unwrap() == m.wire); }
    // random fuzz of the limit scanner against byte-at-a-time references
    let mut r = inputs::Rng(77); let mut agree = 0;
    for _ in 0..300_000 { let n = r.below(200) as usize; let al = b"\r\n.ab"; let pref = r.below(4);
        let mut b: Vec<u8> = Vec::new(); while b.len() < n { match r.below(if pref == 0 { 5 } else { 40 }) { 0 => b.extend_from_slice(b"\r\n"), 1 if pref == 1 => b.push(al[r.below(5) as usize]), 2 => b.extend_from_slice(b"\r\n."), _ => b.push(b'x') } }
        b.extend_from_slice(b"\r\n.\r\n");
        let chunk = 1 + r.below(100) as usize;
        let mut o = Vec::new(); let mut rx = limits::BlockReceiver::new(); let mut res = None; let mut off = 0;
        for c in b.chunks(chunk) { match rx.feed(c, &mut |s| o.extend_from_slice(s)) { Ok(Some(k)) => { res = Some(Ok(off + k)); break } Ok(None) => off += c.len(), Err(_) => { res = Some(Err(())); break } } }
        // reference
        let mut w = Vec::new(); let mut want = None; let (mut i, mut bol) = (0, true);
        while i < b.len() { if bol && b[i] == b'.' { if b[i + 1..].starts_with(b"\r\n") { want = Some(Ok(i + 3)); break } i += 1; bol = false; if b[i] == b'.' || true { continue } }
            match b[i] { b'\r' if b.get(i + 1) == Some(&b'\n') => { w.extend_from_slice(b"\r\n"); i += 2; bol = true } b'\r' | b'\n' => { want = Some(Err(())); break } c => { w.push(c); i += 1; bol = false } } }
        assert_eq!(res, want, "{:?} chunk {chunk}", String::from_utf8_lossy(&b)); if let Some(Ok(_)) = want { assert_eq!(o, w, "{:?}", String::from_utf8_lossy(&b)); agree += 1; }
        // sender: decode(encode(x)) == normalise(x)
        let body = &b[..b.len() - 5]; let mut e = Vec::new(); let mut tx = limits::BlockSender::new(); for c in body.chunks(chunk) { tx.feed(c, &mut |s| e.extend_from_slice(s)); } tx.finish(&mut |s| e.extend_from_slice(s));
        let mut norm = Vec::new(); let mut p = 0u8; for &c in body { if p == b'\r' && c != b'\n' { norm.push(b'\n'); } if c == b'\n' && p != b'\r' { norm.push(b'\r'); } norm.push(c); p = c; } if p == b'\r' { norm.push(b'\n'); }
        let want = inputs::stuff_ref(&norm); let want = if body.is_empty() { b".\r\n".to_vec() } else { want };
        assert_eq!(String::from_utf8_lossy(&e), String::from_utf8_lossy(&want), "body {:?} chunk {chunk}", String::from_utf8_lossy(body));
    }
    for wire in [&b".\r\n"[..], b"..x\r\n.\r\n", b"a\r\n..\r\n.\r\n", b"a\n.\r\nb\r\n.\r\n", b"a\r.\r\nb\r\n.\r\n", b"a\n.\nb\r\n.\r\n"] { for mut s in subjects() { if s.name().starts_with("LIMIT mem") || s.name().contains("only") { continue; }
        let mut k = Sink { keep: Some(Vec::new()), ..Default::default() }; let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| s.data_recv(wire, 16384, &mut k)));
        if let Ok(Some(e)) = r { println!("edge {:?} {}: ends at end of wire {} -> {:?}", String::from_utf8_lossy(wire), s.name(), e, String::from_utf8_lossy(&k.keep.unwrap())); } } }
    println!("scanner agrees with byte-wise reference, {agree} complete messages of 300000");
}
#[inline(never)] #[unsafe(no_mangle)] pub fn cg_region(f: &mut dyn FnMut()) { f() }
fn cg(what: &str, who: &str, input: &str, n: usize) {
    for mut s in subjects() { if s.name() != who && (subjects().iter().any(|s| s.name() == who) || !s.name().contains(who)) { continue; }
        let d = dialogue();
        match what {
            "commands" => for l in inputs::commands() { if l.name == input { if s.commands(&l).is_none() { continue; } cg_region(&mut || for _ in 0..n { std::hint::black_box(s.commands(&l)); }); println!("{} items {}", s.name(), n * l.len()); } },
            "replies" => for l in inputs::replies() { if l.name == input { if s.replies(&l).is_none() { continue; } cg_region(&mut || for _ in 0..n { std::hint::black_box(s.replies(&l)); }); println!("{} items {}", s.name(), n * l.len()); } },
            "recv" => for m in inputs::msgs(false) { if m.name == input { let mut k = Sink::default(); if s.data_recv(&m.wire, 16384, &mut k).is_none() { continue; } cg_region(&mut || for _ in 0..n { std::hint::black_box(s.data_recv(&m.wire, 16384, &mut k)); }); println!("{} bytes {}", s.name(), n * m.wire.len()); } },
            "recv1" => for m in inputs::msgs(false) { if m.name == input { let w = &m.wire[m.wire.len() - 65536..]; let w = &w[memchr::memchr(b'\n', w).unwrap() + 1..]; let mut k = Sink::default(); if s.data_recv(w, 1, &mut k).is_none() { continue; } cg_region(&mut || for _ in 0..n { std::hint::black_box(s.data_recv(w, 1, &mut k)); }); println!("{} bytes {}", s.name(), n * w.len()); } },
            "sendlf" => { let m: Vec<u8> = inputs::msgs(false).remove(1).plain.into_iter().filter(|&b| b != b'\r').collect(); let mut k = Sink::default(); if s.data_send(&m, &mut k).is_none() { continue; } cg_region(&mut || for _ in 0..n { std::hint::black_box(s.data_send(&m, &mut k)); }); println!("{} bytes {}", s.name(), n * m.len()); },
            "send" => for m in inputs::msgs(false) { if m.name == input { let mut k = Sink::default(); if s.data_send(&m.plain, &mut k).is_none() { continue; } cg_region(&mut || for _ in 0..n { std::hint::black_box(s.data_send(&m.plain, &mut k)); }); println!("{} bytes {}", s.name(), n * m.plain.len()); } },
            "session64" => { let d = Dialogue { body: inputs::stuff_ref(&inputs::b64(4096)), ..dialogue() }; if s.session(1, &d, &mut Vec::new()).is_none() { continue; } let mut o = Vec::with_capacity(1 << 20); cg_region(&mut || { std::hint::black_box(s.session(n, &d, &mut o).unwrap().replies); }); println!("{} messages {} of {}", s.name(), n, d.body.len()); }
            "session" => { if s.session(1, &d, &mut Vec::new()).is_none() { continue; } let mut o = Vec::with_capacity(1 << 20); s.session(1, &d, &mut o); o.clear(); cg_region(&mut || { std::hint::black_box(s.session(n, &d, &mut o).unwrap().replies); }); println!("{} messages {}", s.name(), n); }
            "client" => { let m = inputs::small_msg(); let c = ClientScript { msg: &m, pipelining: input == "pipelining" }; let mut k = Sink::default(); if s.client(1, &c, &mut k).is_none() { continue; } cg_region(&mut || { std::hint::black_box(s.client(n, &c, &mut k)); }); println!("{} messages {}", s.name(), n); }
            _ => panic!() } }
}
fn dump(dir: &str) {
    std::fs::create_dir_all(dir).unwrap();
    for l in inputs::commands() { std::fs::write(format!("{dir}/commands-{}.txt", l.name), &l.buf).unwrap(); }
    for l in inputs::replies() { std::fs::write(format!("{dir}/replies-{}.txt", l.name), &l.buf).unwrap(); }
    for m in inputs::msgs(false) { std::fs::write(format!("{dir}/data-{}.wire", m.name), &m.wire).unwrap(); }
}

fn best(mut f: impl FnMut(), n: usize) -> f64 { let mut b = f64::MAX; for _ in 0..n { let t = Instant::now(); f(); b = b.min(t.elapsed().as_secs_f64()); } b }
/// Is everything linear? octets: 1, 10, 100 MiB for each input through recv, send, server machine; recipients: 1..100,000 through both machines.
fn growth() {
    let base: Vec<(&str, Vec<u8>)> = inputs::msgs(false).into_iter().map(|m| (m.name, m.plain)).collect();
    println!("| path | input | 1 MiB ms | 10 MiB ms (x) | 100 MiB ms (x) |\n|---|---|---:|---:|---:|");
    for who in ["ESMTP", "ESMTP copied (ReceiveBuffer / Vec)", "ESMTP Server machine", "smtp-proto 0.2.5"] { for (name, plain) in &base { for path in ["recv", "send", "recv7"] {
        let Some(mut s) = subjects().into_iter().find(|s| s.name() == who) else { continue };
        let mut t = vec![];
        for k in [1usize, 10, 100] {
            let m: Vec<u8> = plain.repeat(k);
            let mut sink = Sink::default();
            let x = if path == "send" { if s.data_send(&m[..100], &mut sink).is_none() { break } best(|| { s.data_send(&m, &mut sink); }, 3) } else { let w = inputs::stuff_ref(&m); let c = if path == "recv" { 16384 } else { 7 }; if path == "recv7" && k == 100 && who.contains("smtp-proto") { break } if s.data_recv(&w[..0], c, &mut sink).is_none() { break } best(|| { assert_eq!(s.data_recv(&w, c, &mut sink), Some(true)); }, if c == 7 { 1 } else { 3 }) };
            t.push(x * 1e3);
        }
        if t.len() == 3 { println!("| {who} {path} | {name} | {:.3} | {:.3} ({:.1}) | {:.3} ({:.1}) |", t[0], t[1], t[1] / t[0], t[2], t[2] / t[1]); }
    } } }
    recipients();
}
fn recipients() {
    use esmtp::{client, machine::{Machine, Need}, security::Security, server::{self, Event, Peer, Server}, time::Instant as I, envelope::Envelope};
    use std::sync::Arc;
    println!("\n| recipients | server µs | per recipient ns | allocs | client build µs | client µs | per recipient ns | allocs |\n|---:|---:|---:|---:|---:|---:|---:|---:|");
    for n in [1usize, 10, 100, 1000, 10_000, 100_000] {
        let l = server::Limits::default().with_recipients(1 << 20).with_envelope(1 << 30);
        let cfg = Arc::new(server::Config::new("mx.example.org").unwrap().with_limits(l).with_enforced_sync(false));
        let mut said = b"EHLO a.example\r\nMAIL FROM:<a@b.c>\r\n".to_vec();
        for i in 0..n { said.extend_from_slice(format!("RCPT TO:<user{i}@example.net>\r\n").as_bytes()); }
        said.extend_from_slice(b"DATA\r\nHi\r\n.\r\nQUIT\r\n");
        let mut serve = || { let mut s = Server::new(Arc::clone(&cfg), Peer::UNKNOWN, Security::CLEAR); let mut rest = &said[..]; let mut got = 0; loop { match s.poll(I::ORIGIN) {
            Need::Answer => match s.event().unwrap() { Event::Rcpt(r) => r.accept(), Event::Content(c) => { c.take(); } Event::Deliver(d) => { got = d.envelope().recipients().len(); d.accept() } o => o.proceed() },
            Need::Write(_) | Need::Either(_) => { let mut sl = [&[][..]; 4]; let k = s.to_send(&mut sl); let o = sl[..k].iter().map(|x| x.len()).sum(); s.sent(o); }
            Need::Read(_) => { let r = s.receive_buffer(); let k = r.len().min(rest.len()); r[..k].copy_from_slice(&rest[..k]); s.received(k); rest = &rest[k..]; }
            Need::Wait(_) => panic!(), Need::Close => break } } assert_eq!(got, n); };
        serve(); let a0 = allocs(); serve(); let al = allocs() - a0; let t = best(&mut serve, 5);
        let rc: Vec<String> = (0..n).map(|i| format!("user{i}@example.net")).collect(); let rc: Vec<&str> = rc.iter().map(|s| s.as_str()).collect();
        let tb = best(|| { std::hint::black_box(Envelope::new("a@b.cc", &rc).unwrap()); }, 3);
        let env = Arc::new(Envelope::new("a@b.cc", &rc).unwrap()); let ccfg = Arc::new(client::Config::new("a.example").unwrap());
        let msg = bytes::Bytes::from_static(b"Subject: x\r\n\r\nHi\r\n");
        let mut send = || { let mut c = client::Client::new(Arc::clone(&ccfg), Security::CLEAR); let mut state = 0; let mut owed: Vec<u8> = b"220 hi\r\n".to_vec(); let mut rest = msg.clone(); let mut data = false; let mut begun = false; let mut ok = false; let mut pending: Vec<u8> = vec![]; let _ = &mut state; loop { match c.poll(I::ORIGIN) {
            Need::Answer => match c.event().unwrap() { client::Event::Ready(r) if !begun => { begun = true; r.send(Arc::clone(&env), client::MessageFacts::scan(&msg)).unwrap(); } client::Event::Content(mut k) => { k.write_bytes(&mut rest).unwrap(); if rest.is_empty() { k.finish().unwrap(); } } client::Event::Sent(s) => { ok = s.take().is_delivered_to_all(); } o => o.quit() },
            Need::Close => break,
            _ => { let mut sl = [&[][..]; 16]; let k = c.to_send(&mut sl); let mut o = 0; for x in &sl[..k] { pending.extend_from_slice(x); o += x.len(); } if o > 0 { c.sent(o);
                    let mut at = 0; while let Some(p) = memchr::memchr(b'\n', &pending[at..]) { let line = &pending[at..at + p + 1]; at += p + 1; if data { if line == b".\r\n" { data = false; owed.extend_from_slice(b"250 ok\r\n"); } } else { match &line[..4] { b"EHLO" => owed.extend_from_slice(b"250-mx\r\n250 PIPELINING\r\n"), b"DATA" => { data = true; owed.extend_from_slice(b"354 go\r\n") } b"QUIT" => owed.extend_from_slice(b"221 bye\r\n"), _ => owed.extend_from_slice(b"250 ok\r\n") } } } pending.drain(..at); }
                else { assert!(!owed.is_empty()); let r = c.receive_buffer(); let k = r.len().min(owed.len()); r[..k].copy_from_slice(&owed[..k]); c.received(k); owed.drain(..k); } } } } assert!(ok); };
        send(); let a0 = allocs(); send(); let cl = allocs() - a0; let tc = best(&mut send, 5);
        println!("| {n} | {:.1} | {:.0} | {al} | {:.1} | {:.1} | {:.0} | {cl} |", t * 1e6, t * 1e9 / n as f64, tb * 1e6, tc * 1e6, tc * 1e9 / n as f64);
    }
}
fn rss() -> usize { std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("RssAnon")).unwrap().split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024 }
fn million(n: usize) {
    let r0 = rss(); let t = Instant::now();
    let mut s = subjects().into_iter().find(|s| s.name() == "ESMTP").unwrap();
    let mut v = Vec::with_capacity(n);
    for _ in 0..n { v.push(s.idle().unwrap().1); }
    println!("{n} server sessions after EHLO: anon RSS {} MiB, {} bytes each (each boxed, plus 16 for its slot), {:.2} s", (rss() - r0) >> 20, (rss() - r0) / n, t.elapsed().as_secs_f64());
}
