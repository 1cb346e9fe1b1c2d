// The functions that move bytes: reading, writing, seeking, listing directories.
#include "wasi/preview1/buffers.h"
#include "wasi/preview1/preview1.h"

namespace cusp::wasi::preview1 {

namespace {

using runtime::HostCall;
using runtime::HostModule;
using Iovecs = std::span<const Iovec>;

Expected<std::uint32_t> read_file_at(Descriptor& file, GuestBuffers buffers, std::uint64_t offset) {
  HostBuffer host(buffers.left());
  std::uint64_t done = 0;
  while (buffers.left() != 0) {
    std::span<std::uint8_t> into = host.first(buffers.left());
    auto got = file.read_into(into, offset + done);
    if (!got) return done_or(done, to_errno(got.error()));
    if (*got == 0) break;
    buffers.put(into.first(*got));
    done += *got;
  }
  return static_cast<std::uint32_t>(done);
}

Expected<std::uint32_t> read_stream(HostCall& call, const Entry& entry, GuestBuffers buffers) {
  if (buffers.left() == 0) return 0;
  for (;;) {
    auto bytes = entry.source->peek(std::min<std::uint64_t>(buffers.left(), kStreamChunk));
    if (!bytes && bytes.error().closed()) return 0;
    if (!bytes) return fail(to_errno(bytes.error()));
    if (!bytes->empty()) {
      std::size_t count = bytes->size();
      buffers.put(*bytes);
      entry.source->consume(count);
      return static_cast<std::uint32_t>(count);
    }
    if (entry.nonblocking()) return fail(Errno::Again);
    CUSP_TRY(block(call, *entry.source));
  }
}

Expected<std::size_t> write_stream(HostCall& call, const Entry& entry, std::span<const std::uint8_t> bytes) {
  for (;;) {
    auto permit = entry.sink->check_write();
    if (!permit) return fail(to_errno(permit.error()));
    if (*permit != 0) {
      std::size_t part = std::min<std::uint64_t>(bytes.size(), *permit);
      auto written = entry.sink->write(bytes.first(part));
      if (written) written = entry.sink->flush();
      if (!written) return fail(to_errno(written.error()));
      return part;
    }
    if (entry.nonblocking()) return fail(Errno::Again);
    CUSP_TRY(block(call, *entry.sink));
  }
}

Expected<void> fd_read(HostCall& call, std::uint32_t fd, Iovecs iovs, std::uint32_t& count) {
  Ref<Entry> from = CUSP_TRY(entry(call, fd, right::FdRead));
  GuestBuffers buffers = CUSP_TRY(GuestBuffers::take(call, iovs));
  if (from->socket) {
    count = CUSP_TRY(receive(call, *from, buffers, 0));
  } else if (from->source) {
    count = CUSP_TRY(read_stream(call, *from, buffers));
  } else {
    count = CUSP_TRY(read_file_at(*from->descriptor, buffers, from->position));
    from->position += count;
  }
  return {};
}

Expected<void> fd_pread(HostCall& call, std::uint32_t fd, Iovecs iovs, std::uint64_t offset, std::uint32_t& count) {
  Ref<Entry> from = CUSP_TRY(entry(call, fd, right::FdSeek | right::FdRead));
  count = CUSP_TRY(read_file_at(*from->descriptor, CUSP_TRY(GuestBuffers::take(call, iovs)), offset));
  return {};
}

Expected<void> fd_write(HostCall& call, std::uint32_t fd, Iovecs iovs, std::uint32_t& count) {
  Ref<Entry> to = CUSP_TRY(entry(call, fd, right::FdWrite));
  GuestBuffers buffers = CUSP_TRY(GuestBuffers::take(call, iovs));
  auto write = [&](std::span<const std::uint8_t> bytes) -> Expected<std::size_t> {
    if (to->socket) return send(call, *to, bytes);
    if (to->sink) return write_stream(call, *to, bytes);
    if (!to->appends()) {
      std::uint64_t done = CUSP_TRY(told(to->descriptor->write(bytes, to->position)));
      to->position += done;
      return done;
    }
    std::uint64_t done = CUSP_TRY(told(to->descriptor->append(bytes)));
    to->position = static_cast<std::uint64_t>(CUSP_TRY(told(to->descriptor->status())).st_size);
    return done;
  };
  count = CUSP_TRY(write_all(buffers, write));
  return {};
}

Expected<void> fd_pwrite(HostCall& call, std::uint32_t fd, Iovecs iovs, std::uint64_t offset, std::uint32_t& count) {
  Ref<Entry> to = CUSP_TRY(entry(call, fd, right::FdSeek | right::FdWrite));
  GuestBuffers buffers = CUSP_TRY(GuestBuffers::take(call, iovs));
  auto write = [&](std::span<const std::uint8_t> bytes) -> Expected<std::size_t> {
    if (to->appends()) return told(to->descriptor->append(bytes)); // wherever the offset is, as on Linux
    std::uint64_t done = CUSP_TRY(told(to->descriptor->write(bytes, offset)));
    offset += done;
    return done;
  };
  count = CUSP_TRY(write_all(buffers, write));
  return {};
}

template <class Generation>
Expected<void> fd_seek(HostCall& call, std::uint32_t fd, std::int64_t offset, std::uint8_t whence, std::uint64_t& now) {
  auto from = Generation::whence(whence);
  if (!from) return fail(Errno::Inval);
  const bool tells = *from == Whence::Cur && offset == 0;
  Ref<Entry> file = CUSP_TRY(entry(call, fd, tells ? right::FdTell : right::FdSeek));
  std::int64_t base = 0;
  if (*from == Whence::Cur) base = static_cast<std::int64_t>(file->position);
  if (*from == Whence::End) base = CUSP_TRY(told(file->descriptor->status())).st_size;
  std::int64_t to = 0;
  if (__builtin_add_overflow(base, offset, &to)) return fail(Errno::Overflow);
  if (to < 0) return fail(Errno::Inval);
  now = file->position = static_cast<std::uint64_t>(to);
  return {};
}

Expected<void> fd_tell(HostCall& call, std::uint32_t fd, std::uint64_t& offset) {
  offset = CUSP_TRY(entry(call, fd, right::FdTell))->position;
  return {};
}

// Copies what fits. False: not all of it.
bool put(std::span<std::uint8_t>& into, const void* bytes, std::size_t size) {
  std::size_t part = std::min(into.size(), size);
  std::memcpy(into.data(), bytes, part);
  into = into.subspan(part);
  return part == size;
}

Expected<void> fd_readdir(HostCall& call, std::uint32_t fd, std::span<std::uint8_t> buffer, std::uint64_t cookie,
                          std::uint32_t& used) {
  Ref<Entry> directory = CUSP_TRY(entry(call, fd, right::FdReaddir));
  if (!directory->reader)
    directory->reader = std::make_unique<DirectoryReader>(CUSP_TRY(told(directory->descriptor->read_directory())));
  DirectoryReader& reader = *directory->reader;
  std::span<std::uint8_t> left = buffer;
  bool more = CUSP_TRY(told(reader.seek(cookie)));
  while (more && !left.empty()) {
    auto record = reader.peek();
    // A name that is not UTF-8 cannot be said and cannot be opened: to this guest there is nothing.
    if (!record && record.error() != FileError::IllegalByteSequence) return fail(to_errno(record.error()));
    if (record && !*record) break;
    if (record) {
      const DirectoryRecord& found = **record;
      Dirent dirent{};
      dirent.next = reader.cookie() + 1;
      dirent.ino = found.inode;
      // What lies above a directory is not the guest's to know.
      if (found.name == "..") dirent.ino = CUSP_TRY(told(directory->descriptor->status())).st_ino;
      dirent.name_length = static_cast<std::uint32_t>(found.name.size());
      dirent.type = to_filetype(found.type);
      if (!put(left, &dirent, sizeof dirent) || !put(left, found.name.data(), found.name.size())) break;
    }
    reader.advance();
  }
  used = static_cast<std::uint32_t>(buffer.size() - left.size());
  return {};
}

} // namespace

template <class Generation> void add_fd_io(HostModule& module) {
  module.func("fd_read", answer<fd_read>)
      .func("fd_pread", answer<fd_pread>)
      .func("fd_write", answer<fd_write>)
      .func("fd_pwrite", answer<fd_pwrite>)
      .func("fd_tell", answer<fd_tell>)
      .func("fd_readdir", answer<fd_readdir>)
      .func("fd_seek", answer<fd_seek<Generation>>);
}
template void add_fd_io<Snapshot>(HostModule&);
template void add_fd_io<Unstable>(HostModule&);

} // namespace cusp::wasi::preview1
