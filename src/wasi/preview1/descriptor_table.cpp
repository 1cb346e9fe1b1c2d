#include "wasi/preview1/descriptor_table.h"

#include <algorithm>

namespace cusp::wasi::preview1 {

namespace {
constexpr std::size_t kMostDescriptors = 1 << 20;
} // namespace

FileResult<bool> DirectoryReader::seek(std::uint64_t cookie) {
  if (cookie == 0) places_ = {0};
  // From the start the directory is read anew, even when nothing was taken yet.
  if (cookie == 0 || cookie != cookie_) {
    cookie_ = std::min<std::uint64_t>(cookie, places_.size() - 1);
    CUSP_TRY(stream_->seek(places_[cookie_]));
  }
  while (cookie_ < cookie) {
    auto record = stream_->peek();
    if (!record && record.error() != FileError::IllegalByteSequence) return std::unexpected(record.error());
    if (record && !*record) return false;
    advance();
  }
  return true;
}

void DirectoryReader::advance() {
  stream_->advance();
  if (++cookie_ == places_.size()) places_.push_back(stream_->place());
}

Errno Entry::lacking(Rights need) const {
  Rights missing = need & ~base;
  if (is_directory() && (missing & ~kDirectoryRights)) return Errno::Badf;
  if (missing & (right::SockAccept | right::SockShutdown)) return Errno::Notsock;
  if (!descriptor && (missing & ~kStreamRights & kFileRights)) return Errno::Spipe;
  if (!is_directory() && (missing & ~kFileRights)) return descriptor ? Errno::Notdir : Errno::Badf;
  return missing & (right::FdRead | right::FdWrite) ? Errno::Badf : Errno::Notcapable;
}

Expected<Ref<Entry>> DescriptorTable::get(std::uint32_t fd, Rights need) const {
  if (fd >= entries_.size() || !entries_[fd]) return fail(Errno::Badf);
  const Ref<Entry>& entry = entries_[fd];
  if ((entry->base & need) != need) return fail(entry->lacking(need));
  return entry;
}

Expected<std::uint32_t> DescriptorTable::add(Ref<Entry> entry) {
  std::size_t fd = lowest_free_;
  while (fd < entries_.size() && entries_[fd]) ++fd;
  if (fd >= kMostDescriptors) return fail(Errno::Mfile);
  if (fd == entries_.size()) entries_.emplace_back();
  entries_[fd] = std::move(entry);
  lowest_free_ = fd + 1;
  return static_cast<std::uint32_t>(fd);
}

Expected<void> DescriptorTable::close(std::uint32_t fd) {
  CUSP_TRY(get(fd));
  entries_[fd] = {};
  lowest_free_ = std::min<std::size_t>(lowest_free_, fd);
  return {};
}

Expected<void> DescriptorTable::renumber(std::uint32_t from, std::uint32_t to) {
  Ref<Entry> moved = CUSP_TRY(get(from));
  CUSP_TRY(get(to));
  if (from == to) return {};
  entries_[to] = std::move(moved);
  return close(from);
}

} // namespace cusp::wasi::preview1
