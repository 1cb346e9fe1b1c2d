// Work that waits. Guests run on fibers of the thread that made their instance: straight-line code that may wait, for time, for files and
// sockets, for another guest, while the thread does other work that run() or start() gave it. No thread is made by any of this, and
// nothing here runs while the host does not call into the library: waiting drives what else there is to do on the thread.
// Thread-safety: a Task belongs to the thread that started it; each thread has its own fibers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "cusp/error.hpp"

namespace cusp {

namespace detail {

struct TaskState; // the library's
Result<void> run_on_fiber(void (*body)(void*), void* argument);
Result<std::shared_ptr<TaskState>> start_task(std::function<void()> body);
bool is_done(const TaskState& task);
Result<void> wait_for(TaskState& task);
void cancel(TaskState& task);

} // namespace detail

/// Something under way that will have a T.
template <class T> class Task {
public:
  bool done() const { return detail::is_done(*state_); }
  /// Waits until it is done. To be called once. Error: Timeout, when the task that waits is cancelled; InvalidArgument
  /// on another thread than the one that started it.
  Result<T> get() {
    if (auto waited = detail::wait_for(*state_); !waited) return std::unexpected(std::move(waited).error());
    if constexpr (std::is_void_v<T>) return {};
    else return std::move(**value_);
  }
  /// Ends its waits, this one and all later ones, as if their time had come; the task goes on from there.
  void cancel() { detail::cancel(*state_); }

private:
  template <class F> friend Result<Task<std::invoke_result_t<F&>>> start(F body);
  using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  std::shared_ptr<detail::TaskState> state_;
  std::shared_ptr<std::optional<Stored>> value_;
};

/// Runs `body` on a fiber of its own until it first waits; then it goes on whenever the thread waits for something. What
/// `body` captures must live until it is done. It must not throw, and has 256 KiB of stack. Error: LimitExceeded when there is no
/// memory for that.
template <class F> Result<Task<std::invoke_result_t<F&>>> start(F body) {
  using T = std::invoke_result_t<F&>;
  Task<T> task;
  task.value_ = std::make_shared<std::optional<typename Task<T>::Stored>>();
  auto state = detail::start_task([value = task.value_, body = std::make_shared<F>(std::move(body))] {
    if constexpr (std::is_void_v<T>) (*body)();
    else value->emplace((*body)());
  });
  if (!state) return std::unexpected(std::move(state).error());
  task.state_ = std::move(*state);
  return task;
}

/// Runs `body` on the thread's own fiber, and returns when it has ended. Calls of guests need no such thing; those inside are
/// cheaper by the two switches between the host's stack and the fiber, which a tight loop of small calls may feel. `body` must not throw,
/// and has 1 MiB of stack. On a fiber already, it is called as it is.
template <class F> Result<void> run(F&& body) {
  return detail::run_on_fiber([](void* argument) { (*static_cast<std::remove_reference_t<F>*>(argument))(); }, &body);
}

/// Waits. False: the waiting task was cancelled before. In a task, a host function of async type, or run(); elsewhere, the thread
/// does what other work there is meanwhile.
bool sleep_for(std::chrono::nanoseconds time);

} // namespace cusp
