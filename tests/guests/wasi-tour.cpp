// A WASI 0.1 command that checks what wasi_snapshot_preview1 and wasi_unstable give a program; its first argument chooses the stop. Every stop
// prints what failed, with its line, or "STOP ok". Files are below the preopened /data, which is empty at the start.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

static int failures = 0;

#define EXPECT(condition)                                                                                              \
  do {                                                                                                                 \
    if (!(condition)) printf("line %d: %s (errno %d)\n", __LINE__, #condition, errno), ++failures;                     \
  } while (0)
#define EXPECT_FAILS(call, code)                                                                                       \
  do {                                                                                                                 \
    errno = 0;                                                                                                         \
    if ((call) != -1 || errno != (code)) printf("line %d: %s: errno %d\n", __LINE__, #call, errno), ++failures;        \
  } while (0)
#define EXPECT_ERRNO(call, code)                                                                                       \
  do {                                                                                                                 \
    int got = (call);                                                                                                  \
    if (got != (code)) printf("line %d: %s is %d\n", __LINE__, #call, got), ++failures;                                \
  } while (0)

// Not in this libc's headers, or from the generation before.
extern "C" {
__attribute__((import_module("wasi_snapshot_preview1"), import_name("sock_accept"))) int sock_accept(int fd, int flags,
                                                                                                     int* accepted);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_raise"))) int proc_raise(int signal);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) int
raw_fd_write(int fd, unsigned iovs, int count, int* done);
__attribute__((import_module("wasi_unstable"), import_name("fd_seek"))) int unstable_seek(int fd, long long offset,
                                                                                          int whence, long long* now);
__attribute__((import_module("wasi_unstable"), import_name("fd_filestat_get"))) int unstable_filestat(int fd,
                                                                                                      void* stat);
__attribute__((import_module("wasi_unstable"), import_name("path_filestat_get"))) int
unstable_path_filestat(int fd, int flags, const char* path, int size, void* stat);
__attribute__((import_module("wasi_unstable"), import_name("poll_oneoff"))) int unstable_poll(const void* in, void* out,
                                                                                              int count, int* happened);
__attribute__((import_module("wasi_unstable"), import_name("fd_write"))) int
unstable_write(int fd, const __wasi_ciovec_t* iovs, int count, int* done);
}

static int data_fd() { return 3; } // the first preopen

static int raw_open(const char* path, int oflags, __wasi_rights_t rights, int fdflags = 0) {
  __wasi_fd_t fd = -1;
  int error = __wasi_path_open(data_fd(), 0, path, oflags, rights, 0, fdflags, &fd);
  return error ? -error : fd;
}

static void write_text(const char* path, const char* text) {
  FILE* file = fopen(path, "w");
  EXPECT(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void files() {
  int fd = open("/data/a.txt", O_CREAT | O_EXCL | O_RDWR, 0600);
  EXPECT(fd > 3);
  EXPECT(write(fd, "hello world", 11) == 11);
  EXPECT(lseek(fd, 6, SEEK_SET) == 6);
  char text[32] = "";
  EXPECT(read(fd, text, sizeof text) == 5 && !memcmp(text, "world", 5));
  EXPECT(read(fd, text, sizeof text) == 0);
  EXPECT(pread(fd, text, 5, 0) == 5 && !memcmp(text, "hello", 5));
  EXPECT(pwrite(fd, "J", 1, 0) == 1 && lseek(fd, 0, SEEK_CUR) == 11);
  EXPECT(lseek(fd, -1, SEEK_END) == 10);
  EXPECT_FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
  struct stat status;
  EXPECT(fstat(fd, &status) == 0 && status.st_size == 11 && S_ISREG(status.st_mode) && status.st_nlink == 1);
  EXPECT(ftruncate(fd, 4) == 0 && fstat(fd, &status) == 0 && status.st_size == 4);
  EXPECT(fsync(fd) == 0 && fdatasync(fd) == 0);
  EXPECT(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
  EXPECT(posix_fallocate(fd, 0, 100) == ENOTSUP);
  struct timespec times[2] = {{1000, 5}, {2000, 7}};
  EXPECT(futimens(fd, times) == 0 && fstat(fd, &status) == 0 && status.st_mtim.tv_sec == 2000 &&
         status.st_mtim.tv_nsec == 7);
  EXPECT(close(fd) == 0);
  EXPECT_FAILS(close(fd), EBADF);
  EXPECT_FAILS(open("/data/a.txt", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
  fd = open("/data/a.txt", O_RDONLY);
  EXPECT_FAILS(write(fd, "x", 1), EBADF);
  EXPECT_FAILS(ftruncate(fd, 1), EINVAL);
  EXPECT(close(fd) == 0);
  fd = open("/data/a.txt", O_WRONLY | O_APPEND);
  EXPECT(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "++", 2) == 2 && lseek(fd, 0, SEEK_CUR) == 6);
  EXPECT_FAILS(read(fd, text, 1), EBADF);
  EXPECT((fcntl(fd, F_GETFL) & O_APPEND) && fcntl(fd, F_SETFL, 0) == 0 && !(fcntl(fd, F_GETFL) & O_APPEND));
  EXPECT(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "j", 1) == 1 && fstat(fd, &status) == 0 && status.st_size == 6);
  EXPECT(close(fd) == 0);
  EXPECT(open("/data/a.txt", O_WRONLY | O_TRUNC) > 3 && stat("/data/a.txt", &status) == 0 && status.st_size == 0);
}

// More than one host buffer, and several buffers in one call.
static void large() {
  const size_t size = 3 * 1024 * 1024 + 17;
  char* out = (char*)malloc(size);
  char* in = (char*)malloc(size);
  for (size_t i = 0; i < size; ++i) out[i] = (char)(i * 131 >> 3);
  int fd = open("/data/large", O_CREAT | O_RDWR, 0600);
  __wasi_ciovec_t parts[4] = {
      {(uint8_t*)out, 1}, {(uint8_t*)out + 1, 0}, {(uint8_t*)out + 1, 70000}, {(uint8_t*)out + 70001, size - 70001}};
  __wasi_size_t done = 0;
  EXPECT_ERRNO(__wasi_fd_write(fd, parts, 4, &done), 0);
  EXPECT(done == size);
  __wasi_iovec_t into[2] = {{(uint8_t*)in, 300001}, {(uint8_t*)in + 300001, size - 300001}};
  EXPECT_ERRNO(__wasi_fd_pread(fd, into, 2, 0, &done), 0);
  EXPECT(done == size && !memcmp(in, out, size));
  EXPECT_ERRNO(__wasi_fd_pread(fd, into, 2, size - 3, &done), 0);
  EXPECT(done == 3 && !memcmp(in, out + size - 3, 3));
  close(fd);
}

static void directories() {
  struct stat status;
  EXPECT(mkdir("/data/d", 0700) == 0 && stat("/data/d", &status) == 0 && S_ISDIR(status.st_mode));
  EXPECT_FAILS(mkdir("/data/d", 0700), EEXIST);
  char name[64];
  for (int i = 0; i < 200; ++i) {
    snprintf(name, sizeof name, "/data/d/file-%03d-of-many", i);
    write_text(name, "x");
  }
  DIR* directory = opendir("/data/d");
  EXPECT(directory != nullptr);
  int count = 0, sum = 0;
  long middle = 0;
  while (dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    EXPECT(entry->d_type == DT_REG && entry->d_ino != 0);
    sum += atoi(entry->d_name + 5);
    if (++count == 100) middle = telldir(directory);
  }
  EXPECT(count == 200 && sum == 199 * 200 / 2);
  seekdir(directory, middle);
  int rest = 0;
  while (readdir(directory)) ++rest;
  EXPECT(rest >= 100 && rest <= 102); // "." and ".." come where the file system has them
  rewinddir(directory);
  count = 0;
  while (readdir(directory)) ++count;
  EXPECT(count == 202);
  closedir(directory);
  EXPECT_FAILS(rmdir("/data/d"), ENOTEMPTY);
  EXPECT_FAILS(unlink("/data/d"), EISDIR);
  for (int i = 0; i < 200; ++i) {
    snprintf(name, sizeof name, "/data/d/file-%03d-of-many", i);
    EXPECT(unlink(name) == 0);
  }
  EXPECT(rename("/data/d", "/data/e") == 0 && rmdir("/data/e/") == 0);
  EXPECT_FAILS(rmdir("/data/e"), ENOENT);
  EXPECT_FAILS(opendir("/data/a.txt") ? 0 : -1, ENOENT);
}

static void links() {
  struct stat status;
  write_text("/data/target", "text");
  EXPECT(symlink("target", "/data/link") == 0);
  EXPECT(lstat("/data/link", &status) == 0 && S_ISLNK(status.st_mode));
  EXPECT(stat("/data/link", &status) == 0 && S_ISREG(status.st_mode));
  char text[16] = "";
  EXPECT(readlink("/data/link", text, sizeof text) == 6 && !memcmp(text, "target", 6));
  EXPECT(readlink("/data/link", text, 3) == 3);
  EXPECT_FAILS(open("/data/link", O_RDONLY | O_NOFOLLOW), ELOOP);
  EXPECT_FAILS(symlink("/etc", "/data/absolute"), EPERM);
  EXPECT(link("/data/target", "/data/second") == 0 && stat("/data/second", &status) == 0 && status.st_nlink == 2);
  EXPECT_FAILS(link("/data/target", "/data/second"), EEXIST);
  EXPECT_ERRNO(__wasi_path_link(3, 1, "link", 3, "third"), __WASI_ERRNO_INVAL);
  EXPECT_FAILS(unlink("/data/target/"), ENOTDIR);
  EXPECT_FAILS(symlink("x", "/data/absent/"), ENOENT);
  EXPECT(symlink("../../../etc", "/data/out") == 0); // may be made, and leads nowhere
  EXPECT_FAILS(open("/data/out/passwd", O_RDONLY), EPERM);
  EXPECT_FAILS(open("/data/../../etc/passwd", O_RDONLY), EPERM);
  EXPECT_ERRNO(-raw_open("/etc/passwd", 0, __WASI_RIGHTS_FD_READ), __WASI_ERRNO_PERM);
  EXPECT_ERRNO(-raw_open("..", 0, 0), __WASI_ERRNO_PERM);
  EXPECT_ERRNO(-raw_open("\xff\xfe", 0, 0), __WASI_ERRNO_ILSEQ);
}

static void read_only() {
  EXPECT_FAILS(open("/data/new", O_CREAT | O_WRONLY, 0600), EPERM);
  EXPECT_FAILS(open("/data/kept", O_RDWR), EPERM);
  EXPECT_FAILS(unlink("/data/kept"), EPERM);
  EXPECT_FAILS(mkdir("/data/new", 0700), EPERM);
  EXPECT_FAILS(rename("/data/kept", "/data/moved"), EPERM);
  char text[8] = "";
  int fd = open("/data/kept", O_RDONLY);
  EXPECT(read(fd, text, sizeof text) == 4 && !memcmp(text, "kept", 4));
  struct timespec times[2] = {{1, 0}, {1, 0}};
  EXPECT_FAILS(futimens(fd, times), EPERM);
}

static void rights() {
  __wasi_fdstat_t stat;
  EXPECT_ERRNO(__wasi_fd_fdstat_get(3, &stat), 0);
  EXPECT(stat.fs_filetype == __WASI_FILETYPE_DIRECTORY && stat.fs_flags == 0);
  EXPECT((stat.fs_rights_base & __WASI_RIGHTS_PATH_OPEN) && !(stat.fs_rights_base & __WASI_RIGHTS_FD_SEEK));
  EXPECT(stat.fs_rights_inheriting & __WASI_RIGHTS_FD_SEEK);
  int fd = raw_open("rights", __WASI_OFLAGS_CREAT, __WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_WRITE);
  EXPECT_ERRNO(__wasi_fd_fdstat_get(fd, &stat), 0);
  __wasi_rights_t full = stat.fs_rights_base;
  EXPECT_ERRNO(__wasi_fd_fdstat_set_rights(fd, full & ~__WASI_RIGHTS_FD_SEEK, 0), 0);
  __wasi_filesize_t now;
  EXPECT_ERRNO(__wasi_fd_seek(fd, 1, __WASI_WHENCE_SET, &now), __WASI_ERRNO_NOTCAPABLE);
  EXPECT_ERRNO(__wasi_fd_tell(fd, &now), 0);
  EXPECT_ERRNO(__wasi_fd_fdstat_set_rights(fd, full, 0), __WASI_ERRNO_NOTCAPABLE);
  // What a directory does not pass on, its files do not have.
  int directory = raw_open(".", __WASI_OFLAGS_DIRECTORY, 0);
  EXPECT_ERRNO(__wasi_fd_fdstat_get(directory, &stat), 0);
  EXPECT_ERRNO(
      __wasi_fd_fdstat_set_rights(directory, stat.fs_rights_base, stat.fs_rights_inheriting & ~__WASI_RIGHTS_FD_WRITE),
      0);
  __wasi_fd_t opened;
  EXPECT_ERRNO(__wasi_path_open(directory, 0, "rights", 0, __WASI_RIGHTS_FD_WRITE, 0, 0, &opened),
               __WASI_ERRNO_NOTCAPABLE);
  EXPECT_ERRNO(__wasi_path_open(directory, 0, "rights", 0, __WASI_RIGHTS_FD_READ, 0, 0, &opened), 0);
  // Wrong kinds.
  EXPECT_ERRNO(__wasi_fd_readdir(fd, nullptr, 0, 0, (__wasi_size_t*)&now), __WASI_ERRNO_NOTDIR);
  EXPECT_ERRNO(__wasi_path_create_directory(fd, "x"), __WASI_ERRNO_NOTDIR);
  EXPECT_ERRNO(__wasi_fd_seek(0, 0, __WASI_WHENCE_SET, &now), __WASI_ERRNO_SPIPE);
  EXPECT_ERRNO(__wasi_sock_shutdown(1, 1), __WASI_ERRNO_NOTSOCK);
  EXPECT_ERRNO(__wasi_fd_prestat_get(fd, (__wasi_prestat_t*)&stat), __WASI_ERRNO_BADF);
  EXPECT_ERRNO(__wasi_fd_fdstat_set_flags(fd, 0x100), __WASI_ERRNO_INVAL);
  EXPECT_ERRNO(-raw_open("rights", 0, __WASI_RIGHTS_FD_READ, __WASI_FDFLAGS_SYNC), __WASI_ERRNO_NOTSUP);
}

static void renumber() {
  int first = open("/data/first", O_CREAT | O_RDWR, 0600), second = open("/data/second", O_CREAT | O_RDWR, 0600);
  EXPECT(write(first, "1", 1) == 1);
  EXPECT_ERRNO(__wasi_fd_renumber(first, second), 0);
  struct stat status;
  EXPECT(fstat(second, &status) == 0 && status.st_size == 1);
  EXPECT_FAILS(fstat(first, &status), EBADF);
  EXPECT_ERRNO(__wasi_fd_renumber(second, 777), __WASI_ERRNO_BADF);
  EXPECT(open("/data/first", O_RDONLY) == first); // the lowest free number
}

static void clocks() {
  struct timespec before, after, real, wait = {0, 20'000'000};
  EXPECT(clock_gettime(CLOCK_MONOTONIC, &before) == 0 && clock_gettime(CLOCK_REALTIME, &real) == 0);
  EXPECT(real.tv_sec > 1'700'000'000);
  EXPECT(nanosleep(&wait, nullptr) == 0 && clock_gettime(CLOCK_MONOTONIC, &after) == 0);
  EXPECT((after.tv_sec - before.tv_sec) * 1'000'000'000ll + after.tv_nsec - before.tv_nsec >= 20'000'000);
  __wasi_timestamp_t time;
  EXPECT_ERRNO(__wasi_clock_res_get(__WASI_CLOCKID_MONOTONIC, &time), 0);
  EXPECT(time > 0 && time < 1'000'000'000);
  EXPECT_ERRNO(__wasi_clock_time_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, 0, &time), 0);
  EXPECT_ERRNO(__wasi_clock_time_get(99, 0, &time), __WASI_ERRNO_INVAL);
  EXPECT_ERRNO(__wasi_sched_yield(), 0);
  EXPECT_ERRNO(proc_raise(6), __WASI_ERRNO_NOTSUP);
}

static void random_bytes() {
  static uint8_t a[5000], b[5000];
  EXPECT_ERRNO(__wasi_random_get(a, sizeof a), 0);
  EXPECT_ERRNO(__wasi_random_get(b, sizeof b), 0);
  EXPECT(memcmp(a, b, sizeof a) != 0);
  unsigned seen = 0;
  for (uint8_t byte : a) seen |= 1u << (byte & 31);
  EXPECT(seen == ~0u);
  EXPECT_ERRNO(__wasi_random_get((uint8_t*)0xfffffff0u, 0), 0); // nothing is touched
}

static __wasi_subscription_t on_clock(uint64_t userdata, uint64_t timeout, int flags = 0) {
  __wasi_subscription_t one = {};
  one.userdata = userdata;
  one.u.tag = __WASI_EVENTTYPE_CLOCK;
  one.u.u.clock = {__WASI_CLOCKID_MONOTONIC, timeout, 0, (__wasi_subclockflags_t)flags};
  return one;
}
static __wasi_subscription_t on_fd(uint64_t userdata, int type, int fd) {
  __wasi_subscription_t one = {};
  one.userdata = userdata;
  one.u.tag = (uint8_t)type;
  one.u.u.fd_read.file_descriptor = fd;
  return one;
}

// Standard input is held open and empty.
static void polls() {
  __wasi_event_t events[4] = {};
  __wasi_size_t count = 0;
  __wasi_subscription_t wait[3] = {on_fd(1, __WASI_EVENTTYPE_FD_READ, 0), on_clock(2, 30'000'000),
                                   on_clock(3, 5'000'000'000)};
  EXPECT_ERRNO(__wasi_poll_oneoff(wait, events, 3, &count), 0);
  EXPECT(count == 1 && events[0].userdata == 2 && events[0].type == __WASI_EVENTTYPE_CLOCK && events[0].error == 0);
  wait[1] = on_fd(4, __WASI_EVENTTYPE_FD_WRITE, 1);
  EXPECT_ERRNO(__wasi_poll_oneoff(wait, events, 2, &count), 0);
  EXPECT(count == 1 && events[0].userdata == 4 && events[0].fd_readwrite.nbytes > 0);
  write_text("/data/polled", "12345");
  int fd = open("/data/polled", O_RDONLY);
  wait[1] = on_fd(5, __WASI_EVENTTYPE_FD_READ, fd);
  EXPECT_ERRNO(__wasi_poll_oneoff(wait, events, 2, &count), 0);
  EXPECT(count == 1 && events[0].userdata == 5 && events[0].fd_readwrite.nbytes == 5);
  wait[1] = on_fd(6, __WASI_EVENTTYPE_FD_READ, 55);
  EXPECT_ERRNO(__wasi_poll_oneoff(wait, events, 3, &count), 0);
  EXPECT(count == 1 && events[0].userdata == 6 && events[0].error == __WASI_ERRNO_BADF);
  wait[1] = on_clock(7, 1, __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME); // long past
  EXPECT_ERRNO(__wasi_poll_oneoff(wait, events, 3, &count), 0);
  EXPECT(count == 1 && events[0].userdata == 7);
  EXPECT_ERRNO(__wasi_poll_oneoff(wait, events, 0, &count), __WASI_ERRNO_INVAL);
  EXPECT(fcntl(0, F_SETFL, O_NONBLOCK) == 0);
  char byte;
  EXPECT_FAILS(read(0, &byte, 1), EAGAIN);
}

// The same, as programs of 2019 saw it: offsets of their own.
static void unstable() {
  write_text("/data/old", "0123456789");
  int fd = open("/data/old", O_RDONLY);
  long long now = 0;
  EXPECT_ERRNO(unstable_seek(fd, 4, 2, &now), 0); // set
  EXPECT(now == 4);
  EXPECT_ERRNO(unstable_seek(fd, 1, 0, &now), 0); // cur
  EXPECT(now == 5);
  EXPECT_ERRNO(unstable_seek(fd, -1, 1, &now), 0); // end
  EXPECT(now == 9);
  EXPECT_ERRNO(unstable_seek(fd, 0, 3, &now), __WASI_ERRNO_INVAL);
  alignas(8) uint8_t stat[56 + 8];
  memset(stat, 0xaa, sizeof stat);
  EXPECT_ERRNO(unstable_filestat(fd, stat), 0);
  EXPECT(stat[16] == __WASI_FILETYPE_REGULAR_FILE && *(uint32_t*)(stat + 20) == 1 && *(uint64_t*)(stat + 24) == 10);
  EXPECT(stat[56] == 0xaa);
  EXPECT_ERRNO(unstable_path_filestat(3, 0, "old", 3, stat), 0);
  EXPECT(*(uint64_t*)(stat + 24) == 10);
  struct {
    uint64_t userdata;
    uint8_t type;
    uint64_t identifier;
    uint32_t clock;
    uint64_t timeout, precision;
    uint16_t flags;
  } waits[2] = {{11, 0, 0, 1, 5'000'000'000, 0, 0}, {12, 0, 0, 1, 10'000'000, 0, 0}};
  static_assert(sizeof waits[0] == 56);
  __wasi_event_t events[2] = {};
  int count = 0;
  EXPECT_ERRNO(unstable_poll(waits, events, 2, &count), 0);
  EXPECT(count == 1 && events[0].userdata == 12 && events[0].type == 0);
  __wasi_ciovec_t text = {(const uint8_t*)"by unstable\n", 12};
  fflush(stdout);
  EXPECT_ERRNO(unstable_write(1, &text, 1, &count), 0);
  EXPECT(count == 12);
}

// A client sends "ping", reads "pong" and the end, and closes.
static void sockets(int fd) {
  __wasi_fdstat_t stat;
  EXPECT_ERRNO(__wasi_fd_fdstat_get(fd, &stat), 0);
  EXPECT(stat.fs_filetype == __WASI_FILETYPE_SOCKET_STREAM);
  int connection = -1;
  EXPECT_ERRNO(sock_accept(fd, __WASI_FDFLAGS_NONBLOCK, &connection), 0); // waits: the listener itself blocks
  char text[8] = "";
  __wasi_iovec_t into[2] = {{(uint8_t*)text, 1}, {(uint8_t*)text + 1, 3}};
  __wasi_size_t count = 0;
  __wasi_roflags_t flags = 0xffff;
  __wasi_subscription_t wait = on_fd(1, __WASI_EVENTTYPE_FD_READ, connection);
  __wasi_event_t event = {};
  EXPECT_ERRNO(__wasi_poll_oneoff(&wait, &event, 1, &count), 0);
  EXPECT(count == 1 && event.fd_readwrite.nbytes == 4);
  EXPECT_ERRNO(__wasi_sock_recv(connection, into, 2, __WASI_RIFLAGS_RECV_PEEK, &count, &flags), 0);
  EXPECT(count == 4 && flags == 0);
  EXPECT_ERRNO(__wasi_sock_recv(connection, into, 2, 0, &count, &flags), 0);
  EXPECT(count == 4 && !memcmp(text, "ping", 4));
  EXPECT_ERRNO(__wasi_sock_recv(connection, into, 2, 0, &count, &flags), __WASI_ERRNO_AGAIN);
  EXPECT_ERRNO(__wasi_fd_fdstat_set_flags(connection, 0), 0);
  __wasi_ciovec_t out = {(const uint8_t*)"po", 2};
  EXPECT_ERRNO(__wasi_sock_send(connection, &out, 1, 0, &count), 0);
  EXPECT(write(connection, "ng", 2) == 2);
  EXPECT_ERRNO(__wasi_sock_shutdown(connection, __WASI_SDFLAGS_WR), 0);
  EXPECT(read(connection, text, sizeof text) == 0); // waits for the client to close
  EXPECT(close(connection) == 0 && close(fd) == 0);
}

static void input() {
  char line[64];
  while (fgets(line, sizeof line, stdin)) fputs(line, stdout);
}

static bool run(const char* stop, char** rest) {
  auto is = [&](const char* name) { return !strcmp(stop, name); };
  if (is("files")) files();
  else if (is("large")) large();
  else if (is("directories")) directories();
  else if (is("links")) links();
  else if (is("read-only")) read_only();
  else if (is("rights")) rights();
  else if (is("renumber")) renumber();
  else if (is("clocks")) clocks();
  else if (is("random")) random_bytes();
  else if (is("polls")) polls();
  else if (is("unstable")) unstable();
  else if (is("sockets")) sockets(atoi(rest[0]));
  else return false;
  return true;
}

int main(int argc, char** argv) {
  const char* stop = argc > 1 ? argv[1] : "";
  if (run(stop, argv + 2)) {
    if (!failures) printf("%s ok\n", stop);
    return failures ? 1 : 0;
  }
  if (!strcmp(stop, "args"))
    for (int i = 0; i < argc; ++i) puts(argv[i]);
  if (!strcmp(stop, "env"))
    for (int i = 2; i < argc; ++i) puts(getenv(argv[i]) ? getenv(argv[i]) : "(unset)");
  if (!strcmp(stop, "input")) input();
  if (!strcmp(stop, "stderr")) fputs("to stderr\n", stderr);
  if (!strcmp(stop, "exit")) {
    puts("before");
    exit(argc > 2 ? atoi(argv[2]) : 0);
  }
  if (!strcmp(stop, "sleep")) sleep(1000);
  int done;
  if (!strcmp(stop, "out-of-bounds")) raw_fd_write(1, 0xfffffff8u, 1, &done);
  if (!strcmp(stop, "unaligned")) raw_fd_write(1, 1026, 1, &done);
  if (!strcmp(stop, "bad-buffer")) {
    __wasi_ciovec_t bad = {(const uint8_t*)16, 0xfffffff0u};
    raw_fd_write(1, (unsigned)(uintptr_t)&bad, 1, &done);
  }
  return 0;
}
