// Where the packages are, as `debian/retrieve` has it. With a mirror the retriever needs the network:
// { mirror: 'http://…/debian', suite: 'bookworm', component: 'main' } + what stands here.
{
  architecture: 'amd64',
  // The machine's root file system has these.
  provided: ['libc6', 'libc6-dev', 'libc-dev'],
}
