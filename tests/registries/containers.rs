//! Debian's container registry, run by a test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::Value;
use wake_tests::{has_program, skip};

/// Debian's registry, with its data in a directory.
pub(crate) struct Registry {
    child: Child,
    /// Its host and port.
    pub(crate) host: String,
}

impl Registry {
    /// Starts a registry, if the program is installed; `more` is added to its configuration.
    pub(crate) fn start(test: &str, dir: &Path, more: &str) -> Option<Registry> {
        if !has_program("docker-registry") {
            skip(test, "needs docker-registry");
            return None;
        }
        fs::create_dir_all(dir).unwrap();
        let config = dir.join("config.yml");
        let data = dir.join("data");
        let text = format!(
            "version: 0.1\nlog: {{level: info, formatter: text}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  \
             delete: {{enabled: true}}\n{}",
            data.display(),
            if more.is_empty() { "http: {addr: '127.0.0.1:0'}\n" } else { more },
        );
        fs::write(&config, text).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It logs where it listens, and keeps logging there.
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut host = None;
        let mut line = String::new();
        while host.is_none() && log.read_line(&mut line).unwrap() > 0 {
            let said = line.split_once("listening on ").map(|(_, rest)| rest);
            host = said.map(|rest| {
                let end = rest.find(['"', ',', ' ', '\n']).unwrap();
                rest[..end].to_owned()
            });
            line.clear();
        }
        thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Some(Registry { child, host: host.unwrap() })
    }

    /// Its address, with a prefix.
    pub(crate) fn address(&self) -> String {
        format!("oci://{}/wake", self.host)
    }

    /// The manifest under a tag of a repository below the prefix.
    pub(crate) fn manifest(&self, repository: &str, tag: &str) -> Value {
        let path = format!("/v2/wake/{repository}/manifests/{tag}");
        let (status, bytes) = ask(&self.host, "GET", &path, "");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Uploads a manifest under a tag.
    pub(crate) fn put_manifest(&self, repository: &str, tag: &str, manifest: &Value) {
        let path = format!("/v2/wake/{repository}/manifests/{tag}");
        let (status, bytes) = ask(&self.host, "PUT", &path, &manifest.to_string());
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&bytes));
    }

    /// The tags of a repository, sorted.
    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        let (_, bytes) = ask(&self.host, "GET", &format!("/v2/wake/{repository}/tags/list"), "");
        let list: Value = serde_json::from_slice(&bytes).unwrap();
        let tags = list["tags"].as_array().cloned().unwrap_or_default();
        let mut tags: Vec<String> =
            tags.iter().map(|tag| tag.as_str().unwrap().to_owned()).collect();
        tags.sort();
        tags
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request as another client would.
pub(crate) fn ask(host: &str, method: &str, path: &str, body: &str) -> (u16, Vec<u8>) {
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nhost: {host}\r\naccept: {kind}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = String::from_utf8_lossy(&bytes[9..12]).parse().unwrap();
    (status, bytes[end + 4..].to_vec())
}
