//! A tokio stream with a delay, whose time is that of the paused clock.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

#[derive(Default)]
struct Lane {
    under_way: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    /// The number of octets after which the connection is lost.
    cut: Option<usize>,
    is_over: bool,
    reader: Option<Waker>,
}

/// One end of the wire.
pub(crate) struct End {
    from: Arc<Mutex<Lane>>,
    to: Arc<Mutex<Lane>>,
    delay: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// Returns both ends of a wire with this delay in each direction. A direction is lost when its end has sent this
/// many octets.
pub(crate) fn pair(delay: Duration, cuts: [Option<usize>; 2]) -> (End, End) {
    let (one, two) = (Arc::<Mutex<Lane>>::default(), Arc::<Mutex<Lane>>::default());
    one.lock().unwrap().cut = cuts[0];
    two.lock().unwrap().cut = cuts[1];
    let end = |from: &Arc<Mutex<Lane>>, to: &Arc<Mutex<Lane>>| End {
        from: Arc::clone(from),
        to: Arc::clone(to),
        delay,
        sleep: None,
    };
    (end(&two, &one), end(&one, &two))
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let from = Arc::clone(&self.from);
        let mut lane = from.lock().unwrap();
        let is_over = lane.is_over;
        let Some((at, octets)) = lane.under_way.front_mut() else {
            lane.reader = Some(context.waker().clone());
            return match is_over {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            };
        };
        let at = *at;
        if at > Instant::now() {
            let sleep = self.sleep.insert(Box::pin(sleep_until(at)));
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        let taken = octets.len().min(buffer.remaining());
        buffer.put_slice(&octets[..taken]);
        octets.drain(..taken);
        if octets.is_empty() {
            lane.under_way.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut lane = self.to.lock().unwrap();
        if lane.is_over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = lane.cut.map_or(usize::MAX, |cut| cut.saturating_sub(lane.octets));
        let taken = octets.len().min(room);
        lane.octets += taken;
        let at = Instant::now() + self.delay;
        lane.under_way.push_back((at, octets[..taken].to_vec()));
        lane.is_over |= taken < octets.len();
        if let Some(reader) = lane.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(taken.max(1)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut lane = self.to.lock().unwrap();
        lane.is_over = true;
        if let Some(reader) = lane.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        for lane in [&self.to, &self.from] {
            let mut lane = lane.lock().unwrap();
            lane.is_over = true;
            if let Some(reader) = lane.reader.take() {
                reader.wake();
            }
        }
    }
}
