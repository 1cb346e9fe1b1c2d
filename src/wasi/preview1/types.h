// The types of WASI 0.1 as guests lay them out in memory. Two generations are served: wasi_snapshot_preview1, and wasi_unstable before it,
// which differs in the link count of a filestat, the clock subscription and the order of whence (struct Unstable at the end).
// Spec: WASI, legacy/preview1/witx/typenames.witx and legacy/preview0/witx/typenames.witx.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "wasi/filesystem/descriptor.h"

namespace cusp::wasi::preview1 {

enum class Errno : std::uint16_t {
  Success,
  TooBig,
  Acces,
  Addrinuse,
  Addrnotavail,
  Afnosupport,
  Again,
  Already,
  Badf,
  Badmsg,
  Busy,
  Canceled,
  Child,
  Connaborted,
  Connrefused,
  Connreset,
  Deadlk,
  Destaddrreq,
  Dom,
  Dquot,
  Exist,
  Fault,
  Fbig,
  Hostunreach,
  Idrm,
  Ilseq,
  Inprogress,
  Intr,
  Inval,
  Io,
  Isconn,
  Isdir,
  Loop,
  Mfile,
  Mlink,
  Msgsize,
  Multihop,
  Nametoolong,
  Netdown,
  Netreset,
  Netunreach,
  Nfile,
  Nobufs,
  Nodev,
  Noent,
  Noexec,
  Nolck,
  Nolink,
  Nomem,
  Nomsg,
  Noprotoopt,
  Nospc,
  Nosys,
  Notconn,
  Notdir,
  Notempty,
  Notrecoverable,
  Notsock,
  Notsup,
  Notty,
  Nxio,
  Overflow,
  Ownerdead,
  Perm,
  Pipe,
  Proto,
  Protonosupport,
  Prototype,
  Range,
  Rofs,
  Spipe,
  Srch,
  Stale,
  Timedout,
  Txtbsy,
  Xdev,
  Notcapable
};
static_assert(static_cast<int>(Errno::Notcapable) == 76);

template <class T> using Expected = std::expected<T, Errno>;
inline std::unexpected<Errno> fail(Errno error) { return std::unexpected(error); }

Errno to_errno(FileError error);
Errno to_errno(const StreamFailure& failure);
Errno socket_errno(int error_number);
// A result of the file layer, with its error as guests of 0.1 know it.
template <class T> Expected<T> told(FileResult<T>&& result) {
  if (!result) return std::unexpected(to_errno(result.error()));
  if constexpr (std::is_void_v<T>) return {};
  else return *std::move(result);
}

using Rights = std::uint64_t;
namespace right {
enum : Rights {
  FdDatasync = 1 << 0,
  FdRead = 1 << 1,
  FdSeek = 1 << 2,
  FdFdstatSetFlags = 1 << 3,
  FdSync = 1 << 4,
  FdTell = 1 << 5,
  FdWrite = 1 << 6,
  FdAdvise = 1 << 7,
  FdAllocate = 1 << 8,
  PathCreateDirectory = 1 << 9,
  PathCreateFile = 1 << 10,
  PathLinkSource = 1 << 11,
  PathLinkTarget = 1 << 12,
  PathOpen = 1 << 13,
  FdReaddir = 1 << 14,
  PathReadlink = 1 << 15,
  PathRenameSource = 1 << 16,
  PathRenameTarget = 1 << 17,
  PathFilestatGet = 1 << 18,
  PathFilestatSetSize = 1 << 19,
  PathFilestatSetTimes = 1 << 20,
  FdFilestatGet = 1 << 21,
  FdFilestatSetSize = 1 << 22,
  FdFilestatSetTimes = 1 << 23,
  PathSymlink = 1 << 24,
  PathRemoveDirectory = 1 << 25,
  PathUnlinkFile = 1 << 26,
  PollFdReadwrite = 1 << 27,
  SockShutdown = 1 << 28,
  SockAccept = 1 << 29,
};
} // namespace right

enum class Filetype : std::uint8_t {
  Unknown,
  BlockDevice,
  CharacterDevice,
  Directory,
  RegularFile,
  SocketDgram,
  SocketStream,
  SymbolicLink
};
Filetype to_filetype(DescriptorType type);

namespace fdflag {
enum : std::uint16_t { Append = 1, Dsync = 2, Nonblock = 4, Rsync = 8, Sync = 16, All = 31 };
}
namespace oflag {
enum : std::uint16_t { Creat = 1, Directory = 2, Excl = 4, Trunc = 8, All = 15 };
}
namespace fstflag {
enum : std::uint16_t { Atim = 1, AtimNow = 2, Mtim = 4, MtimNow = 8, All = 15 };
}
inline constexpr std::uint32_t kSymlinkFollow = 1; // lookupflags
enum class Whence : std::uint8_t { Set, Cur, End };
enum class Eventtype : std::uint8_t { Clock, FdRead, FdWrite };
enum class Clockid : std::uint32_t { Realtime, Monotonic, ProcessCputime, ThreadCputime };
inline constexpr std::uint16_t kReadwriteHangup = 1; // eventrwflags
inline constexpr std::uint16_t kClockAbstime = 1;    // subclockflags

struct Iovec { // and ciovec
  std::uint32_t buf, buf_len;
};
static_assert(sizeof(Iovec) == 8);

struct Prestat {
  std::uint32_t tag; // 0: a directory
  std::uint32_t name_length;
};
static_assert(sizeof(Prestat) == 8);

struct Fdstat {
  Filetype filetype;
  std::uint8_t gap;
  std::uint16_t flags;
  std::uint32_t gap_2;
  Rights rights_base, rights_inheriting;
};
static_assert(sizeof(Fdstat) == 24);

struct Filestat {
  std::uint64_t dev, ino;
  Filetype filetype;
  std::uint8_t gap[7];
  std::uint64_t nlink, size, atim, mtim, ctim;
};
static_assert(sizeof(Filestat) == 64);

struct Dirent {
  std::uint64_t next, ino;
  std::uint32_t name_length;
  Filetype type;
  std::uint8_t gap[3];
};
static_assert(sizeof(Dirent) == 24);

struct Event {
  std::uint64_t userdata;
  Errno error;
  Eventtype type;
  std::uint8_t gap[5];
  std::uint64_t nbytes;
  std::uint16_t flags;
  std::uint8_t gap_2[6];
};
static_assert(sizeof(Event) == 32);

struct SubscriptionClock {
  Clockid id;
  std::uint32_t gap;
  std::uint64_t timeout, precision;
  std::uint16_t flags;
  std::uint8_t gap_2[6];
};
struct Subscription {
  std::uint64_t userdata;
  Eventtype type;
  std::uint8_t gap[7];
  union {
    SubscriptionClock clock;
    std::uint32_t fd;
  };
};
static_assert(sizeof(Subscription) == 48);

struct UnstableFilestat {
  std::uint64_t dev, ino;
  Filetype filetype;
  std::uint8_t gap[3];
  std::uint32_t nlink;
  std::uint64_t size, atim, mtim, ctim;
};
static_assert(sizeof(UnstableFilestat) == 56);

struct UnstableSubscription {
  std::uint64_t userdata;
  Eventtype type;
  std::uint8_t gap[7];
  union {
    struct {
      std::uint64_t identifier;
      SubscriptionClock clock;
    };
    std::uint32_t fd;
  };
};
static_assert(sizeof(UnstableSubscription) == 56);

// What the two generations do not share.
struct Snapshot {
  using Filestat = preview1::Filestat;
  using Subscription = preview1::Subscription;
  static std::optional<Whence> whence(std::uint8_t value) {
    return value <= 2 ? std::optional(static_cast<Whence>(value)) : std::nullopt;
  }
};
struct Unstable {
  using Filestat = UnstableFilestat;
  using Subscription = UnstableSubscription;
  static std::optional<Whence> whence(std::uint8_t value) {
    constexpr Whence kOrder[] = {Whence::Cur, Whence::End, Whence::Set};
    return value <= 2 ? std::optional(kOrder[value]) : std::nullopt;
  }
};

} // namespace cusp::wasi::preview1
