// An instance that answers requests of a 0.3 handler, and what it stands in. A fresh one for each request, unless serving was asked to reuse
// instances: then one answers several, some of them at a time. What a guest goes on with after its answer is driven to its end on a fiber
// of its own, before the instance is reset. Owned by the fibers that work with it; one worker's thread. Private to app/.
#pragma once

#include <memory>
#include <vector>

#include "app/guest_log.h"
#include "app/worker.h"
#include "loop/event_loop.h"
#include "wasi/http/service.h"

namespace cusp::app {

struct HandlerUse {
  HandlerUse(const Service& service, observe::LogBuffer& log, std::uint64_t id)
      : stdio(log, service.options->access_log, id) {
    context.config = service.config.get();
    context.stdio = &stdio;
  }
  GuestStdio stdio;
  wasi::Context context;
  canon::InstancePool::Lease lease; // goes first: handles refer to the others
  std::uint32_t taken = 0, active = 0;
  std::vector<loop::TimePoint> deadlines; // of the active requests
  loop::TimePoint idle_since{};
  loop::Fiber* driver = nullptr; // drives what is left of earlier requests
};

class HandlerUses {
public:
  HandlerUses(const Service& service, observe::LogBuffer& log, loop::EventLoop& loop)
      : service_(service), log_(log), loop_(loop) {}

  // One for a request that may take until `deadline`; the newest that has room, or a fresh one. Error: as InstancePool::acquire().
  Result<std::shared_ptr<HandlerUse>> begin(canon::InstancePool& pool, std::uint64_t id, loop::TimePoint deadline);
  // The request is answered.
  void end(std::shared_ptr<HandlerUse> use, loop::TimePoint deadline);
  // Lets go of instances that no request has used since.
  void trim(loop::TimePoint since);
  bool keeps_any() const { return !reusable_.empty(); }
  // Lets go of all, and ends what guests go on with.
  void end_all();

private:
  static void limit(HandlerUse& use);
  void drive(const std::shared_ptr<HandlerUse>& use);
  const Service& service_;
  observe::LogBuffer& log_;
  loop::EventLoop& loop_;
  std::vector<std::shared_ptr<HandlerUse>> reusable_;
  std::vector<std::shared_ptr<HandlerUse>> driven_;
};

} // namespace cusp::app
