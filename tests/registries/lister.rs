//! A registry with a referrers API, which Debian's lacks. Source: distribution-spec 1.1, "Listing Referrers".

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// A proxy in front of a registry that implements the referrers API.
pub(crate) struct Lister {
    pub(crate) host: String,
    lists: Lists,
}

/// Descriptors by subject.
type Lists = Arc<Mutex<BTreeMap<String, Vec<Value>>>>;

impl Lister {
    pub(crate) fn before(host: &str) -> Lister {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let lister =
            Lister { host: listener.local_addr().unwrap().to_string(), lists: Lists::default() };
        let (behind, lists) = (host.to_owned(), lister.lists.clone());
        // It lives as long as the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behind, lists) = (behind.clone(), lists.clone());
                // The client may have gone.
                thread::spawn(move || pass(stream, &behind, &lists));
            }
        });
        lister
    }

    /// The artifact types of a manifest's referrers.
    pub(crate) fn kinds(&self, digest: &str) -> Vec<String> {
        let lists = self.lists.lock().unwrap();
        let entries = lists.get(digest).cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["artifactType"].as_str().unwrap().to_owned()).collect()
    }
}

/// Answers one request, and closes the connection.
fn pass(mut client: TcpStream, behind: &str, lists: &Lists) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if let Some((_, digest)) = path.split_once("/referrers/") {
        let entries = lists.lock().unwrap().get(digest).cloned().unwrap_or_default();
        let kind = "application/vnd.oci.image.index.v1+json";
        let index =
            json!({ "schemaVersion": 2, "mediaType": kind, "manifests": entries }).to_string();
        let length = index.len();
        return write!(
            client,
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{index}"
        );
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<u64>().ok())?
    });
    let mut body = Vec::new();
    if method == "PUT" && path.contains("/manifests/") {
        (&mut reader).take(length.unwrap_or(0)).read_to_end(&mut body)?;
    }
    let mut server = TcpStream::connect(behind)?;
    server.write_all(head.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes())?;
    let manifest: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(subject) = manifest["subject"]["digest"].as_str() else {
        server.write_all(&body)?;
        // The rest of the request, while the response may already arrive.
        let mut up = server.try_clone()?;
        thread::spawn(move || std::io::copy(&mut reader, &mut up));
        std::io::copy(&mut server, &mut client)?;
        return client.shutdown(std::net::Shutdown::Both);
    };
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let entry = json!({
        "artifactType": manifest["artifactType"],
        "digest": path.rsplit('/').next().unwrap(),
        "mediaType": manifest["mediaType"],
        "size": body.len(),
    });
    let mut all = lists.lock().unwrap();
    let list = all.entry(subject.to_owned()).or_default();
    if !list.contains(&entry) {
        list.push(entry);
    }
    drop(all);
    let said = format!("\r\noci-subject: {subject}\r\n\r\n");
    let answer = String::from_utf8_lossy(&answer).replacen("\r\n\r\n", &said, 1);
    client.write_all(answer.as_bytes())?;
    client.shutdown(std::net::Shutdown::Both)
}
