// TCP sockets that a guest of WASI 0.1 was handed: it can accept from a listener, receive, send and shut down, and cannot make one.
// Non-blocking descriptors on the loop of this thread; whoever waits suspends its fiber.
#pragma once

#include <memory>

#include "base/unique_fd.h"
#include "wasi/io/poll.h"

namespace cusp::wasi::preview1 {

class Socket : public Counted {
public:
  // Shared: a listener belongs to the configuration. REQUIRES: non-blocking; a loop's thread.
  explicit Socket(std::shared_ptr<const base::UniqueFd> fd);
  ~Socket() override;
  int fd() const { return fd_->get(); }

  // Readiness of each direction; for as long as the socket lives. A listener is readable when there is somebody to accept.
  const Ref<Waitable>& readable() const { return readable_; }
  const Ref<Waitable>& writable() const { return writable_; }
  std::uint64_t available() const; // bytes that can be received now

private:
  std::shared_ptr<const base::UniqueFd> fd_;
  loop::Event read_event_, write_event_;
  Ref<Waitable> readable_, writable_;
};

} // namespace cusp::wasi::preview1
