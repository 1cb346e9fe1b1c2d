// Streams and futures in the host's hands. As a parameter or result, Stream<T> and Future<T> are the readable end:
//   std::expected<std::uint64_t, ErrorCode> write_all(CallContext& cx, Borrow<Descriptor> self, Stream<std::uint8_t> data) {
//     std::array<std::uint8_t, 4096> room;
//     for (;;) { auto n = data.read(room); if (!n || *n == 0) break; … }
//   }
//   auto [writer, stream] = make_stream<std::uint8_t>(cx);   // give `stream` to the guest, feed `writer` from a fiber:
//   cx.component().spawn([writer = std::move(writer)](…) mutable { … writer.write(bytes) … });
// There is no buffer between the ends: read() waits for a writer and write() for readers who take all of it, so back-pressure is what
// happens by itself. While a fiber waits for the guest here, it drives the guest (scheduler.h). So reading and writing is for fibers
// that do not stand in the guest's way: async host functions, fibers that they leave behind, and the embedder's own; a host
// function that is not async would wait for ever for the guest that waits for it, and is told so.
// An end outlives its instance harmlessly: the other side then counts as gone. Values cannot pass from one ComponentInstance into
// another: read here, write there.
#pragma once

#include "canon/abi.h"
#include "canon/copy.h"

namespace cusp::canon {

namespace detail {

template <class T> struct Element {
  static constexpr const TypeDesc* desc() {
    if constexpr (kIsUnit<T>) return nullptr;
    else return &Abi<T>::desc;
  }
  static void load(LiftLowerContext& cx, const std::uint8_t* at, void* values, std::uint32_t count) {
    T* to = static_cast<T*>(values);
    if constexpr (kIsPlain<T>) std::memcpy(to, at, std::size_t{count} * sizeof(T));
    else
      for (std::uint32_t i = 0; i < count && !cx.trapped(); ++i, at += Abi<T>::size) to[i] = Abi<T>::load(cx, at);
  }
  static void store(LiftLowerContext& cx, std::uint8_t* at, void* values, std::uint32_t count) {
    T* from = static_cast<T*>(values);
    if constexpr (kIsPlain<T>) std::memcpy(at, from, std::size_t{count} * sizeof(T));
    else
      for (std::uint32_t i = 0; i < count && !cx.trapped(); ++i, at += Abi<T>::size)
        Abi<T>::store(cx, at, std::move(from[i]));
  }
  static void move(void* from, void* to, std::uint32_t count) {
    std::move(static_cast<T*>(from), static_cast<T*>(from) + count, static_cast<T*>(to));
  }
  static constexpr ElementOps table{&load, &store, &move, sizeof(T)};
  static constexpr const ElementOps* ops() {
    if constexpr (kIsUnit<T>) return nullptr;
    else return &table;
  }
};

} // namespace detail

// An end that the host holds.
class HostEnd {
public:
  HostEnd() = default;
  explicit HostEnd(SharedEnd end) : end_(std::move(end)) { counted(true); }
  HostEnd(HostEnd&&) noexcept = default;
  HostEnd& operator=(HostEnd&& other) noexcept {
    std::swap(end_, other.end_);
    return *this;
  }
  ~HostEnd() { counted(false); }

  explicit operator bool() const { return static_cast<bool>(end_); }
  // Whether the other end is known to be gone.
  bool is_closed() const { return !end_ || end_->dropped(); }
  // Set once it is. REQUIRES: not closed here.
  loop::Event& closed_event() { return end_->dropped_event(); }
  // Lets go of it: the other end learns that this one is gone.
  void close() {
    counted(false);
    end_ = SharedEnd();
  }
  // Into a guest's table.
  SharedEnd take() {
    counted(false);
    return std::move(end_);
  }

protected:
  // One operation: suspends until some values (one at least) are read, or all are written, or the other end is gone: fewer, or 0.
  // Error: Trap when the guest trapped, or cannot go on; Timeout when the fiber was cancelled or the instance's deadline came;
  // InvalidArgument when another fiber is at it with this end.
  // REQUIRES: on a fiber.
  base::Result<std::uint32_t> transfer(bool reads, void* values, const ElementOps* ops, std::size_t count);
  base::Result<std::uint32_t> wait_for_peer(bool reads);

private:
  struct Operation;
  // False: the instance is done with.
  base::Result<bool> run(Operation& operation);
  void counted(bool add);
  SharedEnd end_;
};

template <class T> class Stream : public HostEnd {
public:
  using HostEnd::HostEnd;
  // Fills as much of `into` as there is, one value at least. 0: the stream has ended.
  base::Result<std::uint32_t> read(std::span<T> into) {
    return transfer(true, into.data(), detail::Element<T>::ops(), into.size());
  }
  // Suspends until somebody writes: how many values are offered. 0: the stream has ended. What is not read then stays with the writer. A
  // writer that only asks whether there is a reader counts as one that offers as many as there can be.
  base::Result<std::uint32_t> offered() { return wait_for_peer(true); }
};

template <class T> class StreamWriter : public HostEnd {
public:
  using HostEnd::HostEnd;
  // Gives all values to readers, as they come. Fewer: nobody reads any more. The values are moved from.
  base::Result<std::uint32_t> write(std::span<T> values) {
    return transfer(false, values.data(), detail::Element<T>::ops(), values.size());
  }
  base::Result<std::uint32_t> write(std::span<const T> values)
    requires kIsPlain<T>
  {
    return transfer(false, const_cast<T*>(values.data()), detail::Element<T>::ops(), values.size());
  }
  // Suspends until somebody reads: how many values there is room for. 0: nobody reads any more. Whoever makes no more than that
  // loses nothing when the reader goes. A reader that only asks whether there is something counts as one with room for all.
  base::Result<std::uint32_t> wanted() { return wait_for_peer(false); }
};

template <class T> class Future : public HostEnd {
public:
  using HostEnd::HostEnd;
  using Value = std::conditional_t<kIsUnit<T>, std::monostate, T>;
  // Suspends until it has its value. nullopt: it will have none.
  base::Result<std::optional<Value>> get() {
    Value value{};
    auto count = transfer(true, &value, detail::Element<T>::ops(), 1);
    if (!count) return std::unexpected(std::move(count).error());
    close();
    return *count ? std::optional<Value>(std::move(value)) : std::nullopt;
  }
};

// Must be set before it goes: a guest that waits for its value would wait for ever.
template <class T> class FutureWriter : public HostEnd {
public:
  using HostEnd::HostEnd;
  using Value = typename Future<T>::Value;
  // Suspends until the value is taken. False: nobody wants it any more.
  base::Result<bool> set(Value value) {
    auto count = transfer(false, &value, detail::Element<T>::ops(), 1);
    if (!count) return std::unexpected(std::move(count).error());
    close();
    return *count == 1;
  }
};

namespace detail {
SharedCopy* make_shared_copy(ComponentInstance& component, bool is_future, const TypeDesc* element);
} // namespace detail

template <class T> struct StreamPair {
  StreamWriter<T> writer;
  Stream<T> stream;
};
template <class T> StreamPair<T> make_stream(ComponentInstance& component) {
  SharedCopy* shared = detail::make_shared_copy(component, false, detail::Element<T>::desc());
  return {StreamWriter<T>(SharedEnd(*shared)), Stream<T>(SharedEnd(*shared))};
}
template <class T> StreamPair<T> make_stream(CallContext& cx) { return make_stream<T>(cx.component()); }

template <class T> struct FuturePair {
  FutureWriter<T> writer;
  Future<T> future;
};
template <class T> FuturePair<T> make_future(ComponentInstance& component) {
  SharedCopy* shared = detail::make_shared_copy(component, true, detail::Element<T>::desc());
  return {FutureWriter<T>(SharedEnd(*shared)), Future<T>(SharedEnd(*shared))};
}
template <class T> FuturePair<T> make_future(CallContext& cx) { return make_future<T>(cx.component()); }

// --- through the ABI
template <class End, class T, bool kIsFuture> struct CopyAbi {
  static constexpr std::uint32_t size = 4, alignment = 4, flat_count = 1;
  static constexpr const TypeDesc* element[1] = {detail::Element<T>::desc()};
  static constexpr TypeDesc desc{kIsFuture ? component::TypeKind::Future : component::TypeKind::Stream, element};
  static End lift(LiftLowerContext& cx, std::uint32_t handle) {
    SharedEnd end = cx.lift_copy(handle, kIsFuture, detail::Element<T>::desc());
    return end ? End(std::move(end)) : End();
  }
  static std::uint32_t lower(LiftLowerContext& cx, End&& end) { return cx.lower_copy(end.take()); }
  static End load(LiftLowerContext& cx, const std::uint8_t* at) { return lift(cx, load_raw<std::uint32_t>(at)); }
  static End lift_flat(LiftLowerContext& cx, const abi::ValRaw* v) { return lift(cx, v->i32); }
  static void store(LiftLowerContext& cx, std::uint8_t* at, End&& end) { store_raw(at, lower(cx, std::move(end))); }
  static void lower_flat(LiftLowerContext& cx, abi::ValRaw* v, End&& end) { v->i64 = lower(cx, std::move(end)); }
};
template <class T> struct Abi<Stream<T>> : CopyAbi<Stream<T>, T, false> {};
template <class T> struct Abi<Future<T>> : CopyAbi<Future<T>, T, true> {};

} // namespace cusp::canon
