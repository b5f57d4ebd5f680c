//! Frames on streams: four bytes of length, big-endian, and so many bytes.

use bytes::{Buf, Bytes};
use kuriiri_types::{Code, limits::FRAME_BYTES_MAX};
use quinn::{ReadError, RecvStream, SendStream, StoppedError, VarInt, WriteError};
use tokio::time::{Instant, timeout_at};

use crate::{Link, StreamError, budget::Held, limits::FRAME_STEP_BYTES};

/// The sending half of a stream.
///
/// Dropped before [`finish`](Self::finish), it breaks the stream off with [`Code::INTERNAL`]: half
/// a batch must never look like a whole one.
#[derive(Debug)]
pub struct Sender {
    stream: SendStream,
    ended: bool,
    inside_a_frame: bool,
    link: Link,
}

/// The receiving half of a stream. Dropped before the end, it tells the peer to stop.
#[derive(Debug)]
pub struct Receiver {
    stream: RecvStream,
    /// The frame that is being read, its length included; `come` bytes of it are there.
    begun: Vec<u8>,
    come: usize,
    /// The room of the frame that is being read.
    held: Option<Held>,
    /// Since when the frame's time runs, if it does.
    since: Option<Instant>,
    broken: bool,
    link: Link,
}

/// A frame that has come whole, and the room that it takes. Whoever holds `held` until the frame has been
/// dealt with keeps its sender within bounds.
#[derive(Debug)]
pub struct Frame {
    /// What came.
    pub bytes: Bytes,
    /// Its room; free again when this is dropped.
    pub held: Held,
}

impl Sender {
    pub(crate) fn new(stream: SendStream, link: Link) -> Self {
        Self { stream, ended: false, inside_a_frame: false, link }
    }

    /// Sends a frame. It returns when the frame is in the send window, not when it has arrived,
    /// and waits while the window or the peer's is full.
    ///
    /// Not cancel safe: when the future is dropped half-way, nothing more can be sent and the
    /// stream cannot be finished, only reset.
    ///
    /// # Errors
    /// When the frame is larger than [`FRAME_BYTES_MAX`], the peer stopped the stream, the stream
    /// was ended here, or the link is closed.
    pub async fn send(&mut self, frame: Bytes) -> Result<(), StreamError> {
        let too_large = StreamError::TooLarge { bytes: frame.len(), max: FRAME_BYTES_MAX };
        let length = match u32::try_from(frame.len()) {
            Ok(length) if frame.len() <= FRAME_BYTES_MAX => length,
            Ok(_) | Err(_) => return Err(too_large),
        };
        if self.inside_a_frame {
            return Err(StreamError::Ended);
        }
        self.inside_a_frame = true;
        // Both go in one call, so that they share packets; the frame itself is not copied.
        let length = Bytes::copy_from_slice(&length.to_be_bytes());
        let written = self.stream.write_all_chunks(&mut [length, frame]).await;
        self.inside_a_frame = false;
        written.map_err(|error| self.sort(error))
    }

    /// Says which streams of the link go first: higher before lower; a new stream has 0.
    pub fn set_priority(&mut self, priority: i32) {
        // The only error is that nothing is left to send.
        let _ = self.stream.set_priority(priority);
    }

    /// Ends the stream cleanly: the peer gets every frame and then the end.
    ///
    /// # Errors
    /// When the stream was already ended here, or stands inside a frame; then it is reset.
    pub fn finish(&mut self) -> Result<(), StreamError> {
        if self.inside_a_frame {
            self.reset(Code::INTERNAL);
            return Err(StreamError::Ended);
        }
        self.ended = true;
        self.stream.finish().map_err(|_| StreamError::Ended)
    }

    /// Breaks the stream off; what is under way may be lost. Does nothing on one that is over.
    pub fn reset(&mut self, code: Code) {
        self.ended = true;
        let _ = self.stream.reset(on_the_wire(code));
    }

    /// After [`finish`](Self::finish), waits until the peer's machine has everything. That is no
    /// proof that the peer read it, let alone kept it: only an answer is. Before, it waits for the
    /// peer to stop the stream.
    ///
    /// # Errors
    /// When the peer stopped the stream, or the link is closed.
    pub async fn stopped(&mut self) -> Result<(), StreamError> {
        match self.stream.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(number)) => Err(StreamError::Stopped(from_wire(number))),
            Err(StoppedError::ConnectionLost(error)) => {
                Err(StreamError::Link(self.link.sort(error)))
            }
            Err(StoppedError::ZeroRttRejected) => Err(StreamError::Ended),
        }
    }

    fn sort(&self, error: WriteError) -> StreamError {
        match error {
            WriteError::Stopped(number) => StreamError::Stopped(from_wire(number)),
            WriteError::ConnectionLost(error) => StreamError::Link(self.link.sort(error)),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => StreamError::Ended,
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if !self.ended {
            self.reset(Code::INTERNAL);
        }
    }
}

impl Receiver {
    pub(crate) fn new(stream: RecvStream, link: Link) -> Self {
        let (begun, held) = (Vec::new(), None);
        Self { stream, begun, come: 0, held, since: None, broken: false, link }
    }

    /// The next frame of at most `max` bytes, or nothing at the clean end of the stream; its room is
    /// free again at once. See [`next_frame`](Self::next_frame).
    ///
    /// # Errors
    /// The same.
    pub async fn frame(&mut self, max: usize) -> Result<Option<Bytes>, StreamError> {
        Ok(self.next_frame(max).await?.map(|frame| frame.bytes))
    }

    /// The next frame of at most `max` bytes, or nothing at the clean end of the stream.
    ///
    /// A larger one is refused by its length alone, before room is made for it, and the peer is
    /// told to stop. Then it waits until the link, the peer and the endpoint have room for all of it.
    /// Memory grows with what has come, not with what was announced.
    ///
    /// On an endpoint that listens, a frame that has begun must go on as
    /// [`Patience`](crate::Patience) has it. How long the first byte takes is for
    /// [`is_due`](Self::is_due) to say.
    ///
    /// Cancel safe: what was read of a frame is kept for the next call.
    ///
    /// # Errors
    /// When the frame is too large or too slow, the stream breaks off inside a frame or was stopped here,
    /// the peer resets it, or the link is closed. After an error there is never a clean end:
    /// [`StreamError::Ended`] follows.
    pub async fn next_frame(&mut self, max: usize) -> Result<Option<Frame>, StreamError> {
        self.unless_broken(max, None).await
    }

    /// The same when how large it may be depends on the kind of frame, which its first byte tells.
    ///
    /// # Errors
    /// The same.
    pub async fn next_frame_by(
        &mut self,
        max: fn(u8) -> usize,
    ) -> Result<Option<Frame>, StreamError> {
        self.unless_broken(FRAME_BYTES_MAX, Some(max)).await
    }

    /// The next frame is due: its time runs from now, and not from its first byte.
    pub fn is_due(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Wants no more of the stream. Does nothing on one that is over.
    pub fn stop(&mut self, code: Code) {
        self.broken = true;
        let _ = self.stream.stop(on_the_wire(code));
    }

    async fn unless_broken(
        &mut self,
        max: usize,
        of_kind: Option<fn(u8) -> usize>,
    ) -> Result<Option<Frame>, StreamError> {
        if self.broken {
            return Err(StreamError::Ended);
        }
        let next = self.next(max, of_kind).await;
        if next.is_err() {
            self.broken = true;
            (self.held, self.begun) = (None, Vec::new());
        }
        next
    }

    async fn next(
        &mut self,
        max: usize,
        of_kind: Option<fn(u8) -> usize>,
    ) -> Result<Option<Frame>, StreamError> {
        if !self.fill(PREFIX_BYTES).await? {
            return Ok(None);
        }
        let bytes = self.announced();
        self.at_most(max, bytes)?;
        if let Some(of_kind) = of_kind.filter(|_| bytes > 0) {
            self.fill(PREFIX_BYTES.saturating_add(1)).await?;
            self.at_most(self.begun.get(PREFIX_BYTES).map_or(max, |first| of_kind(*first)), bytes)?;
        }
        let whole = PREFIX_BYTES.saturating_add(bytes);
        if self.held.is_none() {
            let stream = self.stream.id().index();
            self.held = Some(self.link.purse().take(stream, whole as u64).await);
            // The peer is not slow while it is this side that has no room.
            self.since = Some(Instant::now());
        }
        self.fill(whole).await?;
        (self.come, self.since) = (0, None);
        // Length and capacity agree, so this does not copy.
        let mut frame = Bytes::from(std::mem::take(&mut self.begun));
        frame.advance(PREFIX_BYTES);
        Ok(self.held.take().map(|held| Frame { bytes: frame, held }))
    }

    fn at_most(&mut self, max: usize, bytes: usize) -> Result<(), StreamError> {
        if bytes <= max {
            return Ok(());
        }
        self.stop(Code::TOO_BIG);
        Err(StreamError::TooLarge { bytes, max })
    }

    /// Reads on until so many bytes are there; says no at a clean end before the first.
    async fn fill(&mut self, wanted: usize) -> Result<bool, StreamError> {
        while self.come < wanted {
            if self.come == self.begun.len() {
                let room = self.come.saturating_mul(2).max(FRAME_STEP_BYTES).min(wanted);
                self.begun.reserve_exact(room.saturating_sub(self.come));
                self.begun.resize(room, 0);
            }
            match self.read().await? {
                Some(read) => {
                    self.come = self.come.saturating_add(read);
                    self.is_due();
                }
                None if self.come == 0 => return Ok(false),
                None => return Err(StreamError::Truncated),
            }
        }
        Ok(true)
    }

    /// Reads some bytes, before their time is over if it runs.
    async fn read(&mut self) -> Result<Option<usize>, StreamError> {
        let patience = self.link.patience();
        let until = patience.zip(self.since).and_then(|(p, since)| p.until(since, self.come));
        let (_, rest) = self.begun.split_at_mut(self.come);
        let read = match until {
            None => self.stream.read(rest).await,
            // What is there already is read, however late.
            Some(until) => match timeout_at(until, self.stream.read(rest)).await {
                Ok(read) => read,
                Err(_) => {
                    self.stop(Code::TOO_SLOW);
                    return Err(StreamError::Slow);
                }
            },
        };
        read.map_err(|error| self.sort(error))
    }

    /// The length of the frame that was begun. One that fits no address space is over any limit.
    fn announced(&self) -> usize {
        let prefix = self.begun.first_chunk().copied().unwrap_or([0; PREFIX_BYTES]);
        usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX)
    }

    fn sort(&self, error: ReadError) -> StreamError {
        match error {
            ReadError::Reset(number) => StreamError::Reset(from_wire(number)),
            ReadError::ConnectionLost(error) => StreamError::Link(self.link.sort(error)),
            ReadError::ClosedStream
            | ReadError::IllegalOrderedRead
            | ReadError::ZeroRttRejected => StreamError::Ended,
        }
    }
}

/// Bytes of the length before a frame.
const PREFIX_BYTES: usize = 4;

fn on_the_wire(code: Code) -> VarInt {
    VarInt::from_u32(code.number().into())
}

fn from_wire(number: VarInt) -> Option<Code> {
    Code::from_number(u32::try_from(number.into_inner()).ok()?)
}
