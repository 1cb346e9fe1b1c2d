// The buffers that a guest gives to one call of fd_read, fd_write and their like: taken in order, checked before anything is done with them.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "runtime/bind.h"
#include "wasi/preview1/types.h"

namespace cusp::wasi::preview1 {

class GuestBuffers {
public:
  static constexpr std::size_t kMost = 1024; // IOV_MAX

  // Error: Inval, when there are too many. A buffer that is not the guest's traps.
  static Expected<GuestBuffers> take(runtime::HostCall& call, std::span<const Iovec> iovs) {
    if (iovs.size() > kMost) return fail(Errno::Inval);
    GuestBuffers buffers(call, iovs);
    for (const Iovec& iov : iovs) {
      call.array<std::uint8_t>(iov.buf, iov.buf_len);
      buffers.left_ += iov.buf_len;
    }
    if (call.trapped()) return fail(Errno::Fault);
    // A call answers with 32 bits how much it did.
    buffers.left_ = std::min<std::uint64_t>(buffers.left_, ~std::uint32_t{0});
    return buffers;
  }

  std::uint64_t left() const { return left_; }

  // The next bytes that lie together. Looked up anew each time: reading may have overwritten the list itself.
  std::span<std::uint8_t> front() {
    while (left_ != 0 && next_ < iovs_.size()) {
      std::span<std::uint8_t> buffer = call_.array<std::uint8_t>(iovs_[next_].buf, iovs_[next_].buf_len);
      if (call_.trapped()) break;
      if (at_ < buffer.size()) {
        buffer = buffer.subspan(at_);
        return buffer.first(std::min<std::uint64_t>(buffer.size(), left_));
      }
      ++next_;
      at_ = 0;
    }
    left_ = 0;
    return {};
  }
  void skip(std::size_t count) { // REQUIRES: count <= front().size()
    at_ += count;
    left_ -= count;
  }

  void put(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      std::span<std::uint8_t> to = front();
      if (to.empty()) return;
      std::size_t part = std::min(to.size(), bytes.size());
      std::memcpy(to.data(), bytes.data(), part);
      skip(part);
      bytes = bytes.subspan(part);
    }
  }

  // Fills host memory; what was filled.
  std::span<std::uint8_t> gather(std::span<std::uint8_t> into) {
    std::size_t filled = 0;
    while (filled < into.size()) {
      std::span<std::uint8_t> from = front();
      if (from.empty()) break;
      std::size_t part = std::min(from.size(), into.size() - filled);
      std::memcpy(into.data() + filled, from.data(), part);
      skip(part);
      filled += part;
    }
    return into.first(filled);
  }

private:
  GuestBuffers(runtime::HostCall& call, std::span<const Iovec> iovs) : call_(call), iovs_(iovs) {}
  runtime::HostCall& call_;
  std::span<const Iovec> iovs_;
  std::size_t next_ = 0, at_ = 0;
  std::uint64_t left_ = 0;
};

// Host memory for a part of one call.
class HostBuffer {
public:
  static constexpr std::size_t kSmall = 4096;       // lies on the stack
  static constexpr std::size_t kLarge = 256 * 1024; // no more at once
  explicit HostBuffer(std::uint64_t wanted) {
    if (wanted > kSmall) {
      std::size_t size = std::min<std::uint64_t>(wanted, kLarge);
      large_ = std::make_unique_for_overwrite<std::uint8_t[]>(size);
      all_ = {large_.get(), size};
    } else {
      all_ = std::span(small_).first(wanted);
    }
  }
  HostBuffer(const HostBuffer&) = delete;
  std::span<std::uint8_t> first(std::uint64_t most) const {
    return all_.first(std::min<std::uint64_t>(most, all_.size()));
  }

private:
  std::uint8_t small_[kSmall];
  std::unique_ptr<std::uint8_t[]> large_;
  std::span<std::uint8_t> all_;
};

// What was done before an error is an answer too.
inline Expected<std::uint32_t> done_or(std::uint64_t done, Errno error) {
  if (done == 0) return fail(error);
  return static_cast<std::uint32_t>(done);
}

// Gives write(bytes) all of the buffers, part by part: it returns how many bytes it took, at least one. They may be guest memory.
template <class Write> Expected<std::uint32_t> write_all(GuestBuffers buffers, Write write) {
  // Several buffers are gathered into one write, so that what others append does not come between.
  const bool scattered = buffers.front().size() != buffers.left();
  HostBuffer host(scattered ? buffers.left() : 0);
  std::span<std::uint8_t> bytes;
  for (std::uint64_t done = 0;;) {
    if (bytes.empty() && scattered) {
      bytes = buffers.gather(host.first(buffers.left()));
    } else if (bytes.empty()) {
      bytes = buffers.front();
      buffers.skip(bytes.size());
    }
    if (bytes.empty()) return static_cast<std::uint32_t>(done);
    auto took = write(std::span<const std::uint8_t>(bytes));
    if (!took) return done_or(done, took.error());
    bytes = bytes.subspan(*took);
    done += *took;
  }
}

} // namespace cusp::wasi::preview1
