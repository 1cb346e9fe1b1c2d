#include "wasi/io/pump.h"

#include <algorithm>
#include <vector>

namespace cusp::wasi {

namespace {

constexpr std::size_t kPart = 16 * 1024; // of the host's buffers that bytes pass through

StreamResult<void> write_all(OutputSink& sink, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    auto permit = sink.check_write();
    if (!permit) return std::unexpected(std::move(permit).error());
    if (*permit == 0) {
      if (wait_for(sink, loop::kNever) != WaitOutcome::Ready) return stream_closed();
      continue;
    }
    std::size_t count = std::min<std::uint64_t>(*permit, bytes.size());
    if (auto written = sink.write(bytes.first(count)); !written) return written;
    bytes = bytes.subspan(count);
  }
  return sink.flush();
}

// A reader that only asks whether there is something learns that there is, and finds the end when it reads: guests' libraries take what
// such a question is answered with for no more than that.
void end_stream(ByteWriter& writer) {
  canon::SharedEnd end = writer.take();
  canon::CopyClient* reader = end ? end->pending() : nullptr;
  if (!reader || !reader->reads || reader->buffer.length != 0) return;
  end->reset_pending();
  reader->done(canon::CopyResult::Completed);
}

} // namespace

StreamResult<void> feed(InputSource& source, ByteWriter& writer) {
  PeerGone gone(writer);
  Waitable* either[] = {&source, &gone};
  std::vector<std::uint8_t> part;
  for (;;) {
    auto room = writer.wanted();
    if (!room || *room == 0) return {};
    if (wait_for_any(either, loop::kNever) != WaitOutcome::Ready || writer.is_closed()) return {};
    auto bytes = source.peek(std::min<std::size_t>(*room, kPart));
    if (!bytes) {
      end_stream(writer);
      if (bytes.error().closed()) return {};
      return std::unexpected(std::move(bytes).error());
    }
    // Out of the source before this fiber suspends: others may read it too.
    part.assign(bytes->begin(), bytes->end());
    source.consume(part.size());
    auto written = writer.write(std::span<const std::uint8_t>(part));
    if (!written || *written < part.size()) return {};
  }
}

StreamResult<std::uint64_t> drain(ByteStream& stream, OutputSink& sink, std::optional<std::uint64_t> most) {
  std::vector<std::uint8_t> part(kPart);
  for (;;) {
    if (most) {
      auto offered = stream.offered();
      if (!offered) return stream_closed();
      if (*offered > *most && *offered != canon::kMaxCopyLength) return *offered;
    }
    auto got = stream.read(part);
    if (!got) return stream_closed();
    if (*got == 0) return 0;
    if (auto written = write_all(sink, std::span(part).first(*got)); !written)
      return std::unexpected(std::move(written).error());
    if (most) *most -= std::min<std::uint64_t>(*most, *got);
  }
}

StreamResult<void> pass_on(InputSource& source, OutputSink& sink) {
  std::vector<std::uint8_t> part;
  for (;;) {
    if (wait_for(source, loop::kNever) != WaitOutcome::Ready) return stream_closed();
    auto bytes = source.peek(kPart);
    if (!bytes && bytes.error().closed()) return {};
    if (!bytes) return std::unexpected(std::move(bytes).error());
    part.assign(bytes->begin(), bytes->end());
    source.consume(part.size());
    if (auto written = write_all(sink, part); !written) return written;
  }
}

} // namespace cusp::wasi
