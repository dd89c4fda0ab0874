//! Commands that run on this machine before an image is built. They run in the build context; the directory as they
//! leave it is the context of the build.
//! directory becomes the new one.

use wake_model::action::{Command, Invocation};
use wake_model::{OutputDecl, OutputKind, Outputs, RelPath};
use wake_steps::step::{Root, Terms};
use wake_steps::{Inputs, Step};

use super::{Lowering, WORK, nobody, shell_args, work};
use crate::site::Lowered;

impl Lowering<'_, '_> {
    pub(super) fn prolog(&self) -> Lowered<Step> {
        let build = self.site.build(self.number);
        let lines = build.prolog.as_deref().unwrap_or_default();
        let mut script = "set -e\n".to_owned();
        script.push_str(&self.site.plan.variables_file(build).unwrap_or_default());
        for line in lines {
            script.push_str(line);
            script.push('\n');
        }
        let mut inputs = Inputs::default();
        self.place_context(&mut inputs, "", &RelPath::root())?;
        let env = wake_exec::DEFAULT_ENV.iter();
        let env = env.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let whole = OutputDecl { path: RelPath::root(), kind: OutputKind::Dir };
        Ok(Step {
            command: Command::Run(Invocation {
                program: "/bin/bash".to_owned(),
                args: shell_args(script),
                env,
                stdin: String::new(),
                cwd: format!("/{WORK}"),
            }),
            root: Root::Host,
            work: work(),
            inputs,
            own_dirs: Vec::new(),
            outputs: Outputs::Tree(vec![whole]),
            user: nobody(),
            network: self.network(),
            terms: Terms { on_disk: true, ..Terms::default() },
        })
    }
}
