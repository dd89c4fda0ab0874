//! A Slurm cluster for one test: a controller and two nodes on this machine, from Debian's packages.

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wake_tests::{has_program, skip};

/// The names of the nodes.
pub(crate) const NODES: [&str; 2] = ["n1", "n2"];

/// A running cluster; dropping it ends the cluster and everything that runs on it.
pub(crate) struct Cluster {
    dir: TempDir,
    daemons: Vec<(&'static str, Child)>,
}

impl Cluster {
    /// Starts a cluster; none if Slurm is not installed.
    pub(crate) fn start(test: &str) -> Option<Cluster> {
        Cluster::start_hiding(test, None)
    }

    /// Starts a cluster whose nodes do not see a directory, which requires root.
    pub(crate) fn start_without(test: &str, hidden: &Path) -> Option<Cluster> {
        Cluster::start_hiding(test, Some(hidden))
    }

    fn start_hiding(test: &str, hidden: Option<&Path>) -> Option<Cluster> {
        for program in ["munged", "slurmctld", "slurmd"] {
            if !has_program(program) && !Path::new("/usr/sbin").join(program).exists() {
                skip(test, &format!("`{program}` of slurm-wlm or munge is not here"));
                return None;
            }
        }
        let dir = TempDir::with_prefix("wake-slurm-").unwrap();
        // Munge refuses a socket in a directory that others cannot access.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut cluster = Cluster { dir, daemons: Vec::new() };
        cluster.configure();
        cluster.begin_munge();
        cluster.begin_controller();
        for node in NODES {
            cluster.begin_node(node, hidden);
        }
        cluster.until("both nodes are idle", || cluster.nodes_in("idle") == 2);
        Some(cluster)
    }

    /// The value of `SLURM_CONF` for users of the cluster.
    pub(crate) fn conf(&self) -> PathBuf {
        self.dir.path().join("slurm.conf")
    }

    /// Kills the daemon of a node, but not what runs there.
    pub(crate) fn kill_node(&mut self, name: &str) {
        let mut child = self.taken(name);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends the controller, which saves its state.
    pub(crate) fn end_controller(&mut self) {
        let mut child = self.taken("slurmctld");
        let number = child.id().to_string();
        assert!(Command::new("kill").arg(number).status().unwrap().success());
        child.wait().unwrap();
    }

    fn taken(&mut self, name: &str) -> Child {
        let at = self.daemons.iter().position(|(known, _)| *known == name).unwrap();
        self.daemons.remove(at).1
    }

    /// Starts the controller, which restores its state.
    pub(crate) fn begin_controller(&mut self) {
        let conf = self.conf();
        let args = ["-D", "-f", conf.to_str().unwrap()].map(str::to_owned);
        self.begin("slurmctld", "slurmctld", &args);
    }

    /// Runs a program of Slurm, and returns its output.
    pub(crate) fn ask(&self, program: &str, args: &[&str]) -> String {
        let output =
            Command::new(program).args(args).env("SLURM_CONF", self.conf()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The number of nodes in this state.
    pub(crate) fn nodes_in(&self, state: &str) -> usize {
        let all = self.ask("sinfo", &["--noheader", "--Node", "--partition=main", "--format=%T"]);
        all.lines().filter(|found| found.trim() == state).count()
    }

    /// The processes of nodes whose command line has this word, including job scripts.
    pub(crate) fn processes(&self, word: &str) -> Vec<u32> {
        self.found(|environ, line| {
            let mut variables = environ.split(|&byte| byte == 0);
            has(line, word) && variables.any(|one| one.starts_with(b"SLURMD_NODENAME="))
        })
    }

    /// The processes of this cluster, filtered by environment and command line.
    fn found(&self, is_wanted: impl Fn(&[u8], &[u8]) -> bool) -> Vec<u32> {
        let conf = format!("SLURM_CONF={}", self.conf().display());
        let numbers = fs::read_dir("/proc").unwrap().flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let read =
            |number: &u32, file| fs::read(format!("/proc/{number}/{file}")).unwrap_or_default();
        let is_wanted = |number: &u32| {
            let environ = read(number, "environ");
            has(&environ, &conf) && is_wanted(&environ, &read(number, "cmdline"))
        };
        numbers.filter(is_wanted).collect()
    }

    /// The wake processes of jobs, and the Slurm processes around them.
    pub(crate) fn steps(&self) -> Vec<u32> {
        self.steps_with("perform")
    }

    /// Those whose command line has this word.
    pub(crate) fn steps_with(&self, word: &str) -> Vec<u32> {
        let own = self.processes(word);
        let parent = |number: &u32| {
            let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
            line.trim().parse::<u32>().ok().filter(|&parent| parent > 1)
        };
        let around: Vec<u32> = own.iter().filter_map(parent).collect();
        [around, own].concat()
    }

    /// Waits until `is_so` holds, with a limit that is generous enough for a loaded machine.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(120), "not yet: {what}\n{}", self.logs());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn configure(&self) {
        let top = self.dir.path();
        for name in ["state", "spool", "log"] {
            fs::create_dir(top.join(name)).unwrap();
        }
        let mut key = vec![0; 1024];
        File::open("/dev/urandom").unwrap().read_exact(&mut key).unwrap();
        fs::write(top.join("munge.key"), key).unwrap();
        fs::set_permissions(top.join("munge.key"), fs::Permissions::from_mode(0o400)).unwrap();
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let host = host.trim().split('.').next().unwrap();
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap();
        let [controller, ports @ ..] = [0; 3].map(|_| free_port());
        let nodes: String = NODES
            .iter()
            .zip(ports)
            .map(|(name, port)| {
                format!(
                    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=4000 State=UNKNOWN\n"
                )
            })
            .collect();
        let conf = format!(
            "ClusterName=wake
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={dir}/munge.socket
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool/%n
SlurmctldPidFile={dir}/state/slurmctld.pid
SlurmdPidFile={dir}/spool/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
KillWait=5
MessageTimeout=2
TCPTimeout=1
{nodes}PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=second Nodes=n2 MaxTime=INFINITE State=UP
",
            dir = top.display(),
            user = user.trim(),
        );
        fs::write(self.conf(), conf).unwrap();
    }

    fn begin_munge(&mut self) {
        let top = self.dir.path().display();
        let args = [
            "--foreground".to_owned(),
            format!("--key-file={top}/munge.key"),
            format!("--socket={top}/munge.socket"),
            format!("--pid-file={top}/munged.pid"),
            format!("--log-file={top}/log/munge"),
            format!("--seed-file={top}/seed"),
        ];
        self.begin("munged", "munged", &args);
        let socket = self.dir.path().join("munge.socket");
        self.until("munge listens", || socket.exists());
    }

    fn begin_node(&mut self, name: &'static str, hidden: Option<&Path>) {
        let conf = self.conf();
        let args = ["-D", "-f", conf.to_str().unwrap(), "-N", name].map(str::to_owned);
        let Some(hidden) = hidden else { return self.begin(name, "slurmd", &args) };
        let script = "mount -t tmpfs none \"$0\" && exec slurmd \"$@\"";
        let hiding = ["-m", "sh", "-c", script, hidden.to_str().unwrap()].map(str::to_owned);
        self.begin(name, "unshare", &[&hiding[..], &args].concat());
    }

    fn begin(&mut self, name: &'static str, program: &str, args: &[String]) {
        let log = self.dir.path().join("log").join(format!("{name}.out"));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let program = match has_program(program) {
            true => PathBuf::from(program),
            false => Path::new("/usr/sbin").join(program),
        };
        let child = Command::new(program)
            .args(args)
            .env("SLURM_CONF", self.conf())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.daemons.push((name, child));
    }

    fn logs(&self) -> String {
        let log = |(name, _): &(&str, Child)| {
            let path = self.dir.path().join("log").join(format!("{name}.out"));
            let text = fs::read_to_string(path).unwrap_or_default();
            let last: Vec<&str> = text.lines().rev().take(12).collect();
            format!("{name}:\n{}\n", last.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        self.daemons.iter().map(log).collect()
    }
}

/// Returns a free port below the ephemeral ones, many of which Slurm's programs use.
fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 200) as u16 * 100;
    loop {
        let port = 12_000 + (first + TAKEN.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nodes first: they would wait for a controller that is gone.
        for (_, daemon) in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        // The processes that nodes have started outlive them, and would wait for a controller.
        for number in self.found(|_, _| true) {
            let _ = Command::new("kill").args(["-9", &number.to_string()]).status();
        }
    }
}

/// Whether a list of null-terminated words contains this one.
fn has(words: &[u8], word: &str) -> bool {
    words.split(|&byte| byte == 0).any(|one| one == word.as_bytes())
}
