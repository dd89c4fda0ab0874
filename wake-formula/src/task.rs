//! What a formula of either dialect asks for, in one form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wake_exec::HOSTNAME;
use wake_model::MountAccess as Access;
use wake_model::action::User;
use wake_store::ware::{AbsPath, PackFilters, PackType, WareId};

use crate::repeatr::{self, Cradle, Policy};
use crate::run_error::RunError;
use crate::warpforge::{self, Action, Basis, Port};
use crate::{Dialect, Document, FormulaId};

/// A formula ready to be carried out.
pub(crate) struct Task {
    /// Where relative addresses start.
    pub(crate) base: PathBuf,
    pub(crate) id: FormulaId,
    pub(crate) dialect: Dialect,
    /// What stands where, in the order in which it is put there.
    pub(crate) inputs: BTreeMap<AbsPath, Supply>,
    pub(crate) exec: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: AbsPath,
    /// Directories that the command gets if the inputs do not have them.
    pub(crate) prepared: Vec<AbsPath>,
    pub(crate) user: User,
    pub(crate) network: bool,
    /// What it asks for beyond `routine`.
    pub(crate) policy: Option<Policy>,
    /// By the name under which the result stands in the record.
    pub(crate) outputs: BTreeMap<String, PackedOutput>,
}

/// What stands at a path.
pub(crate) enum Supply {
    /// A ware, and the addresses of warehouses that may have it.
    Ware(WareId, Vec<String>),
    /// A directory of the host.
    Mount(PathBuf, Access),
    /// A file with this text.
    Text(String),
}

impl Supply {
    /// Whether it is the host's own directory, in which nothing can be put.
    pub(crate) fn is_host(&self) -> bool {
        matches!(self, Supply::Mount(_, Access::ReadOnly | Access::ReadWrite))
    }
}

/// What is kept of a path.
pub(crate) struct PackedOutput {
    pub(crate) path: AbsPath,
    pub(crate) packtype: PackType,
    pub(crate) filters: PackFilters,
    /// The address of the warehouse that keeps it.
    pub(crate) save: Option<String>,
}

impl Task {
    /// What `document` asks for; relative paths of mounts start at `base`.
    pub(crate) fn of(document: &Document, base: &Path) -> Result<Task, RunError> {
        match document {
            Document::Repeatr(document) => of_repeatr(document, base),
            Document::Warpforge(document) => of_warpforge(document, base),
        }
    }
}

fn of_repeatr(document: &repeatr::Document, base: &Path) -> Result<Task, RunError> {
    let cradled = document.formula.clone().cradle();
    let repeatr::Formula { inputs, action, outputs } = &cradled.formula;
    let context = &document.context;
    let supply = |(path, input): (&AbsPath, &repeatr::Input)| {
        let supply = match input {
            repeatr::Input::Ware(ware) => {
                let urls = context.fetch_urls.get(path).cloned().unwrap_or_default();
                Supply::Ware(ware.clone(), urls)
            }
            repeatr::Input::Mount { access, host } => Supply::Mount(base.join(host), *access),
        };
        (path.clone(), supply)
    };
    let wanted = |(path, output): (&AbsPath, &repeatr::Output)| {
        let wanted = PackedOutput {
            path: path.clone(),
            packtype: output.packtype,
            filters: output.filters.apply(PackFilters::FLATTEN),
            save: context.save_urls.get(path).cloned(),
        };
        (path.to_string(), wanted)
    };
    let home = action.userinfo.as_ref().and_then(|user| user.homedir.clone());
    let prepared = match action.cradle {
        Cradle::Default => std::iter::once(cradled.cwd.clone()).chain(home).collect(),
        Cradle::Disable => Vec::new(),
    };
    Ok(Task {
        base: base.to_owned(),
        id: cradled.id(),
        dialect: Dialect::Repeatr,
        inputs: inputs.iter().flatten().map(supply).collect(),
        exec: action.exec.clone(),
        env: action.env.clone(),
        cwd: cradled.cwd.clone(),
        prepared,
        user: User {
            uid: cradled.uid,
            gid: cradled.gid,
            hostname: action.hostname.clone().unwrap_or_else(|| HOSTNAME.to_owned()),
        },
        network: false,
        policy: action.policy.filter(|policy| *policy > Policy::Routine),
        outputs: outputs.iter().flatten().map(wanted).collect(),
    })
}

/// Where the pieces of a script lie.
const SCRIPT: &str = "/.script";

fn of_warpforge(document: &warpforge::Document, base: &Path) -> Result<Task, RunError> {
    let formula = &document.formula;
    let mut inputs = BTreeMap::new();
    let mut env = BTreeMap::new();
    for (port, input) in &formula.inputs {
        match (port, &input.basis) {
            (Port::Variable(name), Basis::Literal(text)) => {
                env.insert(name.clone(), text.clone());
            }
            (Port::Variable(name), basis) => {
                return Err(RunError::Assembly(format!(
                    "input `${name}` is a variable, which can hold a literal and not `{basis}`"
                )));
            }
            (Port::Path(path), basis) => {
                inputs.insert(path.clone(), supply(basis, document, base));
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
        let wanted = PackedOutput { path: path.clone(), packtype, filters, save: None };
        outputs.insert(name.clone(), wanted);
    }
    Ok(Task {
        base: base.to_owned(),
        id: formula.id(),
        dialect: Dialect::Warpforge,
        inputs,
        exec,
        env,
        cwd: AbsPath::root(),
        prepared: vec![AbsPath::root()],
        user: User { uid: 0, gid: 0, hostname: HOSTNAME.to_owned() },
        network: formula.action.wants_network(),
        policy: None,
        outputs,
    })
}

fn supply(basis: &Basis, document: &warpforge::Document, base: &Path) -> Supply {
    match basis {
        Basis::Ware(ware) => {
            let urls = document.warehouses.get(ware).cloned().into_iter().collect();
            Supply::Ware(ware.clone(), urls)
        }
        Basis::Mount { mode, host } => Supply::Mount(base.join(host), *mode),
        Basis::Literal(text) => Supply::Text(text.clone()),
    }
}

/// A program with its arguments, and the files that it reads beside the inputs.
type CommandLine = (Vec<String>, Vec<(AbsPath, String)>);

/// The command of an action.
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
                files.push((path, text.clone()));
            }
            let start = place("run".to_owned())?;
            let exec = vec![interpreter.clone(), start.to_string()];
            files.push((start, script));
            Ok((exec, files))
        }
    }
}
