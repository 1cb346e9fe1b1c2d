#include "embed/thread.h"

#include "cusp/task.hpp"
#include "embed/errors.h"

namespace cusp::embed {

namespace {
// In units that grow with what sanitizers add to frames: a megabyte, and a quarter of one.
std::size_t parked_stack_bytes() { return 16 * loop::EventLoop::kDefaultStackBytes; }
std::size_t task_stack_bytes() { return 4 * loop::EventLoop::kDefaultStackBytes; }

std::shared_ptr<Thread>& this_thread() {
  thread_local std::shared_ptr<Thread> thread;
  return thread;
}
// The same as a plain word: every call asks.
constinit thread_local const Thread* existing_thread = nullptr;
} // namespace

const Thread* Thread::existing() { return existing_thread; }

Result<std::shared_ptr<Thread>> Thread::here() {
  std::shared_ptr<Thread>& kept = this_thread();
  if (kept) return kept;
  std::shared_ptr<Thread> made(new Thread);
  made->loop_ = CUSP_TRY(loop::EventLoop::create(&made->pool_));
  made->parked_ = made->loop_->spawn(
      [thread = made.get()] {
        while (thread->body_) {
          thread->body_(thread->argument_);
          thread->done_ = true;
          loop::Fiber::suspend();
        }
        thread->done_ = true;
      },
      parked_stack_bytes());
  if (!made->parked_) return base::fail(base::ErrorCode::LimitExceeded, "there is no memory for a stack");
  kept = made;
  existing_thread = made.get();
  return made;
}

Thread::~Thread() {
  if (parked_ && !loop::Fiber::current()) run_parked(nullptr, nullptr);
}

void Thread::run_parked(void (*body)(void*), void* argument) {
  body_ = body, argument_ = argument;
  done_ = false;
  loop_->run_until(parked_, done_);
}

loop::Fiber* Thread::start(std::function<void()> body) {
  loop::Fiber* fiber = loop_->spawn(std::move(body), task_stack_bytes());
  if (!fiber) return nullptr;
  const bool once = true;
  if (loop::Fiber::current()) loop_->run_first(fiber);
  else loop_->run_until(fiber, once);
  return fiber;
}

bool Thread::wait(loop::Event& event, loop::TimePoint deadline) {
  bool set = false;
  run([&] { set = event.wait(deadline); });
  return set;
}

} // namespace cusp::embed

namespace cusp::detail {

using embed::Thread;

struct TaskState {
  std::shared_ptr<Thread> thread;
  loop::Event done;
  loop::Fiber* fiber = nullptr; // until it is done
};

Result<void> run_on_fiber(void (*body)(void*), void* argument) {
  auto thread = Thread::here();
  if (!thread) return std::unexpected(embed::to_public(std::move(thread).error()));
  (*thread)->run([&] { body(argument); });
  return {};
}

Result<std::shared_ptr<TaskState>> start_task(std::function<void()> body) {
  auto thread = Thread::here();
  if (!thread) return std::unexpected(embed::to_public(std::move(thread).error()));
  auto task = std::make_shared<TaskState>();
  task->thread = *thread;
  bool started = (*thread)->start([task, body = std::move(body)] {
    task->fiber = loop::Fiber::current();
    body();
    task->fiber = nullptr;
    task->done.set();
  }) != nullptr;
  if (!started) return std::unexpected(Error{ErrorCode::LimitExceeded, "there is no memory for the stack of a task"});
  return task;
}

bool is_done(const TaskState& task) { return task.done.is_set(); }

Result<void> wait_for(TaskState& task) {
  if (Thread::existing() != task.thread.get()) return std::unexpected(embed::wrong_thread("a task"));
  if (task.done.is_set() || task.thread->wait(task.done)) return {};
  return std::unexpected(Error{ErrorCode::Timeout, "the task that waited for another was cancelled"});
}

void cancel(TaskState& task) {
  if (task.fiber && Thread::existing() == task.thread.get()) task.fiber->loop().cancel(task.fiber);
}

} // namespace cusp::detail

namespace cusp {

bool sleep_for(std::chrono::nanoseconds time) {
  auto thread = embed::Thread::here();
  if (!thread) return false;
  bool slept = false;
  (*thread)->run([&] {
    loop::Fiber* self = loop::Fiber::current();
    self->loop().sleep_until(loop::Clock::now() + time);
    slept = !self->cancelled();
  });
  return slept;
}

} // namespace cusp
