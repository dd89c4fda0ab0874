//! The commands of an image, run one after another in its base, whose files they may change.

use std::collections::BTreeMap;

use wake_image::{Image, RunUser};
use wake_model::action::{Command, Invocation, User};
use wake_model::{Outputs, RelPath, Rights};
use wake_steps::step::{Fetch, Root, Terms, TreeOrigin};
use wake_steps::{Inputs, Step};
use wake_store::ware::WareCache;

use super::{Lowering, path, shell_args};
use crate::shell;
use crate::site::Lowered;

/// The name of the layer they produce.
pub(super) const LAYER: &str = "layer.tar";

/// Default variables of all container engines, and the time for builds to use.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("HOME", "/root"),
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("SOURCE_DATE_EPOCH", wake_exec::SOURCE_DATE_EPOCH),
];

impl Lowering<'_, '_> {
    pub(super) fn run(&self) -> Lowered<Step> {
        let build = self.site.build(self.number);
        let images = self.site.images(self.ground);
        let base = self.ground_image(&images)?;
        let (root, user) = match &base {
            None => (Root::Empty, RunUser { uid: 0, gid: 0, home: None }),
            Some(base) => {
                let from = &build.template.from.line;
                let ware = self
                    .site
                    .root(&images, base)
                    .map_err(|error| self.site.no_image(&error, from))?;
                let files = WareCache::new(&self.site.store.ware_cache_dir()).place(&ware);
                let user = RunUser::of(&base.config.config.user, &files)
                    .map_err(|error| Box::new(self.site.error(error.to_string(), &from.at)))?;
                (
                    Root::Ware {
                        fetch: Fetch { ware, from: Vec::new() },
                        origin: TreeOrigin::Named,
                    },
                    user,
                )
            }
        };
        let mut env: BTreeMap<String, String> =
            ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        if user.uid != 0 || user.home.is_some() {
            let home = user.home.clone().unwrap_or_else(|| "/".to_owned());
            env.insert("HOME".to_owned(), home);
        }
        env.extend(base.as_ref().map(variables).unwrap_or_default());
        let (arguments, _) = super::arguments(self.site, build);
        let declared = build.template.argument_names().into_iter();
        env.extend(
            declared.filter_map(|name| Some((name.to_owned(), arguments.get(name)?.clone()))),
        );
        let dir = base.as_ref().map_or("", |base| base.config.config.working_dir.as_str());
        let cwd = if dir.is_empty() { "/".to_owned() } else { dir.to_owned() };
        let hostname = wake_exec::HOSTNAME.to_owned();
        Ok(Step {
            command: Command::Run(Invocation {
                program: "/bin/sh".to_owned(),
                args: shell_args(shell::script(&build.template.run)),
                env,
                stdin: String::new(),
                cwd,
            }),
            root,
            work: RelPath::root(),
            inputs: Inputs::default(),
            own_dirs: Vec::new(),
            outputs: Outputs::Layer(path(LAYER)),
            user: User { uid: user.uid, gid: user.gid, hostname, rights: rights_of(&user) },
            network: self.network(),
            terms: Terms { on_disk: true, ..Terms::default() },
        })
    }
}

/// As in container engines, only user 0 has rights over files of other users.
fn rights_of(user: &RunUser) -> Rights {
    if user.uid == 0 { Rights::Owners } else { Rights::Users }
}

/// The variables that an image sets for its commands.
pub(super) fn variables(image: &Image) -> BTreeMap<String, String> {
    let lines = image.config.config.env.iter();
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
