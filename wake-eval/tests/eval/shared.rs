//! Modules of one package file, evaluated in sequence by one worker: the results must be the same as for each one
//! alone.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use wake_eval::{Answer, Answers, EvalError, Evaluated, Limits, Op, Request};

use crate::case::Dependencies;
use crate::{pool_with, trial};

/// Values in scopes outside the module functions, each used by some modules.
const PKG: &str = "-- PKG.libsonnet --
local late = { value: import './late.libsonnet', text: importstr './late.txt' };
local said(value) = std.trace('said', value);
function(wake)
  local level = wake.ref('input.level'), flag = wake.ref('modules.dep.output.flag');
  local listed = wake.dir('src'), other = wake.dir('other'), failing = error 'no value';
  local listing(name, files) = function(wake, pkg) wake.module(name, inputs=function(wake, module) { files: files });
  wake.pkg(wake.pkgInfo('app', '1.0.0'), modules={
    a: function(wake, pkg) wake.module('a', inputs=function(wake, module) { late: late.value, sees: wake.dir('src') }),
    b: listing('b', listed),
    c: listing('c', [listed, other]),
    d: function(wake, pkg) wake.module('d', inputs=function(wake, module) { late: late }),
    one: function(wake, pkg) wake.module('one', modules={ dep: pkg.modules.a() }, inputs=function(wake, module) { flag: flag }),
    two: function(wake, pkg) wake.module('two', modules={ dep: pkg.modules.b() }, inputs=function(wake, module) { flag: flag }),
    level: function(inner, pkg) inner.module('level', inputs=function(inner, module) { level: level, again: wake.ref('input.level') }),
    own: function(inner, pkg, config={ opt: wake.pkgInfo('x', '1.0.0').name }) inner.module('own', files=function(inner, module) [wake.own('./tool')]),
    outer: function(inner, pkg) wake.module('outer', exec=wake.exec('./tool')),
    fails: function(wake, pkg) wake.module('fails', inputs=function(wake, module) { x: failing }),
    says: function(wake, pkg) wake.module('says', inputs=function(wake, module) { x: said(1) }),
    needs: function(wake, pkg, config) wake.module('needs', label=config.src),
    wrong: function(wake, pkg) 3,
    last: function(wake, pkg) wake.module('last'),
  })
-- late.libsonnet --
'late'
-- late.txt --
text
-- tool --
-- src/a.c --
-- other/b.c --
";

const NAMES: [&str; 14] = [
    "a", "b", "c", "d", "one", "two", "level", "own", "outer", "fails", "says", "needs", "wrong",
    "last",
];

pub(crate) fn trials() -> Vec<Trial> {
    let forth = || NAMES.to_vec();
    let back = || NAMES.into_iter().rev().collect::<Vec<_>>();
    vec![
        trial("shared/in order", move || as_alone(&forth())),
        trial("shared/in reverse order", move || as_alone(&back())),
        trial("shared/each twice", move || as_alone(&[forth(), forth(), back()].concat())),
        trial("shared/a few unrelated ones", || as_alone(&["b", "a", "c", "d", "last", "c", "b"])),
    ]
}

/// Answers that never change, so that a worker may keep them.
struct Lasting(Dependencies);

impl Answers for Lasting {
    fn epoch(&self) -> Option<u64> {
        Some(1)
    }

    fn pkg(&self, key: &str) -> Option<Arc<str>> {
        self.0.pkg(key)
    }

    fn module(&self, id: &Value) -> Answer {
        self.0.module(id)
    }
}

fn as_alone(names: &[&str]) -> Result<(), Failed> {
    let pool = pool_with(Limits::default());
    let mut line = pool.line();
    names.iter().for_each(|name| line.put(request(name), Lasting(dependencies()), *name));
    line.send();
    while let Some(response) = line.wait() {
        let alone = crate::pool().evaluate(&request(response.tag), &dependencies());
        compare(response.tag, response.outcome, alone)?;
    }
    Ok(())
}

fn compare(
    name: &str,
    shared: Result<Evaluated, EvalError>,
    alone: Result<Evaluated, EvalError>,
) -> Result<(), Failed> {
    match (shared, alone) {
        (Ok(shared), Ok(alone)) => {
            if (shared.value.get(), &shared.trace) != (alone.value.get(), &alone.trace) {
                return Err(
                    format!("{name} is\n{}\nand alone\n{}", shared.value, alone.value).into()
                );
            }
            match alone.reads.iter().find(|read| !shared.reads.contains(read)) {
                Some(read) => Err(format!("{name} has read {read:?} and does not say so").into()),
                None => Ok(()),
            }
        }
        (Err(shared), Err(alone)) if shared == alone => Ok(()),
        (shared, alone) => Err(format!("{name} is\n{shared:?}\nand alone\n{alone:?}").into()),
    }
}

fn request(name: &str) -> Request {
    let pkg = json!({
        "key": "@app@1.0.0",
        "pkgInfo": {"name": "app", "version": "1.0.0", "namespace": null},
        "files": ["./tool"],
        "inputs": {"level": 3},
        "pkgs": {},
        "modules": NAMES,
    });
    let (file, name, pkg) = (None, name.to_owned(), wake_model::json::text(&pkg));
    let op = Op::Module { config: None, merge: false, file, name, pkg };
    Request { pkg: "//".to_owned(), root: PKG.into(), op }
}

fn dependencies() -> Dependencies {
    let module = |name: &str, flag: &str| {
        json!([
            {"module": name, "pkg": "@app@1.0.0", "type": "module"},
            {"id": name, "inputs": {}, "outputs": {"flag": flag}},
        ])
    };
    Dependencies::from_json(json!({ "pkgs": {}, "modules": [module("a", "A"), module("b", "B")] }))
}
