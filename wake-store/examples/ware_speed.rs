//! Measures the cost of packing a tree of many small files, compared with GNU tar writing it to `/dev/null` plus
//! SHA-384 of its content.
//!
//! ```sh
//! cargo run --release -p wake-store --example ware_speed [FILES]
//! ```
//! Prints the CPU time (user and system, all threads) of each and their ratio; medians of five. SHA-384 is computed
//! with the same implementation in one thread, each file read whole.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use wake_store::ware::{PackFilters, PackType, Sha384Digest, pack};

fn main() {
    let files: usize = std::env::args().nth(1).map_or(100_000, |count| count.parse().unwrap());
    let temp = tempfile::tempdir().unwrap();
    build(temp.path(), files);
    let packed = median(|| {
        own(|| drop(pack(temp.path(), PackType::Tar, PackFilters::FLATTEN, None).unwrap()))
    });
    let tar = median(|| {
        let before = usage(Who::Children);
        let status = Command::new("tar")
            .args(["-cf", "/dev/null", "-C"])
            .arg(temp.path())
            .arg(".")
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        usage(Who::Children) - before
    });
    let hashed = median(|| own(|| hash_all(temp.path())));
    println!(
        "pack {packed:.3} s, tar {tar:.3} s, sha384 {hashed:.3} s, ratio {:.2}",
        packed / (tar + hashed)
    );
}

/// Directories of a hundred files of about a kilobyte.
fn build(root: &Path, files: usize) {
    for number in 0..files {
        let dir = root.join(format!("d{:05}", number / 100));
        if number % 100 == 0 {
            fs::create_dir(&dir).unwrap();
        }
        let content = format!("{number} ").repeat(50 + number % 200);
        fs::write(dir.join(format!("f{number}")), content).unwrap();
    }
}

fn hash_all(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            hash_all(&entry.path());
        } else {
            std::hint::black_box(Sha384Digest::of(&fs::read(entry.path()).unwrap()));
        }
    }
}

fn median(run: impl Fn() -> f64) -> f64 {
    let mut times: Vec<f64> = (0..5).map(|_| run()).collect();
    times.sort_by(f64::total_cmp);
    times[2]
}

fn own(run: impl Fn()) -> f64 {
    let before = usage(Who::Own);
    run();
    usage(Who::Own) - before
}

enum Who {
    Own,
    Children,
}

/// Returns the CPU time so far in seconds.
fn usage(who: Who) -> f64 {
    let (user, system) = match who {
        Who::Own => (13, 14),
        Who::Children => (15, 16),
    };
    // /proc/self/stat counts ticks of a hundredth of a second (proc(5): utime, stime, cutime, cstime).
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    let ticks = |field: usize| fields[field - 2].parse::<f64>().unwrap();
    (ticks(user) + ticks(system)) / 100.0
}
