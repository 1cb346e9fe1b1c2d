// The 0.2 faces of wasi:sockets: network, instance-network, ip-name-lookup. tcp_face.cpp and udp_face.cpp have the sockets.
#include "wasi/sockets/face.h"

#include "wasi/linker.h"
#include "wasi/sockets/name_lookup.h"

namespace cusp::wasi {

namespace {

using canon::Borrow;
using canon::CallContext;
using canon::Own;

struct ResolveAddressStream {
  Ref<NameLookup> lookup;
  std::size_t next = 0;
};

class LookupWait final : public Waitable {
public:
  explicit LookupWait(Ref<NameLookup> lookup) : lookup_(std::move(lookup)) {}
  bool ready() override { return lookup_->done(); }
  loop::Event* event() override { return &lookup_->done_event(); }

private:
  Ref<NameLookup> lookup_;
};

SocketResult<Own<ResolveAddressStream>> resolve_addresses(CallContext& cx, Borrow<Network>, std::string name) {
  auto lookup = NameLookup::start(cx.host<Context>().config->network, name);
  if (lookup) return canon::make_own<ResolveAddressStream>(*std::move(lookup));
  // What a resolver says that is not there.
  bool denied = lookup.error() == SocketError::AccessDenied;
  return std::unexpected(denied ? SocketError::PermanentResolverFailure : lookup.error());
}

SocketResult<std::optional<IpAddress>> resolve_next_address(CallContext& cx, Borrow<ResolveAddressStream> self) {
  const NameLookup& lookup = *self->lookup;
  if (!lookup.done()) return std::unexpected(SocketError::WouldBlock);
  if (!lookup.addresses()) return std::unexpected(lookup.addresses().error());
  if (self->next == lookup.addresses()->size()) return std::optional<IpAddress>();
  const IpAddress& address = (*lookup.addresses())[self->next++];
  cx.host<Context>().network().learn(lookup.name(), address);
  return std::optional(address);
}

} // namespace

void add_sockets(canon::Linker& linker) {
  linker.instance("wasi:sockets/network@0.2.12")
      .resource<Network>("network")
      .resource<IoError>("error")
      .func("network-error-code", [](Borrow<IoError> error) { return error->network; });
  linker.instance("wasi:sockets/instance-network@0.2.12").resource<Network>("network").func("instance-network", [] {
    return canon::make_own<Network>();
  });
  linker.instance("wasi:sockets/ip-name-lookup@0.2.12")
      .resource<ResolveAddressStream>("resolve-address-stream")
      .resource<Network>("network")
      .resource<Pollable>("pollable")
      .func("resolve-addresses", &resolve_addresses)
      .func("[method]resolve-address-stream.resolve-next-address", &resolve_next_address)
      .func("[method]resolve-address-stream.subscribe", [](Borrow<ResolveAddressStream> self) {
        return canon::make_own<Pollable>(make_ref<LookupWait>(self->lookup));
      });
  add_tcp_sockets(linker);
  add_udp_sockets(linker);
  add_sockets_3(linker);
}

} // namespace cusp::wasi
