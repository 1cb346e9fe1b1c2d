// Open files and directories, and everything a guest may do below a directory. Every path is resolved by the kernel beneath the directory's
// descriptor (openat2 with RESOLVE_BENEATH): "..", absolute paths and symbolic links that lead out of it fail with not-permitted, whoever
// races. Operations that work on a name (unlink, mkdir, rename …) resolve the parent that way and name one component in it.
// Work that may block in the kernel goes to the loop's blocking pool, suspending the fiber; what the page cache has is read at once.
// Spec: wasi:filesystem/types. Never: an operation on an ambient path; a guest address given to the kernel.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sys/stat.h>

#include "base/result.h"
#include "base/unique_fd.h"
#include "wasi/clocks/clocks.h"
#include "wasi/filesystem/error.h"
#include "wasi/io/streams.h"

namespace cusp::wasi {

template <class T> using FileResult = std::expected<T, FileError>;

enum class DescriptorType : std::uint8_t {
  Unknown,
  BlockDevice,
  CharacterDevice,
  Directory,
  Fifo,
  SymbolicLink,
  RegularFile,
  Socket
};
CUSP_ENUM(DescriptorType, "unknown", "block-device", "character-device", "directory", "fifo", "symbolic-link",
          "regular-file", "socket")

enum class DescriptorFlags : std::uint8_t {
  None = 0,
  Read = 1,
  Write = 2,
  FileIntegritySync = 4,
  DataIntegritySync = 8,
  RequestedWriteSync = 16,
  MutateDirectory = 32,
};
CUSP_FLAGS(DescriptorFlags, "read", "write", "file-integrity-sync", "data-integrity-sync", "requested-write-sync",
           "mutate-directory")

enum class PathFlags : std::uint8_t { None = 0, SymlinkFollow = 1 };
CUSP_FLAGS(PathFlags, "symlink-follow")

enum class OpenFlags : std::uint8_t { None = 0, Create = 1, Directory = 2, Exclusive = 4, Truncate = 8 };
CUSP_FLAGS(OpenFlags, "create", "directory", "exclusive", "truncate")

enum class Advice : std::uint8_t { Normal, Sequential, Random, WillNeed, DontNeed, NoReuse };
CUSP_ENUM(Advice, "normal", "sequential", "random", "will-need", "dont-need", "no-reuse")

struct DescriptorStat {
  DescriptorType type = DescriptorType::Unknown;
  std::uint64_t link_count = 0, size = 0;
  std::optional<Datetime> data_access_timestamp, data_modification_timestamp, status_change_timestamp;
};
CUSP_RECORD(DescriptorStat, type, link_count, size, data_access_timestamp, data_modification_timestamp,
            status_change_timestamp)

struct DirectoryEntry {
  DescriptorType type = DescriptorType::Unknown;
  std::string name;
};
CUSP_RECORD(DirectoryEntry, type, name)

struct MetadataHash {
  std::uint64_t lower = 0, upper = 0;
};
CUSP_RECORD(MetadataHash, lower, upper)

// no-change, now, timestamp
using NewTimestamp = std::variant<std::monostate, std::monostate, timespec>;

// Where work that may block runs: on this thread (a command, where nothing else waits) or on the loop's pool.
enum class IoMode : std::uint8_t { Direct, Pool };

// An open file that streams and descriptors share. Immutable, so any thread may hold it.
struct OpenFile {
  base::UniqueFd fd;
  mode_t mode = 0; // of stat
  bool is_directory() const { return S_ISDIR(mode); }
};

class DirectoryEntryStream;

class Descriptor {
public:
  // A directory that the operator names. Error: Io, InvalidArgument when it is none.
  static base::Result<std::shared_ptr<const OpenFile>> open_root(const std::string& path);
  Descriptor(std::shared_ptr<const OpenFile> file, DescriptorFlags flags, bool writable, IoMode mode)
      : file_(std::move(file)), flags_(flags), writable_(writable), mode_(mode) {}
  // A preopened directory.
  Descriptor(std::shared_ptr<const OpenFile> root, bool writable, IoMode mode);

  DescriptorFlags flags() const { return flags_; }
  DescriptorType type() const;

  // Files. A span to read into is host memory; one to write may be the guest's, and is copied before anything suspends. 0 bytes read: the end.
  FileResult<std::vector<std::uint8_t>> read(std::uint64_t length, std::uint64_t offset);
  FileResult<std::size_t> read_into(std::span<std::uint8_t> into, std::uint64_t offset);
  FileResult<std::uint64_t> write(std::span<const std::uint8_t> bytes, std::uint64_t offset);
  FileResult<std::uint64_t> append(std::span<const std::uint8_t> bytes);
  FileResult<Ref<InputSource>> read_stream(std::uint64_t offset);
  FileResult<Ref<OutputSink>> write_stream(std::uint64_t offset);
  FileResult<Ref<OutputSink>> append_stream();
  FileResult<void> advise(std::uint64_t offset, std::uint64_t length, Advice advice);
  FileResult<void> set_size(std::uint64_t size);
  FileResult<void> sync(bool data_only);
  FileResult<void> set_times(const NewTimestamp& access, const NewTimestamp& modification);
  FileResult<DescriptorStat> stat();
  FileResult<struct ::stat> status(); // the same as the system has it, device and inode included
  FileResult<MetadataHash> metadata_hash();
  bool is_same_object(const Descriptor& other) const;

  // Directories.
  FileResult<std::unique_ptr<Descriptor>> open_at(PathFlags path_flags, std::string_view path, OpenFlags open_flags,
                                                  DescriptorFlags flags);
  FileResult<std::unique_ptr<DirectoryEntryStream>> read_directory();
  FileResult<void> create_directory_at(std::string_view path);
  FileResult<void> remove_directory_at(std::string_view path);
  FileResult<void> unlink_file_at(std::string_view path);
  FileResult<DescriptorStat> stat_at(PathFlags flags, std::string_view path);
  FileResult<struct ::stat> status_at(PathFlags flags, std::string_view path);
  FileResult<MetadataHash> metadata_hash_at(PathFlags flags, std::string_view path);
  FileResult<void> set_times_at(PathFlags flags, std::string_view path, const NewTimestamp& access,
                                const NewTimestamp& modification);
  FileResult<std::string> readlink_at(std::string_view path);
  FileResult<void> symlink_at(std::string_view target, std::string_view path);
  FileResult<void> link_at(PathFlags flags, std::string_view old_path, const Descriptor& new_directory,
                           std::string_view new_path);
  FileResult<void> rename_at(std::string_view old_path, const Descriptor& new_directory, std::string_view new_path);

  const OpenFile& file() const { return *file_; }

private:
  FileResult<void> may_change() const;
  FileResult<void> may_write() const;
  FileResult<void> may_stream_out() const;

  std::shared_ptr<const OpenFile> file_;
  DescriptorFlags flags_;
  bool writable_; // what the operator granted for this tree
  IoMode mode_;
};

// An entry as the system has it.
struct DirectoryRecord {
  std::uint64_t inode = 0;
  DescriptorType type = DescriptorType::Unknown;
  std::string_view name; // UTF-8; until the stream reads on
};

// The entries of a directory. Its places are the file system's own: they stay good while entries come and go.
class DirectoryEntryStream {
public:
  DirectoryEntryStream(base::UniqueFd directory, IoMode mode) : directory_(std::move(directory)), mode_(mode) {}
  // Without "." and "..".
  FileResult<std::optional<DirectoryEntry>> next();

  // All of them, one by one: the one at the current place, and on to the next place. nullopt: the end.
  FileResult<std::optional<DirectoryRecord>> peek();
  void advance();
  std::uint64_t place() const { return place_; }
  // A place that the stream was at; 0: the beginning, as the directory is now.
  FileResult<void> seek(std::uint64_t place);

private:
  FileResult<bool> fill(); // false: the end
  base::UniqueFd directory_;
  IoMode mode_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, filled_ = 0;
  std::uint64_t place_ = 0;
};

} // namespace cusp::wasi
