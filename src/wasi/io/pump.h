// Between the host's byte streams and those of components: where WASI 0.2 hands out an InputSource and an OutputSink for a guest to poll, 0.3
// has a fiber that carries their bytes to and from a stream. In a straight line, without a buffer of its own that a guest could fill: a
// source is read when somebody reads the stream, and no more of it than is asked for; a stream is read when the sink takes something.
#pragma once

#include "canon/component.h"
#include "canon/host_stream.h"
#include "wasi/io/streams.h"

namespace cusp::wasi {

using ByteStream = canon::Stream<std::uint8_t>;
using ByteWriter = canon::StreamWriter<std::uint8_t>;

// Gives what comes from the source to whoever reads, until its end or until nobody reads any more. REQUIRES: on a fiber that the guest does
// not wait for. Error: what the source failed with.
StreamResult<void> feed(InputSource& source, ByteWriter& writer);
// Takes all of the stream into the sink. `most`: bytes; a writer that offers more keeps what it offers, and that many are returned, else 0.
// Error: what the sink failed with; closed: it takes no more, or the guest is gone before the end.
StreamResult<std::uint64_t> drain(ByteStream& stream, OutputSink& sink, std::optional<std::uint64_t> most = {});

// From the host to the host: no guest in between.
StreamResult<void> pass_on(InputSource& source, OutputSink& sink);

// Ends a wait when the other end is gone.
class PeerGone final : public Waitable {
public:
  explicit PeerGone(canon::HostEnd& end) : end_(end) {}
  bool ready() override { return end_.is_closed(); }
  loop::Event* event() override { return &end_.closed_event(); }

private:
  canon::HostEnd& end_;
};

template <class Code> using Outcome = std::expected<void, Code>;
template <class Code> using Reading = std::tuple<ByteStream, canon::Future<Outcome<Code>>>;

// The functions called read-via-stream and write-via-stream. `code` says what a failure is called in the package's own words.
template <class Code>
Reading<Code> read_via_stream(canon::CallContext& cx, Ref<InputSource> source, Code (*code)(const IoError&)) {
  auto bytes = canon::make_stream<std::uint8_t>(cx);
  auto end = canon::make_future<Outcome<Code>>(cx);
  bool fed = cx.component().attend(
      [source = std::move(source), writer = std::move(bytes.writer), outcome = std::move(end.writer), code]() mutable {
        StreamResult<void> done = feed(*source, writer);
        source = {};
        writer.close();
        (void)outcome.set(done || done.error().closed() ? Outcome<Code>() : std::unexpected(code(*done.error().error)));
      });
  if (!fed) cx.trap("there is no memory for a stream");
  return {std::move(bytes.stream), std::move(end.future)};
}

template <class Code> canon::Future<Outcome<Code>>
write_via_stream(canon::CallContext& cx, ByteStream stream, Ref<OutputSink> sink, Code (*code)(const IoError&)) {
  auto end = canon::make_future<Outcome<Code>>(cx);
  bool drained = cx.component().spawn(
      [sink = std::move(sink), stream = std::move(stream), outcome = std::move(end.writer), code]() mutable {
        StreamResult<std::uint64_t> done = drain(stream, *sink);
        sink = {};
        stream.close();
        (void)outcome.set(done || done.error().closed() ? Outcome<Code>() : std::unexpected(code(*done.error().error)));
      });
  if (!drained) cx.trap("there is no memory for a stream");
  return std::move(end.future);
}

// What fails before there is a stream: an empty one, and an outcome that says why.
template <class Code> canon::Future<Outcome<Code>> settled(canon::CallContext& cx, Outcome<Code> with) {
  auto end = canon::make_future<Outcome<Code>>(cx);
  bool set = cx.component().attend(
      [outcome = std::move(end.writer), with = std::move(with)]() mutable { (void)outcome.set(std::move(with)); });
  if (!set) cx.trap("there is no memory for a stream");
  return std::move(end.future);
}

} // namespace cusp::wasi
