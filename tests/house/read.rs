//! Reads the modules of a crate from its sources.

use proc_macro2::TokenTree;
use syn::{Attribute, Item, ItemMod, ItemUse};

use crate::mention;
use crate::module::{Crate, Module, ModuleId, Names, Path, Place, ROOT};
use crate::sources::Sources;
use crate::test_only::{is_test_only, own_attributes};
use crate::use_tree::{Taken, leaves};

/// Reads a crate from the file of its root; the error names the file that cannot be read, and why.
pub(crate) fn read(name: &str, root: &str, sources: &dyn Sources) -> Result<Crate, String> {
    let mut reading = Reading { of: Crate { name: name.to_owned(), modules: Vec::new() }, sources };
    let dir = dir_of(root).to_owned();
    let declared = Place { file: root.to_owned(), line: 1 };
    let id = reading.begin(None, None, root, declared);
    reading.file(id, &dir)?;
    Ok(reading.of)
}

struct Reading<'s> {
    of: Crate,
    sources: &'s dyn Sources,
}

impl Reading<'_> {
    fn begin(
        &mut self,
        parent: Option<ModuleId>,
        name: Option<String>,
        file: &str,
        declared: Place,
    ) -> ModuleId {
        let id = self.of.modules.len();
        let mut path = parent.map_or_else(Vec::new, |id| self.of.modules[id].path.clone());
        path.extend(name);
        self.of.modules.push(Module {
            path,
            parent,
            file: file.to_owned(),
            declared,
            rooms: Vec::new(),
            names: Names::default(),
            mentions: Vec::new(),
        });
        if let Some(parent) = parent {
            self.of.modules[parent].rooms.push(id);
        }
        id
    }

    /// Reads a module that has a file; the files of its rooms are in `dir`.
    fn file(&mut self, id: ModuleId, dir: &str) -> Result<(), String> {
        let path = self.of.modules[id].file.clone();
        let text = self.sources.text(&path).ok_or_else(|| format!("{path}: cannot be read"))?;
        let file = syn::parse_file(&text)
            .map_err(|error| format!("{path}:{}: {error}", error.span().start().line))?;
        if !is_test_only(&file.attrs) {
            self.items(id, &file.items, dir)?;
        }
        Ok(())
    }

    fn items(&mut self, id: ModuleId, items: &[Item], dir: &str) -> Result<(), String> {
        for item in items.iter().filter(|item| !is_test_only(&own_attributes(item))) {
            match item {
                Item::Mod(room) => self.room(id, room, dir)?,
                Item::Use(import) => self.import(id, import),
                _ => self.define(id, item),
            }
            self.of.modules[id].mentions.extend(mention::of(item));
        }
        Ok(())
    }

    fn room(&mut self, parent: ModuleId, item: &ItemMod, dir: &str) -> Result<(), String> {
        let name = item.ident.to_string();
        let file = self.of.modules[parent].file.clone();
        let declared = Place { file: file.clone(), line: item.ident.span().start().line };
        let dir = format!("{dir}/{name}");
        if let Some((_, items)) = &item.content {
            let id = self.begin(Some(parent), Some(name), &file, declared);
            return self.items(id, items, &dir);
        }
        let (file, dir) = match given_path(&item.attrs) {
            Some(given) => {
                let file = format!("{}/{given}", dir_of(&file));
                let dir = dir_of(&file).to_owned();
                (file, dir)
            }
            None if self.sources.text(&format!("{dir}.rs")).is_some() => (format!("{dir}.rs"), dir),
            None => (format!("{dir}/mod.rs"), dir),
        };
        let id = self.begin(Some(parent), Some(name), &file, declared);
        self.file(id, &dir)
    }

    fn import(&mut self, id: ModuleId, item: &ItemUse) {
        let names = &mut self.of.modules[id].names;
        for leaf in leaves(item) {
            match leaf.taken {
                Taken::As(name) => names.imported.entry(name).or_default().push(leaf.mention.path),
                Taken::All => names.globs.push(leaf.mention.path),
            }
        }
    }

    fn define(&mut self, id: ModuleId, item: &Item) {
        let path = &self.of.modules[id].path;
        if let Item::Macro(item) = item
            && let Some(name) = &item.ident
            && item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"))
        {
            let name = name.to_string();
            let way = ["crate".to_owned()].into_iter().chain(path.clone()).chain([name.clone()]);
            let path = Path { segments: way.collect(), external: false };
            self.of.modules[ROOT].names.imported.entry(name).or_default().push(path);
        }
        let names = &mut self.of.modules[id].names;
        match item {
            Item::Macro(item) if item.ident.is_none() => words(item.mac.tokens.clone(), names),
            Item::ExternCrate(item) => {
                let name = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
                let path = Path { segments: vec![item.ident.to_string()], external: true };
                names.imported.entry(name.to_string()).or_default().push(path);
            }
            _ => names.defined.extend(defined(item)),
        }
    }
}

fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn words(tokens: proc_macro2::TokenStream, names: &mut Names) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => words(group.stream(), names),
            TokenTree::Ident(word) => drop(names.perhaps.insert(word.to_string())),
            _ => {}
        }
    }
}

fn given_path(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let syn::Expr::Lit(value) = &attribute.meta.require_name_value().ok()?.value else {
        return None;
    };
    let syn::Lit::Str(path) = &value.lit else { return None };
    Some(path.value())
}

fn dir_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}
