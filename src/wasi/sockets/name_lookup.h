// Looking up a name: the system's resolver, on the loop's pool, so that only this look-up waits for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wasi/io/poll.h"
#include "wasi/sockets/error.h"
#include "wasi/sockets/policy.h"

namespace cusp::wasi {

class NameLookup final : public Counted {
public:
  // Begins. Literal addresses are their own answer. invalid-argument: no name and no address; access-denied: the policy does not permit it.
  static SocketResult<Ref<NameLookup>> start(const NetworkPolicy& policy, std::string_view name);

  bool done() const { return done_.is_set(); }
  loop::Event& done_event() { return done_; }
  // REQUIRES: done(). At least one, in order of preference.
  const SocketResult<std::vector<IpAddress>>& addresses() const { return addresses_; }
  const std::string& name() const { return name_; }

private:
  void run();
  std::string name_;
  loop::Event done_;
  SocketResult<std::vector<IpAddress>> addresses_ = std::unexpected(SocketError::WouldBlock);
};

} // namespace cusp::wasi
