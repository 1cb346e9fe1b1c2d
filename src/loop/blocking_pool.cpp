#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "loop/event_loop.h"

namespace cusp::loop {

struct BlockingPool::State {
  std::mutex mutex;
  std::condition_variable work_came;
  std::deque<std::function<void()>> queue;
  std::vector<std::thread> threads;
  unsigned idle = 0, most = 1;
  bool stopping = false;

  void serve() {
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      work_came.wait(lock, [&] { return stopping || !queue.empty(); });
      --idle;
      if (queue.empty()) return;
      std::function<void()> work = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      work();
      work = nullptr;
      lock.lock();
    }
  }
};

BlockingPool::BlockingPool(unsigned max_threads) : state_(std::make_unique<State>()) {
  state_->most = max_threads == 0 ? 1 : max_threads;
}

BlockingPool::~BlockingPool() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work_came.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

void BlockingPool::submit(std::function<void()> work) {
  std::lock_guard lock(state_->mutex);
  state_->queue.push_back(std::move(work));
  if (state_->idle < state_->queue.size() && state_->threads.size() < state_->most)
    state_->threads.emplace_back([state = state_.get()] { state->serve(); });
  state_->work_came.notify_one();
}

} // namespace cusp::loop
