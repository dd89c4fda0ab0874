//! `wake image`

use std::fs;
use std::io::{self, Write};

use serde_json::json;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_velocity::catalog::Generation;
use wake_velocity::plan::{Build, Plan};
use wake_velocity::script::Backend;
use wake_velocity::skeleton;
use wake_velocity::solve::{Solution, available, check_needs};

use crate::args::{AddedArgs, ImageArgs, ImageCommand, ImageFormat};
use crate::command::{image_build, image_look, stored_image};
use crate::environment::Environment;
use crate::exit::{Exit, Outcome};
use crate::images::{self, Images, Resolve};
use crate::print;
use crate::settings::Settings;
use crate::terminal::escape;

/// The maximum number of lines of a dependency tree, in which shared dependencies are repeated.
const MOST_LINES: usize = 1000;

/// Runs a `wake image` subcommand.
pub(crate) fn run(
    args: &ImageArgs,
    settings: &Settings,
    environment: &Environment,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let read = |added: Option<&AddedArgs>| images::read(args, added, settings, environment);
    match &args.command {
        ImageCommand::Avail { names } => avail(&read(None)?, names, out),
        ImageCommand::Spec { targets } => spec(&read(None)?, targets, out),
        ImageCommand::Plan { targets, format, added } => {
            plan(&read(Some(added))?, targets, *format, out)
        }
        ImageCommand::Script { targets, name, leave_tags, added } => {
            let images = read(Some(added))?;
            let (_, plan) = images.plan(targets, name.as_deref())?;
            script(&images, &plan, *leave_tags, out)
        }
        ImageCommand::Build(build) if build.dry_run => {
            let images = read(Some(&build.added))?;
            // Without an engine, the dry run shows the backend's commands, as Velocity does.
            let engine = match &build.engine {
                Some(_) => image_build::backend(build)?,
                None => images.backend().unwrap_or(Backend::Wake),
            };
            let name = build.name.as_deref();
            let resolved = images.resolved(&build.targets, name, engine, Resolve::Known)?;
            // Like Velocity, which does not list the tags it would remove here.
            let is_first = images.catalog.generation == Generation::First;
            script(&images, &resolved.plan, build.leave_tags || is_first, out)
        }
        ImageCommand::Build(build) => {
            image_build::build(build, &read(Some(&build.added))?, settings, environment, out)
        }
        ImageCommand::Why { targets, reach, json, added } => {
            image_look::explain(targets, *reach, *json, &read(Some(added))?, settings, out)
        }
        ImageCommand::Shell { targets, before, command, reach, added } => {
            image_look::enter(targets, *before, command, *reach, &read(Some(added))?, settings)
        }
        ImageCommand::Lock { targets, update, added } => {
            image_build::lock(targets, *update, &read(Some(added))?, settings, say)
        }
        ImageCommand::Stored(command) => stored_image::run(command, settings, out, say),
        ImageCommand::Create { name, version } => {
            create(&read(None)?, name, version, settings, say)
        }
    }
}

/// Writes the heading of the first generation.
fn heading(images: &Images<'_>, out: &mut impl Write) -> io::Result<()> {
    let setting = &images.catalog.setting;
    if images.catalog.generation == Generation::First {
        writeln!(out, "==> System: {}", escape::line(&setting.system))?;
        writeln!(out, "==> Backend: {}", escape::line(&setting.backend))?;
        writeln!(out, "==> Distro: {}\n", escape::line(&setting.distro))?;
    }
    Ok(())
}

fn avail(images: &Images<'_>, names: &[String], out: &mut impl Write) -> Outcome {
    check_needs(&images.catalog).map_err(images::unsolved)?;
    heading(images, out)?;
    for (name, versions) in available(&images.catalog) {
        if names.is_empty() || names.iter().any(|one| one == name) {
            writeln!(out, "==> {}", escape::line(name))?;
            for image in versions {
                writeln!(out, "\t{}", escape::line(&image.version))?;
            }
        }
    }
    writeln!(out)?;
    Ok(Exit::SUCCESS)
}

fn spec(images: &Images<'_>, targets: &[String], out: &mut impl Write) -> Outcome {
    let solution = images.solve(targets)?;
    heading(images, out)?;
    let mut lines = 0;
    let is_top = |number: &usize| solution.needs.iter().all(|needs| !needs.contains(number));
    for top in (0..solution.images.len()).filter(is_top) {
        draw(images, &solution, top, 0, &mut lines, out)?;
    }
    writeln!(out)?;
    Ok(Exit::SUCCESS)
}

/// Draws an image and its dependencies, sorted by name in reverse.
fn draw(
    images: &Images<'_>,
    solution: &Solution,
    number: usize,
    depth: usize,
    lines: &mut usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let label = solution.images[number].label(images.catalog.generation);
    let lead = if depth == 0 { "> " } else { "^" };
    writeln!(out, "  {}{lead}{}", "   ".repeat(depth), escape::line(&label))?;
    *lines += 1;
    let mut needs = solution.needs[number].clone();
    needs.sort_by_key(|&need| std::cmp::Reverse(&solution.images[need].name));
    for need in needs {
        if *lines >= MOST_LINES {
            return writeln!(out, "  {}...", "   ".repeat(depth + 1));
        }
        draw(images, solution, need, depth + 1, lines, out)?;
    }
    Ok(())
}

fn plan(
    images: &Images<'_>,
    targets: &[String],
    format: ImageFormat,
    out: &mut impl Write,
) -> Outcome {
    let (solution, plan) = images.plan(targets, None)?;
    if format == ImageFormat::Json {
        return print::json(&as_json(&solution, &plan), out);
    }
    for build in &plan.builds {
        let label = build.image.label(plan.generation);
        writeln!(out, "{}  {}", build.id.0.short(12), escape::line(&label))?;
    }
    writeln!(out, "{}", escape::line(&plan.name))?;
    Ok(Exit::SUCCESS)
}

fn as_json(solution: &Solution, plan: &Plan) -> serde_json::Value {
    let build = |(number, build): (usize, &Build)| {
        let needs = solution.needs[number].iter().map(|&need| plan.builds[need].id.to_string());
        let context = build.context.iter().map(|file| {
            json!({
                "path": file.path, "executable": file.executable, "digest": file.digest.to_string()
            })
        });
        json!({
            "id": build.id.to_string(),
            "image": build.image.name,
            "version": build.image.version,
            "declared": build.image.at.to_string(),
            "template": build.template_file,
            "needs": needs.collect::<Vec<_>>(),
            "arguments": build.identity.arguments,
            "context": context.collect::<Vec<_>>(),
            "prolog": build.prolog,
            "name": build.name,
            "dir": build.dir,
            "script": build.script,
            "build": build.build,
        })
    };
    json!({
        "backend": plan.backend.to_string(),
        "name": plan.name,
        "builds": plan.builds.iter().enumerate().map(build).collect::<Vec<_>>(),
        "finish": plan.finish(false),
    })
}

/// Prints what would be written and run, as in Velocity's dry run.
fn script(images: &Images<'_>, plan: &Plan, leave_tags: bool, out: &mut impl Write) -> Outcome {
    heading(images, out)?;
    writeln!(out, "==> Build Order:")?;
    for build in &plan.builds {
        writeln!(out, "\t{}", escape::line(&build.image.label(plan.generation)))?;
    }
    writeln!(out)?;
    for build in &plan.builds {
        one_script(plan, build, out)?;
    }
    for command in plan.finish(leave_tags) {
        writeln!(out, "==> {}", escape::line(&command))?;
    }
    Ok(Exit::SUCCESS)
}

fn one_script(plan: &Plan, build: &Build, out: &mut impl Write) -> io::Result<()> {
    let (id, dir) = (build.id.0.short(12), &build.dir);
    let label = build.image.label(plan.generation);
    writeln!(out, "==> {id}: BUILD {} --DRY-RUN ...", escape::line(&label))?;
    if !build.context.is_empty() {
        writeln!(out, "==> {id}: COPYING FILES ...")?;
        for file in &build.context {
            let line = format!("FILE: {} -> {dir}/{}", file.source, file.path);
            writeln!(out, "\t{}", escape::line(&line))?;
        }
    }
    writeln!(out, "==> {id}: GENERATING SCRIPT ...")?;
    writeln!(out, "\tSCRIPT: {}", escape::line(&format!("{dir}/script")))?;
    indented(&build.script, out)?;
    let prolog = if build.prolog.is_some() { "RUNNING PROLOG ... && " } else { "" };
    writeln!(out, "==> {id}: {prolog}BUILDING ...")?;
    indented(&build.build, out)?;
    writeln!(out, "==> {id}: IMAGE {} ({})\n", escape::line(&build.name), escape::line(&label))
}

/// Writes the lines of a script, unescaped: the output stream escapes them for terminals.
fn indented(text: &str, out: &mut impl Write) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "\t{line}"))
}

fn create(
    images: &Images<'_>,
    name: &str,
    version: &str,
    settings: &Settings,
    say: &mut impl Write,
) -> Outcome {
    let is_name = |name: &str| {
        !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '@', '"', '\\', '\n'])
    };
    if let Some(wrong) = [name, version].into_iter().find(|text| !is_name(text)) {
        let message = format!("`{wrong}` is not a valid name of an image directory");
        return Err(Diagnostic::error(Class::Usage, message).into());
    }
    let Some(root) = images.roots.first() else { return Ok(Exit::SUCCESS) };
    let (generation, setting) = (images.catalog.generation, &images.catalog.setting);
    let files = skeleton::files(generation, setting, name, version);
    let path = |path: &str| settings.cwd.join(root).join(path);
    if let Some((taken, _)) = files.iter().find(|(file, _)| path(file).exists()) {
        let message = format!("`{root}/{taken}` already exists");
        return Err(Diagnostic::error(Class::Usage, message).into());
    }
    for (file, text) in &files {
        let path = path(file);
        let failed = |error: io::Error| {
            Diagnostic::error(Class::Environment, format!("`{}`: {error}", path.display()))
        };
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(failed)?;
        }
        fs::write(&path, text).map_err(failed)?;
        writeln!(say, "{}", escape::line(&format!("{root}/{file}")))?;
    }
    Ok(Exit::SUCCESS)
}
