#include "wasi/io/streams.h"

namespace cusp::wasi {

std::unexpected<StreamFailure> stream_failed(IoError error) {
  return std::unexpected(StreamFailure{std::make_unique<IoError>(std::move(error))});
}

StreamResult<std::uint64_t> OutputStream::check_write() {
  auto permit = sink_->check_write();
  permit_ = permit ? *permit : 0;
  return permit;
}

bool OutputStream::use_permit(std::uint64_t count) {
  if (count > permit_) return false;
  permit_ -= count;
  return true;
}

} // namespace cusp::wasi
