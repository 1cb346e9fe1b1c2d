// The functions on sockets, and the sockets.
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <poll.h>

#include "wasi/preview1/preview1.h"

namespace cusp::wasi::preview1 {

namespace {

using runtime::HostCall;
using runtime::HostModule;

constexpr std::uint32_t kReceivePeek = 1, kReceiveWaitall = 2; // riflags
constexpr std::uint32_t kShutdownRead = 1, kShutdownWrite = 2; // sdflags
constexpr std::size_t kPart = 16 * 1024;

class Direction final : public Waitable {
public:
  Direction(int fd, short events, loop::Event& event) : fd_(fd), events_(events), event_(event) {}
  bool ready() override {
    event_.reset(); // first: an edge between the question and the wait is not lost
    pollfd what{fd_, events_, 0};
    return ::poll(&what, 1, 0) != 0; // hang-ups and errors count: receiving or sending tells them
  }
  loop::Event* event() override { return &event_; }

private:
  int fd_;
  short events_;
  loop::Event& event_;
};

// Repeats a system call until it does not ask to, waiting for the direction when there is nothing to do. Error: Again, when the guest will not wait.
template <class Operation>
Expected<std::size_t> repeat(HostCall& call, const Entry& entry, Waitable& direction, Operation operation) {
  for (;;) {
    ssize_t done = operation();
    if (done >= 0) return static_cast<std::size_t>(done);
    int error = errno;
    if (error == EINTR) continue;
    if (error != EAGAIN) return fail(socket_errno(error));
    if (entry.nonblocking()) return fail(Errno::Again);
    CUSP_TRY(block(call, direction));
  }
}

Expected<void> sock_accept(HostCall& call, std::uint32_t fd, std::uint32_t flags, std::uint32_t& accepted) {
  Ref<Entry> listener = CUSP_TRY(entry(call, fd, right::SockAccept));
  CUSP_TRY(only(flags, fdflag::Nonblock));
  Socket& socket = *listener->socket;
  std::size_t made = CUSP_TRY(repeat(call, *listener, *socket.readable(), [&] {
    return accept4(socket.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  }));
  auto owned = std::make_shared<base::UniqueFd>(static_cast<int>(made));
  Ref<Entry> connection(new Entry);
  connection->type = Filetype::SocketStream;
  connection->flags = static_cast<std::uint16_t>(flags);
  connection->base = listener->inheriting;
  connection->socket = Ref<Socket>(new Socket(std::move(owned)));
  accepted = CUSP_TRY(program(call).table.add(std::move(connection)));
  return {};
}

Expected<Ref<Entry>> socket_entry(HostCall& call, std::uint32_t fd, Rights need) {
  Ref<Entry> of = CUSP_TRY(entry(call, fd));
  if (!of->socket) return fail(Errno::Notsock);
  return entry(call, fd, need);
}

Expected<void> sock_recv(HostCall& call, std::uint32_t fd, std::span<const Iovec> iovs, std::uint32_t flags,
                         std::uint32_t& count, std::uint16_t& told) {
  Ref<Entry> from = CUSP_TRY(socket_entry(call, fd, right::FdRead));
  CUSP_TRY(only(flags, kReceivePeek | kReceiveWaitall));
  count = CUSP_TRY(receive(call, *from, CUSP_TRY(GuestBuffers::take(call, iovs)), flags));
  told = 0; // a stream truncates nothing
  return {};
}

Expected<void> sock_send(HostCall& call, std::uint32_t fd, std::span<const Iovec> iovs, std::uint32_t flags,
                         std::uint32_t& count) {
  Ref<Entry> to = CUSP_TRY(socket_entry(call, fd, right::FdWrite));
  CUSP_TRY(only(flags, 0));
  GuestBuffers buffers = CUSP_TRY(GuestBuffers::take(call, iovs));
  count = CUSP_TRY(write_all(buffers, [&](std::span<const std::uint8_t> bytes) { return send(call, *to, bytes); }));
  return {};
}

Expected<void> sock_shutdown(HostCall& call, std::uint32_t fd, std::uint32_t how) {
  Ref<Entry> of = CUSP_TRY(socket_entry(call, fd, right::SockShutdown));
  CUSP_TRY(only(how, kShutdownRead | kShutdownWrite));
  constexpr int kHow[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
  if (how == 0) return fail(Errno::Inval);
  if (::shutdown(of->socket->fd(), kHow[how - 1]) != 0) return fail(socket_errno(errno));
  return {};
}

} // namespace

Socket::Socket(std::shared_ptr<const base::UniqueFd> fd)
    : fd_(std::move(fd)), readable_(new Direction(fd_->get(), POLLIN, read_event_)),
      writable_(new Direction(fd_->get(), POLLOUT, write_event_)) {
  (void)loop::EventLoop::current()->watch(fd_->get(), read_event_, write_event_);
}

Socket::~Socket() { loop::EventLoop::current()->forget(fd_->get()); }

std::uint64_t Socket::available() const {
  int bytes = 0;
  return ioctl(fd_->get(), FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

Expected<std::uint32_t> receive(HostCall& call, const Entry& entry, GuestBuffers buffers, std::uint32_t flags) {
  std::uint8_t bytes[kPart];
  std::uint32_t done = 0;
  while (buffers.left() != 0) {
    std::size_t part = std::min<std::uint64_t>(buffers.left(), sizeof bytes);
    const int how = flags & kReceivePeek ? MSG_PEEK : 0;
    auto got =
        repeat(call, entry, *entry.socket->readable(), [&] { return recv(entry.socket->fd(), bytes, part, how); });
    if (!got) return done_or(done, got.error());
    buffers.put(std::span(bytes).first(*got));
    done += static_cast<std::uint32_t>(*got);
    // What was peeked would be seen again.
    if (*got == 0 || (flags & kReceivePeek) || !(flags & kReceiveWaitall)) break;
  }
  return done;
}

Expected<std::size_t> send(HostCall& call, const Entry& entry, std::span<const std::uint8_t> guest) {
  std::uint8_t bytes[kPart];
  std::size_t part = std::min(guest.size(), sizeof bytes);
  std::copy_n(guest.data(), part, bytes);
  return repeat(call, entry, *entry.socket->writable(),
                [&] { return ::send(entry.socket->fd(), bytes, part, MSG_NOSIGNAL); });
}

template <class Generation> void add_sockets(HostModule& module) {
  module.func("sock_recv", answer<sock_recv>)
      .func("sock_send", answer<sock_send>)
      .func("sock_shutdown", answer<sock_shutdown>);
  // wasi_unstable never had it.
  if constexpr (std::is_same_v<Generation, Snapshot>) module.func("sock_accept", answer<sock_accept>);
}
template void add_sockets<Snapshot>(HostModule&);
template void add_sockets<Unstable>(HostModule&);

} // namespace cusp::wasi::preview1
