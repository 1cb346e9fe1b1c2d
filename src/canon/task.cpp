#include "canon/task.h"

namespace cusp::canon {

void Waitable::set_event() {
  has_event_ = true;
  if (set_ && !set_->ready.holds(this)) set_->ready.push_back(this);
}

void Waitable::clear_event() {
  has_event_ = false;
  if (set_) set_->ready.remove(this);
}

void Waitable::join(WaitableSet* to) {
  if (set_) {
    set_->ready.remove(this);
    set_->members.remove(this);
  }
  set_ = to;
  if (!to) return;
  to->members.push_back(this);
  if (has_event_) to->ready.push_back(this);
}

} // namespace cusp::canon
