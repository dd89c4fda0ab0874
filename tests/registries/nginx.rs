//! A registry behind Debian's nginx, with TLS and a certificate authority of the test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use wake_tests::{has_program, skip};

use crate::mirrors::settings;
use crate::oci::certificates;
use crate::scene::{Scene, all_of, get};

/// A web server with TLS.
pub(crate) struct Nginx {
    child: Child,
    /// Its address.
    pub(crate) address: String,
    log: std::path::PathBuf,
}

impl Nginx {
    /// Serves the directory `files` below `/wake/`; the certificates are in `dir`.
    pub(crate) fn start(dir: &Path, files: &Path) -> Nginx {
        let served = format!("alias {}/; default_type application/octet-stream;", files.display());
        Nginx::answering(dir, &served, "cert.pem")
    }

    /// Whether nginx is installed.
    pub(crate) fn is_here(test: &str) -> bool {
        if !(has_program("nginx") || Path::new("/usr/sbin/nginx").exists()) {
            skip(test, "needs nginx");
            return false;
        }
        let is_here = has_program("openssl");
        if !is_here {
            skip(test, "needs openssl");
        }
        is_here
    }

    /// Serves `location` below `/wake/`, with this certificate.
    pub(crate) fn answering(dir: &Path, location: &str, certificate: &str) -> Nginx {
        // If another process takes the port meanwhile, that is noticed below.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (shown, log) = (dir.display(), dir.join("access.log"));
        let config = format!(
            "worker_processes 1;\ndaemon off;\npid {shown}/pid;\nerror_log {shown}/error.log;\n\
             events {{}}\nhttp {{\n  access_log {shown}/access.log;\n  \
             client_body_temp_path {shown}/a;\n  proxy_temp_path {shown}/b;\n  fastcgi_temp_path {shown}/c;\n  \
             uwsgi_temp_path {shown}/d;\n  scgi_temp_path {shown}/e;\n  server {{\n    listen 127.0.0.1:{port} ssl;\n    \
             ssl_certificate {shown}/{certificate};\n    ssl_certificate_key {shown}/key.pem;\n    \
             location /wake/ {{ {location} }}\n  }}\n}}\n",
        );
        fs::write(dir.join("nginx.conf"), config).unwrap();
        let nginx = if has_program("nginx") { "nginx" } else { "/usr/sbin/nginx" };
        let child = Command::new(nginx)
            .args(["-c", "nginx.conf", "-p"])
            .arg(dir)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Nginx { child, address: format!("https://127.0.0.1:{port}/wake/"), log };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = nginx.child.try_wait().unwrap();
            let errors = || fs::read_to_string(dir.join("error.log")).unwrap_or_default();
            assert!(ended.is_none(), "nginx ended: {ended:?} {}", errors());
            thread::sleep(Duration::from_millis(20));
        }
        nginx
    }

    /// The statuses of the responses for paths with this ending.
    fn answered(&self, ending: &str) -> Vec<u16> {
        let log = fs::read_to_string(&self.log).unwrap();
        let of = |line: &str| {
            let (_, rest) = line.split_once("\"GET ")?;
            let (path, rest) = rest.split_once(" HTTP/1.1\" ")?;
            path.ends_with(ending).then(|| rest[..3].parse().unwrap())
        };
        log.lines().filter_map(of).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers only end if it is asked to.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

#[test]
fn a_registry_is_read_through_nginx() {
    let test = "a_registry_is_read_through_nginx";
    if !Nginx::is_here(test) {
        return;
    }
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let dir = scene.publisher.base().join("server");
    fs::create_dir(&dir).unwrap();
    // Its workers run as another user.
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    certificates(&dir);
    let nginx = Nginx::start(&dir, &scene.registry());
    let pkgs = format!("text: {}", get("text", "^2"));
    let user = scene.user_of(&nginx.address, &pkgs);
    // N1: the certificate is not trusted until the user configures its authority.
    let failed = user.wake(["build", "//app"]).run().code(9);
    failed.mentions("its certificate was rejected").mentions("`ca` in `config.toml`");
    settings(&user, &format!("[http]\nca = \"{}/ca.pem\"\n", dir.display()));
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
    // The same lock, wherever the registry is.
    let near = scene.user(&pkgs);
    near.build(&["//app"]);
    assert_eq!(user.read("wake.lock"), near.read("wake.lock"));
    // Unchanged files are not transferred again.
    user.wake(["update"]).run().success();
    assert_eq!(nginx.answered("/index/acme/text.jsonl"), [200, 304]);
    // An interrupted archive is resumed.
    let mut state = 7_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    scene.write("tone", "1.0.0", "", "wc -c < data > out.txt");
    scene.publisher.write("tone/data", (0..1 << 20).map(|_| byte()).collect::<Vec<u8>>());
    scene.publisher.wake(["publish", "tone", "--no-verify"]).run().success();
    user.edit("app/PKG.libsonnet", "pkgs={", &format!("pkgs={{ tone: {},", get("tone", "^1")));
    user.wake(["lock"]).run().success();
    let archive = scene.registry().join("pkgs/acme/tone/1.0.0.tar.zst");
    let whole = fs::read(&archive).unwrap();
    let tag = {
        let modified = fs::metadata(&archive).unwrap().modified().unwrap();
        let seconds = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        // Source: nginx, `ngx_http_set_etag`.
        format!("\"{seconds:x}-{:x}\"", whole.len())
    };
    let kept = |content: &str| {
        let registry = user.store().join("registry");
        let [of_server] = &fs::read_dir(&registry).unwrap().collect::<Vec<_>>()[..] else {
            panic!("expected a single registry")
        };
        let dir = of_server.as_ref().unwrap().path().join("part");
        fs::create_dir_all(&dir).unwrap();
        let bytes = [format!("wake-part 1 {tag}\n").as_bytes(), &whole[..700_000]].concat();
        fs::write(dir.join(content), bytes).unwrap();
    };
    let lock = user.read("wake.lock");
    let line = lock.lines().find(|line| line.starts_with("acme/tone ")).unwrap();
    kept(line.rsplit(' ').next().unwrap());
    user.build(&["//app"]);
    assert_eq!(nginx.answered("/tone/1.0.0.tar.zst"), [206]);
    let left = all_of(&user.store().join("registry"));
    assert!(!left.iter().any(|(path, _)| path.parent().unwrap().ends_with("part")));
}
