// The location of the packages, a config for `debian/retrieve`. For a mirror, which needs the network:
// { mirror: 'http://…/debian', suite: 'bookworm', component: 'main' } + the config below.
{
  architecture: 'amd64',
  // Packages that the machine's root file system has.
  provided: ['libc6', 'libc6-dev', 'libc-dev'],
}
