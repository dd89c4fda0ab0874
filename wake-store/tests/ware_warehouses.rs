//! Several warehouses, some of them on a server with arbitrary responses.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use wake_store::ware::{
    ArchivePolicy, Category, Meter, PackFilters, PackType, Placement, Route, Unpack, UnpackError,
    UnpackFilters, WareId, Warehouse, mirror, pack, pack_metered,
};

/// A server on this machine that passes each request's path to `answer`; it ends with the process.
fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
            let _ = stream.write_all(&answer(&path));
        }
    });
    format!("127.0.0.1:{}", address.port())
}

fn response(status: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A ware and its packed bytes.
fn ware(temp: &Path) -> (WareId, Vec<u8>) {
    let dir = temp.join("made");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("f"), "hello\n").unwrap();
    let file = temp.join("made.tgz");
    let ware =
        pack(&dir, PackType::Tar, PackFilters::FLATTEN, Some(&Warehouse::File(file.clone())))
            .unwrap();
    (ware, fs::read(file).unwrap())
}

fn unpack(ware: &WareId, sources: &[String], to: &Path) -> Result<(), UnpackError> {
    unpack_by(&Route::default(), ware, sources, to)
}

fn unpack_by(
    route: &Route,
    ware: &WareId,
    sources: &[String],
    to: &Path,
) -> Result<(), UnpackError> {
    let parse =
        |text: &String| Warehouse::parse(text, PackType::Tar, Path::new("/"), route).unwrap();
    let sources: Vec<Warehouse> = sources.iter().map(parse).collect();
    let filters = UnpackFilters::LOW_PRIV;
    Unpack { ware, sources: &sources, filters, cache: None, policy: ArchivePolicy::WARE }
        .place_at(to, Placement::Direct, &Meter::default())
        .map(|_| ())
}

#[test]
fn the_first_warehouse_with_the_ware_is_used() {
    let temp = tempfile::tempdir().unwrap();
    let (ware, bytes) = ware(temp.path());
    let hash = ware.hash().to_owned();
    let place = format!("/w/{}/{}/{hash}", &hash[..3], &hash[3..6]);
    let server = serve(move |path| {
        if path == place { response("200 OK", &bytes) } else { response("404 Not Found", b"no") }
    });
    let sources = [
        "http://127.0.0.1:1/unreachable".to_owned(),
        format!("ca+file://{}/absent", temp.path().display()),
        format!("http://{server}/not-there"),
        format!("ca+http://{server}/w/"),
    ];
    let out = temp.path().join("out");
    unpack(&ware, &sources, &out).unwrap();
    assert_eq!(fs::read_to_string(out.join("f")).unwrap(), "hello\n");
}

#[test]
fn unreachable_and_missing_are_distinguished() {
    let temp = tempfile::tempdir().unwrap();
    let (ware, _) = ware(temp.path());
    let out = temp.path().join("out");
    let server = serve(|_| response("404 Not Found", b""));
    let unreachable = "http://127.0.0.1:1/x".to_owned();
    let error = unpack(&ware, std::slice::from_ref(&unreachable), &out).unwrap_err();
    assert_eq!(error.category(), Category::WarehouseUnavailable);
    let error = unpack(&ware, &[unreachable, format!("http://{server}/x")], &out).unwrap_err();
    assert_eq!(error.category(), Category::WareNotFound);
    let error = unpack(&ware, &[], &out).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no warehouse is available for `{ware}`: none was named")
    );
    assert!(!out.exists());
}

#[test]
fn a_proxy_is_used_only_where_one_is_set() {
    let temp = tempfile::tempdir().unwrap();
    let (ware, bytes) = ware(temp.path());
    let serving = serve(move |_| response("200 OK", &bytes));
    let (tell, asked) = std::sync::mpsc::channel();
    let proxy = serve(move |host| {
        tell.send(host.to_owned()).unwrap();
        response("403 Forbidden", b"")
    });
    let (out, sources) = (temp.path().join("out"), [format!("http://{serving}/x")]);
    let mut route = Route { http_proxy: Some(format!("http://{proxy}")), ..Route::default() };
    let error = unpack_by(&route, &ware, &sources, &out).unwrap_err();
    assert_eq!(error.category(), Category::WarehouseUnavailable, "{error}");
    assert_eq!(asked.recv().unwrap(), serving);
    route.no_proxy = Some("127.0.0.1".to_owned());
    unpack_by(&route, &ware, &sources, &out).unwrap();
    route = Route { http_proxy: Some("nonsense://x".to_owned()), ..Route::default() };
    let error = unpack_by(&route, &ware, &sources, &out).unwrap_err();
    assert_eq!(error.category(), Category::WarehouseUnavailable, "{error}");
    assert!(error.to_string().contains("its proxy"), "{error}");
}

#[test]
fn any_other_response_ends_the_search() {
    let temp = tempfile::tempdir().unwrap();
    let (ware, bytes) = ware(temp.path());
    let refusing = serve(|_| response("403 Forbidden", b""));
    let serving = serve(move |_| response("200 OK", &bytes));
    let sources = [format!("http://{refusing}/x"), format!("http://{serving}/x")];
    let error = unpack(&ware, &sources, &temp.path().join("out")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("warehouse `http://{refusing}/x` failed: HTTP status 403 Forbidden")
    );
}

#[test]
fn n4_wrong_truncated_and_foreign_responses_are_not_used() {
    let temp = tempfile::tempdir().unwrap();
    let (ware, bytes) = ware(temp.path());
    let out = temp.path().join("out");
    let half = bytes[..bytes.len() / 2].to_vec();
    let cases: [(Vec<u8>, Category); 3] = [
        (response("200 OK", b"<html>please log in</html>"), Category::WareCorrupt),
        (response("200 OK", &half), Category::WareCorrupt),
        // The server announces more than it sends.
        (
            [b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", &half[..]].concat(),
            Category::WarehouseUnavailable,
        ),
    ];
    for (answer, category) in cases {
        let server = serve(move |_| answer.clone());
        let error = unpack(&ware, &[format!("http://{server}/x")], &out).unwrap_err();
        assert_eq!(error.category(), category, "{error}");
        assert!(!out.exists());
        if category == Category::WarehouseUnavailable {
            let told = format!("warehouse `http://{server}/x` failed: ");
            assert!(error.to_string().starts_with(&told), "{error}");
        }
    }
}

#[test]
fn a_stopped_unpack_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let (ware, _) = ware(temp.path());
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let meter = Meter::default();
    meter.stop();
    let sources = [Warehouse::File(temp.path().join("made.tgz"))];
    let target = Warehouse::File(temp.path().join("copy.tgz"));
    let unpack = Unpack {
        ware: &ware,
        sources: &sources,
        filters: UnpackFilters::LOW_PRIV,
        cache: None,
        policy: ArchivePolicy::WARE,
    };
    let out = temp.path().join("out");
    let unpacked = unpack.place_at(&out, Placement::Direct, &meter).unwrap_err();
    assert_eq!(unpacked.category(), Category::Cancelled, "{unpacked}");
    let mirrored = mirror(&ware, &target, &sources, ArchivePolicy::WARE, &meter).unwrap_err();
    assert_eq!(mirrored.category(), Category::Cancelled, "{mirrored}");
    let filters = PackFilters::FLATTEN;
    let packed = pack_metered(temp.path(), PackType::Tar, filters, Some(&target), &meter);
    let packed = packed.unwrap_err();
    assert_eq!(packed.category(), Category::Cancelled, "{packed}");
    assert_eq!(names(), before);
}
