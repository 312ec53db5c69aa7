//! A socket that ends when its client is too slow.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::Limits;

/// What a connection does, as its service tells its socket.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// A request is being answered.
    works: AtomicBool,
    /// Requests so far: each ended the head that was being read.
    begun: AtomicU64,
}

impl Activity {
    pub(super) fn begin(&self) {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.works.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.works.store(false, Ordering::Relaxed);
    }
}

/// A timer that is made when it is first needed: most connections never wait.
#[derive(Debug, Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    runs: bool,
}

impl Timer {
    /// Lets it run, if it does not, and says whether its time is over.
    fn poll(&mut self, limit: Duration, context: &mut Context<'_>) -> bool {
        if !self.runs {
            self.runs = true;
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(Instant::now() + limit),
                None => self.sleep = Some(Box::pin(sleep(limit))),
            }
        }
        self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready())
    }
}

/// The socket of one connection.
#[derive(Debug)]
pub(super) struct Guarded {
    socket: TcpStream,
    activity: Activity,
    limits: Limits,
    /// Bytes of a head came, and the head is not whole yet.
    in_head: bool,
    /// Requests that had begun at the last read.
    seen: u64,
    head: Timer,
    stall: Timer,
}

impl Guarded {
    pub(super) fn new(socket: TcpStream, activity: Activity, limits: Limits) -> Self {
        Self {
            socket,
            activity,
            limits,
            in_head: false,
            seen: 0,
            head: Timer::default(),
            stall: Timer::default(),
        }
    }

    /// Ends the connection when a write waits for too long.
    fn watch_write<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall.runs = false;
        } else if self.stall.poll(self.limits.write_stall, context) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no response")));
        }
        written
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let begun = this.activity.0.begun.load(Ordering::Relaxed);
        if begun != this.seen {
            (this.seen, this.in_head, this.head.runs) = (begun, false, false);
        }
        if this.activity.0.works.load(Ordering::Relaxed) {
            return Pin::new(&mut this.socket).poll_read(context, buffer);
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.socket).poll_read(context, buffer);
        this.in_head |= buffer.filled().len() > before;
        if this.in_head && this.head.poll(this.limits.head, context) {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the head of a request came too slowly",
            )));
        }
        ready!(read)?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(context, bytes);
        this.watch_write(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(context, bytes);
        this.watch_write(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}
