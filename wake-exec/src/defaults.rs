//! Defaults for every command unless its job overrides them. Source: `spec/sandbox.md`.

/// The directory in which a module's command starts, as the command sees it.
pub const WORK_DIR: &str = "/work";

/// [`WORK_DIR`] as a path below the root directory.
pub const WORK_PATH: &str = "work";

/// The home directory; it exists and is empty.
pub const HOME: &str = "/tmp/home";

/// The user ID that commands see as their own.
pub const BUILDER_UID: u32 = 1000;

/// The group ID that commands see as their own.
pub const BUILDER_GID: u32 = 1000;

/// The name of the commands' user and group.
pub(crate) const USER: &str = "wake";

/// The host name that commands see.
pub const HOSTNAME: &str = "wake";

/// The timestamp that tools write into their output if they support `SOURCE_DATE_EPOCH`: 1980-01-02T00:00:00Z, which
/// zip archives can represent in every time zone.
pub const SOURCE_DATE_EPOCH: &str = "315619200";

/// Variables that are set unless a job's own environment sets them.
pub const DEFAULT_ENV: &[(&str, &str)] = &[
    ("HOME", HOME),
    ("LANG", "C.UTF-8"),
    ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"),
    ("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH),
    ("TMPDIR", "/tmp"),
    ("TZ", "UTC"),
];

/// The variable that tells a test where to write a JUnit XML report of its cases. Test libraries look for this name.
pub const REPORT_VARIABLE: &str = "XML_OUTPUT_FILE";

/// Where a test writes that report, relative to its working directory, unless told otherwise.
pub const REPORT_FILE: &str = ".test-report.xml";

/// System directories of the host; those that exist are shown. `/usr/local` is shown empty, because the identity of the
/// host does not cover it.
pub const SYSTEM_DIRS: &[&str] = &["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// The modification time of every input and output, in seconds since 1970.
pub(crate) fn input_time() -> i64 {
    SOURCE_DATE_EPOCH.parse().unwrap_or(0)
}
