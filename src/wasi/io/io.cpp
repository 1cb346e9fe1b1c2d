// The 0.2 faces of wasi:io: error, poll, streams. The rules that the interface adds to what sources and sinks do stand here.
#include <algorithm>
#include <vector>

#include "wasi/context.h"
#include "wasi/io/face.h"
#include "wasi/linker.h"

namespace cusp::wasi {

using canon::Borrow;
using canon::CallContext;
using canon::GuestBytes;
using canon::Own;

StreamError to_error(StreamFailure&& failure) {
  // That nobody reads any more is how a stream ends, here.
  if (failure.closed() || failure.error->file == FileError::Pipe) return StreamError(std::in_place_index<1>);
  return StreamError(std::in_place_index<0>, std::move(failure.error));
}

namespace {

template <class T> using Streamed = std::expected<T, StreamError>;

template <class T> std::unexpected<StreamError> failed(StreamResult<T>& result) {
  return std::unexpected(to_error(std::move(result).error()));
}

constexpr std::size_t kBlockingWrite = 4096; // of the blocking-…-and-flush functions, by the interface

// --- poll
std::vector<std::uint32_t> poll(CallContext& cx, std::vector<Borrow<Pollable>> in) {
  std::vector<std::uint32_t> ready;
  if (in.empty()) {
    cx.trap("poll of an empty list");
    return ready;
  }
  constexpr std::size_t kUsual = 16;
  Waitable* few[kUsual];
  std::vector<Waitable*> many;
  if (in.size() > kUsual) many.resize(in.size());
  std::span<Waitable*> what = in.size() > kUsual ? std::span(many) : std::span(few).first(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) what[i] = &in[i]->what();
  if (!block_any(cx, what)) return ready;
  for (std::size_t i = 0; i < what.size(); ++i)
    if (what[i]->ready()) ready.push_back(static_cast<std::uint32_t>(i));
  return ready;
}

// --- input-stream
Streamed<GuestBytes> read(CallContext& cx, Borrow<InputStream> self, std::uint64_t length) {
  auto bytes = self->source().peek(std::min<std::uint64_t>(length, kStreamChunk));
  if (!bytes) return failed(bytes);
  GuestBytes list = to_guest(cx, *bytes);
  self->source().consume(bytes->size());
  return list;
}
Streamed<GuestBytes> blocking_read(CallContext& cx, Borrow<InputStream> self, std::uint64_t length) {
  if (length != 0 && !block(cx, self->source())) return GuestBytes{};
  return read(cx, self, length);
}
Streamed<std::uint64_t> skip(Borrow<InputStream> self, std::uint64_t length) {
  auto bytes = self->source().peek(std::min<std::uint64_t>(length, kStreamChunk));
  if (!bytes) return failed(bytes);
  std::uint64_t count = bytes->size();
  self->source().consume(count);
  return count;
}
Streamed<std::uint64_t> blocking_skip(CallContext& cx, Borrow<InputStream> self, std::uint64_t length) {
  if (length != 0 && !block(cx, self->source())) return 0;
  return skip(self, length);
}

// --- output-stream
Streamed<std::uint64_t> check_write(Borrow<OutputStream> self) {
  auto permit = self->check_write();
  if (!permit) return failed(permit);
  return *permit;
}
Streamed<void> put(CallContext& cx, OutputStream& stream, std::span<const std::uint8_t> bytes) {
  if (!stream.use_permit(bytes.size())) {
    cx.trap("write of more bytes than check-write permitted");
    return {};
  }
  if (bytes.empty()) return {};
  auto done = stream.sink().write(bytes);
  if (!done) return failed(done);
  return {};
}
Streamed<void> write(CallContext& cx, Borrow<OutputStream> self, std::span<const std::uint8_t> contents) {
  return put(cx, *self, contents);
}
// In parts, because the contents may be longer than what check-write permits.
Streamed<void> put_zeroes(CallContext& cx, OutputStream& stream, std::uint64_t length) {
  static constexpr std::uint8_t kZeroes[4096] = {};
  while (length != 0 && !cx.trapped()) {
    std::size_t part = std::min<std::uint64_t>(length, sizeof kZeroes);
    if (auto done = put(cx, stream, std::span(kZeroes).first(part)); !done) return done;
    length -= part;
  }
  return {};
}
Streamed<void> write_zeroes(CallContext& cx, Borrow<OutputStream> self, std::uint64_t length) {
  return put_zeroes(cx, *self, length);
}

Streamed<void> flush(Borrow<OutputStream> self) {
  auto done = self->sink().flush();
  if (!done) return failed(done);
  return {};
}
Streamed<void> blocking_flush(CallContext& cx, Borrow<OutputStream> self) {
  auto done = self->sink().flush();
  if (!done) return failed(done);
  if (!block(cx, self->sink())) return {};
  return {};
}
// Waits for room, then writes from `at` on; a suspension may come between, so the caller's bytes are in host memory or taken anew.
Streamed<void> write_all(CallContext& cx, OutputStream& stream, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    auto permit = stream.check_write();
    if (!permit) return failed(permit);
    if (*permit == 0) {
      if (!block(cx, stream.sink())) return {};
      continue;
    }
    std::size_t part = std::min<std::uint64_t>(*permit, bytes.size());
    if (auto done = put(cx, stream, bytes.first(part)); !done) return done;
    bytes = bytes.subspan(part);
  }
  return {};
}
Streamed<void> blocking_write_and_flush(CallContext& cx, Borrow<OutputStream> self,
                                        std::span<const std::uint8_t> contents) {
  if (contents.size() > kBlockingWrite) {
    cx.trap("blocking-write-and-flush of more than 4096 bytes");
    return {};
  }
  // A guest's memory stays where it is while its own call waits, but the rule is: nothing of it is kept over a suspension.
  auto permit = self->check_write();
  if (!permit) return failed(permit);
  Streamed<void> done;
  if (*permit >= contents.size()) {
    done = put(cx, *self, contents);
  } else {
    std::uint8_t copy[kBlockingWrite];
    std::copy(contents.begin(), contents.end(), copy);
    done = write_all(cx, *self, std::span<const std::uint8_t>(copy, contents.size()));
  }
  if (!done || cx.trapped()) return done;
  return flush(self);
}
Streamed<void> blocking_write_zeroes_and_flush(CallContext& cx, Borrow<OutputStream> self, std::uint64_t length) {
  static constexpr std::uint8_t kZeroes[kBlockingWrite] = {};
  if (length > kBlockingWrite) {
    cx.trap("blocking-write-zeroes-and-flush of more than 4096 bytes");
    return {};
  }
  auto done = write_all(cx, *self, std::span(kZeroes).first(length));
  if (!done || cx.trapped()) return done;
  return flush(self);
}

Streamed<std::uint64_t> splice(CallContext& cx, Borrow<OutputStream> self, Borrow<InputStream> from,
                               std::uint64_t length) {
  auto permit = self->check_write();
  if (!permit) return failed(permit);
  std::size_t limit = std::min({*permit, length, std::uint64_t{kStreamChunk}});
  auto bytes = from->source().peek(limit);
  if (!bytes) return failed(bytes);
  std::uint64_t count = bytes->size();
  if (auto done = put(cx, *self, *bytes); !done) return std::unexpected(std::move(done).error());
  from->source().consume(count);
  return count;
}
Streamed<std::uint64_t> blocking_splice(CallContext& cx, Borrow<OutputStream> self, Borrow<InputStream> from,
                                        std::uint64_t length) {
  if (length != 0 && (!block(cx, self->sink()) || !block(cx, from->source()))) return 0;
  return splice(cx, self, from, length);
}

} // namespace

void add_io(canon::Linker& linker) {
  linker.instance("wasi:io/error@0.2.12")
      .resource<IoError>("error")
      .func("[method]error.to-debug-string", [](Borrow<IoError> self) { return self->message; });

  linker.instance("wasi:io/poll@0.2.12")
      .resource<Pollable>("pollable")
      .func("[method]pollable.ready", [](Borrow<Pollable> self) { return self->what().ready(); })
      .func("[method]pollable.block", [](CallContext& cx, Borrow<Pollable> self) { block(cx, self->what()); })
      .func("poll", &poll);

  linker.instance("wasi:io/streams@0.2.12")
      .resource<InputStream>("input-stream")
      .resource<OutputStream>("output-stream")
      .resource<IoError>("error")
      .resource<Pollable>("pollable")
      .func("[method]input-stream.read", &read)
      .func("[method]input-stream.blocking-read", &blocking_read)
      .func("[method]input-stream.skip", &skip)
      .func("[method]input-stream.blocking-skip", &blocking_skip)
      .func("[method]input-stream.subscribe",
            [](Borrow<InputStream> self) { return canon::make_own<Pollable>(self->waitable()); })
      .func("[method]output-stream.check-write", &check_write)
      .func("[method]output-stream.write", &write)
      .func("[method]output-stream.blocking-write-and-flush", &blocking_write_and_flush)
      .func("[method]output-stream.flush", &flush)
      .func("[method]output-stream.blocking-flush", &blocking_flush)
      .func("[method]output-stream.subscribe",
            [](Borrow<OutputStream> self) { return canon::make_own<Pollable>(self->waitable()); })
      .func("[method]output-stream.write-zeroes", &write_zeroes)
      .func("[method]output-stream.blocking-write-zeroes-and-flush", &blocking_write_zeroes_and_flush)
      .func("[method]output-stream.splice", &splice)
      .func("[method]output-stream.blocking-splice", &blocking_splice);
}

} // namespace cusp::wasi
