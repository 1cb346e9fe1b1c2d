#include "wasi/preview1/preview1.h"

#include "canon/strings.h"
#include "wasi/cli/stdio.h"

namespace cusp::wasi::preview1 {

namespace {

constexpr std::size_t kMaxPath = 4096; // as the kernel has it

Ref<Entry> stream_entry(Stdio& stdio, int fd) {
  Ref<Entry> entry(new Entry);
  entry->type = stdio.is_terminal(fd) ? Filetype::CharacterDevice : Filetype::Unknown;
  entry->base = kStreamRights & ~(fd == 0 ? right::FdWrite : right::FdRead);
  if (fd == 0) entry->source = stdio.stdin_source();
  else entry->sink = fd == 1 ? stdio.stdout_sink() : stdio.stderr_sink();
  return entry;
}

template <class Generation> std::unique_ptr<const runtime::HostModule> make_module(std::string_view name) {
  auto made = std::make_unique<runtime::HostModule>(std::string(name));
  runtime::HostModule& module = *made;
  add_process(module);
  add_fd_io<Generation>(module);
  add_fd_status<Generation>(module);
  add_path<Generation>(module);
  add_poll<Generation>(module);
  add_sockets<Generation>(module);
  return made;
}

} // namespace

Program::Program(Context& from) : context(from) {
  const Config& config = *context.config;
  for (int fd = 0; fd < 3; ++fd) (void)table.add(stream_entry(*context.stdio, fd));
  for (const Preopen& preopen : config.preopens) {
    Ref<Entry> directory = make_entry(std::make_unique<Descriptor>(preopen.directory, preopen.writable, config.file_io),
                                      kFileRights | kDirectoryRights, 0);
    directory->preopen_path = preopen.guest_path;
    (void)table.add(std::move(directory));
  }
  for (const auto& listener : config.listeners) {
    Ref<Entry> entry(new Entry);
    entry->type = Filetype::SocketStream;
    entry->base = kListenerRights;
    entry->inheriting = kSocketRights;
    entry->socket = Ref<Socket>(new Socket(listener));
    (void)table.add(std::move(entry));
  }
}

const runtime::HostModule* host_module(std::string_view name) {
  if (name == "wasi_snapshot_preview1") {
    static const auto module = make_module<Snapshot>("wasi_snapshot_preview1");
    return module.get();
  }
  if (name == "wasi_unstable") {
    static const auto module = make_module<Unstable>("wasi_unstable");
    return module.get();
  }
  return nullptr;
}

Expected<void> block(runtime::HostCall& call, std::span<Waitable* const> what) {
  auto waited = wait_in(program(call).context, what);
  if (waited) return {};
  call.trap(std::move(waited.error().message), waited.error().code);
  return fail(Errno::Canceled);
}

Expected<void> block(runtime::HostCall& call, Waitable& what) {
  Waitable* one = &what;
  return block(call, std::span<Waitable* const>(&one, 1));
}

Expected<std::string> host_path(std::string_view path) {
  if (path.size() >= kMaxPath) return fail(Errno::Nametoolong);
  if (!canon::is_utf8(path)) return fail(Errno::Ilseq);
  return std::string(path);
}

Expected<void> only(std::uint32_t flags, std::uint32_t known) {
  if (flags & ~known) return fail(Errno::Inval);
  return {};
}

Expected<Times> new_times(std::uint64_t atim, std::uint64_t mtim, std::uint32_t flags) {
  CUSP_TRY(only(flags, fstflag::All));
  auto one = [](bool set, bool now, std::uint64_t time) -> Expected<NewTimestamp> {
    if (set && now) return fail(Errno::Inval);
    if (now) return NewTimestamp(std::in_place_index<1>);
    if (!set) return NewTimestamp(std::in_place_index<0>);
    constexpr std::uint64_t kSecond = 1'000'000'000;
    return NewTimestamp(timespec{static_cast<time_t>(time / kSecond), static_cast<long>(time % kSecond)});
  };
  Times times;
  times.access = CUSP_TRY(one(flags & fstflag::Atim, flags & fstflag::AtimNow, atim));
  times.modification = CUSP_TRY(one(flags & fstflag::Mtim, flags & fstflag::MtimNow, mtim));
  return times;
}

Ref<Entry> make_entry(std::unique_ptr<Descriptor> descriptor, Rights passed_on, std::uint16_t flags) {
  Ref<Entry> entry(new Entry);
  entry->type = to_filetype(descriptor->type());
  entry->flags = flags;
  if (entry->is_directory()) {
    entry->base = kDirectoryRights & passed_on;
    entry->inheriting = passed_on;
  } else {
    const bool regular = entry->type == Filetype::RegularFile;
    Rights rights = regular ? kFileRights : kStreamRights;
    if (!has(descriptor->flags(), DescriptorFlags::Read)) rights &= ~Rights{right::FdRead};
    if (!has(descriptor->flags(), DescriptorFlags::Write)) rights &= ~Rights{right::FdWrite};
    entry->base = rights & passed_on;
    if (!regular) {
      int fd = descriptor->file().fd.get();
      if (rights & right::FdRead) entry->source = Ref<InputSource>(new FdSource(fd));
      if (rights & right::FdWrite) entry->sink = Ref<OutputSink>(new FdSink(fd));
    }
  }
  entry->descriptor = std::move(descriptor);
  return entry;
}

} // namespace cusp::wasi::preview1
