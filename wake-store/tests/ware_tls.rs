//! Warehouses behind TLS, some with invalid servers.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;
use wake_store::ware::{
    ArchivePolicy, Category, DownloadError, Meter, PackFilters, PackType, Placement, Route, Unpack,
    UnpackError, UnpackFilters, WareId, Warehouse, download, pack,
};

/// A word that only the intended server may see.
const SECRET: &str = "canary5f1c";

/// An authority, a ware, and a client.
struct Bed {
    temp: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
    ware: WareId,
    bytes: Vec<u8>,
}

impl Bed {
    fn new() -> Bed {
        let temp = tempfile::tempdir().unwrap();
        let (dir, file) = (temp.path().join("made"), temp.path().join("made.tgz"));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("f"), "hello\n").unwrap();
        let to = Warehouse::File(file.clone());
        let ware = pack(&dir, PackType::Tar, PackFilters::FLATTEN, Some(&to)).unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(temp.path().join("ca.pem"), authority.pem()).unwrap();
        Bed { temp, authority, ware, bytes: fs::read(file).unwrap() }
    }

    /// Returns a route that trusts the authority of this bed.
    fn trusting(&self) -> Route {
        Route { authorities: Some(self.path("ca.pem")), ..Route::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn ok(&self) -> Vec<u8> {
        response("200 OK", &[], &self.bytes)
    }

    /// A server with a certificate for this host that is valid until that year.
    fn certified(&self, host: &str, until: i32) -> ServerConfig {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        builder.with_single_cert(vec![certificate.der().clone()], key).unwrap()
    }

    /// Unpacks the ware from `address` on a fresh path.
    fn unpack(&self, route: &Route, address: &str) -> Result<(), UnpackError> {
        let sources = [Warehouse::parse(address, PackType::Tar, Path::new("/"), route).unwrap()];
        let filters = UnpackFilters::LOW_PRIV;
        let out = self.path("out");
        let unpacked = Unpack {
            ware: &self.ware,
            sources: &sources,
            filters,
            cache: None,
            policy: ArchivePolicy::WARE,
        }
        .place_at(&out, Placement::Direct, &Meter::default());
        assert_eq!(unpacked.is_ok(), out.join("f").exists());
        unpacked.map(|_| ())
    }
}

fn response(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    headers.iter().for_each(|header| head += &format!("{header}\r\n"));
    [head.as_bytes(), b"connection: close\r\n\r\n", body].concat()
}

/// A server that ends with the process, and the heads of the requests that it received.
struct Server {
    port: u16,
    heads: Mutex<Receiver<String>>,
}

impl Server {
    fn start(tls: Option<ServerConfig>, answer: Vec<u8>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, heads) = channel();
        std::thread::spawn(move || {
            let tls = tls.map(Arc::new);
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let head = match &tls {
                    Some(tls) => {
                        let session = ServerConnection::new(tls.clone()).unwrap();
                        exchange(StreamOwned::new(session, stream), &answer)
                    }
                    None => exchange::<TcpStream>(stream, &answer),
                };
                // A client that rejects the certificate sends no request.
                head.into_iter().for_each(|head| tell.send(head).unwrap());
            }
        });
        Server { port, heads: Mutex::new(heads) }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().try_iter().collect()
    }
}

fn exchange<S: Read + Write>(stream: S, answer: &[u8]) -> Option<String> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let stream = stream.get_mut();
    stream.write_all(answer).and_then(|()| stream.flush()).ok()?;
    Some(head)
}

#[test]
fn n1_a_server_certified_by_an_authority_is_trusted() {
    let bed = Bed::new();
    let server = Server::start(Some(bed.certified("localhost", 4000)), bed.ok());
    bed.unpack(&bed.trusting(), &format!("https://localhost:{}/x", server.port)).unwrap();
}

#[test]
fn n1_no_request_is_sent_to_an_untrusted_server() {
    let bed = Bed::new();
    for (host, until, route, why) in [
        ("localhost", 4000, Route::default(), "it is not signed by a trusted authority"),
        ("localhost", 2020, bed.trusting(), "it has expired"),
        ("elsewhere.example", 4000, bed.trusting(), "it is not valid for `localhost`"),
    ] {
        let server = Server::start(Some(bed.certified(host, until)), bed.ok());
        let address = format!("https://localhost:{}/x", server.port);
        let error = bed.unpack(&route, &address).unwrap_err();
        assert_eq!(error.category(), Category::WarehouseUnavailable);
        let text = error.to_string();
        assert!(text.contains(&format!("its certificate was rejected: {why}")), "{text}");
        assert_eq!(server.heads(), [""; 0]);
    }
}

#[test]
fn missing_authorities_are_named() {
    let bed = Bed::new();
    let route = Route { authorities: Some(bed.path("absent.pem")), ..Route::default() };
    let error = bed.unpack(&route, "https://localhost:1/x").unwrap_err().to_string();
    assert!(error.contains("absent.pem`, which SSL_CERT_FILE names"), "{error}");
}

#[test]
fn n2_redirects_to_unencrypted_addresses_are_refused() {
    let bed = Bed::new();
    let plain = Server::start(None, bed.ok());
    let to = format!("location: http://localhost:{}/x", plain.port);
    let moved = response("302 Found", &[&to], b"");
    let server = Server::start(Some(bed.certified("localhost", 4000)), moved);
    let error = bed.unpack(&bed.trusting(), &format!("https://localhost:{}/x", server.port));
    assert_eq!(error.unwrap_err().category(), Category::WarehouseUnavailable);
    assert_eq!(server.heads().len(), 1);
    assert_eq!(plain.heads(), [""; 0]);
}

#[test]
fn n2_even_for_a_file_with_a_known_digest() {
    let bed = Bed::new();
    let plain = Server::start(None, bed.ok());
    let to = format!("location: http://localhost:{}/x", plain.port);
    let moved = response("302 Found", &[&to], b"");
    let server = Server::start(Some(bed.certified("localhost", 4000)), moved);
    let urls = [format!("https://localhost:{}/x", server.port)];
    let (into, meter) = (bed.path("fetched"), Meter::default());
    let digest = "0".repeat(64);
    let error = download(&urls, Some(&digest), &into, &bed.trusting(), &meter).unwrap_err();
    assert!(matches!(error, DownloadError::Nowhere(_)), "{error}");
    assert!(!server.heads().is_empty());
    assert_eq!(plain.heads(), [""; 0]);
    assert!(!into.exists());
}

#[test]
fn n3_credentials_are_sent_only_to_their_origin() {
    let bed = Bed::new();
    let other = Server::start(Some(bed.certified("localhost", 4000)), bed.ok());
    let to = format!("location: https://localhost:{}/x", other.port);
    let moved = response("302 Found", &[&to], b"");
    let server = Server::start(Some(bed.certified("localhost", 4000)), moved);
    let address = format!("https://user:{SECRET}@localhost:{}/x", server.port);
    bed.unpack(&bed.trusting(), &address).unwrap();
    let sent = &server.heads()[0];
    assert!(sent.to_lowercase().contains("authorization: basic "), "{sent}");
    let passed_on = &other.heads()[0].to_lowercase();
    assert!(!passed_on.contains("authorization") && !passed_on.contains(SECRET), "{passed_on}");
}

#[test]
fn n3_credentials_are_in_no_error() {
    let bed = Bed::new();
    for answer in ["404 Not Found", "401 Unauthorized", "500 Oh No"] {
        let server = Server::start(
            Some(bed.certified("localhost", 4000)),
            response(answer, &["www-authenticate: Basic realm=x"], b""),
        );
        let address = format!("https://user:{SECRET}@localhost:{}/x", server.port);
        let error = bed.unpack(&bed.trusting(), &address).unwrap_err();
        let (shown, debug) = (error.to_string(), format!("{error:?}"));
        assert!(!shown.contains(SECRET) && !debug.contains(SECRET), "{shown} {debug}");
    }
}
