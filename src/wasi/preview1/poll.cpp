// poll_oneoff: waits for a moment, or until descriptors have or take bytes; the fiber is suspended meanwhile. Whatever is wrong with one
// subscription is told by its event, at once.
#include "wasi/preview1/preview1.h"

namespace cusp::wasi::preview1 {

namespace {

using runtime::HostCall;
using runtime::HostModule;

constexpr std::uint32_t kMostSubscriptions = 1 << 16;

// One subscription: what it waits for, or why it cannot.
struct Watched {
  std::uint64_t userdata = 0;
  Eventtype type{};
  Errno error = Errno::Success;
  Ref<Entry> entry;   // keeps what is waited for
  Ref<Waitable> what; // none: an error
};

const SubscriptionClock& clock_of(const Subscription& from) { return from.clock; }
const SubscriptionClock& clock_of(const UnstableSubscription& from) { return from.clock; }

Expected<loop::TimePoint> moment_of(const SubscriptionClock& clock) {
  CUSP_TRY(only(clock.flags, kClockAbstime));
  if (clock.id != Clockid::Realtime && clock.id != Clockid::Monotonic) return fail(Errno::Notsup);
  if (!(clock.flags & kClockAbstime)) return time_after(clock.timeout);
  if (clock.id == Clockid::Monotonic) return time_point(clock.timeout);
  timespec now = read_clock(&clock_gettime, CLOCK_REALTIME);
  std::uint64_t real = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  return time_after(clock.timeout > real ? clock.timeout - real : 0);
}

Expected<Ref<Waitable>> readiness(const Entry& entry, Eventtype type) {
  const bool reads = type == Eventtype::FdRead;
  if (entry.socket) return Ref<Waitable>(reads ? entry.socket->readable() : entry.socket->writable());
  if (reads && entry.source) return Ref<Waitable>(entry.source);
  if (!reads && entry.sink) return Ref<Waitable>(entry.sink);
  return Ref<Waitable>(new AlwaysReady); // files
}

template <class Subscription> Watched watch(HostCall& call, const Subscription& from) {
  Watched one{from.userdata, from.type, Errno::Success, {}, {}};
  auto take = [&](auto&& result, auto& into) {
    if (result) into = *std::move(result);
    else one.error = result.error();
    return result.has_value();
  };
  switch (from.type) {
  case Eventtype::Clock: {
    loop::TimePoint moment;
    if (take(moment_of(clock_of(from)), moment)) one.what = make_ref<Timer>(moment);
    break;
  }
  case Eventtype::FdRead:
  case Eventtype::FdWrite: {
    Rights moves = from.type == Eventtype::FdRead ? right::FdRead : right::FdWrite;
    auto found = entry(call, from.fd, right::PollFdReadwrite);
    if (found && !(*found)->socket) found = entry(call, from.fd, moves); // a listener is polled for whom it can accept
    if (take(std::move(found), one.entry)) take(readiness(*one.entry, from.type), one.what);
    break;
  }
  default: one.error = Errno::Inval;
  }
  return one;
}

// How many bytes there are to read, and whether these were the last.
void tell_readable(const Entry& entry, Event& event) {
  if (entry.socket) {
    event.nbytes = entry.socket->available();
  } else if (entry.source) {
    auto bytes = entry.source->peek(kStreamChunk);
    if (bytes) event.nbytes = bytes->size();
    else if (bytes.error().closed()) event.flags = kReadwriteHangup;
    else event.error = to_errno(bytes.error());
  } else {
    auto status = entry.descriptor->status();
    if (!status) event.error = to_errno(status.error());
    else if (auto size = static_cast<std::uint64_t>(status->st_size); size > entry.position)
      event.nbytes = size - entry.position;
  }
}

void tell_writable(const Entry& entry, Event& event) {
  event.nbytes = kStreamChunk;
  if (!entry.sink) return;
  auto permit = entry.sink->check_write();
  if (permit) event.nbytes = *permit;
  else event.flags = kReadwriteHangup;
}

Event event_of(const Watched& one) {
  Event event{};
  event.userdata = one.userdata;
  event.error = one.error;
  event.type = one.type;
  if (one.error == Errno::Success && one.type == Eventtype::FdRead) tell_readable(*one.entry, event);
  if (one.error == Errno::Success && one.type == Eventtype::FdWrite) tell_writable(*one.entry, event);
  return event;
}

template <class Generation> Expected<void> poll_oneoff(HostCall& call, std::uint32_t in, std::uint32_t out,
                                                       std::uint32_t count, std::uint32_t& happened) {
  using Subscription = typename Generation::Subscription;
  if (count == 0) return fail(Errno::Inval);
  if (count > kMostSubscriptions) return fail(Errno::Nomem);
  auto subscriptions = call.array<const Subscription>(in, count);
  auto events = call.array<Event>(out, count);
  if (call.trapped()) return fail(Errno::Fault);

  std::vector<Watched> watched;
  std::vector<Waitable*> waits;
  bool at_once = false;
  watched.reserve(count);
  for (const Subscription& from : subscriptions) {
    watched.push_back(watch(call, from));
    if (watched.back().what) waits.push_back(watched.back().what.get());
    else at_once = true;
  }
  if (!at_once) CUSP_TRY(block(call, waits));
  std::uint32_t told = 0;
  for (const Watched& one : watched)
    if (!one.what || one.what->ready()) events[told++] = event_of(one);
  happened = told;
  return {};
}

} // namespace

template <class Generation> void add_poll(HostModule& module) {
  module.func("poll_oneoff", answer<poll_oneoff<Generation>>);
}
template void add_poll<Snapshot>(HostModule&);
template void add_poll<Unstable>(HostModule&);

} // namespace cusp::wasi::preview1
