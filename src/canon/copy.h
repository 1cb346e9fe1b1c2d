// Streams and futures. A SharedCopy is what its two ends have in common: at most one of them has an operation pending, a
// CopyClient with its buffer, and the other end's operation meets it there. Nothing is buffered in between: values go straight from
// one side's memory into the other's, and who comes first waits. Ends are a guest's (CopyEnd, in a handle table) or the host's
// (host_stream.h).
// Spec: CanonicalABI.md, "Buffer State", "Stream State", "Future State".
#pragma once

#include <optional>

#include "canon/describe.h"
#include "canon/scheduler.h"

namespace cusp::canon {

enum class CopyResult : std::uint8_t { Completed, Dropped, Cancelled };

inline constexpr std::uint32_t kMaxCopyLength = (1u << 28) - 1;

// How the values of a C++ type are copied; null for streams without a type.
struct ElementOps {
  // Between `count` values at `values` and guest memory that was checked; a trap is left in the context.
  void (*load)(LiftLowerContext& cx, const std::uint8_t* at, void* values, std::uint32_t count);
  void (*store)(LiftLowerContext& cx, std::uint8_t* at, void* values, std::uint32_t count);
  void (*move)(void* from, void* to, std::uint32_t count);
  std::size_t host_size = 0; // of one, in an array
};

struct CopyBuffer {
  // A guest's: whose memory and where.
  InstanceState* instance = nullptr;
  const RuntimeOptions* options = nullptr;
  std::uint32_t pointer = 0;
  // The host's.
  void* values = nullptr;
  const ElementOps* ops = nullptr;

  std::uint32_t length = 0, progress = 0;
  std::uint32_t remain() const { return length - progress; }
};

// One side's operation. Spec: OnCopy, OnCopyDone.
class CopyClient {
public:
  explicit CopyClient(bool reads) : reads(reads) {}
  const bool reads;
  CopyBuffer buffer;
  // Some values were copied; the operation may go on, until its side takes it back (SharedCopy::reset_pending).
  virtual void copied() = 0;
  virtual void done(CopyResult result) = 0;

protected:
  ~CopyClient() = default;
};

class SharedCopy final : public Attachment {
public:
  // `desc`: made by the host, of values of this type; `element` is found out when a guest uses it first.
  SharedCopy(Scheduler& scheduler, bool is_future, std::optional<component::ValType> element);
  SharedCopy(Scheduler& scheduler, bool is_future, const TypeDesc* desc);

  const bool is_future;
  // Null once the instance is done with: ends in the host's hands see the other side as gone.
  Scheduler* scheduler() const { return scheduler_; }
  // Whether its values are of this type.
  bool is_of(std::optional<component::ValType> element);
  bool is_of(const TypeDesc* element);
  std::optional<component::ValType> element() const { return element_; }
  bool dropped() const { return dropped_; }
  // Set once one end is gone.
  loop::Event& dropped_event() { return dropped_event_; }
  CopyClient* pending() const { return pending_; }

  // An operation of one end. REQUIRES: that end has none pending.
  void copy(CopyClient& client) { is_future ? future_copy(client) : stream_copy(client); }
  void cancel() { notify_pending(CopyResult::Cancelled); }
  void reset_pending() { pending_ = nullptr; }

  void detach() override;

private:
  friend class SharedEnd;
  // One end is dropped: the other learns of it. Deletes the object with its last end.
  void drop_end();
  ~SharedCopy() = default;
  void set_dropped();
  void notify_pending(CopyResult result);
  void stream_copy(CopyClient& client);
  void future_copy(CopyClient& client);
  bool may_meet(const CopyClient& client);
  bool move_values(CopyBuffer& from, CopyBuffer& to, std::uint32_t count);
  bool copy_between_guests(CopyBuffer& from, CopyBuffer& to, std::uint32_t count);

  Scheduler* scheduler_;
  std::optional<component::ValType> element_;
  const TypeDesc* desc_ = nullptr; // made by the host: what its values are
  bool element_known_ = false;
  bool dropped_ = false;
  loop::Event dropped_event_;
  std::uint32_t ends_ = 2;
  CopyClient* pending_ = nullptr;
};

// One end, whoever has it. Dropped unless it is passed on.
class SharedEnd {
public:
  SharedEnd() = default;
  explicit SharedEnd(SharedCopy& shared) : shared_(&shared) {}
  SharedEnd(SharedEnd&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  SharedEnd& operator=(SharedEnd&& other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~SharedEnd() {
    if (shared_) shared_->drop_end();
  }
  SharedCopy* operator->() const { return shared_; }
  explicit operator bool() const { return shared_ != nullptr; }

private:
  SharedCopy* shared_ = nullptr;
};

// An end in a guest's handle table. Spec: CopyEnd.
class CopyEnd final : public Waitable, public CopyClient {
public:
  enum class State : std::uint8_t { Idle, Copying, CancellingCopy, Done };
  CopyEnd(SharedEnd end, bool readable)
      : Waitable(end->is_future ? Kind::FutureEnd : Kind::StreamEnd), CopyClient(readable), shared(std::move(end)) {}
  ~CopyEnd() override {
    if (shared && shared->pending() == this) shared->reset_pending();
  }

  bool copying() const { return state == State::Copying || state == State::CancellingCopy; }
  EventCode event_code() const;
  void copied() override {
    result_ = CopyResult::Completed, reclaim_ = true;
    set_event();
  }
  void done(CopyResult result) override {
    result_ = result, reclaim_ = false;
    set_event();
  }

  bool readable() const { return reads; }
  State state = State::Idle;
  SharedEnd shared; // empty: passed on

private:
  Event deliver() override;
  CopyResult result_ = CopyResult::Completed;
  bool reclaim_ = false;
};

} // namespace cusp::canon
