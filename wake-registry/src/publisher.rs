//! A registry of any kind as its publishers see it.

use wake_model::{Name, PkgName, Release, Version};
use wake_store::ware::{Meter, Web};

use crate::address::Address;
use crate::archive::Upload;
use crate::directory::{Deed, Directory, HeadKeys, Standing, not_there};
use crate::error::RegistryError;
use crate::log::{LogFault, PkgLog, Yank, statement};
use crate::oci::{Oci, Place};

/// A registry that packages are put into. While one of a directory lives, nobody else writes there.
#[derive(Debug)]
pub enum Publisher {
    /// In a directory.
    Directory(Directory),
    /// Of containers.
    Containers(Containers),
}

/// A registry of containers, as its publishers see it.
#[derive(Debug)]
pub struct Containers {
    name: Name,
    oci: Box<Oci>,
}

impl Publisher {
    /// Whether a registry there can be written at all.
    pub fn check(address: &Address) -> Result<(), RegistryError> {
        match address {
            Address::Dir(_) | Address::Oci { .. } => Ok(()),
            Address::Web(_) => Err(RegistryError::ReadOnly { address: address.to_string() }),
        }
    }

    /// Opens the registry `name` at `address`, waiting for whoever writes to its directory. A directory with nothing in it, or none,
    /// becomes a registry. `keys` are those by which it can be signed.
    pub fn open(
        address: &Address,
        name: &Name,
        web: &Web,
        keys: &HeadKeys,
    ) -> Result<Publisher, RegistryError> {
        match address {
            Address::Dir(dir) => {
                let mut directory = Directory::open(dir, name)?;
                directory.sign_with(keys)?;
                Ok(Publisher::Directory(directory))
            }
            _ => Publisher::looking(address, name, web),
        }
    }

    /// The same, of one that is there.
    pub fn existing(
        address: &Address,
        name: &Name,
        web: &Web,
        keys: &HeadKeys,
    ) -> Result<Publisher, RegistryError> {
        let mut publisher = Publisher::looking(address, name, web)?;
        if let Publisher::Directory(directory) = &mut publisher {
            directory.sign_with(keys)?;
        }
        Ok(publisher)
    }

    /// Opens one that is there, to look at it.
    fn looking(address: &Address, name: &Name, web: &Web) -> Result<Publisher, RegistryError> {
        match address {
            Address::Dir(dir) => Directory::existing(dir, name).map(Publisher::Directory),
            Address::Web(_) => Err(RegistryError::ReadOnly { address: address.to_string() }),
            Address::Oci { host, prefix } => {
                let (host, prefix) = (host.clone(), prefix.clone());
                let oci =
                    Box::new(Oci::new(name.clone(), Some(name.clone()), host, prefix, web.clone()));
                Ok(Publisher::Containers(Containers { name: name.clone(), oci }))
            }
        }
    }

    /// How a version would stand at `address`, where there may be no registry yet.
    ///
    /// Other content under the same version is an error, whatever became of that version; so is a name that people would take for
    /// another one that is there, as far as a registry can tell.
    pub fn standing(
        address: &Address,
        name: &Name,
        web: &Web,
        release: &Release,
        meter: &Meter,
    ) -> Result<Standing, RegistryError> {
        match address {
            Address::Dir(dir) if Directory::can_be_made(dir) => return Ok(Standing::New),
            _ => {}
        }
        match Publisher::looking(address, name, web)? {
            Publisher::Directory(directory) => directory.standing(release),
            Publisher::Containers(containers) => containers.standing(release, meter),
        }
    }

    /// Puts versions there, each behind what it needs of the others; those that are there already are only signed, where somebody signs
    /// them who did not before. Whatever is cut off, the same call again does the rest.
    pub fn publish(
        &self,
        uploads: &[Upload<'_>],
        now: u64,
        meter: &Meter,
    ) -> Result<Vec<Deed>, RegistryError> {
        match self {
            Publisher::Directory(directory) => directory.publish(uploads, now),
            Publisher::Containers(containers) => containers.publish(uploads, meter),
        }
    }

    /// Says of a version that it is not to be chosen anew, or with no reason that it may be again. Whether that is news.
    pub fn yank(
        &self,
        pkg: &PkgName,
        version: &Version,
        yank: Option<Yank>,
        now: u64,
        meter: &Meter,
    ) -> Result<bool, RegistryError> {
        match self {
            Publisher::Directory(directory) => directory.yank(pkg, version, yank, now),
            Publisher::Containers(containers) => containers.yank(pkg, version, yank, now, meter),
        }
    }
}

impl Containers {
    fn standing(&self, release: &Release, meter: &Meter) -> Result<Standing, RegistryError> {
        match self.oci.place(release, meter)? {
            Place::Free => Ok(Standing::New),
            Place::Taken(there)
                if there.content == release.content && there.version == release.version =>
            {
                Ok(Standing::Published)
            }
            Place::Taken(there) => Err(RegistryError::OtherContent {
                pkg: release.pkg_name(),
                version: there.version.clone(),
                there: there.content,
                ours: release.content,
            }),
        }
    }

    fn publish(&self, uploads: &[Upload<'_>], meter: &Meter) -> Result<Vec<Deed>, RegistryError> {
        let standing = |upload: &Upload<'_>| self.standing(upload.release, meter);
        let standings: Vec<Standing> = uploads.iter().map(standing).collect::<Result<_, _>>()?;
        let mut deeds = Vec::new();
        for (upload, standing) in uploads.iter().zip(&standings) {
            if *standing == Standing::Published {
                deeds.push(match upload.attestations {
                    "" => Deed::Nothing,
                    lines => self.attest(upload.release, lines, meter)?,
                });
                continue;
            }
            deeds.push(Deed::Published);
            // Sending the others took its time.
            if self.standing(upload.release, meter)? == Standing::New {
                self.oci.put(upload, meter)?;
            }
            // Such a registry lets two write one tag: whoever comes later finds the other's content here.
            let (pkg, version) = (upload.release.pkg_name(), upload.release.version.clone());
            match self.oci.content(&pkg, &version, meter)? {
                Some(there) if there != upload.release.content => {
                    let ours = upload.release.content;
                    return Err(RegistryError::OtherContent { pkg, version, there, ours });
                }
                // That it is not there yet is seen when everything is read back.
                _ => {}
            }
        }
        Ok(deeds)
    }

    /// Adds what people sign of a version that is there, unless whoever it is did so before.
    fn attest(&self, release: &Release, lines: &str, meter: &Meter) -> Result<Deed, RegistryError> {
        let (pkg, version) = (release.pkg_name(), &release.version);
        let there = self.oci.attestations(&pkg, version, meter)?.unwrap_or_default();
        let news = not_there(&there, lines, release);
        if news.is_empty() {
            return Ok(Deed::Nothing);
        }
        self.oci.refer(&pkg, version, &news, meter)?;
        Ok(Deed::Attested)
    }

    fn yank(
        &self,
        pkg: &PkgName,
        version: &Version,
        yank: Option<Yank>,
        now: u64,
        meter: &Meter,
    ) -> Result<bool, RegistryError> {
        let bytes = self.oci.log(pkg, &[], meter)?.unwrap_or_default();
        let log = PkgLog::parse(&bytes, pkg).map_err(|LogFault { line, problem }| {
            let (registry, path) = (self.name.clone(), pkg.to_string());
            RegistryError::Log { registry, path, line, problem }
        })?;
        let Some(listed) = log.get(version) else {
            self.oci.check_there(meter)?;
            let (registry, pkg, version) = (self.name.clone(), pkg.clone(), version.clone());
            return Err(RegistryError::NoVersion { registry, pkg, version });
        };
        let news = listed.yanked != yank;
        if news {
            let event = statement(version.clone(), yank, now);
            self.oci.state(pkg, version, &event, meter)?;
        }
        Ok(news)
    }
}
