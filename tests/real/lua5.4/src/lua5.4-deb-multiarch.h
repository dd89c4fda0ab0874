/* What Debian's build writes before it compiles: the directory of this machine's libraries. */
#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"
