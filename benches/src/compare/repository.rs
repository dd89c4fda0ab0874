//! The synthetic repository: the same packages, files and dependencies for every tool, from one seed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fault::{At, Fault};

/// The size and the seed of the repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Number of packages.
    pub(crate) packages: usize,
    /// Number of layers; packages are spread evenly.
    pub(crate) layers: usize,
    /// Files of 1 KiB per package.
    pub(crate) files: usize,
    /// Packages of the layer below that each package depends on.
    pub(crate) dependencies: usize,
    /// Seed of all random choices.
    pub(crate) seed: u64,
    /// Number of packages, from the bottom up, that also have a large file.
    pub(crate) large: usize,
    /// Size of the large file in bytes.
    pub(crate) large_size: usize,
    /// Minimum size of the program that each package runs, in bytes.
    pub(crate) tool: u64,
}

/// One package: its position and the numbers of the packages that it depends on.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// Counted from the bottom.
    pub(crate) layer: usize,
    /// Its position in the layer.
    pub(crate) index: usize,
    /// Numbers in [`Repository::packages`], ascending.
    pub(crate) dependencies: Vec<usize>,
}

/// The packages to build, independent of any tool's language.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    pub(crate) shape: Shape,
    /// Layer by layer.
    pub(crate) packages: Vec<Package>,
}

/// A version of a file's text. All versions of a file have the same length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Edition {
    /// The number in its first line, a note, which digests leave out.
    pub(crate) note: u32,
    /// The number in its second line.
    pub(crate) text: u32,
}

const FILE_SIZE: usize = 1024;

/// The name of the large file of a package that has one.
pub(crate) const LARGE: &str = "large.bin";

impl Package {
    /// `l1/p17`: its directory.
    pub(crate) fn path(&self) -> String {
        format!("l{}/p{}", self.layer, self.index)
    }

    /// `l1-p17`
    pub(crate) fn name(&self) -> String {
        format!("l{}-p{}", self.layer, self.index)
    }
}

impl Repository {
    /// Chooses the dependencies. Every package depends on the first one of the layer below, so that a change
    /// to the very first package affects everything above.
    pub(crate) fn new(shape: Shape) -> Self {
        let width = (shape.packages / shape.layers).max(1);
        let mut random = Random(shape.seed);
        let mut packages = Vec::with_capacity(width * shape.layers);
        for layer in 0..shape.layers {
            for index in 0..width {
                let mut below = BTreeSet::new();
                if layer > 0 {
                    below.insert(0);
                    while below.len() < shape.dependencies.min(width) {
                        below.insert(random.below(width));
                    }
                }
                let dependencies = below.iter().map(|at| (layer - 1) * width + at).collect();
                packages.push(Package { layer, index, dependencies });
            }
        }
        Repository { shape, packages }
    }

    /// The number of packages in a layer.
    pub(crate) fn width(&self) -> usize {
        self.packages.len() / self.shape.layers
    }

    /// The package that everything above the lowest layer depends on.
    pub(crate) fn first(&self) -> &Package {
        &self.packages[0]
    }

    /// The last package of the top layer, which nothing depends on.
    pub(crate) fn last(&self) -> &Package {
        &self.packages[self.packages.len() - 1]
    }

    /// The names of a package's files, relative to its directory.
    pub(crate) fn file_names(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.shape.files).map(|number| format!("src/f{number}.txt"))
    }

    /// Whether a package has a large file.
    pub(crate) fn has_large(&self, package: &Package) -> bool {
        package.layer * self.width() + package.index < self.shape.large
    }

    /// Writes the files of all packages below `root`.
    pub(crate) fn write_sources(&self, root: &Path) -> Result<(), Fault> {
        for (number, package) in self.packages.iter().enumerate() {
            let dir = root.join(package.path());
            fs::create_dir_all(dir.join("src")).at(&dir)?;
            for (file, name) in self.file_names().enumerate() {
                let path = dir.join(name);
                fs::write(&path, self.text(number, file, Edition::default())).at(&path)?;
            }
            if self.has_large(package) {
                let path = dir.join(LARGE);
                fs::write(&path, self.large(number)).at(&path)?;
            }
        }
        Ok(())
    }

    /// Writes another edition of the first file of `package`, in place, as an editor on a network drive would.
    pub(crate) fn edit(
        &self,
        root: &Path,
        package: &Package,
        edition: Edition,
    ) -> Result<(), Fault> {
        let number = package.layer * self.width() + package.index;
        let path = self.first_file(root, package);
        fs::write(&path, self.text(number, 0, edition)).at(&path)
    }

    /// The path of the file to edit.
    pub(crate) fn first_file(&self, root: &Path, package: &Package) -> PathBuf {
        root.join(package.path()).join("src/f0.txt")
    }

    /// The bytes of the large file of a package: lines, as in all files.
    fn large(&self, package: usize) -> Vec<u8> {
        let mut random = Random(self.shape.seed ^ ((package as u64) << 40));
        let mut bytes = Vec::with_capacity(self.shape.large_size + 64);
        while bytes.len() < self.shape.large_size {
            for _ in 0..7 {
                bytes.extend_from_slice(&(random.next() | 0x8080_8080_8080_8080).to_le_bytes());
            }
            bytes.push(b'\n');
        }
        bytes.truncate(self.shape.large_size);
        bytes
    }

    fn text(&self, package: usize, file: usize, edition: Edition) -> String {
        let mut random = Random(self.shape.seed ^ ((package as u64) << 20) ^ file as u64);
        let mut text = format!("# note {:08}\ntext {:08}\n", edition.note, edition.text);
        while text.len() < FILE_SIZE {
            text.push_str(&format!("{:016x}\n", random.next()));
        }
        text.truncate(FILE_SIZE - 1);
        text.push('\n');
        text
    }
}

/// SplitMix64, which is in the public domain and the same on every machine. Source: Steele, Lea and Flood, OOPSLA 2014.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `limit`; the bias of the remainder does not matter here.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
