#include "wasi/filesystem/face.h"
#include "canon/bind.h"
#include "wasi/context.h"
#include "wasi/filesystem/descriptor.h"
#include "wasi/linker.h"

namespace cusp::wasi {

namespace {

using canon::Borrow;
using canon::CallContext;
using canon::GuestBytes;
using canon::Own;

template <class T> FileResult<Own<T>> owned(FileResult<std::unique_ptr<T>>&& object) {
  if (!object) return std::unexpected(object.error());
  return Own<T>(*std::move(object));
}
template <class Stream, class Behind> FileResult<Own<Stream>> as_stream(FileResult<Ref<Behind>>&& behind) {
  if (!behind) return std::unexpected(behind.error());
  return canon::make_own<Stream>(*std::move(behind));
}

using NewTime = std::variant<std::monostate, std::monostate, Datetime>;
NewTimestamp to_new_timestamp(const NewTime& time) {
  if (time.index() == 0) return NewTimestamp(std::in_place_index<0>);
  if (time.index() == 1) return NewTimestamp(std::in_place_index<1>);
  const Datetime& at = std::get<2>(time);
  return timespec{.tv_sec = static_cast<time_t>(at.seconds), .tv_nsec = static_cast<long>(at.nanoseconds)};
}

FileResult<std::tuple<GuestBytes, bool>> read(CallContext& cx, Borrow<Descriptor> self, std::uint64_t length,
                                              std::uint64_t offset) {
  auto bytes = self->read(length, offset);
  if (!bytes) return std::unexpected(bytes.error());
  return std::tuple(to_guest(cx, *bytes), bytes->empty() && length != 0);
}

std::vector<std::tuple<Own<Descriptor>, std::string_view>> get_directories(CallContext& cx) {
  const Config& config = *cx.host<Context>().config;
  std::vector<std::tuple<Own<Descriptor>, std::string_view>> list;
  list.reserve(config.preopens.size());
  for (const Preopen& preopen : config.preopens)
    list.emplace_back(canon::make_own<Descriptor>(preopen.directory, preopen.writable, config.file_io),
                      preopen.guest_path);
  return list;
}

void add_descriptor_files(canon::LinkerInstance& types) {
  types
      .func("[method]descriptor.read-via-stream",
            [](Borrow<Descriptor> self, std::uint64_t offset) {
              return as_stream<InputStream>(self->read_stream(offset));
            })
      .func("[method]descriptor.write-via-stream",
            [](Borrow<Descriptor> self, std::uint64_t offset) {
              return as_stream<OutputStream>(self->write_stream(offset));
            })
      .func("[method]descriptor.append-via-stream",
            [](Borrow<Descriptor> self) { return as_stream<OutputStream>(self->append_stream()); })
      .func("[method]descriptor.advise", [](Borrow<Descriptor> self, std::uint64_t offset, std::uint64_t length,
                                            Advice advice) { return self->advise(offset, length, advice); })
      .func("[method]descriptor.sync-data", [](Borrow<Descriptor> self) { return self->sync(true); })
      .func("[method]descriptor.sync", [](Borrow<Descriptor> self) { return self->sync(false); })
      .func("[method]descriptor.get-flags",
            [](Borrow<Descriptor> self) { return FileResult<DescriptorFlags>(self->flags()); })
      .func("[method]descriptor.get-type",
            [](Borrow<Descriptor> self) { return FileResult<DescriptorType>(self->type()); })
      .func("[method]descriptor.set-size",
            [](Borrow<Descriptor> self, std::uint64_t size) { return self->set_size(size); })
      .func("[method]descriptor.set-times",
            [](Borrow<Descriptor> self, NewTime access, NewTime modification) {
              return self->set_times(to_new_timestamp(access), to_new_timestamp(modification));
            })
      .func("[method]descriptor.read", &read)
      .func("[method]descriptor.write", [](Borrow<Descriptor> self, std::span<const std::uint8_t> bytes,
                                           std::uint64_t offset) { return self->write(bytes, offset); })
      .func("[method]descriptor.stat", [](Borrow<Descriptor> self) { return self->stat(); })
      .func("[method]descriptor.metadata-hash", [](Borrow<Descriptor> self) { return self->metadata_hash(); })
      .func("[method]descriptor.is-same-object",
            [](Borrow<Descriptor> self, Borrow<Descriptor> other) { return self->is_same_object(*other); });
}

// Paths are guest memory: what suspends copies them first, or is done with them (Descriptor's own contract).
void add_descriptor_names(canon::LinkerInstance& types) {
  types
      .func("[method]descriptor.open-at",
            [](Borrow<Descriptor> self, PathFlags path_flags, std::string path, OpenFlags open_flags,
               DescriptorFlags flags) { return owned(self->open_at(path_flags, path, open_flags, flags)); })
      .func("[method]descriptor.read-directory", [](Borrow<Descriptor> self) { return owned(self->read_directory()); })
      .func("[method]descriptor.create-directory-at",
            [](Borrow<Descriptor> self, std::string path) { return self->create_directory_at(path); })
      .func("[method]descriptor.remove-directory-at",
            [](Borrow<Descriptor> self, std::string path) { return self->remove_directory_at(path); })
      .func("[method]descriptor.unlink-file-at",
            [](Borrow<Descriptor> self, std::string path) { return self->unlink_file_at(path); })
      .func("[method]descriptor.stat-at",
            [](Borrow<Descriptor> self, PathFlags flags, std::string path) { return self->stat_at(flags, path); })
      .func("[method]descriptor.metadata-hash-at", [](Borrow<Descriptor> self, PathFlags flags,
                                                      std::string path) { return self->metadata_hash_at(flags, path); })
      .func("[method]descriptor.set-times-at",
            [](Borrow<Descriptor> self, PathFlags flags, std::string path, NewTime access, NewTime modification) {
              return self->set_times_at(flags, path, to_new_timestamp(access), to_new_timestamp(modification));
            })
      .func("[method]descriptor.readlink-at",
            [](Borrow<Descriptor> self, std::string path) { return self->readlink_at(path); })
      .func("[method]descriptor.symlink-at", [](Borrow<Descriptor> self, std::string target,
                                                std::string path) { return self->symlink_at(target, path); })
      .func("[method]descriptor.link-at",
            [](Borrow<Descriptor> self, PathFlags flags, std::string old_path, Borrow<Descriptor> to,
               std::string new_path) { return self->link_at(flags, old_path, *to, new_path); })
      .func("[method]descriptor.rename-at",
            [](Borrow<Descriptor> self, std::string old_path, Borrow<Descriptor> to, std::string new_path) {
              return self->rename_at(old_path, *to, new_path);
            });
}

} // namespace

void add_filesystem(canon::Linker& linker) {
  canon::LinkerInstance& types = linker.instance("wasi:filesystem/types@0.2.12");
  types.resource<Descriptor>("descriptor").resource<DirectoryEntryStream>("directory-entry-stream");
  types.resource<InputStream>("input-stream").resource<OutputStream>("output-stream").resource<IoError>("error");
  add_descriptor_files(types);
  add_descriptor_names(types);
  types
      .func("[method]directory-entry-stream.read-directory-entry",
            [](Borrow<DirectoryEntryStream> self) { return self->next(); })
      .func("filesystem-error-code", [](Borrow<IoError> error) { return error->file; });
  add_filesystem_3(linker);
  for (const char* preopens : {"wasi:filesystem/preopens@0.2.12", "wasi:filesystem/preopens@0.3.0"})
    linker.instance(preopens).resource<Descriptor>("descriptor").func("get-directories", &get_directories);
}

} // namespace cusp::wasi
