// Included first in every file of the addon. With it, a build on a new host loads on one with glibc 2.28 and the libstdc++ of GCC 8, as
// RHEL 8 has them and as Node's own builds need them. glibc 2.32 to 2.34 moved these functions from libpthread into libc under new
// versions, and still has the old ones. What has no old version is in old_glibc.cc.
#pragma once
#include <features.h>

#ifdef __GLIBC__
#if defined(__x86_64__)
#define PBOX_OLDEST_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define PBOX_OLDEST_GLIBC "GLIBC_2.17"
#endif
#endif

#ifdef PBOX_OLDEST_GLIBC
#define PBOX_FROM_OLDEST(name) __asm__(".symver " #name "," #name "@" PBOX_OLDEST_GLIBC)
PBOX_FROM_OLDEST(pthread_create);
PBOX_FROM_OLDEST(pthread_join);
PBOX_FROM_OLDEST(pthread_sigmask);
PBOX_FROM_OLDEST(pthread_attr_setstacksize);
#undef PBOX_FROM_OLDEST
#endif
