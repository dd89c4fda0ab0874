//! A formula of either dialect in a common form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wake_exec::HOSTNAME;
use wake_model::MountAccess as Access;
use wake_model::action::{Rights, User};
use wake_store::ware::{AbsPath, PackFilters, PackType, WareId, Warehouse};

use crate::host_access::{DocumentPlace, Grants, HostAccess, NetworkGrant, workspace_warehouse};
use crate::repeatr::{self, Cradle, Policy};
use crate::run_error::RunError;
use crate::warpforge::{self, Action, Basis, Port};
use crate::{Dialect, Document, FormulaId, WrittenPath};

/// A formula ready to be performed.
pub(crate) struct Task {
    /// Where relative addresses start.
    pub(crate) base: PathBuf,
    pub(crate) access: HostAccess,
    pub(crate) id: FormulaId,
    pub(crate) dialect: Dialect,
    /// The inputs by path, in the order in which they are placed.
    pub(crate) inputs: BTreeMap<AbsPath, Supply>,
    pub(crate) exec: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: AbsPath,
    /// Directories that are created for the command if the inputs lack them.
    pub(crate) prepared: Vec<AbsPath>,
    pub(crate) user: User,
    pub(crate) network: bool,
    /// Whether the formula itself asks for the network.
    pub(crate) wants_network: bool,
    pub(crate) policy: Policy,
    /// The outputs, by their names in the record.
    pub(crate) outputs: BTreeMap<String, PackedOutput>,
}

/// The input at a path.
pub(crate) enum Supply {
    /// A ware, and the addresses of warehouses that may have it.
    Ware(WareId, Vec<String>),
    /// A directory of the host.
    Mount(PathBuf, Access),
    /// A file with this text.
    Text(String),
}

impl Supply {
    /// Returns whether it is a directory of the host, in which nothing can be placed.
    pub(crate) fn is_host(&self) -> bool {
        matches!(self, Supply::Mount(_, Access::ReadOnly | Access::ReadWrite))
    }
}

/// An output.
pub(crate) struct PackedOutput {
    pub(crate) path: AbsPath,
    pub(crate) packtype: PackType,
    pub(crate) filters: PackFilters,
    /// Where it is kept besides the store.
    pub(crate) keeper: Keeper,
}

/// Where an output is kept besides the store.
#[derive(Clone)]
pub(crate) enum Keeper {
    /// Nowhere.
    Nobody,
    /// In the warehouse with this address.
    Address(String),
    /// In the warehouse of the workspace around the document, a directory by hashes that is created if necessary.
    Workspace(PathBuf),
}

impl Task {
    /// Returns the task for `document`.
    pub(crate) fn of(
        document: &Document,
        place: &DocumentPlace<'_>,
        grants: Grants,
    ) -> Result<Task, RunError> {
        match document {
            Document::Repeatr(document) => Ok(of_repeatr(document, place, grants)),
            Document::Warpforge(document) => of_warpforge(document, place, grants),
        }
    }

    /// Checks that `output` may be kept in `target`, as `ware` if that is known.
    pub(crate) fn may_keep(
        &self,
        output: &PackedOutput,
        target: &Warehouse,
        ware: Option<&WareId>,
    ) -> Result<(), RunError> {
        let workspace = match &output.keeper {
            Keeper::Workspace(warehouse) => warehouse.parent(),
            Keeper::Nobody | Keeper::Address(_) => None,
        };
        self.access.save(&output.path, target, workspace, ware)
    }
}

fn of_repeatr(document: &repeatr::Document, place: &DocumentPlace<'_>, grants: Grants) -> Task {
    let cradled = document.formula.clone().cradle();
    let repeatr::Formula { inputs, action, outputs } = &cradled.formula;
    let repeatr::Context { fetch_urls, save_urls } = &document.context;
    let fetch: BTreeMap<_, _> =
        fetch_urls.iter().map(|(path, urls)| (path.place(), urls)).collect();
    let save: BTreeMap<_, _> = save_urls.iter().map(|(path, url)| (path.place(), url)).collect();
    let supply = |(path, input): (&WrittenPath, &repeatr::Input)| {
        let path = path.place();
        let supply = match input {
            repeatr::Input::Ware(ware) => {
                let urls = fetch.get(path).copied().cloned().unwrap_or_default();
                Supply::Ware(ware.clone(), urls)
            }
            repeatr::Input::Mount { access, host } => Supply::Mount(place_of(host, place), *access),
        };
        (path.clone(), supply)
    };
    let wanted = |(path, output): (&WrittenPath, &repeatr::Output)| {
        let url = save.get(path.place());
        let wanted = PackedOutput {
            path: path.place().clone(),
            packtype: output.packtype,
            filters: output.filters.apply(PackFilters::FLATTEN),
            keeper: url.map_or(Keeper::Nobody, |url| Keeper::Address((*url).clone())),
        };
        (path.to_string(), wanted)
    };
    let cwd = cradled.cwd.place();
    let home = action.userinfo.as_ref().and_then(|user| user.homedir.as_ref());
    let home = home.map(|home| home.place().clone());
    let prepared = match action.cradle {
        Cradle::Default => [cwd.clone(), shared_tmp()].into_iter().chain(home).collect(),
        Cradle::Disable => Vec::new(),
    };
    let policy = action.policy.unwrap_or(Policy::Routine);
    Task {
        base: place.base.to_owned(),
        access: HostAccess::of(place, grants),
        id: cradled.id(),
        dialect: Dialect::Repeatr,
        inputs: inputs.iter().flatten().map(supply).collect(),
        exec: action.exec.clone(),
        env: action.env.clone(),
        cwd: cwd.clone(),
        prepared,
        user: User {
            uid: cradled.uid,
            gid: cradled.gid,
            hostname: action.hostname.clone().unwrap_or_else(|| HOSTNAME.to_owned()),
            rights: match policy {
                Policy::Routine => Rights::Ordinary,
                Policy::Governor | Policy::Sysad => Rights::Owners,
            },
        },
        // The language cannot ask for it, so it depends on the grant alone.
        network: grants.network == NetworkGrant::Always,
        wants_network: false,
        policy,
        outputs: outputs.iter().flatten().map(wanted).collect(),
    }
}

/// Returns the cradle's directory in which everybody may create files.
pub(crate) fn shared_tmp() -> AbsPath {
    AbsPath::root().child("tmp")
}

fn place_of(host: &str, place: &DocumentPlace<'_>) -> PathBuf {
    place.base.join(host)
}

/// The directory of the pieces of a script.
const SCRIPT: &str = "/.warpforge.container/script";

/// The environment of every command, that of `runc spec`, which warpforge starts from.
const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("TERM", "xterm")];

fn of_warpforge(
    document: &warpforge::Document,
    place: &DocumentPlace<'_>,
    grants: Grants,
) -> Result<Task, RunError> {
    let formula = &document.formula;
    let warehouse = workspace_warehouse(place.dir);
    let mut inputs = BTreeMap::new();
    let mut env: BTreeMap<String, String> =
        ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for (port, input) in &formula.inputs {
        match (port, &input.basis) {
            (Port::Variable(name), Basis::Literal(text)) => {
                env.insert(name.clone(), text.clone());
            }
            (Port::Variable(name), basis) => {
                return Err(RunError::Assembly(format!(
                    "input `${name}` is a variable, which can hold only a literal, not `{basis}`"
                )));
            }
            (Port::Path(path), basis) => {
                let supply = supply(basis, document, place, warehouse.as_deref());
                inputs.insert(path.place().clone(), supply);
            }
        }
    }
    let (exec, pieces) = command(&formula.action)?;
    for (path, text) in pieces {
        inputs.insert(path, Supply::Text(text));
    }
    let mut outputs = BTreeMap::new();
    for (name, gather) in &formula.outputs {
        let Port::Path(path) = &gather.from else {
            return Err(RunError::Job(format!(
                "output `{name}` is taken from a variable: only paths can be packed"
            )));
        };
        let packtype = gather.packtype.unwrap_or(PackType::Tar);
        let owner = [("uid", "0"), ("gid", "0")];
        let filters = PackFilters::from_map(owner).unwrap_or(PackFilters::UNSET);
        let filters = filters.apply(PackFilters::CONSERVATIVE);
        let keeper = warehouse.clone().map_or(Keeper::Nobody, Keeper::Workspace);
        let wanted = PackedOutput { path: path.place().clone(), packtype, filters, keeper };
        outputs.insert(name.clone(), wanted);
    }
    let wants_network = formula.action.wants_network();
    Ok(Task {
        base: place.base.to_owned(),
        access: HostAccess::of(place, grants),
        id: formula.id(),
        dialect: Dialect::Warpforge,
        inputs,
        exec,
        env,
        cwd: AbsPath::root(),
        prepared: vec![AbsPath::root(), shared_tmp()],
        user: User { uid: 0, gid: 0, hostname: HOSTNAME.to_owned(), rights: Rights::Ordinary },
        network: wants_network,
        wants_network,
        policy: Policy::Routine,
        outputs,
    })
}

/// Returns an input. A ware that the context does not mention is looked for in the workspace's `warehouse`.
fn supply(
    basis: &Basis,
    document: &warpforge::Document,
    place: &DocumentPlace<'_>,
    warehouse: Option<&Path>,
) -> Supply {
    match basis {
        Basis::Ware(ware) => {
            let named = document.warehouses.get(ware).cloned();
            let own = || warehouse.map(|warehouse| format!("ca+file://{}", warehouse.display()));
            Supply::Ware(ware.clone(), named.or_else(own).into_iter().collect())
        }
        Basis::Mount { mode, host } => Supply::Mount(place_of(host, place), *mode),
        Basis::Literal(text) => Supply::Text(text.clone()),
    }
}

/// A program with its arguments, and the files that it reads besides the inputs.
type CommandLine = (Vec<String>, Vec<(AbsPath, String)>);

/// Returns the command of an action.
fn command(action: &Action) -> Result<CommandLine, RunError> {
    match action {
        Action::Echo => Err(RunError::Job("an `echo` action runs nothing".to_owned())),
        Action::Exec { command, .. } => Ok((command.clone(), Vec::new())),
        Action::Script { interpreter, contents, .. } => {
            let place = |name: String| -> Result<AbsPath, RunError> {
                format!("{SCRIPT}/{name}").parse().map_err(|_| RunError::Job("a script".to_owned()))
            };
            let mut files = Vec::new();
            let mut script = String::new();
            for (number, text) in contents.iter().enumerate() {
                let path = place(format!("entry-{number}"))?;
                script.push_str(&format!(". {path}\n"));
                files.push((path, format!("{text}\n")));
            }
            let start = place("run".to_owned())?;
            let exec = vec![interpreter.clone(), start.to_string()];
            files.push((start, script));
            Ok((exec, files))
        }
    }
}
