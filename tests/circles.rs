//! No circles between the files of a crate, as there are none between crates.
//!
//! File A needs file B when A names an item that B defines, through whatever re-exports, or calls a method that B adds
//! to the type of another file. Declaring a module and re-exporting from it needs nothing: that is a table of contents.
//! Tests do not count. Calls are known by the method's name, so a name that several files define is passed over.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of Rust's many kinds of items few matter here"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    slice,
};

use syn::{
    Attribute, File, Item, ItemImpl, ItemUse, Meta, UseTree, Visibility,
    visit::{self, Visit},
};

/// The path of a module from the root of its crate; the root's own is empty.
type Module = Vec<String>;

/// A crate as names: its modules, and what each defines and imports.
#[derive(Default)]
struct Names {
    modules: BTreeMap<Module, Scope>,
}

/// What a module's names mean.
#[derive(Default)]
struct Scope {
    file: PathBuf,
    items: Vec<Item>,
    defined: BTreeSet<String>,
    /// Imported names, each with the path that it stands for.
    imported: BTreeMap<String, Vec<String>>,
    /// Modules of which everything is imported.
    globs: Vec<Vec<String>>,
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => {
            list.path.is_ident("cfg") && list.tokens.to_string().starts_with("test")
        }
        _ => false,
    })
}

/// Each name that a `use` brings into scope, with the path that it stands for; `*` for everything.
fn imports(tree: &UseTree, before: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let with = |name: String| [before, &[name]].concat();
    match tree {
        UseTree::Path(path) => imports(&path.tree, &with(path.ident.to_string()), found),
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.last().cloned().unwrap_or_default(), before.to_vec()));
        }
        UseTree::Name(name) => {
            found.push((name.ident.to_string(), with(name.ident.to_string())));
        }
        UseTree::Rename(rename) => {
            found.push((rename.rename.to_string(), with(rename.ident.to_string())));
        }
        UseTree::Glob(_) => found.push(("*".into(), before.to_vec())),
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| imports(tree, before, found));
        }
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(name.to_string())
}

impl Names {
    /// Reads the crate of which `root` is the first file.
    fn read(root: &Path) -> Self {
        let mut names = Self::default();
        let text = fs::read_to_string(root).unwrap();
        let file: File = syn::parse_file(&text).unwrap();
        names.enter(Vec::new(), root, root.parent().unwrap(), file.items);
        names
    }

    /// Takes up a module; `beneath` is the folder of its children's files.
    fn enter(&mut self, module: Module, file: &Path, beneath: &Path, items: Vec<Item>) {
        let mut scope = Scope { file: file.to_owned(), ..Scope::default() };
        for item in items {
            match item {
                Item::Mod(item) if is_for_tests(&item.attrs) => {}
                Item::Mod(item) => {
                    let name = item.ident.to_string();
                    let child = [module.as_slice(), slice::from_ref(&name)].concat();
                    let folder = beneath.join(&name);
                    if let Some((_, items)) = item.content {
                        self.enter(child, file, &folder, items);
                        continue;
                    }
                    let file = [folder.with_extension("rs"), folder.join("mod.rs")]
                        .into_iter()
                        .find(|file| file.exists())
                        .unwrap_or_else(|| panic!("{} is not there", folder.display()));
                    let text = fs::read_to_string(&file).unwrap();
                    let items = syn::parse_file(&text).unwrap().items;
                    self.enter(child, &file, &folder, items);
                }
                Item::Use(item) => scope.import(&item),
                item => {
                    scope.defined.extend(name_of(&item));
                    scope.items.push(item);
                }
            }
        }
        self.modules.insert(module, scope);
    }

    /// The file that defines what `path` names when it is said in `module`; none for what is another crate's.
    fn definer(&self, module: &Module, path: &[String]) -> Option<&Path> {
        self.resolve(module, path, true, 0)
    }

    fn resolve(
        &self,
        module: &Module,
        path: &[String],
        is_first: bool,
        depth: usize,
    ) -> Option<&Path> {
        let scope = self.modules.get(module)?;
        let Some((name, rest)) = path.split_first() else { return Some(&scope.file) };
        if depth > 32 {
            return None;
        }
        let child = [module.as_slice(), slice::from_ref(name)].concat();
        match name.as_str() {
            "crate" if is_first => self.resolve(&Vec::new(), rest, false, depth + 1),
            "self" if is_first => self.resolve(module, rest, true, depth + 1),
            "super" if is_first => {
                let above = module.split_last()?.1.to_vec();
                let is_first = rest.first().is_some_and(|name| name == "super");
                self.resolve(&above, rest, is_first, depth + 1)
            }
            _ if self.modules.contains_key(&child) => self.resolve(&child, rest, false, depth + 1),
            _ if scope.defined.contains(name) => Some(&scope.file),
            _ => match scope.imported.get(name) {
                Some(stands_for) => {
                    let path = [stands_for.as_slice(), rest].concat();
                    self.resolve(module, &path, true, depth + 1)
                }
                None => scope.globs.iter().find_map(|glob| {
                    let path = [glob.as_slice(), path].concat();
                    self.resolve(module, &path, true, depth + 1)
                }),
            },
        }
    }

    /// Which files each file needs.
    fn needs(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let mut needs: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
        let named = self.modules.iter().map(|(module, scope)| {
            let mut named = Named::default();
            scope.items.iter().for_each(|item| named.visit_item(item));
            (module, scope.file.as_path(), named)
        });
        let named: Vec<_> = named.collect();
        let methods = self.added_methods(&named);
        for (module, file, named) in &named {
            let definers = named.paths.iter().filter_map(|path| self.definer(module, path));
            let calls = named.calls.iter().filter_map(|call| methods.get(call.as_str()).copied());
            needs.entry(file).or_default().extend(definers.chain(calls));
        }
        for (file, needed) in &mut needs {
            needed.remove(file);
        }
        needs
    }

    /// Methods that a file adds to the type of another, by name, with that file.
    fn added_methods<'a, 'n>(
        &'a self,
        named: &'n [(&Module, &'a Path, Named)],
    ) -> BTreeMap<&'n str, &'a Path> {
        let mut found: BTreeMap<&str, (&Path, bool)> = BTreeMap::new();
        for (module, file, named) in named {
            for (owner, method) in &named.methods {
                let is_added = self.definer(module, owner).is_some_and(|definer| definer != *file);
                let known = found.entry(method).or_insert((file, is_added));
                known.1 &= is_added && known.0 == *file;
            }
        }
        let added = found.into_iter().filter(|(_, (_, is_added))| *is_added);
        added.map(|(method, (file, _))| (method, file)).collect()
    }
}

impl Scope {
    fn import(&mut self, item: &ItemUse) {
        if is_for_tests(&item.attrs) {
            return;
        }
        let mut found = Vec::new();
        imports(&item.tree, &[], &mut found);
        for (name, path) in found {
            if name == "*" {
                self.globs.push(path);
            } else {
                self.imported.insert(name, path);
            }
        }
    }
}

/// What items name: paths, the methods that they call, and the methods that they define with the types of these.
#[derive(Default)]
struct Named {
    paths: BTreeSet<Vec<String>>,
    calls: BTreeSet<String>,
    methods: BTreeSet<(Vec<String>, String)>,
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if let syn::Type::Path(owner) = &*item.self_ty {
            let owner = segments(&owner.path);
            for method in &item.items {
                let syn::ImplItem::Fn(method) = method else { continue };
                self.methods.insert((owner.clone(), method.sig.ident.to_string()));
            }
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.calls.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = segments(path);
        if let [_, .., last] = segments.as_slice() {
            self.calls.insert(last.clone());
        }
        self.paths.insert(segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        // What a macro is given need not be Rust; most of it is a list of expressions.
        let list = syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
        if let Ok(given) = call.parse_body_with(list) {
            given.iter().for_each(|expression| self.visit_expr(expression));
        }
        visit::visit_macro(self, call);
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

/// Each need that is part of a circle: whoever is needed needs, through others or not, the one that needs it.
fn circles<'a>(needs: &BTreeMap<&'a Path, BTreeSet<&'a Path>>) -> Vec<(&'a Path, &'a Path)> {
    let reached = |from: &'a Path| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            let needed = needs.get(file).into_iter().flatten().copied();
            next.extend(needed.filter(|file| reached.insert(*file)));
        }
        reached
    };
    let edges = needs.iter().flat_map(|(from, all)| all.iter().map(|to| (*from, *to)));
    edges.filter(|(from, to)| reached(to).contains(from)).collect()
}

fn crates() -> Vec<(String, PathBuf)> {
    let house = Path::new(super::house::ROOT);
    let mut found = Vec::new();
    let folders = fs::read_dir(house.join("crates")).unwrap().map(|entry| entry.unwrap().path());
    for folder in folders.chain([house.join("certs")]) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let source = folder.join("src");
        let root = ["lib.rs", "main.rs"].map(|file| source.join(file));
        found.extend(root.into_iter().find(|file| file.exists()).map(|root| (name, root)));
    }
    found.sort();
    found
}

/// The needs of a crate that are part of circles, one on each line.
fn told(root: &Path) -> String {
    let names = Names::read(root);
    let source = root.parent().unwrap();
    let mut told = String::new();
    for (from, to) in circles(&names.needs()) {
        let [from, to] = [from, to].map(|file| file.strip_prefix(source).unwrap().display());
        writeln!(told, "{from} -> {to}").unwrap();
    }
    told
}

#[test]
fn no_two_files_of_a_crate_need_each_other() {
    let crates = crates();
    assert!(crates.len() > 10, "only {} crates were found", crates.len());
    for (name, root) in crates {
        let told = told(&root);
        assert!(told.is_empty(), "files of {name} need each other:\n{told}");
    }
}

#[test]
fn two_files_that_need_each_other_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let told_of = |first: &str, second: &str| {
        let root = dir.path().join("lib.rs");
        fs::write(&root, "mod first; mod second; pub use first::First;").unwrap();
        fs::write(dir.path().join("first.rs"), first).unwrap();
        fs::write(dir.path().join("second.rs"), second).unwrap();
        told(&root)
    };
    let both = "first.rs -> second.rs\nsecond.rs -> first.rs\n";
    let first = "pub struct First(crate::second::Second);";
    assert_eq!(told_of(first, "pub struct Second;"), "");
    // Through a re-export, in a body, and in what a macro is given.
    assert_eq!(told_of(first, "pub struct Second(Box<super::First>);"), both);
    assert_eq!(told_of(first, "pub struct Second; fn f() { let _ = vec![crate::First]; }"), both);
    // A test needs what it likes.
    let tested = "pub struct Second; #[cfg(test)] mod tests { use crate::First; }";
    assert_eq!(told_of(first, tested), "");
    // A method that the other file adds.
    let first = "pub struct First; impl First { fn one(&self) { self.two() } }";
    let second = "use crate::First; impl First { pub fn two(&self) {} }";
    assert_eq!(told_of(first, second), both);
    assert_eq!(told_of(&first.replace("self.two()", ""), second), "");
}
