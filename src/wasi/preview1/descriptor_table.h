// What a guest's file descriptors stand for, and what each may be used for. Files and directories are filesystem's Descriptors with the offset and
// the rights that WASI 0.1 adds; everything else (standard streams, FIFOs, devices) is a source and a sink, or a socket.
// Rights: a new descriptor gets every right of its kind that its directory passes on, whatever the program asked for, except reading and writing,
// which it must ask for. Programs ask for less than they use, because hosts stopped narrowing. What fd_fdstat_set_rights takes away is gone.
// Spec: WASI, legacy/preview1/docs.md, "fdstat" and "rights".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wasi/context.h"
#include "wasi/preview1/socket.h"
#include "wasi/preview1/types.h"

namespace cusp::wasi::preview1 {

inline constexpr Rights kFileRights = right::FdDatasync | right::FdRead | right::FdSeek | right::FdFdstatSetFlags |
                                      right::FdSync | right::FdTell | right::FdWrite | right::FdAdvise |
                                      right::FdAllocate | right::FdFilestatGet | right::FdFilestatSetSize |
                                      right::FdFilestatSetTimes | right::PollFdReadwrite;
inline constexpr Rights kDirectoryRights =
    right::FdDatasync | right::FdFdstatSetFlags | right::FdSync | right::PathCreateDirectory | right::PathCreateFile |
    right::PathLinkSource | right::PathLinkTarget | right::PathOpen | right::FdReaddir | right::PathReadlink |
    right::PathRenameSource | right::PathRenameTarget | right::PathFilestatGet | right::PathFilestatSetSize |
    right::PathFilestatSetTimes | right::FdFilestatGet | right::FdFilestatSetTimes | right::PathSymlink |
    right::PathRemoveDirectory | right::PathUnlinkFile;
inline constexpr Rights kStreamRights =
    right::FdRead | right::FdWrite | right::FdFdstatSetFlags | right::FdFilestatGet | right::PollFdReadwrite;
inline constexpr Rights kSocketRights = kStreamRights | right::SockShutdown;
inline constexpr Rights kListenerRights =
    right::SockAccept | right::FdFdstatSetFlags | right::FdFilestatGet | right::PollFdReadwrite | right::SockShutdown;

// A directory that is being read. Cookies count entries from the start, so that they fit the 32-bit `long` of a guest's telldir; behind each
// is the file system's own place, which stays good while entries come and go.
class DirectoryReader {
public:
  explicit DirectoryReader(std::unique_ptr<DirectoryEntryStream> stream) : stream_(std::move(stream)) {}
  // 0: from the start, as the directory is now. False: it ends before that.
  FileResult<bool> seek(std::uint64_t cookie);
  FileResult<std::optional<DirectoryRecord>> peek() { return stream_->peek(); }
  void advance();
  std::uint64_t cookie() const { return cookie_; } // of what peek() gives

private:
  std::unique_ptr<DirectoryEntryStream> stream_;
  std::vector<std::uint64_t> places_{0}; // by cookie
  std::uint64_t cookie_ = 0;
};

struct Entry : Counted {
  Filetype type = Filetype::Unknown;
  Rights base = 0, inheriting = 0;
  std::uint16_t flags = 0; // fdflags
  std::unique_ptr<Descriptor> descriptor;
  std::uint64_t position = 0;              // of a regular file
  std::unique_ptr<DirectoryReader> reader; // of a directory that is being read
  std::optional<std::string> preopen_path; // as the guest sees it
  Ref<InputSource> source;
  Ref<OutputSink> sink;
  Ref<Socket> socket;

  bool is_directory() const { return type == Filetype::Directory; }
  bool nonblocking() const { return (flags & fdflag::Nonblock) != 0; }
  bool appends() const { return (flags & fdflag::Append) != 0; }
  // Why something that needs these rights cannot be done here.
  Errno lacking(Rights need) const;
};

class DescriptorTable {
public:
  // Error: Badf; what Entry::lacking says.
  Expected<Ref<Entry>> get(std::uint32_t fd, Rights need = 0) const;
  // The lowest free number, as POSIX programs expect. Error: Mfile.
  Expected<std::uint32_t> add(Ref<Entry> entry);
  Expected<void> close(std::uint32_t fd);
  // `to` becomes what `from` was, which is closed. Both must be open.
  Expected<void> renumber(std::uint32_t from, std::uint32_t to);

private:
  std::vector<Ref<Entry>> entries_;
  std::size_t lowest_free_ = 0; // no free number is lower
};

} // namespace cusp::wasi::preview1
