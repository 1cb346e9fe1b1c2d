// A binary heap of deadlines whose entries know their place, so that disarming is as cheap as arming. Private to loop/.
#pragma once

#include <cstddef>
#include <vector>

#include "loop/event_loop.h"

namespace cusp::loop {

struct Timer {
  TimePoint deadline = kNever;
  Fiber* fiber = nullptr; // woken at the deadline
  bool fired = false;
  std::size_t place = kIdle;
  static constexpr std::size_t kIdle = ~std::size_t{0};
};

class TimerHeap {
public:
  bool empty() const { return heap_.empty(); }
  TimePoint next() const { return heap_.empty() ? kNever : heap_.front()->deadline; }

  void arm(Timer& timer) {
    timer.fired = false;
    timer.place = heap_.size();
    heap_.push_back(&timer);
    sift_up(timer.place);
  }
  void disarm(Timer& timer) {
    std::size_t at = timer.place;
    if (at == Timer::kIdle) return;
    timer.place = Timer::kIdle;
    Timer* last = heap_.back();
    heap_.pop_back();
    if (last == &timer) return;
    put(at, last);
    sift_up(at);
    sift_down(last->place);
  }
  // The earliest timer that is due at `now`, disarmed; nullptr when there is none.
  Timer* pop_due(TimePoint now) {
    if (heap_.empty() || heap_.front()->deadline > now) return nullptr;
    Timer* timer = heap_.front();
    disarm(*timer);
    timer->fired = true;
    return timer;
  }

private:
  void put(std::size_t at, Timer* timer) {
    heap_[at] = timer;
    timer->place = at;
  }
  void sift_up(std::size_t at) {
    for (; at != 0; at = (at - 1) / 2) {
      Timer* parent = heap_[(at - 1) / 2];
      Timer* self = heap_[at];
      if (parent->deadline <= self->deadline) return;
      put(at, parent);
      put((at - 1) / 2, self);
    }
  }
  void sift_down(std::size_t at) {
    for (;;) {
      std::size_t child = 2 * at + 1;
      if (child >= heap_.size()) return;
      if (child + 1 < heap_.size() && heap_[child + 1]->deadline < heap_[child]->deadline) ++child;
      Timer* self = heap_[at];
      Timer* other = heap_[child];
      if (self->deadline <= other->deadline) return;
      put(at, other);
      put(child, self);
      at = child;
    }
  }
  std::vector<Timer*> heap_;
};

} // namespace cusp::loop
