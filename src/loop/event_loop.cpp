#include "loop/event_loop.h"

#include <cerrno>
#include <mutex>
#include <vector>

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/unique_fd.h"
#include "loop/fiber_switch.h"
#include "loop/sanitizers.h"
#include "loop/stack_pool.h"
#include "loop/thread_state.h"
#include "loop/timer_heap.h"

namespace cusp::loop {

#ifdef CUSP_ASAN
const std::size_t EventLoop::kDefaultStackBytes = 512 * 1024; // instrumented frames are several times larger
#else
const std::size_t EventLoop::kDefaultStackBytes = 64 * 1024;
#endif

namespace {

struct Watch {
  Event* readable = nullptr;
  Event* writable = nullptr;
  Event* hangup = nullptr;
};

} // namespace

struct EventLoop::State {
  base::UniqueFd epoll, door;
  BlockingPool* pool = nullptr;
  StackPool stacks{kDefaultStackBytes};
  TimerHeap timers;
  std::vector<Watch> watches; // by descriptor
  Fiber* first_ready = nullptr;
  Fiber* last_ready = nullptr;
  Fiber* turn = nullptr;   // what is left of this turn
  Fiber* urgent = nullptr; // run_first(): who goes next, before the rest of the turn
  std::size_t alive = 0;
  TimePoint now = Clock::now();
  bool stopping = false, stopping_now = false;

  std::mutex posted_mutex;
  std::vector<std::function<void()>> posted;

  void run_ready();
  void resume(Fiber* fiber);
  void unqueue(Fiber* fiber);
  void run_posted();
  void poll();
};

EventLoop::EventLoop() : state_(std::make_unique<State>()) {}
EventLoop::~EventLoop() = default;

Result<std::unique_ptr<EventLoop>> EventLoop::create(BlockingPool* pool) {
  std::unique_ptr<EventLoop> loop(new EventLoop);
  State& state = *loop->state_;
  state.pool = pool;
  state.epoll = base::UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  state.door = base::UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{.events = EPOLLIN, .data = {.fd = state.door.get()}};
  if (!state.epoll || !state.door || epoll_ctl(state.epoll.get(), EPOLL_CTL_ADD, state.door.get(), &event) != 0)
    return base::fail_errno("create", "an event loop", errno);
  return loop;
}

EventLoop* EventLoop::current() { return thread_state().loop; }
TimePoint EventLoop::turn_time() const { return state_->now; }
std::size_t EventLoop::fibers_alive() const { return state_->alive; }

void EventLoop::wake(Fiber* fiber) {
  if (fiber->queued_) return;
  fiber->queued_ = true;
  fiber->next_ready_ = nullptr;
  State& state = *state_;
  (state.last_ready ? state.last_ready->next_ready_ : state.first_ready) = fiber;
  state.last_ready = fiber;
}

Fiber* EventLoop::spawn(std::function<void()> body, std::size_t stack_bytes) {
  StackView stack = state_->stacks.take(stack_bytes);
  if (!stack.base) return nullptr;
  auto* fiber = new Fiber;
  fiber->loop_ = this;
  auto* owned = new std::function<void()>(std::move(body));
  Fiber::Switch::prepare(
      *fiber, stack,
      [](void* argument) {
        std::unique_ptr<std::function<void()>> run(static_cast<std::function<void()>*>(argument));
        (*run)();
      },
      owned);
  ++state_->alive;
  wake(fiber);
  return fiber;
}

void EventLoop::post(std::function<void()> work) {
  {
    std::lock_guard lock(state_->posted_mutex);
    state_->posted.push_back(std::move(work));
  }
  std::uint64_t one = 1;
  while (write(state_->door.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void EventLoop::stop() {
  post([this] { state_->stopping = true; });
}

void EventLoop::stop_now() {
  post([this] { state_->stopping_now = true; });
}

// Both go before whatever is ready: the one to run, then this one. A fiber that is queued already leaves the queue.
void EventLoop::run_first(Fiber* fiber) {
  State& state = *state_;
  Fiber* self = Fiber::current();
  for (Fiber* one : {fiber, self})
    if (one->queued_) state.unqueue(one);
  fiber->queued_ = self->queued_ = true;
  fiber->next_ready_ = self;
  self->next_ready_ = state.urgent;
  state.urgent = fiber;
  Fiber::suspend();
}

void EventLoop::cancel(Fiber* fiber) {
  fiber->cancelled_ = true;
  wake(fiber);
}

void EventLoop::State::unqueue(Fiber* fiber) {
  Fiber* previous = nullptr;
  for (Fiber** head : {&first_ready, &turn, &urgent}) {
    for (Fiber** at = head; *at; previous = *at, at = &(*at)->next_ready_) {
      if (*at != fiber) continue;
      *at = fiber->next_ready_;
      if (fiber == last_ready) last_ready = previous;
      return;
    }
    previous = nullptr;
  }
}

void EventLoop::State::resume(Fiber* fiber) {
  fiber->queued_ = false;
  Fiber::Switch::resume(*fiber);
  if (!fiber->finished_) return;
  stacks.give_back(fiber->own_stack_);
  delete fiber;
  --alive;
}

// One turn: whatever is ready now runs once; what becomes ready meanwhile waits for the next turn.
void EventLoop::State::run_ready() {
  turn = first_ready;
  first_ready = last_ready = nullptr;
  while (Fiber* fiber = urgent ? urgent : turn) {
    (urgent ? urgent : turn) = fiber->next_ready_;
    resume(fiber);
  }
}

void EventLoop::State::run_posted() {
  std::vector<std::function<void()>> work;
  {
    std::lock_guard lock(posted_mutex);
    work.swap(posted);
  }
  for (auto& item : work) item();
}

void EventLoop::State::poll() {
  int timeout_ms = -1;
  if (first_ready) {
    timeout_ms = 0;
  } else if (TimePoint next = timers.next(); next != kNever) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    timeout_ms = left < 0 ? 0 : left > 60'000 ? 60'000 : static_cast<int>(left);
  }
  epoll_event events[128];
  int count = epoll_wait(epoll.get(), events, 128, timeout_ms);
  now = Clock::now();
  for (int i = 0; i < count; ++i) {
    int fd = events[i].data.fd;
    if (fd == door.get()) {
      std::uint64_t ignored;
      (void)!read(fd, &ignored, sizeof ignored);
      run_posted();
      continue;
    }
    if (static_cast<std::size_t>(fd) >= watches.size() || !watches[static_cast<std::size_t>(fd)].readable) continue;
    const Watch& watch = watches[static_cast<std::size_t>(fd)];
    std::uint32_t what = events[i].events;
    if (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) watch.readable->set();
    if (what & (EPOLLOUT | EPOLLHUP | EPOLLERR)) watch.writable->set();
    if (watch.hangup && (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) watch.hangup->set();
  }
  while (Timer* timer = timers.pop_due(now)) timer->fiber->loop().wake(timer->fiber);
}

void EventLoop::run() {
  ThreadState& thread = thread_state();
  EventLoop* outer = thread.loop;
  thread.loop = this;
  State& state = *state_;
  while (!state.stopping_now && !(state.stopping && state.alive == 0)) {
    state.poll();
    state.run_ready();
  }
  thread.loop = outer;
}

void EventLoop::run_until(Fiber* fiber, const bool& done) {
  ThreadState& thread = thread_state();
  EventLoop* outer = thread.loop;
  thread.loop = this;
  State& state = *state_;
  if (fiber->queued_) state.unqueue(fiber);
  fiber->queued_ = true;
  fiber->next_ready_ = state.urgent;
  state.urgent = fiber;
  for (;;) {
    state.run_ready();
    if (done) break;
    state.poll();
  }
  thread.loop = outer;
}

Result<void> EventLoop::watch(int fd, Event& readable, Event& writable, Event* hangup) {
  State& state = *state_;
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.fd = fd}};
  if (epoll_ctl(state.epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return base::fail_errno("watch", "a descriptor", errno);
  std::size_t index = static_cast<std::size_t>(fd);
  if (index >= state.watches.size()) state.watches.resize(index + 64);
  state.watches[index] = Watch{&readable, &writable, hangup};
  return {};
}

void EventLoop::forget(int fd) {
  State& state = *state_;
  std::size_t index = static_cast<std::size_t>(fd);
  if (index >= state.watches.size() || !state.watches[index].readable) return;
  epoll_ctl(state.epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
  state.watches[index] = Watch{};
}

void EventLoop::sleep_until(TimePoint deadline) {
  Fiber* self = Fiber::current();
  Timer timer{.deadline = deadline, .fiber = self};
  state_->timers.arm(timer);
  while (!timer.fired && !self->cancelled()) Fiber::suspend();
  state_->timers.disarm(timer);
}

void EventLoop::run_blocking(std::function<void()> work) {
  Fiber* self = Fiber::current();
  bool done = false;
  state_->pool->submit([&, work = std::move(work)] {
    work();
    post([&done, self] {
      done = true;
      self->loop().wake(self);
    });
  });
  while (!done) Fiber::suspend();
}

void Event::set() {
  if (set_) return;
  set_ = true;
  for (Waiter* waiter = first_; waiter; waiter = waiter->next) waiter->fiber->loop().wake(waiter->fiber);
}

struct AnyWait {
  static void add(Event& event, Event::Waiter& waiter) {
    waiter.previous = nullptr;
    waiter.next = event.first_;
    if (event.first_) event.first_->previous = &waiter;
    event.first_ = &waiter;
  }
  static void remove(Event& event, Event::Waiter& waiter) {
    (waiter.previous ? waiter.previous->next : event.first_) = waiter.next;
    if (waiter.next) waiter.next->previous = waiter.previous;
  }

  static bool any_set(std::span<Event* const> events) {
    for (Event* event : events)
      if (event->is_set()) return true;
    return false;
  }

  static bool wait(std::span<Event* const> events, std::span<Event::Waiter> waiters, TimePoint deadline) {
    Fiber* self = Fiber::current();
    EventLoop::State& state = self->loop().state();
    for (std::size_t i = 0; i < events.size(); ++i) {
      waiters[i].fiber = self;
      add(*events[i], waiters[i]);
    }
    Timer timer{.deadline = deadline, .fiber = self};
    if (deadline != kNever) state.timers.arm(timer);
    bool set = any_set(events);
    for (; !set && !timer.fired && !self->cancelled(); set = any_set(events)) Fiber::suspend();
    state.timers.disarm(timer);
    for (std::size_t i = 0; i < events.size(); ++i) remove(*events[i], waiters[i]);
    return set;
  }

  static bool wait(std::span<Event* const> events, TimePoint deadline) {
    if (any_set(events)) return true;
    constexpr std::size_t kUsual = 8;
    if (events.size() <= kUsual) {
      Event::Waiter waiters[kUsual];
      return wait(events, waiters, deadline);
    }
    std::vector<Event::Waiter> waiters(events.size());
    return wait(events, waiters, deadline);
  }
};

bool wait_any(std::span<Event* const> events, TimePoint deadline) { return AnyWait::wait(events, deadline); }

bool Event::wait(TimePoint deadline) {
  Event* self = this;
  return AnyWait::wait(std::span<Event* const>(&self, 1), deadline);
}

Result<void> EventLoop::run_one(std::function<void()> body) {
  constexpr std::size_t kStackBytes = 4 * 1024 * 1024; // a whole command may run here
  BlockingPool pool(4);
  auto loop = CUSP_TRY(create(&pool));
  if (!loop->spawn(std::move(body), kStackBytes))
    return base::fail(base::ErrorCode::LimitExceeded, "there is no memory for a stack");
  loop->state_->stopping = true;
  loop->run();
  return {};
}

} // namespace cusp::loop
