//! A line that fails: a proxy on the loopback between a program and a host, which cuts what it carries, or goes silent.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many bytes are carried at once.
const PART_BYTES: usize = 1024;

/// What the line does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It carries all.
    Fair,
    /// It breaks once it has carried so many bytes, both ways together.
    CutAfter(u64),
    /// It takes connections and bytes, and nothing ever comes back.
    Silent,
    /// As `Silent`, once the host has said so many bytes.
    SilentAfter(u64),
    /// It carries so many bytes a second each way, after a moment for each part: never still, never fast.
    Slow(u64),
    /// Nobody answers at all.
    Refused,
}

/// The proxy; it ends when it is dropped.
pub struct Line {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    host: SocketAddr,
    weather: Mutex<Weather>,
    /// What the weather becomes after so many connections more.
    change: Mutex<Option<(u64, Weather)>>,
    over: AtomicBool,
    /// What is open now, to be closed at the end.
    open: Mutex<Vec<TcpStream>>,
    connections: AtomicU64,
}

impl Line {
    /// Lays a line to a host.
    pub fn to(host: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State {
            host,
            weather: Mutex::new(Weather::Fair),
            change: Mutex::new(None),
            over: AtomicBool::new(false),
            open: Mutex::default(),
            connections: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.over.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.carry(stream));
            }
        });
        Line { address, state, thread: Some(thread) }
    }

    /// Where the program is to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what becomes of connections from now on.
    pub fn set(&self, weather: Weather) {
        *self.state.change.lock().expect("nobody panicked") = None;
        *self.state.weather.lock().expect("nobody panicked") = weather;
    }

    /// Changes it once so many more connections were made.
    pub fn change_after(&self, connections: u64, weather: Weather) {
        *self.state.change.lock().expect("nobody panicked") =
            Some((self.connections() + connections, weather));
    }

    /// Breaks all connections that are open now.
    pub fn cut(&self) {
        for stream in self.state.open.lock().expect("nobody panicked").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How many connections were made.
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.cut();
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl State {
    fn carry(self: Arc<Self>, near: TcpStream) {
        let number = self.connections.fetch_add(1, Ordering::SeqCst);
        let weather = match *self.change.lock().expect("nobody panicked") {
            Some((after, changed)) if number >= after => changed,
            _ => *self.weather.lock().expect("nobody panicked"),
        };
        if weather == Weather::Refused {
            return;
        }
        let Ok(far) = TcpStream::connect(self.host) else { return };
        let Some(ends) = self.remember(&near, &far) else { return };
        let left = Arc::new(AtomicU64::new(match weather {
            Weather::CutAfter(bytes) => bytes,
            _ => u64::MAX,
        }));
        let wait = match weather {
            Weather::Slow(bytes) => Duration::from_secs_f64(PART_BYTES as f64 / bytes as f64),
            _ => Duration::ZERO,
        };
        let [near_in, near_out, far_in, far_out] = ends;
        let back = Arc::clone(&left);
        let answers = std::thread::spawn(move || {
            let said = match weather {
                Weather::Silent => Some(0),
                Weather::SilentAfter(bytes) => Some(bytes),
                _ => None,
            };
            match said {
                Some(bytes) => hush(far_in, near_out, bytes),
                None => pump(far_in, near_out, &back, wait),
            }
        });
        pump(near_in, far_out, &left, wait);
        let _ = answers.join();
    }

    fn remember(&self, near: &TcpStream, far: &TcpStream) -> Option<[TcpStream; 4]> {
        let mut open = self.open.lock().expect("nobody panicked");
        open.extend([near.try_clone().ok()?, far.try_clone().ok()?]);
        Some([near.try_clone().ok()?, near.try_clone().ok()?, far.try_clone().ok()?, far.try_clone().ok()?])
    }
}

/// Carries so many bytes, and takes all others without handing them on.
fn hush(mut from: TcpStream, mut to: TcpStream, bytes: u64) {
    let _ = std::io::copy(&mut (&mut from).take(bytes), &mut to);
    let _ = std::io::copy(&mut from, &mut std::io::sink());
}

/// Carries bytes one way until the end, or until the line has carried all that it does.
fn pump(mut from: TcpStream, mut to: TcpStream, left: &AtomicU64, wait: Duration) {
    let mut buffer = [0; PART_BYTES];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
        let before = left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(count as u64)));
        let may = usize::try_from(before.unwrap_or(0)).unwrap_or(usize::MAX).min(count);
        std::thread::sleep(wait);
        if to.write_all(&buffer[..may]).is_err() || may < count {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
