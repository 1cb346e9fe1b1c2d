// The functions of WASI 0.1 called as a guest calls them, against a piece of memory in place of a guest.
#include "wasi/preview1/preview1.h"

#include <cstring>

#include <sys/socket.h>

#include "wasi/scratch.h"

namespace cusp::wasi::preview1 {
namespace {

// What the guest reads is what it is given; what it writes is kept.
class TextSource final : public InputSource {
public:
  std::string text;
  bool ended = false;
  loop::Event came;
  bool ready() override { return ended || !text.empty(); }
  loop::Event* event() override { return &came; }
  StreamResult<std::span<const std::uint8_t>> peek(std::size_t limit) override {
    if (text.empty() && ended) return stream_closed();
    return std::span(reinterpret_cast<const std::uint8_t*>(text.data()), std::min(limit, text.size()));
  }
  void consume(std::size_t count) override { text.erase(0, count); }
};
class TextSink final : public OutputSink {
public:
  std::string text;
  std::uint64_t permit = 10; // of one write
  bool closed = false;
  bool ready() override { return true; }
  StreamResult<std::uint64_t> check_write() override {
    if (closed) return stream_closed();
    return permit;
  }
  StreamResult<void> write(std::span<const std::uint8_t> bytes) override {
    EXPECT_LE(bytes.size(), permit);
    text.append(bytes.begin(), bytes.end());
    return {};
  }
  StreamResult<void> flush() override { return {}; }
};
struct TextStdio final : Stdio {
  Ref<TextSource> in{new TextSource};
  Ref<TextSink> out{new TextSink};
  Ref<InputSource> stdin_source() override { return in; }
  Ref<OutputSink> stdout_sink() override { return out; }
};

struct Guest {
  explicit Guest(Config from = {}) : config(std::move(from)) {
    context.config = &config;
    context.stdio = &stdio;
    program = std::make_unique<Program>(context);
    store->user = program.get();
  }

  // The errno of a call; -1: it trapped.
  template <class... A> int call(std::string_view name, A... arguments) {
    abi::ValRaw values[12]{};
    std::size_t at = 0;
    ((values[at++].i64 = static_cast<std::uint64_t>(arguments)), ...);
    const runtime::HostFuncDef* def = host_module(generation)->find(name);
    EXPECT_EQ(def->type.params.size(), sizeof...(A)) << name;
    runtime::HostCall host(*store, &memory);
    def->thunk(def->callable.get(), host, values);
    return host.trapped() ? -1 : static_cast<int>(values[0].i32);
  }
  template <class T> T get(std::uint32_t at) const {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
  }
  template <class T> void put(std::uint32_t at, const T& value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
  }
  std::uint32_t put_text(std::uint32_t at, std::string_view text) {
    std::memcpy(bytes.data() + at, text.data(), text.size());
    return static_cast<std::uint32_t>(text.size());
  }
  std::string text(std::uint32_t at, std::size_t size) const {
    return {reinterpret_cast<const char*>(bytes.data()) + at, size};
  }
  // A new descriptor of a file below the first directory.
  std::uint32_t open(std::string_view path, std::uint32_t oflags, Rights rights, std::uint32_t fdflags = 0) {
    std::uint32_t size = put_text(0, path);
    EXPECT_EQ(call("path_open", 3, 0, 0, size, oflags, rights, 0, fdflags, 64), 0) << path;
    return get<std::uint32_t>(64);
  }

  Config config;
  TextStdio stdio;
  Context context;
  std::unique_ptr<runtime::Store> store = *runtime::Store::create({});
  std::unique_ptr<Program> program;
  std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(65536);
  abi::MemoryRecord memory{bytes.data(), bytes.size(), bytes.size(), 65536};
  const char* generation = "wasi_snapshot_preview1";
};

Config config_of(const Scratch& scratch, bool writable = true) {
  Config config;
  config.preopens.push_back({scratch.root(), "/data", writable});
  config.file_io = IoMode::Pool;
  return config;
}

TEST(Preview1, EveryFunctionOfBothGenerations) {
  EXPECT_EQ(host_module("wasi_snapshot_preview1")->size(), 46u);
  EXPECT_EQ(host_module("wasi_unstable")->size(), 45u);
  EXPECT_EQ(host_module("wasi_unstable")->find("sock_accept"), nullptr);
  EXPECT_EQ(host_module("wasi_snapshot_preview2"), nullptr);
}

TEST(Preview1, StringsOfTheSurroundings) {
  on_loop([] {
    Config config;
    config.arguments = {"prog", "", "x y"};
    config.environment = {{"A", "1"}, {"B", "2=3"}};
    Guest guest(config);
    EXPECT_EQ(guest.call("args_sizes_get", 0, 4), 0);
    EXPECT_EQ(guest.get<std::uint32_t>(0), 3u);
    EXPECT_EQ(guest.get<std::uint32_t>(4), 10u);
    EXPECT_EQ(guest.call("args_get", 16, 100), 0);
    EXPECT_EQ(guest.get<std::uint32_t>(16), 100u);
    EXPECT_EQ(guest.get<std::uint32_t>(20), 105u);
    EXPECT_EQ(guest.text(100, 10), std::string("prog\0\0x y\0", 10));
    EXPECT_EQ(guest.call("environ_get", 16, 200), 0);
    EXPECT_EQ(guest.text(200, 10), std::string("A=1\0B=2=3\0", 10));
    EXPECT_EQ(guest.call("args_get", 16, 65530), -1); // the last byte is not the guest's
  });
}

TEST(Preview1, WritingInParts) {
  on_loop([] {
    Guest guest;
    std::uint32_t size = guest.put_text(100, "more than the sink takes at once");
    guest.put(0, Iovec{100, size});
    EXPECT_EQ(guest.call("fd_write", 1, 0, 1, 32), 0);
    EXPECT_EQ(guest.get<std::uint32_t>(32), size);
    EXPECT_EQ(guest.stdio.out->text, "more than the sink takes at once");
    guest.stdio.out->text.clear();
    const Iovec parts[] = {{100, 4}, {0xffffffff, 0}, {104, 5}};
    std::memcpy(guest.bytes.data(), parts, sizeof parts);
    EXPECT_EQ(guest.call("fd_write", 1, 0, 3, 32), 0);
    EXPECT_EQ(guest.stdio.out->text, "more than");
    guest.put(8, Iovec{65535, 2});
    EXPECT_EQ(guest.call("fd_write", 1, 0, 3, 32), -1);
    EXPECT_EQ(guest.stdio.out->text, "more than"); // all buffers are looked at first
    EXPECT_EQ(guest.call("fd_write", 1, 0, 1025, 32), static_cast<int>(Errno::Inval));
    guest.stdio.out->closed = true;
    guest.put(0, Iovec{100, 1});
    EXPECT_EQ(guest.call("fd_write", 1, 0, 1, 32), static_cast<int>(Errno::Pipe));
  });
}

TEST(Preview1, ReadingWaitsForInput) {
  on_loop([] {
    Guest guest;
    guest.put(0, Iovec{100, 50});
    loop::EventLoop::current()->spawn([in = guest.stdio.in] {
      in->text = "late";
      in->came.set();
    });
    EXPECT_EQ(guest.call("fd_read", 0, 0, 1, 32), 0);
    EXPECT_EQ(guest.get<std::uint32_t>(32), 4u);
    EXPECT_EQ(guest.text(100, 4), "late");
    EXPECT_EQ(guest.call("fd_fdstat_set_flags", 0, fdflag::Nonblock), 0);
    guest.stdio.in->came.reset();
    EXPECT_EQ(guest.call("fd_read", 0, 0, 1, 32), static_cast<int>(Errno::Again));
    guest.stdio.in->ended = true;
    EXPECT_EQ(guest.call("fd_read", 0, 0, 1, 32), 0);
    EXPECT_EQ(guest.get<std::uint32_t>(32), 0u);
    EXPECT_EQ(guest.call("fd_seek", 0, 0, 0, 40), static_cast<int>(Errno::Spipe));
  });
}

TEST(Preview1, AReadMayOverwriteItsOwnList) {
  Scratch scratch;
  scratch.write("f", std::string(16, '\xff'));
  on_loop([&] {
    Guest guest(config_of(scratch));
    std::uint32_t fd = guest.open("f", 0, right::FdRead);
    const Iovec parts[] = {{8, 8}, {200, 8}}; // the first buffer is the second list entry
    std::memcpy(guest.bytes.data(), parts, sizeof parts);
    EXPECT_EQ(guest.call("fd_read", fd, 0, 2, 32), -1);
  });
}

TEST(Preview1, DescriptorsAreTheLowestFreeNumbers) {
  Scratch scratch;
  on_loop([&] {
    Guest guest(config_of(scratch));
    EXPECT_EQ(guest.open("a", oflag::Creat, right::FdRead), 4u);
    EXPECT_EQ(guest.open("b", oflag::Creat, right::FdRead), 5u);
    EXPECT_EQ(guest.call("fd_close", 4), 0);
    EXPECT_EQ(guest.call("fd_close", 4), static_cast<int>(Errno::Badf));
    EXPECT_EQ(guest.open("a", 0, right::FdRead), 4u);
    EXPECT_EQ(guest.call("fd_renumber", 5, 0), 0);
    EXPECT_EQ(guest.call("fd_fdstat_get", 0, 64), 0);
    EXPECT_EQ(guest.get<Fdstat>(64).filetype, Filetype::RegularFile);
    EXPECT_EQ(guest.open("b", 0, right::FdRead), 5u);
    EXPECT_EQ(guest.call("fd_renumber", 5, 99), static_cast<int>(Errno::Badf));
  });
}

TEST(Preview1, CookiesCountEntries) {
  Scratch scratch;
  for (int i = 0; i < 9; ++i) scratch.write("name" + std::to_string(i), "x");
  on_loop([&] {
    Guest guest(config_of(scratch));
    EXPECT_EQ(guest.call("fd_readdir", 3, 256, 4096, 0, 32), 0);
    std::uint32_t used = guest.get<std::uint32_t>(32), count = 0;
    std::vector<std::string> names;
    for (std::uint32_t at = 256; at < 256 + used;) {
      auto dirent = guest.get<Dirent>(at);
      EXPECT_EQ(dirent.next, ++count);
      names.push_back(guest.text(at + sizeof dirent, dirent.name_length));
      at += static_cast<std::uint32_t>(sizeof dirent + dirent.name_length);
    }
    ASSERT_EQ(names.size(), 11u);
    for (std::uint64_t cookie : {10u, 3u, 7u}) {
      EXPECT_EQ(guest.call("fd_readdir", 3, 256, 100, cookie, 32), 0);
      EXPECT_EQ(guest.text(256 + sizeof(Dirent), guest.get<Dirent>(256).name_length), names[cookie]);
    }
    for (std::uint64_t cookie : {std::uint64_t{11}, std::uint64_t{12}, ~std::uint64_t{0}}) {
      EXPECT_EQ(guest.call("fd_readdir", 3, 256, 100, cookie, 32), 0);
      EXPECT_EQ(guest.get<std::uint32_t>(32), 0u);
    }
    // A cookie that was never given is read up to.
    std::uint32_t again = guest.open(".", oflag::Directory, 0);
    EXPECT_EQ(guest.call("fd_readdir", again, 256, 100, 5, 32), 0);
    EXPECT_EQ(guest.text(256 + sizeof(Dirent), guest.get<Dirent>(256).name_length), names[5]);
    EXPECT_EQ(guest.call("fd_readdir", again, 256, 10, 0, 32), 0); // not even the head of one
    EXPECT_EQ(guest.get<std::uint32_t>(32), 10u);
  });
}

TEST(Preview1, PollTellsErrorsByEvent) {
  on_loop([] {
    Guest guest;
    Subscription subscriptions[3]{};
    subscriptions[0].userdata = 1, subscriptions[0].clock = {Clockid::Monotonic, 0, 5'000'000, 0, 0, {}};
    subscriptions[1].userdata = 2, subscriptions[1].type = Eventtype::FdRead, subscriptions[1].fd = 0;
    subscriptions[2].userdata = 3, subscriptions[2].type = static_cast<Eventtype>(9);
    guest.put(0, subscriptions);
    EXPECT_EQ(guest.call("poll_oneoff", 0, 512, 2, 1024), 0);
    EXPECT_EQ(guest.get<std::uint32_t>(1024), 1u);
    EXPECT_EQ(guest.get<Event>(512).userdata, 1u);
    EXPECT_EQ(guest.call("poll_oneoff", 0, 512, 3, 1024), 0);
    EXPECT_EQ(guest.get<Event>(512).userdata, 3u);
    EXPECT_EQ(guest.get<Event>(512).error, Errno::Inval);
    guest.stdio.in->text = "abc";
    EXPECT_EQ(guest.call("poll_oneoff", 48, 512, 1, 1024), 0);
    EXPECT_EQ(guest.get<Event>(512).nbytes, 3u);
    guest.stdio.in->text.clear(), guest.stdio.in->ended = true;
    EXPECT_EQ(guest.call("poll_oneoff", 48, 512, 1, 1024), 0);
    EXPECT_EQ(guest.get<Event>(512).flags, kReadwriteHangup);
    EXPECT_EQ(guest.call("poll_oneoff", 0, 512, 0, 1024), static_cast<int>(Errno::Inval));
    EXPECT_EQ(guest.call("poll_oneoff", 0, 512, 65537, 1024), static_cast<int>(Errno::Nomem));
    EXPECT_EQ(guest.call("poll_oneoff", 4, 512, 1, 1024), -1); // not aligned
  });
}

TEST(Preview1, WaitingEndsAtTheDeadline) {
  on_loop([] {
    Guest guest;
    guest.context.deadline = loop::Clock::now() + std::chrono::milliseconds(20);
    guest.put(0, Iovec{100, 1});
    EXPECT_EQ(guest.call("fd_read", 0, 0, 1, 32), -1);
    EXPECT_GE(loop::Clock::now(), guest.context.deadline);
  });
}

TEST(Preview1, ExitEndsWithItsCode) {
  on_loop([] {
    Guest guest;
    EXPECT_EQ(guest.call("proc_exit", 0x103), -1);
    EXPECT_EQ(guest.context.exit_code, 3);
  });
}

TEST(Preview1, GenerationsDifferInTheirLayouts) {
  Scratch scratch;
  scratch.write("f", "0123456789");
  on_loop([&] {
    Guest guest(config_of(scratch));
    std::uint32_t fd = guest.open("f", 0, right::FdRead);
    EXPECT_EQ(guest.call("fd_seek", fd, 4, 0, 128), 0); // set
    EXPECT_EQ(guest.get<std::uint64_t>(128), 4u);
    EXPECT_EQ(guest.call("fd_filestat_get", fd, 128), 0);
    EXPECT_EQ(guest.get<Filestat>(128).size, 10u);
    guest.generation = "wasi_unstable";
    EXPECT_EQ(guest.call("fd_seek", fd, 1, 0, 128), 0); // cur
    EXPECT_EQ(guest.get<std::uint64_t>(128), 5u);
    EXPECT_EQ(guest.call("fd_filestat_get", fd, 128), 0);
    EXPECT_EQ(guest.get<UnstableFilestat>(128).size, 10u);
    EXPECT_EQ(guest.get<UnstableFilestat>(128).nlink, 1u);
  });
}

TEST(Preview1, SocketsThatWereHandedIn) {
  on_loop([] {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    base::UniqueFd peer(pair[1]);
    Guest guest;
    Ref<Entry> connection(new Entry);
    connection->type = Filetype::SocketStream;
    connection->base = kSocketRights;
    connection->socket = Ref<Socket>(new Socket(std::make_shared<base::UniqueFd>(pair[0])));
    std::uint32_t fd = *guest.program->table.add(connection);
    guest.put(0, Iovec{100, 8});
    loop::EventLoop::current()->spawn([&peer] {
      EXPECT_EQ(::send(peer.get(), "1234", 4, 0), 4);
      loop::Fiber::yield();
      EXPECT_EQ(::send(peer.get(), "5678", 4, 0), 4);
    });
    EXPECT_EQ(guest.call("sock_recv", fd, 0, 1, 2 /* all of it */, 32, 36), 0);
    EXPECT_EQ(guest.text(100, guest.get<std::uint32_t>(32)), "12345678");
    EXPECT_EQ(guest.call("sock_send", fd, 0, 1, 0, 32), 0);
    EXPECT_EQ(guest.call("sock_shutdown", fd, 2), 0);
    char got[16];
    EXPECT_EQ(::recv(peer.get(), got, sizeof got, 0), 8);
    EXPECT_EQ(::recv(peer.get(), got, sizeof got, 0), 0);
    EXPECT_EQ(guest.call("sock_recv", 1, 0, 1, 0, 32, 36), static_cast<int>(Errno::Notsock));
    EXPECT_EQ(guest.call("sock_accept", fd, 0, 32), static_cast<int>(Errno::Notsock));
    EXPECT_EQ(guest.call("sock_shutdown", fd, 4), static_cast<int>(Errno::Inval));
  });
}

} // namespace
} // namespace cusp::wasi::preview1
