//! Git hosts on the loopback: `git http-backend` behind a small HTTP server, and the ssh daemon without a port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Serves all bare repositories below a folder, for reading and writing, until it is dropped.
pub struct HttpHost {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the host answers to every request, in place of git's own answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status line after the version, such as `429 Too Many Requests`.
    pub status: String,
    /// Header lines.
    pub headers: Vec<String>,
    /// The body.
    pub body: String,
}

impl HttpHost {
    /// Serves a folder.
    pub fn serve(folder: &Path) -> Self {
        let folder = folder.to_owned();
        HttpHost::start(move |request, stream| backend(&folder, request, stream))
    }

    /// Serves a folder to those who send this `Authorization` header; others are asked to log in.
    pub fn serve_to(folder: &Path, authorization: &str) -> Self {
        let (folder, authorization) = (folder.to_owned(), authorization.to_owned());
        HttpHost::start(move |request, mut stream| {
            if request.header("authorization") == Some(&authorization) {
                return backend(&folder, request, stream);
            }
            stream.write_all(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"place\"\r\n\
                  Connection: close\r\nContent-Length: 0\r\n\r\n",
            )
        })
    }

    /// Gives one answer to all.
    pub fn answer(answer: Answer) -> Self {
        HttpHost::start(move |_, mut stream| {
            let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", answer.status);
            for header in &answer.headers {
                head.push_str(&format!("{header}\r\n"));
            }
            write!(stream, "{head}Content-Length: {}\r\n\r\n{}", answer.body.len(), answer.body)
        })
    }

    /// The address of a repository in the folder.
    pub fn url(&self, repository: &str) -> String {
        format!("http://{}/{repository}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn start(serve: impl Fn(Request, TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let serve = Arc::new(serve);
        let is_over = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || {
                    let Ok(request) = Request::read(&stream) else { return };
                    let _ = serve(request, stream);
                });
            }
        });
        HttpHost { address, over, thread: Some(thread) }
    }
}

impl Drop for HttpHost {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> std::io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let method = words.next().unwrap_or("").to_owned();
        let target = words.next().unwrap_or("").to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let mut request = Request { method, path, query, headers: Vec::new(), body: Vec::new() };
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if request.header("expect").is_some() {
            (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if request.header("transfer-encoding") == Some("chunked") {
            request.body = read_chunks(&mut reader)?;
        } else if let Some(length) = request.header("content-length").and_then(|length| length.parse().ok()) {
            request.body = vec![0; length];
            reader.read_exact(&mut request.body)?;
        }
        Ok(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }
}

fn read_chunks(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        reader.by_ref().take(length).read_to_end(&mut body)?;
        reader.read_line(&mut line)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

/// One request through `git http-backend`, as a web server's CGI would.
fn backend(folder: &Path, request: Request, mut stream: TcpStream) -> std::io::Result<()> {
    let mut command = Command::new("git");
    command.arg("http-backend").env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_PROJECT_ROOT", folder).env("GIT_HTTP_EXPORT_ALL", "1").env("REMOTE_USER", "tester");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("REQUEST_METHOD", &request.method).env("PATH_INFO", &request.path);
    command.env("QUERY_STRING", &request.query).env("REMOTE_ADDR", "127.0.0.1");
    command.env("CONTENT_LENGTH", request.body.len().to_string());
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        if let Some(value) = request.header(header) {
            command.env(variable, value);
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(&request.body));
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (mut status, mut headers) = ("200 OK".to_owned(), String::new());
    loop {
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => match line.strip_prefix("Status: ") {
                Some(told) => told.clone_into(&mut status),
                None => headers.push_str(&format!("{line}\r\n")),
            },
        }
    }
    write!(stream, "HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n")?;
    std::io::copy(&mut stdout, &mut stream)?;
    let _ = feeder.join();
    child.wait().map(drop)
}

/// An ssh daemon that serves one connection at a time on pipes: no port, no user's keys, no user's settings.
pub struct SshHost {
    folder: PathBuf,
}

impl SshHost {
    /// Where Debian and others put the daemon.
    const DAEMON: &str = "/usr/sbin/sshd";

    /// Prepares one in a folder of its own.
    pub fn prepare(folder: &Path) -> Self {
        let is_there = Path::new(SshHost::DAEMON).exists();
        assert!(is_there, "this test needs {}, as .ci/run installs it", SshHost::DAEMON);
        // A daemon that runs as root wants this folder; its own start script makes it too.
        let _ = std::fs::create_dir("/run/sshd");
        std::fs::create_dir_all(folder).unwrap();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        let host = SshHost { folder: folder.to_owned() };
        host.make_key("host");
        host.make_key("user");
        let at = |name: &str| folder.join(name).display().to_string();
        let daemon = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin yes\nPidFile none\nAcceptEnv GIT_PROTOCOL\n",
            at("host"),
            at("user.pub"),
        );
        std::fs::write(folder.join("daemon"), daemon).unwrap();
        let client = format!(
            "Host place\n HostName place\n IdentityFile {}\n IdentitiesOnly yes\n UserKnownHostsFile {}\n\
             GlobalKnownHostsFile /dev/null\n ProxyCommand {} -i -f {}\n",
            at("user"),
            at("known"),
            SshHost::DAEMON,
            at("daemon"),
        );
        std::fs::write(folder.join("client"), client).unwrap();
        host.trust("host");
        host
    }

    /// The command that reaches it, for `core.sshCommand`.
    pub fn command(&self) -> String {
        format!("ssh -F {}", self.folder.join("client").display())
    }

    /// Makes a key of that name stand for the host in what the client knows.
    pub fn trust(&self, key: &str) {
        let key = std::fs::read_to_string(self.folder.join(format!("{key}.pub"))).unwrap();
        std::fs::write(self.folder.join("known"), format!("place {key}")).unwrap();
    }

    /// The client has never seen the host.
    pub fn forget(&self) {
        std::fs::write(self.folder.join("known"), "").unwrap();
    }

    fn make_key(&self, name: &str) {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(self.folder.join(name));
        assert!(command.status().unwrap().success());
    }
}
