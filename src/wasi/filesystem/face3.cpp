// The 0.3 face of wasi:filesystem: the same descriptors as 0.2's, with streams where that has polling, and every function that may wait async.
#include "canon/bind.h"
#include "wasi/context.h"
#include "wasi/filesystem/beneath.h"
#include "wasi/filesystem/face.h"
#include "wasi/io/pump.h"
#include "wasi/open_enum.h"

namespace cusp::wasi {

namespace file3 {

using FileCode = OpenEnum<36>;
using FileType = OpenEnum<7>;

struct Stat {
  FileType type;
  std::uint64_t link_count = 0, size = 0;
  std::optional<Instant> data_access_timestamp, data_modification_timestamp, status_change_timestamp;
};
CUSP_RECORD(Stat, type, link_count, size, data_access_timestamp, data_modification_timestamp, status_change_timestamp)

struct Entry {
  FileType type;
  std::string name;
};
CUSP_RECORD(Entry, type, name)

} // namespace file3

namespace {

using canon::Borrow;
using canon::CallContext;
using canon::Own;
using file3::Entry;
using file3::FileCode;
using file3::FileType;
using file3::Stat;

template <class T> using Coded = std::expected<T, FileCode>;

// 0.3 has no would-block, and otherwise the same codes in the same order.
FileCode file_code(FileError error) {
  if (error == FileError::WouldBlock) return {.text = std::string(file_error_name(error))};
  auto which = static_cast<std::uint32_t>(error);
  return {which > static_cast<std::uint32_t>(FileError::WouldBlock) ? which - 1 : which, std::nullopt};
}
FileCode io_code(const IoError& error) { return file_code(error.file.value_or(FileError::Io)); }

FileType file_type(DescriptorType type) {
  if (type == DescriptorType::Unknown) return {};
  return {static_cast<std::uint32_t>(type) - 1, std::nullopt};
}

template <class T> Coded<T> coded(FileResult<T>&& result) {
  if (!result) return std::unexpected(file_code(result.error()));
  if constexpr (std::is_void_v<T>) return {};
  else return *std::move(result);
}

Coded<Stat> to_stat3(FileResult<struct ::stat>&& result) {
  if (!result) return std::unexpected(file_code(result.error()));
  return Stat{file_type(type_of(result->st_mode)),
              result->st_nlink,
              static_cast<std::uint64_t>(result->st_size),
              to_instant(result->st_atim),
              to_instant(result->st_mtim),
              to_instant(result->st_ctim)};
}

using NewTime = std::variant<std::monostate, std::monostate, Instant>;
NewTimestamp to_new_timestamp(const NewTime& time) {
  if (time.index() == 0) return NewTimestamp(std::in_place_index<0>);
  if (time.index() == 1) return NewTimestamp(std::in_place_index<1>);
  const Instant& at = std::get<2>(time);
  return timespec{.tv_sec = at.seconds, .tv_nsec = static_cast<long>(at.nanoseconds)};
}

Reading<FileCode> read_via_stream(CallContext& cx, Borrow<Descriptor> self, std::uint64_t offset) {
  auto source = self->read_stream(offset);
  if (source) return wasi::read_via_stream<FileCode>(cx, *std::move(source), &io_code);
  return {canon::make_stream<std::uint8_t>(cx).stream,
          settled<FileCode>(cx, std::unexpected(file_code(source.error())))};
}

canon::Future<Outcome<FileCode>> write_from(CallContext& cx, ByteStream data, FileResult<Ref<OutputSink>> sink) {
  if (!sink) return settled<FileCode>(cx, std::unexpected(file_code(sink.error())));
  return write_via_stream<FileCode>(cx, std::move(data), *std::move(sink), &io_code);
}

// As many entries as are asked for, up to a handful at a time.
FileResult<void> feed_entries(DirectoryEntryStream& directory, canon::StreamWriter<Entry>& writer) {
  constexpr std::uint32_t kAtOnce = 64;
  std::vector<Entry> entries;
  for (;;) {
    auto room = writer.wanted();
    if (!room || *room == 0) return {};
    entries.clear();
    FileResult<std::optional<DirectoryEntry>> entry;
    while (entries.size() < std::min(*room, kAtOnce) && (entry = directory.next()) && *entry)
      entries.push_back({file_type((*entry)->type), std::move((*entry)->name)});
    auto written = writer.write(std::span<Entry>(entries));
    if (!written || *written < entries.size()) return {};
    if (!entry) return std::unexpected(entry.error());
    if (!*entry) return {};
  }
}

std::tuple<canon::Stream<Entry>, canon::Future<Outcome<FileCode>>> read_directory(CallContext& cx,
                                                                                  Borrow<Descriptor> self) {
  auto entries = canon::make_stream<Entry>(cx);
  auto directory = self->read_directory();
  if (!directory)
    return {std::move(entries.stream), settled<FileCode>(cx, std::unexpected(file_code(directory.error())))};
  auto end = canon::make_future<Outcome<FileCode>>(cx);
  bool fed = cx.component().attend([directory = *std::move(directory), writer = std::move(entries.writer),
                                    outcome = std::move(end.writer)]() mutable {
    FileResult<void> done = feed_entries(*directory, writer);
    directory.reset();
    writer.close();
    (void)outcome.set(coded<void>(std::move(done)));
  });
  if (!fed) cx.trap("there is no memory for a stream");
  return {std::move(entries.stream), std::move(end.future)};
}

Coded<Own<Descriptor>> open_at(Borrow<Descriptor> self, PathFlags path_flags, std::string path, OpenFlags open_flags,
                               DescriptorFlags flags) {
  // What may be created may be written; 0.3 has it so.
  if (has(open_flags, OpenFlags::Create) && !has(open_flags, OpenFlags::Directory)) {
    if (!has(flags, DescriptorFlags::Write) && !has(flags, DescriptorFlags::Read))
      flags = flags | DescriptorFlags::Read;
    flags = flags | DescriptorFlags::Write;
  }
  auto opened = self->open_at(path_flags, path, open_flags, flags);
  if (!opened) return std::unexpected(file_code(opened.error()));
  return Own<Descriptor>(*std::move(opened));
}

void add_descriptor_files(canon::LinkerInstance& types) {
  types.func("[method]descriptor.read-via-stream", &read_via_stream)
      .func("[method]descriptor.write-via-stream",
            [](CallContext& cx, Borrow<Descriptor> self, ByteStream data, std::uint64_t offset) {
              return write_from(cx, std::move(data), self->write_stream(offset));
            })
      .func("[method]descriptor.append-via-stream",
            [](CallContext& cx, Borrow<Descriptor> self, ByteStream data) {
              return write_from(cx, std::move(data), self->append_stream());
            })
      .func("[method]descriptor.advise", [](Borrow<Descriptor> self, std::uint64_t offset, std::uint64_t length,
                                            Advice advice) { return coded(self->advise(offset, length, advice)); })
      .func("[method]descriptor.sync-data", [](Borrow<Descriptor> self) { return coded(self->sync(true)); })
      .func("[method]descriptor.sync", [](Borrow<Descriptor> self) { return coded(self->sync(false)); })
      .func("[method]descriptor.get-flags",
            [](Borrow<Descriptor> self) { return Coded<DescriptorFlags>(self->flags()); })
      .func("[method]descriptor.get-type",
            [](Borrow<Descriptor> self) { return Coded<FileType>(file_type(self->type())); })
      .func("[method]descriptor.set-size",
            [](Borrow<Descriptor> self, std::uint64_t size) { return coded(self->set_size(size)); })
      .func("[method]descriptor.set-times",
            [](Borrow<Descriptor> self, NewTime access, NewTime modification) {
              return coded(self->set_times(to_new_timestamp(access), to_new_timestamp(modification)));
            })
      .func("[method]descriptor.stat", [](Borrow<Descriptor> self) { return to_stat3(self->status()); })
      .func("[method]descriptor.metadata-hash", [](Borrow<Descriptor> self) { return coded(self->metadata_hash()); })
      .func("[method]descriptor.is-same-object",
            [](Borrow<Descriptor> self, Borrow<Descriptor> other) { return self->is_same_object(*other); });
}

void add_descriptor_names(canon::LinkerInstance& types) {
  types.func("[method]descriptor.read-directory", &read_directory)
      .func("[method]descriptor.open-at", &open_at)
      .func("[method]descriptor.create-directory-at",
            [](Borrow<Descriptor> self, std::string path) { return coded(self->create_directory_at(path)); })
      .func("[method]descriptor.remove-directory-at",
            [](Borrow<Descriptor> self, std::string path) { return coded(self->remove_directory_at(path)); })
      .func("[method]descriptor.unlink-file-at",
            [](Borrow<Descriptor> self, std::string path) { return coded(self->unlink_file_at(path)); })
      .func("[method]descriptor.stat-at", [](Borrow<Descriptor> self, PathFlags flags,
                                             std::string path) { return to_stat3(self->status_at(flags, path)); })
      .func("[method]descriptor.metadata-hash-at",
            [](Borrow<Descriptor> self, PathFlags flags, std::string path) {
              return coded(self->metadata_hash_at(flags, path));
            })
      .func("[method]descriptor.set-times-at",
            [](Borrow<Descriptor> self, PathFlags flags, std::string path, NewTime access, NewTime modification) {
              return coded(self->set_times_at(flags, path, to_new_timestamp(access), to_new_timestamp(modification)));
            })
      .func("[method]descriptor.readlink-at",
            [](Borrow<Descriptor> self, std::string path) { return coded(self->readlink_at(path)); })
      .func("[method]descriptor.symlink-at", [](Borrow<Descriptor> self, std::string target,
                                                std::string path) { return coded(self->symlink_at(target, path)); })
      .func("[method]descriptor.link-at",
            [](Borrow<Descriptor> self, PathFlags flags, std::string old_path, Borrow<Descriptor> to,
               std::string new_path) { return coded(self->link_at(flags, old_path, *to, new_path)); })
      .func("[method]descriptor.rename-at",
            [](Borrow<Descriptor> self, std::string old_path, Borrow<Descriptor> to, std::string new_path) {
              return coded(self->rename_at(old_path, *to, new_path));
            });
}

} // namespace

void add_filesystem_3(canon::Linker& linker) {
  canon::LinkerInstance& types = linker.instance("wasi:filesystem/types@0.3.0");
  types.resource<Descriptor>("descriptor");
  add_descriptor_files(types);
  add_descriptor_names(types);
}

} // namespace cusp::wasi
