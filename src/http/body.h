// Reads a message body off a connection: by length, chunked, or until the end of the stream. Starts with the bytes that came along with the
// head, and gives back those that belong to the next message. Spec: RFC 9112, 6 and 7.1.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "http/message.h"
#include "http/stream.h"

namespace cusp::http {

class BodyReader {
public:
  // `early`: what was read beyond the head; the view must live as long as the reader.
  void start(SocketStream& stream, const Head& head, std::span<const std::uint8_t> early, std::uint64_t max_bytes);

  // At least one byte, or 0 at the end. Error: Malformed (bad chunk), LimitExceeded (max_bytes), Io (the peer broke off), Timeout.
  Result<std::size_t> read(std::span<std::uint8_t> into, loop::TimePoint deadline);
  // What is there now; 0 with !at_end() when nothing is. Wait on stream.readable() then.
  Result<std::size_t> try_read(std::span<std::uint8_t> into);
  bool at_end() const { return state_ == State::End; }
  bool failed() const { return state_ == State::Failed; }
  // Chunked bodies, after the end.
  const std::vector<std::pair<std::string, std::string>>& trailers() const { return trailers_; }
  // Bytes that came after the body: of the next message.
  std::span<const std::uint8_t> leftover() const { return early_; }

private:
  enum class State : std::uint8_t { Length, UntilClose, ChunkSize, ChunkData, ChunkEnd, Trailers, End, Failed };
  Result<bool> refill();                          // into early_; false: nothing there now
  Result<bool> next_line(std::string_view& line); // false: not whole yet
  Result<bool> chunk_framing();                   // true: something moved
  Result<std::size_t> take(std::span<std::uint8_t> into, std::uint64_t limit);
  std::unexpected<base::Error> broken(std::string sentence);

  SocketStream* stream_ = nullptr;
  State state_ = State::End;
  std::uint64_t left_ = 0, total_ = 0, max_bytes_ = 0;
  std::span<const std::uint8_t> early_;
  std::vector<std::uint8_t> buffer_; // chunked only
  std::size_t trailer_bytes_ = 0;
  std::vector<std::pair<std::string, std::string>> trailers_;
};

} // namespace cusp::http
