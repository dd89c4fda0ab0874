//! `program`: a program of the command's root file system.

use jrsonnet_evaluator::{ObjValueBuilder, Result, Val};

use super::call::{Call, Param, Spec};
use crate::engine::note::refuse;

pub(crate) static PROGRAM: Spec =
    Spec { name: "wake.program", params: &[Param::required("name")], member: true, run: program };

fn program(call: &Call<'_>) -> Result<Val> {
    let name = call.required_text("name")?;
    if name.contains('/') {
        refuse!(
            call.fault("name", "is looked up in the directories of `PATH`, and must not be a path")
                .hint("write the path of a program of the package: wake.exec('./tool')")
        );
    }
    let fits = |c: char| !c.is_whitespace() && !c.is_control();
    if name.is_empty() || matches!(name.as_str(), "." | "..") || !name.chars().all(fits) {
        refuse!(
            call.fault("name", "must be the name of a program, without spaces").hint(
                "pass arguments in `args`: wake.exec(wake.program('cc'), args=['-c', 'x.c'])"
            )
        );
    }
    let mut builder = ObjValueBuilder::with_capacity(2);
    builder.field("type").value("program");
    builder.field("name").value(name);
    Ok(Val::Obj(builder.build()))
}
