// Functions of newer versions of glibc and libstdc++, for this addon alone (hidden), so that it runs with older ones: old_glibc.h.
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef PBOX_OLDEST_GLIBC

#define PBOX_OWN extern "C" __attribute__((visibility("hidden")))

// glibc 2.33. Before it, programs called __xstat(3), which passes the struct to the kernel as it is on these architectures.
struct stat64;
struct stat;
#if defined(__x86_64__) || defined(__aarch64__)
PBOX_OWN int stat64(const char* path, struct stat64* status) {
  return static_cast<int>(syscall(SYS_newfstatat, AT_FDCWD, path, status, 0));
}
PBOX_OWN int lstat64(const char* path, struct stat64* status) {
  return static_cast<int>(syscall(SYS_newfstatat, AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW));
}
PBOX_OWN int fstat64(int fd, struct stat64* status) { return static_cast<int>(syscall(SYS_fstat, fd, status)); }
#endif

// glibc 2.32. libstdc++ then counts the owners of a shared_ptr with atomic instructions, which is right in every process.
PBOX_OWN char __libc_single_threaded;
char __libc_single_threaded = 0;

// glibc 2.30, for std::condition_variable. Waits against the only clock that older ones wait against; if that clock is set meanwhile,
// the wait is shorter or longer by as much. Our waits are bounded by other means, or look again.
PBOX_OWN int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  constexpr long kSecond = 1000000000;
  timespec there{}, here{};
  if (clock_gettime(clock, &there) != 0 || clock_gettime(CLOCK_REALTIME, &here) != 0) return errno;
  here.tv_sec += until->tv_sec - there.tv_sec;
  here.tv_nsec += until->tv_nsec - there.tv_nsec;
  if (here.tv_nsec < 0) here.tv_sec--, here.tv_nsec += kSecond;
  if (here.tv_nsec >= kSecond) here.tv_sec++, here.tv_nsec -= kSecond;
  return pthread_cond_timedwait(condition, mutex, &here);
}

// GCC 11, for a new[] of a negative or too large number: without exceptions that ends the process anyway.
PBOX_OWN __attribute__((noreturn)) void bad_array_new_length() __asm__("_ZSt28__throw_bad_array_new_lengthv");
void bad_array_new_length() { std::abort(); }

// GCC 9, std::_Sp_make_shared_tag::_S_eq(const std::type_info&): true only for code without type information.
PBOX_OWN bool is_make_shared_tag(const void*) __asm__("_ZNSt19_Sp_make_shared_tag5_S_eqERKSt9type_info");
bool is_make_shared_tag(const void*) { return false; }

#endif
