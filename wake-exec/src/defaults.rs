//! What every command finds unless its job says otherwise. Source: `spec/sandbox.md`.

/// The directory that a module's command starts in, as the command sees it.
pub const WORK_DIR: &str = "/work";

/// [`WORK_DIR`] as a path below the root directory.
pub const WORK_PATH: &str = "work";

/// The home directory; it exists and is empty.
pub const HOME: &str = "/tmp/home";

/// The user number that commands see themselves as.
pub const BUILDER_UID: u32 = 1000;

/// The group number that commands see themselves as.
pub const BUILDER_GID: u32 = 1000;

/// What the user and the group of commands are called.
pub(crate) const USER: &str = "wake";

/// The host name that commands see.
pub const HOSTNAME: &str = "wake";

/// The time that tools which honour it write into what they make: 1980-01-02T00:00:00Z, which zip can
/// hold in every time zone.
pub const SOURCE_DATE_EPOCH: &str = "315619200";

/// The variables that are set where a job's own environment does not set them.
pub const DEFAULT_ENV: &[(&str, &str)] = &[
    ("HOME", HOME),
    ("LANG", "C.UTF-8"),
    ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"),
    ("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH),
    ("TMPDIR", "/tmp"),
    ("TZ", "UTC"),
];

/// The variable that tells a test where it may leave a report of its cases, as JUnit writes them. Others call it so, and test
/// libraries look for it.
pub const REPORT_VARIABLE: &str = "XML_OUTPUT_FILE";

/// Where a test leaves that report, from its working directory, unless it says otherwise.
pub const REPORT_FILE: &str = ".test-report.xml";

/// System directories of the host, whatever of them exists. `/usr/local` is shown empty, because
/// the identity of the host does not cover it.
pub const SYSTEM_DIRS: &[&str] = &["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// The one time that every input has, in seconds since 1970; outputs have it as well.
pub(crate) fn input_time() -> i64 {
    SOURCE_DATE_EPOCH.parse().unwrap_or(0)
}
