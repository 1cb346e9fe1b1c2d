#include "wasi/filesystem/descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "canon/strings.h"
#include "wasi/filesystem/beneath.h"
#include "wasi/filesystem/file_stream.h"

namespace cusp::wasi {

base::Result<std::shared_ptr<const OpenFile>> Descriptor::open_root(const std::string& path) {
  auto file = std::make_shared<OpenFile>();
  file->fd = base::UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct ::stat stat{};
  if (!file->fd || fstat(file->fd.get(), &stat) != 0) return base::fail_errno("open", path, errno);
  file->mode = stat.st_mode;
  return file;
}

Descriptor::Descriptor(std::shared_ptr<const OpenFile> root, bool writable, IoMode mode)
    : Descriptor(std::move(root),
                 writable ? DescriptorFlags::Read | DescriptorFlags::MutateDirectory : DescriptorFlags::Read, writable,
                 mode) {}

DescriptorType Descriptor::type() const { return type_of(file_->mode); }

FileResult<void> Descriptor::may_change() const {
  if (!file_->is_directory()) return std::unexpected(FileError::NotDirectory);
  if (!writable_) return std::unexpected(FileError::NotPermitted);
  return {};
}

FileResult<void> Descriptor::may_write() const {
  if (file_->is_directory()) return std::unexpected(FileError::IsDirectory);
  if (!has(flags_, DescriptorFlags::Write)) return std::unexpected(FileError::BadDescriptor);
  return {};
}

// A stream says what the operator did not grant before it says how the file was opened.
FileResult<void> Descriptor::may_stream_out() const {
  if (!file_->is_directory() && !writable_) return std::unexpected(FileError::NotPermitted);
  return may_write();
}

FileResult<std::size_t> Descriptor::read_into(std::span<std::uint8_t> into, std::uint64_t offset) {
  if (file_->is_directory()) return std::unexpected(FileError::IsDirectory);
  if (!has(flags_, DescriptorFlags::Read)) return std::unexpected(FileError::BadDescriptor);
  return read_file(file_, into.first(std::min(into.size(), kMaxFileRead)), offset, mode_);
}

FileResult<std::vector<std::uint8_t>> Descriptor::read(std::uint64_t length, std::uint64_t offset) {
  std::vector<std::uint8_t> bytes(std::min<std::uint64_t>(length, kMaxFileRead));
  bytes.resize(CUSP_TRY(read_into(bytes, offset)));
  return bytes;
}

FileResult<std::uint64_t> Descriptor::write(std::span<const std::uint8_t> bytes, std::uint64_t offset) {
  CUSP_TRY(may_write());
  if (offset == kAppend) return std::unexpected(FileError::Invalid);
  return CUSP_TRY(write_file(file_, bytes.first(std::min(bytes.size(), kMaxFileRead)), offset, mode_));
}

FileResult<std::uint64_t> Descriptor::append(std::span<const std::uint8_t> bytes) {
  CUSP_TRY(may_write());
  return CUSP_TRY(write_file(file_, bytes.first(std::min(bytes.size(), kMaxFileRead)), kAppend, mode_));
}

FileResult<Ref<InputSource>> Descriptor::read_stream(std::uint64_t offset) {
  if (file_->is_directory()) return std::unexpected(FileError::IsDirectory);
  if (!has(flags_, DescriptorFlags::Read)) return std::unexpected(FileError::BadDescriptor);
  return Ref<InputSource>(new FileSource(file_, offset, mode_));
}

FileResult<Ref<OutputSink>> Descriptor::write_stream(std::uint64_t offset) {
  CUSP_TRY(may_stream_out());
  return Ref<OutputSink>(new FileSink(file_, offset, mode_));
}

FileResult<Ref<OutputSink>> Descriptor::append_stream() {
  CUSP_TRY(may_stream_out());
  return Ref<OutputSink>(new FileSink(file_, kAppend, mode_));
}

FileResult<void> Descriptor::advise(std::uint64_t offset, std::uint64_t length, Advice advice) {
  static constexpr int kAdvice[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                    POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
  if (file_->is_directory()) return std::unexpected(FileError::BadDescriptor);
  if ((offset | length) >> 63) return std::unexpected(FileError::Invalid);
  int error = posix_fadvise(file_->fd.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                            kAdvice[static_cast<std::size_t>(advice)]);
  if (error != 0) return std::unexpected(file_error(error));
  return {};
}

FileResult<void> Descriptor::set_size(std::uint64_t size) {
  if (file_->is_directory()) return std::unexpected(FileError::IsDirectory);
  // As ftruncate answers for a descriptor that is open for reading only.
  if (!has(flags_, DescriptorFlags::Write) || size >> 63) return std::unexpected(FileError::Invalid);
  return run_blocking(mode_, [&]() -> FileResult<void> {
    if (ftruncate(file_->fd.get(), static_cast<off_t>(size)) != 0) return last_error();
    return {};
  });
}

FileResult<void> Descriptor::sync(bool data_only) {
  return run_blocking(mode_, [&]() -> FileResult<void> {
    // A directory or file opened for reading need not support it: nothing of ours is pending then.
    int done = data_only ? fdatasync(file_->fd.get()) : fsync(file_->fd.get());
    if (done != 0 && errno != EINVAL && errno != EROFS) return last_error();
    return {};
  });
}

FileResult<void> Descriptor::set_times(const NewTimestamp& access, const NewTimestamp& modification) {
  // How the file is open plays no part, as with futimens.
  if (!writable_) return std::unexpected(FileError::NotPermitted);
  auto [first, second] = to_times(access, modification);
  timespec times[2] = {first, second};
  return run_blocking(mode_, [&]() -> FileResult<void> {
    if (futimens(file_->fd.get(), times) != 0) return last_error();
    return {};
  });
}

FileResult<struct ::stat> Descriptor::status() {
  struct ::stat stat{};
  if (fstat(file_->fd.get(), &stat) != 0) return last_error();
  return stat;
}

FileResult<DescriptorStat> Descriptor::stat() { return to_stat(CUSP_TRY(status())); }
FileResult<MetadataHash> Descriptor::metadata_hash() { return to_hash(CUSP_TRY(status())); }

bool Descriptor::is_same_object(const Descriptor& other) const {
  struct ::stat mine{}, theirs{};
  return fstat(file_->fd.get(), &mine) == 0 && fstat(other.file_->fd.get(), &theirs) == 0 &&
         mine.st_dev == theirs.st_dev && mine.st_ino == theirs.st_ino;
}

FileResult<std::unique_ptr<Descriptor>> Descriptor::open_at(PathFlags path_flags, std::string_view path,
                                                            OpenFlags open_flags, DescriptorFlags flags) {
  if (!file_->is_directory()) return std::unexpected(FileError::NotDirectory);
  bool write = has(flags, DescriptorFlags::Write);
  bool makes = (open_flags & (OpenFlags::Create | OpenFlags::Exclusive | OpenFlags::Truncate)) != OpenFlags::None;
  // Hosts agree to refuse these: what must be on the disk is synchronised by call.
  constexpr DescriptorFlags kSync =
      DescriptorFlags::FileIntegritySync | DescriptorFlags::DataIntegritySync | DescriptorFlags::RequestedWriteSync;
  if ((flags & kSync) != DescriptorFlags::None) return std::unexpected(FileError::Unsupported);
  if (has(open_flags, OpenFlags::Directory) && makes) return std::unexpected(FileError::Invalid);
  if (!writable_ && (write || makes || has(flags, DescriptorFlags::MutateDirectory)))
    return std::unexpected(FileError::NotPermitted);
  auto name = kernel_path(path);
  if (!name) return std::unexpected(name.error());

  // What is not opened for writing is opened for reading: the kernel has no third way.
  bool read = has(flags, DescriptorFlags::Read) || !write;
  std::uint64_t how = read && write ? O_RDWR : write ? O_WRONLY : O_RDONLY;
  if (has(open_flags, OpenFlags::Create)) how |= O_CREAT;
  if (has(open_flags, OpenFlags::Directory)) how |= O_DIRECTORY;
  if (has(open_flags, OpenFlags::Exclusive)) how |= O_EXCL;
  if (has(open_flags, OpenFlags::Truncate)) how |= O_TRUNC;
  if (!has(path_flags, PathFlags::SymlinkFollow)) how |= O_NOFOLLOW;
  auto fd = open_beneath(file_->fd.get(), *name, how, how & O_CREAT ? 0666 : 0, mode_);
  if (!fd) return std::unexpected(fd.error());
  auto file = std::make_shared<OpenFile>();
  file->fd = *std::move(fd);
  struct ::stat stat{};
  if (fstat(file->fd.get(), &stat) != 0) return last_error();
  file->mode = stat.st_mode;
  DescriptorFlags granted = DescriptorFlags::None;
  if (read) granted = granted | DescriptorFlags::Read;
  if (write) granted = granted | DescriptorFlags::Write;
  if (file->is_directory() && has(flags, DescriptorFlags::MutateDirectory))
    granted = granted | DescriptorFlags::MutateDirectory;
  return std::make_unique<Descriptor>(std::move(file), granted, writable_, mode_);
}

FileResult<struct ::stat> Descriptor::status_at(PathFlags flags, std::string_view path) {
  if (!file_->is_directory()) return std::unexpected(FileError::NotDirectory);
  std::string name = CUSP_TRY(kernel_path(path));
  std::uint64_t how = O_PATH | (has(flags, PathFlags::SymlinkFollow) ? 0 : O_NOFOLLOW);
  base::UniqueFd fd = CUSP_TRY(open_beneath(file_->fd.get(), name, how, 0, mode_));
  struct ::stat stat{};
  if (fstat(fd.get(), &stat) != 0) return last_error();
  return stat;
}

FileResult<DescriptorStat> Descriptor::stat_at(PathFlags flags, std::string_view path) {
  return to_stat(CUSP_TRY(status_at(flags, path)));
}

FileResult<MetadataHash> Descriptor::metadata_hash_at(PathFlags flags, std::string_view path) {
  return to_hash(CUSP_TRY(status_at(flags, path)));
}

FileResult<std::unique_ptr<DirectoryEntryStream>> Descriptor::read_directory() {
  if (!file_->is_directory()) return std::unexpected(FileError::NotDirectory);
  base::UniqueFd fd(openat(file_->fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return last_error();
  return std::make_unique<DirectoryEntryStream>(std::move(fd), mode_);
}

namespace {

struct KernelEntry { // linux_dirent64
  std::uint64_t inode;
  std::int64_t next;
  std::uint16_t size;
  std::uint8_t type; // DT_* are the S_IF* bits
  char name[];
};

} // namespace

FileResult<bool> DirectoryEntryStream::fill() {
  buffer_.resize(32 * 1024);
  at_ = 0;
  filled_ = CUSP_TRY(run_blocking(mode_, [&]() -> FileResult<std::size_t> {
    long count = syscall(SYS_getdents64, directory_.get(), buffer_.data(), buffer_.size());
    if (count < 0) return last_error();
    return static_cast<std::size_t>(count);
  }));
  return filled_ != 0;
}

FileResult<std::optional<DirectoryRecord>> DirectoryEntryStream::peek() {
  if (at_ == filled_ && !CUSP_TRY(fill())) return std::nullopt;
  const auto* entry = reinterpret_cast<const KernelEntry*>(buffer_.data() + at_);
  DirectoryRecord record{entry->inode, type_of(static_cast<mode_t>(entry->type) << 12), entry->name};
  if (!canon::is_utf8(record.name)) return std::unexpected(FileError::IllegalByteSequence);
  struct ::stat stat{};
  if (entry->type == 0 && fstatat(directory_.get(), entry->name, &stat, AT_SYMLINK_NOFOLLOW) == 0)
    record.type = type_of(stat.st_mode);
  return record;
}

void DirectoryEntryStream::advance() {
  const auto* entry = reinterpret_cast<const KernelEntry*>(buffer_.data() + at_);
  place_ = static_cast<std::uint64_t>(entry->next);
  at_ += entry->size;
}

FileResult<void> DirectoryEntryStream::seek(std::uint64_t place) {
  if (lseek(directory_.get(), static_cast<off_t>(place), SEEK_SET) < 0) return last_error();
  at_ = filled_ = 0;
  place_ = place;
  return {};
}

FileResult<std::optional<DirectoryEntry>> DirectoryEntryStream::next() {
  for (;;) {
    auto record = peek();
    // What cannot be told is told once: the entries behind it can still be read.
    if (!record && at_ == filled_) return std::unexpected(record.error());
    if (record && !*record) return std::nullopt;
    advance();
    if (!record) return std::unexpected(record.error());
    if ((*record)->name == "." || (*record)->name == "..") continue;
    return DirectoryEntry{(*record)->type, std::string((*record)->name)};
  }
}

} // namespace cusp::wasi
