//! A registry of any kind as its publishers see it.

use wake_model::{Name, PkgName, Release, Version};
use wake_store::ware::{Meter, Web};

use crate::address::Address;
use crate::archive::Upload;
use crate::directory::{Deed, Directory, HeadKeys, Standing, not_there};
use crate::error::RegistryError;
use crate::log::{LogFault, PkgLog, Yank, statement};
use crate::oci::{Oci, Place};

/// A registry that packages are published to. Nobody else can write to a directory registry while this exists.
#[derive(Debug)]
pub enum Publisher {
    /// A directory registry.
    Directory(Directory),
    /// A container registry.
    Containers(Containers),
}

/// A container registry as its publishers see it.
#[derive(Debug)]
pub struct Containers {
    name: Name,
    oci: Box<Oci>,
}

impl Publisher {
    /// Checks that a registry at this address can be written at all.
    pub fn check(address: &Address) -> Result<(), RegistryError> {
        match address {
            Address::Dir(_) | Address::Oci { .. } => Ok(()),
            Address::Web(_) => Err(RegistryError::ReadOnly { address: address.to_string() }),
        }
    }

    /// Opens the registry `name` at `address`, waiting for other writers if it is a directory. A missing or empty
    /// directory becomes a registry. `keys` can sign it.
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

    /// The same, for an existing registry.
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

    /// Opens an existing registry for inspection.
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

    /// Returns the state of a version at `address`, where there may be no registry yet.
    ///
    /// It is an error if the same version has different content, even if it was yanked or removed, or if the name
    /// could be mistaken for another one there, as far as the registry can tell.
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

    /// Publishes versions, dependencies first. Versions that are already there only get new attestations. If this is
    /// interrupted at any point, the same call completes the rest.
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

    /// Yanks a version, or without a yank undoes that. Returns whether this changed anything.
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
            // The state may have changed while the others were sent.
            if self.standing(upload.release, meter)? == Standing::New {
                self.oci.put(upload, meter)?;
            }
            // A container registry allows two writers of one tag: the later one finds the other's content here.
            let (pkg, version) = (upload.release.pkg_name(), upload.release.version.clone());
            match self.oci.content(&pkg, &version, meter)? {
                Some(there) if there != upload.release.content => {
                    let ours = upload.release.content;
                    return Err(RegistryError::OtherContent { pkg, version, there, ours });
                }
                // A tag that is not visible yet is caught when everything is read back.
                _ => {}
            }
        }
        Ok(deeds)
    }

    /// Adds attestations to a published version, except by keys that have already signed it.
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
